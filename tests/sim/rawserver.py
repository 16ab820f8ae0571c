# SPDX-License-Identifier: Apache-2.0
"""A byte-level HTTP server in threads: keeps what arrived, answers what it was told, byte for byte.

`RawServer` reads each request as it came (head and body bytes apart) and hands it to `answer`, a
function from `RawRequest` to bytes, or to one of the special answers below.
"""
from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable, Union

DEADLINE = 15.0
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Close:
    """Send these bytes, then close the connection."""

    data: bytes = b""


@dataclass
class Hang:
    """Say nothing (more) until the peer closes or the server stops."""

    data: bytes = b""


@dataclass
class Drip:
    """Send these pieces with a pause behind each, until the peer closes; then close."""

    pieces: Iterable[bytes]
    pause: float = 0.0  # seconds


@dataclass
class Reset:
    """Send these bytes, then RST instead of FIN."""

    data: bytes = b""


@dataclass
class RawRequest:
    """A request exactly as it arrived."""

    head: bytes  # without the blank line
    body: bytes  # as framed on the wire: chunk heads included
    connection: int  # counts connections from 1
    gone: threading.Event = field(default_factory=threading.Event)  # the peer closed while we hung

    @property
    def line(self) -> bytes:
        return self.head.split(b"\r\n")[0]

    @property
    def method(self) -> str:
        return self.line.split(b" ")[0].decode("latin-1")

    @property
    def target(self) -> str:
        return self.line.split(b" ")[1].decode("latin-1")

    @property
    def fields(self) -> list[tuple[str, str]]:
        out = []
        for line in self.head.split(b"\r\n")[1:]:
            name, _, value = line.decode("latin-1").partition(":")
            out.append((name, value.strip()))
        return out

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, f"{name} given {len(values)} times"
        return values[0] if values else None

    @property
    def content(self) -> bytes:
        """The body without its chunk heads."""
        if self.get("Transfer-Encoding") is None:
            return self.body
        rest, out = self.body, b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            n = int(size.split(b";")[0], 16)
            if n == 0:
                return out
            out, rest = out + rest[:n], rest[n + 2 :]


Reply = Union[bytes, Close, Hang, Drip, Reset]


class RawServer:
    """Listens on TCP loopback, or on a unix socket when given a path; TLS when given a context."""

    def __init__(
        self,
        answer: Callable[[RawRequest], Reply] | Reply = OK,
        *,
        tls: ssl.SSLContext | None = None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        unix: Path | None = None,
    ) -> None:
        self.answer = answer
        self.requests: list[RawRequest] = []
        self.connections = 0
        self.handshakes = 0  # those of TLS that were completed
        self.received = 0  # bytes of requests, TLS taken off
        self.names: list[str | None] = []  # SNI of each ClientHello
        self.versions: list[str] = []  # of TLS, by completed handshake
        self.closed_idle = 0  # connections the peer closed between requests
        self.tls = tls  # may be replaced while serving
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._stopping = threading.Event()
        if unix is not None:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(unix))
            self.listener.listen(64)
            self.where = f"unix:{unix}"
        else:
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            self.listener = socket.create_server(address, family=family, backlog=64)
            self.where = "%s:%d" % self.listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def __enter__(self) -> "RawServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stopping.set()
        _shut(self.listener)
        self.drop()

    def drop(self) -> None:
        """Ends all connections; new ones are welcome.

        Each is closed by its own thread, which may be reading: its descriptor must not be another
        connection's meanwhile.
        """
        with self._changed:
            for s in self._open:
                _end(s)

    def say(self, data: bytes) -> None:
        """Sends unasked-for bytes on every open connection."""
        with self._changed:
            for s in self._open:
                s.sendall(data)

    def forget(self) -> None:
        with self._changed:
            self.requests.clear()

    def wait(self, n: int = 1) -> list[RawRequest]:
        """The requests, as soon as there are n of them."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= n, DEADLINE):
                raise AssertionError(f"{len(self.requests)} of {n} requests arrived")
            return list(self.requests)

    @property
    def last(self) -> RawRequest:
        return self.wait(1)[-1]

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(conn, self.connections), daemon=True).start()

    def _serve(self, conn: socket.socket, number: int) -> None:
        with self._changed:
            self._open.add(conn)
        try:
            conn.settimeout(60)
            if conn.family != socket.AF_UNIX:
                conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                self.tls.sni_callback = lambda _s, name, _c: self.names.append(name)
                raw, conn = conn, self.tls.wrap_socket(conn, server_side=True)
                with self._changed:
                    self._open.discard(raw)
                    self._open.add(conn)
                    self.handshakes += 1
                    self.versions.append(str(conn.version()))
            while self._one(conn, number):
                pass
        except (OSError, ValueError):
            pass
        finally:
            with self._changed:
                self._open.discard(conn)
            _shut(conn)

    def _one(self, conn: socket.socket, number: int) -> bool:
        r = self._read_request(conn, number)
        if r is None:
            self.closed_idle += 1
            return False
        with self._changed:
            self.requests.append(r)
            self._changed.notify_all()
        reply = self.answer(r) if callable(self.answer) else self.answer
        if isinstance(reply, Drip):
            self._drip(conn, reply)
            return False
        conn.sendall(reply if isinstance(reply, bytes) else reply.data)
        if isinstance(reply, Hang):
            end = time.monotonic() + 60
            while time.monotonic() < end and not self._stopping.is_set():
                if not conn.recv(4096):
                    break
            r.gone.set()
        elif isinstance(reply, Reset):
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            conn.close()
        return isinstance(reply, bytes)

    def _read_request(self, conn: socket.socket, number: int) -> RawRequest | None:
        """Reads to the end of one request; pipelined bytes are not supported, on purpose."""
        held = b""
        while b"\r\n\r\n" not in held:
            piece = self._some(conn)
            if not piece:
                return None
            held += piece
        head, _, rest = held.partition(b"\r\n\r\n")
        r = RawRequest(head, rest, number)
        if (length := r.get("Content-Length")) is not None:
            while len(r.body) < int(length):
                r.body += self._more(conn)
            if len(r.body) > int(length):
                raise ValueError("more than the body announced")
        elif r.get("Transfer-Encoding") is not None:
            while not (r.body == b"0\r\n\r\n" or r.body.endswith(b"\r\n0\r\n\r\n")):
                r.body += self._more(conn)
        elif r.body:
            raise ValueError("bytes behind a request without body")
        return r

    def _some(self, conn: socket.socket) -> bytes:
        piece = conn.recv(65536)
        with self._changed:
            self.received += len(piece)
        return piece

    def _more(self, conn: socket.socket) -> bytes:
        piece = self._some(conn)
        if not piece:
            raise ValueError("closed in mid body")
        return piece

    def _drip(self, conn: socket.socket, reply: Drip) -> None:
        for piece in reply.pieces:
            if self._stopping.is_set():
                break
            conn.sendall(piece)
            self._stopping.wait(reply.pause)


def _end(s: socket.socket) -> None:
    try:
        s.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _shut(s: socket.socket) -> None:
    _end(s)
    s.close()


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """A TLS server context for a certificate file and its key."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(str(cert), str(key))
    return ctx
