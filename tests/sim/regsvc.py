# SPDX-License-Identifier: Apache-2.0
"""A small, strict stand-in for the registration service as proxies see it (I_internVerification).

It serves one federation list and a set of PASSporT certificates under one subscription, to one
client with one way to authenticate, over TLS only.  What a proxy must not do ends in `faults`.
"""
from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any, Callable

from . import fedlist
from .pki import Issued, Pki
from .rawserver import RawRequest, RawServer, Reply, server_context
from .redisd import free_port

SUBSCRIPTION = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
CLIENT, SECRET = "proxy-1", "s3cret/+&=with:odd%signs"
LIST, STATUS, CERTIFICATES, CHANGES = (
    "federation-list.jws", "federation-list/status", "passport-certificates", "changes",
)
PROBLEM = "application/problem+json"
Fault = Callable[[RawRequest], Reply]


def http(status: int, body: bytes = b"", kind: str = "application/json", **fields: Any) -> bytes:
    head = f"HTTP/1.1 {status} x\r\nCache-Control: private, no-cache\r\n"
    head += "".join(f"{n.replace('_', '-')}: {v}\r\n" for n, v in fields.items())
    if status not in (204, 304):
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def problem(status: int, **fields: Any) -> bytes:
    body = {"type": "about:blank", "title": "refused", "status": status, "detail": "refused"}
    return http(status, json.dumps(body).encode(), PROBLEM, **fields)


class Regsvc:
    """`names` is the list, `certificates` x5u -> Issued; change() announces what was changed."""

    def __init__(self, folder: Path, pki: Pki, names: list[str], *, auth: str = "basic",
                 host: str = "delta.test") -> None:
        self.pki, self.names, self.auth = pki, names, auth
        self.version = 1
        self.certificates: dict[str, Issued] = {}
        self.hidden: set[str] = set()  # x5u that only a question about them brings into the set
        self.age = 0  # seconds since the directory confirmed the list
        self.status = "aktuell"
        self.jws: bytes | None = None  # instead of a list of `names`
        self.fault: dict[str, Fault] = {}  # by resource
        self.token_lifetime = 3600
        self.tokens: dict[str, float] = {}
        self.faults: list[str] = []
        self._moved = threading.Condition()
        self._stopped = False
        self.files = pki.web.server(host).write(folder / "regsvc")
        self.client = pki.web.issue("proxy-1")
        self._ca = folder / "regsvc-clients.pem"
        self._ca.write_bytes(pki.web_root.pem)
        self.host = host
        self.port = free_port()
        self.server = self._listen(("127.0.0.1", self.port))

    # Life

    def _listen(self, address: tuple[str, int]) -> RawServer:
        tls = server_context(*self.files)
        if self.auth == "mtls":
            tls.verify_mode = ssl.CERT_REQUIRED
            tls.load_verify_locations(str(self._ca))
        return RawServer(self._answer, tls=tls, address=address)

    def close(self) -> None:
        self._stopped = True
        with self._moved:
            self._moved.notify_all()
        self.server.close()

    def restart(self) -> None:
        self._stopped = False
        self.server = self._listen(("127.0.0.1", self.port))

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    # What is served

    def change(self, **how: Any) -> None:
        """Sets attributes and wakes who waits; another version if the names are among them."""
        with self._moved:
            if "names" in how:
                self.version = how.pop("version", self.version + 1)
            for name, value in how.items():
                assert hasattr(self, name), name
                setattr(self, name, value)
            self.names = how.get("names", self.names)
            self._moved.notify_all()

    def list_of(self, version: int, names: list[str]) -> bytes:
        return fedlist.sign(fedlist.plain(version, names), self.pki.list_signer)

    def _entries(self) -> list[dict[str, Any]]:
        return [
            {
                "fingerprint": hashlib.sha256(c.der).hexdigest(), "x5u": x5u or None,
                "pem": c.pem.decode(), "source": "vzd", "not_after": "2030-01-01T00:00:00Z",
                "checked": "2026-01-01T00:00:00Z",
            }
            for x5u, c in self.certificates.items() if x5u not in self.hidden
        ]

    @property
    def certificates_etag(self) -> str:
        text = json.dumps(self._entries()).encode()
        return '"%s"' % hashlib.sha256(text).hexdigest()[:16]

    # Requests

    def asked(self, resource: str) -> list[RawRequest]:
        """What was asked of a resource so far."""
        return [r for r in list(self.server.requests) if self._resource(r) == resource]

    @staticmethod
    def _resource(r: RawRequest) -> str:
        path = r.target.partition("?")[0]
        return path.removeprefix(f"/v1/{SUBSCRIPTION}/").lstrip("/")

    def _answer(self, r: RawRequest) -> Reply:
        resource = self._resource(r)
        if SECRET in urllib.parse.unquote(r.target) or "token" in r.target.partition("?")[2]:
            self.faults.append(f"a secret in the target {r.target}")
        if resource in self.fault:
            return self.fault[resource](r)
        if resource == "token":
            return self._token(r)
        if not r.target.startswith(f"/v1/{SUBSCRIPTION}/"):
            return problem(403)
        if not self._authenticated(r):
            return problem(401, WWW_Authenticate='Basic realm="regsvc"')
        if r.method != "GET":
            self.faults.append(f"{r.method} {r.target}")
            return problem(405)
        query = dict(urllib.parse.parse_qsl(r.target.partition("?")[2], keep_blank_values=True))
        answer = {
            LIST: self._list, STATUS: self._status, CERTIFICATES: self._certificates,
            CHANGES: self._changes,
        }.get(resource)
        return problem(404) if answer is None else answer(r, query)

    def _authenticated(self, r: RawRequest) -> bool:
        kind, _, rest = (r.get("Authorization") or "").partition(" ")
        if self.auth == "mtls":
            if kind:
                self.faults.append("credentials beside a certificate")
            return True  # who has no certificate gets no connection
        if self.auth == "basic":
            return kind == "Basic" and base64.b64decode(rest).decode() == f"{CLIENT}:{SECRET}"
        return kind == "Bearer" and self.tokens.get(rest, 0) > time.monotonic()

    def _token(self, r: RawRequest) -> Reply:
        form = dict(urllib.parse.parse_qsl(r.content.decode(), strict_parsing=True))
        wanted = {
            "grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET,
        }
        if r.method != "POST" or r.get("Content-Type") != "application/x-www-form-urlencoded":
            self.faults.append("the form of a question for a token")
        if self.auth != "oauth" or form != wanted:
            return http(401, b'{"error":"invalid_client"}', Cache_Control="no-store")
        token = "token-" + secrets.token_urlsafe(16)
        self.tokens[token] = time.monotonic() + self.token_lifetime
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self.token_lifetime}
        return http(200, json.dumps(body).encode())

    def _list(self, r: RawRequest, query: dict[str, str]) -> Reply:
        if self.status != "aktuell":
            return problem(503, Retry_After="3600")
        etag = f'"v{self.version}"'
        if r.get("If-None-Match") == etag:
            return http(304, Age=self.age, ETag=etag)
        if query.get("version") == str(self.version) and self.jws is None:
            return http(204, Age=self.age)
        jws = self.jws or self.list_of(self.version, self.names)
        return http(200, jws, "application/jose", Age=self.age, ETag=etag)

    def _status(self, r: RawRequest, query: dict[str, str]) -> Reply:
        body = {
            "version": self.version, "entries": len(self.names), "as_of": "x", "age": self.age,
            "status": self.status, "vzd": "healthy",
        }
        return http(200, json.dumps(body).encode())

    def _certificates(self, r: RawRequest, query: dict[str, str]) -> Reply:
        if (x5u := query.get("x5u")) is not None:
            self.hidden.discard(x5u)
            found = [e for e in self._entries() if e["x5u"] == x5u]
            return http(200, json.dumps({"certificates": found}).encode())
        etag = self.certificates_etag
        if r.get("If-None-Match") == etag:
            return http(304, ETag=etag)
        return http(200, json.dumps({"certificates": self._entries()}).encode(), ETag=etag)

    def _changes(self, r: RawRequest, query: dict[str, str]) -> Reply:
        def news() -> bool:
            return (query.get("list") != str(self.version) or query.get("status") != self.status
                    or query.get("certificates") != self.certificates_etag or self._stopped)

        with self._moved:
            if not self._moved.wait_for(news, float(query["wait"])):
                return http(204)
            body = {
                "federation_list": {"version": self.version, "status": self.status},
                "passport_certificates": {"etag": self.certificates_etag},
            }
        return http(200, json.dumps(body).encode())
