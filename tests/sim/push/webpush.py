# SPDX-License-Identifier: Apache-2.0
"""A push service and the browsers behind it: Web Push (RFC 8030), its encryption (RFC 8291), VAPID (RFC 8292)."""
from __future__ import annotations

import json
import os
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .. import b64
from . import jose
from .server import Action, Reply, Request, Server

BODY_MAX = 4096
VAPID_LIFE = 86400  # seconds
CLOCK_SKEW = 60
TAG = 16
URGENCIES = ("very-low", "low", "normal", "high")
VAPID = re.compile(r"vapid +((?:[a-z]+=[A-Za-z0-9_.-]+)(?: *, *[a-z]+=[A-Za-z0-9_.-]+)*)", re.IGNORECASE)


class Undecipherable(Exception):
    """What came is no proper aes128gcm message for this subscription."""


def public_bytes(key: Any) -> bytes:
    """The uncompressed point."""
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _hkdf(salt: bytes, secret: bytes, info: bytes, n: int) -> bytes:
    return HKDF(hashes.SHA256(), n, salt, info).derive(secret)


def decrypt(body: bytes, key: ec.EllipticCurvePrivateKey, auth: bytes) -> tuple[bytes, int]:
    """The plaintext of one record and how many bytes of padding it had."""
    if len(body) < 21 + 65 + TAG + 1:
        raise Undecipherable(f"{len(body)} bytes")
    salt, size, n = body[:16], int.from_bytes(body[16:20], "big"), body[20]
    if n != 65:
        raise Undecipherable(f"a key ID of {n} bytes")
    sender, record = body[21:86], body[86:]
    if size < 18 or len(record) > size:
        raise Undecipherable(f"a record of {len(record)} bytes where {size} are announced")
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
    except ValueError:
        raise Undecipherable("the sender's key is not on the curve") from None
    info = b"WebPush: info\0" + public_bytes(key.public_key()) + sender
    ikm = _hkdf(auth, key.exchange(ec.ECDH(), point), info, 32)
    cek = _hkdf(salt, ikm, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _hkdf(salt, ikm, b"Content-Encoding: nonce\0", 12)
    try:
        padded = AESGCM(cek).decrypt(nonce, record, None)
    except InvalidTag:
        raise Undecipherable("the tag is wrong") from None
    text = padded.rstrip(b"\0")
    if not text.endswith(b"\2"):
        raise Undecipherable("no delimiter of a last record")
    return text[:-1], len(padded) - len(text)


@dataclass
class Message:
    """A push as the browser sees it."""

    text: bytes
    padding: int
    request: Request

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Subscription:
    """What a browser gives to its application; the private key stays here."""

    endpoint: str
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    application_key: str = ""  # the VAPID key it is restricted to; "": any
    gone: int = 0  # 404 or 410 when it is over
    messages: list[Message] = field(default_factory=list)

    @property
    def p256dh(self) -> str:
        return b64.url(public_bytes(self.key.public_key())).decode()

    @property
    def auth_text(self) -> str:
        return b64.url(self.auth).decode()


class Inbox:
    """Deciphers what comes for subscriptions, and insists on fresh keys."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, Subscription] = {}  # by path
        self.seen: set[bytes] = set()  # salts and senders' keys

    def fresh(self, body: bytes) -> bool:
        """Neither salt nor sender's key of the body came before."""
        news = {body[:16], body[21:86]}
        old = bool(news & self.seen)
        self.seen |= news
        return not old

    def take(self, r: Request, s: Subscription) -> str:
        """Keeps the message; what is wrong with it, or ""."""
        if len(r.body) > BODY_MAX:
            return f"a body of {len(r.body)} bytes"
        try:
            text, padding = decrypt(r.body, s.key, s.auth)
        except Undecipherable as e:
            return str(e)
        if not self.fresh(r.body):
            return "salt or sender's key were used before"
        s.messages.append(Message(text, padding, r))
        return ""


class WebPush(Server):
    """Serves any number of subscriptions."""

    def __init__(self, files: tuple[Path, Path], *, deciphers: bool = True, **how: Any) -> None:
        """`deciphers` False: bodies are only looked at from outside, for speed."""
        self.inbox = Inbox()
        self.deciphers = deciphers
        self.vapids: list[str] = []  # JWTs in the order they were first seen
        self._checked: dict[tuple[str, str], float] = {}  # token and key that were sound: exp
        super().__init__(files, **how)

    def subscribe(self, application_key: str = "") -> Subscription:
        path = f"/wp/{os.urandom(18).hex()}"
        s = Subscription(self.url + path, application_key=application_key)
        self.inbox.subscriptions[path] = s
        return s

    def messages(self) -> list[Message]:
        return [m for s in self.inbox.subscriptions.values() for m in s.messages]

    # Judging

    def judge(self, r: Request) -> Action:
        s = self.inbox.subscriptions.get(r.path)
        if s is None:
            return self.refused("no such subscription", Reply(404))
        if r.method != "POST":
            return self.refused(r.method, Reply(405))
        for problem, status in ((self._headers(r), 400), self._vapid(r, s)):
            if problem:
                return self.refused(problem, Reply(status, {"code": status, "errno": 110, "error": problem}))
        if s.gone:
            return Reply(s.gone, {"code": s.gone, "errno": 103, "error": "Gone"})
        return Reply(201, b"", [("location", f"{self.url}/m/{secrets.token_urlsafe(16)}"),
                                ("ttl", r.get("ttl") or "0")])

    def decide(self, r: Request) -> Action:
        action = super().decide(r)
        if isinstance(action, Reply) and 200 <= action.status < 300 and self.deciphers:
            if problem := self.inbox.take(r, self.inbox.subscriptions[r.path]):
                status = 413 if len(r.body) > BODY_MAX else 400
                return self.refused(problem, Reply(status, {"error": problem}))
        return action

    @staticmethod
    def _headers(r: Request) -> str:
        names = [n for n, _ in r.fields if n in ("ttl", "urgency", "topic", "content-encoding", "authorization")]
        if len(names) != len(set(names)):
            return f"a header twice: {names}"
        if not re.fullmatch(r"\d{1,10}", r.get("ttl") or "") or int(r.get("ttl") or 0) >= 1 << 31:
            return f"TTL {r.get('ttl')}"
        if (r.get("urgency") or "normal") not in URGENCIES:
            return f"Urgency {r.get('urgency')}"
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", r.get("topic") or "x"):
            return f"Topic {r.get('topic')}"
        if r.get("content-encoding") != "aes128gcm":
            return f"Content-Encoding {r.get('content-encoding')}"
        if r.get("encryption") or r.get("crypto-key"):
            return "headers of the encryption's drafts"
        return "" if r.body else "no body"

    def _vapid(self, r: Request, s: Subscription) -> tuple[str, int]:
        """What is wrong with the Authorization, and the status that says so."""
        given = r.get("authorization")
        if given is None:
            return "no Authorization", 401
        match = VAPID.fullmatch(given)
        if match is None:
            return "the Authorization is not VAPID's", 401
        pairs = [p.strip().partition("=")[::2] for p in match[1].split(",")]
        parameters = dict(pairs)
        if sorted(n for n, _ in pairs) != ["k", "t"]:
            return f"VAPID parameters {sorted(n for n, _ in pairs)}", 401
        token, key = parameters["t"], parameters["k"]
        try:
            if self._checked.get((token, key), 0) < time.time():
                self._checked[token, key] = self._check(token, key)
                self.vapids.append(token)
        except jose.Bad as e:
            return f"VAPID: {e}", 403
        if s.application_key not in ("", key):
            return "VAPID: the subscription is another application's", 403
        return "", 0

    def _check(self, token: str, key: str) -> float:
        """The moment at which a sound token ends."""
        header, claims, signed, signature = jose.parse(token)
        if header.get("alg") != "ES256" or header.get("typ", "JWT") != "JWT":
            raise jose.Bad(f"the header {header}")
        if claims.get("aud") != self.url:
            raise jose.Bad(f"aud {claims.get('aud')!r}")
        exp, now = jose.seconds(claims, "exp"), time.time()
        if not now - CLOCK_SKEW < exp <= now + VAPID_LIFE:
            raise jose.Bad(f"exp is {exp - now:.0f} s ahead")
        if not re.fullmatch(r"mailto:[^@\s]+@[^@\s]+|https://\S+", str(claims.get("sub"))):
            raise jose.Bad(f"sub {claims.get('sub')!r}")
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), jose.unurl(key))
        except ValueError:
            raise jose.Bad("k is no point of P-256") from None
        if len(jose.unurl(key)) != 65:
            raise jose.Bad("k is not uncompressed")
        jose.check_es256(point, signed, signature)
        return exp
