# SPDX-License-Identifier: Apache-2.0
"""A federation of real Synapse homeservers, each behind a schleuse-proxy of its own.

A homeserver without an outlet goes straight to the other one's proxy, on the loopback address and the
ports (443, 8448) its name stands for; one with an outlet is confined to a network namespace, and its own
proxy goes there for it.  Members share one federation list; an outsider's proxy has a list of its own on
which it stands, and so believes that it belongs.
"""
from __future__ import annotations

import shlex
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

from harness import PROXY, Daemon, run_proxy, until
from netns import Namespace
from outlet import Outlet
from person import Person
from sim import fedlist, passport, wire
from sim.dns import DnsServer
from sim.pki import PASSPORT_X5U, Pki
from synapse import ADDRESSES, Synapse, SynapseError, start_all

PORTS = (443, 8448)  # where clients and other servers look by themselves


def resolve_here() -> None:
    """Lets this process find the federation's servers by name, as /etc/hosts would."""
    ask = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **how: Any) -> Any:
        return ask(ADDRESSES.get(host, host), *args, **how)

    socket.getaddrinfo = getaddrinfo


def check_free(name: str) -> None:
    """The proxies' listeners may share an address, so one left running would take half the requests."""
    for port in PORTS:
        with socket.socket() as s:
            if s.connect_ex((ADDRESSES[name], port)) == 0:
                raise SynapseError(f"something listens at {ADDRESSES[name]}:{port} already: end it first")


class Site:
    """One messenger service: a homeserver and the proxy before it, perhaps also on its way out."""

    def __init__(self, federation: Federation, name: str, the_list: Path, outlet: Outlet | None) -> None:
        self.name = name
        self.folder = federation.folder / name
        self.folder.mkdir()
        (self.folder / "state").mkdir()
        self.outlet = outlet
        self.synapse = Synapse(name, self._homeservers_ca(federation.pki), outlet)
        check_free(name)
        self.proxy = Daemon(self.folder, self._config(federation, the_list))
        if outlet is not None:
            self._add_way_out(self.proxy.config, outlet)
            if outlet.launcher:
                self.proxy.program = self._script([*outlet.launcher, str(PROXY)])

    def _script(self, words: list[str]) -> Path:
        """A program that runs these words, and its arguments behind them."""
        path = self.folder / "start-proxy"
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        path.chmod(0o755)
        return path

    def _homeservers_ca(self, pki: Pki) -> bytes:
        """Whom Synapse believes the certificates of others: in tunnels all are the proxy's own."""
        if self.outlet is None:
            return pki.web_root.pem
        done = run_proxy("--make-ca", str(self.folder), "--permit", "test")
        assert done.returncode == 0, done.stderr
        return (self.folder / "ca.pem").read_bytes()

    def _add_way_out(self, config: dict[str, Any], outlet: Outlet) -> None:
        config["listeners"].append({"address": outlet.address, "serves": ["outbound"]})
        config["services"][0]["outbound"] = {"secret_file": str(outlet.secret_file)}
        config["outbound"] = {
            "ca_certificate": str(self.folder / "ca.pem"),
            "ca_key": str(self.folder / "ca.key"),
        }

    @property
    def url(self) -> str:
        return f"https://{self.name}"

    def _put(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def _config(self, federation: Federation, the_list: Path) -> dict[str, Any]:
        pki = federation.pki
        here = ADDRESSES[self.name]
        cert, key = pki.web.server(self.name).write(self.folder / "server")
        passport_file, _ = pki.passport_signer.write(self.folder / "passport")
        return {
            "listeners": [
                {"address": f"{here}:443", "serves": ["clients", "federation"]},
                {"address": f"{here}:8448", "serves": ["federation"]},
            ],
            "admin": "127.0.0.1:0",
            "workers": 1,
            "state_dir": str(self.folder / "state"),
            "addresses_file": str(self.folder / "addresses.json"),
            "federations": [
                {
                    "name": "ti",
                    "list": {
                        "file": str(the_list),
                        "interval": "1s",
                        "anchors": [self._put("list-anchors.pem", pki.list_root.pem)],
                    },
                    "passport": {
                        "anchors": [self._put("passport-anchors.pem", pki.passport_root.pem)],
                        "certificates": [{"file": str(passport_file), "x5u": PASSPORT_X5U}],
                    },
                }
            ],
            "services": [
                {
                    "server_name": self.name,
                    "hosts": [self.name],
                    "certificate": str(cert),
                    "key": str(key),
                    "default": True,
                    "homeserver": self.synapse.where,
                    "federation": "ti",
                    "well_known": {"server": f"{self.name}:443"},
                }
            ],
            "timeouts": {"drain": "1s"},
            "lookups": {
                "hosts": federation.hosts,
                "nameservers": [federation.dns.where],
                "ca_file": self._put("web-root.pem", pki.web_root.pem),
                "ca_system": False,
                "private_addresses": True,
            },
        }

    def refusals(self, reason: str) -> float:
        """How many exchanges this site's proxy ended for a reason."""
        return self.proxy.metric("schleuse_exchanges_ended_total", reason=reason)

    def stop(self) -> None:
        try:
            self.proxy.stop()
        finally:
            self.synapse.stop()
            if self.outlet is not None:
                self.outlet.close()


class Federation:
    """Members share a list; each outsider is told by a list of its own that it belongs.

    `outlets` confines members and says how each goes out; `guests` are listed names and the addresses
    where a test plays their servers, `strangers` the same for names that are on no list.
    """

    def __init__(
        self,
        folder: Path,
        members: Iterable[str],
        outsiders: Iterable[str] = (),
        *,
        outlets: dict[str, type[Outlet]] | None = None,
        guests: dict[str, str] | None = None,
        strangers: dict[str, str] | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder = folder
        self.pki = Pki()
        self.members = list(members)
        self.listed = [*self.members, *(guests or {})]
        self.hosts = {**ADDRESSES, **(guests or {}), **(strangers or {})}
        self.dns = DnsServer()
        self.outlets = outlets or {}
        self.version = 0
        self.list = folder / "members.jws"
        self._write(self.list, 1, self.listed)
        self.sites: dict[str, Site] = {}
        try:
            for name in self.members:
                self._add(name, self.list)
            for name in outsiders:
                own = folder / f"{name}.jws"
                self._write(own, 1, [*self.members, name])
                self._add(name, own)
            start_all([s.synapse for s in self.sites.values()], tell)
            for site in self.sites.values():
                site.proxy.start()
                tell(f"the proxy of {site.name} is ready at {ADDRESSES[site.name]}:443 and :8448")
        except BaseException:
            self.stop()
            raise
        self.version = 1

    def _add(self, name: str, the_list: Path) -> None:
        outlet = None
        if name in self.outlets:
            outlet = self.outlets[name](Namespace(self.folder / f"{name}.agent"))
        self.sites[name] = Site(self, name, the_list, outlet)

    def _write(self, path: Path, version: int, names: list[str]) -> None:
        fedlist.write(path, fedlist.sign(fedlist.plain(version, names), self.pki.list_signer))

    def __getitem__(self, name: str) -> Site:
        return self.sites[name]

    def publish(self, names: Iterable[str]) -> None:
        """Signs and publishes the next version of the members' list; returns when it is in force."""
        self.version += 1
        self._write(self.list, self.version, list(names))
        for name in self.members:
            proxy = self.sites[name].proxy
            until(
                f"version {self.version} of the list in force at {name}",
                lambda: proxy.metric("schleuse_federation_list_version") == self.version,
            )

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """The list is shortened for the time of the block and complete again afterwards."""
        self.publish([n for n in self.listed if n != name])
        try:
            yield
        finally:
            self.publish(self.listed)

    def passport(self, inviter: str, invited: str, **how: Any) -> str:
        """A PASSporT by which `invited` allows `inviter` to invite."""
        return passport.issue(self.pki.passport_signer, inviter, invited, **how)

    def meet(self, host: Person, guest: Person, **how: Any) -> str:
        """Makes a room of the first person that the second one was invited to and has joined."""
        room = host.create_room(**how)
        host.send_passport(room, guest.mxid, self.passport(host.mxid, guest.mxid))
        host.invite(room, guest.mxid)
        guest.until("the invite", lambda: guest.is_invited(room))
        guest.join(room)
        host.until("the join", lambda: guest.mxid in host.client.rooms[room].users)
        return room

    @contextmanager
    def logins(self) -> Iterator[Callable[..., Person]]:
        """Creates accounts and logs them in through their server's proxy."""
        people: list[Person] = []
        tls = wire.tls_context(self.pki.web_root.pem)

        def make(localpart: str, server: str, *, admin: bool = False) -> Person:
            site = self[server]
            mxid = site.synapse.register(localpart, "correct horse", admin=admin)
            store = self.folder / f"{server}-{localpart}"
            store.mkdir()
            people.append(Person(site.url, mxid, "correct horse", tls, str(store)))
            return people[-1]

        yield make
        for p in people:
            p.close()

    def stop(self) -> None:
        """Ends everything, whatever fails; the first failure is raised at the end."""
        failure: BaseException | None = None
        for site in self.sites.values():
            try:
                site.stop()
            except BaseException as e:
                failure = failure or e
        self.sites = {}
        self.dns.close()
        if failure is not None:
            raise failure
