# SPDX-License-Identifier: Apache-2.0
"""A provider moves from Sygnal: its configuration, converted, is one the gateway starts with."""
from __future__ import annotations

import subprocess

import pytest
import yaml

from harness import BUILD, DEADLINE, SOURCE

CASES = SOURCE / "tests" / "unit" / "cases" / "sygnal"


def gateway(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BUILD / "schleuse-pushgw", *args], capture_output=True, text=True, timeout=DEADLINE)


@pytest.mark.parametrize("name", sorted(p.stem for p in CASES.glob("*.yaml")))
def test_result_and_notes_apart(name):
    """The result is YAML for every reader; what to decide is on standard error, with the place in Sygnal's file."""
    done = gateway("--import-sygnal", str(CASES / f"{name}.yaml"))
    assert done.returncode == 0
    converted, sygnal = yaml.safe_load(done.stdout), yaml.safe_load((CASES / f"{name}.yaml").read_text())
    assert {"listeners", "state_dir", "tls", "clients", "apps"} <= set(converted)
    told = done.stderr.splitlines()
    assert told and all(line.startswith(f"{CASES / name}.yaml:") for line in told)
    ids = {app["id"] for app in converted["apps"] or []}
    for app in sygnal["apps"] or {}:
        assert app in ids or any(f": {app}: no counterpart" in line for line in told), app
    for secret in ("p%40ss", "AAAAlegacyserverkey", "hush"):
        assert secret not in done.stdout + done.stderr


def test_the_gateway_starts_with_the_result(make_push, tmp_path):
    """Two apps of Sygnal; keys stay where they are, the operator adds TLS and what the notes ask for."""
    w = make_push(which=["apns", "fcm"])
    apns, fcm = w.app("apns")["apns"], w.app("fcm")["fcm"]
    sygnal = {"http": {"bind_addresses": ["127.0.0.1"], "port": 0}, "apps": {
        w.app("apns")["id"]: {"type": "apns", "keyfile": apns["key_file"], "key_id": apns["key_id"],
                              "team_id": apns["team_id"], "topic": apns["topic"],
                              "convert_device_token_to_hex": False},
        w.app("fcm")["id"]: {"type": "gcm", "api_version": "v1", "max_connections": 5,
                             "service_account_file": fcm["service_account_file"]}}}
    (tmp_path / "sygnal.yaml").write_text(yaml.safe_dump(sygnal))
    done = gateway("--import-sygnal", str(tmp_path / "sygnal.yaml"))
    assert done.returncode == 0, done.stderr
    converted = yaml.safe_load(done.stdout)
    for at, own in zip(converted["apps"], (apns, fcm)):
        at[at["provider"]]["url"] = own["url"]  # the simulators
    w.config.update(apps=converted["apps"], listeners=converted["listeners"])
    w.start()
    for name in ("apns", "fcm"):
        phone = w.phone(name)
        phone.wait(w.tell(phone))


def test_faults():
    """What cannot be read or converted: nothing on standard output."""
    for file in ("/nonexistent/sygnal.yaml", str(SOURCE / "README.md")):
        done = gateway("--import-sygnal", file)
        assert done.returncode == 1 and done.stdout == "" and file in done.stderr
    assert gateway("--import-sygnal").returncode == 2
