# SPDX-License-Identifier: Apache-2.0
"""The way out when what it needs is missing for a while: descriptors, name servers, its own listeners.
Requests get an answer that says so, and afterwards all is as before (FD-5.2.1.2-6, CP-3-1)."""
import json
import os
import resource

import pytest

from harness import DEADLINE, until
from outworld import FORMS, PROFILE, OutWorld, Tunnel, basic
from sim.dns import A
from test_connections import does_not_spin
from test_outbound_allowed import WEB, at, stand_up
from test_outbound_limits import Held


def status(w: OutWorld, form: str, to: object = None) -> int:
    return w.ask(form, "GET", to or w.beta, PROFILE).status


@pytest.fixture
def out(make_world) -> OutWorld:
    w = make_world(kind=OutWorld)
    w.push = stand_up(w, "push.test")
    w.rules["allow"] = [{"host": "push.test", "port": w.push.port}]
    return w


def test_no_descriptor_for_the_other_server(out: OutWorld) -> None:
    """A client can still be accepted, but nobody be connected to."""
    w = out.start()
    assert [status(w, form) for form in FORMS] == [200] * 3
    w.beta.server.drop()
    w.until_metric("schleuse_remote_connections", 0)
    pid = w.daemon.process.pid
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 1, old[1]))
    assert [status(w, form) for form in FORMS] == [503] * 3
    with Tunnel(w.out(), at("push.test", w.push), basic()) as c:
        assert c.answer.status == 503
    does_not_spin(w)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
    until("it goes on", lambda: [status(w, form) for form in FORMS] == [200] * 3)
    with Tunnel(w.out(), at("push.test", w.push), basic()) as c:
        c.begin(WEB, "push.test")


def test_name_servers_are_dead(out: OutWorld) -> None:
    """What was known goes on being used, what was not is 504 in time, and is found when they are back."""
    w = out
    known, new = w.remote("known.test"), w.remote("new.test")
    w.listed += [known.name, new.name]
    w.publish()
    w.dns.ttl = 1
    for r in (known, new):
        w.dns.records[(r.name.partition(":")[0], A)] = [r.address[0]]
    w.config["lookups"].update(timeout="1s", negative_ttl="1s", negative_ttl_max="1s")
    w.start()
    assert status(w, "A", known) == 200
    asked = len(w.dns.asked)
    w.dns.fault = lambda query, answer: []
    until("its time is over", lambda: status(w, "A", known) == 200 and len(w.dns.asked) > asked)
    assert [status(w, form, known) for form in FORMS] == [200] * 3
    assert [status(w, form, new) for form in FORMS] == [504] * 3
    assert status(w, "A") == 200, "others have nothing to do with it"
    w.dns.fault = lambda query, answer: [answer]
    until("it is found", lambda: status(w, "A", new) == 200)


def test_the_listeners_go_while_requests_run(out: OutWorld) -> None:
    """A reload takes them away: what was begun is finished, and when they come back all is as before."""
    w = out.start()
    listeners = w.config["listeners"]
    passing = Tunnel(w.out(), at("push.test", w.push), basic()).begin(WEB, "push.test")
    held = Held(w)
    for form in FORMS:
        held.ask(2, form)
    until("their requests", lambda: len(w.beta.requests) == 6)
    w.config["listeners"] = listeners[:1]
    w.daemon.reload()
    until("their end", lambda: not (w.folder / "out.sock").exists())
    assert passing.ask("POST", "/x", {"Host": "push.test"}, b"x").status == 200
    assert held.end() == [200] * 6
    passing.close()
    w.until_metric("schleuse_tunnels_open", 0)
    w.config["listeners"] = listeners
    w.daemon.reload()
    where = w.folder / "addresses.json"
    until("their return", lambda: len(json.loads(where.read_text())["listeners"]) == 3)
    w.daemon.addresses = json.loads(where.read_text())
    until("their workers", lambda: [status(w, form) for form in FORMS] == [200] * 3, DEADLINE)
