# SPDX-License-Identifier: Apache-2.0
"""Back-pressure over HTTP/2, in both directions and per stream."""
import socket
import threading
from pathlib import Path
from typing import Iterator

import pytest

from harness import World, until
from sim import wire
from sim.h2wire import H2

DOWNLOAD = "/_matrix/client/v1/media/download/alpha.test/big"
UPLOAD = "/_matrix/media/v3/upload"
VERSIONS = "/_matrix/client/versions"
BIG = 100_000_000
HELD_MAX = 12_000_000  # what sockets and proxy may hold of it together


class Slow:
    """A homeserver that sends a large body as fast as it is taken, and reads one when told to."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        self.where = f"unix:{path}"
        self.sent = self.received = 0
        self.may_read = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: socket.socket) -> None:
        try:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = conn.recv(1024)
                    if not piece:
                        return
                    head += piece
                head, _, body = head.partition(b"\r\n\r\n")
                if head.startswith(b"POST"):
                    self._take(conn, head, len(body))
                elif b"/big" in head:
                    self._give(conn)
                else:
                    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except OSError:
            pass
        finally:
            conn.close()

    def _give(self, conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        piece = bytes(range(256)) * 256
        left = BIG
        while left > 0:
            n = conn.send(piece[: min(left, len(piece))])
            piece = piece[n:] + piece[:n]
            left -= n
            self.sent += n

    def _take(self, conn: socket.socket, head: bytes, got: int) -> None:
        fields = dict(f.lower().split(b": ", 1) for f in head.split(b"\r\n")[1:])
        length = int(fields[b"content-length"])
        self.received = got
        self.may_read.wait(30)
        while self.received < length:
            piece = conn.recv(65536)
            if not piece:
                return
            self.received += len(piece)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def slow_world(make_world) -> Iterator[World]:
    w = make_world()
    w.slow = Slow(w.folder / "slow.sock")
    w.main_service["homeserver"] = w.slow.where
    w.start()
    yield w
    w.slow.listener.close()


def dial(w: World, **how) -> H2:
    return H2(w.address, wire.tls_context(w.ca_file), "matrix.alpha.test", **how)


def test_a_slow_reader_holds_little(slow_world: World) -> None:
    """100 MB to a client whose socket takes nothing: they stay at the homeserver."""
    w = slow_world
    with dial(w, receive_buffer=8192) as c:
        id = c.begin("GET", DOWNLOAD)
        last = [-1]

        def rests() -> bool:
            before, last[0] = last[0], w.slow.sent
            with dial(w) as other:
                return other.ask("GET", VERSIONS).status == 200 and 0 < before == last[0]

        until("the homeserver to be held back", rests)
        assert w.slow.sent < HELD_MAX
        s = c.read(id)
        assert len(s.body) == BIG
        assert s.body[:65536] * 2 == s.body[BIG // 65536 // 2 * 65536 :][:131072]


def test_a_closed_stream_window_holds_that_stream_only(slow_world: World) -> None:
    w = slow_world
    with dial(w, window=65535) as c:
        c.grant(1 << 30, 0)
        id = c.begin("GET", DOWNLOAD)
        c.until(lambda: len(c.streams[id].body) == 65535)
        for _ in range(20):
            assert bytes(c.ask("GET", VERSIONS).body) == b"ok"
        assert w.slow.sent < HELD_MAX and len(c.streams[id].body) == 65535
        c.grant(1 << 30, id)
        assert len(c.read(id).body) == BIG


def test_an_upload_waits_for_the_homeserver(slow_world: World) -> None:
    """Windows open as the homeserver takes the bytes; others of the connection go on."""
    w = slow_world
    with dial(w) as c:
        c.settle()
        length = ("content-length", "20000000")
        id = c.begin("POST", UPLOAD, length, end=False)
        sent = 0
        while True:
            c.begin("GET", VERSIONS)
            c.read(c.next - 2)
            room = min(65535 + c.windows.get(0, 0), 65536 + c.windows.get(id, 0)) - sent
            if room == 0:
                break
            while room > 0:
                n = min(room, 16384)
                c.data(id, bytes(n), end=False)
                sent, room = sent + n, room - n
        assert 65536 <= sent < 2_000_000
        w.slow.may_read.set()
        while sent < 20_000_000:
            room = min(65535 + c.windows.get(0, 0), 65536 + c.windows.get(id, 0), 20_000_000) - sent
            if room <= 0:
                c.read_frame()
                continue
            n = min(room, 16384)
            sent += n
            c.data(id, bytes(n), end=sent == 20_000_000)
        assert c.read(id).status == 200
    assert w.slow.received == 20_000_000


def test_a_whole_upload_arrives(make_world) -> None:
    body = bytes(i * 7 & 255 for i in range(65536)) * 300
    w = make_world().start()
    with dial(w) as c:
        c.settle()
        for extra in ([], [("content-length", str(len(body)))]):
            id = c.begin("POST", UPLOAD, ("authorization", f"Bearer {w.token}"), *extra, end=False)
            credit = c.windows.get(0, 0)
            c.windows = {0: credit - (len(body) if extra else 0)}
            c.upload(id, body)
            assert c.read(id).status == 200
    assert all(s.body == body for s in w.homeserver.wait("upload", 2))


def test_unread_bodies_do_not_use_up_the_window(make_world) -> None:
    """Requests refused before their body was read give the connection's window back."""
    w = make_world().start()
    with dial(w) as c:
        c.settle().until(lambda: 0 in c.windows)
        room = 65535 + c.windows[0]
        for _ in range(room // 30000 + 5):
            id = c.begin("POST", "/nowhere", end=False)
            c.data(id, bytes(15000), end=False)
            c.data(id, bytes(15000))
            assert c.read(id).status == 404
        assert c.ask("GET", VERSIONS).status == 200
        assert c.windows[0] > room - 65535
