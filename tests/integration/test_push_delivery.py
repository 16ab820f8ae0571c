# SPDX-License-Identifier: Apache-2.0
"""From a notification to the phone: nothing but the two IDs, in order, once."""
from __future__ import annotations

import copy
import json
import re

import pytest

from harness import until
from pushworld import APPS, HOST, NOTIFY, ROOM, SECRETS, TWEAKS, WORDS, event_id, notification
from sim.push import apns, fcm
from sim.push.server import Reply

PROVIDERS = list(APPS)
IDS = {"event_id", "room_id"}


def ids_of(got: dict) -> dict:
    """The IDs of a push; members of UnifiedPush's priority class aside, there is nothing else."""
    return {n: v for n, v in got.items() if n != "prio"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_delivered_with_the_two_ids(push, provider):
    """FD-5.2.3-1, ML-123618-7."""
    phone = push.phone(provider)
    event = push.tell(phone)
    phone.wait(event)
    assert [ids_of(p) for p in phone.got()] == [{"event_id": event, "room_id": ROOM}]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_nothing_else_leaves(push, provider):
    """ML-123618-2, -6, -7: the bytes towards the provider, with the fullest notification there is."""
    phone = push.phone(provider)
    phone.data["default_payload"] = {
        **phone.data.get("default_payload", {}),
        "sender": SECRETS["sender"],
        "content": SECRETS["content"],
        "note": SECRETS["room_name"],
        "room_id": SECRETS["room_alias"],
        "event_id": SECRETS["sender"],
    }
    if provider == "apns":
        phone.data["default_payload"]["aps"]["alert"]["body"] = SECRETS["room_name"]
        phone.data["default_payload"]["aps"]["thread-id"] = SECRETS["room_alias"]
        phone.data["default_payload"]["aps"]["badge"] = 47118150
    event = event_id()
    push.tell(phone.device(tweaks=TWEAKS), event=event, id=event, **SECRETS)
    phone.wait(event)
    assert [ids_of(p) for p in phone.got()] == [{"event_id": event, "room_id": ROOM}]
    raw = phone.server.raw() + json.dumps(phone.got()).encode()
    assert raw
    found = [w for w in WORDS if w.lower() in raw.lower()]
    assert not found, raw.decode(errors="replace")
    assert b"hs.test" not in raw.replace(ROOM.encode(), b"").replace(b"push@hs.test", b"")


def test_apns_request(push):
    """What Apple wants to see: type, priority, topic, expiry, a UUID; the payload is the app's own."""
    phone = push.phone("apns")
    phone.wait(push.tell(phone))
    r = phone.requests()[0]
    assert (r.get("apns-push-type"), r.get("apns-priority"), r.get("apns-topic")) == ("alert", "10", "org.example.app")
    assert r.get("apns-id") and int(r.get("apns-expiration")) > r.wall
    assert r.json()["aps"] == {"mutable-content": 1, "alert": {"loc-key": "SINGLE_UNREAD"}}
    assert len(r.body) <= apns.PAYLOAD_MAX
    low = push.phone("apns")
    low.wait(push.tell(low, prio="low"))
    assert low.requests()[0].get("apns-priority") == "5"


def test_fcm_request(push):
    phone = push.phone("fcm")
    phone.wait(push.tell(phone))
    message = phone.requests()[0].json()["message"]
    assert set(message) <= {"token", "data", "android", "apns"}
    assert message["android"]["priority"].upper() == "HIGH"
    low = push.phone("fcm")
    low.wait(push.tell(low, prio="low"))
    assert low.requests()[0].json()["message"]["android"].get("priority", "NORMAL").upper() == "NORMAL"
    assert len(push.providers.fcm.token_requests) == 1, "one access token for all"


def test_webpush_request(push):
    """RFC 8030, RFC 8291: the size tells nothing, priority becomes urgency."""
    phones = [push.phone("webpush") for _ in range(3)]
    lengths = set()
    for phone, event in zip(phones, (event_id(), "$short", "$" + "x" * 200)):
        push.tell(phone, event=event)
        phone.wait(event)
        r = phone.requests()[0]
        lengths.add(len(r.body))
        assert r.get("urgency") == "high"
    assert len(lengths) == 1, lengths
    low = push.phone("webpush")
    low.wait(push.tell(low, prio="low"))
    assert low.requests()[0].get("urgency") in ("low", "normal")


def test_one_notification_for_phones_of_all_providers(push):
    phones = [push.phone(p) for p in PROVIDERS]
    event = push.tell(*phones)
    for phone in phones:
        phone.wait(event)


def test_over_http2(push):
    phone = push.phone("fcm")
    event = event_id()
    answer = push.notify_h2(notification(phone, event=event))
    assert (answer.status, answer.json()) == (200, {"rejected": []})
    phone.wait(event)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_order_of_one_pushkey(push, provider):
    """What was said first arrives first, whatever fails in between."""
    phone = push.phone(provider)
    seen: list[int] = []
    phone.server.rule = lambda r: seen.append(1) or (failure(provider) if len(seen) % 5 == 2 else None)
    with push.connect() as link:
        events = [push.tell(phone, link=link) for _ in range(12)]
    phone.wait(*events)
    assert phone.events() == events


def failure(provider: str) -> Reply:
    """A passing one."""
    if provider == "apns":
        return apns.answer("ServiceUnavailable")
    return fcm.fcm_error("UNAVAILABLE", 1) if provider == "fcm" else Reply(503)


def test_a_repeated_notification_is_delivered_once(push):
    """A homeserver repeats what it got no answer to."""
    phone, before = push.phone("fcm"), push.devices("duplicate")
    body = notification(phone)
    for _ in range(3):
        assert push.notify(body).json() == {"rejected": []}
    event = body["notification"]["event_id"]
    phone.wait(event)
    other = push.tell(phone)
    phone.wait(other)
    assert phone.events() == [event, other]
    assert push.devices("duplicate") - before == 2


def test_the_same_event_for_two_phones(push):
    """Duplicates are those of one pushkey."""
    phones = [push.phone("apns"), push.phone("apns")]
    event = event_id()
    for phone in phones:
        push.tell(phone, event=event)
    for phone in phones:
        phone.wait(event)


def test_counts_alone_are_not_sent(push):
    """The third body that Synapse sends: nulls and empty strings, no event."""
    phone, before = push.phone("apns"), push.devices("counts_only")
    answer = push.notify({"notification": {"counts": {"unread": 0}, "devices": [phone.device()], "id": "",
                                           "sender": "", "type": None}})
    assert (answer.status, answer.json()) == (200, {"rejected": []})
    phone.wait(push.tell(phone))
    assert len(phone.requests()) == 1
    assert push.devices("counts_only") - before == 1


def test_counts_alone_may_wake_an_app(make_push):
    w = make_push(which=["apns", "fcm"])
    for name in ("apns", "fcm"):
        w.app(name)["counts_only"] = "wake"
    w.start()
    for name in ("apns", "fcm"):
        phone = w.phone(name)
        w.notify({"notification": {"counts": {"unread": 47118150}, "devices": [phone.device()]}})
        until("the push", phone.requests)
        assert not IDS & set(phone.got()[0])
        assert b"47118150" not in phone.server.raw()


def test_unknown_app_is_rejected(push):
    """FD-5.2.3-2: its pushkeys are returned, nothing is sent; others of the notification are delivered."""
    phone, before = push.phone("fcm"), push.devices("app_unknown")
    strange = {"app_id": "org.example.nobody", "pushkey": "K1"}
    event = event_id()
    answer = push.notify(notification(strange, phone, event=event))
    assert answer.json() == {"rejected": ["K1"]}
    phone.wait(event)
    assert push.devices("app_unknown") - before == 1


def test_globs(make_push):
    """Exact before glob; two globs that match are refused, as Sygnal does."""
    w = make_push(which=["fcm"])
    for name in ("org.example.beta.*", "*.beta.twice"):
        w.config["apps"].append({**copy.deepcopy(w.app("fcm")), "id": name})
    w.start()
    phone = w.phone("fcm")
    event = w.tell(phone.device(app_id="org.example.beta.one"))
    phone.wait(event)
    assert w.rejected(phone.device(app_id="org.example.beta.twice")) == [phone.pushkey]
    assert w.devices("app_ambiguous") == 1


def test_opt_in_flag(make_push):
    """ML-123618-1: without the agreed flag nothing is sent."""
    w = make_push(which=["fcm", "unifiedpush"])
    w.app("fcm").update(opt_in="required", opt_in_flag="org.example.consent")
    w.start()
    refused = [{}, {"org.example.consent": False}, {"org.example.consent": "true"}, {"org.example.consent": 1}]
    phones = [w.phone("fcm", **data) for data in refused]
    for phone in phones:
        w.tell(phone)
    agreed, free = w.phone("fcm", **{"org.example.consent": True}), w.phone("unifiedpush")
    agreed.wait(w.tell(agreed))
    free.wait(w.tell(free))
    assert [p.requests() for p in phones] == [[]] * len(phones)
    assert w.devices("opted_out") == len(phones)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_encrypted_by_the_homeserver(push, provider):
    """MSC3013: passed on as it is, event_id or not (ML-123618-8)."""
    phone = push.phone(provider, algorithm="com.famedly.curve25519-aes-sha2")
    sealed = {"ephemeral": "rVgGLqVXRSJGNSXdXKLjnGGPLyhgjtvUzyRhYfQuWkA", "ciphertext": "Zm9vYmFy" * 20,
              "mac": "Zm9vYmFyMTI"}
    answer = push.notify({"notification": {**sealed, "devices": [phone.device()]}})
    assert answer.json() == {"rejected": []}
    until("the push", phone.got)
    assert {n: phone.got()[0].get(n) for n in sealed} == sealed
    assert set(phone.got()[0]) <= {*sealed, "algorithm", "prio"}


def test_web_push_topics_and_rooms(push):
    """only_last_per_room: the topic stands for the room and does not tell which."""
    phone = push.phone("webpush", only_last_per_room=True)
    events = [push.tell(phone), push.tell(phone), push.tell(phone, room="!other:hs.test")]
    phone.wait(*events)
    topics = [r.get("topic") for r in phone.requests()]
    assert topics[0] and topics[0] == topics[1] != topics[2]
    assert not any(t in ROOM for t in topics)


def test_the_delay_is_between_answer_and_push(make_push):
    """ML-123618-3: each device draws its own; that they are uniform is tested with a clock of its own."""
    w = make_push(delay="2s")
    w.start()
    phones = [w.phone(p) for p in PROVIDERS for _ in range(10)]
    orders = []
    for count in (1, 2):
        event = w.tell(*phones)
        for phone in phones:
            phone.wait(event)
        orders.append(sorted(range(len(phones)), key=lambda n: phones[n].requests()[-1].at))
        assert w.daemon.metric("schleuse_push_delay_seconds_count") == count * len(phones)
    assert len({tuple(o) for o in (*orders, range(len(phones)))}) == 3, "neither as they were named nor as before"


def test_order_is_kept_across_delays(make_push):
    w = make_push(which=["apns"], delay="500ms")
    w.start()
    phones = [w.phone("apns") for _ in range(5)]
    with w.connect() as link:
        sent = [w.tell(*phones, link=link) for _ in range(10)]
    for phone in phones:
        phone.wait(*sent)
        assert phone.events() == sent


def test_log_and_metrics_name_nobody(make_push):
    """Neither pushkeys nor events, rooms, endpoints."""
    w = make_push()
    w.start()
    phones = [w.phone(p) for p in PROVIDERS]
    event = w.tell(*phones, sender=SECRETS["sender"])
    for phone in phones:
        phone.wait(event)
    said = w.daemon.log_text() + w.daemon.admin("/metrics").body.decode()
    private = [event, ROOM, SECRETS["sender"], *(p.pushkey for p in phones)]
    private += [p.data["endpoint"] for p in phones if "endpoint" in p.data]
    assert not [s for s in private if s in said]


@pytest.mark.parametrize(
    "body,status,errcode",
    [
        (b"{", 400, "M_NOT_JSON"),
        (b"[]", 400, "M_BAD_JSON"),
        (b"{}", 400, "M_BAD_JSON"),
        (b'{"notification":{}}', 400, "M_BAD_JSON"),
        (b'{"notification":{"devices":{}}}', 400, "M_BAD_JSON"),
        (b'{"notification":{"devices":[{"app_id":"x"}]}}', 400, "M_BAD_JSON"),
        (b'{"notification":{"devices":[{"app_id":"x","pushkey":7}]}}', 400, "M_BAD_JSON"),
    ],
)
def test_what_is_no_notification(push, body, status, errcode):
    answer = push.notify(body)
    assert (answer.status, answer.errcode) == (status, errcode)


def test_paths_and_methods(push):
    with push.connect() as c:
        assert c.ask("GET", NOTIFY, {"Host": HOST}).json()["unifiedpush"]["gateway"] == "matrix"
        for method, path, status in (("PUT", NOTIFY, 405), ("POST", "/_matrix/push/v1/other", 404)):
            answer = c.ask(method, path, {"Host": HOST}, b"{}")
            assert (answer.status, answer.errcode) == (status, "M_UNRECOGNIZED")


def test_too_large(push):
    assert push.notify(b'{"x":"' + b"y" * 600000 + b'"}').status == 413
    many = notification(*(push.phone("fcm") for _ in range(65)))
    answer = push.notify(many)
    assert (answer.status, answer.errcode) == (413, "M_TOO_LARGE") or answer.status == 400
    assert not re.search("fcm-", answer.body.decode())
