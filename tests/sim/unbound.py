# SPDX-License-Identifier: Apache-2.0
"""A real name server, unbound, on loopback with one zone of the test's; it asks nobody else."""
from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

PROGRAM = shutil.which("unbound", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "unbound"
CONTROL = shutil.which("unbound-control", path="/usr/sbin:/usr/local/sbin:/usr/bin") or "unbound-control"
DEADLINE = 20.0

CONFIG = """
server:
    do-daemonize: no
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: "{folder}/unbound.pid"
    use-syslog: no
    logfile: ""
    num-threads: 1
    module-config: "iterator"
    interface: 127.0.0.1@{port}
    access-control: 127.0.0.0/8 allow
    local-zone: "." static
    local-zone: "{zone}." transparent
auth-zone:
    name: "{zone}."
    zonefile: "{folder}/zone"
    for-downstream: yes
    for-upstream: no
    fallback-enabled: no
remote-control:
    control-enable: yes
    control-interface: "{folder}/control"
    control-use-cert: no
"""


def _free_port() -> int:
    """A port that is free for UDP and TCP."""
    while True:
        with socket.socket(type=socket.SOCK_DGRAM) as u, socket.socket() as t:
            u.bind(("127.0.0.1", 0))
            try:
                t.bind(u.getsockname())
            except OSError:
                continue
            return int(u.getsockname()[1])


class Unbound:
    """`records` are lines of a zone file, names relative to the zone; "none" holds for `minimum`."""

    def __init__(self, folder: Path, zone: str, minimum: int = 1) -> None:
        self.folder = folder
        self.zone = zone
        self.minimum = minimum
        self.records: list[str] = []
        self.port = _free_port()
        self.where = f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        config = CONFIG.format(folder=folder, zone=zone, port=self.port)
        (folder / "unbound.conf").write_text(config)

    def _write(self) -> None:
        head = [
            f"$ORIGIN {self.zone}.",
            "$TTL 1",
            f"@ SOA ns hostmaster 1 3600 600 86400 {self.minimum}",
            "@ NS ns",
            "ns A 127.0.0.1",
        ]
        (self.folder / "zone").write_text("\n".join(head + self.records) + "\n")

    def _control(self, *words: str) -> bool:
        command = [CONTROL, "-c", str(self.folder / "unbound.conf"), *words]
        return subprocess.run(command, capture_output=True, timeout=DEADLINE).returncode == 0

    def start(self) -> "Unbound":
        self._write()
        with (self.folder / "log").open("ab") as log:
            command = [PROGRAM, "-d", "-c", str(self.folder / "unbound.conf")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + DEADLINE
        while not self._control("status"):
            assert self.process.poll() is None and time.monotonic() < end, self.log()
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(DEADLINE)
            self.process = None

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def add(self, *lines: str) -> None:
        self.records += lines
        self._reload()

    def change(self, old: str, new: str) -> None:
        """Replaces one line."""
        self.records[self.records.index(old)] = new
        self._reload()

    def _reload(self) -> None:
        self._write()
        if self.process is not None:
            assert self._control("auth_zone_reload", self.zone), self.log()
