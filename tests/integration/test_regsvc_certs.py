# SPDX-License-Identifier: Apache-2.0
"""PASSporT certificates: regsvc takes them from the VZD, judges them, keeps them, lets them go."""
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Iterator

import pytest

from harness import PKI, Daemon, until
from sim.pki import Issued
from sim.redisd import Redis
from sim.vzd import Vzd


@pytest.fixture
def vzd() -> Iterator[Vzd]:
    with Vzd(domains=["tim.example.org"]) as v:
        yield v
        v.faults.clear()
        # a foreign issuer is looked for, in vain
        assert [x for x in v.violations if "no such certificate" not in x] == []


def make(folder: Path, vzd: Vzd, **passport: Any) -> Daemon:
    folder.mkdir(exist_ok=True)
    certificate, key = PKI.web.server("reg.test").write(folder / "reg")
    files = vzd.write_trust(folder)
    (folder / "state").mkdir(exist_ok=True)
    urls = {"base_url": vzd.download_url, "ocsp_url": vzd.ocsp_url}
    trust = {**urls, "retry": "100ms", **passport.pop("trust", {})}
    return Daemon(
        folder,
        {
            "listeners": [{"address": "127.0.0.1:0"}],
            "admin": "127.0.0.1:0",
            "state_dir": str(folder / "state"),
            "addresses_file": str(folder / "addresses.json"),
            "tls": {"certificate": str(certificate), "key": str(key), "hosts": ["reg.test"]},
            "lookups": {"private_addresses": True, "ca_file": str(files["tls-ca.pem"])},
            "vzd": {
                "services_url": vzd.services_url,
                "token_url": vzd.token_url,
                "exchange_url": vzd.exchange_url,
                "client_id": vzd.client,
                "client_secret_file": str(files["client-secret"]),
                "ca_file": str(files["tls-ca.pem"]),
            },
            "list": {"anchors": [str(files["root.pem"])]},
            "passport": {
                "anchors": [str(files["root.pem"])],
                "interval": "200ms",
                "trust": trust,
                **passport,
            },
        },
        "regsvc",
    )


@pytest.fixture
def regsvc(tmp_path: Path, vzd: Vzd) -> Iterator[Daemon]:
    daemon = make(tmp_path, vzd)
    yield daemon
    daemon.stop()


def sha256(cert: Issued) -> str:
    return hashlib.sha256(cert.der).hexdigest()[:16]


def served(daemon: Daemon, source: str = "vzd") -> float:
    return daemon.metric("schleuse_passport_certificates", source=source)


def refused(daemon: Daemon, reason: str) -> float:
    return daemon.metric("schleuse_passport_certificates_refused", reason=reason)


def await_served(daemon: Daemon, n: int) -> None:
    until(f"{n} served", lambda: served(daemon) == n)


def await_refusal(daemon: Daemon, cert: Issued, reason: str) -> None:
    line = f"certificate refused: sha256={sha256(cert)} source=vzd reason={reason}"
    until(line, lambda: line in daemon.log_text())


def test_the_vzds_certificate_is_served(regsvc: Daemon, vzd: Vzd) -> None:
    """FD-5.2.2-20, FD-5.2.1.2-16, FD-5.2.1.3-11: with a sub-CA below a root that is not pinned."""
    regsvc.start("/health")
    await_served(regsvc, 1)
    until("sha256 in the log", lambda: f"in force: sha256={sha256(vzd.certificates.held[0])}"
          in regsvc.log_text())
    assert vzd.records.count("certificates") >= 1 and vzd.records.count("ocsp") >= 1
    assert regsvc.metric("schleuse_passport_checked_seconds") > 0
    assert regsvc.metric("schleuse_passport_fetched_seconds") > 0


def test_one_certificate_as_in_the_first_version(regsvc: Daemon, vzd: Vzd) -> None:
    """gematik's API 1.0.0 gives one certificate, not a list."""
    vzd.faults.on("certificates:404", times=1)
    regsvc.start("/health")
    await_served(regsvc, 1)


def test_old_and_new_overlap(regsvc: Daemon, vzd: Vzd) -> None:
    """FD-5.2.2-20: a roll-over; what the VZD no longer gives stays for passport.overlap."""
    regsvc.start("/health")
    await_served(regsvc, 1)
    old, new = vzd.certificates.held[0], vzd.passport_signer()
    vzd.certificates.held.append(new)
    await_served(regsvc, 2)
    vzd.certificates.held.remove(old)
    line = f"no longer given by the VZD: sha256={sha256(old)}"
    until(line, lambda: line in regsvc.log_text())
    assert served(regsvc) == 2
    regsvc.config["passport"]["overlap"] = 0
    regsvc.reload()
    await_served(regsvc, 1)
    assert refused(regsvc, "revoked") == refused(regsvc, "untrusted") == 0


@pytest.mark.parametrize(
    "how, reason, metric",
    [
        ({"usage": None}, "x5c_usage", "untrusted"),
        ({"usage": "key_agreement"}, "x5c_usage", "untrusted"),
        ({"kind": "bp256"}, "x5c_curve", "untrusted"),
        ({"starts": -20, "days": 10}, "x5c_validity", "validity"),
    ],
)
def test_bad_ones_are_not_served(
    regsvc: Daemon, vzd: Vzd, how: dict[str, Any], reason: str, metric: str
) -> None:
    """B-5.4.3, FD-5.2.1.3-12: the others of the same answer are."""
    bad = vzd.passport_signer(**how)
    vzd.certificates.held.append(bad)
    regsvc.start("/health")
    await_refusal(regsvc, bad, reason)
    await_served(regsvc, 1)
    assert refused(regsvc, metric) == 1


def test_foreign_ones_are_not_served(regsvc: Daemon, vzd: Vzd) -> None:
    """B-5.4.3: and do not take the good ones away."""
    regsvc.start("/health")
    await_served(regsvc, 1)
    vzd.faults.on("certificates:foreign-signer")
    until("the refusal", lambda: refused(regsvc, "untrusted") == 1)
    assert served(regsvc) == 1
    regsvc.until_logged("check passport.anchors")


@pytest.mark.parametrize(
    "fault", ["not-pem", "503", "broken-json", "truncated", "empty", "oversized", "reset"]
)
def test_bad_answers_change_nothing(regsvc: Daemon, vzd: Vzd, fault: str) -> None:
    """FD-5.2.2-21: what is held stays, also with no overlap at all."""
    regsvc.config["passport"]["overlap"] = 0
    regsvc.start("/health")
    await_served(regsvc, 1)
    before = vzd.records.count("certificates")
    vzd.faults.on(f"certificates:{fault}")
    until("an answer", lambda: vzd.records.count("certificates") > before + 1)
    vzd.faults.clear()
    after = vzd.records.count("certificates")
    until("a good one", lambda: vzd.records.count("certificates") > after + 1)
    assert served(regsvc) == 1
    assert regsvc.log_text().count("certificate in force") == 1


def test_revoked_after_import(regsvc: Daemon, vzd: Vzd) -> None:
    """B-5.4.5, B-5.8.8, T-12: gone as soon as the last answer of OCSP has grown old."""
    regsvc.config["passport"]["trust"]["ocsp_max_age"] = "1s"
    regsvc.start("/health")
    await_served(regsvc, 1)
    cert = vzd.certificates.held[0]
    vzd.ocsp.set(cert, "revoked")
    await_refusal(regsvc, cert, "ocsp_revoked")
    await_served(regsvc, 0)
    assert refused(regsvc, "revoked") == 1


def test_without_a_word_of_ocsp_nothing_is_served(regsvc: Daemon, vzd: Vzd) -> None:
    """B-5.4.3: and as soon as there is one it is, without being asked for."""
    vzd.faults.on("ocsp:503")
    regsvc.start("/health")
    until("unchecked", lambda: refused(regsvc, "unchecked") == 1)
    await_refusal(regsvc, vzd.certificates.held[0], "revocation")
    assert served(regsvc) == 0
    vzd.faults.clear()
    await_served(regsvc, 1)


def test_served_after_a_restart_without_the_vzd(regsvc: Daemon, vzd: Vzd) -> None:
    """FD-5.2.2-21, B-5.4.4: neither the VZD nor its OCSP responder is there."""
    regsvc.start("/health")
    await_served(regsvc, 1)
    trust = regsvc.folder / "state" / "trust-passport.status"
    until("the answer of OCSP on disk", trust.exists)
    regsvc.stop()
    vzd.down()
    regsvc.start("/health")
    await_served(regsvc, 1)
    vzd.up()


def test_revoked_ones_stay_so_across_a_restart(regsvc: Daemon, vzd: Vzd) -> None:
    """B-5.4.3: a restart while the responder is away does not bring them back."""
    vzd.ocsp.set(vzd.certificates.held[0], "revoked")
    regsvc.start("/health")
    await_refusal(regsvc, vzd.certificates.held[0], "ocsp_revoked")
    regsvc.stop()
    vzd.down()
    seen = len(regsvc.log_text())
    regsvc.start("/health")
    until("the refusal", lambda: "reason=ocsp_revoked" in regsvc.log_text()[seen:])
    assert served(regsvc) == 0
    vzd.up()


def test_without_anchors_nobody_is_asked(regsvc: Daemon, vzd: Vzd) -> None:
    """The directory is there only for who needs PASSporTs (1.0.x)."""
    regsvc.config["passport"]["anchors"] = []
    regsvc.start("/health")
    regsvc.reload()
    until("the reload", lambda: "is in force" in regsvc.log_text())
    assert vzd.records.count("certificates") == 0 and served(regsvc) == 0


def test_other_anchors_apply_on_reload(regsvc: Daemon, vzd: Vzd) -> None:
    """B-5.4.3: what the new ones do not stand above is gone at once."""
    regsvc.start("/health")
    await_served(regsvc, 1)
    regsvc.config["passport"]["anchors"] = [str(PKI.web.server("x").write(regsvc.folder / "x")[0])]
    regsvc.reload()
    await_served(regsvc, 0)
    assert refused(regsvc, "untrusted") == 1


def test_instances_share_one_store(tmp_path: Path, vzd: Vzd) -> None:
    """FD-5.2.2-21, B-5.4.4: one that does not ask the VZD has what another one got; Redis may go."""
    (tmp_path / "redis").mkdir()
    redis = Redis(tmp_path / "redis").start()
    asks, reads = make(tmp_path / "a", vzd), make(tmp_path / "b", vzd)
    reads.config["passport"]["vzd"] = False
    try:
        for daemon in (asks, reads):
            daemon.config["redis"] = {"address": f"redis://{redis.address}", "timeout": "2s"}
            daemon.start("/health")
        await_served(reads, 1)
        vzd.certificates.held.append(vzd.passport_signer())
        await_served(reads, 2)
        redis.stop()
        vzd.certificates.held.append(vzd.passport_signer())
        await_served(asks, 3)  # it asks on and serves from memory
        assert served(reads) == 2
        redis.start()
        await_served(reads, 3)  # and tells the store as soon as it is there
    finally:
        asks.stop()
        reads.stop()
        redis.stop()
