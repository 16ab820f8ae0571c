# SPDX-License-Identifier: Apache-2.0
"""Slow attackers are cut, slow honest clients are not (ML-123621-2)."""
import socket
import threading
import time
from contextlib import ExitStack
from typing import Iterator

import pytest
from aiohttp import web

from harness import PKI, World, open_world, until
from sim import wire
from sim.h2wire import H2

HOST = ("Host", "matrix.alpha.test")
PATH = "/_matrix/client/versions"
UPLOAD = "/_matrix/media/v3/upload"
WINDOW = 1.0  # seconds; timeouts.rate_window
RATE = 2000  # bytes a second; limits.body_rate_min
READ_RATE = 50000  # limits.write_rate_min
MUCH = 8 << 20  # more than sockets hold


class Stalled(threading.Thread):
    """A homeserver that reads a head, rests, reads the body, and answers."""

    def __init__(self, length: int, rest: float) -> None:
        super().__init__(daemon=True)
        self.length, self.rest = length, rest
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.where = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        conn, _ = self.listener.accept()
        held = b""
        while b"\r\n\r\n" not in held:
            held += conn.recv(1024)
        time.sleep(self.rest)
        got = len(held.partition(b"\r\n\r\n")[2])
        while got < self.length:
            got += len(conn.recv(1 << 20))
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        conn.close()


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.config["timeouts"].update(head="1s", body="5s", write="5s", rate_window=f"{WINDOW:.0f}s")
        w.config["limits"] = {
            "body_rate_min": str(RATE),
            "write_rate_min": str(READ_RATE),
            "connections_per_address": 0,
        }
        stalled = Stalled(MUCH, 3 * WINDOW)
        w.config["services"].append(
            w.service("bravo.test", stalled.where, PKI.web.server("matrix.bravo.test", "bravo.test"))
        )
        w.start()

    with open_world(setup) as w:
        yield w


def ended(w: World, reason: str) -> float:
    return w.daemon.metric("schleuse_exchanges_ended_total", reason=reason)


def trickle(c: wire.Connection, piece: bytes, every: float, seconds: float) -> bool:
    """Sends pieces until the time is over; False: the proxy had enough before."""
    end = time.monotonic() + seconds
    c.sock.settimeout(every)
    while time.monotonic() < end:
        try:
            c.send(piece)
            if not c.held:
                c._more()
            return False
        except TimeoutError:
            continue
        except OSError:
            return False
    c.sock.settimeout(wire.TIMEOUT)
    return True


def answer(c: wire.Connection) -> int:
    c.sock.settimeout(wire.TIMEOUT)
    return c.read().status


def begin_upload(w: World, length: int, host: str = "matrix.alpha.test") -> wire.Connection:
    c = w.connect(host)
    head = [("Host", host), ("Authorization", f"Bearer {w.token}"), ("Content-Length", str(length))]
    c.send(wire.request("POST", UPLOAD, head))
    return c


def test_a_head_that_trickles_is_408(world: World) -> None:
    """The time counts for the whole head, however lively it arrives."""
    with world.connect() as c:
        assert not trickle(c, b"G", 0.1, 15)
        assert answer(c) == 408
        assert c.ended()
    assert ended(world, "slow_head") >= 1


def test_a_body_that_trickles_is_408(world: World) -> None:
    before = ended(world, "body_rate")
    with begin_upload(world, 100000) as c:
        assert not trickle(c, b"x", 0.1, 30)
        assert answer(c) == 408
    assert ended(world, "body_rate") == before + 1


def test_a_body_that_is_judged_must_not_trickle_either(world: World) -> None:
    before = ended(world, "body_rate")
    with world.connect() as c:
        head = [HOST, ("Authorization", f"Bearer {world.token}"), ("Content-Length", "50000")]
        c.send(wire.request("POST", "/_matrix/client/v3/createRoom", head))
        assert not trickle(c, b" ", 0.1, 30)
        assert answer(c) == 408
    assert ended(world, "body_rate") == before + 1
    world.not_forwarded("createRoom")


def test_a_slow_but_steady_body_arrives(world: World) -> None:
    with begin_upload(world, 20000) as c:
        for _ in range(40):  # 5000 bytes a second, for four windows
            c.send(b"x" * 500)
            time.sleep(0.1)
        assert answer(c) == 200


def test_a_body_may_rest_for_a_moment(world: World) -> None:
    with begin_upload(world, 4000) as c:
        c.send(b"x" * 2000)
        time.sleep(0.6 * WINDOW)
        c.send(b"x" * 2000)
        assert answer(c) == 200


def test_a_client_held_up_by_the_homeserver_is_not_slow(world: World) -> None:
    """Our own back-pressure: it could not send faster."""
    with begin_upload(world, MUCH, "bravo.test") as c:
        c.send(b"x" * MUCH)
        assert answer(c) == 200


def dial(w: World, **how) -> H2:
    """Over HTTP/2, where each stream is judged for itself."""
    tls = wire.tls_context(PKI.web_root.pem)
    return H2(w.address, tls, "matrix.alpha.test", **how)


def begin_stream(w: World, c: H2) -> int:
    return c.begin("POST", UPLOAD, ("authorization", f"Bearer {w.token}"), end=False)


def test_the_body_of_a_stream_must_not_trickle(world: World) -> None:
    before = ended(world, "body_rate")
    with dial(world) as c:
        id = begin_stream(world, c)

        def cut() -> bool:
            c.data(id, b"x", end=False)
            time.sleep(0.1)
            return ended(world, "body_rate") > before

        until("it is answered", cut)
        assert c.read(id).status == 408
        assert c.ask("GET", PATH).status == 200, "the other streams go on"


def test_the_body_of_a_stream_may_be_slow_but_steady(world: World) -> None:
    with dial(world) as c:
        id = begin_stream(world, c)
        for _ in range(30):  # 5000 bytes a second, for three windows
            c.data(id, b"x" * 500, end=False)
            time.sleep(0.1)
        c.data(id, b"", end=True)
        assert c.read(id).status == 200


def test_a_long_poll_is_not_slow(world: World) -> None:
    assert world.client("GET", "/_matrix/client/v3/sync?timeout=3000").status == 200


@pytest.fixture
def much(world: World) -> Iterator[World]:
    async def body(seen, request):
        return web.Response(body=b"y" * MUCH) if "download" in seen.target else None

    world.homeserver.script = body
    yield world
    world.homeserver.script = None


def begin_download(w: World) -> wire.Connection:
    c = w.connect(receive=8192)
    c.send(wire.request("GET", "/_matrix/media/v3/download/a/b", [HOST]))
    return c


def test_a_reader_that_trickles_is_cut(much: World) -> None:
    before = ended(much, "client_rate")
    with begin_download(much) as c:

        def cut() -> bool:
            try:
                c.raw.recv(1)
            except OSError:
                pass
            time.sleep(0.1)
            return ended(much, "client_rate") > before

        until("it is cut", cut, 30)


def test_a_window_that_trickles_cuts_the_stream(much: World) -> None:
    before = ended(much, "client_rate")
    with dial(much, settings={4: 0}) as c:
        id = c.begin("GET", "/_matrix/media/v3/download/a/b")

        def cut() -> bool:
            c.grant(1, id)
            time.sleep(0.1)
            return ended(much, "client_rate") > before

        until("it is cut", cut)
        s = c.read(id)
        assert s.reset is not None and len(s.body) < 1000
        other = c.begin("GET", PATH)
        c.grant(65536, other)
        assert c.read(other).status == 200


def test_a_connection_of_streams_that_trickles_is_cut(much: World) -> None:
    before = ended(much, "client_rate")
    with dial(much, receive_buffer=4096) as c:
        c.begin("GET", "/_matrix/media/v3/download/a/b")

        def cut() -> bool:
            try:
                c.raw.recv(1)
            except OSError:
                pass
            time.sleep(0.1)
            return ended(much, "client_rate") > before

        until("it is cut", cut, 30)


def test_a_slow_but_steady_reader_gets_all(much: World) -> None:
    with begin_download(much) as c:
        head = c.read_head()
        assert head.status == 200
        got = len(c.held)
        for _ in range(40):  # 150000 bytes a second, for four windows
            got += len(c.sock.recv(15000))
            time.sleep(0.1)
        while got < MUCH:
            piece = c.sock.recv(1 << 20)
            assert piece, "cut"
            got += len(piece)


def test_a_reader_that_stops_is_cut(much: World) -> None:
    before = ended(much, "client_rate") + ended(much, "client_slow")
    with begin_download(much):
        until(
            "it is cut",
            lambda: ended(much, "client_rate") + ended(much, "client_slow") > before,
            30,
        )


def test_two_hundred_slow_heads_disturb_nobody(world: World) -> None:
    before = world.daemon.metric("schleuse_heads_slow_total")
    with ExitStack() as stack:
        attackers = [
            stack.enter_context(world.connect(source="127.0.0.2", timeout=60)) for _ in range(200)
        ]
        for c in attackers:
            c.send(b"GET /_matrix/client/versions HTTP/1.1\r\nHost: matr")
        for _ in range(20):
            assert world.client("GET", PATH).status == 200
        until(
            "all of them were cut",
            lambda: world.daemon.metric("schleuse_heads_slow_total") >= before + 200,
        )
    assert world.client("GET", PATH).status == 200

