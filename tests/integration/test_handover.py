# SPDX-License-Identifier: Apache-2.0
"""A successor takes over under load, and what happens when it cannot.  Nothing may fail."""
import signal
import ssl
from pathlib import Path
from typing import Any

import pytest

from harness import DEADLINE, PKI, PROXY, World, invite_v2, member_event, transaction, until
from load import HOST, PATH, Load
from sim import b64, passport, wire
from sim.wire import request
from sim.xmatrix import path
from test_control import hold

ANNA = "@anna:alpha.test"


@pytest.fixture
def own_world(make_world) -> World:
    w = make_world()
    # The program is replaced by some of the tests.
    w.daemon.program = w.folder / "schleuse-proxy"
    w.daemon.program.symlink_to(PROXY)
    w.config["timeouts"]["drain_idle"] = "1s"
    return w.start()


def replace_program(w: World, script: str) -> None:
    w.daemon.program.unlink()
    w.daemon.program.write_text(f"#!/bin/sh\n{script}\n")
    w.daemon.program.chmod(0o755)


def test_two_handovers_lose_nothing(own_world: World) -> None:
    w = own_world
    first = w.daemon.process
    with Load(w) as load:
        for _ in range(2):
            w.daemon.hand_over()
            load.wait()
    assert not load.faults
    assert w.daemon.process is not first
    assert w.daemon.metric("schleuse_connections_opened_total") > 0


def test_no_descriptor_is_left_behind(own_world: World) -> None:
    w = own_world

    def inherited() -> int:
        w.daemon.hand_over()
        return len(list(Path(f"/proc/{w.daemon.process.pid}/fd").iterdir()))

    w.config["admin"] = f"unix:{w.folder / 'a.sock'}"  # asked by nobody
    w.daemon.write()
    counts = [inherited() for _ in range(3)]
    assert len(set(counts)) == 1, counts


def test_the_number_of_workers_may_change(own_world: World) -> None:
    """More workers share the inherited sockets, fewer serve several each."""
    w = own_world
    with Load(w) as load:
        for n in (5, 1, 3):
            w.config["workers"] = n
            w.daemon.write()
            w.daemon.hand_over()
            load.wait()
            assert f"started: {n} workers" in w.daemon.log_text()
    assert not load.faults


def test_listeners_may_change(own_world: World) -> None:
    w = own_world
    old = w.address
    w.config["listeners"] = [{"address": "127.0.0.2:0", "serves": ["clients", "federation"]}]
    w.daemon.write()
    w.daemon.hand_over()
    w.daemon.addresses = until("the new address", lambda: _new_address(w, old))
    assert w.client("GET", PATH).status == 200
    until("the old address is closed", lambda: not _connects(old))


def _new_address(w: World, old: tuple[str, int]):
    now = w.daemon._read_addresses()
    return now if now and now["listeners"] != [f"{old[0]}:{old[1]}"] else None


def _connects(where: tuple[str, int]) -> bool:
    try:
        wire.Connection(where).close()
        return True
    except OSError:
        return False


def failed(w: World, why: str) -> None:
    """A hand-over that fails: the same process goes on."""
    before = w.daemon.process
    n = w.daemon.metric("schleuse_handovers_failed_total")
    with Load(w) as load:
        w.daemon.signal(signal.SIGUSR2)
        until("failure", lambda: w.daemon.metric("schleuse_handovers_failed_total") == n + 1)
        load.wait()
    assert not load.faults
    assert why in w.daemon.log_text()
    assert w.daemon.process is before
    w.daemon.check_alive()


def test_a_broken_configuration_keeps_the_old_process(own_world: World) -> None:
    w = own_world
    good = w.variant()
    w.config["limits"] = {"head_max": "many"}
    w.daemon.write()
    failed(w, "ended with status 1")
    w.daemon.config = w.config = good
    w.daemon.write()
    w.daemon.hand_over()
    assert w.client("GET", PATH).status == 200


def test_a_program_that_ends_keeps_the_old_process(own_world: World) -> None:
    replace_program(own_world, "exit 3")
    failed(own_world, "ended with status 3")


def test_a_program_that_cannot_be_started_keeps_the_old_process(own_world: World) -> None:
    own_world.daemon.program.unlink()
    failed(own_world, "hand-over: cannot start")


def test_a_program_that_is_never_ready_is_ended(own_world: World) -> None:
    w = own_world
    w.config["timeouts"]["handover"] = "1s"
    w.daemon.reload()
    until("the reload", lambda: w.daemon.metric("schleuse_reloads_total", outcome="adopted") == 1)
    replace_program(w, "exec sleep 1000")
    failed(w, "not ready within timeouts.handover")


def test_sigterm_during_a_handover_ends_both(own_world: World) -> None:
    w = own_world
    replace_program(w, "echo $$ >pid; exec sleep 1000".replace("pid", str(w.folder / "pid")))
    w.daemon.signal(signal.SIGUSR2)
    pid = int(until("the successor", lambda: _text(w.folder / "pid")))
    w.daemon.signal(signal.SIGTERM)
    assert w.daemon.process.wait(DEADLINE) == 0
    until("the successor's end", lambda: not Path(f"/proc/{pid}").exists())


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_reload_during_a_failing_handover_is_done_after_it(own_world: World) -> None:
    w = own_world
    replace_program(w, f"echo x >{w.folder / 'started'}; exec sleep 1000")
    w.config["timeouts"]["handover"] = "1s"
    w.daemon.reload()
    until("the reload", lambda: w.daemon.metric("schleuse_reloads_total", outcome="adopted") == 1)
    w.daemon.signal(signal.SIGUSR2)
    until("the successor", lambda: _text(w.folder / "started"))
    w.daemon.signal(signal.SIGHUP)
    until("the reload", lambda: w.daemon.metric("schleuse_reloads_total", outcome="adopted") == 2)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_resume_at_the_successor(own_world: World, version: ssl.TLSVersion) -> None:
    w = own_world
    context = wire.tls_context(lowest=version, highest=version)
    with w.connect(tls=context) as c:
        assert c.ask("GET", PATH, [HOST]).status == 200
        session = c.tls.session
    w.daemon.hand_over()
    with w.connect(tls=context, session=session) as c:
        assert c.ask("GET", PATH, [HOST]).status == 200
        assert c.tls.session_reused


def test_a_running_exchange_ends_at_the_old_process(own_world: World) -> None:
    w = own_world
    release = hold(w)
    with w.connect() as c:
        c.send(request("GET", PATH, [HOST]))
        w.homeserver.wait(PATH)
        w.daemon.begin_handover()
        release.set()
        a = c.read()
        assert a.json() == {"held": True} and a.get("Connection") == "close"
    w.homeserver.script = None


def test_an_invite_accepted_by_one_process_is_known_to_the_other(own_world: World) -> None:
    """FD-5.2.1.2-15: the old process drains, the new one serves; both see what either accepted."""
    w = own_world
    w.config["timeouts"]["drain_idle"] = "20s"
    w.config["timeouts"]["drain"] = "20s"
    w.daemon.reload()
    until("the reload", lambda: w.daemon.metric("schleuse_reloads_total", outcome="adopted") == 1)
    peer = w.peer(w.beta)
    # To the old process: answers end their connection, so one for each request.
    to_old = [peer.connect() for _ in range(2)]
    for c in to_old:
        assert c.ask("GET", PATH, [("Host", w.NAME)]).status == 200
    w.daemon.begin_handover()

    def ask(uri: str, body: Any, c: wire.Connection | None) -> int:
        head = peer.fields(peer.authorization("PUT", uri, body))
        with c or peer.connect() as c:
            return c.ask("PUT", uri, head, b64.sorted_json(body)).status

    for n, (invited, sent) in enumerate([(to_old[0], None), (None, to_old[1])]):
        room, bob = f"!room{n}:{w.beta.name}", f"@bob:{w.beta.name}"
        token = passport.issue(PKI.passport_signer, bob, ANNA)
        invite = "/_matrix/federation/v2/invite" + path(room, "$e")
        assert ask(invite, invite_v2(bob, ANNA, token, room=room), invited) == 200
        event = member_event(bob, ANNA, room)
        send = "/_matrix/federation/v1/send" + path(f"t{n}")
        assert ask(send, transaction(w.beta.name, event), sent) == 200
        # One that nobody accepted.
        event = member_event(bob, ANNA, "!other:beta.test")
        send = "/_matrix/federation/v1/send" + path(f"u{n}")
        assert ask(send, transaction(w.beta.name, event), None) == 403
