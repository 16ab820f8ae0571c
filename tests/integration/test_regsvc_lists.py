# SPDX-License-Identifier: Apache-2.0
"""The registration service and the directory: tokens, the federation list, health, restarts."""
from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import BUILD, environment, until
from listworld import NAMES, OFTEN, Regsvc
from sim.vzd import Vzd

Make = Callable[..., Regsvc]


@pytest.fixture
def vzd() -> Iterator[Vzd]:
    with Vzd(domains=NAMES) as v:
        yield v


@pytest.fixture
def make(tmp_path: Path, vzd: Vzd) -> Iterator[Make]:
    made: list[Regsvc] = []

    def make_one(folder: str = "one", **changes: dict[str, Any]) -> Regsvc:
        r = Regsvc(tmp_path / folder, vzd)
        for section, settings in changes.items():
            r.config[section] |= settings
        made.append(r)
        return r

    yield make_one
    for r in made:
        r.stop()


def secrets_of(vzd: Vzd) -> list[str]:
    return [s for s in vzd.auth.secrets() if s]


# Tokens


@pytest.mark.parametrize("client_auth", ["basic", "form"])
def test_three_steps_to_the_list(vzd: Vzd, make: Make, client_auth: str) -> None:
    """FD-5.2.2-7, -10, -11, -12, -13, ML-123622-1: a secret with characters that need encoding."""
    vzd.secret = vzd.auth.add_client(vzd.client, "s:e%c+r e&t=ä")
    r = make(vzd={"client_auth": client_auth}).start()
    assert r.version() == vzd.directory.version
    assert r.metric("schleuse_federation_list_entries") == len(NAMES)
    assert [vzd.records.count(s) for s in ("token", "exchange", "list")] == [1, 1, 1]
    assert vzd.violations == []


@pytest.mark.parametrize(
    "deviation", [{"field": "jwt"}, {"token_type": "bearer"}, {"alg": "ES256"}], ids=str
)
def test_deviating_token_answers(vzd: Vzd, make: Make, deviation: dict[str, str]) -> None:
    """FD-5.2.2-12."""
    for name, value in deviation.items():
        setattr(vzd.auth, name, value)
    make().start()
    assert vzd.violations == []


def test_one_step(vzd: Vzd, make: Make) -> None:
    """FD-5.2.2-7, as in the interface of 2021."""
    make(
        vzd={"token_url": vzd.one_step_url, "exchange_url": "", "scope": "tim-provider-services"}
    ).start()
    assert vzd.records.count("exchange") == 0 and vzd.violations == []


def test_tokens_are_renewed_before_they_end(vzd: Vzd, make: Make) -> None:
    """FD-5.2.2-7: the simulator takes use of an expired token for a fault."""
    vzd.auth.keycloak_lifetime, vzd.auth.lifetime = 4, 2
    r = make(list=OFTEN, vzd={"token_margin": "1s"}).start()
    vzd.records.wait("exchange", 4)
    assert vzd.records.count("token") >= 2
    assert r.calls("list", "refused") == 0 and vzd.violations == []


def test_a_refused_token_is_replaced_and_the_call_repeated(vzd: Vzd, make: Make) -> None:
    """FD-5.2.2-12."""
    r = make().start()
    vzd.add("later.example.org")
    vzd.auth.revoke_all()
    r.reload()
    r.until_version(vzd.directory.version)
    # the provider's token and the one of the authorization server were both refused
    assert [vzd.records.count(s) for s in ("token", "exchange", "list")] == [2, 3, 3]
    assert r.calls("list", "refused") == 1 and r.calls("exchange", "refused") == 1
    assert vzd.violations == []


def test_a_provider_that_is_not_listed_is_told_so(vzd: Vzd, make: Make) -> None:
    """FD-5.2.2-8."""
    vzd.faults.on("exchange:403")
    r = make().start("/health")
    until("the refusal", lambda: r.calls("exchange", "refused") > 0)
    assert re.search(r"reason=vzd_forbidden.*not listed at the VZD", r.log_text())
    assert "no federation list" in r.missing()


def test_a_wrong_secret_is_told_and_a_new_one_counts_at_once(vzd: Vzd, make: Make) -> None:
    """FD-5.2.2-7, ML-123622-1."""
    secret = vzd.secret
    vzd.auth.add_client(vzd.client, "another one")
    r = make(list=OFTEN).start("/health")
    until("the refusal", lambda: "reason=vzd_login" in r.log_text())
    vzd.auth.add_client(vzd.client, secret)
    r.until_version(vzd.directory.version)


def test_neither_secrets_nor_tokens_are_logged(vzd: Vzd, make: Make) -> None:
    """ML-123619, ML-123622-2: at any level, also when something fails."""
    r = make(list=OFTEN)
    r.config["log_level"] = "debug"
    r.start()
    for fault in ("list:401", "exchange:wrong-type", "token:broken-json", "list:bad-signature"):
        vzd.add(f"{fault.replace(':', '-')}.example.org")
        step = fault.split(":")[0]
        with vzd.faults.during(fault):
            seen = vzd.records.count(step)
            until(fault, lambda: vzd.auth.revoke_all() or vzd.records.count(step) > seen + 1)
    text = r.log_text() + r.admin("/metrics").body.decode()
    state = b"".join(p.read_bytes() for p in (r.folder / "state").rglob("*") if p.is_file())
    for secret in secrets_of(vzd):
        assert secret not in text and secret.encode() not in state


# The list


@pytest.mark.parametrize("alg", ["BP256R1", "ES256"])
def test_both_algorithms(vzd: Vzd, make: Make, alg: str) -> None:
    """FD-5.2.2-10."""
    make(vzd={"sig_alg": alg}).start()
    last = vzd.records.last("list")
    assert last is not None and f"sigAlg={alg}" in last.target and vzd.violations == []


def test_a_list_of_another_algorithm_than_asked_for_is_refused(vzd: Vzd, make: Make) -> None:
    """FD-5.2.2-10: what is held stays."""
    r = make(vzd={"sig_alg": "ES256"}, list={"interval": "200ms"}).start()
    held = r.version()
    vzd.add("new.test")
    vzd.listing.raw = vzd.listing.jws("BP256R1")
    until("it is refused", lambda: r.calls("list", "unusable") > 0)
    assert r.version() == held and "reason=jws_alg" in r.log_text()
    vzd.listing.raw = vzd.listing.jws("ES256")
    until("the new one", lambda: r.version() > held)


def test_asked_again_and_again_and_204_keeps_it_fresh(vzd: Vzd, make: Make) -> None:
    """FD-5.2.2-14 with short times; 204 is age 0."""
    r = make(list=OFTEN).start()
    first = r.as_of()
    until("a fresher list", lambda: r.as_of() > first)
    calls = vzd.records.calls("list")
    assert "version=" not in calls[0].target
    assert f"version={vzd.directory.version}" in calls[-1].target
    assert {c.status for c in calls[1:] if c.status} <= {204}
    version = vzd.add("new.example.org")
    r.until_version(version)


WRONG = [
    "list:bad-signature", "list:alg-none", "list:other-curve", "list:foreign-signer",
    "list:no-role", "list:wrong-usage", "list:expired-signer", "list:public-key", "list:no-x5c",
    "list:broken-payload", "list:no-list", "list:lower-version", "list:oversized",
    "list:wrong-type", "list:empty", "list:truncated", "list:reset-body", "list:redirect",
    "list:broken-json", "list:404",
]  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_the_good_list_stays(vzd: Vzd, make: Make, fault: str) -> None:
    """CP-3-6, T-4: whatever is wrong with a new one."""
    vzd.faults.oversize = 1 << 20
    r = make(list=OFTEN | {"max_bytes": "64k"}).start()
    good = r.version()
    vzd.add("new.example.org")
    with vzd.faults.during(fault):
        seen = vzd.records.count("list")
        vzd.records.wait("list", seen + 3)
        assert r.version() == good and r.missing() == ""
        refused = int(r.metric("schleuse_federation_list_refused_total"))
        bad = sum(r.calls("list", o) for o in ("refused", "failed", "unusable"))
        assert refused + bad > 0
        assert re.search(r"(list refused|call failed): .*reason=\w+.*; \w+", r.log_text())
    r.until_version(vzd.directory.version)


@pytest.mark.parametrize("api", ["1.0.2", "1.1.2", "1.1.5"])
def test_an_unsigned_list_of_old_is_signed_here(vzd: Vzd, make: Make, api: str) -> None:
    """FD-5.2.2-10: proxies always find a signature to verify."""
    vzd.speak(api)
    own = vzd.pki.web.intermediate("Our own CA").issue("Our list signer", kind="p256")
    r = make()
    certificate, key = own.write(r.folder / "signer")
    anchor = r.folder / "own.pem"
    anchor.write_bytes(vzd.pki.web.pem)
    r.config["vzd"]["list_path"] = vzd.listing.form.path.lstrip("/")
    r.config["list"] |= {
        "form": "unsigned", "sign_certificate": str(certificate), "sign_key": str(key),
        "anchors": [str(anchor)], "signer_role": "", "trust": {"revocation": "off"},
    }  # fmt: skip
    r.start()
    jws = (r.folder / "state" / "federation-list.jws").read_bytes()
    assert jws.count(b".") == 2 and r.version() == vzd.directory.version


# Health


def test_an_unhealthy_vzd_is_an_incident_after_three_retries(vzd: Vzd, make: Make) -> None:
    """CP-3-6: facts of UC_Update_Federationlist."""
    r = make(list=OFTEN | {"interval": "400ms"}).start()
    assert r.metric("schleuse_vzd_healthy") == 1
    with vzd.faults.during("list:503"):
        until("an incident", lambda: r.metric("schleuse_federation_list_incidents_total") >= 1)
        assert r.metric("schleuse_vzd_healthy") == 0
        assert r.metric("schleuse_federation_list_checks_failed_total") >= 4
        r.until_logged("incident: federation list: the VZD does not answer")
        assert r.missing() == ""
    until("a healthy VZD", lambda: r.metric("schleuse_vzd_healthy") == 1)


@pytest.mark.parametrize("fault", ["list:slow-head", "token:hang", "exchange:slow-body"])
def test_a_slow_vzd_is_unhealthy(vzd: Vzd, make: Make, fault: str) -> None:
    """The limit of each HTTP call, 10 s by default."""
    r = make(list=OFTEN, vzd={"timeout": "300ms"}).start()
    vzd.auth.revoke_all()
    with vzd.faults.during(fault):
        until("an unhealthy VZD", lambda: r.metric("schleuse_vzd_healthy") == 0)
        assert re.search(r"reason=timeout", r.log_text())
        vzd.faults.stopping.set()  # whoever still waits
    vzd.faults.stopping.clear()
    until("a healthy VZD", lambda: r.metric("schleuse_vzd_healthy") == 1)


def test_an_old_list_is_outdated(vzd: Vzd, make: Make) -> None:
    """facts 6.1: `veraltet` after the TTL; the list comes back with the VZD."""
    r = make(list=OFTEN | {"ttl": "2s"}).start()
    vzd.down()
    until("an outdated list", lambda: "the federation list is outdated" in r.missing())
    assert r.metric("schleuse_federation_list_status") == 2
    until("the incident", lambda: "it is outdated (veraltet)" in r.log_text())
    vzd.up()
    until("a current list", lambda: r.missing() == "")


# Restarts


def test_starts_from_the_state_directory(vzd: Vzd, make: Make) -> None:
    """CP-3-6: the VZD is away."""
    r = make().start()
    version = r.version()
    r.signal(signal.SIGTERM)
    assert r.process is not None and r.process.wait(20) == 0
    vzd.down()
    r.start()
    assert r.version() == version
    assert r.metric("schleuse_federation_list_status") == 1


def test_a_reload_takes_what_is_held_along(vzd: Vzd, make: Make) -> None:
    """CP-3-1: also while the VZD is away."""
    r = make().start()
    r.config["list"]["interval"] = "2h"
    vzd.down()
    r.reload()
    until("the new configuration", lambda: "is in force" in r.log_text().split("reading")[-1])
    assert r.version() == vzd.directory.version
    assert "waits for word" not in r.log_text()


# The secret


def test_the_secret_as_a_systemd_credential(
    vzd: Vzd, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ML-123622-1."""
    r = make()
    path = Path(r.config["vzd"].pop("client_secret_file"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(path.parent))
    r.config["vzd"]["client_secret_credential"] = path.name
    r.start()
    assert vzd.violations == []


MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.fixture
def token(tmp_path: Path, vzd: Vzd, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A SoftHSM token "vzd" with PIN 4711; the call puts the secret into it."""
    if not MODULE.exists() or shutil.which("pkcs11-tool") is None:
        pytest.skip("needs softhsm2 and opensc")
    (tmp_path / "tokens").mkdir()
    settings = tmp_path / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(settings))
    init = ["softhsm2-util", "--init-token", "--free", "--label", "vzd"]
    subprocess.run([*init, "--pin", "4711", "--so-pin", "4712"], check=True, capture_output=True)

    def fill() -> None:
        secret = tmp_path / "secret.bin"
        secret.write_bytes(vzd.secret.encode())
        tool = ["pkcs11-tool", "--module", str(MODULE), "--token-label", "vzd", "--login"]
        put = ["--write-object", str(secret), "--type", "data", "--label", "secret", "--private"]
        subprocess.run([*tool, "--pin", "4711", *put], check=True, capture_output=True)
        secret.unlink()

    return fill


def use_token(r: Regsvc, pin: str = "4711") -> None:
    del r.config["vzd"]["client_secret_file"]
    file = r.folder / "pin"
    file.touch(0o600)
    file.write_text(pin + "\n")
    r.config["vzd"] |= {
        "client_secret_uri": "pkcs11:token=vzd;object=secret;type=data",
        "pkcs11_module": str(MODULE),
        "pkcs11_pin_file": str(file),
    }


def test_the_secret_in_a_token(vzd: Vzd, make: Make, token: Callable[[], None]) -> None:
    """ML-123622-2: without its object the VZD is not asked; it counts as soon as it is there."""
    r = make(list=OFTEN)
    use_token(r)
    r.start("/health")
    until("no such object", lambda: "no such object" in r.log_text())
    assert vzd.records.count("token") == 0
    token()
    r.until_version(vzd.directory.version)
    for path in [*r.folder.rglob("*"), *(r.folder / "state").rglob("*")]:
        assert not path.is_file() or path.parent.name == "vzd" or (
            vzd.secret.encode() not in path.read_bytes()
        )


def test_a_wrong_pin(vzd: Vzd, make: Make, token: Callable[[], None]) -> None:
    """ML-123622-2."""
    token()
    r = make()
    use_token(r, "0815")
    r.start("/health")
    until("the refusal", lambda: "the token refuses the PIN" in r.log_text())
    assert "0815" not in r.log_text() and vzd.records.count("token") == 0


# Settings


@pytest.mark.parametrize(
    "section, settings, said",
    [
        ("vzd", {"services_url": "http://x.example"}, "is not an https URL"),
        ("vzd", {"token_url": ""}, "services_url needs token_url"),
        ("vzd", {"client_secret_file": ""}, "exactly one of client_secret_file"),
        ("vzd", {"client_secret_credential": "vzd"}, "exactly one of client_secret_file"),
        ("vzd", {"client_secret_file": "/nonexistent"}, "cannot be read"),
        ("vzd", {"client_secret_file": "", "client_secret_uri": "file:x"}, "not a PKCS#11 URI"),
        ("vzd", {"list_path": "/x"}, "must be a path below services_url"),
        ("vzd", {"localization": ["x"]}, "not of the form parameter=prefix"),
        ("list", {"anchors": []}, "services_url needs list.anchors"),
        ("list", {"form": "unsigned"}, "give sign_certificate and sign_key"),
        ("list", {"sign_key": "/x"}, "are for form: unsigned"),
        ("list", {"ttl": "1h"}, "ttl must be longer than interval"),
    ],
    ids=lambda v: str(v) if isinstance(v, dict) else "",
)
def test_faults_of_settings(
    make: Make, section: str, settings: dict[str, Any], said: str
) -> None:
    """ML-123621-1: before anything applies."""
    r = make(**{section: settings})
    r.write()
    command = [str(BUILD / "schleuse-regsvc"), "-c", str(r.file), "--check-config"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.returncode == 1 and said in done.stderr, done.stderr


def test_a_secret_that_others_can_read_is_refused(make: Make) -> None:
    """ML-123622-1."""
    r = make()
    Path(r.config["vzd"]["client_secret_file"]).chmod(0o644)
    r.write()
    command = [str(BUILD / "schleuse-regsvc"), "-c", str(r.file), "--check-config"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    assert done.returncode == 1 and "can be read by others" in done.stderr
