# SPDX-License-Identifier: Apache-2.0
"""Destinations beside the federation: only those that are allowed, passed as they are or inspected, and
form C with them (FD-2-2, O-11; gematik facts 7.3)."""
import socket
import ssl
import threading
from typing import Any, Iterator

import pytest

from harness import PKI, open_world, until
from outworld import CA, FORMS, PROFILE, OutWorld, Tunnel, basic, loopback
from sim import wire
from sim.keyserver import answer
from sim.rawserver import RawServer, server_context

NOTIFY = "/_matrix/push/v1/notify"
TEXT = b'{"rejected":[]}'


def stand_up(w: OutWorld, host: str, issued: Any = None, tls: bool = True) -> RawServer:
    """Something that is no homeserver, at an address of its own."""
    files = (issued or PKI.web.server(host)).write(w.folder / f"g-{host}")
    context = server_context(*files) if tls else None
    server = RawServer(answer("200 OK", TEXT), tls=context, address=(loopback(), 0))
    w._closers.append(server.close)
    w.config["lookups"]["hosts"][host] = server.listener.getsockname()[0]
    return server


@pytest.fixture(scope="module")
def module_world() -> Iterator[OutWorld]:
    def setup(w: OutWorld) -> None:
        w.push = stand_up(w, "push.test")
        w.sso = stand_up(w, "sso.test")
        w.below = stand_up(w, "a.cdn.test")
        w.plain = stand_up(w, "plain.test", tls=False)
        w.other = stand_up(w, "other.test")
        w.echo = socket.create_server((loopback(), 0))
        w._closers.append(w.echo.close)
        host, port = w.echo.getsockname()
        w.rules["allow"] = [
            {"host": host, "port": port},
            {"host": "push.test", "port": w.push.port},
            {"host": "sso.test", "port": w.sso.port, "inspect": True},
            {"host": "*.cdn.test", "port": w.below.port},
            {"host": "plain.test", "port": w.plain.port, "inspect": True},
        ]
        w.start()

    with open_world(setup, kind=OutWorld) as w:
        yield w


@pytest.fixture(autouse=True)
def forget(world: OutWorld) -> None:
    for s in (world.push, world.sso, world.below, world.plain, world.other):
        s.forget()


def at(host: str, server: RawServer) -> str:
    return f"{host}:{server.port}"


WEB = wire.tls_context(PKI.web_root.pem)


# As they are


def test_a_tunnel_that_passes_as_it_is(world: OutWorld) -> None:
    """TLS is end to end: the homeserver sees the other side's own certificate."""
    with Tunnel(world.out(), at("push.test", world.push), basic()) as c:
        assert c.answer.status == 200
        c.begin(WEB, "push.test")
        head = {"Host": "push.test", "Proxy-Authorization": "for nobody", "X-Any": "thing"}
        a = c.ask("POST", NOTIFY, head, b'{"x":1}')
        assert (a.status, a.body) == (200, TEXT)
        a = c.ask("GET", "/second", {"Host": "push.test"})
        assert a.status == 200
    r = world.push.requests[0]
    assert r.get("X-Any") == "thing" and r.body == b'{"x":1}'


def test_bytes_of_any_kind(world: OutWorld) -> None:
    """They need not even be TLS, and nobody looks at them; each side ends by itself."""
    w = world

    def serve() -> None:
        conn, _ = w.echo.accept()
        with conn:
            while piece := conn.recv(65536):
                conn.sendall(piece)
            conn.sendall(b"the end")

    thread = threading.Thread(target=serve)
    thread.start()
    big = bytes(range(256)) * 4000
    with Tunnel(w.out(), "%s:%d" % w.echo.getsockname(), basic(), more=b"first") as c:
        assert c.answer.status == 200
        sender = threading.Thread(target=c.raw.sendall, args=(big,))
        sender.start()
        got = c.held
        while len(got) < len(big) + 5:
            got += c.raw.recv(65536)
        sender.join()
        assert got == b"first" + big
        c.raw.shutdown(socket.SHUT_WR)
        assert c.raw.recv(100) == b"the end", "half-closed: the other side may go on"
        assert c.raw.recv(100) == b""
    thread.join()


def test_names_below(world: OutWorld) -> None:
    with Tunnel(world.out(), at("a.cdn.test", world.below), basic()) as c:
        c.begin(WEB, "a.cdn.test")
        assert c.ask("GET", "/", {"Host": "a.cdn.test"}).status == 200


def test_letter_case_of_hosts(world: OutWorld) -> None:
    with Tunnel(world.out(), at("PUSH.Test", world.push), basic()) as c:
        c.begin(WEB, "push.test")


@pytest.mark.parametrize("form", ["B", "C"])
def test_what_is_not_allowed(world: OutWorld, form: str) -> None:
    """Another host, another port, the wildcard's own name, names that end alike."""
    w = world
    for to in (
        at("other.test", w.other), at("push.test", w.other), at("cdn.test", w.below),
        at("xcdn.test", w.below), at("evil-push.test", w.push), at("push.test.evil.test", w.push),
    ):
        world.refused(w.ask(form, "POST", "x", NOTIFY, {"x": 1}, at=to, authorization=None))
    assert w.other.connections == 0


def test_a_destination_that_does_not_answer(world: OutWorld) -> None:
    """Nobody has promised TLS inside: the CONNECT itself fails (RFC 9110 9.3.6)."""
    w = world
    w.rules["allow"].append({"host": "push.test", "port": 1})
    w.daemon.reload()

    def status() -> int:
        with Tunnel(w.out(), "push.test:1", basic()) as c:
            return c.answer.status

    until("502", lambda: status() == 502)
    assert w.daemon.metric("schleuse_exchanges_ended_total", reason="remote_connect") > 0


def test_the_other_side_vanishes(world: OutWorld) -> None:
    with Tunnel(world.out(), at("push.test", world.push), basic()) as c:
        c.begin(WEB, "push.test")
        assert c.ask("GET", "/", {"Host": "push.test"}).status == 200
        world.push.drop()
        assert c.ended()


def test_an_idle_tunnel_ends(make_world) -> None:
    w = make_world(kind=OutWorld)
    push = stand_up(w, "push.test")
    w.rules["allow"] = [{"host": "push.test", "port": push.port}]
    w.config["outbound"]["timeouts"] = {"tunnel_idle": "1s"}
    w.start()
    with Tunnel(w.out(), at("push.test", push), basic()) as c:
        c.begin(WEB, "push.test")
        assert c.ask("GET", "/", {"Host": "push.test"}).status == 200
        assert c.ended()
    w.until_metric("schleuse_exchanges_ended_total", 1, reason="tunnel_idle")


def test_without_a_ca_they_still_pass(make_world) -> None:
    w = make_world(kind=OutWorld)
    push = stand_up(w, "push.test")
    w.rules["allow"] = [{"host": "push.test", "port": push.port}]
    del w.config["outbound"]
    w.start()
    with Tunnel(w.out(), at("push.test", push), basic()) as c:
        c.begin(WEB, "push.test")
        assert c.ask("GET", "/", {"Host": "push.test"}).status == 200


# Inspected


@pytest.mark.parametrize("form", ["B", "C"])
def test_inspected(world: OutWorld, form: str) -> None:
    """TLS ends here and begins anew, verified; what a client says to it goes on."""
    more = [("X-Any", "thing"), ("Accept", "application/json"), ("Cookie", "a=b")]
    w, to = world, at("sso.test", world.sso)
    how: dict[str, Any] = {"host": "sso.test"} if form == "B" else {}
    a = w.ask(form, "POST", "x", "/token?x=y", {"code": 1}, at=to, authorization="Bearer for-sso",
              more=more, **how)
    assert (a.status, a.body) == (200, TEXT)
    r = w.sso.last
    assert r.line == b"POST /token?x=y HTTP/1.1" and r.body == b'{"code":1}'
    assert r.get("Authorization") == "Bearer for-sso" and r.get("Accept") == "application/json"
    assert r.all("Proxy-Authorization") == []
    assert r.get("Host") in ("sso.test", to)
    assert w.sso.names[-1] == "sso.test"


def test_the_certificate_of_an_inspected_one(world: OutWorld) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Tunnel(world.out(), at("sso.test", world.sso), basic()).begin(WEB, "sso.test")
    with Tunnel(world.out(), at("sso.test", world.sso), basic()) as c:
        c.begin(wire.tls_context(CA.pem), "sso.test")


def test_an_inspected_one_is_verified(make_world) -> None:
    w = make_world(kind=OutWorld)
    sso = stand_up(w, "sso.test", PKI.foreign.server("sso.test"))
    w.rules["allow"] = [{"host": "sso.test", "port": sso.port, "inspect": True}]
    w.start()
    for form, how in (("B", {"host": "sso.test"}), ("C", {})):
        a = w.ask(form, "GET", "x", "/", at=at("sso.test", sso), authorization=None, **how)
        assert (a.status, a.errcode) == (502, "M_UNKNOWN")
    assert sso.received == 0 and not sso.requests


def test_sni_of_an_inspected_one(world: OutWorld) -> None:
    """The name in the handshake is the host contacted: one cannot cover the other."""
    to = at("sso.test", world.sso)
    a = world.ask("B", "GET", "x", "/", at=to, sni="other.test", host="sso.test", authorization=None)
    world.refused(a)
    assert not world.sso.requests


@pytest.mark.parametrize("host", ["other.test", "sso.test.evil.test", "x.sso.test"])
def test_host_of_an_inspected_one(world: OutWorld, host: str) -> None:
    """Behind one address there may be many sites; only the one that is allowed is asked."""
    to = at("sso.test", world.sso)
    world.refused(world.ask("B", "GET", "x", "/", at=to, host=host, authorization=None))
    assert not world.sso.requests


def test_federation_paths_of_an_allowed_one(world: OutWorld) -> None:
    """To be allowed makes nobody a member."""
    to = at("sso.test", world.sso)
    for form in ("B", "C"):
        a = world.ask(form, "GET", to, PROFILE)
        assert a.status == 403
    assert not world.sso.requests


# Plain HTTP


def test_plain_http_to_an_allowed_one(world: OutWorld) -> None:
    a = plain(world, at("plain.test", world.plain), "/x?y")
    assert (a.status, a.body) == (200, TEXT)
    r = world.plain.last
    assert r.line == b"GET /x?y HTTP/1.1" and r.get("Host") == at("plain.test", world.plain)
    assert r.all("Proxy-Authorization") == []


def plain(w: OutWorld, to: str, uri: str, *fields: tuple[str, str]) -> wire.Answer:
    head = [("Host", to), ("Proxy-Authorization", basic()), *fields]
    with wire.Connection(w.out()) as c:
        return c.ask("GET", f"http://{to}{uri}", head)


def test_plain_http_to_others(world: OutWorld) -> None:
    """ML-123615-1: nothing leaves without TLS, to members neither."""
    b = world.beta
    signed = world.sign("GET", PROFILE, b.name)
    world.refused(plain(world, b.name, PROFILE, ("Authorization", signed)))
    world.refused(plain(world, at("other.test", world.other), "/"))
    assert b.untouched and world.other.connections == 0


def test_nothing_is_allowed_by_default(make_world) -> None:
    w = make_world(kind=OutWorld)
    push = stand_up(w, "push.test")
    w.start()
    for form in ("B", "C"):
        a = w.ask(form, "POST", "x", NOTIFY, {"x": 1}, at=at("push.test", push), authorization=None)
        w.refused(a)
    assert push.connections == 0


def test_an_allowed_one_of_another_service(make_world) -> None:
    w = make_world(kind=OutWorld)
    push = stand_up(w, "push.test")
    w.add_service("bravo.test", outbound=w.way_out(
        "bravo.secret", "another-services-secret", allow=[{"host": "push.test", "port": push.port}]))
    w.listed.append("bravo.test")
    w.publish()
    w.start()
    to = at("push.test", push)
    a = w.ask("B", "POST", "x", NOTIFY, {"x": 1}, at=to, authorization=None)
    w.refused(a)
    assert push.connections == 0
    with Tunnel(w.out(), to, basic("another-services-secret")) as c:
        c.begin(WEB, "push.test")


def test_the_forms_end_alike(world: OutWorld) -> None:
    """The federation goes on beside all of this."""
    for form in FORMS:
        assert world.ask(form, "GET", world.beta, PROFILE).status == 200
