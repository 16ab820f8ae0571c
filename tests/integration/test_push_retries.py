# SPDX-License-Identifier: Apache-2.0
"""What a push provider cannot take now it gets later; one that is slow or away holds up no other."""
from __future__ import annotations

import time

import pytest

from harness import until
from pushworld import event_id, notification
from sim.push import apns, fcm
from sim.push.server import Close, GoAway, Hang, Reply, Reset

TROUBLES = [
    ("apns", apns.answer("InternalServerError")),
    ("apns", apns.answer("ServiceUnavailable")),
    ("apns", apns.answer("Shutdown")),
    ("apns", apns.answer("IdleTimeout")),
    ("apns", apns.answer("TooManyRequests")),
    ("apns", GoAway("Shutdown")),
    ("apns", Reset()),
    ("apns", Reset(2)),
    ("apns", Close()),
    ("fcm", fcm.fcm_error("UNAVAILABLE", 1)),
    ("fcm", fcm.fcm_error("INTERNAL", 1)),
    ("fcm", fcm.fcm_error("QUOTA_EXCEEDED", 1)),
    ("fcm", fcm.UNAUTHENTICATED),
    ("fcm", Reply(502, b"<html>", [("retry-after", "1")])),
    ("fcm", Close()),
    ("fcm", GoAway()),
    ("webpush", Reply(503)),
    ("webpush", Reply(429, b"", [("retry-after", "1")])),
    ("webpush", Close()),
    ("unifiedpush", Reply(500)),
    ("unifiedpush", Reply(429, b"", [("retry-after", "1")])),
    ("unifiedpush", Close()),
]


@pytest.mark.parametrize("provider,trouble", TROUBLES, ids=lambda x: str(x)[:50])
def test_tried_again(push, provider, trouble):
    """One push, one failure: it arrives, once, and the pushkey stays."""
    phone, other = push.phone(provider), push.phone(provider)
    phone.server.script.append(trouble)
    event = push.tell(phone)
    phone.wait(event)
    other.wait(push.tell(other))
    assert phone.events() == [event]
    assert push.rejected(phone) == []
    assert push.daemon.metric("schleuse_push_retries_total") > 0


def test_retry_after_is_obeyed(push):
    phone = push.phone("fcm")
    phone.server.script.append(fcm.fcm_error("QUOTA_EXCEEDED", 2))
    phone.wait(push.tell(phone))
    first, second = phone.requests()
    assert second.at - first.at >= 2


def test_one_device_that_gets_too_many_holds_up_no_other(push):
    """429 TooManyRequests of APNs is about one device."""
    phone, other = push.phone("apns"), push.phone("apns")
    phone.server.rule = lambda r: apns.answer("TooManyRequests") if r.path.endswith(phone.pushkey) else None
    event = push.tell(phone)
    until("an attempt", phone.requests)
    other.wait(push.tell(other))
    assert phone.events() == []
    phone.server.rule = None
    phone.wait(event)


def test_goaway_while_much_is_under_way(push):
    """What was under way is answered or sent again on a new connection; nothing is lost."""
    phones = [push.phone("apns") for _ in range(50)]
    server = phones[0].server
    server.pause = 0.05
    events = [push.tell(phone) for phone in phones]
    for _ in range(5):
        server.go_away()
    for phone, event in zip(phones, events):
        phone.wait(event)
    assert server.connections > 1


def test_connections_break(push):
    phones = [push.phone("fcm") for _ in range(50)]
    server = phones[0].server
    server.pause = 0.05
    with push.connect() as link:
        events = []
        for n, phone in enumerate(phones):
            events.append(push.tell(phone, link=link))
            if n % 10 == 9:
                server.drop()
    for phone, event in zip(phones, events):
        phone.wait(event)


def test_slow_answers_run_into_the_time_out(make_push):
    w = make_push(which=["webpush"])
    w.config["delivery"].update(connect_timeout="200ms", request_timeout="300ms")
    w.start()
    phone = w.phone("webpush")
    w.providers.webpush.script.append(Hang())
    phone.wait(w.tell(phone))
    assert w.attempts("webpush", "failed") == 1


@pytest.mark.parametrize("provider", ["apns", "fcm", "webpush", "unifiedpush"])
def test_provider_away_for_a_while(push, provider):
    """Nothing is lost, and what others get is not late."""
    phones = [push.phone(provider) for _ in range(20)]
    other = push.phone("fcm" if provider != "fcm" else "apns")
    server = phones[0].server
    server.down()
    try:
        events = [push.tell(phone) for phone in phones]
        until("attempts", lambda: push.attempts(provider, "failed") > 0)
        other.wait(push.tell(other))
        until("that only those wait", lambda: push.queued() == len(phones))
    finally:
        server.up()
    for phone, event in zip(phones, events):
        phone.wait(event)
        assert phone.events() == [event]


def test_provider_away_for_a_minute(make_push):
    """A real minute, with the retries that are preset: all of it comes when the provider is back, in order."""
    w = make_push(which=["apns", "fcm"])
    del w.config["delivery"]["retry_min"], w.config["delivery"]["retry_max"]
    w.start()
    phones, other = [w.phone("fcm") for _ in range(10)], w.phone("apns")
    sent = {phone.pushkey: [] for phone in phones}
    phones[0].server.down()
    try:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            for phone in phones:
                sent[phone.pushkey].append(w.tell(phone))
            other.wait(w.tell(other))
            time.sleep(1)
    finally:
        phones[0].server.up()
    until("all of it", lambda: all(phone.events() == sent[phone.pushkey] for phone in phones), 120)
    assert w.daemon.metric("schleuse_push_lost_total") == 0


def test_away_does_not_mean_a_storm(make_push):
    """Of many pushes one after the other is tried while the provider is away."""
    w = make_push(which=["apns"])
    w.config["delivery"].update(retry_min="200ms", retry_max="1s")
    w.app("apns")["concurrency"] = 10
    w.start()
    first = w.phone("apns")
    first.wait(w.tell(first))
    w.providers.apns.rule = lambda r: apns.answer("ServiceUnavailable")
    phones = [w.phone("apns") for _ in range(300)]
    with w.connect() as link:
        events = [w.tell(p, link=link) for p in phones]
    until("that it is seen to be away", lambda: w.attempts("apns", "failed") >= 5)
    before, since = w.attempts("apns", "failed"), time.monotonic()
    until("another attempt", lambda: w.attempts("apns", "failed") > before)
    until("a while", lambda: time.monotonic() - since > 1)
    assert w.attempts("apns", "failed") < 60, "300 pushes, none of them had a chance"
    w.providers.apns.rule = None
    for phone, event in zip(phones, events):
        phone.wait(event)


def test_slow_app_holds_up_no_other(make_push):
    """Each app has its own concurrency: one that never answers fills only its own."""
    w = make_push(which=["apns", "fcm"])
    w.app("fcm")["concurrency"] = 4
    w.start()
    slow = [w.phone("fcm") for _ in range(20)]
    w.providers.fcm.rule = lambda r: Hang()
    for phone in slow:
        w.tell(phone)
    until("all it may have", lambda: len(w.providers.fcm.requests) >= 4)
    for _ in range(20):
        phone = w.phone("apns")
        phone.wait(w.tell(phone))
    until("only those", lambda: w.daemon.metric("schleuse_push_queue_in_hand") == 4)
    w.providers.fcm.rule = None
    w.providers.fcm.drop()
    w.drained()


def test_concurrency_and_rate(make_push):
    w = make_push(which=["fcm", "unifiedpush"])
    w.app("fcm")["concurrency"] = 3
    w.app("unifiedpush")["rate"] = 600  # ten at once, and ten more each second
    w.start()
    w.providers.fcm.rule = lambda r: Hang()
    phones = [w.phone("fcm") for _ in range(30)]
    events = [w.tell(phone) for phone in phones]
    until("as many as allowed", lambda: w.providers.fcm.counted == 3)
    assert w.daemon.metric("schleuse_push_queue_in_hand") == 3
    w.providers.fcm.rule = None
    w.providers.fcm.drop()
    for phone, event in zip(phones, events):
        phone.wait(event)
    rated = [w.phone("unifiedpush") for _ in range(40)]
    events = [w.tell(phone) for phone in rated]
    for phone, event in zip(rated, events):
        phone.wait(event)
    times = [phone.requests()[0].at for phone in rated]
    assert max(times) - min(times) > 1.5, "the last ones waited"


def test_too_old_is_given_up_and_counted(make_push):
    w = make_push(which=["apns"])
    w.config["queue"]["age_max"] = "1s"
    w.start()
    w.providers.apns.rule = lambda r: apns.answer("ServiceUnavailable")
    phone = w.phone("apns")
    w.tell(phone)
    until("that it is given up", lambda: w.daemon.metric("schleuse_push_lost_total", cause="age") == 1)
    w.drained()
    assert len(phone.requests()) > 1
    assert w.rejected(phone) == []


def test_queue_full(make_push):
    """503 and Retry-After: the homeserver keeps it and comes again; nothing that was accepted is dropped."""
    w = make_push(which=["fcm"])
    w.config["queue"]["count_max"] = 10
    w.start()
    w.providers.fcm.down()
    phones = [w.phone("fcm") for _ in range(15)]
    bodies = [notification(phone, event=event_id()) for phone in phones]
    answers = [w.notify(body) for body in bodies]
    assert [a.status for a in answers] == [200] * 10 + [503] * 5
    refused = answers[-1]
    assert refused.errcode == "M_LIMIT_EXCEEDED" and int(refused.get("Retry-After")) > 0
    assert w.daemon.metric("schleuse_push_queue_refused_total", cause="full") == 5
    w.providers.fcm.up()
    for phone, body in zip(phones, bodies):
        until("room", lambda body=body: w.notify(body).status == 200)
        phone.wait(body["notification"]["event_id"])
        assert len(phone.events()) == 1


def test_one_pushkey_cannot_fill_the_queue(make_push):
    w = make_push(which=["fcm"])
    w.config["queue"]["per_pushkey_max"] = 5
    w.start()
    w.providers.fcm.down()
    phone, other = w.phone("fcm"), w.phone("fcm")
    answers = [w.notify(notification(phone)).status for _ in range(8)]
    assert answers == [200] * 5 + [503] * 3
    event = w.tell(other)
    w.providers.fcm.up()
    other.wait(event)
