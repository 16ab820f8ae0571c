# SPDX-License-Identifier: Apache-2.0
"""Whatever fails at the directory, at whichever step: the good list stays, it is told and counted.

One registration service lives through all of it, as it has to in reality (CP-3-6, T-4).
"""
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest

from harness import until
from listworld import NAMES, Regsvc
from sim.vzd import Vzd
from sim.vzd.faults import ANY

HURRIED = {"timeout": "400ms"}
OFTEN = {"interval": "100ms", "retry_interval": "100ms", "max_bytes": "64k"}
REFUSED = "schleuse_federation_list_refused_total"
SLOW = {"slow-head", "slow-body", "hang"}
NO_LIST = ("list", "broken-json")  # an answer as it should be, but what it brings is no list
PAIRS = [(step, kind) for step in ("token", "exchange", "list") for kind in ANY]


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[Vzd, Regsvc]]:
    with Vzd(domains=NAMES) as v, tempfile.TemporaryDirectory() as folder:
        v.faults.delay, v.faults.oversize = 1.0, 8 << 20
        r = Regsvc(Path(folder) / "reg", v)
        r.config["vzd"] |= HURRIED
        r.config["list"] |= OFTEN
        r.config["list"]["trust"] |= {"revocation": "required", "ocsp_max_age": "200ms"}
        r.start()
        yield v, r
        r.stop()


@pytest.fixture
def vzd(service: tuple[Vzd, Regsvc]) -> Iterator[Vzd]:
    v, r = service
    r.check_alive()
    v.records.forget()
    yield v
    v.faults.clear()
    r.until_version(v.directory.version)
    assert r.missing() == "" and v.violations == []


@pytest.fixture
def regsvc(service: tuple[Vzd, Regsvc], vzd: Vzd) -> Regsvc:
    return service[1]


def bad_calls(r: Regsvc, step: str) -> int:
    return sum(r.calls(step, outcome) for outcome in ("refused", "failed", "unusable"))


def log_of(r: Regsvc) -> Callable[[], str]:
    """What is logged from now on."""
    start = len(r.log_text())
    return lambda: r.log_text()[start:]


def stays(vzd: Vzd, r: Regsvc, step: str, fault: str) -> str:
    """A newer list waits while a fault is on; returns what was logged about it."""
    good, bad, log = r.version(), bad_calls(r, step), log_of(r)
    vzd.auth.revoke_all()
    vzd.faults.on(fault)
    add_one(vzd)
    until("it fails", lambda: bad_calls(r, step) > bad + (step == "list"))
    until("it is told", lambda: f"vzd: call failed: call={step} reason=" in log())
    assert r.version() == good and r.missing() == ""
    return log()


def stays_refused(vzd: Vzd, r: Regsvc, fault: str, publish: Callable[[], object]) -> None:
    """What is published while a fault is on (if any) is refused."""
    good, log = r.version(), log_of(r)
    refused = r.metric(REFUSED)
    if fault:
        vzd.faults.on(fault)
    publish()
    until("it is refused", lambda: "federation list refused: source=vzd reason=" in log())
    until("it is counted", lambda: r.metric(REFUSED) > refused)
    assert r.version() == good and r.missing() == ""


def add_one(vzd: Vzd) -> None:
    vzd.add(f"x{vzd.directory.version}.example.org")


@pytest.mark.parametrize("step, kind", [p for p in PAIRS if p != NO_LIST])
def test_http(vzd: Vzd, regsvc: Regsvc, step: str, kind: str) -> None:
    """FD-5.2.2-7, -12, -13: every kind of bad answer at each of the three steps."""
    text = stays(vzd, regsvc, step, f"{step}:{kind}")
    assert ("reason=timeout" in text) == (kind in SLOW)


def test_no_list(vzd: Vzd, regsvc: Regsvc) -> None:
    stays_refused(vzd, regsvc, ":".join(NO_LIST), lambda: add_one(vzd))


@pytest.mark.parametrize("kind", ["expired", "wrong-name", "foreign"])
def test_tls(vzd: Vzd, regsvc: Regsvc, kind: str) -> None:
    """FDS-2.6.4.1-1: neither credentials nor tokens go to whom we do not know."""
    vzd.down()
    vzd.faults.on(f"tls:{kind}")
    vzd.up()
    vzd.records.forget()
    text = stays(vzd, regsvc, "list", f"tls:{kind}")
    assert "call=list reason=tls" in text
    assert not {"token", "exchange", "list"} & set(vzd.records.counts())


@pytest.mark.parametrize("kind", ["503", "other-certificate", "bad-signature", "old", "wrong-nonce"])
def test_a_new_signer_without_word(vzd: Vzd, regsvc: Regsvc, kind: str) -> None:
    """B-5.8.8: the signer in use has had its word, a new one has none."""
    stays_refused(vzd, regsvc, f"ocsp:{kind}", vzd.renew_signer)


@pytest.mark.parametrize("state", ["revoked", "unknown"])
def test_a_new_signer_that_is_not_good(vzd: Vzd, regsvc: Regsvc, state: str) -> None:
    """B-5.8.8."""

    def publish() -> None:
        vzd.listing.renew_signers()
        vzd.ocsp.set(vzd.listing.signer("BP256R1"), state)
        add_one(vzd)

    stays_refused(vzd, regsvc, "", publish)
    vzd.ocsp.states.clear()


def test_the_signer_in_use_is_revoked(vzd: Vzd, regsvc: Regsvc) -> None:
    """B-5.8.8: nothing it signed counts any more, until there is a list of another one."""
    vzd.revoke_signer()
    until("no list", lambda: "no federation list" in regsvc.missing())
    regsvc.until_logged("THE LIST DOES NOT COUNT ANY MORE")
    vzd.renew_signer()
    until("a list", lambda: regsvc.missing() == "")
    vzd.ocsp.states.clear()


@pytest.mark.parametrize("fault", ["roots:503", "roots:bad-cross", "subca:not-der", "subca:404"])
def test_a_new_generation_that_is_not_found(vzd: Vzd, regsvc: Regsvc, fault: str) -> None:
    """B-5.4.3: roots and sub-CAs are looked for when a chain needs them."""
    stays_refused(vzd, regsvc, fault, vzd.new_generation)
