# SPDX-License-Identifier: Apache-2.0
"""The requests of the demonstration, one line each: who asks what, and what becomes of it."""
from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Callable

from sim import b64, passport, wire
from sim.xmatrix import FederationClient, path
from world import DemoWorld, Party

DAY = 24 * 3600


class Screen:
    """Lines on the terminal, coloured only on one."""

    def __init__(self) -> None:
        self.colour = sys.stdout.isatty()
        self.unexpected = 0

    def paint(self, text: str, code: int) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text

    def title(self, text: str) -> None:
        print("\n" + self.paint(text, 1), flush=True)

    def line(self, who: str, what: str, a: wire.Answer, expected: int) -> None:
        """One request and its outcome; an unexpected one is marked and counted."""
        through = a.status < 300
        self._row(who, what, through, str(a.status), "" if through else _reason(a))
        if a.status != expected:
            self.surprise(str(expected))

    def fact(self, who: str, what: str, happened: bool, text: str, expected: bool = False) -> None:
        """Something that was tried beside the requests."""
        self._row(who, what, happened, "", text)
        if happened != expected:
            self.surprise("possible" if expected else "impossible")

    def _row(self, who: str, what: str, good: bool, status: str, text: str) -> None:
        said = ("let through" if good else "refused") if status else ("possible" if good else "impossible")
        verdict = self.paint(f"{said:<11} {status:<3}", 32 if good else 31)
        print(f"  {who:<7} {what:<62} {verdict} {text}".rstrip(), flush=True)

    def surprise(self, wanted: str) -> None:
        """Marks and counts what should have been otherwise."""
        self.unexpected += 1
        print(self.paint(f"          UNEXPECTED: should have been {wanted}", 35), flush=True)


def _reason(a: wire.Answer) -> str:
    try:
        return str(a.json()["error"])
    except (ValueError, KeyError, TypeError):
        return a.reason


class Tour:
    """Asks the proxy of `praxis`, as clients, as the member `klinik` and as the stranger `fremd`."""

    def __init__(self, world: DemoWorld, screen: Screen) -> None:
        self.w, self.screen = world, screen
        self.tls = wire.tls_context(world.ca)
        self.anna = f"@anna:{world.praxis.server_name}"
        self.bob = f"@bob:{world.klinik.server_name}"
        self.room = f"!ward:{world.klinik.server_name}"
        self.token = ""

    # Ways to ask

    def client(
        self, method: str, target: str, body: Any = None, token: str = "", at: Party | None = None
    ) -> wire.Answer:
        """A client's request to the proxy of praxis, or of another member."""
        p = at or self.w.praxis
        fields = {"Host": f"{p.public_host}:{p.port}", "Content-Type": "application/json"}
        if token:
            fields["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        with wire.Connection((p.address, p.port), self.tls, p.public_host) as c:
            return c.ask(method, target, fields, data)

    def peer(self, who: Party) -> FederationClient:
        p = self.w.praxis
        return FederationClient(
            who.server_name, who.key, p.server_name, (p.address, p.port), self.tls
        )

    def out(
        self, who: Party, to: Party, method: str, uri: str, body: Any = None, **how: Any
    ) -> wire.Answer:
        """What the homeserver of `who` wants of `to`: through its own proxy, as Synapse would ask.

        `how` replaces the secret it shares with its proxy, or the destination it signs for.
        """
        way, client = who.way, self.peer(who)
        assert way is not None
        destination = how.pop("destination", to.server_name)
        secret = how.pop("secret", Path(way.secret_file).read_text())
        fields = [
            ("Authorization", client.authorization(method, uri, body, destination=destination)),
            ("Proxy-Authorization", f"Bearer {secret}"),
            ("Content-Type", "application/json"),
            ("Host", to.server_name if ":" in to.server_name else f"{to.server_name}:80"),
            ("Connection", "close"),
        ]
        data = None if body is None else b64.sorted_json(body)
        with wire.Connection(way.out.removeprefix("unix:")) as c:
            return c.ask(method, f"matrix-federation://{to.server_name}{uri}", fields, data)

    def invitation(self, token: str | None) -> tuple[str, Any]:
        """Bob of klinik invites Anna of praxis: where that goes, and what it says."""
        event = {
            "type": "m.room.member",
            "sender": self.bob,
            "state_key": self.anna,
            "room_id": self.room,
            "content": {"membership": "invite"},
        }
        state = [] if token is None else [passport.state_event(self.anna, token, self.bob)]
        body = {"room_version": "11", "event": event, "invite_room_state": state}
        return "/_matrix/federation/v2/invite" + path(self.room, "$event"), body

    def invite(self, token: str | None) -> wire.Answer:
        """Somebody with klinik's key invites, past the proxy of klinik."""
        return self.peer(self.w.klinik).ask("PUT", *self.invitation(token))

    def profile_of(self, user: str) -> str:
        return f"/_matrix/federation/v1/query/profile?user_id={path(user)[1:]}"

    def passport(self, **how: Any) -> str:
        orig, dest = how.pop("orig", self.bob), how.pop("dest", self.anna)
        return passport.issue(self.w.pki.passport_signer, orig, dest, **how)

    def login(self, user: str, at: Party | None = None) -> str:
        body = {"type": "m.login.password", "user": user, "password": user}
        a = self.client("POST", "/_matrix/client/v3/login", body, at=at)
        if not self.token:
            self.screen.line(user, "logs in", a, 200)
        return str(a.json().get("access_token", ""))

    # The chapters

    def clients(self) -> None:
        """Client traffic passes unchanged, except for display names and administration."""
        show, me = self.screen.line, path(self.anna)
        self.screen.title("Clients of praxis")
        show("anna", "asks which versions there are", self.client("GET", "/_matrix/client/versions"), 200)
        self.token = self.login("anna")
        a = self.client("GET", "/_matrix/client/v3/sync?timeout=0", token=self.token)
        show("anna", "looks for new messages", a, 200)
        name = f"/_matrix/client/v3/profile{me}/displayname"
        new = {"displayname": "Dr. Anna"}
        show("anna", "changes the own display name", self.client("PUT", name, new, self.token), 403)
        office = self.login("office")
        name = f"/_matrix/client/v3/profile{path('@office:' + self.w.praxis.server_name)}/displayname"
        show("office", "the Org-Admin changes a display name", self.client("PUT", name, new, office), 200)
        admin = self.client("GET", "/_synapse/admin/v1/server_version")
        show("anybody", "asks for the administrative API", admin, 403)

    def members(self) -> None:
        """Other servers: authentication first, membership, then the rules."""
        show = self.screen.line
        klinik, fremd = self.peer(self.w.klinik), self.peer(self.w.fremd)
        uri = self.profile_of(self.anna)
        self.screen.title("Servers that ask praxis for Anna's profile")
        show("klinik", "listed, request signed", klinik.ask("GET", uri), 200)
        show("klinik", "the same without a signature", klinik.send("GET", uri, None, None), 401)
        other = klinik.authorization("GET", uri + "x")
        show("klinik", "signature over another request", klinik.send("GET", uri, None, other), 401)
        show("fremd", "signed, but not on the federation list", fremd.ask("GET", uri), 403)

    def invites(self) -> None:
        """An invite needs a PASSporT of the invited user for the inviting one."""
        show = self.screen.line
        self.screen.title("Bob of klinik invites Anna of praxis")
        show("klinik", "without a PASSporT", self.invite(None), 403)
        eve = self.passport(orig=f"@eve:{self.w.klinik.server_name}")
        show("klinik", "with a PASSporT that was issued for Eve", self.invite(eve), 403)
        old = self.passport(iat=int(time.time()) - 2 * DAY)
        show("klinik", "with a PASSporT two days old", self.invite(old), 403)
        forged = passport.issue(self.w.pki.foreign.issue("Forger"), self.bob, self.anna)
        show("klinik", "with a PASSporT signed by somebody else", self.invite(forged), 403)
        show("klinik", "with a valid PASSporT", self.invite(self.passport()), 200)

    def way_out(self) -> None:
        """What a homeserver wants of others passes its own proxy, which judges before a byte leaves."""
        show, klinik, praxis, fremd = self.screen.line, self.w.klinik, self.w.praxis, self.w.fremd
        uri = self.profile_of(self.anna)
        self.screen.title("The homeserver of klinik asks others, through the proxy of klinik")
        show("klinik", "praxis for Anna's profile", self.out(klinik, praxis, "GET", uri), 200)
        a = self.out(klinik, fremd, "GET", uri)
        show("klinik", "the same of fremd, which is not on the list", a, 403)
        a = self.out(klinik, praxis, "GET", uri, destination=fremd.server_name)
        show("klinik", "praxis, with a signature that is meant for fremd", a, 403)
        a = self.out(klinik, praxis, "GET", uri, secret="a guess, long enough")
        show("anybody", "without the secret that homeserver and proxy share", a, 407)
        a = self.out(klinik, praxis, "PUT", *self.invitation(None))
        show("klinik", "praxis to let Bob invite Anna, without a PASSporT", a, 403)
        a = self.out(klinik, praxis, "PUT", *self.invitation(self.passport()))
        show("klinik", "the same with a valid PASSporT", a, 200)

    def smuggling(self) -> None:
        """What two servers could read differently never gets in."""
        p = self.w.praxis
        self.screen.title("Requests with two meanings")
        fields = {"Host": p.public_host, "Content-Length": "5", "Transfer-Encoding": "chunked"}
        with wire.Connection((p.address, p.port), self.tls, p.public_host) as c:
            a = c.ask("POST", "/_matrix/client/v3/x", fields, b"0\r\n\r\n")
        self.screen.line("anybody", "Content-Length and Transfer-Encoding in one request", a, 400)
        with wire.Connection((p.address, p.port), self.tls, p.public_host) as c:
            a = c.ask("GET", "/_matrix/client/versions", {"Host": self.w.klinik.public_host})
        self.screen.line("anybody", "a Host that belongs to another service", a, 421)

    def expulsion(self, directory: Callable[..., str]) -> None:
        """The list decides, from one request to the next; it travels by itself."""
        uri = self.profile_of(self.anna)
        klinik = self.peer(self.w.klinik)
        self.screen.title("The directory takes klinik off the list, then puts it on again")
        for command, what, status in (
            ("remove-domain", "the same request as above", 403),
            ("add-domain", "listed again", 200),
        ):
            print(f"  {directory(command, self.w.klinik.server_name)}")
            began = time.monotonic()
            while (a := klinik.ask("GET", uri)).status != status and time.monotonic() < began + 10:
                time.sleep(0.05)
            took = time.monotonic() - began
            self.screen.line("klinik", f"{what} ({took:.1f} s later)", a, status)
            a = self.out(self.w.praxis, self.w.klinik, "GET", self.profile_of(self.bob))
            self.screen.line("praxis", "its homeserver asks klinik for Bob's profile", a, status)
