# SPDX-License-Identifier: Apache-2.0
"""A federation of real Synapse homeservers, each behind a schleuse-proxy of its own.

Homeserver to homeserver traffic goes straight to the other one's proxy, on the loopback address and
the ports (443, 8448) its name stands for.  Members share one federation list; an outsider's proxy has
a list of its own on which it stands, and so believes that it belongs.
"""
from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Callable, Iterable

from harness import Daemon, until
from sim import fedlist, passport
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
    """One messenger service: a homeserver and the proxy before it."""

    def __init__(self, folder: Path, name: str, pki: Pki, the_list: Path, settings: dict[str, Any]) -> None:
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        (self.folder / "state").mkdir()
        self.synapse = Synapse(name, pki.web_root.pem, settings)
        check_free(name)
        self.proxy = Daemon(self.folder, self._config(pki, the_list))

    @property
    def url(self) -> str:
        return f"https://{self.name}"

    def _put(self, name: str, data: bytes) -> str:
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def _config(self, pki: Pki, the_list: Path) -> dict[str, Any]:
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
                    "homeserver": f"127.0.0.1:{self.synapse.port}",
                    "federation": "ti",
                }
            ],
            "timeouts": {"drain": "1s"},
            "lookups": {
                "hosts": dict(ADDRESSES),
                "nameservers": ["127.0.0.1:9"],
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


class Federation:
    """Members share a list; each outsider is told by a list of its own that it belongs."""

    def __init__(
        self,
        folder: Path,
        members: Iterable[str],
        outsiders: Iterable[str] = (),
        *,
        settings: dict[str, Any] | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder = folder
        self.pki = Pki()
        self.members = list(members)
        self.version = 0
        self.list = folder / "members.jws"
        self._write(self.list, 1, self.members)
        self.sites: dict[str, Site] = {}
        try:
            for name in self.members:
                self._add(name, self.list, settings)
            for name in outsiders:
                own = folder / f"{name}.jws"
                self._write(own, 1, [*self.members, name])
                self._add(name, own, settings)
            start_all([s.synapse for s in self.sites.values()], tell)
            for site in self.sites.values():
                site.proxy.start()
                tell(f"the proxy of {site.name} is ready at {ADDRESSES[site.name]}:443 and :8448")
        except BaseException:
            self.stop()
            raise
        self.version = 1

    def _add(self, name: str, the_list: Path, settings: dict[str, Any] | None) -> None:
        self.sites[name] = Site(self.folder, name, self.pki, the_list, settings or {})

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

    def passport(self, inviter: str, invited: str, **how: Any) -> str:
        """A PASSporT by which `invited` allows `inviter` to invite."""
        return passport.issue(self.pki.passport_signer, inviter, invited, **how)

    def stop(self) -> None:
        """Ends everything, whatever fails; the first failure is raised at the end."""
        failure: BaseException | None = None
        for site in self.sites.values():
            try:
                site.stop()
            except BaseException as e:
                failure = failure or e
        self.sites = {}
        if failure is not None:
            raise failure
