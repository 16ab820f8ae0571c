# SPDX-License-Identifier: Apache-2.0
"""Invites between two real homeservers: what users see, from the missing PASSporT to the message."""
from __future__ import annotations

import time
from typing import Any

from sim import passport, wire
from sim.xmatrix import path
from tour import Tour
from world import USERS

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

    def invite(self, token: str | None) -> wire.Answer:
        """Bob's client leaves the PASSporT in the room, then invites."""
        if token is not None:
            state = self.in_room("state", passport.EVENT_TYPE, self.t.anna)
            a = self.bob("PUT", state, {"token": token})
            if a.status != 200:
                return a
        return self.bob("POST", self.in_room("invite"), {"user_id": self.t.anna})

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
