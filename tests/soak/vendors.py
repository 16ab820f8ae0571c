# SPDX-License-Identifier: Apache-2.0
"""The push providers of the soak: they misbehave at random, and books are kept of what they were sent.

Phones are steady or mortal.  A steady one is never called dead, so what was accepted for it must arrive,
unless its provider refused that push for what it is.  A mortal one is dead for good after some pushes.
"""
from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable

from sim.push import fcm
from sim.push.apns import answer as apns_answer
from sim.push.fcm import fcm_error
from sim.push.server import Action, Close, GoAway, Hang, Reply, Request, Reset, Server
from sim.push.webpush import decrypt

SOON = [("retry-after", "1")]
GARBAGE = b"\0\xff\xfe{[\"" + bytes(range(256))
RESETS = (1, 2, 7, 8, 11)  # PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM
LIFE = 12  # pushes to a mortal phone, at most


@dataclass
class Books:
    """By pushkey: what was delivered in the order of its first time, what was refused, what is dead."""

    delivered: dict[str, dict[str, int]] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    salts: dict[bytes, bytes] = field(default_factory=dict)  # of what was encrypted: the whole of it

    def deliver(self, key: str, event: str) -> None:
        times = self.delivered.setdefault(key, {})
        times[event] = times.get(event, 0) + 1

    def twice(self) -> int:
        return sum(n - 1 for times in self.delivered.values() for n in times.values())


def unclear(r: Request, dice: random.Random) -> Action | None:
    """Faults that no provider has for itself: the push must be tried again."""
    kind = dice.randrange(10)
    if kind == 0:
        r.link.write(GARBAGE)
        return Close()
    if kind == 1:
        return Hang() if dice.random() < 0.2 else Close()
    if kind == 2:
        return Reset(dice.choice(RESETS))
    if kind == 3:
        return GoAway(dice.choice(("Shutdown", "IdleTimeout", "BadCertificate")))
    if kind == 4:
        return Reply(dice.choice((500, 502, 503, 504)), GARBAGE)
    if kind == 5:
        return Reply(503, b"x" * 300000, SOON)
    if kind == 6:
        return Reply(500, {"error": {"details": [[]] * 100, "reason": 5}}, [("retry-after", "garbage")])
    return None


class Moods:
    """The providers' rules; `level` is the share of answers that are not as they should be."""

    def __init__(self, providers: Any) -> None:
        self.providers = providers
        self.level = 0.2
        self.books = Books()
        self.mortal: set[str] = set()
        self.lives: Counter[str] = Counter()
        self.dice = random.Random(7)
        self._lock = threading.Lock()
        self._readers: dict[type, Callable[[Request], tuple[str, str]]] = {}
        for name in ("apns", "fcm", "webpush", "unifiedpush"):
            server: Server = getattr(providers, name)
            self._readers[type(server)] = getattr(self, f"_read_{name}")
            server.rule = getattr(self, f"_rule_{name}")
            server.on_request = self._note
        providers.webpush.deciphers = False  # what is sent again after a connection broke is no breach

    # What came: pushkey and event ("": none)

    def _read_apns(self, r: Request) -> tuple[str, str]:
        return r.path.rpartition("/")[2], str(r.json().get("event_id", ""))

    def _read_fcm(self, r: Request) -> tuple[str, str]:
        message = r.json()["message"]
        return str(message["token"]), str(message["data"].get("event_id", ""))

    def _read_webpush(self, r: Request) -> tuple[str, str]:
        s = self.providers.webpush.inbox.subscriptions[r.path]
        text, _ = decrypt(r.body, s.key, s.auth)
        for once in (r.body[:16], r.body[21:86]):
            if self.books.salts.setdefault(once, r.body) != r.body:
                r.link.fault("WebPush: salt or sender's key were used before")
        return s.p256dh, str(json.loads(text).get("event_id", ""))

    def _read_unifiedpush(self, r: Request) -> tuple[str, str]:
        return self.providers.unifiedpush.endpoints[r.path].url, str(r.json()["notification"].get("event_id", ""))

    def _note(self, r: Request) -> None:
        if r.method != "POST":
            return
        key, event = self._readers[type(r.link.server)](r)
        with self._lock:
            self.books.answers[f"{type(r.link.server).__name__} {r.status or type(r.action).__name__}"] += 1
            if 200 <= r.status < 300 and event:
                self.books.deliver(key, event)
            elif is_refusal(r):
                self.books.refused.add((key, event))

    # What is answered

    def _dies(self, key: str) -> bool:
        with self._lock:
            if key not in self.mortal:
                return False
            self.lives[key] += 1
            if self.lives[key] <= self.dice.randrange(LIFE):
                return key in self.books.dead
            self.books.dead.add(key)
            return True

    def _moody(self) -> bool:
        return self.dice.random() < self.level

    def _rule_apns(self, r: Request) -> Action | None:
        if self._dies(self._read_apns(r)[0]):
            if self._moody():
                return apns_answer(self.dice.choice(("BadDeviceToken", "DeviceTokenNotForTopic")))
            return apns_answer(self.dice.choice(("Unregistered", "ExpiredToken")), timestamp=int(time.time() * 1000))
        if not self._moody():
            return None
        reason = self.dice.choice(("", "", "", "TooManyRequests", "InternalServerError", "ServiceUnavailable",
                                   "Shutdown", "PayloadEmpty", "Forbidden"))
        if reason == "Forbidden" and self.dice.random() < 0.9:
            reason = ""
        return unclear(r, self.dice) or apns_answer(reason, delay=self.dice.random())

    def _rule_fcm(self, r: Request) -> Action | None:
        if self._dies(self._read_fcm(r)[0]):
            return fcm_error("SENDER_ID_MISMATCH" if self._moody() else "UNREGISTERED")
        if not self._moody():
            return None
        if self.dice.random() < 0.05:
            return self.dice.choice((fcm.UNAUTHENTICATED, fcm.NO_PAGE, fcm.error(400, "FAILED_PRECONDITION", "no")))
        return unclear(r, self.dice) or self.dice.choice((
            Reply(200, {"name": "projects/x/messages/1"}, delay=self.dice.random()),
            fcm_error("QUOTA_EXCEEDED", 1), fcm_error("INTERNAL", 1), fcm_error("UNAVAILABLE", 1)))

    def _web(self, r: Request) -> Action | None:
        if not self._moody():
            return None
        return unclear(r, self.dice) or self.dice.choice((
            Reply(201, b"", delay=self.dice.random()), Reply(429, b"", SOON), Reply(503, b"", SOON), Reply(408),
            Reply(400, GARBAGE), Reply(413), Reply(302, b"", [("location", "https://localhost/")])))

    def _rule_webpush(self, r: Request) -> Action | None:
        if self._dies(self._read_webpush(r)[0]):
            return Reply(self.dice.choice((401, 403)) if self._moody() else self.dice.choice((404, 410)))
        return self._web(r)

    def _rule_unifiedpush(self, r: Request) -> Action | None:
        if r.method != "POST":
            return None
        if self._dies(self._read_unifiedpush(r)[0]):
            return Reply(self.dice.choice((404, 410)))
        return self._web(r)

    # Between the answers

    def disturb(self) -> None:
        """Connections, and whether there are any to be had."""
        self.level = self.dice.choice((0.0, 0.1, 0.3, 0.6))
        for server in self.providers.all:
            kind = self.dice.randrange(8)
            if kind == 0:
                server.drop()
            elif kind == 1:
                server.go_away()
            elif kind == 2:
                server.down()
                server.up()
            server.pause = self.dice.choice((0, 0, 0.05, 0.5))
        if self.dice.random() < 0.3:
            self.providers.fcm.expire_bearers()
            self.providers.fcm.token_script += [Reply(503, GARBAGE, SOON), Reply(500, b"", SOON), Close()]

    def calm(self) -> None:
        self.level = 0.0
        for server in self.providers.all:
            server.pause = 0.0


def is_refusal(r: Request) -> bool:
    """Whether this push was refused for what it is: the gateway need not try it again."""
    return 300 <= r.status < 500 and r.status not in (401, 403, 404, 408, 410, 429)
