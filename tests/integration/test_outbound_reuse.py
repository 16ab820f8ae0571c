# SPDX-License-Identifier: Apache-2.0
"""Connections to other homeservers are kept and shared, and a request is repeated only where that is
harmless (RFC 9110 9.2.2; FD-5.2.1.2-6)."""
import signal
import threading
from typing import Any, Iterator

import pytest

from harness import open_world, until
from outworld import FORMS, PROFILE, UNIX, OutWorld, Remote, absolute_request, bearer, body_of
from sim import wire
from sim.rawserver import Close, Hang, RawRequest

EVENTS = "/_matrix/federation/v1/get_missing_events/%21r%3Abeta.test"
SEND = "/_matrix/federation/v1/send/txn1"
BODY: dict[str, Any] = {"edus": [], "origin": "alpha.test", "origin_server_ts": 1, "pdus": []}


@pytest.fixture(scope="module")
def module_world() -> Iterator[OutWorld]:
    def setup(w: OutWorld) -> None:
        w.config["workers"] = 1  # a pool is a worker's
        w.start()

    with open_world(setup, kind=OutWorld) as w:
        yield w


@pytest.fixture
def beta(world: OutWorld) -> Iterator[Remote]:
    """No connection is open, nothing is recorded."""
    b = world.beta
    b.server.drop()
    world.until_metric("schleuse_remote_connections", 0)
    b.forget()
    yield b
    b.script = None


@pytest.mark.parametrize("form", FORMS)
def test_many_requests_one_connection(world: OutWorld, beta: Remote, form: str) -> None:
    """Synapse opens a connection for each request (facts 6.3); the other server sees one."""
    before = beta.server.connections
    for _ in range(10):
        assert world.ask(form, "GET", beta, PROFILE).status == 200
    assert beta.server.connections - before == 1
    assert len(beta.requests) == 10


def test_the_forms_share_connections(world: OutWorld, beta: Remote) -> None:
    before = beta.server.connections
    for form in FORMS * 2:
        assert world.ask(form, "GET", beta, PROFILE).status == 200
    assert beta.server.connections - before == 1


def test_at_the_same_time(world: OutWorld, beta: Remote) -> None:
    """A connection carries one request at a time; those that were needed are kept."""
    together = threading.Barrier(4)

    def script(_: RawRequest) -> None:
        together.wait(10)

    beta.script = script
    before = beta.server.connections
    for _ in range(3):
        asks = [
            threading.Thread(target=world.ask, args=("A", "GET", beta, PROFILE)) for _ in range(4)
        ]
        for t in asks:
            t.start()
        for t in asks:
            t.join()
    assert len(beta.requests) == 12
    assert beta.server.connections - before == 4


def test_one_after_the_other_on_one_connection(world: OutWorld, beta: Remote) -> None:
    """The homeserver may keep its connection as well."""
    data = (
        f"GET matrix-federation://{beta.name}{PROFILE} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {world.sign('GET', PROFILE, beta.name)}\r\n"
        f"Proxy-Authorization: {bearer()}\r\n\r\n"
    ).encode()
    with wire.Connection(world.out()) as c:
        for _ in range(3):
            c.send(data)
            assert c.read().status == 200
        c.send(data * 3)
        assert [c.read().status for _ in range(3)] == [200] * 3


def test_each_request_is_judged(world: OutWorld, beta: Remote) -> None:
    """A connection that began well is no pass for what follows, credentials included."""
    head = f"GET matrix-federation://{beta.name}{PROFILE} HTTP/1.1\r\nHost: x\r\n"
    head += f"Authorization: {world.sign('GET', PROFILE, beta.name)}\r\n"
    with wire.Connection(world.out()) as c:
        c.send(f"{head}Proxy-Authorization: {bearer()}\r\n\r\n".encode())
        assert c.read().status == 200
        c.send(f"{head}\r\n".encode())
        assert c.read().status == 407
    assert len(beta.requests) == 1


def test_a_connection_closed_while_idle_is_not_used(world: OutWorld, beta: Remote) -> None:
    assert world.ask("A", "GET", beta, PROFILE).status == 200
    beta.server.drop()
    world.until_metric("schleuse_remote_connections", 0)
    assert world.ask("A", "POST", beta, EVENTS, {"x": 1}).status == 200
    assert len(beta.requests) == 2


def closes_from(beta: Remote, n: int) -> None:
    """The n-th request and those behind it are read and not answered."""
    count = iter(range(1, 1000))
    beta.script = lambda r: Close() if next(count) >= n else None


ANY = [("GET", PROFILE, None), ("PUT", SEND, BODY), ("POST", EVENTS, {"x": 1})]


@pytest.mark.parametrize("method, uri, body", ANY)
def test_what_was_read_is_not_repeated(
    world: OutWorld, beta: Remote, method: str, uri: str, body: Any
) -> None:
    """The other server has it, and may have acted on it: to ask again is the homeserver's business."""
    closes_from(beta, 2)
    assert world.ask("A", method, beta, uri, body).status == 200
    a = world.ask("A", method, beta, uri, body)
    assert (a.status, a.errcode) == (502, "M_UNKNOWN")
    assert len(beta.requests) == 2


@pytest.mark.parametrize("method, uri, body", ANY)
def test_what_crossed_the_end_of_its_connection_is_repeated(
    world: OutWorld, beta: Remote, method: str, uri: str, body: Any
) -> None:
    """The kept connection was closed before the request got there; nobody has read it."""
    assert world.ask("A", method, beta, uri, body).status == 200
    signed = world.sign(method, uri, beta.name, body)
    data = absolute_request(
        method, "matrix-federation", beta.name, uri, body_of(body), [signed], [bearer()]
    )
    world.daemon.signal(signal.SIGSTOP)
    with wire.Connection(world.out(UNIX)) as c:
        c.send(data)
        beta.server.drop()
        world.daemon.signal(signal.SIGCONT)
        assert c.read(method).status == 200
    assert len(beta.requests) == 2
    assert beta.requests[1].connection != beta.requests[0].connection


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_repeated_on_a_new_connection(world: OutWorld, beta: Remote, form: str) -> None:
    closes_from(beta, 1)
    assert world.ask(form, "GET", beta, PROFILE).status == 502
    assert len(beta.requests) == 1


def test_nothing_is_repeated_behind_the_first_byte(world: OutWorld, beta: Remote) -> None:
    count = iter(range(1, 1000))
    beta.script = lambda r: Close(b"HTTP/1.1") if next(count) == 2 else None
    assert world.ask("A", "GET", beta, PROFILE).status == 200
    assert world.ask("A", "GET", beta, PROFILE).status == 502
    assert len(beta.requests) == 2


def test_an_answer_that_announces_the_end(world: OutWorld, beta: Remote) -> None:
    beta.script = lambda r: Close(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    )
    for n in (1, 2):
        assert world.ask("A", "GET", beta, PROFILE).status == 200
        assert len(beta.requests) == n
    assert len({r.connection for r in beta.requests}) == 2


def test_idle_ones_end(make_world) -> None:
    w = make_world(kind=OutWorld)
    w.config["workers"] = 1
    w.config["outbound"]["timeouts"] = {"idle": "100ms"}
    w.start()
    assert w.ask("A", "GET", w.beta, PROFILE).status == 200
    until("an end", lambda: w.beta.server.closed_idle == 1)
    assert w.ask("A", "GET", w.beta, PROFILE).status == 200
    assert w.beta.server.connections == 2


def test_the_homeserver_leaves(world: OutWorld, beta: Remote) -> None:
    """Its request ends with it: the connection that carried it goes, too."""
    beta.script = lambda r: Hang()
    with wire.Connection(world.out()) as c:
        c.send(
            f"GET matrix-federation://{beta.name}{PROFILE} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {world.sign('GET', PROFILE, beta.name)}\r\n"
            f"Proxy-Authorization: {bearer()}\r\n\r\n".encode()
        )
        beta.server.wait()
    assert beta.requests[0].gone.wait(10)
    world.until_metric("schleuse_remote_connections", 0)
