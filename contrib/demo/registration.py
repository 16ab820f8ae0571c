# SPDX-License-Identifier: Apache-2.0
"""The registration side of the demonstration: the simulated directory, schleuse-regsvc, its clients.

The list travels from the directory through the registration service to the proxies; each proxy has
credentials of its own there, made with schleusectl as an operator would.
"""
from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from processes import Failed, Processes
from sim import wire
from sim.pki import PASSPORT_X5U, ROLE_DIRECTORY
from world import DemoWorld, free_port

TESTS = Path(__file__).resolve().parents[2] / "tests"
HOST = "reg.demo.test"
ADDRESS = "127.0.0.1"


class Registration:
    """What stands between the directory and the proxies."""

    def __init__(self, world: DemoWorld, processes: Processes, build: Path, redis: bool) -> None:
        self.world, self.processes, self.build = world, processes, build
        self.redis = redis
        self.folder = world.state / "vzd"
        self.state = world.state / "state-regsvc"
        self.port, self.admin = free_port(ADDRESS, 8443), free_port(ADDRESS)

    # The directory

    def start_directory(self) -> None:
        members = [word for p in self.world.members for word in ("--domain", p.server_name)]
        command = [sys.executable, "-m", "sim.vzd", "--folder", str(self.folder), *members]
        log = self.processes.start("vzd", command, cwd=TESTS)
        self.processes.wait_for("the directory", log, (self.folder / "vzd.json").exists)

    def directory(self, *words: str) -> str:
        """Tells the directory what to do; returns what it says."""
        command = [sys.executable, "-m", "sim.vzd", "--folder", str(self.folder), *words]
        done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True)
        if done.returncode:
            raise Failed(done.stderr.strip())
        return done.stdout.strip()

    @property
    def about(self) -> dict[str, Any]:
        """Its URLs and files."""
        return dict(json.loads((self.folder / "vzd.json").read_text()))

    def signer(self) -> dict[str, Any]:
        """Whom regsvc and the proxies believe the list, and who says that it is not revoked."""
        about = self.about
        return {
            "anchors": [about["root_file"]],
            "signer_role": ROLE_DIRECTORY,
            "trust": {
                "revocation": "required",
                "base_url": about["download_url"],
                "ocsp_url": about["ocsp_url"],
            },
        }

    @property
    def ca_file(self) -> Path:
        """The CAs of everybody here: the demonstration's own and that of the directory."""
        path = self.world.state / "cas.pem"
        directory = Path(self.about["tls_ca_file"])
        path.write_bytes(self.world.ca.read_bytes() + directory.read_bytes())
        return path

    # Redis

    def start_redis(self) -> None:
        """A server of our own on a unix socket, that keeps nothing."""
        socket = self.world.state / "redis.sock"
        command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "600"]
        command += ["--dir", str(self.world.state), "--save", "", "--appendonly", "no"]
        log = self.processes.start("redis", command)
        self.processes.wait_for("Redis", log, socket.exists)

    # The service

    def configuration(self) -> Path:
        at, about = self.world.state, self.about
        self.world.pki.web.server(HOST).write(at / "regsvc")
        config: dict[str, Any] = {
            "listeners": [{"address": f"{ADDRESS}:{self.port}"}],
            "admin": f"{ADDRESS}:{self.admin}",
            "state_dir": str(self.state),
            "tls": {
                "certificate": str(at / "regsvc.pem"),
                "key": str(at / "regsvc.key"),
                "hosts": [HOST],
                "client_ca": [str(self.world.ca)],
            },
            "vzd": {
                "services_url": about["services_url"],
                "token_url": about["token_url"],
                "exchange_url": about["exchange_url"],
                "client_id": about["client_id"],
                "client_secret_file": about["client_secret_file"],
                "ca_file": about["tls_ca_file"],
            },
            # An hour between two looks is usual; here somebody is watching.
            "list": {
                "interval": "500ms",
                **self.signer(),
            },
            "passport": {
                "anchors": [str(at / "passport-anchors.pem")],
                "vzd": False,
                "trust": {"revocation": "off"},
            },
            "lookups": {
                "ca_file": str(self.ca_file),
                "ca_system": False,
                "private_addresses": True,
                "client_id": "SCHLEUSE-DEMO",
            },
        }
        if self.redis:
            config["redis"] = {"address": f"unix:{at / 'redis.sock'}"}
        path = at / "regsvc.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path

    def is_ready(self) -> bool:
        try:
            with wire.Connection((ADDRESS, self.admin), timeout=5) as c:
                return c.ask("GET", "/ready", {"Host": "localhost"}).status == 200
        except OSError:
            return False

    def start(self) -> None:
        """Directory, store, service; then the credentials and the certificate of the PASSporTs."""
        self.state.mkdir(mode=0o700)
        self.start_directory()
        if self.redis:
            self.start_redis()
        command = [str(self.build / "schleuse-regsvc"), "-c", str(self.configuration())]
        log = self.processes.start("regsvc", command)
        self.processes.wait_for("the registration service", log, self.is_ready)
        self.control("certificate", "add", str(self.world.state / "passport.pem"), "--x5u", PASSPORT_X5U)

    def control(self, *words: str) -> dict[str, Any]:
        """schleusectl, as an operator would use it."""
        command = [str(self.build / "schleusectl"), "--socket", str(self.state / "control.sock"), "--json"]
        done = subprocess.run([*command, *words], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"schleusectl {' '.join(words)}: {done.stderr.strip()}")
        return dict(json.loads(done.stdout))

    def federation(self, label: str, method: str) -> dict[str, Any]:
        """A federation as the configuration of a proxy has it: all comes from the service."""
        anchors = [str(self.world.state / "passport-anchors.pem")]
        return {
            "name": "demo",
            "list": {"source": "regsvc", **self.signer()},
            "passport": {"source": "regsvc", "anchors": anchors},
            "regsvc": self._credentials(label, method),
        }

    def _credentials(self, label: str, method: str) -> dict[str, Any]:
        """New ones for a proxy."""
        made = self.control("client", "add", f"proxy-{label}", "--tenant", label, "--method", method,
                            "--scope", "list,certificates,changes")
        secret = self.world.state / f"regsvc-{label}.secret"
        secret.touch(mode=0o600)
        secret.write_text(made["secret"] + "\n")
        return {
            "url": f"https://{HOST}:{self.port}",
            "subscription": made["client"]["subscription_id"],
            "auth": method,
            "client_id": made["client"]["id"],
            "password_file": os.fspath(secret),
            "ca_file": str(self.world.ca),
        }

    # For the user's terminal

    def shell(self, *words: str) -> str:
        program, socket = self.build / "schleusectl", self.state / "control.sock"
        return shlex.join([str(program), "--socket", str(socket), *words])

    def directory_shell(self, *words: str) -> str:
        command = shlex.join([sys.executable, "-m", "sim.vzd", "--folder", str(self.folder), *words])
        return f"(cd {shlex.quote(str(TESTS))} && {command})"
