# SPDX-License-Identifier: Apache-2.0
"""One process of homeservers in the soak of the push gateway.

Reads what it needs as JSON from standard input.  Each thread is a homeserver with phones of its own: as
homeservers do it repeats every notification until it is answered 200, and only then comes the next one for the
same phones.  In the end it writes one JSON object: what was accepted, what was called rejected, what was wrong.
"""
from __future__ import annotations

import json
import pathlib
import random
import sys
import threading
import time
from collections import Counter
from typing import Any

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS)]
from sim import h2wire, wire  # noqa: E402

NOTIFY = "/_matrix/push/v1/notify"
STRANGE = {"app_id": "org.example.unknown", "pushkey": "nobody's", "data": {}}
WAYS = 4  # notifications at once over HTTP/2
DEVICES = 4  # of one notification, at most
PAUSE = 0.2  # seconds between two, at most
PATIENCE = 90  # seconds for the last one


class Homeserver(threading.Thread):
    def __init__(self, how: dict[str, Any], number: int) -> None:
        super().__init__()
        self.how, self.number = how, number
        self.random = random.Random(number)
        self.address = (how["host"], how["port"])
        self.tls = wire.tls_context(pathlib.Path(how["ca"]))
        self.tls_h2 = wire.tls_context(pathlib.Path(how["ca"]))
        self.end = time.monotonic() + how["seconds"]
        phones = how["phones"][str(number)]
        self.groups = [phones[i::WAYS] for i in range(WAYS)]
        self.sent = 0
        self.accepted: dict[str, list[str]] = {}  # events by pushkey
        self.rejected: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self.faults: list[str] = []
        self.link: wire.Connection | None = None
        self.h2: h2wire.H2 | None = None

    # What is sent

    def notification(self, group: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
        """Now and then one of counts alone, with an app nobody knows, or with what is encrypted for the device."""
        self.sent += 1
        event = f"$soak-{self.number}-{self.sent:08d}"
        devices = [dict(d) for d in self.random.sample(group, self.random.randint(1, min(DEVICES, len(group))))]
        body = {"devices": devices, "event_id": event, "room_id": "!room:hs.test", "sender": "@secret:hs.test",
                "prio": self.random.choice(("high", "low")), "counts": {"unread": self.random.randrange(9)}}
        chance = self.random.random()
        if chance < 0.03:
            del body["event_id"], body["room_id"]
            event = ""
        elif chance < 0.06:
            devices.append(STRANGE)
        elif chance < 0.2:
            for d in devices:
                d["data"] = {**d.get("data", {}), "algorithm": "com.famedly.curve25519-aes-sha2"}
            body |= {"ephemeral": "E" * 43, "ciphertext": "C" * 300, "mac": "M" * 11}
        return {"notification": body}, event

    def odd(self) -> None:
        """What no homeserver sends, or not to its end."""
        kind = self.random.randrange(3)
        try:
            with wire.Connection(self.address, self.tls, self.how["name"], timeout=10) as c:
                head = {"Host": self.how["name"], "Content-Type": "application/json"}
                if kind == 0:
                    status = c.ask("POST", NOTIFY, head, b'{"notification":{"devices":[{"app_id":5}]}}').status
                    if status not in (400, 503):
                        self.faults.append(f"status {status} for garbage")
                elif kind == 1:
                    c.send(wire.request("POST", NOTIFY, head, b"{" * 3000)[: self.random.randrange(3000)])
                    c.reset()
                else:
                    c.send(self.random.randbytes(self.random.randrange(2000)))
        except (OSError, wire.WireError):
            pass

    # How

    def ask(self, bodies: list[bytes]) -> list[tuple[int, bytes]]:
        """The answers; raises if there are none."""
        if self.how["h2"][self.number % len(self.how["h2"])]:
            return self.ask_h2(bodies)
        if self.link is None:
            self.link = wire.Connection(self.address, self.tls, self.how["name"], timeout=30)
        said = []
        for body in bodies:
            head = {"Host": self.how["name"], "Content-Type": "application/json"}
            answer = self.link.ask("POST", NOTIFY, head, body)
            said.append((answer.status, answer.body))
        return said

    def ask_h2(self, bodies: list[bytes]) -> list[tuple[int, bytes]]:
        if self.h2 is None:
            self.h2 = h2wire.H2(self.address, self.tls_h2, self.how["name"]).settle()
        ids = []
        for body in bodies:
            ids.append(self.h2.begin("POST", NOTIFY, ("content-type", "application/json"), end=False,
                                     authority=self.how["name"]))
            self.h2.data(ids[-1], body)
        streams = [self.h2.read(id) for id in ids]
        if any(s.reset is not None for s in streams):
            raise wire.WireError("reset")
        return [(s.status, bytes(s.body)) for s in streams]

    def hang_up(self) -> None:
        if self.link is not None:
            self.link.close()
        if self.h2 is not None:
            self.h2.sock.close()
        self.link = self.h2 = None

    def say(self, bodies: list[bytes]) -> None:
        """All of them, again and again until each was answered 200."""
        while bodies and time.monotonic() < self.end + PATIENCE:
            began = time.monotonic()
            try:
                said = self.ask(bodies)
            except (OSError, wire.WireError):
                self.hang_up()
                time.sleep(0.05)
                continue
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.statuses.update(status for status, _ in said)
            for status, answer in said:
                if status == 200:
                    self.rejected.update(json.loads(answer)["rejected"])
                elif status != 503:
                    self.faults.append(f"status {status}: {answer[:200]!r}")
            bodies = [b for b, (status, _) in zip(bodies, said) if status != 200]
            if bodies:
                time.sleep(self.random.uniform(0.05, 0.3))
        if bodies:
            self.faults.append(f"not accepted in {PATIENCE} s")

    def turn(self) -> None:
        made = [self.notification(g) for g in self.random.sample(self.groups, self.random.randint(1, WAYS))]
        noted = [(d["pushkey"], event) for n, event in made if event for d in n["notification"]["devices"]]
        self.say([json.dumps(n).encode() for n, _ in made])
        for key, event in noted:
            self.accepted.setdefault(key, []).append(event)
        if self.random.random() < 0.03:
            self.odd()
        if self.random.random() < 0.05:
            self.hang_up()

    def run(self) -> None:
        try:
            while time.monotonic() < self.end and len(self.faults) < 5:
                self.turn()
                time.sleep(self.random.uniform(0, PAUSE))
        except Exception as e:  # whatever it is, the soak has failed
            self.faults.append(f"homeserver: {type(e).__name__}: {e}")
        self.hang_up()


def main() -> None:
    how = json.load(sys.stdin)
    threads = [Homeserver(how, int(n)) for n in how["phones"]]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    said: dict[str, Any] = {"accepted": {}, "rejected": [], "faults": [], "slowest": 0.0}
    statuses: Counter[int] = Counter()
    for t in threads:
        said["accepted"] |= {k: v for k, v in t.accepted.items() if k != STRANGE["pushkey"]}
        said["rejected"] += t.rejected - {STRANGE["pushkey"]}
        said["faults"] += t.faults
        said["slowest"] = max(said["slowest"], t.slowest)
        statuses.update(t.statuses)
    json.dump({**said, "statuses": statuses}, sys.stdout)


if __name__ == "__main__":
    main()
