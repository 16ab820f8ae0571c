# SPDX-License-Identifier: Apache-2.0
"""Reloads under load that change everything that may change, listeners above all."""
import json
import signal
import socket
from pathlib import Path

import pytest

from harness import PKI, World, split, until
from load import HOST, PATH, WAITING, Load, all_served
from sim import wire


@pytest.fixture
def own_world(make_world) -> World:
    return make_world().start()


def adopted(w: World) -> float:
    return w.daemon.metric("schleuse_reloads_total", outcome="adopted")


def refused(w: World) -> float:
    return w.daemon.metric("schleuse_reloads_total", outcome="refused")


def reload(w: World) -> None:
    """A reload that must succeed; the new addresses are known after it."""
    n = adopted(w)
    w.daemon.reload()
    until("the reload", lambda: adopted(w) == n + 1)
    w.daemon.addresses = json.loads(Path(w.config["addresses_file"]).read_text())


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connects(where: tuple[str, int]) -> bool:
    try:
        wire.Connection(where).close()
        return True
    except OSError:
        return False


def test_twenty_reloads_of_everything_lose_nothing(own_world: World) -> None:
    w = own_world
    first = w.config["listeners"][0]
    with Load(w) as load:
        for i in range(20):
            PKI.web.server("matrix.alpha.test", "alpha.test").write(w.folder / "service-alpha.test")
            w.config["limits"] = {"head_max": 20000 + i}
            # Another one comes, stays for a reload, goes, and now and then comes back.
            more = [{"address": "127.0.0.1:0", "serves": ["clients"]} for _ in range(i % 3)]
            w.config["listeners"] = [{**first, "serves": ["clients"]} if i % 2 else first, *more]
            reload(w)
            assert len(w.daemon.addresses["listeners"]) == 1 + len(more)
        load.wait()
    assert not load.faults


def test_a_listener_comes_and_goes(own_world: World) -> None:
    w = own_world
    w.config["listeners"].append({"address": f"127.0.0.1:{free_port()}", "serves": ["clients"]})
    reload(w)
    added = w.daemon.address(1)
    kept = wire.Connection(added, w.tls, "matrix.alpha.test")
    a = kept.ask("GET", PATH, [HOST])
    assert a.status == 200 and a.get("Connection") is None
    assert kept.ask("GET", "/_matrix/federation/v1/version", [HOST]).status == 404
    w.config["listeners"].pop()
    reload(w)
    until("the listener is closed", lambda: not connects(added))
    # Its connection is served once more, and told that this was the last time.
    a = kept.ask("GET", PATH, [HOST])
    assert a.status == 200 and a.get("Connection") == "close"
    assert kept.ended()
    assert w.client("GET", PATH).status == 200


def test_what_waits_at_a_removed_listener_is_served(own_world: World) -> None:
    """Connections in its queues are neither reset nor left without an answer."""
    w = own_world
    where = f"127.0.0.1:{free_port()}"
    w.config["limits"] = {"connections_per_address": 0}
    w.config["listeners"].append({"address": where, "serves": ["clients"]})
    reload(w)
    w.config["listeners"].pop()
    w.daemon.signal(signal.SIGSTOP)
    waiting = [socket.create_connection(split(where)) for _ in range(WAITING)]
    w.daemon.reload()
    w.daemon.signal(signal.SIGCONT)
    all_served(w, waiting)
    until("it is closed", lambda: not connects(split(where)))


def test_a_removed_listener_may_come_back_at_once(own_world: World) -> None:
    w = own_world
    more = {"address": f"127.0.0.1:{free_port()}", "serves": ["clients"]}
    for listeners in ([more], [], [more], [], [more]):
        w.config["listeners"] = [w.config["listeners"][0], *listeners]
        reload(w)

    def is_kept() -> bool:
        with wire.Connection(w.daemon.address(1), w.tls, "matrix.alpha.test") as c:
            a = c.ask("GET", PATH, [HOST])
            assert a.status == 200
            return a.get("Connection") is None

    until("connections are kept again", is_kept)


def test_an_address_in_use_refuses_the_whole_reload(own_world: World) -> None:
    w = own_world
    before = w.daemon.addresses
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        w.config["listeners"] = [
            {"address": f"127.0.0.1:{free_port()}", "serves": ["clients"]},
            {"address": "127.0.0.1:%d" % taken.getsockname()[1], "serves": ["clients"]},
        ]
        new = split(w.config["listeners"][0]["address"])
        with Load(w) as load:
            w.daemon.reload()
            until("the refusal", lambda: refused(w) == 1)
            load.wait()
        assert not load.faults
    assert "another process" in w.daemon.log_text()
    assert not connects(new)
    assert json.loads(Path(w.config["addresses_file"]).read_text()) == before


def test_what_a_listener_serves_changes(own_world: World) -> None:
    w = own_world
    uri = "/_matrix/federation/v1/version"
    with w.connect() as old:
        assert old.ask("GET", uri, [HOST]).status == 200
        w.config["listeners"][0]["serves"] = ["clients"]
        reload(w)
        until("404 for new ones", lambda: w.client("GET", uri).status == 404)
        # A connection that is older is served once more, then it has to come again.
        last = old.ask("GET", uri, [HOST])
        assert last.status == 200 and last.get("Connection") == "close"
        assert old.ended()


def test_a_narrower_address_replaces_a_wide_one(own_world: World) -> None:
    w = own_world
    port = free_port()
    for host in ("0.0.0.0", "127.0.0.1", "0.0.0.0"):
        w.config["listeners"] = [{"address": f"{host}:{port}", "serves": ["clients"]}]
        reload(w)
        with wire.Connection(("127.0.0.1", port), w.tls, "matrix.alpha.test") as c:
            assert c.ask("GET", PATH, [HOST]).status == 200


def test_the_admin_listener_moves(own_world: World) -> None:
    w = own_world
    old = split(w.daemon.addresses["admin"])
    w.config["admin"] = f"unix:{w.folder / 'a.sock'}"
    w.daemon.reload()
    until("the new one", lambda: (w.folder / "a.sock").exists())
    w.daemon.addresses["admin"] = w.config["admin"]
    assert w.daemon.admin("/health").status == 200
    until("the old one is closed", lambda: not connects(old))


def test_workers_need_a_restart_and_the_log_says_so(own_world: World) -> None:
    w = own_world
    w.config["workers"] = 3
    reload(w)
    assert "need a restart or a hand-over: workers" in w.daemon.log_text()
