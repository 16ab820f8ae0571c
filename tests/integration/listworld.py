# SPDX-License-Identifier: Apache-2.0
"""schleuse-regsvc against the simulated directory: one folder, one configuration, short times."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import PKI, Daemon, until
from sim import wire
from sim.vzd import Vzd

NAMES = ["tim.praxis.example.org", "tim.klinik.example.org"]
OFTEN: dict[str, Any] = {"interval": "200ms", "retry_interval": "100ms"}


def vzd_settings(vzd: Vzd, folder: Path) -> dict[str, Any]:
    """The sections of the configuration that lead to the simulated directory."""
    folder.mkdir(exist_ok=True)
    files = {n: str(f) for n, f in vzd.write_trust(folder).items()}
    return {
        "lookups": {"private_addresses": True, "hosts": {"localhost": "127.0.0.1"}},
        "vzd": {
            "services_url": vzd.services_url,
            "token_url": vzd.token_url,
            "exchange_url": vzd.exchange_url,
            "client_id": vzd.client,
            "client_secret_file": files["client-secret"],
            "ca_file": files["tls-ca.pem"],
        },
        "list": {
            "anchors": [files["root.pem"]],
            "signer_role": "1.2.276.0.76.4.171",
            "trust": {
                "base_url": vzd.download_url,
                "ocsp_url": vzd.ocsp_url,
                "retry": "100ms",
            },
        },
    }


class Regsvc(Daemon):
    """A registration service of its own folder."""

    def __init__(self, folder: Path, vzd: Vzd, **more: Any) -> None:
        folder.mkdir(exist_ok=True)
        certificate, key = PKI.web.server("reg.test").write(folder / "reg")
        (folder / "state").mkdir(exist_ok=True)
        ca = folder / "lookups-ca.pem"
        ca.write_bytes(vzd.pki.web.pem)
        config = {
            "listeners": [{"address": "127.0.0.1:0"}],
            "admin": "127.0.0.1:0",
            "state_dir": str(folder / "state"),
            "addresses_file": str(folder / "addresses.json"),
            "tls": {"certificate": str(certificate), "key": str(key), "hosts": ["reg.test"]},
            **vzd_settings(vzd, folder / "vzd"),
            **more,
        }
        config["lookups"]["ca_file"] = str(ca)
        super().__init__(folder, config, "regsvc")

    def version(self) -> int:
        return int(self.metric("schleuse_federation_list_version"))

    def as_of(self) -> float:
        return self.metric("schleuse_federation_list_as_of_seconds")

    def calls(self, call: str, outcome: str) -> int:
        return int(self.metric("schleuse_vzd_calls_total", call=call, outcome=outcome))

    def until_version(self, version: int) -> None:
        until(f"version {version} in force", lambda: self.version() == version)

    def missing(self) -> str:
        """What /ready complains about; empty when ready."""
        answer = self.admin("/ready")
        return "" if answer.status == 200 else answer.body.decode()

    def connect(self) -> wire.Connection:
        return wire.Connection(self.address(), wire.tls_context(PKI.web_root.pem), "reg.test")
