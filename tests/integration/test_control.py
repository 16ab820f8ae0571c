# SPDX-License-Identifier: Apache-2.0
"""Signals, the admin listener, reload and drain."""
import asyncio
import signal
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
import yaml
from aiohttp import web

from harness import DEADLINE, PKI, PROXY, World, until
from sim.wire import request

HOST = ("Host", "matrix.alpha.test")
PATH = "/_matrix/client/versions"


@pytest.fixture
def own_world(make_world) -> Iterator[World]:
    yield make_world().start()


def serial(w: World) -> str:
    with w.connect() as c:
        return c.tls.getpeercert()["serialNumber"]


def test_admin_listener(world: World) -> None:
    assert world.daemon.admin("/health").body.strip() == b"ok"
    assert world.daemon.admin("/ready").status == 200
    assert world.daemon.admin("/nothing").status == 404
    world.client("GET", PATH)
    a = world.daemon.admin("/metrics")
    assert a.status == 200 and a.get("Content-Type").startswith("text/plain")
    text = a.body.decode()
    assert text.endswith("\n") and "# TYPE schleuse_" in text


def test_admin_on_a_unix_socket(make_world) -> None:
    w = make_world(unix=True)
    w.config["admin"] = f"unix:{w.folder / 'admin.sock'}"
    w.start()
    assert w.daemon.addresses["admin"] == w.config["admin"]
    assert w.daemon.admin("/health").status == 200


def test_requests_are_counted(world: World) -> None:
    def total() -> float:
        text = world.daemon.admin("/metrics").body.decode()
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return sum(float(v) for n, v in rows if "requests" in n and "bucket" not in n)

    before = total()
    for _ in range(5):
        world.client("GET", PATH)
    until("five more requests", lambda: total() >= before + 5)


def test_a_bad_configuration_is_refused_on_reload(own_world: World) -> None:
    w = own_world
    good = w.variant()
    w.config["limits"] = {"head_max": "many"}
    w.daemon.reload()
    until("a fault with its place", lambda: "proxy.yaml:" in w.daemon.log_text())
    assert w.client("GET", PATH).status == 200
    w.daemon.config = w.config = good
    good["services"][0]["federation_paths"] = {"version": "authenticated"}
    w.daemon.reload()
    uri = "/_matrix/federation/v1/version"
    until("the good one", lambda: w.peer(w.beta).send("GET", uri, None, None).status in (401, 403))


def test_reload_swaps_the_certificate_and_drops_nobody(own_world: World) -> None:
    w = own_world
    before = serial(w)
    with w.connect() as old:
        assert old.ask("GET", PATH, [HOST]).status == 200
        PKI.web.server("matrix.alpha.test", "alpha.test").write(w.folder / "service-alpha.test")
        w.daemon.reload()
        until("the new certificate", lambda: serial(w) != before)
        assert old.ask("GET", PATH, [HOST]).status == 200


def test_reload_keeps_a_running_request(own_world: World) -> None:
    w = own_world
    release = hold(w)
    with w.connect() as c:
        c.send(request("GET", PATH, [HOST]))
        w.homeserver.wait(PATH)
        w.add_service("bravo.test")
        w.daemon.reload()
        until("the second service", lambda: _serves(w, "bravo.test"))
        release.set()
        assert c.read().status == 200


def _serves(w: World, name: str) -> bool:
    try:
        with w.connect(name) as c:
            return c.ask("GET", PATH, {"Host": name}).status == 200
    except OSError:
        return False


def hold(w: World) -> asyncio.Event:
    """Requests for PATH wait in alpha's homeserver until the returned thing is set."""

    class Gate:
        is_open = False

        def set(self) -> None:
            self.is_open = True

    gate = Gate()

    async def script(seen, _):
        while not gate.is_open:
            await asyncio.sleep(0.01)
        return web.json_response({"held": True})

    w.homeserver.script = script
    return gate


def test_sigterm_finishes_what_runs(own_world: World) -> None:
    w = own_world
    release = hold(w)
    idle = w.connect()
    with w.connect() as c:
        c.send(request("GET", PATH, [HOST]))
        w.homeserver.wait(PATH)
        w.daemon.signal(signal.SIGTERM)
        until("no new connections", lambda: _refuses(w))
        release.set()
        a = c.read()
        assert a.json() == {"held": True}
        assert c.ended()
    assert idle.ended()
    assert w.daemon.process.wait(DEADLINE) == 0


def _refuses(w: World) -> bool:
    try:
        w.connect().close()
        return False
    except OSError:
        return True


def test_drain_has_a_deadline(make_world) -> None:
    w = make_world()
    w.config["timeouts"]["drain"] = "1s"
    w.start()
    hold(w)
    with w.connect() as c:
        c.send(request("GET", PATH, [HOST]))
        w.homeserver.wait(PATH)
        w.daemon.signal(signal.SIGTERM)
        assert w.daemon.process.wait(DEADLINE) == 0


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_workers(make_world, workers: int) -> None:
    w = make_world()
    w.config["workers"] = workers
    w.start()
    for _ in range(8):
        assert w.client("GET", PATH).status == 200


def test_many_reloads_in_a_row(own_world: World) -> None:
    w = own_world
    for _ in range(10):
        w.daemon.signal(signal.SIGHUP)
        assert w.client("GET", PATH).status == 200
    w.daemon.check_alive()


def test_a_second_proxy_does_not_share_the_port(world: World, tmp_path: Path) -> None:
    """SO_REUSEPORT would let it, and half of the connections would go astray."""
    config = {
        **world.config,
        "listeners": [{**row, "address": world.daemon.addresses["listeners"][i]}
                      for i, row in enumerate(world.config["listeners"])],
        "state_dir": str(tmp_path),
        "addresses_file": str(tmp_path / "addresses"),
    }
    file = tmp_path / "second.yaml"
    file.write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [str(PROXY), "-c", str(file)], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert "another process" in done.stderr
    assert world.client("GET", PATH).status == 200
