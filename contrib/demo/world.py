# SPDX-License-Identifier: Apache-2.0
"""What the demonstration consists of: names, addresses, certificates, the list, configurations."""
from __future__ import annotations

import json
import random
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sim.pki import Issued, Pki
from sim.xmatrix import SigningKey

FEDERATION_PORT = 8448
ORG_ADMIN = "office"
USERS = {"praxis": {"anna": "Anna", ORG_ADMIN: "Office"}, "klinik": {"bob": "Bob"}}
# Where real homeservers find each other: their folder's /etc/hosts says so too.
FIXED_NET = "127.2.0"


@dataclass
class Way:
    """How a homeserver and its proxy reach each other."""

    homeserver: str  # where the proxy finds it
    out: str  # the proxy's listener for what it wants of others
    secret_file: str
    launcher: list[str] = field(default_factory=list)  # the words before the proxy's command
    agent: str = ""  # of its network namespace; without one it has other ways out

    @property
    def by_tunnel(self) -> bool:
        """Form B: CONNECT."""
        return not self.out.startswith("unix:")


@dataclass
class Party:
    """One server of the demonstration."""

    label: str
    host: str
    server_name: str
    address: str  # loopback, its own
    port: int  # of its proxy (or of the stranger itself)
    more_ports: list[int]  # where its proxy listens besides
    backend: int  # a free port for its homeserver, 0 for the stranger
    admin: int
    key_version: str
    key_seed: str
    way: "Way | None" = None  # told by servers.py

    def __post_init__(self) -> None:
        if isinstance(self.way, dict):  # as JSON has it
            self.way = Way(**self.way)

    @property
    def public_host(self) -> str:
        return f"matrix.{self.host}"

    @property
    def key(self) -> SigningKey:
        return SigningKey(self.key_version, self.key_seed)


def free_port(address: str, *wanted: int) -> int:
    """A port that is free now at the address: the first of the wanted ones if possible."""
    for port in (*wanted, 0):
        try:
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address, port))
                return int(s.getsockname()[1])
        except OSError:
            continue
    raise OSError(f"no free port at {address}")


def new_party(label: str, host: str, address: str, has_proxy: bool, well_known: bool) -> Party:
    """A server with a new key, on a loopback address of its own.

    Its name needs no port when 8448 is free there; with `well_known`, which real homeservers ask for,
    443 must be free as well.
    """
    port = free_port(address, FEDERATION_PORT)
    more = [443] if well_known and free_port(address, 443) == 443 else []
    bare = port == FEDERATION_PORT and (more or not well_known)
    return Party(
        label=label,
        host=host,
        server_name=host if bare else f"{host}:{port}",
        address=address,
        port=port,
        more_ports=more,
        backend=free_port("127.0.0.1") if has_proxy else 0,
        admin=free_port("127.0.0.1") if has_proxy else 0,
        key_version="a_" + label,
        key_seed=SigningKey().seed,
    )


class DemoWorld:
    """Everything on disk below the state folder."""

    def __init__(self, state: Path, synapse: bool = False) -> None:
        self.state, self.synapse = state, synapse
        self.pki = Pki()
        net = FIXED_NET if synapse else f"127.{random.randrange(64, 128)}.{random.randrange(256)}"
        self.praxis = new_party("praxis", "praxis.test", f"{net}.1", True, synapse)
        self.klinik = new_party("klinik", "klinik.test", f"{net}.2", True, synapse)
        self.fremd = new_party("fremd", "fremd.test", f"{net}.3", False, False)
        self.dns_port = 0

    @property
    def parties(self) -> list[Party]:
        return [self.praxis, self.klinik, self.fremd]

    @property
    def members(self) -> list[Party]:
        return [self.praxis, self.klinik]

    @property
    def ca(self) -> Path:
        return self.state / "ca.pem"

    def write(self) -> None:
        """Certificates, list, and what the background servers read."""
        self.ca.write_bytes(self.pki.web_root.pem)
        (self.state / "passport-anchors.pem").write_bytes(self.pki.passport_root.pem)
        self.pki.passport_signer.write(self.state / "passport")
        for p in self.parties:
            certificate: Issued = self.pki.web.server(p.public_host, p.host)
            certificate.write(self.state / p.label)
            (self.state / f"state-{p.label}").mkdir(exist_ok=True)
            self.tunnel_ca(p).mkdir(mode=0o700, exist_ok=True)
        world = {"parties": [asdict(p) for p in self.parties], "synapse": self.synapse}
        (self.state / "world.json").write_text(json.dumps(world, indent=1))

    def tunnel_ca(self, p: Party) -> Path:
        """The folder of the CA for tunnels; only the party's own homeserver believes it."""
        return self.state / f"ca-{p.label}"

    def configuration(
        self, p: Party, federation: dict[str, Any], more_hosts: dict[str, str], ca_file: Path
    ) -> Path:
        """The configuration file of a member's proxy."""
        at, way = self.state, p.way
        assert way is not None
        config: dict[str, Any] = {
            "listeners": [
                *(
                    {"address": f"{p.address}:{port}", "serves": ["clients", "federation"]}
                    for port in (p.port, *p.more_ports)
                ),
                {"address": way.out, "serves": ["outbound"]},
            ],
            "admin": f"127.0.0.1:{p.admin}",
            "workers": 1,
            "state_dir": str(at / f"state-{p.label}"),
            "federations": [federation],
            "services": [
                {
                    "server_name": p.server_name,
                    "hosts": [p.public_host],
                    "certificate": str(at / f"{p.label}.pem"),
                    "key": str(at / f"{p.label}.key"),
                    "default": True,
                    "homeserver": way.homeserver,
                    "federation": "demo",
                    "well_known": {"server": f"{p.host}:{p.port}"},
                    "outbound": {"secret_file": way.secret_file},
                    "display_names": {"org_admins": [f"@{ORG_ADMIN}:{p.server_name}"]},
                }
            ],
            "outbound": {
                "ca_certificate": str(self.tunnel_ca(p) / "ca.pem"),
                "ca_key": str(self.tunnel_ca(p) / "ca.key"),
            },
            "lookups": {
                "hosts": {**{q.host: q.address for q in self.parties}, **more_hosts},
                "nameservers": [f"127.0.0.1:{self.dns_port}"],
                "ca_file": str(ca_file),
                "ca_system": False,
                "private_addresses": True,
                "client_id": "SCHLEUSE-DEMO",
            },
        }
        path = at / f"proxy-{p.label}.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path
