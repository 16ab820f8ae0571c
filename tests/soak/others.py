# SPDX-License-Identifier: Apache-2.0
"""What is around the way out in the soak: other servers, their places in DNS, and settings that change.

SERVERS are in a process of their own (remotes.py).  A name without a port is found by SRV or at 8448, one
with a port where DNS says its host is.
"""
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness import PKI
from outworld import CA, SECRET, TCP, UNIX, OutWorld, loopback
from sim.dns import SRV, A
from sim.pki import Authority

HERE = Path(__file__).resolve().parent
TTL = 1  # seconds; the proxy asks again after 5
SECRETS = (SECRET, "another-secret-of-the-way-out")
SECOND_CA = Authority.interceptor("Second way out", ["test"], ["127.0.0.0/8", "::1/128"])
# host: how it behaves (remotes.py), its port (0: any), listed, number of addresses
SERVERS = {
    "steady.test": ("steady", 0, True, 1),
    "plain.test": ("steady", 8448, True, 1),
    "wander.test": ("steady", 8448, True, 2),
    "service.test": ("steady", 0, True, 2),
    "flux.test": ("steady", 8448, False, 1),
    "moody.test": ("moody", 8448, True, 1),
    "fickle.test": ("fickle", 8448, True, 1),
    "slow.test": ("slow", 8448, True, 1),
    "silent.test": ("silent", 8448, False, 1),
    "push.test": ("guest", 0, False, 1),
    "web.test": ("guest", 0, False, 1),
    "maybe.test": ("guest", 0, False, 1),
}
PORT_IN_NAME = ("steady.test",)
NODE = "node.service.test"  # where SRV sends for service.test


def certificates(host: str, way: str, stem: Path) -> list[list[str]]:
    """A good one, and for those that need them all kinds of bad ones."""
    issued = [PKI.web.server(host)]
    if way == "moody":
        issued += [PKI.foreign.server(host), PKI.web.server("other.test"),
                   PKI.web.server(host, days=1, starts=-3)]
    return [[str(p) for p in c.write(stem.with_name(f"{stem.name}-{i}"))]
            for i, c in enumerate(issued)]


class Others:
    """Set up before the proxy is started; disturb() between its reloads."""

    def __init__(self, world: OutWorld) -> None:
        self.world, self.dns = world, world.dns
        self.dns.ttl = TTL
        self.second = SECOND_CA.issued.write(world.folder / "second-way-out")
        self.first = (world.folder / "way-out.pem", world.folder / "way-out.key")
        self.who = [self._server(host, *how) for host, how in SERVERS.items()]
        self.process = self._start()
        self.ports = dict(json.loads(self._line()))
        for who in self.who:
            who["port"] = self.ports[who["host"]]
        self.names = {w["host"]: self._name(w) for w in self.who}
        self.listed = [self.names[h] for h, (_, _, listed, _) in SERVERS.items() if listed]
        self._settings()
        self.move(0)

    def _server(self, host: str, way: str, port: int, _listed: bool, n: int) -> dict[str, Any]:
        files = certificates(host, way, self.world.folder / f"s-{host}")
        return {"host": host, "port_in_name": host in PORT_IN_NAME, "way": way, "port": port,
                "certificates": files, "addresses": [loopback() for _ in range(n)]}

    def _name(self, who: dict[str, Any]) -> str:
        return f"{who['host']}:{who['port']}" if who["port_in_name"] else str(who["host"])

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, HERE / "remotes.py"], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        own = {"name": self.world.NAME, "key": self.world.homeserver.key.seed}
        json.dump({"own": own, "remotes": self.who}, process.stdin)
        process.stdin.close()
        process.stdin = None
        return process

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def _settings(self) -> None:
        w = self.world
        w.config["outbound"].update(timeouts={"connect": "5s"})
        self.change(0)

    def at(self, host: str) -> str:
        return f"{NODE if host == 'service.test' else host}:{self.ports[host]}"

    def for_traffic(self) -> dict[str, Any]:
        """What the clients need; the listeners' addresses are known once the proxy runs."""
        bundle = self.world.folder / "bundle.pem"
        bundle.write_bytes(CA.pem + SECOND_CA.pem + PKI.web_root.pem)
        return {
            "unix": self.world.out(UNIX), "tcp": self.world.out(TCP), "ca": str(bundle),
            "name": self.world.NAME, "key": self.world.homeserver.key.seed,
            "secrets": SECRETS, "names": self.names,
            "at": {host: self.at(host) for host in SERVERS},
        }

    # What changes

    def move(self, n: int) -> None:
        """Where some are, in DNS."""
        for who in self.who:
            addresses = who["addresses"]
            first = addresses[n % len(addresses)]
            self.dns.records[(who["host"], A)] = [first]
            if who["host"] == "service.test":
                self.dns.records[(NODE, A)] = [first]
                self.dns.records[("_matrix-fed._tcp.service.test", SRV)] = [(10, 0, who["port"], NODE)]

    def change(self, n: int) -> None:
        """The settings of the n-th configuration."""
        w = self.world
        push, web, maybe = ({"host": h, "port": self.ports[h]} for h in ("push.test", "web.test", "maybe.test"))
        allow = [push, {**web, "inspect": True}]
        if n % 3:
            allow.append({**maybe, "inspect": n % 3 == 1})
        w.main_service["outbound"] = w.way_out(
            "out.secret", SECRETS[n % 2], allow=allow, signature=("enforce", "log")[n // 2 % 2],
            domains=("log", "enforce", "off")[n % 3])
        certificate, key = self.second if n % 4 > 1 else self.first
        w.config["outbound"].update(
            ca_certificate=str(certificate), ca_key=str(key), leaves_max=1 + n % 5,
            idle_max=n % 4, idle_total_max=4 + n % 8, connections_max=100 + n % 7)
        w.config["lookups"]["hosts"]["changing.test"] = f"127.0.0.{1 + n // 4 % 2}"

    def listed_now(self, n: int) -> list[str]:
        """flux.test comes and goes."""
        return [*self.listed, self.names["flux.test"]] if n % 4 < 2 else self.listed

    # The end

    def stop(self) -> list[str]:
        """What they have to complain of."""
        self.process.terminate()
        faults = list(json.loads(self._line() or '["the other servers ended early"]'))
        self.process.wait()
        if any(name.endswith("silent.test") for name, _ in self.dns.asked):
            faults.append("DNS was asked for an unlisted name")
        return faults
