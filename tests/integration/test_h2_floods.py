# SPDX-License-Identifier: Apache-2.0
"""Known floods over HTTP/2 are cut and counted, and others are served meanwhile."""
import struct
from typing import Callable, Iterator

import pytest

from harness import World, open_world, until
from sim import wire
from sim.h2wire import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, PROTOCOL_ERROR, H2, fields_of
from sim.rawserver import Hang, RawServer

VERSIONS = "/_matrix/client/versions"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_HEADERS, END_STREAM = 4, 1
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.raw = RawServer(lambda r: Hang(b"") if b"hang" in r.line else OK)
        w.main_service["homeserver"] = w.raw.where
        w.config["limits"] = {"h2_resets_max": 50, "h2_frames_max": 200, "h2_streams_max": 30}
        w.config["timeouts"].update(head="1s", write="1s", body="1s")
        w.start()

    with open_world(setup) as w:
        yield w
        w.raw.close()


def dial(w: World, **how) -> H2:
    return H2(w.address, wire.tls_context(w.ca_file), "matrix.alpha.test", **how)


def frame(kind: int, id: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", id) + payload


def resets(c: H2, n: int) -> None:
    for _ in range(n):
        c.cancel(c.begin("GET", VERSIONS + "?hang=1"))


def made_resets(c: H2, n: int) -> None:
    """The server is made to reset: a window that overflows is an error of its stream."""
    for _ in range(n):
        c.send_bytes(frame(WINDOW, c.begin("GET", VERSIONS + "?hang=1"), b"\x7f\xff\xff\xff"))


def empty_data(c: H2, n: int) -> None:
    id = c.begin("POST", "/_matrix/client/v3/x", end=False)
    c.send_bytes(frame(DATA, id) * n)


def padded_data(c: H2, n: int) -> None:
    id = c.begin("POST", "/_matrix/client/v3/x", end=False)
    c.send_bytes(frame(DATA, id, b"\3\0\0\0", 8) * n)


def tiny_windows(c: H2, n: int) -> None:
    id = c.begin("GET", VERSIONS + "?hang=1")
    c.send_bytes(frame(WINDOW, id, struct.pack(">I", 1)) * n)


def continuations(c: H2, n: int) -> None:
    block = c.encode(fields_of("GET", VERSIONS))
    c.send_bytes(frame(HEADERS, 1, block, END_STREAM) + frame(CONTINUATION, 1) * n)


def long_head(c: H2, n: int) -> None:
    """Literals without end."""
    literal = b"\0\x01a\x7f\x80\x7f" + b"b" * 16383
    c.send_bytes(frame(HEADERS, 1, literal[:16000], END_STREAM))
    for _ in range(n):
        c.send_bytes(frame(CONTINUATION, 1, (literal * 2)[:16000]))


def hpack_bomb(c: H2, n: int) -> None:
    """One entry of 4 KB in the table, and a reference of one byte each."""
    entry = b"\x40\x01a\x7f" + b"\xe1\x1d"  # 127 + 97 + 29 * 128 = 3936 bytes
    c.send_bytes(frame(HEADERS, 1, entry + b"b" * 3936 + b"\xbe" * n, END_STREAM | END_HEADERS))


FLOODS: dict[str, tuple[str, Callable[[H2, int], None], int]] = {
    "rapid reset": ("reset", resets, 60),
    "made you reset": ("reset", made_resets, 60),
    "empty CONTINUATION": ("continuation", continuations, 300),
    "a head without end": ("hpack", long_head, 6),
    "HPACK bomb": ("hpack", hpack_bomb, 8000),
    "PING": ("ping", lambda c, n: c.send_bytes(frame(PING, 0, b"12345678") * n), 300),
    "SETTINGS": ("settings", lambda c, n: c.send_bytes(frame(SETTINGS, 0) * n), 300),
    "PRIORITY": ("priority", lambda c, n: c.send_bytes(frame(PRIORITY, 3, b"\0\0\0\0\1") * n), 300),
    "empty DATA": ("empty", empty_data, 300),
    "DATA of padding": ("empty", padded_data, 300),
    "WINDOW_UPDATE": ("window", tiny_windows, 300),
    "unknown frames": ("unknown", lambda c, n: c.send_bytes(frame(0xFA, 0, b"x") * n), 300),
}


@pytest.mark.parametrize("name", list(FLOODS))
def test_a_flood_is_cut_and_counted(world: World, name: str) -> None:
    kind, flood, n = FLOODS[name]
    count = lambda: world.daemon.metric("schleuse_h2_floods_total", kind=kind)  # noqa: E731
    before = count()
    with dial(world) as c, dial(world) as other:
        try:
            flood(c, n)
        except OSError:
            pass  # cut while we were sending
        assert c.ended() == [ENHANCE_YOUR_CALM]
        assert count() == before + 1
        assert other.ask("GET", VERSIONS).status == 200


@pytest.mark.parametrize("name", ["PING", "SETTINGS", "PRIORITY", "empty DATA", "rapid reset", "WINDOW_UPDATE"])
def test_a_few_are_no_flood(world: World, name: str) -> None:
    _, few, _ = FLOODS[name]
    with dial(world) as c:
        few(c, 40)
        assert c.ask("GET", VERSIONS).status == 200
        assert not c.goaways


def test_what_is_cancelled_does_not_stay(world: World) -> None:
    """However many streams come and go, the homeserver keeps no request of a cut connection."""
    world.raw.forget()
    with dial(world) as c:
        resets(c, 60)
        c.ended()
    for r in world.raw.requests:
        assert r.gone.wait(15)


def test_streams_beyond_the_limit(world: World) -> None:
    """Refused while the client may not know the limit yet; an error once it has acknowledged it."""
    with dial(world) as c:
        assert c.settle().settings[3] == 30
        c.ask("GET", VERSIONS)
        for _ in range(31):
            c.begin("GET", VERSIONS + "?hang=1")
        assert c.ended() == [PROTOCOL_ERROR]
    refused = world.daemon.metric("schleuse_h2_streams_refused_total")
    with dial(world) as c:
        last = [c.begin("GET", VERSIONS + "?hang=1") for _ in range(31)][-1]
        assert c.read(last).reset == 7
        assert not c.goaways
    assert world.daemon.metric("schleuse_h2_streams_refused_total") == refused + 1


def test_a_window_that_overflows(world: World) -> None:
    with dial(world) as c:
        c.send_bytes(frame(WINDOW, 0, b"\x7f\xff\xff\xff"))
        assert c.ended() == [FLOW_CONTROL_ERROR]


def test_a_closed_window_does_not_hold_an_answer(world: World) -> None:
    """The stream is reset after timeouts.write; the connection goes on."""
    count = lambda: world.daemon.metric("schleuse_h2_floods_total", kind="stalled")  # noqa: E731
    before = count()
    with dial(world, settings={4: 0}) as c:
        s = c.read(c.begin("GET", VERSIONS))
        assert s.status == 200 and s.reset == ENHANCE_YOUR_CALM and not s.body
        id = c.begin("GET", VERSIONS)
        c.grant(10, id)
        assert bytes(c.read(id).body) == b"ok"
    assert count() == before + 1


def test_a_slow_head_is_cut(world: World) -> None:
    slow = world.daemon.metric("schleuse_heads_slow_total")
    block = b"\x82\x84\x87"
    for part in (frame(HEADERS, 1, block, END_STREAM), frame(HEADERS, 1, block, END_HEADERS)[:-1]):
        with dial(world) as c:
            c.settle().send_bytes(part)
            assert c.ended() == [ENHANCE_YOUR_CALM]
    assert world.daemon.metric("schleuse_heads_slow_total") == slow + 2


def test_a_slow_body_is_answered(world: World) -> None:
    """408 on its stream, not the end of the others."""
    with dial(world) as c:
        id = c.begin("POST", "/_matrix/client/v3/x", end=False)
        c.data(id, b"x", end=False)
        assert c.read(id).status == 408
        assert c.ask("GET", VERSIONS).status == 200


def test_answers_nobody_reads_end_the_connection(world: World) -> None:
    """The client stops reading altogether: timeouts.write, and nothing is left of it."""
    closed = world.daemon.metric("schleuse_connections_closed_total")
    world.raw.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + bytes(20_000_000)
    try:
        with dial(world, receive_buffer=4096) as c:
            c.begin("GET", VERSIONS)
            until("the end of the connection",
                  lambda: world.daemon.metric("schleuse_connections_closed_total") > closed)
    finally:
        world.raw.answer = lambda r: Hang(b"") if b"hang" in r.line else OK
