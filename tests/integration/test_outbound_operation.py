# SPDX-License-Identifier: Apache-2.0
"""The way out in operation: several messenger services, lists that come and go, reload, drain and
hand-over, what is written down (FD-5.2.1.2-7, FD-5.2.2-16, AF_10064, ML-123620)."""
import os
import re
import signal
import threading
import time
from typing import Any

import pytest

from harness import DEADLINE, PKI, invite_v2, member_event, transaction, until
from outworld import FORMS, PROFILE, SECRET, TCP, UNIX, OutWorld, Tunnel, basic, bearer, inner_request
from sim import passport, wire
from sim.rawserver import Hang
from sim.regsvc import CHANGES
from sim.xmatrix import SigningKey, path
from test_outbound_allowed import WEB, at, stand_up
from test_outbound_limits import Held
from test_regsvc_proxy import check_secrecy, use

OTHER = "another-services-secret"
MISSING = "kann nicht in der Föderation gefunden werden"


def ok(w: OutWorld, form: str = "A", **how: Any) -> int:
    return w.ask(form, "GET", how.pop("to", w.beta), PROFILE, **how).status


# Several messenger services


@pytest.fixture
def two(make_world) -> OutWorld:
    """bravo.test is another service here; listener 3 is alpha's alone."""
    w = make_world(kind=OutWorld)
    w.bravo = w.add_service("bravo.test", outbound=w.way_out("bravo.secret", OTHER))
    w.homeservers.append(w.bravo)
    w.bravo.key = SigningKey("a_bravo")
    w.listed.append("bravo.test")
    w.publish()
    w.config["listeners"].append(
        {"address": "127.0.0.1:0", "serves": ["outbound"], "service": "alpha.test"})
    return w.start()


@pytest.mark.parametrize("form", FORMS)
def test_the_credential_says_whose_homeserver_it_is(two: OutWorld, form: str) -> None:
    """An origin is only as good as the credential it comes with (FD-5.2.1.2-8)."""
    w = two
    mine = basic() if form != "A" else bearer()
    theirs = basic(OTHER) if form != "A" else bearer(OTHER)
    as_bravo: dict[str, Any] = {"origin": "bravo.test", "key": w.bravo.key}
    assert ok(w, form, credential=mine) == 200
    assert ok(w, form, credential=theirs, **as_bravo) == 200
    assert not w.beta.faults and len(w.beta.requests) == 2
    w.refused(w.ask(form, "GET", w.beta, PROFILE, credential=mine, **as_bravo))
    w.refused(w.ask(form, "GET", w.beta, PROFILE, credential=theirs))
    assert len(w.beta.requests) == 2


@pytest.mark.parametrize("form", ["A", "C"])
def test_a_listener_of_one_service(two: OutWorld, form: str) -> None:
    """Another service's secret is none there."""
    w, alone = two, 3
    assert ok(w, form, via=alone) == 200
    scheme = basic if form == "C" else bearer
    a = w.ask(form, "GET", w.beta, PROFILE, via=alone, credential=scheme(OTHER), origin="bravo.test",
              key=w.bravo.key)
    assert a.status == 407
    with Tunnel(w.out(alone), w.beta.name, basic(OTHER)) as c:
        assert c.answer.status == 407


def test_a_service_without_a_way_out(make_world) -> None:
    w = make_world(kind=OutWorld)
    w.add_service("bravo.test")
    w.listed.append("bravo.test")
    w.publish()
    w.start()
    a = w.ask("A", "GET", w.beta, PROFILE, origin="bravo.test")
    w.refused(a, w.beta)
    assert ok(w) == 200


def test_one_service_to_another_of_the_same_proxy(two: OutWorld) -> None:
    """Out through the way out and in through the front door, like all others."""
    w = two
    w.config["lookups"]["hosts"]["bravo.test"] = "127.0.0.1"
    host, port = w.address
    w.listed.append(f"bravo.test:{port}")
    w.publish()
    until("the new name", lambda: ok(w, to=f"bravo.test:{port}") != 403)
    uri = "/_matrix/key/v2/server"
    a = w.ask("A", "GET", f"bravo.test:{port}", uri, authorization=None)
    assert a.status == 200 and a.json()["server_name"] == "bravo.test"


def test_the_inbound_listener_is_no_way_out(two: OutWorld) -> None:
    """Nobody on the Internet may use us to reach others."""
    w = two
    signed = w.sign("GET", PROFILE, w.beta.name)
    fields = [("Host", "matrix.alpha.test"), ("Proxy-Authorization", bearer()), ("Authorization", signed)]
    for target in (f"matrix-federation://{w.beta.name}{PROFILE}", f"https://{w.beta.name}{PROFILE}"):
        with w.connect() as c:
            assert c.ask("GET", target, fields).status in (400, 403, 404, 421)
    with w.connect() as c:
        c.send(f"CONNECT {w.beta.name} HTTP/1.1\r\nHost: {w.beta.name}\r\n\r\n".encode())
        assert c.read().status >= 400
    assert w.beta.untouched


def test_an_outbound_listener_is_no_front_door(two: OutWorld) -> None:
    w = two
    for n in (UNIX, TCP):
        with wire.Connection(w.out(n)) as c:
            a = c.ask("GET", "/_matrix/client/versions", {"Host": "alpha.test"})
        assert a.status in (400, 407) and a.errcode
    assert not w.homeserver.requests("/_matrix/client")


# Lists


@pytest.mark.parametrize("age", [None, 80 * 3600])
def test_without_a_valid_list_nothing_leaves(make_world, age: Any) -> None:
    """FD-5.2.2-16: missing or outdated; 503, so that the homeserver tries again later."""
    w = make_world(kind=OutWorld)
    file = w.folder / "list.jws"
    if age is None:
        file.unlink()
    else:
        w.federation["list"]["ttl"] = "72h"
        os.utime(file, (time.time() - age,) * 2)
    w.start(ready="/health")
    for form in FORMS:
        for uri, how in ((PROFILE, {}), ("/_matrix/key/v2/server", {"authorization": None})):
            a = w.ask(form, "GET", w.beta, uri, **how)
            assert (a.status, a.errcode) == (503, "M_UNKNOWN")
            assert a.get("Retry-After")
    assert w.beta.untouched
    w.publish()
    until("a list", lambda: ok(w) == 200)


def test_a_member_that_leaves(make_world) -> None:
    """From then on it is a stranger, open connections or not."""
    w = make_world(kind=OutWorld)
    w.start()
    with w.tunnel(w.beta.name) as c:
        data = inner_request("GET", w.beta.name, PROFILE, None, [w.sign("GET", PROFILE, w.beta.name)])
        c.send(data)
        assert c.read().status == 200
        w.listed.remove(w.beta.name)
        w.publish()
        until("its removal", lambda: ok(w) == 403)
        c.send(data)
        assert c.read().status == 403


def silent(r: Any) -> None:
    r.fault[CHANGES] = lambda q: Hang()


@pytest.mark.parametrize("form", FORMS)
def test_a_member_that_has_just_joined(make_world, form: str) -> None:
    """AF_10064: who is not on the list is asked about before it is refused."""
    w = make_world(kind=OutWorld)
    r = use(w)
    silent(r)
    w.start()
    r.names, r.version = [*w.listed, w.gamma.name], 2
    assert ok(w, form, to=w.gamma) == 200, "at the first request"
    a = w.ask(form, "GET", "never.test", PROFILE)
    assert w.refused(a) == f"never.test {MISSING}"
    check_secrecy(w, r)


def test_a_domain_in_an_event_that_has_just_joined(make_world) -> None:
    w = make_world(kind=OutWorld)
    r = use(w)
    silent(r)
    w.rules["domains"] = "enforce"
    w.start()
    r.names, r.version = [*w.listed, w.gamma.name], 2
    eve = f"@eve:{w.gamma.name}"
    body = transaction(w.NAME, member_event(eve, eve, "!r:alpha.test", "join"))
    a = w.ask("A", "PUT", w.beta, "/_matrix/federation/v1/send/t1", body)
    assert a.status == 200


def test_a_passport_certificate_that_is_new(make_world) -> None:
    """FD-5.2.1.2-16 for our own invites: its x5u is asked for at the registration service."""
    w = make_world(kind=OutWorld)
    x5u = "https://reg.example.org/other.pem"
    signer = PKI.passport_root.issue("Another PASSporT service")
    r = use(w, passports=True)
    r.certificates, r.hidden = {x5u: signer}, {x5u}
    silent(r)
    w.start()
    value = passport.issue(signer, w.anna, w.bob, header={"x5u": x5u})
    uri = "/_matrix/federation/v2/invite" + path("!r:alpha.test", "$e")
    body = invite_v2(w.anna, w.bob, value, room="!r:alpha.test")
    assert w.ask("A", "PUT", w.beta, uri, body).status == 200


# Reload, drain, hand-over


def test_a_new_secret(make_world) -> None:
    w = make_world(kind=OutWorld)
    w.start()
    w.way_out("out.secret", OTHER)
    w.daemon.reload()
    until("the new one", lambda: ok(w, credential=bearer(OTHER)) == 200)
    assert ok(w) == 407


def test_reload_in_mid_request(make_world) -> None:
    w = make_world(kind=OutWorld)
    w.start()
    tunnel = w.tunnel(w.beta.name)
    held = Held(w)
    for form in FORMS:
        held.ask(1, form)
    until("three requests", lambda: len(w.beta.requests) == 3)
    w.config["outbound"]["connections_max"] = 17
    w.add_service("bravo.test", outbound=w.way_out("another.secret", OTHER))
    w.daemon.reload()
    until("the new one", lambda: w.ask("A", "GET", "x.test", PROFILE, credential=bearer(OTHER)).status == 403)
    assert held.end() == [200] * 3
    data = inner_request("GET", w.beta.name, PROFILE, None, [w.sign("GET", PROFILE, w.beta.name)])
    tunnel.send(data)
    assert tunnel.read().status == 200, "a tunnel that stands goes on"
    tunnel.close()


def test_the_listener_goes(make_world) -> None:
    w = make_world(kind=OutWorld)
    w.start()
    where = w.out(TCP)
    del w.config["listeners"][TCP]
    w.daemon.reload()

    def refuses() -> bool:
        try:
            wire.Connection(where).close()
            return False
        except OSError:
            return True

    until("its end", refuses)
    assert ok(w) == 200


def test_drain(make_world) -> None:
    """SIGTERM: what runs is finished, idle tunnels end, and so does the process."""
    w = make_world(kind=OutWorld)
    push = stand_up(w, "push.test")
    w.rules["allow"] = [{"host": "push.test", "port": push.port}]
    w.start()
    passing = Tunnel(w.out(), at("push.test", push), basic()).begin(WEB, "push.test")
    idle = w.tunnel(w.beta.name)
    held = Held(w)
    for form in FORMS:
        held.ask(1, form)
    until("three requests", lambda: len(w.beta.requests) == 3)
    w.daemon.signal(signal.SIGTERM)
    assert idle.ended()
    assert held.end() == [200] * 3
    assert w.daemon.process.wait(DEADLINE) == 0
    passing.close()


def test_hand_over(make_world) -> None:
    """The successor has the sockets; a request under way ends where it began."""
    w = make_world(kind=OutWorld)
    w.config["timeouts"]["drain_idle"] = "1s"
    w.start()
    mode = os.stat(w.folder / "out.sock").st_mode
    held = Held(w)
    held.ask(1, "A")
    held.ask(1, "B")
    until("two requests", lambda: len(w.beta.requests) == 2)
    w.daemon.begin_handover()
    w.beta.script = None
    for form in FORMS:
        assert ok(w, form) == 200
    assert held.end() == [200] * 2
    w.daemon.end_handover()
    for form in FORMS:
        assert ok(w, form) == 200
    assert os.stat(w.folder / "out.sock").st_mode == mode


def test_the_socket(make_world) -> None:
    """The homeserver is another user: the mode is a setting; what a crash left is replaced."""
    w = make_world(kind=OutWorld)
    w.config["listeners"][UNIX]["socket_mode"] = "660"
    w.start()
    assert os.stat(w.folder / "out.sock").st_mode & 0o777 == 0o660
    w.daemon.kill()
    w.start()
    assert ok(w) == 200


# What is written down


@pytest.mark.parametrize("level", ["info", "warn"])
def test_logs_and_metrics_name_nobody(make_world, level: str) -> None:
    """ML-123620: not whom our users talk to, nor with which secrets."""
    w = make_world(kind=OutWorld)
    w.config["log_level"] = level
    push = stand_up(w, "s3crethost.test")
    w.rules.update(allow=[{"host": "s3crethost.test", "port": push.port}], domains="log")
    w.start()
    start = len(w.daemon.log_text())
    value = passport.issue(PKI.passport_signer, w.anna, w.bob)
    eve = f"@s3creteve:{w.gamma.name}"
    for form in FORMS:
        ok(w, form)
        ok(w, form, to=w.gamma)
        ok(w, form, to="s3cretstranger.test")
        ok(w, form, origin="s3cretorigin.test")
        ok(w, form, key=SigningKey("s3cretkey"))
        for token in (value, None):
            uri = "/_matrix/federation/v2/invite" + path("!s3cretroom:alpha.test", "$e")
            w.ask(form, "PUT", w.beta, uri, invite_v2(w.anna, w.bob, token))
        body = transaction(w.NAME, member_event(eve, eve, "!s3cretroom:alpha.test", "join"))
        w.ask(form, "PUT", w.beta, "/_matrix/federation/v1/send/s3crettxn", body)
        w.ask(form, "GET", w.beta, "/s3cretpath")
    ok(w, credential=bearer("s3cretwrong-s3cretwrong"))
    with Tunnel(w.out(), at("s3crethost.test", push), basic()) as c:
        c.begin(WEB, "s3crethost.test").ask("GET", "/s3cretinside", {"Host": "s3crethost.test"})
    with Tunnel(w.out(), "s3cretelsewhere.test:1", basic()) as c:
        pass
    w.beta.present(PKI.foreign.server("s3cretcertificate.test"))
    w.beta.server.drop()
    w.until_metric("schleuse_remote_connections", 0)
    ok(w)
    metrics = w.daemon.admin("/metrics").body.decode()
    w.daemon.stop()
    log = w.daemon.log_text()[start:]
    for text in (log, metrics):
        low = text.lower()
        for word in ("s3cret", SECRET, "anna", "bob", "beta", "gamma", value, *w.places.values()):
            at_ = low.find(word.lower())
            assert at_ < 0, f"{word!r} in {low[max(0, at_ - 80):][:200]}"
    assert not re.search(r"[@!$#][\w.=/-]+:[\w.-]+\.test", log + metrics)


def test_one_line_per_request(make_world) -> None:
    w = make_world(kind=OutWorld)
    w.start()
    start = len(w.daemon.log_text())
    for form in FORMS:
        ok(w, form)
    ok(w, to=w.gamma)
    w.daemon.stop()
    lines = [t for t in w.daemon.log_text()[start:].splitlines() if "status=" in t and "PUT" not in t]
    requests = [t for t in lines if "CONNECT" not in t]
    assert [re.search(r"status=(\d+)", t)[1] for t in requests] == ["200", "200", "200", "403"]
    assert "reason=destination_unlisted" in requests[-1]
    servers = [re.search(r"server=([0-9a-f]{16})$", t)[1] for t in requests]
    assert servers[0] == servers[2] != servers[3], "lines about one server can be told from others'"


def test_many_at_once_from_the_start(make_world) -> None:
    """Before anything is known: one look-up however many ask."""
    w = make_world(kind=OutWorld)
    w.start()
    got: list[int] = []
    asks = [
        threading.Thread(target=lambda f=form: got.append(ok(w, f))) for form in FORMS * 5
    ]
    for t in asks:
        t.start()
    for t in asks:
        t.join()
    assert got == [200] * 15
    assert len(w.homeserver.requests("/_matrix/key/v2/server")) <= 2
