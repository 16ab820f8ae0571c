# SPDX-License-Identifier: Apache-2.0
"""Nothing that was accepted is lost: kill -9 of the gateway and of Redis, several gateways, jumps of the clock.

SCHLEUSE_PUSHES is the number of pushes of the test with kill -9 (default: 100000).
"""
from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from typing import Any

import pytest

from harness import DEADLINE, until
from pushworld import APPS, HOST, NOTIFY, ROOM, PushWorld
from sim import wire
from sim.redisd import Redis, free_port

PUSHES = int(os.environ.get("SCHLEUSE_PUSHES", "100000"))
PUSHKEYS = 2000
DEVICES = 25  # of one notification
HOMESERVERS = 16  # enough to share what waits for the disk
PAUSE = 2.0  # seconds between a gateway that is ready and its end, at most
KILLING = 120  # seconds in which it is killed again and again


class Homeserver(threading.Thread):
    """Repeats each notification until it is answered 200, as homeservers do; then comes the next one."""

    def __init__(self, w: PushWorld, address: tuple[str, int], number: int, notifications: int) -> None:
        super().__init__(daemon=True)
        self.w, self.address, self.number, self.notifications = w, address, number, notifications
        self.accepted: set[tuple[str, str]] = set()  # pushkey and event
        self.repeated = 0
        self.rejected: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.stopped = False
        self._link: wire.Connection | None = None

    def run(self) -> None:
        source = random.Random(self.number)
        for n in range(self.notifications):
            event = f"$kill-{self.number}-{n}"
            keys = [f"key-{k}" for k in source.sample(range(PUSHKEYS), DEVICES)]
            devices = [{"app_id": APPS["fcm"], "pushkey": k, "pushkey_ts": 1} for k in keys]
            body = {"notification": {"event_id": event, "room_id": ROOM, "prio": "high", "devices": devices}}
            if not self._say(json.dumps(body).encode()):
                return
            self.accepted.update((k, event) for k in keys)

    def _say(self, body: bytes) -> bool:
        """Whether it was accepted; False only when the test has ended."""
        first = True
        while not self.stopped:
            self.repeated += not first
            first = False
            try:
                answer = self._ask(body)
            except (OSError, wire.WireError):
                self._link = None
                time.sleep(0.01)
                continue
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.rejected += answer.json()["rejected"]
                return True
            time.sleep(0.05)
        return False

    def _ask(self, body: bytes) -> wire.Answer:
        if self._link is None:
            self._link = wire.Connection(self.address, self.w.tls, HOST)
        return self._link.ask("POST", NOTIFY, {"Host": HOST, "Content-Type": "application/json"}, body)


class Arrivals:
    """Counts what the simulated FCM took."""

    def __init__(self, w: PushWorld) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        w.providers.fcm.on_request = self._note

    def _note(self, r: Any) -> None:
        if r.status == 200:
            message = r.json()["message"]
            self.seen[message["token"], message["data"]["event_id"]] += 1


def gateway(make_push, **queue: Any) -> tuple[PushWorld, Arrivals]:
    w = make_push(which=["fcm"], keep=False, delay="1s")
    w.config["listeners"][0]["address"] = f"127.0.0.1:{free_port()}"
    w.config["queue"].update(queue)
    return w, Arrivals(w)


def load(w: PushWorld, pushes: int, first: int = 0) -> list[Homeserver]:
    """Homeservers that have begun; `first` numbers them."""
    address, each = w.daemon.address(), pushes // DEVICES // HOMESERVERS
    them = [Homeserver(w, address, first + n, each) for n in range(HOMESERVERS)]
    for h in them:
        h.start()
    return them


def nothing_lost(servers: list[Homeserver], arrivals: Arrivals, deadline: float = DEADLINE) -> set[tuple[str, str]]:
    """Everything that was accepted arrives; returns what was accepted."""
    for h in servers:
        h.join(deadline)
        assert not h.is_alive(), f"{len(h.accepted)} accepted, answers {h.statuses}"
    accepted = set().union(*(h.accepted for h in servers))
    until("the rest", lambda: len(arrivals.seen) >= len(accepted), deadline)
    lost = accepted - set(arrivals.seen)
    assert not lost, f"{len(lost)} of {len(accepted)} lost, such as {sorted(lost)[:3]}"
    assert not [k for h in servers for k in h.rejected]
    return accepted


def test_killed_at_random_moments(make_push):
    """Of so many accepted pushes none is lost; few arrive twice."""
    w, arrivals = gateway(make_push)
    w.start()
    servers = load(w, PUSHES)
    kills = 0
    end = time.monotonic() + KILLING
    while any(h.is_alive() for h in servers) and time.monotonic() < end:
        time.sleep(random.uniform(0, PAUSE))
        w.kill()
        kills += 1
        w.start()
    while w.queued() > 0 and time.monotonic() < end:  # and while the rest is sent
        time.sleep(random.uniform(0, PAUSE))
        w.kill()
        kills += 1
        w.start()
    accepted = nothing_lost(servers, arrivals, 100)
    assert len(accepted) == PUSHES // DEVICES // HOMESERVERS * DEVICES * HOMESERVERS
    twice = sum(n - 1 for n in arrivals.seen.values())
    print(f"{len(accepted)} pushes, {kills} times kill -9, {sum(h.repeated for h in servers)} notifications "
          f"repeated, {twice} pushes twice")
    assert kills >= 3
    assert set(arrivals.seen) == accepted, "nothing that nobody sent"
    assert w.daemon.metric("schleuse_push_lost_total") == 0


def test_killed_while_a_provider_is_away(make_push):
    """The queue is on disk: several starts later it is all there."""
    w, arrivals = gateway(make_push)
    w.start()
    w.providers.fcm.down()
    servers = load(w, 4000)
    for h in servers:
        h.join(60)
    for _ in range(3):
        w.kill()
        w.start()
        assert w.queued() == 4000
    w.providers.fcm.up()
    nothing_lost(servers, arrivals)


def test_a_torn_journal(make_push):
    """Garbage behind the last whole record, as a crash of the machine leaves it."""
    w, arrivals = gateway(make_push)
    w.start()
    w.providers.fcm.down()
    servers = load(w, 400)
    for h in servers:
        h.join(60)
    w.kill()
    journals = [p for p in (w.folder / "state").rglob("*") if p.is_file() and p.stat().st_size > 1000]
    assert journals
    with max(journals, key=lambda p: p.stat().st_mtime_ns).open("ab") as f:
        f.write(b"\x07\x01" * 50)
    w.start()
    w.providers.fcm.up()
    nothing_lost(servers, arrivals)


def test_stopped_in_order(make_push):
    """SIGTERM: what waits stays, and is delivered after the next start."""
    w, arrivals = gateway(make_push)
    w.start()
    servers = load(w, 4000)
    for h in servers:
        h.join(60)
    w.daemon.stop()
    w.start()
    nothing_lost(servers, arrivals)
    assert max(arrivals.seen.values()) == 1, "in order means once"


# Redis


@pytest.fixture
def redis(tmp_path):
    r = Redis(tmp_path, settings="appendonly yes\nappendfsync always\n").start()
    yield r
    r.stop()


def shared(make_push, redis: Redis, count: int = 1) -> tuple[list[PushWorld], Arrivals]:
    """Gateways with one queue in Redis; all use the providers of the first."""
    made: list[PushWorld] = []
    arrivals = None
    for _ in range(count):
        w, a = gateway(make_push, visibility="3s")
        w.config["delivery"].update(connect_timeout="500ms", request_timeout="2s")
        w.config["redis"] = {"address": f"redis://{redis.address}", "timeout": "2s"}
        arrivals = arrivals or a
        if made:
            w.config["apps"] = made[0].config["apps"]
        made.append(w)
    assert arrivals is not None
    return made, arrivals


def test_redis_killed(redis, make_push):
    """503 while it is away; what was accepted before is there again with it (AOF)."""
    (w,), arrivals = shared(make_push, redis)
    w.start()
    servers = load(w, 8000)
    for _ in range(4):
        time.sleep(random.uniform(0.1, 0.8))
        redis.stop()
        until("that it is noticed", lambda: w.daemon.metric("schleuse_push_queue_up") == 0)
        redis.start()
        until("that it is back", lambda: w.daemon.metric("schleuse_push_queue_up") == 1)
    nothing_lost(servers, arrivals, 60)
    assert all(set(h.statuses) <= {200, 503} for h in servers)


def test_gateways_share_a_queue(redis, make_push):
    """One dies and another delivers what it had in hand; nothing is lost."""
    worlds, arrivals = shared(make_push, redis, 2)
    for w in worlds:
        w.start()
    servers = load(worlds[0], 4000) + load(worlds[1], 4000, HOMESERVERS)
    for n in range(4):
        time.sleep(random.uniform(0.1, 0.6))
        worlds[n % 2].kill()
        worlds[n % 2].start()
    nothing_lost(servers, arrivals, 60)


def test_a_dead_gateways_pushes_go_to_another(redis, make_push):
    worlds, arrivals = shared(make_push, redis, 2)
    for w in worlds:
        w.start()
    worlds[0].providers.fcm.pause = 1.0
    servers = load(worlds[0], 800)
    for h in servers:
        h.join(30)
    until("pushes in hand", lambda: worlds[0].daemon.metric("schleuse_push_queue_in_hand") > 0)
    worlds[0].kill()
    worlds[0].providers.fcm.pause = 0
    nothing_lost(servers, arrivals, 60)


def test_the_random_delay_is_drawn_once_for_all_gateways(redis, make_push):
    """A homeserver that repeats its notification at another gateway gets no second push."""
    worlds, arrivals = shared(make_push, redis, 2)
    for w in worlds:
        w.start()
    phone = worlds[0].phone("fcm")
    event = worlds[0].tell(phone)
    worlds[1].tell(phone, event=event)
    until("the push", lambda: arrivals.seen[phone.pushkey, event] == 1)
    assert worlds[1].devices("duplicate") == 1
    until("an empty queue", lambda: worlds[0].queued() == 0)
    assert arrivals.seen[phone.pushkey, event] == 1
