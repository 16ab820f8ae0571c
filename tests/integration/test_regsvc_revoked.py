# SPDX-License-Identifier: Apache-2.0
"""PASSporT certificates of the registration service that OCSP says are revoked (B-5.4-0, B-5.4.3):
they do not count, even if the directory still gives them."""
from __future__ import annotations

from typing import Callable, Iterator

import pytest

from harness import PKI, World, until
from sim.pki import PASSPORT_X5U, Issued
from sim.regsvc import Regsvc
from sim.vzd import Vzd
from test_regsvc_misses import OTHER_X5U, held, invite, silent
from test_regsvc_proxy import logs, use


@pytest.fixture
def vzd() -> Iterator[Vzd]:
    with Vzd() as v:
        v.ocsp.extended = True  # without OCSPSigning anybody's certificate could answer
        yield v


def trusting(make_world: Callable[..., World], vzd: Vzd, signer: Issued, **trust: str) -> tuple[World, Regsvc]:
    w = make_world()
    r = use(w, passports=True)
    r.certificates = {PASSPORT_X5U: signer}
    (w.folder / "passport-anchors.pem").write_bytes(vzd.pki.passport_ca.pem)
    w.ca_file.write_bytes(PKI.web_root.pem + vzd.pki.web.pem)
    w.config["lookups"]["hosts"]["localhost"] = "127.0.0.1"
    w.federation["passport"]["trust"] = {
        "revocation": "required", "ocsp_url": vzd.ocsp_url, "ocsp_max_age": "300ms",
        "retry": "100ms", **trust,
    }
    return w, r


def test_a_certificate_revoked_in_use_counts_no_more(make_world, vzd) -> None:
    signer, other = vzd.pki.passport_signer(), vzd.pki.passport_signer("Another")
    w, r = trusting(make_world, vzd, signer)
    r.certificates[OTHER_X5U] = other
    w.start()
    until("both", lambda: held(w) == 2)
    assert invite(w, signer, PASSPORT_X5U).status == 200
    vzd.ocsp.set(signer, "revoked")
    until("the end of one", lambda: invite(w, signer, PASSPORT_X5U).status == 403)
    assert invite(w, other, OTHER_X5U).status == 200
    assert held(w) == 1 and "reason=ocsp_revoked" in logs(w)


def test_a_revoked_certificate_never_counts(make_world, vzd) -> None:
    signer = vzd.pki.passport_signer()
    vzd.ocsp.set(signer, "revoked")
    w, _ = trusting(make_world, vzd, signer)
    w.start()
    until("the verdict", lambda: "reason=ocsp_revoked" in logs(w))
    assert held(w) == 0
    assert invite(w, signer, PASSPORT_X5U).status == 403


def test_an_unknown_certificate_is_judged_before_its_invite_is(make_world, vzd) -> None:
    signer, other = vzd.pki.passport_signer(), vzd.pki.passport_signer("Another")
    w, r = trusting(make_world, vzd, signer)
    silent(r)
    w.start()
    until("the certificate", lambda: held(w) == 1)
    r.certificates[OTHER_X5U] = other
    assert invite(w, other, OTHER_X5U).status == 200


def test_a_restart_without_anybody_goes_on_for_the_grace(make_world, vzd) -> None:
    signer = vzd.pki.passport_signer()
    w, r = trusting(make_world, vzd, signer)
    w.start()
    until("the certificate", lambda: held(w) == 1)
    r.close()
    vzd.close()
    w.daemon.stop()
    w.daemon.start()
    assert invite(w, signer, PASSPORT_X5U).status == 200
