# SPDX-License-Identifier: Apache-2.0
"""A remote server as far as key look-ups see it: .well-known and key/v2/server over TLS.

The answers can be made wrong in every way that matters; requests are counted.
"""
from __future__ import annotations

import json
import time
from typing import Any, Callable, Iterable

from signedjson.sign import sign_json

from .rawserver import Close, RawRequest, RawServer, Reply, server_context
from .xmatrix import SigningKey


def answer(status: str, body: bytes, *fields: str) -> bytes:
    """The bytes of a JSON answer."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *fields]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class KeyServer:
    """Publishes `keys` for `name`; without a port of its own in it, `name` gets the bound port.

    Members a test may change at any time: keys, old_keys, published_name, lifetime_ms, script (a
    function that may answer instead), well_known (text of m.server, or None for 404).
    """

    def __init__(
        self,
        host: str,
        context_files: tuple[Any, Any],
        keys: Iterable[SigningKey] = (),
        address: tuple[str, int] = ("127.0.0.1", 0),
        port_in_name: bool = True,
    ) -> None:
        self.keys = list(keys) or [SigningKey()]
        self.old_keys: dict[SigningKey, int] = {}
        self.lifetime_ms = 24 * 3600 * 1000
        self.well_known: str | None = None
        self.script: Callable[[RawRequest], Reply | None] | None = None
        self.server = RawServer(self._answer, tls=server_context(*context_files), address=address)
        self.name = f"{host}:{self.server.port}" if port_in_name else host
        self.published_name = self.name
        self.extra: dict[str, Any] = {}

    @property
    def key(self) -> SigningKey:
        return self.keys[0]

    @property
    def fetches(self) -> int:
        """How often the keys were asked for."""
        return sum(r.target.startswith("/_matrix/key/") for r in self.server.requests)

    def close(self) -> None:
        self.server.close()

    def document(self) -> dict[str, Any]:
        """The signed key object."""
        keys: dict[str, Any] = {
            "server_name": self.published_name,
            "valid_until_ts": int(time.time() * 1000) + self.lifetime_ms,
            "verify_keys": {k.id: {"key": k.public_base64} for k in self.keys},
            "old_verify_keys": {
                k.id: {"key": k.public_base64, "expired_ts": ts} for k, ts in self.old_keys.items()
            },
            **self.extra,
        }
        for k in self.keys:
            keys = sign_json(keys, self.published_name, k.key)
        return keys

    def _answer(self, r: RawRequest) -> Reply:
        if self.script is not None and (scripted := self.script(r)) is not None:
            return scripted
        if r.method != "GET":
            return Close(answer("405 Method Not Allowed", b"{}"))
        if r.target == "/.well-known/matrix/server" and self.well_known is not None:
            return answer("200 OK", json.dumps({"m.server": self.well_known}).encode())
        if r.target in ("/_matrix/key/v2/server", "/_matrix/key/v2/server/"):
            return answer("200 OK", json.dumps(self.document()).encode())
        return answer("404 Not Found", b'{"errcode":"M_UNRECOGNIZED","error":"no"}')
