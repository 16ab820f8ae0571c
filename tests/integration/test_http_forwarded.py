# SPDX-License-Identifier: Apache-2.0
"""What reaches the homeserver, and what comes back, byte for byte (FD-5.2.1.2-5)."""
from typing import Iterator

import pytest

from harness import World, open_world
from sim.rawserver import OK, RawServer
from sim.wire import chunked, request

HOST = ("Host", "matrix.alpha.test")
PATH = "/_matrix/client/v3/x"


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.raw = RawServer()
        w.main_service["homeserver"] = w.raw.where
        w.start()

    with open_world(setup) as w:
        yield w
        w.raw.close()


@pytest.fixture
def raw(world: World) -> RawServer:
    world.raw.forget()
    world.raw.answer = OK
    return world.raw


def ask(world: World, *fields: tuple[str, str], method="POST", target=PATH, body=b"{}"):
    with world.connect() as c:
        return c.ask(method, target, [HOST, *fields], body)


@pytest.mark.parametrize(
    "target",
    [
        "/_matrix/client/v3/rooms/%21r%3Aalpha.test/messages?from=a%2Fb&x=1+2&&y",
        "/_matrix/client/v3/rooms/!r:alpha.test/messages?",
        "/_matrix/client/v3/profile/@anna:alpha.test",
        "/_matrix/client/v3/directory/room/%23a%2Fb%3Aalpha.test",
        "/_matrix/client/v3/x?q=%zz%c3%a4%00'()*;,~",
    ],
)
def test_targets_go_on_unchanged(world: World, raw: RawServer, target: str) -> None:
    assert ask(world, method="GET", target=target, body=None).status == 200
    assert raw.last.line.decode() == f"GET {target} HTTP/1.1"


def test_fields_go_on_in_order(world: World, raw: RawServer) -> None:
    fields = [("X-a", "1"), ("x-B", "two  blanks"), ("Cookie", "c=\"d\""), ("X-a", "\u00e4"), ("Empty", "")]
    ask(world, *fields)
    got = [f for f in raw.last.fields if f[0] in {n for n, _ in fields}]
    assert got == fields
    assert raw.last.get("Host") == HOST[1]


def test_hop_by_hop_fields_stop_here(world: World, raw: RawServer) -> None:
    ask(
        world,
        ("Connection", "X-Private, keep-alive, upgrade"),
        ("X-Private", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
        ("TE", "trailers"),
        ("Proxy-Connection", "keep-alive"),
        ("Proxy-Authorization", "Bearer secret"),
        ("X-Kept", "1"),
    )
    names = {n.lower() for n, _ in raw.last.fields}
    assert "x-kept" in names
    assert not names & {
        "x-private", "keep-alive", "upgrade", "te", "proxy-connection", "proxy-authorization"
    }  # fmt: skip


def test_forwarding_fields_are_ours(world: World, raw: RawServer) -> None:
    """Claims of the outside about addresses do not reach the homeserver."""
    names = ("For", "Proto", "Host", "Port", "Server", "Scheme")
    ask(
        world,
        *((f"X-Forwarded-{n}", "evil") for n in names),
        ("x-forwarded-for", "198.51.100.7"),
        ("Forwarded", "for=evil"),
        ("X-Real-IP", "198.51.100.7"),
    )
    r = raw.last
    assert r.get("X-Forwarded-For") == "127.0.0.1"
    assert r.get("X-Forwarded-Proto") == "https"
    assert r.get("X-Forwarded-Host") in (None, HOST[1])
    assert r.get("Forwarded") is None
    text = r.head.decode().lower()
    assert "evil" not in text and "198.51.100.7" not in text


def test_absolute_form_of_our_host_becomes_origin_form(world: World, raw: RawServer) -> None:
    assert ask(world, method="GET", target=f"https://{HOST[1]}{PATH}?a", body=None).status == 200
    assert raw.last.line == b"GET /_matrix/client/v3/x?a HTTP/1.1"


def test_bodies_arrive_whole(world: World, raw: RawServer) -> None:
    body = bytes(range(256)) * 1000
    ask(world, ("Content-Type", "application/octet-stream"), body=body)
    assert raw.last.content == body
    raw.forget()
    ask(world, ("Transfer-Encoding", "chunked"), body=chunked(body[:1], body[1:70000], body[70000:]))
    assert raw.last.content == body


def test_request_trailers_do_not_become_fields(world: World, raw: RawServer) -> None:
    body = chunked(b"{}", trailer=b"X-Forwarded-For: 1.2.3.4\r\nAuthorization: Bearer x\r\n")
    assert ask(world, ("Transfer-Encoding", "chunked"), body=body).status == 200
    assert raw.last.get("Authorization") is None
    assert b"1.2.3.4" not in raw.last.head + raw.last.body


def test_keep_alive_and_pipelining(world: World, raw: RawServer) -> None:
    raw.answer = lambda r: _json(r.target.encode())
    targets = [f"{PATH}{i}" for i in range(20)]
    with world.connect() as c:
        c.send(b"".join(request("GET", t, [HOST]) for t in targets))
        assert [c.read().body.decode() for _ in targets] == targets
        c.send(request("POST", PATH, [HOST], b"{}") + request("GET", PATH + "z", [HOST]))
        assert [c.read().body for _ in range(2)] == [PATH.encode(), PATH.encode() + b"z"]


def test_upstream_connections_are_reused(world: World, raw: RawServer) -> None:
    before = raw.connections
    with world.connect() as c:
        for _ in range(20):
            c.ask("GET", PATH, [HOST])
    assert raw.connections - before <= 1


def test_expect_continue(world: World, raw: RawServer) -> None:
    with world.connect() as c:
        c.send(request("PUT", PATH, [HOST, ("Expect", "100-continue"), ("Content-Length", "2")]))
        assert c.read_head().status == 100
        c.send(b"{}")
        assert c.read().status == 200
    assert raw.last.content == b"{}"


def test_expect_continue_refused_without_the_body(world: World, raw: RawServer) -> None:
    with world.connect() as c:
        c.send(
            request(
                "POST", "/_synapse/admin/v1/register", [HOST, ("Expect", "100-continue"), ("Content-Length", "2")]
            )
        )
        assert c.read_head().status == 403
    assert not raw.requests


def test_http_1_0_gets_no_chunks_and_a_close(world: World, raw: RawServer) -> None:
    raw.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"ab", b"c")
    with world.connect() as c:
        c.send(f"GET {PATH} HTTP/1.0\r\nHost: {HOST[1]}\r\n\r\n".encode())
        a = c.read()
        assert (a.body, a.get("Transfer-Encoding")) == (b"abc", None)
        assert c.ended()
    assert raw.last.line.endswith(b"HTTP/1.1")


def test_connection_close_is_obeyed(world: World, raw: RawServer) -> None:
    with world.connect() as c:
        a = c.ask("GET", PATH, [HOST, ("Connection", "close")])
        assert a.status == 200 and c.ended()


def _json(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


