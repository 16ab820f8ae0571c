# SPDX-License-Identifier: Apache-2.0
"""How a push gateway is operated: ready or not, reloads that are refused, stopping with work in hand; with both queues.
"""
from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from harness import DEADLINE, until
from pushworld import APPS, HOST, NOTIFY, PushWorld, event_id, notification
from sim.redisd import Redis

JSON = ("content-type", "application/json")


@pytest.fixture
def redis(tmp_path):
    r = Redis(tmp_path, settings="appendonly yes\nappendfsync always\n").start()
    yield r
    r.stop()


@pytest.fixture
def other(tmp_path):
    (tmp_path / "other").mkdir()
    r = Redis(tmp_path / "other", settings="appendonly yes\nappendfsync always\n").start()
    yield r
    r.stop()


@pytest.fixture(params=["journal", "redis"])
def w(request, make_push):
    """Not yet started."""
    made = make_push()
    if request.param == "redis":
        in_redis(made, request.getfixturevalue("redis"))
    return made


def in_redis(w: PushWorld, r: Redis) -> None:
    w.config["redis"] = {"address": f"redis://{r.address}", "timeout": "2s"}


def ready(w: PushWorld) -> tuple[int, list[str]]:
    answer = w.daemon.admin("/ready")
    return answer.status, answer.body.decode().splitlines()


def refused(w: PushWorld) -> float:
    return w.daemon.metric("schleuse_reloads_total", outcome="refused")


def under_way(w: PushWorld) -> float:
    return w.daemon.metric("schleuse_push_app_in_flight")


# Ready


def test_not_ready_while_redis_is_away(make_push, redis):
    w = make_push(which=["fcm"])
    in_redis(w, redis)
    redis.stop()
    w.start("/health")
    until("that it is noticed", lambda: ready(w)[0] == 503 and ready(w)[1][0].startswith("queue: "))
    answer = w.notify(notification(w.phone("fcm")))
    assert (answer.status, answer.json()["errcode"]) == (503, "M_UNKNOWN")
    redis.start()
    until("that it is back", lambda: ready(w)[0] == 200)
    phone = w.phone("fcm")
    phone.wait(w.tell(phone))


def test_draining_is_not_ready(w):
    w.start()
    w.providers.fcm.pause = 1.0
    w.tell(w.phone("fcm"))
    until("an attempt", lambda: under_way(w) == 1)
    w.daemon.signal(signal.SIGTERM)
    until("the end of being ready", lambda: ready(w) == (503, ["draining"]))
    assert w.daemon.process.wait(DEADLINE) == 0


# Reloads


def test_another_redis_after_a_reload(make_push, redis, other):
    """The one before is not needed any more."""
    w = make_push(which=["fcm"])
    in_redis(w, redis)
    w.start()
    phone = w.phone("fcm")
    phone.wait(w.tell(phone))
    w.drained()
    in_redis(w, other)
    w.reload()
    until("the other", lambda: ready(w)[0] == 200)
    redis.stop()
    phone.wait(w.tell(phone))
    assert ready(w)[0] == 200


REFUSED: list[tuple[str, Any]] = [
    ("a file that is gone", lambda c: c["tls"].update(key="/nonexistent.pem")),
    ("no app", lambda c: c.update(apps=[])),
    ("limits that contradict", lambda c: c["delivery"].update(retry_min="2m", retry_max="1m")),
    ("what is no setting", lambda c: c.update(delays={"max": "10s"})),
]


@pytest.mark.parametrize("change", [c for _, c in REFUSED], ids=[n for n, _ in REFUSED])
def test_a_refused_reload_keeps_all_of_the_old(push, change):
    """And what is under way goes on."""
    phone = push.phone("fcm")
    before, config = refused(push), push.variant()
    push.providers.fcm.pause = 0.5
    event = push.tell(phone)
    until("an attempt", lambda: under_way(push) == 1)
    change(push.config)
    push.daemon.reload()
    until("the refusal", lambda: refused(push) == before + 1)
    push.config.clear()
    push.config.update(config)
    phone.wait(event)
    push.providers.fcm.pause = 0
    phone.wait(push.tell(phone))
    assert ready(push)[0] == 200


def test_a_reload_with_attempts_under_way(w):
    """They are neither lost nor repeated."""
    w.start()
    w.providers.fcm.pause = 1.0
    phones = [w.phone("fcm") for _ in range(20)]
    events = [w.tell(p) for p in phones]
    until("attempts", lambda: under_way(w) > 0)
    for n in range(3):
        w.app("fcm")["concurrency"] = 50 + n
        w.reload()
    w.providers.fcm.pause = 0
    for p, e in zip(phones, events):
        p.wait(e)
    w.drained()
    assert [p.events() for p in phones] == [[e] for e in events]


# Stopping


def test_stopped_with_attempts_under_way(w):
    """They are waited for; what waits for its turn stays in the queue, and nothing comes twice."""
    w.app("fcm")["concurrency"] = 5
    w.start()
    w.providers.fcm.pause = 1.0
    phones = [w.phone("fcm") for _ in range(20)]
    with w.connect() as link:
        events = [w.tell(p, link=link) for p in phones]
        until("attempts", lambda: under_way(w) == 5)
    w.daemon.stop()
    assert 5 <= sum(len(p.events()) for p in phones) < 20
    w.providers.fcm.pause = 0
    w.start()
    for p, e in zip(phones, events):
        p.wait(e)
    w.drained()
    assert [p.events() for p in phones] == [[e] for e in events]


def test_stopped_with_attempts_that_do_not_end(w):
    """The drain has its time; what had no answer by then is tried again after the next start."""
    w.config["timeouts"]["drain"] = "100ms"
    w.config["delivery"]["request_timeout"] = "1m"
    w.config["queue"]["visibility"] = "2m"
    w.start()
    w.providers.fcm.pause = 60.0  # longer than we wait for the end of a program
    phone = w.phone("fcm")
    event = w.tell(phone)
    until("an attempt", lambda: under_way(w) == 1)
    w.daemon.stop()
    w.providers.fcm.pause = 0
    w.start()
    phone.wait(event)
    w.drained()


def test_stopped_while_homeservers_wait_for_the_queue(w):
    """Whoever was answered 200 is delivered; the others repeat, which is no second push."""
    w.start()
    phones = [w.phone("fcm") for _ in range(40)]
    events = [event_id() for _ in phones]
    links = [w.connect() for _ in phones]
    for p, e, link in zip(phones, events, links):
        body = json.dumps(notification(p, event=e)).encode()
        link.send(f"POST {NOTIFY} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    w.daemon.signal(signal.SIGTERM)
    for link in links:
        link.close()
    assert w.daemon.process.wait(DEADLINE) == 0
    w.start()
    with w.connect() as link:
        for p, e in zip(phones, events):
            w.tell(p, event=e, link=link)
    for p, e in zip(phones, events):
        p.wait(e)
    w.drained()
    assert [p.events() for p in phones] == [[e] for e in events]


# Many at once


def test_64_devices_of_all_providers(w):
    """One notification, each device once."""
    w.start()
    phones = [w.phone(p) for _ in range(16) for p in APPS]
    event = w.tell(*phones)
    for p in phones:
        p.wait(event)
    w.drained()
    assert [p.events() for p in phones] == [[event]] * 64
    assert w.devices("queued") == 64
    assert all(w.attempts(p, "delivered") == 16 for p in APPS)


def test_many_streams_some_of_which_are_reset(w):
    """HTTP/2: a stream that is reset, before or after its body, disturbs no other."""
    w.start()
    phones = [w.phone("fcm") for _ in range(60)]
    events = [event_id() for _ in phones]
    bodies = [json.dumps(notification(p, event=e)).encode() for p, e in zip(phones, events)]
    with w.connect_h2() as c:
        ids = [c.begin("POST", NOTIFY, JSON, end=False, authority=HOST) for _ in phones]
        for n, (i, body) in enumerate(zip(ids, bodies)):
            c.data(i, body[:40], end=False)
            if n % 3 == 0:
                c.cancel(i)
        for n, (i, body) in enumerate(zip(ids, bodies)):
            if n % 3 != 0:
                c.data(i, body[40:])
            if n % 3 == 1:
                c.cancel(i)
        for i in ids[2::3]:
            answer = c.read(i)
            assert (answer.status, answer.json()) == (200, {"rejected": []})
        answer = c.ask("POST", NOTIFY, JSON, body=bodies[0], authority=HOST)
        assert answer.status == 200, "the connection goes on"
    for n, (p, e) in enumerate(zip(phones, events)):
        if n % 3 == 2 or n == 0:
            p.wait(e)
    w.drained()
    assert all(p.events() in ([e], []) for p, e in zip(phones, events))
    assert not [n for n in range(3, 60, 3) if phones[n].events()], "half a body is no notification"
