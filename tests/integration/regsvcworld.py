# SPDX-License-Identifier: Apache-2.0
"""schleuse-regsvc with the simulated VZD behind it and clients of every kind in front of it."""
from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from harness import BUILD, PKI, Daemon, environment, until
from sim import wire
from sim.h2wire import H2
from sim.vzd import Vzd

HOST = "reg.test"
SCOPES = ("list", "certificates", "changes", "directory", "audit")
METHODS = ("basic", "oauth", "mtls")
X5U = "https://passport.test/signer.pem"


@dataclass
class Client:
    """One client as its owner knows it."""

    name: str
    method: str
    subscription: str
    secret: str = ""
    files: tuple[Path, Path] | None = None
    token: str = ""

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What it sends along with each request."""
        if self.method == "basic":
            pair = base64.b64encode(f"{self.name}:{self.secret}".encode()).decode()
            return [("Authorization", f"Basic {pair}")]
        return [("Authorization", f"Bearer {self.token}")] if self.method == "oauth" else []


class RegsvcWorld:
    """Change `config` before start().  `vzd`: one that others use, too; it is not closed here."""

    def __init__(
        self, folder: Path, domains: list[str] | None = None, vzd: Vzd | None = None, **how: Any
    ) -> None:
        self.folder = folder
        self._own_vzd = vzd is None
        self.vzd = vzd or Vzd(domains=["alpha.test"] if domains is None else domains, **how)
        self.vzd.ocsp.extended = True
        trust = self.vzd.write_trust(folder)
        (folder / "state").mkdir()
        (folder / "clients-ca.pem").write_bytes(PKI.list_root.pem)
        certificate, key = PKI.web.server(HOST, "localhost").write(folder / "reg")
        looks = {"revocation": "required", "ocsp_url": self.vzd.ocsp_url, "base_url": self.vzd.download_url}
        self.config: dict[str, Any] = {
            "listeners": [{"address": "127.0.0.1:0"}],
            "admin": "127.0.0.1:0",
            "state_dir": str(folder / "state"),
            "addresses_file": str(folder / "addresses.json"),
            "tls": {
                "certificate": str(certificate),
                "key": str(key),
                "hosts": [HOST, "localhost"],
                "client_ca": [str(folder / "clients-ca.pem")],
            },
            "limits": {"connections_per_address": 0},
            "timeouts": {"drain": "5s"},
            "clients": {"password_memory": "19M"},
            "guard": {"failures": 1000, "delay": 0},
            "vzd": {
                "services_url": self.vzd.services_url,
                "token_url": self.vzd.token_url,
                "exchange_url": self.vzd.exchange_url,
                "client_id": self.vzd.client,
                "client_secret_file": str(trust["client-secret"]),
                "timeout": "5s",
            },
            "list": {"anchors": [str(trust["root.pem"])], "trust": dict(looks)},
            "passport": {"anchors": [str(trust["root.pem"])], "trust": dict(looks)},
            "lookups": {
                "hosts": {"localhost": "127.0.0.1"},
                "nameservers": ["127.0.0.1:9"],
                "ca_file": str(trust["tls-ca.pem"]),
                "ca_system": False,
                "private_addresses": True,
            },
        }
        self.daemon = Daemon(folder, self.config, "regsvc")
        self.names = 0

    def start(self, ready: str = "/ready") -> "RegsvcWorld":
        self.daemon.start(ready)
        # What is in the store is read a moment later; until then nobody can be added.
        until("clients and keys", lambda: not {"clients:", "token:"} & set(self.ctl("status")["missing"].split()))
        return self

    def stop(self) -> None:
        try:
            self.daemon.stop()
        finally:
            if self._own_vzd:
                self.vzd.close()

    # Clients

    def ctl(self, *words: str) -> Any:
        socket = self.folder / "state" / "control.sock"
        done = subprocess.run(
            [str(BUILD / "schleusectl"), "--socket", str(socket), "--json", *words],
            capture_output=True, text=True, timeout=60, env=environment(), check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def add(self, method: str = "basic", scopes: str = ",".join(SCOPES), subscription: str = "") -> Client:
        """A new client, of a new subscription unless one is given, ready to ask."""
        self.names += 1
        name = f"proxy-{self.names}"
        words = ["client", "add", name, "--tenant", "t", "--method", method, "--scope", scopes]
        files = None
        if method == "mtls":
            files = PKI.list_root.issue(name, usage="digital_signature").write(self.folder / name)
            words += ["--certificate", str(files[0])]
        if subscription:
            words += ["--subscription", subscription]
        added = self.ctl(*words)
        client = Client(name, method, added["client"]["subscription_id"], added.get("secret") or "", files)
        if method == "oauth":
            client.token = self.token(client).json()["access_token"]
        return client

    def token(self, client: Client) -> wire.Answer:
        form = {"grant_type": "client_credentials", "client_id": client.name, "client_secret": client.secret}
        fields = {"Host": HOST, "Content-Type": "application/x-www-form-urlencoded"}
        with self.connect() as c:
            return c.ask("POST", "/token", fields, urlencode(form).encode())

    # Asking

    def tls(self, client: Client | None = None):
        tls = wire.tls_context(PKI.web_root.pem)
        if client is not None and client.files is not None:
            tls.load_cert_chain(*map(str, client.files))
        return tls

    def connect(self, client: Client | None = None, **how: Any) -> wire.Connection:
        return wire.Connection(self.daemon.address(), self.tls(client), HOST, **how)

    def connect_h2(self, client: Client | None = None, **how: Any) -> H2:
        return H2(self.daemon.address(), self.tls(client), HOST, **how)

    def request(
        self, client: Client, path: str, method: str = "GET", body: bytes | None = None, **fields: str
    ) -> bytes:
        """The bytes of a request for a path below the client's subscription."""
        head = [("Host", HOST), *client.fields, *((n.replace("_", "-"), v) for n, v in fields.items())]
        return wire.request(method, f"/v1/{client.subscription}/{path}", head, body)

    def ask(
        self, client: Client, path: str, method: str = "GET", body: bytes | None = None, **fields: str
    ) -> wire.Answer:
        with self.connect(client) as c:
            c.send(self.request(client, path, method, body, **fields))
            return c.read(method)

    def wait(self, client: Client, query: str) -> wire.Connection:
        """A connection on which the client waits for changes."""
        before = self.daemon.metric("schleuse_api_waiters")
        c = self.connect(client)
        c.send(self.request(client, f"changes?{query}"))
        until("it waits", lambda: self.daemon.metric("schleuse_api_waiters") == before + 1)
        return c

    def version(self, client: Client) -> int:
        return self.ask(client, "federation-list/status").json()["version"]
