# SPDX-License-Identifier: Apache-2.0
"""Gateways that share the queue in Redis: one ends or dies, settings change, Redis is full (FD-5.2.3-1)."""
from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness import until
from pushworld import PushWorld, notification
from sim.push.fcm import fcm_error
from sim.redisd import Redis

USER, PASSWORD = "schleuse-pushgw", "geheim"
ACL = Path(__file__).parents[2] / "etc" / "redis-acl.conf"
NAMES = "schleuse:pushgw:"


def users(password: str) -> list[str]:
    """The users we deliver, ours with a password, and an administrator."""
    lines = [line for line in ACL.read_text().splitlines() if line.startswith("user ")]
    mine = [line.replace(" on ", f" on >{password} ", 1) if line.startswith(f"user {USER} ") else line for line in lines]
    return mine + ["user admin on >admin allkeys allchannels allcommands"]


class Queue(Redis):
    """As in production: users of etc/redis-acl.conf, and everything on disk before it is answered."""

    def __init__(self, folder: Path) -> None:
        settings = ["appendonly yes", "appendfsync always", "maxmemory-policy noeviction", *users(PASSWORD)]
        super().__init__(folder, settings="\n".join(settings) + "\n")

    def admin(self, *words: str) -> str:
        return self.ask_all(["AUTH", "admin", "admin"], words).decode(errors="replace").split("+OK\r\n", 1)[1]

    def number(self, *words: str) -> int:
        reply = self.admin(*words).split("\r\n")
        return int(reply[0][1:] if reply[0].startswith(":") else reply[1] or 0)


@pytest.fixture
def queue(tmp_path):
    q = Queue(tmp_path).start()
    yield q
    q.stop()


def together(make_push, queue: Queue, count: int, drain: str = "5s", timeout: str = "5s", **settings: Any) -> list[PushWorld]:
    """Gateways with that queue, and the providers of the first."""
    worlds: list[PushWorld] = []
    for _ in range(count):
        w = make_push(which=["fcm"])
        secret = w.folder / "redis.password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        w.config["redis"] = {"address": queue.address, "user": USER, "password_file": str(secret), "timeout": "2s"}
        w.config["queue"].update({"visibility": "1h", **settings})
        w.config["timeouts"]["drain"] = drain
        w.config["delivery"].update(connect_timeout=timeout, request_timeout=timeout)
        if worlds:
            w.config["apps"] = worlds[0].config["apps"]
        worlds.append(w)
    for w in worlds:
        w.start()
    return worlds


def in_hand(w: PushWorld) -> float:
    return w.daemon.metric("schleuse_push_queue_in_hand")


def test_nothing_is_refused_to_the_user_we_deliver(queue, make_push):
    """CP-2.2-1: etc/redis-acl.conf allows what is needed, as a whole day would need it."""
    (w,) = together(make_push, queue, 1)
    phone, dead = w.phone("fcm"), w.phone("fcm")
    w.providers.fcm.rule = lambda r: (None if r.json()["message"]["token"] != dead.pushkey
                                      else fcm_error("UNREGISTERED"))
    phone.wait(w.tell(phone), w.tell(phone))
    w.tell(dead)
    until("that it is known to be dead", lambda: w.rejected(dead) == [dead.pushkey])
    w.drained()
    assert "(empty" in queue.admin("ACL", "LOG") or queue.admin("ACL", "LOG").startswith("*0")


def test_who_is_stopped_gives_back_what_it_has_in_hand(queue, make_push):
    """The other one delivers at once, though a claim lasts for an hour."""
    worlds = together(make_push, queue, 2, drain="100ms")
    worlds[0].providers.fcm.pause = 5.0
    worlds[0].tell(worlds[0].phone("fcm"))
    until("a push in hand", lambda: any(in_hand(w) for w in worlds))
    first, other = sorted(worlds, key=in_hand, reverse=True)
    first.daemon.stop()
    worlds[0].providers.fcm.pause = 0
    until("the push", lambda: other.attempts("fcm", "delivered") == 1)
    until("an empty queue", lambda: other.queued() == 0)


def test_who_is_stopped_loses_nothing_and_repeats_nothing(queue, make_push):
    one, two = together(make_push, queue, 2)
    phones = [one.phone("fcm") for _ in range(5)]
    events = [one.tell(p) for p in phones for _ in range(10)]
    one.daemon.stop()
    for p in phones:
        until("all", lambda p=p: len(p.events()) >= 10)
    until("an empty queue", lambda: two.queued() == 0)
    assert Counter(e for p in phones for e in p.events()) == Counter(events)


def test_who_is_killed_is_replaced(queue, make_push):
    """Everything is delivered; only what was in hand may come twice."""
    one, two = together(make_push, queue, 2, timeout="2s", visibility="3s")
    phones = [one.phone("fcm") for _ in range(40)]
    one.providers.fcm.pause = 1.0
    events = {p.pushkey: one.tell(p) for p in phones}
    until("pushes in hand", lambda: in_hand(one) > 0)
    held = in_hand(one)
    one.kill()
    one.providers.fcm.pause = 0
    for p in phones:
        p.wait(events[p.pushkey])
    until("an empty queue", lambda: two.queued() == 0)
    twice = sum(len(p.events()) - 1 for p in phones)
    print(f"{len(phones)} pushes, {held:.0f} in hand of the one that was killed, {twice} delivered twice")
    assert all(len(p.events()) <= 2 for p in phones)
    assert two.daemon.metric("schleuse_push_lost_total") == 0


def test_order_is_kept_by_several(queue, make_push):
    """Of one pushkey, whoever accepts and whoever delivers."""
    worlds = together(make_push, queue, 3)
    phone = worlds[0].phone("fcm")
    events = [worlds[n % 3].tell(phone) for n in range(30)]
    phone.wait(*events)
    assert phone.events() == events


def test_a_dead_pushkey_is_known_to_all(queue, make_push):
    one, two = together(make_push, queue, 2)
    phone = one.phone("fcm")
    one.providers.fcm.rule = lambda r: fcm_error("UNREGISTERED")
    one.tell(phone)
    until("that the other one knows", lambda: two.rejected(phone) == [phone.pushkey])
    one.providers.fcm.rule = None
    phone.pushkey_ts = 4102444800  # set anew since
    phone.wait(two.tell(phone))


def test_a_new_password_is_taken_by_a_reload(queue, make_push):
    (w,) = together(make_push, queue, 1)
    phone = w.phone("fcm")
    phone.wait(w.tell(phone))
    queue.admin("ACL", "SETUSER", USER, "resetpass", ">neu")
    (w.folder / "redis.password").write_text("neu")
    w.reload()
    queue.admin("CLIENT", "KILL", "USER", USER)
    until("the new login", lambda: w.daemon.metric("schleuse_push_queue_up") == 1
          and w.notify(notification(phone)).status == 200)
    phone.wait(w.tell(phone))


def test_a_full_redis_refuses_and_empties(queue, make_push):
    """503, never a 200 for what is not kept; and what was accepted gets out."""
    (w,) = together(make_push, queue, 1)
    phone = w.phone("fcm")
    w.providers.fcm.down()
    events = [w.tell(phone) for _ in range(5)]
    queue.admin("CONFIG", "SET", "maxmemory", "1")
    answer = w.notify(notification(phone))
    assert (answer.status, answer.json()["errcode"]) == (503, "M_UNKNOWN")
    assert answer.get("retry-after")
    w.providers.fcm.up()
    phone.wait(*events)
    until("an empty queue", lambda: queue.number("HGET", NAMES + "total", "count") == 0)
    queue.admin("CONFIG", "SET", "maxmemory", "0")
    until("that it takes again", lambda: w.notify(notification(phone)).status == 200)


def test_what_stays_in_redis_names_nobody(queue, make_push):
    """ML-123618-7: what is delivered is not kept; hashes are (CP-2.1-2)."""
    (w,) = together(make_push, queue, 1)
    phone = w.phone("fcm")
    event = w.tell(phone)
    phone.wait(event)
    w.drained()
    until("that it is finished", lambda: queue.number("HGET", NAMES + "total", "count") == 0)
    keys = re.findall(re.escape(NAMES) + r"[^\r]*", queue.admin("KEYS", "*"))
    assert any(k.startswith(NAMES + "seen:") for k in keys)
    assert not [k for k in keys if k.startswith((NAMES + "chain:", NAMES + "due:", NAMES + "claims"))]
    for word in (phone.pushkey, event):
        assert not [k for k in keys if word in k]
