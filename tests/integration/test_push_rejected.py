# SPDX-License-Identifier: Apache-2.0
"""Dead pushkeys are reported with the next notification; a mistake of ours does not make them dead."""
from __future__ import annotations

import time

import pytest

from harness import until
from sim.push import apns
from sim.push.fcm import error, fcm_error
from sim.push.server import Reply

NOW = int(time.time())


def die(phone) -> None:
    """The app is removed from the phone."""
    server = phone.server
    name = type(server).__name__
    if name == "Apns":
        server.unregister(phone.pushkey)
    elif name == "Fcm":
        server.gone.add(phone.pushkey)
    elif name == "WebPush":
        server.inbox.subscriptions[phone.data["endpoint"].removeprefix(server.url)].gone = 410
    else:
        server.endpoints[phone.pushkey.removeprefix(server.url)].gone = 404


def reported(push, phone) -> None:
    """Told to the homeserver that asks next, and nothing more is sent."""
    until("the rejection", lambda: push.rejected(phone) == [phone.pushkey])
    push.drained()
    before = len(phone.requests())
    assert push.rejected(phone) == [phone.pushkey]
    push.drained()
    assert len(phone.requests()) == before


@pytest.mark.parametrize("provider", ["apns", "fcm", "webpush", "unifiedpush"])
def test_reported_with_the_next_notification(push, provider):
    phone, other = push.phone(provider), push.phone(provider)
    die(phone)
    push.tell(phone)
    until("the attempt", phone.requests)
    reported(push, phone)
    assert push.rejected(other, phone) == [phone.pushkey], "only that one"
    until("the other's push", other.got)


def test_revived_by_a_later_pushkey_ts(push):
    """The user installed the app again: the same token, set anew."""
    phone = push.phone("fcm")
    die(phone)
    push.tell(phone)
    reported(push, phone)
    phone.server.gone.clear()
    assert push.rejected(phone) == [phone.pushkey], "the old pusher is still dead"
    phone.pushkey_ts = int(time.time()) + 60
    phone.wait(push.tell(phone))


def test_apple_knew_it_before_it_was_set_again(push):
    """410 with a timestamp before pushkey_ts speaks of an earlier registration."""
    phone = push.phone("apns")
    phone.pushkey_ts = NOW - 1000
    phone.server.unregister(phone.pushkey, (NOW - 5000) * 1000)
    push.tell(phone)
    until("the attempt", phone.requests)
    push.drained()
    phone.server.gone.clear()
    phone.wait(push.tell(phone))


def test_expired_token_of_apple(push):
    phone = push.phone("apns")
    phone.server.unregister(phone.pushkey, reason="ExpiredToken")
    push.tell(phone)
    reported(push, phone)


def test_remembered_across_a_restart(make_push):
    w = make_push(which=["fcm"])
    w.start()
    phone = w.phone("fcm")
    die(phone)
    w.tell(phone)
    reported(w, phone)
    w.kill()
    w.start()
    assert w.rejected(phone) == [phone.pushkey]


def test_waiting_pushes_are_dropped_with_their_pushkey(push):
    phone = push.phone("fcm")
    phone.server.script.append(Reply(200, b"{}", delay=1.0))
    with push.connect() as link:
        push.tell(phone, link=link)
        until("the first attempt", phone.requests)
        die(phone)
        for _ in range(5):
            push.tell(phone, link=link)
    push.drained()
    assert len(phone.requests()) == 2, "the one that was taken and the one that was told"


@pytest.mark.parametrize(
    "provider,answer",
    [("apns", apns.answer("PayloadTooLarge")), ("apns", apns.answer("BadCollapseId")),
     ("fcm", error(400, "INVALID_ARGUMENT", "Invalid value at 'message.data'")), ("webpush", Reply(413)),
     ("unifiedpush", Reply(413))],
    ids=str,
)
def test_a_push_that_is_refused_leaves_the_pushkey_alone(push, provider, answer):
    phone = push.phone(provider)
    phone.server.script.append(answer)
    refused = push.tell(phone)
    until("the attempt", phone.requests)
    event = push.tell(phone)
    phone.wait(event)
    assert phone.events() == [event] and refused not in phone.events()


def kept(w, phones) -> None:
    """None of them was rejected."""
    for phone in phones:
        assert w.rejected(phone) == [], "rejected for a mistake of ours"


@pytest.mark.parametrize(
    "provider,answer",
    [("apns", apns.answer("BadDeviceToken")), ("apns", apns.answer("DeviceTokenNotForTopic")),
     ("fcm", fcm_error("SENDER_ID_MISMATCH"))],
    ids=str,
)
def test_breaker_opens_when_every_pushkey_seems_wrong(make_push, provider, answer):
    """The wrong environment, topic or project: nobody loses the pusher, and what waits is delivered later."""
    w = make_push(which=[provider])
    w.config["delivery"].update(breaker_window=20)
    w.start()
    phones = [w.phone(provider) for _ in range(60)]
    w.providers.all[0].rule = lambda r: answer
    events = [w.tell(phone) for phone in phones]
    until("the breaker", lambda: w.daemon.metric("schleuse_push_breaker_opened_total") == 1)
    attempts = len(w.providers.all[0].requests)
    assert attempts < 2 * len(phones), "no storm"
    kept(w, phones)
    w.providers.all[0].rule = None
    for phone, event in zip(phones, events):
        phone.wait(event)
    assert w.daemon.metric("schleuse_push_pushkeys_rejected_total") == 0


def test_single_wrong_pushkeys_among_many_are_rejected(make_push):
    w = make_push(which=["apns"])
    w.config["delivery"].update(breaker_window=20)
    w.start()
    good, bad = [w.phone("apns") for _ in range(40)], w.phone("apns")
    for phone in good:
        phone.wait(w.tell(phone))
    w.providers.apns.unknown.add(bad.pushkey)
    w.tell(bad)
    reported(w, bad)
    assert w.daemon.metric("schleuse_push_breaker_opened_total") == 0
