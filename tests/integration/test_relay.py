# SPDX-License-Identifier: Apache-2.0
"""Bodies stream: little is held while one side is slow, and nothing waits for what follows (FD-5.2.1.2-5)."""
import hashlib
import os
import socket
import threading
from typing import Callable, Iterator

import pytest

from harness import World, open_world, until
from sim.rawserver import OK, RawServer
from sim.wire import Connection, request

HOST = ("Host", "matrix.alpha.test")
PATH = "/_matrix/client/v3/x"
BULK = 100 << 20
PIECE = os.urandom(1 << 20)
HELD_MAX = 256 << 10  # limits.relay_buffer


class Peer:
    """The homeserver as one bare socket, which a test speaks for itself."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.where = f"127.0.0.1:{self.port}"

    def accept(self) -> socket.socket:
        self.listener.settimeout(15)
        conn = self.listener.accept()[0]
        conn.settimeout(15)
        return conn

    def head(self, conn: socket.socket) -> bytes:
        """The head of a request and what came with it."""
        held = b""
        while b"\r\n\r\n" not in held:
            held += conn.recv(4096)
        return held


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.config["workers"] = 1
        w.peer_server = Peer()
        w.main_service["homeserver"] = w.peer_server.where
        w.config["limits"] = {"upstream_idle_max": 0}  # each test has its own connection
        w.start()

    with open_world(setup) as w:
        yield w
        w.peer_server.listener.close()


@pytest.fixture
def peer(world: World) -> Peer:
    return world.peer_server


def queued(port: int) -> int:
    """Bytes in the kernel's queues of all connections from or to a port."""
    total = 0
    with open("/proc/net/tcp") as f:
        for line in list(f)[1:]:
            cells = line.split()
            ports = [int(a.rpartition(":")[2], 16) for a in cells[1:3]]
            if port in ports and cells[3] != "0A":
                total += sum(int(n, 16) for n in cells[4].split(":"))
    return total


class Pusher(threading.Thread):
    """Pushes BULK bytes into a socket as fast as it takes them."""

    def __init__(self, send: Callable[[bytes], object]) -> None:
        super().__init__(daemon=True)
        self.pushed = 0
        self._send = send
        self.start()

    def run(self) -> None:
        while self.pushed < BULK:
            for at in range(0, len(PIECE), 1 << 14):
                self._send(PIECE[at : at + (1 << 14)])
                self.pushed += 1 << 14

    def stalled(self) -> int:
        """What it has pushed when nobody takes any more."""
        seen, still = -1, 0

        def quiet() -> bool:
            nonlocal seen, still
            still = still + 1 if self.pushed == seen else 0
            seen = self.pushed
            return still == 15

        until("the push to stall", quiet)
        return seen


def digest(recv: Callable[[int], bytes], held: bytes, n: int) -> str:
    """Of the next n bytes."""
    h, left = hashlib.sha256(held), n - len(held)
    while left > 0:
        piece = recv(min(left, 1 << 18))
        assert piece, f"{left} bytes are missing"
        h.update(piece)
        left -= len(piece)
    return h.hexdigest()


EXPECTED = hashlib.sha256(PIECE * (BULK // len(PIECE))).hexdigest()


def narrow(world: World) -> Connection:
    """A client with a small receive buffer."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    raw.settimeout(15)
    raw.connect(world.address)
    c = Connection.__new__(Connection)
    c.raw = raw
    c.sock = world.tls.wrap_socket(raw, server_hostname=HOST[1])
    c.held = b""
    return c


def test_a_slow_reader_slows_the_homeserver(world: World, peer: Peer) -> None:
    with narrow(world) as c:
        c.send(request("GET", PATH, [HOST]))
        conn = peer.accept()
        peer.head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BULK)
        push = Pusher(conn.sendall)
        pushed = push.stalled()
        held = pushed - queued(peer.port) - queued(c.sock.getsockname()[1])
        assert pushed < BULK and held <= HELD_MAX, f"{held} bytes held of {pushed}"
        c.read_head()
        assert digest(c.sock.recv, c.held, BULK) == EXPECTED
    conn.close()


def test_a_slow_homeserver_slows_the_upload(world: World, peer: Peer) -> None:
    with world.connect() as c:
        c.send(request("POST", PATH, [HOST, ("Content-Length", str(BULK))]))
        conn = peer.accept()
        push = Pusher(c.send)
        pushed = push.stalled()
        held = pushed - queued(peer.port) - queued(c.sock.getsockname()[1])
        assert pushed < BULK and held <= HELD_MAX, f"{held} bytes held of {pushed}"
        body = peer.head(conn).partition(b"\r\n\r\n")[2]
        assert digest(conn.recv, body, BULK) == EXPECTED
        conn.sendall(OK)
        assert c.read("POST").status == 200
    conn.close()


@pytest.mark.parametrize("framing", ["Transfer-Encoding: chunked", "Content-Length: 6"])
def test_the_first_bytes_of_an_answer_do_not_wait_for_the_next(world: World, peer: Peer, framing: str) -> None:
    chunked = "chunked" in framing
    with world.connect() as c:
        c.send(request("GET", PATH, [HOST]))
        conn = peer.accept()
        peer.head(conn)
        conn.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        assert c.read_head().status == 200
        for piece in (b"one", b"two"):
            conn.sendall(b"3\r\n%s\r\n" % piece if chunked else piece)
            got = c._until(b"\r\n") + b"\r\n" + c._exactly(5) if chunked else c._exactly(3)
            assert got == (b"3\r\n%s\r\n" % piece if chunked else piece)
        if chunked:
            conn.sendall(b"0\r\n\r\n")
            assert c._exactly(5) == b"0\r\n\r\n"
    conn.close()


def test_an_interim_answer_does_not_wait_for_the_final_one(world: World, peer: Peer) -> None:
    with world.connect() as c:
        c.send(request("GET", PATH, [HOST]))
        conn = peer.accept()
        peer.head(conn)
        conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        a = c.read_head()
        assert (a.status, a.get("Link")) == (103, "</x>")
        conn.sendall(OK)
        assert c.read().body == b"{}"
    conn.close()


def test_an_early_answer_overtakes_the_upload(world: World, peer: Peer) -> None:
    """The homeserver refuses a body of which it has read nothing; the client need not send the rest."""
    with world.connect() as c:
        c.send(request("POST", PATH, [HOST, ("Content-Length", str(BULK))]) + PIECE[:1000])
        conn = peer.accept()
        peer.head(conn)
        conn.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        a = c.read("POST")
        assert (a.status, a.body, a.get("Connection")) == (413, b"{}", "close")
        assert c.ended()
    conn.close()


def test_an_upload_goes_on_behind_an_early_head(world: World, peer: Peer) -> None:
    with world.connect() as c:
        c.send(request("POST", PATH, [HOST, ("Content-Length", "6")]) + b"abc")
        conn = peer.accept()
        got = peer.head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        assert c.read_head().status == 200
        c.send(b"def")
        while not got.endswith(b"abcdef"):
            got += conn.recv(100)
        conn.sendall(b"{}")
        assert c._exactly(2) == b"{}"
    conn.close()


# --- homeservers that lie about lengths ---


@pytest.fixture
def raw(make_world) -> Iterator[tuple[World, RawServer]]:
    w = make_world()
    w.config["workers"] = 1
    with RawServer() as server:
        w.main_service["homeserver"] = server.where
        w.start()
        yield w, server
        w.daemon.stop()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nevil",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil",
    ],
)
def test_what_is_behind_an_answer_reaches_nobody(raw: tuple[World, RawServer], answer: bytes) -> None:
    w, server = raw
    server.answer = answer
    for n in range(1, 4):
        with w.connect() as c:
            a = c.ask("GET", PATH, [HOST])
            assert a.body in (b"{}", b"") and c.held == b""
        assert server.connections == n, "the connection is out of step"


def test_bytes_that_come_late_end_an_idle_connection(raw: tuple[World, RawServer]) -> None:
    w, server = raw
    with w.connect() as c:
        c.ask("GET", PATH, [HOST])
        until("an idle connection", lambda: w.daemon.metric("schleuse_upstream_connections", state="idle") == 1)
        server.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        until("it to be dropped", lambda: w.daemon.metric("schleuse_upstream_connections", state="idle") == 0)
        assert c.ask("GET", PATH, [HOST]).body == b"{}"


def test_an_answer_without_its_end_leaves_no_connection(raw: tuple[World, RawServer]) -> None:
    """It says 10 bytes and sends 3, and waits."""
    w, server = raw
    server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    with w.connect() as c:
        c.send(request("GET", PATH, [HOST]))
        c.read_head()
        assert c._exactly(3) == b"abc"
    until("its end", lambda: w.daemon.metric("schleuse_upstream_connections") == 0)
