# SPDX-License-Identifier: Apache-2.0
"""A homeserver's way out: its proxy, in one of the two forms Synapse speaks.

Form A: `matrix-federation://` requests to a unix socket of the proxy beside Synapse's data.  Form B:
`CONNECT` to a TCP socket in the homeserver's own network namespace, which the proxy serves from outside.
In a namespace there is no other way.
"""
from __future__ import annotations

import secrets
import sys
from pathlib import Path
from typing import Any

from netns import Namespace
from sim.dns import DnsServer

TUNNELS = "127.0.0.1:3128"  # inside the namespace
NAMES = "127.0.0.1:53"


class Outlet:
    """What Synapse and its proxy have to know of the way; `open()` before all else."""

    form: str
    launcher: list[str] = []  # the words before the proxy's command

    def __init__(self, namespace: Namespace | None) -> None:
        self.namespace = namespace
        self.secret = secrets.token_hex(16)
        self.data = Path()

    def open(self, data: Path, inside: str) -> dict[str, Any]:
        """Settings of Synapse, whose data are at `data`; in its own tree that is `inside`."""
        self.data = data
        self.secret_file.touch(mode=0o600)
        self.secret_file.write_text(self.secret)
        return self._settings(inside)

    @property
    def secret_file(self) -> Path:
        return self.data / "out.secret"

    def _settings(self, inside: str) -> dict[str, Any]:
        raise NotImplementedError

    @property
    def address(self) -> str:
        """Of the proxy's listener."""
        raise NotImplementedError

    def close(self) -> None:
        if self.namespace is not None:
            self.namespace.close()


class FormA(Outlet):
    form = "A"

    def _settings(self, inside: str) -> dict[str, Any]:
        return {
            "worker_replication_secret_path": f"{inside}/{self.secret_file.name}",
            "instance_map": {"schleuse": {"path": f"{inside}/out.sock"}},
            "outbound_federation_restricted_to": ["schleuse"],
        }

    @property
    def address(self) -> str:
        return f"unix:{self.data / 'out.sock'}"


class FormB(Outlet):
    form = "B"
    address = TUNNELS

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(namespace)
        # Here Synapse asks for SRV records itself; the name server knows none.
        self.dns = DnsServer(namespace.datagrams(NAMES))
        # The proxy is given the socket that listens in the namespace.
        netns = Path(__file__).with_name("netns.py")
        self.launcher = [sys.executable, str(netns), "launch", str(namespace.agent), TUNNELS]

    def _settings(self, inside: str) -> dict[str, Any]:
        where = f"http://synapse:{self.secret}@{TUNNELS}"
        return {
            "http_proxy": where,
            "https_proxy": where,
            "federation_custom_ca_list": [f"{inside}/ca.pem"],
        }

    def close(self) -> None:
        self.dns.close()
        super().close()
