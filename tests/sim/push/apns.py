# SPDX-License-Identifier: Apache-2.0
"""Apple Push Notification service: HTTP/2 only, provider tokens or client certificates.

After Apple's "Sending notification requests to APNs", "Establishing a token-based connection to APNs",
"Establishing a certificate-based connection to APNs" and "Handling notification responses from APNs".
"""
from __future__ import annotations

import re
import time
import uuid
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from . import jose
from .server import Action, Link, Reply, Request, Server

PAYLOAD_MAX, PAYLOAD_MAX_VOIP = 4096, 5120
TOKEN_LIFE, TOKEN_LEAST = 3600, 1200  # seconds
CLOCK_SKEW = 60
STORED_MAX = 31 * 86400  # seconds that an expiration may lie ahead
STREAMS_AT_FIRST, STREAMS = 1, 1000
SUFFIXES = {  # of the topic, by push type
    "alert": "", "background": "", "voip": ".voip", "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider", "location": ".location-query", "pushtotalk": ".voip-ptt",
    "liveactivity": ".push-type.liveactivity", "controls": ".push-type.controls",
    "widgets": ".push-type.widgets", "mdm": "",
}
KNOWN_HEADERS = {"apns-push-type", "apns-id", "apns-expiration", "apns-priority", "apns-topic",
                 "apns-collapse-id", "apns-request-id"}
APS_KEYS = {"alert", "badge", "sound", "thread-id", "category", "content-available", "mutable-content",
            "target-content-id", "interruption-level", "relevance-score", "filter-criteria"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STATUS = {  # of each reason
    "BadCollapseId": 400, "BadDeviceToken": 400, "BadExpirationDate": 400, "BadMessageId": 400,
    "BadPriority": 400, "BadTopic": 400, "DeviceTokenNotForTopic": 400, "DuplicateHeaders": 400,
    "IdleTimeout": 400, "InvalidPushType": 400, "MissingDeviceToken": 400, "MissingTopic": 400,
    "PayloadEmpty": 400, "TopicDisallowed": 400, "BadCertificate": 403, "BadCertificateEnvironment": 403,
    "ExpiredProviderToken": 403, "Forbidden": 403, "InvalidProviderToken": 403,
    "MissingProviderToken": 403, "UnrelatedKeyIdInToken": 403, "BadEnvironmentKeyIdInToken": 403,
    "BadPath": 404, "MethodNotAllowed": 405, "ExpiredToken": 410, "Unregistered": 410,
    "PayloadTooLarge": 413, "TooManyProviderTokenUpdates": 429, "TooManyRequests": 429,
    "InternalServerError": 500, "ServiceUnavailable": 503, "Shutdown": 503,
}


class Refuse(Exception):
    """Apple refuses the request with this reason; `ours`: for a state of ours, the client is not to blame."""

    def __init__(self, reason: str, why: str = "", *, ours: bool = False, timestamp: int = 0) -> None:
        super().__init__(why or reason)
        self.reason, self.ours, self.timestamp = reason, ours, timestamp


def answer(reason: str, *, timestamp: int = 0, apns_id: str = "", delay: float = 0.0) -> Reply:
    """The answer with that reason, "" for success; `timestamp`: of 410, in ms."""
    body: Any = {"reason": reason, "timestamp": timestamp} if timestamp else {"reason": reason}
    fields = [("apns-id", apns_id or str(uuid.uuid4()))]
    if not reason:
        return Reply(200, b"", fields, delay)
    return Reply(STATUS[reason], body, fields, delay)


class Apns(Server):
    """Knows one developer team with its keys and topics (bundle IDs)."""

    PROTOCOLS = ("h2",)
    STREAMS = STREAMS

    def __init__(self, files: tuple[Path, Path], *, team: str = "TEAM123456", topics: tuple[str, ...] = (),
                 **how: Any) -> None:
        self.team = team
        self.topics = set(topics or ("org.example.app",))
        self.keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self.key_id = self.new_key()
        self.unknown: set[str] = set()  # device tokens, in lower case
        self.gone: dict[str, tuple[str, int]] = {}  # device token: reason of 410, timestamp in ms
        self.of_other_topics: set[str] = set()
        self.revoked: set[str] = set()  # key IDs
        self.tokens: list[str] = []  # provider tokens in the order they were first seen
        self._checked: dict[str, tuple[str, str, int]] = {}  # token: team, key ID, iat
        super().__init__(files, **how)

    def new_key(self) -> str:
        """Another signing key of the team; its ID."""
        key_id = f"KEY{len(self.keys) + 1:07d}"
        self.keys[key_id] = ec.generate_private_key(ec.SECP256R1())
        return key_id

    def key_pem(self, key_id: str = "") -> bytes:
        """The .p8 file that Apple gives out once."""
        return self.keys[key_id or self.key_id].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def unregister(self, token: str, timestamp: int | None = None, reason: str = "Unregistered") -> None:
        """The app was removed from the device at that time (ms; now unless given)."""
        self.gone[token.lower()] = reason, int(time.time() * 1000) if timestamp is None else timestamp

    # Judging

    def first_streams(self, link: Link) -> int:
        return STREAMS if link.certificate else STREAMS_AT_FIRST

    def judge(self, r: Request) -> Action:
        given = (r.get("apns-id") or "").lower()
        try:
            self._check(r)
        except Refuse as e:
            if not e.ours:
                self.fault(f"APNs: {e} ({e.reason})")
            return answer(e.reason, timestamp=e.timestamp, apns_id=given)
        if not r.link.certificate and not r.link.notes.get("trusted"):
            r.link.notes["trusted"] = True
            r.link.allow_streams(STREAMS)
        return answer("", apns_id=given)

    def _check(self, r: Request) -> None:
        """In Apple's order as far as it is known: the request, who sends it, then what."""
        if r.method != "POST":
            raise Refuse("MethodNotAllowed", r.method)
        if not r.path.startswith("/3/device/"):
            raise Refuse("BadPath", "not /3/device/…")
        self._check_headers(r)
        topic = self._authenticate(r)
        self._check_kind(r, topic, self._payload(r))
        self._check_device(r.path.removeprefix("/3/device/").lower())

    def _check_headers(self, r: Request) -> None:
        names = [n for n, _ in r.fields if n.startswith("apns-") or n == "authorization"]
        if len(set(names)) != len(names):
            raise Refuse("DuplicateHeaders", str(names))
        if strange := {n for n in names if n.startswith("apns-")} - KNOWN_HEADERS:
            self.fault(f"APNs: unknown headers {strange}")
        if (given := r.get("apns-id")) is not None and not UUID.fullmatch(given):
            raise Refuse("BadMessageId", given)
        if len((r.get("apns-collapse-id") or "").encode()) > 64:
            raise Refuse("BadCollapseId")
        if r.get("content-encoding") or r.get("content-type") not in (None, "application/json"):
            self.fault("APNs: a Content-Encoding, or a Content-Type that is not JSON's")
        expiration = r.get("apns-expiration")
        if expiration is not None:
            if not re.fullmatch(r"\d{1,15}", expiration):
                raise Refuse("BadExpirationDate", expiration)
            if int(expiration) > time.time() + STORED_MAX:
                self.fault(f"APNs: apns-expiration {expiration} is no second near the present")

    def _authenticate(self, r: Request) -> str:
        """The topic the push is for."""
        topic = r.get("apns-topic")
        authorization = r.get("authorization")
        if r.link.certificate is not None:
            if authorization is not None:
                self.fault("APNs: a provider token besides a certificate")
            own = self._certificate_topic(r.link.certificate)
            allowed = {own}
            topic = own if topic is None else topic
        else:
            self._check_token(r.link, authorization)
            allowed = self.topics
        if topic is None:
            raise Refuse("MissingTopic")
        if not re.fullmatch(r"[A-Za-z0-9.-]+", topic):
            raise Refuse("BadTopic", topic)
        suffix = SUFFIXES.get(r.get("apns-push-type") or "", "")
        if not topic.endswith(suffix) or topic.removesuffix(suffix) not in allowed:
            raise Refuse("TopicDisallowed", topic)
        return topic

    @staticmethod
    def _certificate_topic(der: bytes) -> str:
        """A certificate names its app in the subject's UID."""
        names = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.USER_ID)
        if len(names) != 1:
            raise Refuse("BadCertificate", "no UID in the certificate")
        return str(names[0].value)

    def _check_token(self, link: Link, authorization: str | None) -> None:
        if authorization is None:
            raise Refuse("MissingProviderToken")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Refuse("MissingProviderToken", "not a bearer token")
        try:
            if token not in self._checked:
                self._checked[token] = self._read_token(token)
                self.tokens.append(token)
        except jose.Bad as e:
            raise Refuse("InvalidProviderToken", str(e)) from None
        team, key_id, iat = self._checked[token]
        if key_id in self.revoked:
            raise Refuse("InvalidProviderToken", ours=True)
        if time.time() - iat > TOKEN_LIFE:
            raise Refuse("ExpiredProviderToken", f"{time.time() - iat:.0f} s old")
        self._check_connection(link, token, team, key_id)

    def _check_connection(self, link: Link, token: str, team: str, key_id: str) -> None:
        """One team on one connection, and no new token of a key within 20 minutes."""
        if link.notes.setdefault("team", team) != team:
            raise Refuse("InvalidProviderToken", "two teams on one connection")
        before = link.notes.get("token")
        if before not in (None, token) and self._checked[before][1] == key_id:
            if self._checked[token][2] - self._checked[before][2] < TOKEN_LEAST:
                raise Refuse("TooManyProviderTokenUpdates")
        link.notes["token"] = token

    def _read_token(self, token: str) -> tuple[str, str, int]:
        header, claims, signed, signature = jose.parse(token)
        if header.get("alg") != "ES256" or header.get("typ", "JWT") != "JWT":
            raise jose.Bad(f"the header {header}")
        key_id = header.get("kid")
        if not isinstance(key_id, str) or len(key_id) != 10 or key_id not in self.keys:
            raise jose.Bad(f"kid {key_id!r}")
        if claims.get("iss") != self.team:
            raise jose.Bad(f"iss {claims.get('iss')!r}")
        if set(claims) != {"iss", "iat"}:
            raise jose.Bad(f"claims {sorted(claims)}")
        iat = jose.seconds(claims, "iat")
        if iat > time.time() + CLOCK_SKEW:
            raise jose.Bad("issued in the future")
        jose.check_es256(self.keys[key_id].public_key(), signed, signature)
        return self.team, key_id, iat

    def _payload(self, r: Request) -> dict[str, Any]:
        if not r.body:
            raise Refuse("PayloadEmpty")
        voip = r.get("apns-push-type") == "voip"
        if len(r.body) > (PAYLOAD_MAX_VOIP if voip else PAYLOAD_MAX):
            raise Refuse("PayloadTooLarge", f"{len(r.body)} bytes")
        try:
            payload = jose.strict_json(r.body)
        except ValueError as e:
            raise Refuse("PayloadEmpty", f"not JSON: {e}") from None
        if not isinstance(payload, dict) or not isinstance(payload.get("aps"), dict):
            raise Refuse("PayloadEmpty", "no object aps")
        if strange := set(payload["aps"]) - APS_KEYS:
            self.fault(f"APNs: unknown members of aps: {strange}")
        return payload

    def _check_kind(self, r: Request, topic: str, payload: dict[str, Any]) -> None:
        """Type, priority, topic and payload must fit each other."""
        kind, priority = r.get("apns-push-type"), r.get("apns-priority")
        aps = payload["aps"]
        if kind not in SUFFIXES:
            raise Refuse("InvalidPushType", str(kind))
        if priority not in (None, "1", "5", "10"):
            raise Refuse("BadPriority", str(priority))
        for name in ("content-available", "mutable-content"):
            if name in aps and (aps[name] != 1 or isinstance(aps[name], bool)):
                raise Refuse("InvalidPushType", f"{name} is {aps[name]!r}")
        seen = {"alert", "badge", "sound"} & set(aps)
        if kind == "background":
            if aps.get("content-available") != 1 or seen:
                raise Refuse("InvalidPushType", f"a background push with {sorted(aps)}")
            if priority in (None, "10"):
                raise Refuse("BadPriority", "a background push at priority 10")
        elif kind == "alert":
            if not seen:
                raise Refuse("InvalidPushType", f"an alert of {sorted(aps)}")
            if aps.get("mutable-content") and "alert" not in aps:
                raise Refuse("InvalidPushType", "mutable-content without alert")

    def _check_device(self, token: str) -> None:
        if not token:
            raise Refuse("MissingDeviceToken")
        if not re.fullmatch(r"([0-9a-f]{2}){8,100}", token):
            raise Refuse("BadDeviceToken", "the device token is not hexadecimal")
        if token in self.unknown:
            raise Refuse("BadDeviceToken", ours=True)
        if token in self.of_other_topics:
            raise Refuse("DeviceTokenNotForTopic", ours=True)
        if token in self.gone:
            reason, timestamp = self.gone[token]
            raise Refuse(reason, ours=True, timestamp=timestamp)


def tokens_of(requests: list[Request]) -> list[str]:
    """The devices the requests were for."""
    return [r.path.rpartition("/")[2] for r in requests]
