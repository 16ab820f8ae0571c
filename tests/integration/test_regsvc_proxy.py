# SPDX-License-Identifier: Apache-2.0
"""A proxy and its registration service: the list by pull and push, outages, faults, how it logs in
(FD-5.2.1.2-13, -16, -17, FD-5.2.2-16, -17, CP-1.2.2-3 to -5, CP-3-6, B-5.4.4)."""
from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, Callable

import pytest

from harness import PKI, World, until
from sim import fedlist, regsvc
from sim.rawserver import Close, Hang, RawRequest, Reply
from sim.regsvc import CHANGES, CLIENT, LIST, SECRET, STATUS, Regsvc, http, problem

URI = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"


def use(w: World, *, auth: str = "basic", passports: bool = False, **how: Any) -> Regsvc:
    """Puts a registration service between the world's list and its proxy."""
    r = Regsvc(w.folder, PKI, list(w.listed), auth=auth)
    w._closers.append(r.close)
    section: dict[str, Any] = {
        "url": r.url, "subscription": regsvc.SUBSCRIPTION, "auth": auth,
        "ca_file": str(w.ca_file), "timeout": "5s",
    }
    if auth == "mtls":
        section["certificate"], section["key"] = map(str, r.client.write(w.folder / "client"))
    else:
        secret = w.folder / "regsvc.secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        section.update(client_id=CLIENT, password_file=str(secret))
    w.federation["regsvc"] = {**section, **how}
    source: dict[str, Any] = w.federation["list"]
    del source["file"]
    source.update(source="regsvc", interval="1h")
    if passports:
        w.federation["passport"] = {
            "anchors": w.federation["passport"]["anchors"], "source": "regsvc",
        }
    return r


def status(w: World, who: Any = None) -> int:
    return w.peer(who or w.beta).ask("GET", URI.replace("alpha.test", w.NAME)).status


def logs(w: World) -> str:
    return w.daemon.log_text()


def check_secrecy(w: World, r: Regsvc) -> None:
    """Neither password nor token is in the log, and nothing was asked as it must not be."""
    text = logs(w) + w.daemon.admin("/metrics").body.decode()
    basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    for secret in (SECRET, basic, *r.tokens):
        assert secret not in text
    assert not r.faults


# How it logs in


@pytest.mark.parametrize("auth", ["basic", "oauth", "mtls"])
def test_each_way_to_authenticate(make_world, auth: str) -> None:
    w = make_world()
    r = use(w, auth=auth)
    w.config["log_level"] = "debug"
    w.start()
    assert status(w) == 200
    r.change(names=[w.NAME])
    until("beta's removal", lambda: status(w) == 403)
    if auth == "oauth":
        assert len(r.asked("token")) == 1, "one token for all questions"
    check_secrecy(w, r)


def test_a_token_is_renewed_before_its_end_and_after_a_refusal(make_world) -> None:
    w = make_world()
    r = use(w, auth="oauth")
    r.token_lifetime = 2
    w.federation["list"]["interval"] = "300ms"
    w.start()
    until("a third token", lambda: len(r.asked("token")) >= 3)
    assert "reason=http_answer status=401" not in logs(w)
    r.token_lifetime = 3600
    until("a long token", lambda: max(r.tokens.values()) - min(r.tokens.values()) > 1000)
    n = len(r.asked("token"))
    r.tokens.clear()
    until("a new token", lambda: len(r.asked("token")) > n)
    r.change(names=[w.NAME])
    until("beta's removal", lambda: status(w) == 403)
    check_secrecy(w, r)


def test_wrong_credentials_are_told_and_not_hammered(make_world) -> None:
    w = make_world()
    r = use(w)
    Path(w.federation["regsvc"]["password_file"]).write_text("wrong")
    w.start(ready="/health")
    until("the advice", lambda: "does not know these credentials" in logs(w))
    assert status(w) == 503
    assert w.daemon.metric("schleuse_regsvc_requests_total", outcome="denied") > 0
    assert w.daemon.metric("schleuse_regsvc_up") == 0
    assert len(r.asked(LIST)) == 1
    Path(w.federation["regsvc"]["password_file"]).write_text(SECRET)
    w.daemon.reload()
    until("the list", lambda: status(w) == 200)


def test_only_the_right_server_over_tls(make_world) -> None:
    w = make_world()
    r = use(w)
    w.federation["regsvc"]["url"] = f"https://gamma.test:{r.port}"  # not in its certificate
    w.start(ready="/health")
    until("an attempt", lambda: r.server.connections)
    until("the reason", lambda: "reason=tls" in logs(w))
    assert status(w) == 503
    assert not r.server.requests


# Pull and push


def test_a_new_list_is_pushed(make_world) -> None:
    w = make_world()
    r = use(w)
    w.start()
    assert status(w) == 200 and status(w, w.gamma) == 403
    until("the long poll", lambda: len(r.asked(CHANGES)) >= 2)
    r.change(names=[w.NAME, w.gamma.name])
    until("gamma", lambda: status(w, w.gamma) == 200, 5)
    assert status(w) == 403, "a removed server is refused from then on"
    assert w.daemon.metric("schleuse_regsvc_up") == 1
    assert w.daemon.metric("schleuse_regsvc_pushes_total") >= 2
    assert w.daemon.metric("schleuse_federation_list_version") == r.version
    until("the next long poll", lambda: "list=2" in r.asked(CHANGES)[-1].target)
    assert all("wait=60" in q.target for q in r.asked(CHANGES))


def test_it_is_polled_where_nothing_is_pushed(make_world) -> None:
    w = make_world()
    r = use(w)
    w.federation["list"]["interval"] = "300ms"
    r.fault[CHANGES] = lambda q: problem(404)
    w.start()
    assert status(w) == 200
    r.names, r.version = [w.NAME], 2
    until("beta's removal", lambda: status(w) == 403)
    asked = [q.target for q in r.asked(LIST)]
    assert asked[0].endswith(LIST) and asked[1].endswith("version=1")


def test_one_question_for_changes_a_second_even_if_it_returns_at_once(make_world) -> None:
    w = make_world()
    r = use(w)
    r.fault[CHANGES] = lambda q: http(
        200, b'{"federation_list":{"version":7},"passport_certificates":{"etag":"x"}}'
    )
    w.start()
    until("a third question", lambda: len(r.asked(CHANGES)) >= 3)
    began = w.daemon.metric("schleuse_regsvc_pushes_total")
    assert began <= len(r.asked(CHANGES)) <= began + 2
    assert status(w) == 200


# Faults: the good list stays


def _list_fault(make: Callable[[Regsvc], bytes]) -> Callable[[Regsvc], Callable[[RawRequest], Reply]]:
    return lambda r: lambda q: http(200, make(r), "application/jose", Age=0)


FAULTS: dict[str, Callable[[Regsvc], Callable[[RawRequest], Reply]]] = {
    "lower": _list_fault(lambda r: r.list_of(1, ["x.test"])),
    "foreign signature": _list_fault(
        lambda r: fedlist.sign(fedlist.plain(99, ["x.test"]), PKI.foreign.issue("F", kind="bp256"))
    ),
    "broken": _list_fault(lambda r: b"<html>"),
    "altered": _list_fault(lambda r: r.list_of(99, ["x.test"])[:-8] + b"AAAAAAAA"),
    "too large": _list_fault(lambda r: b"a" * (80 << 10)),
    "cut off": lambda r: lambda q: Close(
        b"HTTP/1.1 200 OK\r\nAge: 0\r\nContent-Length: 9999\r\n\r\nabc"
    ),
    "slow": lambda r: lambda q: Hang(b"HTTP/1.1 200 OK\r\nAge: 0\r\nContent-Length: 99\r\n\r\na"),
    "nothing": lambda r: lambda q: Close(),
    "without age": lambda r: lambda q: http(200, r.list_of(99, ["x.test"]), "application/jose"),
    "a mere 503": lambda r: lambda q: problem(503),
    "server error": lambda r: lambda q: problem(500),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_changes_nothing(make_world, fault: str) -> None:
    w = make_world()
    r = use(w, timeout="500ms")
    w.federation["list"]["max_bytes"] = "64k"
    r.version = 5
    w.start()
    assert status(w) == 200
    r.fault[LIST] = FAULTS[fault](r)
    r.change(names=[w.NAME], version=99)
    until("the line in the log", lambda: "federation list refused" in logs(w))
    assert status(w) == 200
    assert w.daemon.metric("schleuse_federation_list_refused_total") >= 1
    del r.fault[LIST]
    r.change(names=[w.NAME], version=100)
    until("the next good list", lambda: status(w) == 403)


# Age and the time to live


def test_a_list_is_as_old_as_the_service_says(make_world) -> None:
    w = make_world()
    r = use(w)
    w.federation["list"].update(ttl="100s", interval="300ms")
    r.age = 50
    w.start()
    assert status(w) == 200
    r.age = 101
    assert status(w) == 200, "as of when it was said"
    w.daemon.stop()
    for file in (w.folder / "state").glob("federation-*"):
        file.unlink()
    w.daemon.start(ready="/health")
    until("the outdated list", lambda: b"list is outdated" in w.daemon.admin("/ready").body)
    assert status(w) == 503
    r.age = 0
    until("the federation", lambda: status(w) == 200)


def test_the_federation_ends_with_the_time_to_live(make_world) -> None:
    w = make_world()
    r = use(w)
    w.federation["list"].update(ttl="3s", interval="200ms")
    w.start()
    assert status(w) == 200
    r.close()
    until("the end", lambda: status(w) == 503)
    assert b"outdated" in w.daemon.admin("/ready").body
    r.restart()
    until("the federation", lambda: status(w) == 200)


def test_an_outdated_list_there_closes_the_federation_here(make_world) -> None:
    w = make_world()
    r = use(w)
    w.federation["list"]["interval"] = "200ms"
    w.start()
    assert status(w) == 200
    r.status = "veraltet"
    until("the end", lambda: status(w) == 503)
    asked = len(r.asked(LIST))
    assert b"outdated at the registration service" in w.daemon.admin("/ready").body
    assert w.daemon.metric("schleuse_regsvc_outdated") == 1
    assert status(w, w.gamma) == 503
    w.daemon.reload()
    until("the reload", lambda: "new configuration is in force" in logs(w))
    until("a question of the new configuration", lambda: len(r.asked(LIST)) > asked)
    assert status(w) == 503
    asked = len(r.asked(LIST))
    until("another poll", lambda: w.daemon.metric("schleuse_regsvc_up") == 1)
    assert len(r.asked(LIST)) == asked, "not asked for the list while it is outdated"
    r.change(status="aktuell", names=r.names)
    until("the federation", lambda: status(w) == 200)
    assert "has a current list again" in logs(w)


def test_an_outdated_list_stays_so_until_there_is_other_word(make_world) -> None:
    """A service that then answers nothing of use has not said that its list is current."""
    w = make_world()
    r = use(w, outdated_wait="1s")
    w.federation["list"]["interval"] = "100ms"
    w.start()
    assert status(w) == 200
    r.status = "veraltet"
    until("the end", lambda: status(w) == 503)
    r.fault[STATUS] = lambda q: problem(500)
    asked = len(r.asked(STATUS))
    until("questions about the status", lambda: len(r.asked(STATUS)) > asked + 1)
    assert status(w) == 503
    assert w.daemon.metric("schleuse_regsvc_outdated") == 1
    del r.fault[STATUS]
    r.change(status="aktuell", names=r.names)
    until("the federation", lambda: status(w) == 200)


# Outages


def test_everything_goes_on_while_the_service_is_down(make_world) -> None:
    w = make_world()
    r = use(w)
    w.start()
    r.close()
    until("the line", lambda: "announces no changes" in logs(w))
    assert status(w) == 200
    w.daemon.stop()
    w.daemon.start()
    assert status(w) == 200, "from what was kept"
    until("its line", lambda: logs(w).count("announces no changes") == 2)
    r.restart()
    r.change(names=[w.NAME])
    until("the new list", lambda: status(w) == 403)
    until("the line", lambda: "announces changes again" in logs(w))


def test_a_list_kept_on_disk_is_verified_again(make_world) -> None:
    w = make_world()
    r = use(w)
    w.start()
    r.close()
    w.daemon.stop()
    kept = w.folder / "state" / "federation-ti.jws"
    kept.write_bytes(fedlist.sign(fedlist.plain(9, w.listed), PKI.foreign.issue("F", kind="bp256")))
    w.daemon.start(ready="/health")
    assert status(w) == 503


def test_a_reload_switches_the_source(make_world) -> None:
    w = make_world()
    r = use(w)
    w.start()
    assert status(w) == 200
    regsvc_list = dict(w.federation["list"])
    w.version = 50
    w.listed = [w.NAME, w.gamma.name]
    w.publish()
    w.federation["list"] = {
        "file": str(w.folder / "list.jws"), "interval": "200ms", "anchors": regsvc_list["anchors"],
    }
    w.daemon.reload()
    until("the file's list", lambda: status(w) == 403 and status(w, w.gamma) == 200)
    waiting = len(r.asked(CHANGES))
    w.federation["list"] = regsvc_list
    w.daemon.reload()
    until("a question", lambda: len(r.asked(CHANGES)) > waiting)
    r.change(names=list(r.names), version=60)
    until("the service's list", lambda: status(w) == 200)


def test_a_handover_keeps_list_and_connection(make_world) -> None:
    w = make_world()
    r = use(w)
    w.start()
    w.daemon.hand_over()
    assert status(w) == 200
    r.change(names=[w.NAME])
    until("beta's removal", lambda: status(w) == 403)
