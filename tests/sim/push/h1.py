# SPDX-License-Identifier: Apache-2.0
"""The server's side of HTTP/1.1 (RFC 9112) for requests with small bodies, strict with the client."""
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server import Link

HEAD_MAX = 16384
BODY_MAX = 1 << 20
LINE = re.compile(r"([A-Z]+) (/[^ ]*) HTTP/1\.1")
FIELD = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(.*?)[ \t]*")
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized",
           403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 410: "Gone",
           413: "Content Too Large", 429: "Too Many Requests", 500: "Internal Server Error",
           502: "Bad Gateway", 503: "Service Unavailable"}


class Codec:
    """One connection; requests are answered one after the other."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.buffer = b""
        self.busy = False  # a request waits for its answer
        self.last = False  # the client wants the connection to end

    def closed(self) -> None:
        self.link.server.cancelled += self.busy

    def feed(self, data: bytes) -> None:
        self.buffer += data
        if not self.busy:
            self._next()

    def _broken(self, text: str) -> None:
        self.link.fault(f"HTTP/1.1: {text}")
        self.link.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.link.close()

    def _next(self) -> None:
        head, mark, rest = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            if len(self.buffer) > HEAD_MAX:
                self._broken("a head without end")
            return
        lines = head.decode("latin-1").split("\r\n")
        line = LINE.fullmatch(lines[0])
        pairs = [FIELD.fullmatch(x) for x in lines[1:]]
        if line is None or None in pairs:
            self._broken(f"the head {lines}")
            return
        fields = [(m[1].lower(), m[2]) for m in pairs if m is not None]
        hosts = [v for n, v in fields if n == "host"]
        lengths = [v for n, v in fields if n == "content-length"]
        if len(hosts) != 1 or len(lengths) > 1 or any(n == "transfer-encoding" for n, _ in fields):
            self._broken(f"the fields {[n for n, _ in fields]}")
            return
        size = int(lengths[0]) if lengths else 0
        if size > BODY_MAX:
            self._broken(f"a body of {size} bytes")
        elif len(rest) >= size:
            self._request(line, hosts[0], fields, head + mark + rest[:size], rest[:size])
        elif ("expect", "100-continue") in fields and not rest:
            self.link.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _request(self, line: re.Match[str], host: str, fields: list[tuple[str, str]], raw: bytes,
                 body: bytes) -> None:
        self.buffer = self.buffer[len(raw) :]
        self.busy = True
        self.last = ("connection", "close") in [(n, v.lower()) for n, v in fields]
        self.link.request(line[1], line[2], host, fields, body, raw, self.answer)

    def answer(self, action: Any) -> None:
        from . import server

        if isinstance(action, server.Hang) or self.link.codec is not self:
            return
        if not isinstance(action, server.Reply):
            self.busy = False
            self.link.abort()
            return
        body = action.content
        reason = REASONS.get(action.status, "Other")
        fields = [*action.head, ("content-length", str(len(body)))]
        head = f"HTTP/1.1 {action.status} {reason}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
        self.busy = False
        self.link.write(head.encode() + b"\r\n" + body)
        if self.last:
            self.link.close()
        elif self.buffer:
            self._next()
