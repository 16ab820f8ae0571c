# SPDX-License-Identifier: Apache-2.0
"""The whole chain: directory, two registration services with one Redis, three proxies.

    VZD -> registration service 1, 2 (Redis over TLS, as the user of etc/redis-acl.conf)
        -> alpha (basic) asks the first, bravo (mtls) the second, charlie (oauth) a load balancer

Proxies look at the list of their own accord once an hour only: what reaches them was announced.
Every part can be stopped, killed and started again; `heal` brings everything back.
"""
from __future__ import annotations

import asyncio
import copy
import random
import time
from pathlib import Path
from typing import Any, Callable

from harness import PKI, SOURCE, Daemon, World, open_worlds, until
from regsvcworld import HOST, Client, RegsvcWorld
from sim.background import LoopThread
from sim.keyserver import KeyServer
from sim.pki import ROLE_DIRECTORY, Issued
from sim.redisd import Redis
from sim.vzd import Vzd
from test_regsvc_misses import invite
from test_regsvc_proxy import status

PORT = 8443
USER, PASSWORD = "schleuse-regsvc", "s3cret"
METHODS = ("basic", "mtls", "oauth")
LOOKS = {"ocsp_max_age": "300ms", "retry": "100ms"}


class Balancer:
    """Leads each connection to the first of the addresses that accepts it."""

    def __init__(self, address: str, to: list[str]) -> None:
        self._to = to
        self._thread = LoopThread()
        self._thread.run(asyncio.start_server(self._serve, address, PORT))

    async def _connect(self) -> Any:
        for address in self._to:
            try:
                return await asyncio.open_connection(address, PORT)
            except OSError:
                continue
        return None

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await self._connect()
        if there is None:
            writer.close()
            return
        await asyncio.gather(self._copy(reader, there[1]), self._copy(there[0], writer))

    def close(self) -> None:
        self._thread.stop()


class Chain:
    """Change `settings` of its parts before start()."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vzd = Vzd()
        self.vzd.ocsp.extended = True
        net = f"127.{random.randrange(64, 128)}.{random.randrange(256)}"
        self.addresses = [f"{net}.{n}" for n in (1, 2, 3)]
        self.balancer = Balancer(self.addresses[2], self.addresses[:2])
        self.redis = self._redis(folder / "redis")
        self.regsvcs = [self._regsvc(n) for n in range(2)]
        self.proxies = [self._proxy(*p) for p in zip(("alpha", "bravo", "charlie"), self.addresses)]
        self.clients: list[Client] = []
        self._configs: list[dict[str, Any]] = []
        first = self.proxies[0]
        self.beta, self.gamma = first.beta, first.gamma
        for w in self.proxies[1:]:
            for server in (self.beta, self.gamma):
                w.homeserver.trust(server.name, *server.keys)
        self.members = [w.NAME for w in self.proxies] + [self.beta.name]
        self.vzd.directory.replace(self.members)

    # Parts

    def _redis(self, folder: Path) -> Redis:
        folder.mkdir()
        acl = (SOURCE / "etc" / "redis-acl.conf").read_text()
        users = acl.replace(f"user {USER} on ", f"user {USER} on >{PASSWORD} ")
        assert users != acl
        users += "user admin on nopass allkeys allchannels allcommands\nappendonly yes\n"
        certificate = PKI.web.server("127.0.0.1")
        return Redis(folder, user=USER, password=PASSWORD, certificate=certificate, settings=users)

    def _secret(self, path: Path, secret: str) -> Path:
        path.touch(0o600)
        path.write_text(secret + "\n")
        return path

    def _regsvc(self, n: int) -> RegsvcWorld:
        folder = self.folder / f"regsvc-{n + 1}"
        folder.mkdir()
        r = RegsvcWorld(folder, vzd=self.vzd)
        ca = folder / "redis-ca.pem"
        ca.write_bytes(PKI.web_root.pem)
        c = r.config
        c["listeners"] = [{"address": f"{self.addresses[n]}:{PORT}"}]
        c["redis"] = {
            "address": f"rediss://{self.redis.address}",
            "ca_file": str(ca),
            "user": USER,
            "password_file": str(self._secret(folder / "redis-password", PASSWORD)),
            "timeout": "500ms",
        }
        c["list"].update(interval="300ms", retry_interval="200ms", claim="2s", signer_role=ROLE_DIRECTORY)
        c["passport"]["interval"] = "300ms"
        for section in ("list", "passport"):
            c[section]["trust"].update(LOOKS)
        return r

    def _proxy(self, label: str, where: str) -> World:
        """Its registration service is at that address.  Its credentials come later."""
        folder = self.folder / label
        folder.mkdir()
        w = World(folder, name=f"{label}.test")
        trust = self.vzd.write_trust(folder)
        with w.ca_file.open("ab") as f:
            f.write(self.vzd.pki.web.pem)
        looks = {
            "revocation": "required",
            "base_url": self.vzd.download_url,
            "ocsp_url": self.vzd.ocsp_url,
            **LOOKS,
        }
        root = str(trust["root.pem"])
        w.federation["list"] = {
            "source": "regsvc", "interval": "1h", "anchors": [root], "trust": dict(looks),
            "signer_role": ROLE_DIRECTORY,
        }
        w.federation["passport"] = {"source": "regsvc", "anchors": [root], "trust": dict(looks)}
        w.config["lookups"]["hosts"].update({HOST: where, "localhost": "127.0.0.1"})
        return w

    def introduce(self, n: int) -> None:
        """A new client for this proxy, made by schleusectl, and its settings."""
        w, method = self.proxies[n], METHODS[n]
        client = self.regsvcs[0].add(method, scopes="list,certificates,changes")
        section: dict[str, Any] = {
            "url": f"https://{HOST}:{PORT}",
            "subscription": client.subscription,
            "auth": method,
            "ca_file": str(w.folder / "reg-ca.pem"),
            "timeout": "5s",
            "miss_ttl": "1s",
            "miss_rate": 600,
        }
        (w.folder / "reg-ca.pem").write_bytes(PKI.web_root.pem)
        if client.files is not None:
            section["certificate"], section["key"] = map(str, client.files)
        else:
            secret = self._secret(w.folder / "regsvc.secret", client.secret)
            section.update(client_id=client.name, password_file=str(secret))
        w.federation["regsvc"] = section
        self.clients[n : n + 1] = [client]

    # Life

    @property
    def daemons(self) -> list[Daemon]:
        return [x.daemon for x in (*self.regsvcs, *self.proxies)]

    def start(self) -> "Chain":
        open_worlds.extend([*self.regsvcs, *self.proxies])
        self.redis.start()
        for r in self.regsvcs:
            r.start()
        for n, w in enumerate(self.proxies):
            self.introduce(n)
            w.start()
        self._configs = copy.deepcopy([d.config for d in self.daemons])
        self.settle()
        return self

    def stop(self) -> None:
        faults = []
        for part in (*self.proxies, *self.regsvcs, self.redis, self.vzd, self.balancer):
            try:
                part.close() if isinstance(part, (Vzd, Balancer)) else part.stop()
            except AssertionError as e:
                faults.append(str(e))
            if part in open_worlds:
                open_worlds.remove(part)
        assert not faults, "\n".join(faults)

    def heal(self) -> None:
        """Everything runs as configured first, the directory has its first members, every proxy knows."""
        self.vzd.faults.clear()
        if not self.vzd.listening:
            self.vzd.up()
        if self.redis.process is None:
            self.redis.start()
        for d, config in zip(self.daemons, self._configs):
            changed = d.config != config
            d.config.update(copy.deepcopy(config))
            if d.process is None:
                d.start("/health")
            elif changed:
                reload(d)
            d.check_alive()
        if self.vzd.directory.names() != self.members:
            self.vzd.directory.replace(self.members)
        self.settle()

    # Watching

    def settle(self) -> None:
        """Every part is ready and has the directory's list."""
        version = self.vzd.directory.version
        for d in self.daemons:
            until(f"{d.folder.name} is ready", lambda: not missing(d))
            until(f"{d.folder.name} has {version}", lambda: version_of(d) == version)

    def statuses(self, who: KeyServer | None = None) -> list[int]:
        """What each proxy says to a request of this server."""
        return [status(w, who or self.beta) for w in self.proxies]

    def all_say(self, code: int, who: KeyServer | None = None) -> None:
        until(f"all say {code}", lambda: set(self.statuses(who)) == {code})

    def invites(self, signer: Issued, x5u: str | None) -> list[int]:
        """What each proxy says to an invite with a PASSporT of this signer."""
        return [invite(w, signer, x5u, who=self.beta).status for w in self.proxies]

    def elected(self) -> RegsvcWorld:
        """The registration service that asks the directory on schedule."""
        def find() -> list[RegsvcWorld]:
            running = [r for r in self.regsvcs if r.daemon.process is not None]
            return [r for r in running if r.daemon.metric("schleuse_federation_list_elected")]

        return until("an election", find)[0]

    def admin(self, *commands: list[str]) -> bytes:
        """Commands to Redis as its administrator."""
        return self.redis.ask_all(["AUTH", "admin", "any"], *commands)


def version_of(d: Daemon) -> int:
    return int(d.metric("schleuse_federation_list_version"))


def missing(d: Daemon) -> str:
    """What /ready complains about; empty when ready."""
    answer = d.admin("/ready")
    return "" if answer.status == 200 else answer.body.decode()


def reload(d: Daemon) -> None:
    """Reloads, and waits until what is configured now is in force."""
    line = "configuration is in force"
    before = d.log_text().count(line)
    d.reload()
    until(f"the reload of {d.folder.name}", lambda: d.log_text().count(line) > before)


def timed(what: str, act: Callable[[], object]) -> None:
    """Does it, and prints how long it took (no verdict: machines differ)."""
    began = time.monotonic()
    act()
    print(f"{what}: {time.monotonic() - began:.2f} s")
