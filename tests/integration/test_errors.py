# SPDX-License-Identifier: Apache-2.0
"""What happens when the homeserver, or the client, lets us down."""
import asyncio
from typing import Iterator

import pytest

from harness import World, open_world, until
from sim.rawserver import OK, Close, Hang, RawServer
from sim.wire import request

HOST = ("Host", "matrix.alpha.test")
PATH = "/_matrix/client/v3/account/whoami"
CORS = "Access-Control-Allow-Origin"


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.config["timeouts"].update(upstream="1s", upstream_connect="1s", upstream_slow="30s")
        w.config["limits"] = {"client_body_max": "1M", "federation_body_max": "64k"}
        w.dead = RawServer()
        bravo = w.add_service("bravo.test")
        bravo.close()
        w._closers.remove(bravo.close)
        w.start()

    with open_world(setup) as w:
        yield w


def test_a_homeserver_that_is_down_is_502(world: World) -> None:
    with world.connect("bravo.test") as c:
        a = c.ask("GET", PATH, {"Host": "bravo.test"})
        assert (a.status, a.errcode, a.get(CORS)) == (502, "M_UNKNOWN", "*")
        assert c.ask("GET", PATH, {"Host": "bravo.test"}).status == 502, "the connection goes on"


@pytest.fixture
def slow(world: World) -> Iterator[World]:
    async def hold(seen, request):
        while not seen.gone.is_set():
            await asyncio.sleep(0.01)

    world.homeserver.script = hold
    yield world
    world.homeserver.script = None


def test_a_homeserver_that_is_too_slow_is_504(slow: World) -> None:
    a = slow.client("GET", PATH)
    assert (a.status, a.errcode, a.get(CORS)) == (504, "M_UNKNOWN", "*")
    assert slow.homeserver.wait()[0].gone.wait(10), "the upstream request must end too"


def test_a_long_poll_may_take_longer(world: World) -> None:
    a = world.client("GET", "/_matrix/client/v3/sync?timeout=1500")
    assert a.status == 200


def test_a_client_that_leaves_ends_the_upstream_request(slow: World) -> None:
    for leave in ("close", "reset"):
        slow.homeserver.forget()
        c = slow.connect()
        c.send(request("GET", "/_matrix/client/v3/sync?timeout=30000", [HOST]))
        seen = slow.homeserver.wait("/sync")[0]
        getattr(c, leave)()
        assert seen.gone.wait(10)


def test_a_reset_behind_a_part_of_a_request_is_noticed(world: World) -> None:
    """Bytes and reset often arrive as one event; the connection must not wait for its time-out."""

    def open_connections() -> float:
        opened = world.daemon.metric("schleuse_connections_opened_total")
        return opened - world.daemon.metric("schleuse_connections_closed_total")

    data = request("POST", "/_matrix/client/v3/x", [HOST], b"x" * 30000)
    for cut in (10, 100, 200, 20000) * 15:
        c = world.connect()
        c.send(data[:cut])
        c.reset()
    until("all connections closed", lambda: open_connections() == 0, 5)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_over_the_limit_is_413(world: World, framing: str) -> None:
    size = 2 << 20
    with world.connect() as c:
        fields = [HOST, ("Authorization", f"Bearer {world.token}")]
        if framing == "length":
            c.send(request("POST", "/_matrix/media/v3/upload", [*fields, ("Content-Length", str(size))]))
        else:
            fields.append(("Transfer-Encoding", "chunked"))
            c.send(request("POST", "/_matrix/media/v3/upload", fields))
            piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
            try:
                for _ in range(size // 65536):
                    c.send(piece)
            except OSError:
                pass  # it may stop reading early
        a = c.read()
        assert (a.status, a.errcode, a.get(CORS)) == (413, "M_TOO_LARGE", "*")


def test_a_federation_body_over_the_limit_is_413(world: World) -> None:
    content = {"pdus": ["x" * 70000]}
    a = world.peer(world.beta).ask("PUT", "/_matrix/federation/v1/send/1", content)
    assert (a.status, a.errcode) == (413, "M_TOO_LARGE")
    world.not_forwarded()


def test_never_a_401_of_our_own_on_client_paths(world: World) -> None:
    """Clients log their user out on that; only the homeserver may say it."""
    a = world.client("GET", PATH, token=None)
    assert (a.status, a.errcode) == (401, "M_MISSING_TOKEN")
    assert len(world.homeserver.wait(PATH)) == 1
    with world.connect("bravo.test") as c:
        for method, path in (("GET", PATH), ("PUT", "/_matrix/client/v3/profile/@a:bravo.test/displayname")):
            fields = {"Host": "bravo.test", "Authorization": "Bearer x"}
            assert c.ask(method, path, fields, b"{}" if method == "PUT" else None).status >= 403


def test_cors_and_options_are_the_homeservers(world: World) -> None:
    a = world.client("OPTIONS", PATH, token=None, Origin="https://app.example")
    assert a.status == 204 and a.all(CORS) == ["*"]
    assert world.homeserver.wait()[0].method == "OPTIONS"
    assert world.client("GET", PATH).all(CORS) == ["*"]


def test_refusals_on_client_paths_carry_cors(world: World) -> None:
    a = world.client("PUT", "/_matrix/client/v3/profile/%40anna%3Aalpha.test/displayname", {"displayname": "x"})
    assert a.status == 403 and a.get(CORS) == "*"
    assert "PUT" in a.get("Access-Control-Allow-Methods")
    assert "Authorization" in a.get("Access-Control-Allow-Headers")
    assert a.get("Content-Type").startswith("application/json")


def test_a_slow_reader_gets_everything(make_world) -> None:
    """Back-pressure: 20 MB pass although the proxy may hold only little of it."""
    world = make_world()
    world.start()
    body = b"0123456789abcdef" * (20 << 16)
    world.homeserver.media["big"] = body
    with world.connect() as c:
        fields = [HOST, ("Authorization", f"Bearer {world.token}")]
        c.send(request("GET", "/_matrix/client/v1/media/download/alpha.test/big", fields))
        until("the request upstream", lambda: world.homeserver.requests("/download/"))
        assert c.read().body == body
    assert world.daemon.admin("/health").status == 200


def test_a_homeserver_that_closes_without_saying_so(make_world) -> None:
    """Connections kept for later may be closed already: the request goes out once more on a new one."""
    w = make_world()
    with RawServer(Close(OK)) as raw:
        w.main_service["homeserver"] = raw.where
        w.start()
        with w.connect() as c:
            assert [c.ask("GET", PATH, [HOST]).status for _ in range(50)] == [200] * 50
        assert len(raw.requests) == 50
        w.daemon.stop()


def test_a_stalled_client_head_is_cut(make_world) -> None:
    """408, or the connection just ends; no homeserver is bothered."""
    w = make_world()
    w.config["timeouts"].update(head="1s", body="1s", idle="1s", handshake="1s")
    w.start()
    for data in (b"GET / HT", request("PUT", PATH, [HOST, ("Content-Length", "5")])):
        with w.connect() as c:
            c.send(data)
            assert c.read().status == 408
    with w.connect() as c:
        assert c.ended(), "an idle connection is closed"
    import socket

    with socket.create_connection(w.address, 10) as s:
        assert s.recv(1) == b"", "a handshake that never comes is cut"


def test_a_federation_request_waits_no_longer_than_configured(make_world) -> None:
    w = make_world()
    w.config["timeouts"]["fact"] = "1s"
    w.beta.script = lambda r: Hang()
    w.start()
    a = w.peer(w.beta).ask("GET", "/_matrix/federation/v1/query/profile?user_id=x")
    assert a.status in (401, 503)
