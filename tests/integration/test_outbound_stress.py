# SPDX-License-Identifier: Apache-2.0
"""Many things at once on the way out: homeservers that leave, servers that break off, lists and reloads.

Nothing is measured; each whole request gets its answer, the proxy stays alive and ends clean
(sanitizers).
"""
import random
import signal
import threading
from typing import Any, Callable

import pytest

from harness import PKI, until
from outworld import (
    FINE, FORMS, PROFILE, UNIX, OutWorld, Tunnel, absolute_request, basic, bearer, connect_request,
    inner_request,
)
from sim import wire
from sim.rawserver import Close, RawRequest, Reply
from test_outbound_allowed import WEB, at, stand_up

THREADS, ROUNDS = 8, 20
SEND = "/_matrix/federation/v1/send/t"


def answer(r: RawRequest) -> Reply | None:
    """What another server on a bad day says."""
    return random.choice(
        (
            None,
            Close(),
            Close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"),
            Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
            Close(b"nonsense\r\n\r\n"),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + wire.chunked(b"x" * 99999),
        )
    )


def whole(w: OutWorld, choice: random.Random) -> None:
    form = choice.choice(FORMS)
    assert w.ask(form, "GET", w.beta, PROFILE).status == 200
    body = {"edus": [], "pdus": [], "origin": w.NAME, "x": "y" * choice.randrange(40000)}
    assert w.ask(form, "PUT", w.beta, SEND, body).status == 200


def tunnelled(w: OutWorld, choice: random.Random) -> None:
    data = inner_request("GET", w.beta.name, PROFILE, None, [w.sign("GET", PROFILE, w.beta.name)])
    with w.tunnel(w.beta.name) as c:
        for n in range(1, choice.randrange(2, 5)):
            c.send(data * n)
            assert [c.read().status for _ in range(n)] == [200] * n


def refused(w: OutWorld, choice: random.Random) -> None:
    form = choice.choice(FORMS)
    assert w.ask(form, "GET", w.gamma, PROFILE).status == 403
    assert w.ask(form, "GET", w.beta, PROFILE, authorization=None).status == 403
    assert w.ask(form, "GET", w.faulty, PROFILE).status == 502


def broken(w: OutWorld, choice: random.Random) -> None:
    try:
        assert w.ask(choice.choice(FORMS), "GET", w.moody, PROFILE).status in (200, 502)
    except (OSError, wire.WireError):
        pass  # broken off in mid answer, as it must be seen


def passing(w: OutWorld, choice: random.Random) -> None:
    with Tunnel(w.out(), at("push.test", w.push), basic()) as c:
        c.begin(WEB, "push.test")
        if choice.random() < 0.7:
            assert c.ask("POST", "/x", {"Host": "push.test"}, b"x" * 30000).status == 200
        else:
            c.reset()


def leaving(w: OutWorld, choice: random.Random) -> None:
    """Goes away at some point of a request, with or without a word."""
    body = b"x" * 30000
    data = absolute_request(
        "PUT", "matrix-federation", w.beta.name, SEND, body, ["X-Matrix x"], [bearer()])
    c = wire.Connection(w.out(UNIX))
    c.send(data[: choice.randrange(len(data) + 1)])
    choice.choice((c.close, c.reset))()
    data = connect_request(choice.choice((w.beta.name, at("push.test", w.push))), basic())
    c = wire.Connection(w.out())
    c.send((data + b"\x16\x03\x01" * 9)[: choice.randrange(len(data) + 20)])
    choice.choice((c.close, c.reset))()
    t = w.tunnel(w.moody.name)
    data = inner_request("GET", w.moody.name, PROFILE, None, [w.sign("GET", PROFILE, w.moody.name)])
    t.send(data[: choice.randrange(len(data) + 1)])
    choice.choice((t.close, t.reset))()


@pytest.fixture
def busy(make_world) -> OutWorld:
    w = make_world(kind=OutWorld)
    w.moody = w.remote("delta.test")
    w.moody.script = answer
    w.faulty = w.remote("epsilon.test")
    w.know(w.moody, w.faulty)
    w.faulty.present(PKI.foreign.server("epsilon.test"))
    w.push = stand_up(w, "push.test")
    w.rules["allow"] = [{"host": "push.test", "port": w.push.port}]
    w.config["outbound"].update(idle_max=2, leaves_max=2)
    w.config["timeouts"]["drain"] = "1s"
    return w.start()


def test_many_things_at_once(busy: OutWorld) -> None:
    w = busy
    work: list[Callable[[OutWorld, random.Random], None]] = [
        whole, tunnelled, refused, broken, passing, leaving,
    ]
    faults: list[Any] = []

    def run(seed: int) -> None:
        order = random.Random(seed)
        for _ in range(ROUNDS):
            what = order.choice(work)
            try:
                what(w, order)
            except BaseException as e:  # shown by the main thread
                faults.append((what.__name__, repr(e)))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for t in threads:
        t.start()
    n = 0
    while any(t.is_alive() for t in threads):
        n += 1
        w.config["outbound"].update(idle_max=n % 3, connections_max=16 + n % 5)
        w.publish()
        w.daemon.reload()
        w.daemon.admin("/metrics")
        threads[0].join(0.2)
        for t in threads:
            if not t.is_alive():
                t.join()
    assert not faults
    assert not w.beta.faults
    for form in FORMS:
        a = w.ask(form, "GET", w.beta, PROFILE)
        assert a.status == 200 and a.body in FINE


def test_handovers_lose_nothing(make_world) -> None:
    """Traffic in each form goes on; nobody repeats a request (FD-5.1-3)."""
    w = make_world(kind=OutWorld)
    w.config["timeouts"]["drain_idle"] = "1s"
    w.start()
    over = threading.Event()
    faults: list[str] = []
    done = dict.fromkeys(FORMS, 0)

    def run(form: str) -> None:
        while not over.is_set():
            try:
                assert w.ask(form, "GET", w.beta, PROFILE).status == 200
                done[form] += 1
            except BaseException as e:  # shown by the main thread
                faults.append(f"{form}: {e!r}")
                return

    def more() -> None:
        before = dict(done)
        until("traffic in each form", lambda: faults or all(done[f] > before[f] + 5 for f in FORMS))

    threads = [threading.Thread(target=run, args=(form,)) for form in FORMS * 2]
    for t in threads:
        t.start()
    more()
    for _ in range(2):
        w.daemon.hand_over()
        more()
    over.set()
    for t in threads:
        t.join()
    assert not faults
    assert not w.beta.faults


def test_an_end_in_the_middle_of_everything(busy: OutWorld) -> None:
    """SIGTERM while connections are in every state: no crash, exit status 0 (see the harness)."""
    w = busy
    connections: list[wire.Connection] = []
    data = absolute_request(
        "PUT", "matrix-federation", w.beta.name, SEND, b"x" * 3000, ["X-Matrix x"], [bearer()])
    inner = inner_request("GET", w.moody.name, PROFILE, None, [w.sign("GET", PROFILE, w.moody.name)])
    for i in range(20):
        c = wire.Connection(w.out(UNIX))
        c.send(data[: i * len(data) // 20])
        t = w.tunnel(w.moody.name)
        t.send(inner[: i * len(inner) // 19])
        p = Tunnel(w.out(), at("push.test", w.push), basic())
        p.send(b"\x16\x03\x01"[: i % 4])
        h = Tunnel(w.out(), w.beta.name, basic())
        connections += [c, t, p, h]
    w.daemon.signal(signal.SIGTERM)
    assert w.daemon.process is not None and w.daemon.process.wait(20) == 0
    for c in connections:
        c.close()
