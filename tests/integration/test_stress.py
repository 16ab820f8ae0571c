# SPDX-License-Identifier: Apache-2.0
"""Many things at once: clients that leave, a homeserver that breaks off, lists and reloads.

Nothing is measured; the proxy must answer each whole request, stay alive and end clean (sanitizers).
"""
import random
import signal
import threading
from typing import Any, Callable

import pytest

from harness import World
from sim import wire
from sim.rawserver import OK, Close, RawRequest, RawServer, Reply

HOST = ("Host", "matrix.alpha.test")
THREADS, ROUNDS = 8, 25
URI = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"


def answer(r: RawRequest) -> Reply:
    """What a homeserver on a bad day says."""
    if "whole" in r.target or "federation" in r.target:
        return OK
    return random.choice(
        (
            OK,
            Close(),
            Close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"),
            Close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
            Close(b"nonsense\r\n\r\n"),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + wire.chunked(b"x" * 99999),
        )
    )


def whole(w: World) -> None:
    with w.connect() as c:
        for _ in range(3):
            assert c.ask("PUT", "/_matrix/client/v3/whole", [HOST], b"{}" * 500).status == 200


def federation(w: World) -> None:
    assert w.peer(w.beta).ask("GET", URI).status == 200
    assert w.peer(w.gamma).ask("GET", URI).status == 403


def broken(w: World) -> None:
    with w.connect() as c:
        try:
            assert c.ask("GET", "/_matrix/client/v3/any", [HOST]).status in (200, 502)
        except (OSError, wire.WireError):
            pass  # broken off in mid answer, as it must be seen


def leaving(w: World) -> None:
    """Goes away at some point of a request, with or without a word."""
    data = wire.request("POST", "/_matrix/client/v3/any", [HOST], b"x" * 30000)
    c = w.connect()
    c.send(data[: random.randrange(len(data) + 1)])
    random.choice((c.close, c.reset))()


def pipelining(w: World) -> None:
    with w.connect() as c:
        c.send(wire.request("GET", "/_matrix/client/v3/whole", [HOST]) * 5)
        for _ in range(random.randrange(6)):
            assert c.read().status == 200


def reloading(w: World) -> None:
    w.publish()
    w.daemon.signal(signal.SIGHUP)


@pytest.fixture
def busy(make_world) -> World:
    w = make_world()
    w.raw = RawServer(answer)
    w._closers.append(w.raw.close)
    w.main_service["homeserver"] = w.raw.where
    w.config["timeouts"]["drain"] = "1s"
    return w.start()


def test_many_things_at_once(busy: World) -> None:
    work: list[Callable[[World], None]] = [whole, federation, broken, leaving, pipelining]
    faults: list[Any] = []

    def run(seed: int) -> None:
        order = random.Random(seed)
        for _ in range(ROUNDS):
            try:
                order.choice(work)(busy)
            except BaseException as e:  # shown by the main thread
                faults.append(repr(e))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for t in threads:
        t.start()
    for _ in range(10):
        reloading(busy)
        busy.daemon.admin("/metrics")
    for t in threads:
        t.join()
    assert not faults
    whole(busy)
    federation(busy)


def test_an_end_in_the_middle_of_everything(busy: World) -> None:
    """SIGTERM while connections are in every state: no crash, exit status 0 (see the harness)."""
    connections = [busy.connect() for _ in range(20)]
    data = wire.request("POST", "/_matrix/client/v3/any", [HOST], b"x" * 3000)
    for i, c in enumerate(connections):
        c.send(data[: i * len(data) // 20])
    busy.daemon.signal(signal.SIGTERM)
    assert busy.daemon.process is not None and busy.daemon.process.wait(20) == 0
    for c in connections:
        c.close()
