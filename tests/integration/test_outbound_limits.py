# SPDX-License-Identifier: Apache-2.0
"""What the way out does when there is too much or too little: bounds and times, each with its answer and
its metric (FD-5.2.1.2-6)."""
import socket
import threading
import time
from typing import Any, Callable

import pytest

from harness import until
from outworld import (
    FORMS, PROFILE, UNIX, OutWorld, Tunnel, absolute_request, basic, bearer, connect_request,
    inner_request,
)
from sim import wire
from sim.rawserver import Drip, Hang, RawRequest
from test_outbound_allowed import WEB, at, stand_up

SEND = "/_matrix/federation/v1/send/txn1"
STATE = "/_matrix/federation/v1/state/%21r%3Abeta.test?event_id=%24e"


def ended(w: OutWorld, reason: str) -> float:
    return w.daemon.metric("schleuse_exchanges_ended_total", reason=reason)


class Held:
    """The other server answers only when told to."""

    def __init__(self, w: OutWorld) -> None:
        self.w, self.go = w, threading.Event()
        self.answers: list[int] = []
        self.threads: list[threading.Thread] = []
        w.beta.script = self._script

    def _script(self, _: RawRequest) -> None:
        self.go.wait(30)

    def ask(self, n: int = 1, form: str = "A") -> None:
        def one() -> None:
            self.answers.append(self.w.ask(form, "GET", self.w.beta, PROFILE).status)

        self.threads += [threading.Thread(target=one) for _ in range(n)]
        for t in self.threads[-n:]:
            t.start()

    def end(self) -> list[int]:
        self.go.set()
        for t in self.threads:
            t.join()
        return sorted(self.answers)


@pytest.fixture
def small(make_world) -> Callable[..., OutWorld]:
    """One worker with few resources."""

    def make(**outbound: Any) -> OutWorld:
        w = make_world(kind=OutWorld)
        w.config["workers"] = 1
        w.config["outbound"].update(outbound)
        return w

    return make


def test_connections_to_one_server(small) -> None:
    """At the bound requests wait; all are answered in the end."""
    w = small(connections_max=2, idle_max=2, queue_max=10).start()
    held = Held(w)
    held.ask(5)
    until("two requests", lambda: len(w.beta.requests) == 2)
    w.until_metric("schleuse_remote_queued", 3)
    assert w.beta.server.connections == 2
    assert held.end() == [200] * 5
    assert w.beta.server.connections == 2
    assert w.daemon.metric("schleuse_remote_queued") == 0


def test_queue_max(small) -> None:
    w = small(connections_max=1, idle_max=1, queue_max=1).start()
    held = Held(w)
    held.ask()
    w.beta.server.wait()
    held.ask()
    w.until_metric("schleuse_remote_queued", 1)
    a = w.ask("A", "GET", w.beta, PROFILE)
    assert (a.status, a.errcode) == (503, "M_UNKNOWN")
    assert a.get("Retry-After")
    assert ended(w, "remote_busy") == 1
    assert held.end() == [200, 200]


def test_waiting_in_the_queue_ends(small) -> None:
    w = small(connections_max=1, idle_max=1, timeouts={"queue": "200ms"}).start()
    held = Held(w)
    held.ask()
    w.beta.server.wait()
    assert w.ask("A", "GET", w.beta, PROFILE).status == 503
    assert ended(w, "remote_busy") == 1
    assert held.end() == [200]


def test_one_slow_server_does_not_hinder_the_others(small) -> None:
    w = small(connections_max=1, idle_max=1, queue_max=0)
    other = w.remote("delta.test")
    w.know(other)
    w.start()
    held = Held(w)
    held.ask()
    w.beta.server.wait()
    for form in FORMS:
        assert w.ask(form, "GET", other, PROFILE).status == 200
    assert held.end() == [200]


def test_idle_connections_are_bounded(small) -> None:
    w = small(idle_max=1).start()
    held = Held(w)
    held.ask(4)
    until("four requests", lambda: len(w.beta.requests) == 4)
    assert held.end() == [200] * 4
    until("three of them closed", lambda: w.beta.server.closed_idle == 3)


def test_idle_connections_of_all_are_bounded(small) -> None:
    w = small(idle_total_max=1)
    other = w.remote("delta.test")
    w.know(other)
    w.start()
    assert w.ask("A", "GET", w.beta, PROFILE).status == 200
    assert w.ask("A", "GET", other, PROFILE).status == 200
    until("one of them closed", lambda: w.beta.server.closed_idle + other.server.closed_idle == 1)


def test_many_destinations_with_room_for_one(small) -> None:
    """The one unused longest makes room."""
    w = small(destinations_max=1)
    others = [w.remote(f"r{n}.test") for n in range(4)]
    w.know(*others)
    w.start()
    for _ in range(2):
        for r in others:
            assert w.ask("A", "GET", r, PROFILE).status == 200
    held = Held(w)
    held.ask()
    w.beta.server.wait()
    a = w.ask("A", "GET", others[0], PROFILE)
    assert a.status in (200, 503), "nobody in use is thrown out"
    assert held.end() == [200]


def test_tunnels_max(small) -> None:
    w = small(tunnels_max=2)
    push = stand_up(w, "push.test")
    w.rules["allow"] = [{"host": "push.test", "port": push.port}]
    w.start()
    to = at("push.test", push)
    held = [Tunnel(w.out(), to, basic()).begin(WEB, "push.test") for _ in range(2)]
    with Tunnel(w.out(), to, basic()) as c:
        assert c.answer.status == 503
    w.until_metric("schleuse_tunnels_refused_total", 1)
    held.pop().close()

    def again() -> bool:
        with Tunnel(w.out(), to, basic()) as c:
            return c.answer.status == 200

    until("room", again)
    held.pop().close()


# Times


def read_on(conn: socket.socket, _: int) -> None:
    """Takes all, says nothing."""
    while conn.recv(4096):
        pass


def test_a_server_that_does_not_shake_hands(small) -> None:
    w = small(timeouts={"connect": "300ms"}).start()
    w.beta.server.tls = None
    w.beta.server._read_request = read_on
    for form in FORMS:
        a = w.ask(form, "GET", w.beta, PROFILE)
        assert (a.status, a.errcode) == (504, "M_UNKNOWN")
    assert ended(w, "remote_timeout") == 3


def test_a_server_that_does_not_answer(small) -> None:
    w = small()
    w.config["timeouts"]["upstream"] = "300ms"
    w.start()
    w.beta.script = lambda r: Hang()
    a = w.ask("A", "GET", w.beta, PROFILE)
    assert (a.status, a.errcode) == (504, "M_UNKNOWN")
    assert ended(w, "remote_timeout") == 1
    assert w.beta.requests[0].gone.wait(10), "its connection is given up"
    assert len(w.beta.requests) == 1, "and it is not asked again"


def test_long_routes_have_more_time(small) -> None:
    """/state and the like take minutes (facts 6.1)."""
    w = small()
    w.config["timeouts"].update(upstream="300ms", upstream_slow="20s")
    w.start()

    def slow(r: RawRequest) -> None:
        time.sleep(1)

    w.beta.script = slow
    assert w.ask("A", "GET", w.beta, STATE).status == 200
    assert w.ask("A", "GET", w.beta, PROFILE).status == 504


def test_an_answer_that_stops(small) -> None:
    w = small()
    w.config["timeouts"]["upstream_body"] = "300ms"
    w.start()
    w.beta.script = lambda r: Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
    with pytest.raises((wire.WireError, ConnectionResetError)):
        w.ask("A", "GET", w.beta, PROFILE)
    until("its reason", lambda: ended(w, "remote_broke") == 1)


def test_a_homeserver_that_does_not_go_on(small) -> None:
    w = small()
    w.config["timeouts"].update(head="300ms", body="300ms")
    w.start()
    signed = w.sign("PUT", SEND, w.beta.name, {"a": 1})
    whole = absolute_request(
        "PUT", "matrix-federation", w.beta.name, SEND, b"x" * 100, [signed], [bearer()])
    for n in (20, len(whole) - 50):
        with wire.Connection(w.out(UNIX)) as c:
            c.send(whole[:n])
            assert c.read().status == 408
    assert w.beta.untouched


def test_a_tunnel_without_a_handshake(small) -> None:
    w = small()
    w.config["timeouts"]["handshake"] = "300ms"
    w.start()
    with Tunnel(w.out(), w.beta.name, basic()) as c:
        assert c.answer.status == 200
        assert c.ended()
    w.until_metric("schleuse_tunnels_open", 0)
    w.until_metric("schleuse_tunnel_handshakes_failed_total", 1, cause="gone")


# Sizes


def test_bodies_are_bounded(small) -> None:
    w = small()
    w.config["limits"] = {"federation_body_max": "64k"}
    w.start()
    content = {"edus": [], "pdus": [], "origin": w.NAME, "x": "y" * 70000}
    for form in FORMS:
        a = w.ask(form, "PUT", w.beta, SEND, content)
        assert (a.status, a.errcode) == (413, "M_TOO_LARGE")
    assert w.beta.untouched


def test_heads_are_bounded(small) -> None:
    w = small().start()
    more = [("X-Large", "y" * 70000)]
    for form in FORMS:
        assert w.ask(form, "GET", w.beta, PROFILE, more=more).status == 431
    assert not w.beta.requests


def test_an_answer_slower_than_its_reader(small) -> None:
    """What the homeserver does not take is not fetched: memory stays where it is."""
    w = small().start()
    piece, total = b"x" * 65536, 600
    sent: list[int] = []

    def pieces():
        yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(piece) * total)
        for n in range(total):
            sent.append(n)
            yield piece

    w.beta.script = lambda r: Drip(pieces())
    data = absolute_request(
        "GET", "matrix-federation", w.beta.name, PROFILE, None,
        [w.sign("GET", PROFILE, w.beta.name)], [bearer()])
    with wire.Connection(w.out(), receive=65536) as c:
        c.send(data)
        until("a halt", lambda: sent and _halted(sent))
        assert len(sent) < total - 100
        assert c.read_head().status == 200
        got = len(c.held)
        while got < len(piece) * total and (more := c.raw.recv(1 << 20)):
            got += len(more)
        assert got == len(piece) * total


def _halted(sent: list[int]) -> bool:
    n = len(sent)
    time.sleep(0.5)
    return len(sent) == n


def test_requests_in_tunnels_count_as_all_others(small) -> None:
    """A tunnel is one connection of limits.connections_max, not two."""
    w = small()
    w.config["limits"] = {"connections_max": 16}
    w.start()
    tunnels = [w.tunnel(w.beta.name) for _ in range(10)]
    for c in tunnels:
        c.send(inner_request("GET", w.beta.name, PROFILE, None, [w.sign("GET", PROFILE, w.beta.name)]))
    assert [c.read().status for c in tunnels] == [200] * 10
    for c in tunnels:
        c.close()


def test_bytes_before_the_answer_to_connect_are_bounded(small) -> None:
    """Who floods instead of waiting is not given memory."""
    w = small()
    push = stand_up(w, "push.test")
    w.rules["allow"] = [{"host": "push.test", "port": push.port}]
    w.start()
    with wire.Connection(w.out()) as c:
        c.raw.settimeout(wire.TIMEOUT)
        try:
            c.send(connect_request(at("push.test", push), basic()) + b"x" * 10_000_000)
        except OSError:
            pass
    w.daemon.check_alive()
    assert w.ask("A", "GET", w.beta, PROFILE).status == 200
