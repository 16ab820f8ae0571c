# SPDX-License-Identifier: Apache-2.0
"""Two real homeservers: what users see, from the missing PASSporT to the message, and the ways out."""
from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "interop"))

from netns import try_to_reach
from sim import passport, wire
from sim.xmatrix import path
from tour import Tour
from world import USERS, Party

# The room version in which somebody of higher power level may set a state event whose key is another
# user's ID (MSC3757); the ordinary ones refuse the PASSporT's state event.
ROOM_VERSION = "org.matrix.msc3757.11"
DEADLINE = 30.0


class RealTour:
    """Bob of klinik and Anna of praxis, each with a client of their own homeserver."""

    def __init__(self, tour: Tour) -> None:
        self.t = tour
        self.bob_token = tour.login("bob", tour.w.klinik)
        self.room = self.since = ""

    def bob(self, method: str, target: str, body: Any = None) -> wire.Answer:
        return self.t.client(method, target, body, self.bob_token, self.t.w.klinik)

    def anna(self, method: str, target: str, body: Any = None) -> wire.Answer:
        return self.t.client(method, target, body, self.t.token)

    def in_room(self, *rest: str) -> str:
        return "/_matrix/client/v3/rooms" + path(self.room, *rest)

    def invite(self, token: str | None, guest: str = "") -> wire.Answer:
        """Bob's client leaves the PASSporT in the room, then invites; Anna unless told otherwise."""
        guest = guest or self.t.anna
        if token is not None:
            state = self.in_room("state", passport.EVENT_TYPE, guest)
            a = self.bob("PUT", state, {"token": token})
            if a.status != 200:
                return a
        return self.bob("POST", self.in_room("invite"), {"user_id": guest})

    def anna_sees(self, word: str) -> wire.Answer:
        """Anna's sync that has the word in it; federation takes a moment."""
        end = time.monotonic() + DEADLINE
        while True:
            since = f"&since={self.since}" if self.since else ""
            a = self.anna("GET", f"/_matrix/client/v3/sync?timeout=500{since}")
            self.since = str(a.json().get("next_batch", ""))
            if word.encode() in a.body:
                return a
            if time.monotonic() > end:
                a.status, a.body = 404, b'{"error":"nothing arrived"}'
                return a

    def invites(self) -> None:
        """From refusal to conversation."""
        show, t = self.t.screen.line, self.t
        t.screen.title("Bob of klinik invites Anna of praxis (both homeservers are Synapse)")
        a = self.bob("POST", "/_matrix/client/v3/createRoom", {"room_version": ROOM_VERSION})
        show("bob", "creates a room", a, 200)
        self.room = str(a.json()["room_id"])
        show("bob", "invites Anna without a PASSporT", self.invite(None), 403)
        eve = t.passport(orig=f"@eve:{t.w.klinik.server_name}")
        show("bob", "with a PASSporT that was issued for Eve", self.invite(eve), 403)
        show("bob", "with a valid PASSporT", self.invite(t.passport()), 200)
        show("anna", "sees the invite", self.anna_sees(self.room), 200)
        show("anna", "joins", self.anna("POST", f"/_matrix/client/v3/join{path(self.room)}", {}), 200)
        text = {"msgtype": "m.text", "body": "Good morning, Anna"}
        a = self.bob("PUT", self.in_room("send", "m.room.message", "1"), text)
        show("bob", "sends a message", a, 200)
        show("anna", "reads it", self.anna_sees("Good morning, Anna"), 200)

    def way_out(self) -> None:
        """A homeserver's only way out is its proxy, which lets it speak with members only."""
        w, t = self.t.w, self.t
        t.screen.title("Ways out of the homeservers")
        for p in w.members:
            assert p.way is not None
            form = "by tunnels (CONNECT)" if p.way.by_tunnel else "with matrix-federation://"
            print(f"  {p.label:<7} asks its proxy for what it wants of others, {form}")
        if all(p.way and p.way.agent for p in w.members):
            for p in w.members:
                self._confined(p)
        else:
            print("  They are not confined here: network namespaces need root or user namespaces, so the")
            print("  homeservers use their proxies, but nothing would stop them from going past these.")
        eve = f"@eve:{w.fremd.server_name}"
        show = t.screen.line
        a = self.invite(t.passport(dest=eve), eve)
        show("bob", "invites Eve of fremd, which is not on the list", a, 403)
        a = t.peer(w.fremd).ask("GET", t.profile_of(t.anna))
        show("fremd", "asks praxis for Anna's profile", a, 403)

    def _confined(self, p: Party) -> None:
        """Tries the ways past the proxy, from inside the homeserver's namespace."""
        other = next(q for q in self.t.w.members if q is not p)
        assert p.way is not None
        agent = Path(p.way.agent)
        for what, where in (
            (f"past its proxy to {other.label}", f"{other.address}:{other.port}"),
            ("past its proxy to the Internet", "192.0.2.1:443"),
        ):
            said = try_to_reach(agent, where)
            self.t.screen.fact(p.label, what, said == "connected", said)

    def how_to_log_in(self) -> None:
        """What a Matrix client of the user's own needs."""
        w = self.t.w
        self.t.screen.title("To look around with a Matrix client:")
        print("  Lines for /etc/hosts:")
        for p in w.members:
            print(f"    {p.address} {p.public_host} {p.host}")
        print(f"  Certificate authority for the client or its browser (for this demonstration only): {w.ca}")
        for p in w.members:
            port = "" if 443 in p.more_ports else f":{p.port}"
            users = ", ".join(USERS[p.label])
            print(f"  {p.label}: homeserver https://{p.public_host}{port}, users {users}; "
                  "the password is the user's name")
