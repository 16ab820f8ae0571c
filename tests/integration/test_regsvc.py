# SPDX-License-Identifier: Apache-2.0
"""schleuse-regsvc as a process: it starts, serves TLS only, reloads, ends."""
from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from harness import PKI, Daemon, until
from sim import wire
from sim.redisd import Redis


@pytest.fixture
def regsvc(tmp_path: Path):
    certificate, key = PKI.web.server("reg.test").write(tmp_path / "reg")
    (tmp_path / "state").mkdir()
    daemon = Daemon(
        tmp_path,
        {
            "listeners": [{"address": "127.0.0.1:0"}],
            "admin": "127.0.0.1:0",
            "state_dir": str(tmp_path / "state"),
            "addresses_file": str(tmp_path / "addresses.json"),
            "tls": {"certificate": str(certificate), "key": str(key), "hosts": ["reg.test"]},
        },
        "regsvc",
    )
    yield daemon
    daemon.stop()


def ask(daemon: Daemon, path: str) -> wire.Answer:
    tls = wire.tls_context(PKI.web_root.pem)
    with wire.Connection(daemon.address(), tls, "reg.test") as c:
        return c.ask("GET", path, {"Host": "reg.test"})


def test_unknown_paths_are_problems(regsvc: Daemon) -> None:
    regsvc.start("/health")
    answer = ask(regsvc, "/nothing")
    assert answer.status == 404
    assert answer.get("content-type") == "application/problem+json"
    assert answer.json()["status"] == 404


def test_plain_http_gets_no_answer(regsvc: Daemon) -> None:
    """FD-5.2.1.2-17, FDS-2.6.4.1-1."""
    regsvc.start("/health")
    with wire.Connection(regsvc.address()) as c:
        c.send(b"GET /nothing HTTP/1.1\r\nHost: reg.test\r\n\r\n")
        with pytest.raises((wire.WireError, OSError)):
            c.read_head()


def test_a_bad_configuration_changes_nothing(regsvc: Daemon) -> None:
    """CP-3-1: no planned downtime."""
    regsvc.start("/health")
    good = regsvc.config["tls"]["certificate"]
    regsvc.config["tls"]["certificate"] = "/nonexistent.pem"
    regsvc.reload()
    until("the refusal", lambda: "reload: refused" in regsvc.log_text())
    assert ask(regsvc, "/nothing").status == 404
    regsvc.config["tls"]["certificate"] = good
    regsvc.reload()
    until("the new configuration", lambda: "is in force" in regsvc.log_text())
    assert regsvc.metric("schleuse_reloads_total", outcome="adopted") == 1


def test_ends_on_sigterm(regsvc: Daemon) -> None:
    regsvc.start("/health")
    regsvc.signal(signal.SIGTERM)
    assert regsvc.process is not None and regsvc.process.wait(20) == 0


def test_the_store_is_a_folder_of_one_process(regsvc: Daemon, tmp_path: Path) -> None:
    regsvc.start("/health")
    until("the store works", lambda: regsvc.metric("schleuse_store_up") == 1)
    assert (tmp_path / "state" / "store").stat().st_mode & 0o777 == 0o700
    regsvc.reload()
    until("the new configuration", lambda: "is in force" in regsvc.log_text())
    assert regsvc.metric("schleuse_store_up") == 1
    other = subprocess.run(
        [regsvc.program, "-c", regsvc.file], capture_output=True, text=True, timeout=60
    )
    assert other.returncode != 0 and "in use by another process" in other.stderr


def test_redis_away_and_back(regsvc: Daemon, tmp_path: Path) -> None:
    """B-5.4.4."""
    r = Redis(tmp_path).start()
    regsvc.config["redis"] = {"address": f"redis://{r.address}", "timeout": "2s"}
    regsvc.start("/health")
    until("the store works", lambda: regsvc.metric("schleuse_store_up") == 1)
    r.stop()
    until("the loss is noticed", lambda: regsvc.metric("schleuse_store_up") == 0)
    assert ask(regsvc, "/nothing").status == 404
    r.start()
    until("it is back", lambda: regsvc.metric("schleuse_store_up") == 1)
    assert regsvc.metric("schleuse_store_failures_total") >= 1
    regsvc.reload()
    until("the new configuration", lambda: "is in force" in regsvc.log_text())
    until("the store works", lambda: regsvc.metric("schleuse_store_up") == 1)
    r.stop()
