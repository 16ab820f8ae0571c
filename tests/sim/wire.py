# SPDX-License-Identifier: Apache-2.0
"""A byte-exact HTTP/1.1 client: sends what it is given, reads answers strictly.

Nothing is repaired on either side, so a test sees what really went over the wire.
"""
from __future__ import annotations

import json as jsonlib
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, Mapping

TIMEOUT = 15.0  # seconds a peer may take for anything


class WireError(Exception):
    """The peer closed early or its bytes are not a proper HTTP/1.1 answer."""


@dataclass
class Answer:
    """One response; `interim` holds the 1xx ones before it."""

    version: str
    status: int
    reason: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    interim: list["Answer"] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """The only value of a field, None when absent; twice is an error."""
        values = self.all(name)
        if len(values) > 1:
            raise WireError(f"{name} given {len(values)} times")
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def json(self) -> Any:
        return jsonlib.loads(self.body)

    @property
    def errcode(self) -> str | None:
        """The Matrix errcode, None when the body is no Matrix error."""
        try:
            value = self.json()
        except ValueError:
            return None
        return value.get("errcode") if isinstance(value, dict) else None

    @property
    def error(self) -> str:
        return str(self.json()["error"])


def tls_context(
    ca: bytes | Path | None = None,
    *,
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    highest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ciphers: str | None = None,
    group: str | None = None,
    alpn: Iterable[str] = (),
) -> ssl.SSLContext:
    """A client context that trusts `ca` only; without `ca` it verifies nothing."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
    elif isinstance(ca, bytes):
        ctx.load_verify_locations(cadata=ca.decode())
    else:
        ctx.load_verify_locations(cafile=str(ca))
    ctx.minimum_version, ctx.maximum_version = lowest, highest
    if ciphers:
        ctx.set_ciphers(ciphers)
    if group:
        ctx.set_ecdh_curve(group)
    if protocols := list(alpn):
        ctx.set_alpn_protocols(protocols)
    return ctx


class Connection:
    """One connection, TLS or plain, over TCP or a unix socket."""

    def __init__(
        self,
        address: tuple[str, int] | str,
        tls: ssl.SSLContext | None = None,
        sni: str | None = None,
        session: ssl.SSLSession | None = None,
        timeout: float = TIMEOUT,
        *,
        source: str | None = None,  # our own IP address
        preface: bytes = b"",  # sent before TLS, in one segment with its first bytes
        receive: int = 0,  # size of the receive buffer
    ) -> None:
        if isinstance(address, str):
            raw = socket.socket(socket.AF_UNIX)
            raw.settimeout(timeout)
            raw.connect(address)
        else:
            raw = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
            raw.settimeout(timeout)
            if receive:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            if source:
                raw.bind((source, 0))
            try:
                raw.connect(address)
                if preface:
                    raw.send(preface, socket.MSG_MORE)
            except BaseException:
                raw.close()
                raise
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.raw = raw
        self.sock: socket.socket = raw
        if tls is not None:
            try:
                self.sock = tls.wrap_socket(raw, server_hostname=sni, session=session)
            except BaseException:
                raw.close()
                raise
        self.held = b""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self.sock, ssl.SSLSocket)
        return self.sock

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Closes with RST, as a peer that crashed."""
        self.raw = self.sock
        linger = b"\x01\0\0\0\0\0\0\0"
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def _more(self) -> bool:
        piece = self.sock.recv(65536)
        self.held += piece
        return bool(piece)

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.held:
            if not self._more():
                raise WireError(f"closed early; held {self.held[:200]!r}")
        head, _, self.held = self.held.partition(mark)
        return head

    def _exactly(self, n: int) -> bytes:
        while len(self.held) < n:
            if not self._more():
                raise WireError(f"closed in mid body; {len(self.held)} of {n} bytes")
        out, self.held = self.held[:n], self.held[n:]
        return out

    def ended(self) -> bool:
        """Whether the peer closes now, sending nothing more."""
        try:
            return not self.held and not self._more()
        except (ConnectionResetError, ssl.SSLError):
            return not self.held

    def read_head(self) -> Answer:
        """Status line and fields, strictly."""
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        status, _, reason = rest.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or len(status) != 3 or not status.isdigit():
            raise WireError(f"bad status line {lines[0]!r}")
        fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip() or "\n" in line or "\r" in line:
                raise WireError(f"bad field {line!r}")
            fields.append((name, value.strip(" \t")))
        return Answer(version, int(status), reason, fields)

    def read(self, method: str = "GET") -> Answer:
        """One whole answer to a request with this method."""
        interim = []
        while (a := self.read_head()).status < 200:
            interim.append(a)
        a.interim = interim
        length, coding = a.get("Content-Length"), a.get("Transfer-Encoding")
        if length is not None and coding is not None:
            raise WireError("both Content-Length and Transfer-Encoding")
        if method == "HEAD" or a.status in (204, 304):
            return a
        if coding is not None:
            if coding != "chunked":
                raise WireError(f"Transfer-Encoding {coding!r}")
            a.body = self._chunks()
        elif length is not None:
            a.body = self._exactly(int(length))
        else:
            while self._more():
                pass
            a.body, self.held = self.held, b""
        return a

    def _chunks(self) -> bytes:
        out = b""
        while n := int(self._until(b"\r\n").split(b";")[0], 16):
            out += self._exactly(n)
            if self._exactly(2) != b"\r\n":
                raise WireError("chunk without its end")
        while self._until(b"\r\n"):
            pass
        return out

    def ask(
        self,
        method: str,
        target: str,
        fields: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Answer:
        """Sends one request and reads its answer."""
        self.send(request(method, target, fields, body))
        return self.read(method)


def request(
    method: str,
    target: str,
    fields: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
) -> bytes:
    """The bytes of a request; Content-Length is added for a body unless the fields frame it."""
    pairs = list(fields.items() if isinstance(fields, Mapping) else fields)
    names = {n.lower() for n, _ in pairs}
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    head = "".join(f"{n}: {v}\r\n" for n, v in pairs)
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    """The pieces as a chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n" + trailer + b"\r\n"
