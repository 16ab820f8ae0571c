# SPDX-License-Identifier: Apache-2.0
"""The way out against who means harm: a homeserver that has been taken over, servers and names that
lie, strangers on the machine, other tenants (O-13, FD-5.2.1.2-7 to -9)."""
import socket
from typing import Any, Callable, Iterator

import pytest

from harness import open_world, until
from outworld import (
    FINE, PROFILE, TCP, OutWorld, Remote, Tunnel, basic, bearer, bracketed, inner_request, split_name,
)
from sim import wire
from sim.rawserver import Close, RawRequest
from test_outbound_allowed import WEB, at, stand_up

SEND = "/_matrix/federation/v1/send/1"
OTHER = "another-s3cret-of-the-way-out"


@pytest.fixture(scope="module")
def module_world() -> Iterator[OutWorld]:
    def setup(w: OutWorld) -> None:
        w.sso = stand_up(w, "sso.test")
        w.rules["allow"] = [{"host": "sso.test", "port": w.sso.port, "inspect": True}]
        w.start()

    with open_world(setup, kind=OutWorld) as w:
        yield w


# A path that a lenient server takes for one of the federation, at a server that is only allowed


@pytest.mark.parametrize("form", ["B", "C"])
@pytest.mark.parametrize(
    "uri",
    [
        "/" + SEND, "/_matrix//federation/v1/send/1", "/x/.." + SEND, "/_matrix/./federation/v1/send/1",
        "/_matrix/%66ederation/v1/send/1", "/_matrix%2Ffederation/v1/send/1",
        "/_matrix/%2566ederation/v1/send/1", "/_MATRIX/Federation/v1/send/1",
        "/_matrix;a=b/federation;c/v1/send/1", "/_matrix%5cfederation/v1/send/1", "/up" + SEND,
        "/1" * 40 + SEND, "//_matrix/key/v2/server",
    ],
)
def test_what_looks_like_federation_at_an_allowed_server(world: OutWorld, form: str, uri: str) -> None:
    world.sso.forget()
    how = {"host": "sso.test"} if form == "B" else {}
    to = at("sso.test", world.sso)
    for method in ("PUT", "POST"):
        world.refused(world.ask(form, method, "x", uri, {"pdus": []}, at=to, **how))
    assert not world.sso.requests


def test_a_known_path_with_another_method_at_an_allowed_server(world: OutWorld) -> None:
    world.sso.forget()
    to = at("sso.test", world.sso)
    more = [("X-HTTP-Method-Override", "PUT")]
    world.refused(world.ask("C", "POST", "x", SEND, {"pdus": []}, at=to, more=more))
    assert not world.sso.requests


@pytest.mark.parametrize("form", ["B", "C"])
def test_the_body_of_a_get_at_an_allowed_server(world: OutWorld, form: str) -> None:
    """A server that does not expect it takes it for the next request of that connection, whose answer
    another service might get."""
    world.sso.forget()
    how = {"host": "sso.test"} if form == "B" else {}
    body = b"GET /evil HTTP/1.1\r\nHost: sso.test\r\n\r\n"
    for method in ("GET", "HEAD"):
        a = world.ask(
            form, method, "x", "/", body, at=at("sso.test", world.sso), authorization=None, **how
        )
        assert a.status == 400
    assert not world.sso.requests


def test_what_does_not_look_like_it(world: OutWorld) -> None:
    """Nothing is refused there because a path is unusual."""
    to = at("sso.test", world.sso)
    for uri in ("/a//b/../c;d", "/%2e%2e/%zz", "/_matrix/push/v1/notify", "/federation?x=/_matrix"):
        assert world.ask("C", "GET", "x", uri, at=to, authorization=None).status == 200, uri


# One member, many spellings


def test_a_name_in_many_spellings_is_one_destination(make_world) -> None:
    """Else each would have look-ups, connections and a place among destinations_max of its own, which
    other tenants would miss."""
    w = make_world(kind=OutWorld)
    w.config["workers"] = 1
    w.start()
    host, _, port = w.beta.name.partition(":")
    colon = ":" if port else ""
    names = [host, host.upper(), host.title(), host.swapcase() + ".", host + ".", "bETA" + host[4:]]
    for name in names:
        name += colon + port
        assert w.ask("A", "GET", name, PROFILE, destination=w.beta.name).status == 200, name
    assert w.beta.server.connections == 1
    assert w.daemon.metric("schleuse_remote_destinations") == 1
    assert {r.get("Host") for r in w.beta.requests} == {w.beta.name}


# Where there is no .well-known


def test_a_document_of_a_name_with_a_port(world: OutWorld) -> None:
    """The server at 443 of the same host may be somebody else (O-13)."""
    uri = "/.well-known/matrix/server"
    name = world.beta.name.partition(":")[0] + ":8448"
    for to in (name, "127.0.0.1", "[::1]"):
        world.refused(world.ask("A", "GET", to, uri, authorization=None), world.beta)


# Answers that are two for somebody


FOLLOWED = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"


@pytest.fixture
def beta(world: OutWorld) -> Iterator[Remote]:
    world.beta.forget()
    yield world.beta
    world.beta.script = None


def keep(w: OutWorld) -> Callable[[], wire.Answer]:
    """Requests of form C on one connection, which others' answers share."""
    c = wire.Connection(w.out(TCP))
    uri = f"https://{bracketed('%s:%d' % split_name(w.beta.name))}{PROFILE}"

    def ask() -> wire.Answer:
        head = [("Host", w.beta.name), ("Proxy-Authorization", basic())]
        head.append(("Authorization", w.sign("GET", PROFILE, w.beta.name)))
        return c.ask("GET", uri, head)

    return ask


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 204 No Content", b"HTTP/1.1 103 Early Hints\r\nLink: </a>"],
)
def test_a_length_of_nothing(world: OutWorld, beta: Remote, first: bytes) -> None:
    """A homeserver that believed it would take the next server's answer for a body (RFC 9110 8.6)."""
    def answers(r: RawRequest) -> bytes:
        final = b"" if b" 204 " in first else FOLLOWED
        return first + b"\r\nContent-Length: %d\r\n\r\n" % len(FOLLOWED) + final

    beta.script = answers
    a = keep(world)()
    assert a.status in (200, 204)
    for head in [a.fields, *(i.fields for i in a.interim)]:
        lengths = [v for n, v in head if n.lower() == "content-length"]
        assert lengths == (["4"] if a.status == 200 and head is a.fields else []), head


def test_an_answer_that_nobody_asked_for(world: OutWorld, beta: Remote) -> None:
    ask = keep(world)
    beta.script = lambda _: FINE + FOLLOWED
    assert ask().body == b'{"displayname":"Bob"}'
    beta.script = None
    assert [ask().body for _ in range(3)] == [b'{"displayname":"Bob"}'] * 3


def test_interim_answers_without_end(world: OutWorld, beta: Remote) -> None:
    """They use up the request's memory, no more."""
    beta.script = lambda _: Close(b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n" * 200000 + FINE)
    with wire.Connection(world.out(TCP)) as c:
        uri = f"https://{bracketed('%s:%d' % split_name(beta.name))}{PROFILE}"
        head = [("Host", beta.name), ("Proxy-Authorization", basic())]
        head.append(("Authorization", world.sign("GET", PROFILE, beta.name)))
        c.send(wire.request("GET", uri, head))
        got = 0
        while piece := c.raw.recv(65536):
            got += len(piece)
    assert got < 200000 * 30 / 2
    beta.script = None
    assert world.ask("A", "GET", beta, PROFILE).status == 200


@pytest.mark.parametrize(
    "answered",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n Content-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
        b"HTTP/2 200\r\n\r\n",
        b"{}",
    ],
)
def test_answers_that_are_none(world: OutWorld, beta: Remote, answered: bytes) -> None:
    beta.script = lambda _: Close(answered)
    for form in ("A", "B", "C"):
        a = world.ask(form, "GET", beta, PROFILE)
        assert (a.status, a.errcode) == (502, "M_UNKNOWN"), a


# A secret that got known


def with_two(make_world: Any) -> OutWorld:
    w = make_world(kind=OutWorld)
    w.push = stand_up(w, "push.test")
    w.rules["allow"] = [{"host": "push.test", "port": w.push.port}]
    return w.start()


def inspected(w: OutWorld) -> Tunnel:
    c = w.tunnel(w.beta.name)
    assert again(w, c) == 200
    return c


def again(w: OutWorld, c: Tunnel) -> int:
    c.send(inner_request("GET", w.beta.name, PROFILE, None, [w.sign("GET", PROFILE, w.beta.name)]))
    return c.read().status


def passed(w: OutWorld) -> Tunnel:
    c = Tunnel(w.out(), at("push.test", w.push), basic())
    c.begin(WEB, "push.test")
    assert c.ask("GET", "/", {"Host": "push.test"}).status == 200
    return c


def reload(w: OutWorld, secret: str) -> None:
    w.daemon.reload()

    def done() -> bool:
        return w.ask("A", "GET", "x.test", PROFILE, credential=bearer(secret)).status == 403

    until("the new configuration", done)


def test_tunnels_end_with_the_secret_they_were_opened_with(make_world) -> None:
    """Who replaces a secret wants nobody to go on with the old one."""
    w = with_two(make_world)
    a, b = inspected(w), passed(w)
    w.way_out("out.secret", OTHER)
    reload(w, OTHER)
    assert b.ended()
    w.beta.forget()
    assert again(w, a) == 403
    assert a.ended() and not w.beta.requests
    w.until_metric("schleuse_tunnels_open", 0)


def test_tunnels_go_on_after_a_reload_that_is_about_something_else(make_world) -> None:
    w = with_two(make_world)
    a, b = inspected(w), passed(w)
    w.config["outbound"]["connections_max"] = 17
    w.rules["allow"].append({"host": "new.test", "port": 1})
    w.daemon.reload()
    until("it", lambda: Tunnel(w.out(), "new.test:1", basic()).answer.status == 502)
    assert again(w, a) == 200
    assert b.ask("GET", "/", {"Host": "push.test"}).status == 200


def test_tunnels_end_with_the_permission(make_world) -> None:
    """What is no longer allowed uninspected does not go on uninspected."""
    w = with_two(make_world)
    a, b = inspected(w), passed(w)
    w.rules["allow"][0]["inspect"] = True
    w.daemon.reload()
    assert b.ended()
    assert again(w, a) == 200
    with w.tunnel(at("push.test", w.push)) as c:
        assert c.ask("GET", "/", {"Host": "push.test"}).status == 200


# A stranger on this machine, without a secret


def test_idle_connections_do_not_take_the_room_of_others(make_world) -> None:
    """They give way to those that come from outside, and to the homeserver's own."""
    w = make_world(kind=OutWorld)
    w.config.update(workers=1, limits={"connections_max": 6})
    w.start()
    idle = [socket.create_connection(w.out(TCP), 15) for _ in range(30)]
    assert w.client("GET", "/_matrix/client/versions").status == 200
    assert w.ask("A", "GET", w.beta, PROFILE).status == 200
    for s in idle:
        s.close()
