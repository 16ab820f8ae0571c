# SPDX-License-Identifier: Apache-2.0
"""Whom the proxy believes about a list: roots by cross certificates, sub-CAs, OCSP (B-5.4.3, B-5.8.8).

The simulated directory's PKI has three generations of roots; only the oldest is pinned.
"""
import json
from typing import Any, Callable, Iterator

import pytest

from harness import PKI, World, until
from sim import b64, fedlist
from sim.pki import Issued
from sim.vzd import Vzd

URI = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"
CLIENT_ID = "SIM-PROXY-1"
STEPS = ("roots", "subca", "ocsp")


@pytest.fixture
def vzd() -> Iterator[Vzd]:
    with Vzd() as v:
        v.ocsp.extended = True  # without OCSPSigning anybody's certificate could answer
        yield v


def sign(w: World, signer: Issued, version: int, **how: Any) -> None:
    payload = fedlist.plain(version, [w.NAME, w.beta.name])
    w.publish(fedlist.sign(payload, signer, x5c=[signer.der], **how))


def trusting(make_world: Callable[..., World], vzd: Vzd, **trust: Any) -> World:
    """A proxy whose list is signed below the newest root; nothing is published yet."""
    w = make_world()
    (w.folder / "list-anchors.pem").write_bytes(vzd.pki.pinned.pem)
    w.ca_file.write_bytes(PKI.web_root.pem + vzd.pki.web.pem)
    w.config["lookups"]["hosts"]["localhost"] = "127.0.0.1"
    w.config["lookups"]["client_id"] = CLIENT_ID
    w.federation["list"]["trust"] = {
        "base_url": vzd.download_url,
        "revocation": "required",
        "ocsp_url": vzd.ocsp_url,
        "ocsp_max_age": "300ms",
        "retry": "100ms",
        **trust,
    }
    return w


def status(w: World) -> int:
    return w.peer(w.beta).ask("GET", URI).status


def in_force(w: World) -> None:
    until("the list is in force", lambda: status(w) == 200)


def closed(w: World) -> None:
    until("the federation is closed", lambda: status(w) == 503)
    assert b"signer of the list is not trusted" in w.daemon.admin("/ready").body


def refused(w: World, reason: str) -> None:
    line = f"federation list refused: federation=ti source={w.folder}/list.jws reason={reason} "
    until(f"the list is refused: {reason}", lambda: line in w.daemon.log_text())
    assert status(w) == 503


def test_newer_roots_and_sub_cas_are_found(make_world, vzd) -> None:
    """Every request for that carries TI-User-Agent (A_27783-1)."""
    w = trusting(make_world, vzd)
    sign(w, vzd.pki.list_signer(), 1)
    w.start()
    in_force(w)
    calls = [c for step in STEPS for c in vzd.records.calls(step)]
    assert {c.step for c in calls} == set(STEPS)
    for call in calls:
        agent = call.get("TI-User-Agent")
        assert agent is not None and agent.startswith(CLIENT_ID + "/"), call.step
    asked = set(vzd.ocsp.asked)
    assert vzd.pki.list_ca.issued.cert.serial_number in asked and len(asked) == 2
    assert vzd.violations == []


def test_answers_are_remembered_an_hour_at_most(make_world, vzd) -> None:
    """A second list of the same signer needs no second question (B-5.8.8: until that hour is over)."""
    w = trusting(make_world, vzd, ocsp_max_age="1h")
    signer = vzd.pki.list_signer()
    sign(w, signer, 1)
    w.start()
    in_force(w)
    before = len(vzd.ocsp.asked)
    sign(w, signer, 2)
    until("it", lambda: w.daemon.metric("schleuse_federation_list_version") == 2)
    assert len(vzd.ocsp.asked) == before
    assert w.daemon.metric("schleuse_trust_ocsp_cached_total") > 0


def test_a_signer_revoked_in_force_closes_the_federation(make_world, vzd) -> None:
    w = trusting(make_world, vzd)
    signer = vzd.pki.list_signer()
    sign(w, signer, 1)
    w.start()
    in_force(w)
    vzd.ocsp.set(signer, "revoked")
    closed(w)
    w.daemon.until_logged("IS REVOKED")
    w.daemon.until_logged("THE LIST DOES NOT COUNT ANY MORE")
    assert w.daemon.metric("schleuse_trust_revoked_total") > 0
    w.daemon.reload()
    until("the reload", lambda: w.daemon.metric("schleuse_reloads_total", outcome="adopted") == 1)
    assert status(w) == 503
    sign(w, vzd.pki.list_signer(), 1)  # the same content, signed by another
    in_force(w)


def test_a_revoked_sub_ca_closes_it_too(make_world, vzd) -> None:
    w = trusting(make_world, vzd)
    sign(w, vzd.pki.list_signer(), 1)
    w.start()
    in_force(w)
    vzd.ocsp.set(vzd.pki.list_ca.issued, "revoked")
    closed(w)


def test_silence_is_borne_for_the_grace(make_world, vzd) -> None:
    w = trusting(make_world, vzd, grace="24h")
    sign(w, vzd.pki.list_signer(), 1)
    w.start()
    in_force(w)
    vzd.faults.on("ocsp:503")
    until("silence", lambda: w.daemon.metric("schleuse_trust_ocsp_failures_total") > 3)
    assert status(w) == 200
    sign(w, vzd.pki.list_signer(), 2)  # a signer that is not in use has no grace
    until(
        "the new one is refused", lambda: "reason=revocation" in w.daemon.log_text()
    )
    assert status(w) == 200


def test_then_it_closes_until_there_is_word(make_world, vzd) -> None:
    w = trusting(make_world, vzd, grace="1s")
    sign(w, vzd.pki.list_signer(), 1)
    w.start()
    in_force(w)
    vzd.faults.on("ocsp:503")
    closed(w)
    vzd.faults.clear()
    in_force(w)


def test_a_new_generation_of_roots(make_world, vzd) -> None:
    """Looked for when a chain needs it, long before the week is over."""
    w = trusting(make_world, vzd)
    sign(w, vzd.pki.list_signer(), 1)
    w.start()
    in_force(w)
    vzd.pki.add_root()
    ca = vzd.pki.add_ca("SIM.KOMP-CA60 TEST-ONLY")
    sign(w, vzd.pki.list_signer(ca=ca), 2)
    until("it", lambda: w.daemon.metric("schleuse_federation_list_version") == 2)


def test_a_root_that_is_not_linked_is_never_trusted(make_world, vzd) -> None:
    w = trusting(make_world, vzd)
    vzd.faults.on("roots:bad-cross")
    sign(w, vzd.pki.list_signer(), 1)
    w.start(ready="/health")
    refused(w, "x5c_chain")
    vzd.faults.clear()
    in_force(w)


def test_a_foreign_signer_is_refused(make_world, vzd) -> None:
    w = trusting(make_world, vzd)
    sign(w, vzd.pki.list_signer(ca=vzd.pki.foreign), 1)
    w.start(ready="/health")
    refused(w, "issuer")


@pytest.mark.parametrize(
    "fault",
    "bad-signature foreign-signer other-certificate old future wrong-nonce try-later malformed 503 "
    "reset".split(),
)
def test_no_good_answer_is_no_trust(make_world, vzd, fault: str) -> None:
    w = trusting(make_world, vzd)
    vzd.faults.on(f"ocsp:{fault}")
    sign(w, vzd.pki.list_signer(), 1)
    w.start(ready="/health")
    refused(w, "revocation")
    vzd.faults.clear()
    in_force(w)


@pytest.mark.parametrize("state, reason", [("revoked", "ocsp_revoked"), ("unknown", "ocsp_unknown")])
def test_bad_answers_are_told_apart(make_world, vzd, state: str, reason: str) -> None:
    w = trusting(make_world, vzd)
    vzd.faults.on(f"ocsp:{state}")
    sign(w, vzd.pki.list_signer(), 1)
    w.start(ready="/health")
    refused(w, reason)


@pytest.mark.parametrize("kind", ["no nonce", "no nextUpdate"])
def test_what_an_answer_may_lack(make_world, vzd, kind: str) -> None:
    w = trusting(make_world, vzd)
    vzd.ocsp.echo_nonce = kind != "no nonce"
    vzd.ocsp.lifetime = None if kind == "no nextUpdate" else 3600.0
    sign(w, vzd.pki.list_signer(), 1)
    w.start()
    in_force(w)


def test_soft_bears_silence_but_no_revocation(make_world, vzd) -> None:
    w = trusting(make_world, vzd, revocation="soft")
    vzd.faults.on("ocsp:503")
    signer = vzd.pki.list_signer()
    sign(w, signer, 1)
    w.start()
    in_force(w)
    vzd.faults.clear()
    vzd.ocsp.set(signer, "revoked")
    closed(w)


def test_a_restart_needs_no_network(make_world, vzd) -> None:
    w = trusting(make_world, vzd)
    sign(w, vzd.pki.list_signer(), 1)
    w.start()
    in_force(w)
    w.daemon.stop()
    vzd.down()
    w.start()
    assert status(w) == 200


def test_a_restart_forgets_no_revocation(make_world, vzd) -> None:
    w = trusting(make_world, vzd)
    signer = vzd.pki.list_signer()
    sign(w, signer, 1)
    w.start()
    in_force(w)
    vzd.ocsp.set(signer, "revoked")
    closed(w)
    w.daemon.stop()
    vzd.down()
    w.start(ready="/health")
    assert status(w) == 503


def general(*compact: bytes, unprotected: dict[str, Any] | None = None) -> bytes:
    """The general JSON serialisation of the same payload, signed several times."""
    parts = [c.decode().split(".") for c in compact]
    signatures = [{"protected": h, "signature": s} for h, _, s in parts]
    if unprotected is not None:
        signatures = [{**s, "header": unprotected} for s in signatures]
    return json.dumps({"payload": parts[0][1], "signatures": signatures}).encode()


def test_one_signature_of_several_suffices(make_world, vzd) -> None:
    """B-5.8.5: unknown and damaged ones are disregarded."""
    w = trusting(make_world, vzd)
    payload = fedlist.plain(1, [w.NAME, w.beta.name])
    good, other = vzd.pki.list_signer(), vzd.pki.list_signer()
    foreign = vzd.pki.list_signer(ca=vzd.pki.foreign)
    signed = [fedlist.sign(payload, s, x5c=[s.der]) for s in (foreign, other, good)]
    head, body, _ = signed[1].split(b".")
    signed[1] = b".".join((head, body, b64.url(bytes(64))))
    w.publish(general(*signed))
    w.start()
    in_force(w)


def test_only_what_is_protected_counts(make_world, vzd) -> None:
    w = trusting(make_world, vzd)
    signer = vzd.pki.list_signer()
    payload = fedlist.plain(1, [w.NAME, w.beta.name])
    signed = fedlist.sign(payload, signer, x5c=[signer.der])
    w.publish(general(signed, unprotected={"alg": "BP256R1"}))
    w.start(ready="/health")
    refused(w, "jws_alg")
    w.publish(general(signed, unprotected={"kid": "1"}))
    in_force(w)
