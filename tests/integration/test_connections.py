# SPDX-License-Identifier: Apache-2.0
"""How many connections there may be, and what happens beyond (ML-123621-2: others go on)."""
import resource
import socket
import time
from contextlib import ExitStack

import pytest

from harness import PKI, World, until
from sim import wire
from sim.h2wire import H2, NO_ERROR

HOST = {"Host": "matrix.alpha.test"}
PATH = "/_matrix/client/versions"
REFUSED, PAUSES = "schleuse_connections_refused_total", "schleuse_accept_pauses_total"


def served(w: World, **how) -> bool:
    try:
        with w.connect(**how) as c:
            return c.ask("GET", PATH, HOST).status == 200
    except OSError:
        return False


def busy(w: World, **how) -> wire.Connection:
    """A connection in the middle of a request, as the proxy knows: it has asked for the body."""
    c = w.connect(**how)
    c.send(b"PUT %s HTTP/1.1\r\nHost: matrix.alpha.test\r\n" % PATH.encode())
    c.send(b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n")
    assert c.read_head().status == 100
    return c


def idle(w: World, **how) -> wire.Connection:
    c = w.connect(**how)
    assert c.ask("GET", PATH, HOST).status == 200
    return c


def is_closed(c: wire.Connection) -> bool:
    c.sock.settimeout(0.05)
    try:
        return c.ended()
    except TimeoutError:
        return False


def does_not_spin(w: World) -> None:
    used, began = w.daemon.cpu_seconds(), time.monotonic()
    time.sleep(1)
    assert w.daemon.cpu_seconds() - used < 0.5 * (time.monotonic() - began)


def test_connections_of_one_address(make_world) -> None:
    """Whatever the worker; closed ones make room; others are not disturbed."""
    w = make_world()
    w.config["workers"] = 4
    w.config["limits"] = {"connections_per_address": 8, "exempt": ["127.0.0.4", "2001:db8::/32"]}
    w.start()
    with ExitStack() as stack:
        held = [stack.enter_context(w.connect(source="127.0.0.2")) for _ in range(8)]
        for _ in range(3):
            with pytest.raises(OSError):
                w.connect(source="127.0.0.2")
        assert w.daemon.metric(REFUSED, reason="per_address") == 3
        assert served(w, source="127.0.0.3")
        for _ in range(12):
            stack.enter_context(w.connect(source="127.0.0.4"))
        held[0].close()
        until("there is room for one more", lambda: served(w, source="127.0.0.2"))
        for c in held:
            assert c is held[0] or c.ask("GET", PATH, HOST).status == 200
        w.config["limits"]["connections_per_address"] = 0
        w.daemon.reload()
        until("the limit is off", lambda: served(w, source="127.0.0.2"))


def test_at_the_limit_accepting_pauses(make_world) -> None:
    """New ones wait in the kernel; nobody is turned away."""
    w = make_world()
    w.config.update(workers=1, limits={"connections_max": 6})
    w.start()
    held = [busy(w) for _ in range(6)]
    until("the pause is counted", lambda: w.daemon.metric(PAUSES, reason="connections") == 1)
    late = socket.create_connection(w.address, 15)
    does_not_spin(w)
    assert w.daemon.metric("schleuse_connections_opened_total") == 6
    held.pop().close()
    with w.tls.wrap_socket(late, server_hostname="matrix.alpha.test") as tls:
        tls.sendall(wire.request("GET", PATH, HOST))
        assert tls.recv(12) == b"HTTP/1.1 200"
    for c in held:
        c.close()
    assert served(w)
    assert w.daemon.log_text().count("limits.connections_max") == 1


def test_workers_share_the_limit(make_world) -> None:
    """A worker whose listeners pause goes on when a connection of another one ends."""
    w = make_world()
    w.config.update(workers=3, limits={"connections_max": 12, "connections_per_address": 0})
    w.start()
    raw = [socket.create_connection(w.address, 15) for _ in range(40)]

    def all_pause() -> bool:
        # One whose queue is empty already pauses with the next that comes to it.
        raw.append(socket.create_connection(w.address, 15))
        return w.daemon.metric(PAUSES, reason="connections") == 3

    until("all workers pause", all_pause)
    assert 12 <= w.daemon.metric("schleuse_connections_opened_total") <= 12 + 2
    for s in raw:
        s.close()
    for _ in range(9):
        until("all workers go on", lambda: served(w))


def test_a_worker_goes_on_when_only_others_have_room_made(make_world) -> None:
    """Each keeps one connection at least; which worker has which is left to chance."""
    w = make_world()
    w.config.update(workers=2, limits={"connections_max": 2})
    w.config["timeouts"]["head"] = "60s"
    w.start()
    for _ in range(3):
        before, held = w.daemon.metric(PAUSES, reason="connections"), []
        while w.daemon.metric(PAUSES, reason="connections") < before + 2:
            try:
                held.append(busy(w, timeout=0.3))
            except TimeoutError:
                pass
        does_not_spin(w)
        for c in held[:-1]:
            c.close()
        for _ in range(6):
            assert served(w)
        held[-1].close()
        until("all are closed", lambda: open_connections(w) == 0)


def open_connections(w: World) -> float:
    opened = w.daemon.metric("schleuse_connections_opened_total")
    return opened - w.daemon.metric("schleuse_connections_closed_total")


def test_a_higher_limit_after_a_reload_ends_the_pause(make_world) -> None:
    w = make_world()
    w.config.update(workers=1, limits={"connections_max": 3})
    w.start()
    held = [busy(w) for _ in range(3)]
    until("the pause", lambda: w.daemon.metric(PAUSES, reason="connections") == 1)
    w.config["limits"]["connections_max"] = 10
    w.daemon.reload()
    assert served(w)
    for c in held:
        c.close()


def test_the_connection_idle_for_longest_gives_way(make_world) -> None:
    w = make_world()
    w.config.update(workers=1, limits={"connections_max": 5})
    w.start()
    working = busy(w)
    held = [idle(w) for _ in range(3)]
    assert held[0].ask("GET", PATH, HOST).status == 200, "now the second has been idle for longest"
    fresh = idle(w)
    until("the second is closed", lambda: is_closed(held[1]))
    assert not is_closed(held[0]) and not is_closed(held[2])
    assert served(w)
    assert w.daemon.metric("schleuse_connections_reaped_total") >= 1
    working.send(b"Host: matrix.alpha.test\r\n\r\n")
    assert working.read().status == 404, "a request under way goes on"
    for c in (*held, fresh, working):
        c.close()


def test_an_idle_connection_of_http_2_gives_way_too(make_world) -> None:
    w = make_world()
    w.config.update(workers=1, limits={"connections_max": 2})
    w.start()
    with H2(w.address, wire.tls_context(PKI.web_root.pem), "matrix.alpha.test") as c, busy(w):
        assert c.ask("GET", PATH).status == 200
        assert c.ended() == [NO_ERROR]
        assert served(w)
    assert w.daemon.metric("schleuse_connections_reaped_total") == 1


def test_out_of_descriptors_it_waits_and_recovers(make_world) -> None:
    w = make_world()
    w.config["workers"] = 2
    w.start()
    assert served(w)
    assert w.daemon.process is not None
    pid = w.daemon.process.pid
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (72, old[1]))
    raw = [socket.create_connection(w.address, 15) for _ in range(120)]
    until("it cannot accept", lambda: "cannot accept" in w.daemon.log_text())
    does_not_spin(w)
    w.daemon.check_alive()
    for s in raw:
        s.close()
    until("it goes on", lambda: served(w))
    assert w.daemon.metric(PAUSES, reason="descriptors") >= 1
    assert served(w) and w.daemon.admin("/ready").status == 200
    assert w.daemon.log_text().count("cannot accept") <= 4, "each listener says so once"


def test_few_descriptors_lower_the_limit(make_world) -> None:
    """A quarter of them stays: for the homeserver, the admin listener, files."""
    w = make_world()
    w.config["workers"] = 1
    w.config["timeouts"]["handshake"] = "2s"
    w.daemon.descriptors = 200
    w.start()
    assert "200 descriptors allow 150 connections" in w.daemon.log_text()
    raw = [socket.create_connection(w.address, 15) for _ in range(190)]
    until("the pause", lambda: w.daemon.metric(PAUSES, reason="connections") >= 1)
    assert w.daemon.metric(PAUSES, reason="descriptors") == 0
    assert w.daemon.admin("/ready").status == 200
    until("the silent ones are gone", lambda: served(w))
    for s in raw:
        s.close()
