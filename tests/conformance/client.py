# SPDX-License-Identifier: Apache-2.0
"""The client of a case: bytes over TLS, with every kind of end, and a lenient reader of answers."""
from __future__ import annotations

import re
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass

DEADLINE = 15.0
RST = b"\x01\0\0\0\0\0\0\0"  # struct linger: on, no time


@dataclass
class Answer:
    status: int
    fields: list[tuple[str, str]]
    body: bytes = b""
    whole: bool = False
    line: bytes = b""

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.fields if n.lower() == name.lower()]


class Client:
    """One connection; a thread reads all that comes, unless told not to."""

    def __init__(
        self,
        address: tuple[str, int],
        tls: ssl.SSLContext | None,
        name: str,
        *,
        read: bool = True,
        only_hello: bool = False,
    ) -> None:
        self.raw = socket.create_connection(address, DEADLINE)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.to_wire, self.from_wire = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(self.from_wire, self.to_wire, server_hostname=name) if tls else None
        self.got = b""
        self.ended = False
        self.changed = threading.Condition()
        self.lock = threading.Lock()
        self.reading = read
        self.notified = False  # the peer ended with close_notify
        self.wake, self.woken = socket.socketpair()
        self.thread: threading.Thread | None = None
        if self.tls is not None and not only_hello:
            self._handshake()
        if read:
            self.raw.settimeout(60)
            self.thread = threading.Thread(target=self._read, daemon=True)
            self.thread.start()

    def _handshake(self) -> None:
        assert self.tls is not None
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.raw.sendall(self.to_wire.read())
                self.from_wire.write(self.raw.recv(65536) or _fail("closed in the handshake"))
        self.raw.sendall(self.to_wire.read())

    def hello(self) -> None:
        """Only the first flight of a handshake."""
        assert self.tls is not None
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            self.raw.sendall(self.to_wire.read())

    def _decrypt(self, data: bytes) -> bytes:
        if self.tls is None:
            return data
        out = b""
        with self.lock:
            self.from_wire.write(data)
            try:
                while piece := self.tls.read(65536):
                    out += piece
                self.notified = True
            except ssl.SSLZeroReturnError:
                self.notified = True
            except ssl.SSLWantReadError:
                pass
        return out

    def _read(self) -> None:
        try:
            while self.woken not in select.select([self.raw, self.woken], [], [])[0]:
                if not (data := self.raw.recv(65536)):
                    break
                self._add(self._decrypt(data))
        except (OSError, ssl.SSLError, ValueError):
            pass
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _add(self, data: bytes) -> None:
        with self.changed:
            self.got += data
            self.changed.notify_all()

    def send(self, data: bytes) -> None:
        """A peer that has closed already is for the reader to notice."""
        try:
            if self.tls is not None:
                with self.lock:
                    self.tls.write(data)
                    data = self.to_wire.read()
            self.raw.sendall(data)
        except (OSError, ssl.SSLError):
            pass

    def notify(self) -> None:
        """Says close_notify."""
        assert self.tls is not None
        with self.lock:
            try:
                self.tls.unwrap()
            except (ssl.SSLWantReadError, ssl.SSLError):
                pass
            data = self.to_wire.read()
        self.raw.sendall(data)

    def end(self, how: str) -> None:
        try:
            if how in ("notify", "fin", "close") and self.tls is not None and self.reading:
                self.notify()
            if how == "fin":
                self.raw.shutdown(socket.SHUT_WR)
            if how == "reset":
                self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            if how in ("close", "reset"):
                self.shut()
        except OSError:
            pass

    def shut(self) -> None:
        """Ends the reader first: a socket somebody reads from is not really closed."""
        if self.thread is not None:
            self.wake.send(b"x")
            self.thread.join()
            self.thread = None
        for s in (self.raw, self.wake, self.woken):
            s.close()

    def wait(self, done, seconds: float) -> bool:
        """Whether `done(self)` became true."""
        with self.changed:
            return bool(self.changed.wait_for(lambda: done(self), seconds))


def _fail(why: str) -> bytes:
    raise ConnectionError(why)


def answers(data: bytes, methods: list[str], ended: bool) -> list[Answer]:
    """What the bytes say, as far as it goes; the last one may not be whole.  `ended`: properly, so
    that an answer which lasts until then is complete."""
    out: list[Answer] = []
    methods = list(methods)
    while data:
        head, blank, rest = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        m = re.match(rb"HTTP/1\.[01] (\d{3})(?: |$)", lines[0])
        if not blank or m is None:
            out.append(Answer(0, [], data, False, lines[0]))
            break
        pairs = (x.decode("latin-1").partition(":") for x in lines[1:])
        fields = [(name, value.strip()) for name, _, value in pairs]
        a = Answer(int(m[1]), fields, line=lines[0])
        out.append(a)
        if a.status < 200:
            a.whole, data = True, rest
            continue
        method = methods.pop(0) if methods else "GET"
        data = _body(a, method, rest, ended)
        if not a.whole:
            break
    return out


def _body(a: Answer, method: str, data: bytes, ended: bool) -> bytes:
    """Takes the body; returns what is behind it."""
    if method == "HEAD" or a.status in (204, 304):
        a.whole = True
        return data
    if a.all("Transfer-Encoding"):
        return _chunks(a, data)
    if lengths := a.all("Content-Length"):
        n = int(lengths[0])
        a.body, a.whole = data[:n], len(data) >= n
        return data[n:]
    a.body, a.whole = data, ended
    return b""


def _chunks(a: Answer, data: bytes) -> bytes:
    while True:
        size, found, rest = data.partition(b"\r\n")
        if not found:
            return data
        n = int(size.split(b";")[0], 16)
        if n == 0:
            end = rest.find(b"\r\n") if rest.startswith(b"\r\n") else rest.find(b"\r\n\r\n")
            a.whole = end >= 0
            return rest[end + (2 if rest.startswith(b"\r\n") else 4) :] if a.whole else b""
        if len(rest) < n + 2:
            a.body += rest[:n]
            return b""
        a.body += rest[:n]
        data = rest[n + 2 :]


def moment() -> None:
    """Long enough for a peer on loopback to have read what was sent, in almost all runs."""
    time.sleep(0.03)
