# SPDX-License-Identifier: Apache-2.0
"""Names a proxy does not know, and PASSporT certificates, from its registration service
(AF_10064, A_25537, FD-5.2.1.2-16, FD-5.2.2-20, -22, B-5.4-0)."""
from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness import PKI, World, invite_v2, until
from sim import passport
from sim.keyserver import KeyServer
from sim.pki import PASSPORT_X5U, Issued
from sim.rawserver import Hang
from sim.regsvc import CERTIFICATES, CHANGES, LIST, Regsvc, http, problem
from sim.xmatrix import path
from test_regsvc_proxy import URI, check_secrecy, logs, status, use

ROOM = "!room:beta.test"
OTHER_X5U = "https://reg.example.org/other.pem"


def misses(w: World, kind: str, outcome: str) -> float:
    return w.daemon.metric("schleuse_regsvc_misses_total", kind=kind, outcome=outcome)


def silent(r: Regsvc) -> None:
    """Nothing is pushed, so that only questions bring anything new."""
    r.fault[CHANGES] = lambda q: Hang()


# Domains


def test_a_server_that_has_just_joined_is_found(make_world) -> None:
    w = make_world()
    r = use(w)
    silent(r)
    w.start()
    r.names, r.version = [*w.listed, w.gamma.name], 2
    assert status(w, w.gamma) == 200, "at its first request"
    assert misses(w, "domain", "asked") == 1
    check_secrecy(w, r)


def test_a_stranger_is_asked_about_once_and_never_asked_itself(make_world) -> None:
    w = make_world()
    w.config["workers"] = 1
    r = use(w)
    silent(r)
    w.start()
    before = len(r.asked(LIST))
    for _ in range(5):
        assert status(w, w.gamma) == 403
    assert len(r.asked(LIST)) == before + 1
    assert not w.gamma.server.requests, "no keys are fetched from who is not listed (O-12)"


def test_a_stranger_is_asked_about_again_after_a_while(make_world) -> None:
    w = make_world()
    r = use(w, miss_ttl="1s")
    silent(r)
    w.start()
    assert status(w, w.gamma) == 403
    r.names, r.version = [*w.listed, w.gamma.name], 2
    until("gamma", lambda: status(w, w.gamma) == 200)


def stranger(w: World, n: int) -> int:
    uri = URI.replace("alpha.test", w.NAME)
    return w.peer(w.gamma, name=f"s{n}.invented.test").ask("GET", uri).status


def test_invented_names_cost_the_service_no_more_than_the_rate(make_world) -> None:
    w = make_world()
    r = use(w, miss_rate=3)
    silent(r)
    w.start()
    before = len(r.asked(LIST))
    for n in range(30):
        assert stranger(w, n) == 403
    assert len(r.asked(LIST)) == before + 3
    assert misses(w, "domain", "limited") == 27
    assert status(w) == 200


def test_no_questions_with_rate_0(make_world) -> None:
    w = make_world()
    r = use(w, miss_rate=0)
    silent(r)
    w.start()
    before = len(r.asked(LIST))
    assert status(w, w.gamma) == 403
    assert len(r.asked(LIST)) == before


def test_who_comes_together_waits_for_one_question(make_world) -> None:
    w = make_world()
    r = use(w, miss_rate=2)
    silent(r)
    w.start()
    go = threading.Event()

    def slow(q: Any) -> bytes:
        go.wait(10)
        return r._list(q, {})

    before = len(r.asked(LIST))
    r.names, r.version = [*w.listed, w.gamma.name], 2
    r.fault[LIST] = slow
    with ThreadPoolExecutor(8) as pool:
        strangers = [pool.submit(stranger, w, n) for n in range(6)]
        newcomer = pool.submit(status, w, w.gamma)
        until("the question", lambda: len(r.asked(LIST)) == before + 1)
        assert status(w) == 200, "members do not wait"
        until("all of them", lambda: misses(w, "domain", "asked") == 7)
        go.set()
        assert newcomer.result() == 200
        assert [s.result() for s in strangers] == [403] * 6
    assert len(r.asked(LIST)) == before + 1


@pytest.mark.parametrize("what", ["down", "silent"])
def test_a_stranger_is_refused_when_the_service_does_not_answer(make_world, what: str) -> None:
    w = make_world()
    r = use(w, timeout="500ms")
    silent(r)
    w.start()
    if what == "down":
        r.close()
    else:
        r.fault[LIST] = lambda q: Hang()
    assert status(w, w.gamma) == 403
    assert status(w) == 200


def test_nobody_is_asked_where_the_list_is_a_file(make_world) -> None:
    w = make_world().start()
    assert status(w, w.gamma) == 403
    assert misses(w, "domain", "asked") == 0


# PASSporTs


def invite(w: World, signer: Issued, x5u: str | None, *, who: KeyServer | None = None):
    who = who or w.beta
    bob, anna = f"@bob:{who.name}", f"@anna:{w.NAME}"
    header = {"x5u": x5u if x5u is not None else passport.OMIT}
    token = passport.issue(signer, bob, anna, header=header)
    uri = "/_matrix/federation/v2/invite" + path(ROOM, "$e")
    return w.peer(who).ask("PUT", uri, invite_v2(bob, anna, token))


def served(w: World, **how: Any) -> Regsvc:
    """A world whose PASSporT certificates come from the service, which has one."""
    r = use(w, passports=True, **how)
    r.certificates = {PASSPORT_X5U: PKI.passport_signer}
    return r


def held(w: World) -> float:
    return w.daemon.metric("schleuse_regsvc_certificates")


def test_certificates_come_from_the_service_and_are_withdrawn(make_world) -> None:
    w = make_world()
    r = served(w)
    w.start()
    until("the certificate", lambda: held(w) == 1)
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200
    other = PKI.passport_root.issue("Another PASSporT service")
    r.change(certificates={OTHER_X5U: other})
    until("the other certificate", lambda: invite(w, other, OTHER_X5U).status == 200, 5)
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 403
    until("the reason", lambda: "reason=passport_certificate" in logs(w))
    check_secrecy(w, r)


FAULTY: dict[str, Any] = {
    "foreign": lambda: PKI.foreign.issue("Foreign"),
    "nousage": lambda: PKI.passport_root.issue("No usage", usage=None),
    "bp256": lambda: PKI.passport_root.issue("Brainpool", kind="bp256"),
    "expired": lambda: PKI.passport_root.issue("Old", starts=-100, days=50),
}


@pytest.mark.parametrize("what", list(FAULTY))
def test_the_service_is_no_trust_anchor(make_world, what: str) -> None:
    w = make_world()
    r = served(w)
    bad = FAULTY[what]()
    r.certificates[OTHER_X5U] = bad
    w.start()
    until("the certificates", lambda: held(w) >= 1)
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200
    signer = bad if what != "bp256" else PKI.passport_signer
    assert invite(w, signer, OTHER_X5U).status == 403
    assert ("left out" in logs(w)) or what == "expired"


def test_an_unknown_x5u_is_asked_about_and_never_fetched(make_world) -> None:
    w = make_world()
    r = served(w)
    silent(r)
    trap = w.remote("delta.test")  # the host of the x5u: nobody may come
    x5u = f"https://delta.test:{trap.name.rpartition(':')[2]}/passport.pem"
    other = PKI.passport_root.issue("Another PASSporT service")
    w.start()
    until("the certificate", lambda: held(w) == 1)
    assert invite(w, other, x5u).status == 403
    r.certificates[OTHER_X5U] = other
    assert invite(w, other, OTHER_X5U).status == 200, "at its first use"
    targets = [q.target for q in r.asked(CERTIFICATES) if "x5u=" in q.target]
    assert len(targets) == 2 and "other.pem" in targets[1]
    assert not trap.server.requests


def test_an_unknown_x5u_is_asked_about_once(make_world) -> None:
    w = make_world()
    w.config["workers"] = 1
    r = served(w, miss_rate=2)
    silent(r)
    w.start()
    until("the certificate", lambda: held(w) == 1)
    stranger_ = PKI.passport_root.issue("Stranger")
    before = len(r.asked(CERTIFICATES))
    for _ in range(3):
        assert invite(w, stranger_, OTHER_X5U).status == 403
    assert len(r.asked(CERTIFICATES)) == before + 1
    for n in range(5):
        assert invite(w, stranger_, OTHER_X5U + str(n)).status == 403
    assert len(r.asked(CERTIFICATES)) == before + 2
    assert misses(w, "x5u", "limited") == 4
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200


@pytest.mark.parametrize("x5u", [None, "http://reg.example.org/a.pem", "https://a.test/" + "a" * 3000])
def test_what_is_no_https_url_is_not_asked_about(make_world, x5u: str | None) -> None:
    w = make_world()
    r = served(w)
    w.start()
    until("the certificate", lambda: held(w) == 1)
    assert invite(w, PKI.passport_root.issue("Stranger"), x5u).status == 403
    assert not any("x5u=" in q.target for q in r.asked(CERTIFICATES))


def test_certificates_outlive_a_restart_without_the_service(make_world) -> None:
    w = make_world()
    r = served(w)
    w.start()
    until("the certificate", lambda: held(w) == 1)
    r.close()
    w.daemon.stop()
    w.daemon.start()
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200
    w.daemon.reload()
    until("the reload", lambda: "new configuration is in force" in logs(w))
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200


def test_kept_certificates_are_verified_again(make_world) -> None:
    w = make_world()
    r = served(w)
    w.start()
    until("the certificate", lambda: held(w) == 1)
    r.close()
    w.daemon.stop()
    kept = w.folder / "state" / "federation-ti.passports"
    foreign = PKI.foreign.issue("Foreign")
    body = {"certificates": [{"x5u": PASSPORT_X5U, "pem": foreign.pem.decode()}]}
    kept.write_text(f"as_of {int(time.time())}\n" + json.dumps(body))
    w.daemon.start()
    assert invite(w, foreign, PASSPORT_X5U).status == 403


def test_certificates_that_nobody_confirms_end(make_world) -> None:
    w = make_world()
    r = served(w)
    w.federation["passport"].update(ttl="3s", interval="200ms")
    w.start()
    until("the certificate", lambda: held(w) == 1)
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200
    r.close()
    until("the end", lambda: held(w) == 0)
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 403
    r.restart()
    until("them again", lambda: invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200)


BROKEN: dict[str, Any] = {
    "no JSON": lambda r: lambda q: http(200, b"<html>"),
    "no list": lambda r: lambda q: http(200, b'{"certificates":{}}'),
    "no pem": lambda r: lambda q: http(200, b'{"certificates":[{"x5u":null}]}'),
    "too many": lambda r: lambda q: http(
        200, json.dumps({"certificates": [{"pem": "x", "x5u": None}] * 5}).encode()
    ),
    "refused": lambda r: lambda q: problem(403),
}


@pytest.mark.parametrize("what", list(BROKEN))
def test_a_broken_answer_changes_nothing(make_world, what: str) -> None:
    w = make_world()
    r = served(w)
    w.federation["passport"]["max_certificates"] = 4
    w.start()
    until("the certificate", lambda: held(w) == 1)
    r.fault[CERTIFICATES] = BROKEN[what](r)
    r.change(certificates={OTHER_X5U: PKI.passport_signer})
    until("the line", lambda: "certificates are not to be had" in logs(w))
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200
    del r.fault[CERTIFICATES]
    r.change(certificates={})
    until("the next good answer", lambda: invite(w, PKI.passport_signer, PASSPORT_X5U).status == 403)


def test_files_and_service_together_then_files_alone(make_world) -> None:
    w = make_world()
    files = w.federation["passport"]["certificates"]
    r = use(w, passports=True)
    w.federation["passport"]["certificates"] = files
    other = PKI.passport_root.issue("Another PASSporT service")
    r.certificates = {OTHER_X5U: other}
    w.start()
    until("the certificate", lambda: held(w) == 1)
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200
    assert invite(w, other, OTHER_X5U).status == 200
    w.federation["passport"]["source"] = "files"
    w.daemon.reload()
    until("files alone", lambda: invite(w, other, OTHER_X5U).status == 403)
    assert invite(w, PKI.passport_signer, PASSPORT_X5U).status == 200
