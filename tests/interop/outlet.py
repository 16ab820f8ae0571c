# SPDX-License-Identifier: Apache-2.0
"""The only way out of a confined homeserver: its proxy, in one of the two forms Synapse speaks.

Form A: `matrix-federation://` requests to a unix socket of the proxy beside Synapse's data.  Form B:
`CONNECT` to a TCP socket in the homeserver's own namespace, which the proxy serves from outside.
"""
from __future__ import annotations

import secrets
import shlex
from pathlib import Path
from typing import Any

from netns import Namespace
from sim.dns import DnsServer

TUNNELS = "127.0.0.1:3128"  # inside the namespace
NAMES = "127.0.0.1:53"


class Outlet:
    """What Synapse and its proxy have to know of the way; `open()` before all else."""

    form: str
    activated = ""  # the address of a socket that the namespace's agent gives to the proxy

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.secret = secrets.token_hex(16)
        self.data = Path()

    def open(self, data: Path, inside: str) -> dict[str, Any]:
        """Settings of Synapse, whose data are at `data`; in its own tree that is `inside`."""
        self.data = data
        self.secret_file = data / "out.secret"
        self.secret_file.touch(mode=0o600)
        self.secret_file.write_text(self.secret)
        return self._settings(inside)

    def _settings(self, inside: str) -> dict[str, Any]:
        raise NotImplementedError

    def listener(self) -> dict[str, Any]:
        """An entry of the proxy's `listeners`."""
        raise NotImplementedError

    def program(self, folder: Path, proxy: Path) -> Path:
        """What starts the proxy."""
        return proxy

    def close(self) -> None:
        self.namespace.close()


class FormA(Outlet):
    form = "A"

    def _settings(self, inside: str) -> dict[str, Any]:
        return {
            "worker_replication_secret_path": f"{inside}/{self.secret_file.name}",
            "instance_map": {"schleuse": {"path": f"{inside}/out.sock"}},
            "outbound_federation_restricted_to": ["schleuse"],
        }

    def listener(self) -> dict[str, Any]:
        return {"address": f"unix:{self.data / 'out.sock'}", "serves": ["outbound"]}


class FormB(Outlet):
    form = "B"
    activated = TUNNELS

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(namespace)
        # Here Synapse asks for SRV records itself; the name server knows none.
        self.dns = DnsServer(namespace.datagrams(NAMES))

    def _settings(self, inside: str) -> dict[str, Any]:
        return {
            "http_proxy": f"http://synapse:{self.secret}@{TUNNELS}",
            "https_proxy": f"http://synapse:{self.secret}@{TUNNELS}",
            "federation_custom_ca_list": [f"{inside}/ca.pem"],
        }

    def listener(self) -> dict[str, Any]:
        return {"address": TUNNELS, "serves": ["outbound"]}

    def program(self, folder: Path, proxy: Path) -> Path:
        """The proxy, given the socket that listens in the namespace."""
        script = folder / "proxy-activated"
        netns = Path(__file__).with_name("netns.py")
        words = ["/usr/bin/python3", netns, "launch", self.namespace.agent, TUNNELS, proxy]
        script.write_text("#!/bin/sh\nexec %s \"$@\"\n" % shlex.join(map(str, words)))
        script.chmod(0o755)
        return script

    def close(self) -> None:
        self.dns.close()
        super().close()
