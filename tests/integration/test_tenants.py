# SPDX-License-Identifier: Apache-2.0
"""Several messenger services in one proxy: chosen by SNI, confirmed by Host."""
from typing import Callable, Iterator

import pytest

from harness import World, open_world, until

PATH = "/_matrix/client/versions"


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.bravo = w.add_service("bravo.test")
        w.bravo.trust(w.beta.name, w.beta.key)
        w.listed.append("bravo.test")
        w.publish()
        w.start()

    with open_world(setup) as w:
        yield w


def test_each_service_has_its_homeserver(world: World) -> None:
    for name, homeserver in (("alpha.test", world.homeserver), ("bravo.test", world.bravo)):
        homeserver.forget()
        with world.connect(name) as c:
            assert c.ask("GET", PATH, {"Host": name}).status == 200
        assert [s.get("Host") for s in homeserver.wait(PATH)] == [name]


@pytest.mark.parametrize(
    "host", ["bravo.test", "matrix.bravo.test", "other.test", "127.0.0.1", "alpha.test.evil.test"]
)
def test_another_host_is_421(world: World, host: str) -> None:
    world.bravo.forget()
    with world.connect("alpha.test") as c:
        a = c.ask("GET", PATH, {"Host": host})
    assert (a.status, a.errcode) == (421, "M_UNKNOWN")
    world.not_forwarded()
    assert not world.bravo.requests()


@pytest.mark.parametrize("host", ["ALPHA.test", "alpha.test:443", "matrix.alpha.test:8448"])
def test_host_may_differ_in_case_and_port(world: World, host: str) -> None:
    with world.connect("matrix.alpha.test") as c:
        assert c.ask("GET", PATH, {"Host": host}).status == 200
    assert world.homeserver.wait(PATH)[0].get("Host") == host


def test_a_mismatch_later_on_the_connection_is_421_too(world: World) -> None:
    with world.connect("alpha.test") as c:
        assert c.ask("GET", PATH, {"Host": "alpha.test"}).status == 200
        assert c.ask("GET", PATH, {"Host": "bravo.test"}).status == 421


def test_a_signature_for_one_service_is_none_for_the_other(world: World) -> None:
    """FD-5.2.1.2-10: the destination is the service's own server name."""
    uri = "/_matrix/federation/v1/query/profile?user_id=%40a%3Ab"
    peer = world.peer(world.beta)
    authorization = peer.authorization("GET", uri)
    peer.host = "bravo.test"
    a = peer.send("GET", uri, None, authorization)
    assert (a.status, a.errcode) == (401, "M_UNAUTHORIZED")
    peer.destination = "bravo.test"
    assert peer.ask("GET", uri).status == 404  # the homeserver's: no such user


def test_a_reload_does_not_move_a_request_to_another_service(make_world: Callable[..., World]) -> None:
    """A request under way stays with the service it was accepted for, whatever number that has now."""
    w = make_world()
    bravo = w.add_service("bravo.test")
    w.start()
    body = b'{"membership":"join"}'
    target = "/_matrix/client/v3/rooms/!r:alpha.test/state/m.room.member/@anna:alpha.test"
    head = (
        f"PUT {target} HTTP/1.1\r\nHost: matrix.alpha.test\r\nAuthorization: Bearer {w.token}\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with w.connect() as c:
        c.send(head.encode())
        assert c.read_head().status == 100  # the request is accepted and waits for its body
        reloads = w.daemon.metric("schleuse_reloads_total", outcome="adopted")
        w.config["services"].reverse()
        w.daemon.reload()
        until(
            "the reload",
            lambda: w.daemon.metric("schleuse_reloads_total", outcome="adopted") > reloads,
        )
        with w.connect("bravo.test") as other:  # served by the new configuration
            assert other.ask("GET", PATH, {"Host": "bravo.test"}).status == 200
        bravo.forget()
        c.send(body)
        c.read("PUT")
    assert w.homeserver.requests("m.room.member")
    assert not bravo.requests("m.room.member")
