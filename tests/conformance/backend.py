# SPDX-License-Identifier: Apache-2.0
"""The back end of a case: answers each request as the case says, and keeps what arrived."""
from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass, field

from conformance.cases import Case, Step
from conformance.client import RST, moment

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PROBE = "/_matrix/client/v3/probe"
PROBED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nprobed"


@dataclass
class Arrived:
    """A request as the back end saw it; the body without chunk framing."""

    line: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    whole: bool = False
    gone: bool = False  # the peer left while we hung

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.fields if n.lower() == name.lower()]


class Ended(Exception):
    """The connection is over."""


class Wire:
    """Bytes of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.held = sock, b""

    def more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Ended
        self.held += data

    def until(self, mark: bytes) -> bytes:
        while mark not in self.held:
            self.more()
        out, _, self.held = self.held.partition(mark)
        return out

    def exactly(self, n: int) -> bytes:
        while len(self.held) < n:
            self.more()
        out, self.held = self.held[:n], self.held[n:]
        return out


class Backend:
    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self.listener.getsockname()[1])
        self.changed = threading.Condition()
        self.case: Case | None = None
        self.arrived: list[Arrived] = []
        self.script: list[list[Step]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.close()

    def play(self, case: Case) -> None:
        with self.changed:
            self.case, self.arrived, self.script = case, [], list(case.back)

    def wait(self, done, seconds: float) -> bool:
        with self.changed:
            return bool(self.changed.wait_for(lambda: done(self.arrived), seconds))

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(sock)
        try:
            while self._one(wire):
                pass
        except (Ended, OSError):
            pass
        sock.close()

    def _one(self, wire: Wire) -> bool:
        """One request and its answer; False: we ended the connection."""
        head = wire.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        r = Arrived(head[0], [(n, v.strip()) for n, _, v in (x.partition(":") for x in head[1:])])
        if PROBE in r.line:
            wire.sock.sendall(PROBED)
            return True
        script = self._register(r)
        if script is None:
            _body(wire, r)
            wire.sock.sendall(OK)
            return True
        early = bool(script) and script[0][0] == "early"
        if not early:
            self._read(wire, r)
        going = self._answer(wire, r, script[1:] if early else script)
        if early and going and not r.whole:
            self._read(wire, r)
        return going

    def _register(self, r: Arrived) -> list[Step] | None:
        """Notes an arrival and takes its answer; None for one of an earlier case."""
        with self.changed:
            m = re.search(r"/case(\d+)", r.line)
            if self.case is None or (m and int(m[1]) != self.case.number):
                return None
            self.arrived.append(r)
            self.changed.notify_all()
            return self.script.pop(0) if self.script else [("send", OK)]

    def _read(self, wire: Wire, r: Arrived) -> None:
        try:
            _body(wire, r)
            r.whole = True
        finally:
            with self.changed:
                self.changed.notify_all()

    def _answer(self, wire: Wire, r: Arrived, script: list[Step]) -> bool:
        for word, data in script:
            if word == "send":
                self._put(wire, r, data)
            elif word == "pause":
                moment()
            elif word == "read":
                self._read(wire, r)
            elif word == "hang":
                self._hang(wire, r)
                return False
            elif word == "fin":
                wire.sock.shutdown(socket.SHUT_WR)
            elif word == "reset":
                wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
                return False
            elif word == "close":
                return False
        return True

    def _put(self, wire: Wire, r: Arrived, data: bytes) -> None:
        try:
            wire.sock.sendall(data)
        except OSError:
            self._gone(r)
            raise

    def _gone(self, r: Arrived) -> None:
        with self.changed:
            r.gone = True
            self.changed.notify_all()

    def _hang(self, wire: Wire, r: Arrived) -> None:
        try:
            while True:
                wire.more()
        except (Ended, OSError):
            self._gone(r)


def _body(wire: Wire, r: Arrived) -> None:
    if r.all("Transfer-Encoding"):
        while n := int(wire.until(b"\r\n").split(b";")[0], 16):
            r.body += wire.exactly(n)
            wire.exactly(2)
        while wire.until(b"\r\n"):
            pass
    elif lengths := r.all("Content-Length"):
        r.body = wire.exactly(int(lengths[0]))
