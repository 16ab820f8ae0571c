# SPDX-License-Identifier: Apache-2.0
"""A real Synapse notifies schleuse-pushgw, which pushes to simulated providers (FD-5.2.3-1)."""
from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from federation import Federation
from harness import until
from person import Person
from pushworld import NOTIFY, Phone, PushWorld, notification
from sim.redisd import free_port

ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
SYNAPSE_RETRIES = 60.0  # seconds: after failures it waits 1, 2, 4, 8 …


@pytest.fixture(scope="module")
def gateway(federation: Federation) -> Iterator[PushWorld]:
    """It draws delays of up to 2 s."""
    w = PushWorld(Path(tempfile.mkdtemp(prefix="push-")), delay="2s", which=["apns", "fcm"], pki=federation.pki,
                  name="localhost")
    w.config["listeners"][0]["address"] = f"127.0.0.1:{free_port()}"  # it comes back there
    w.config["queue"]["count_max"] = 10
    w.start()
    try:
        yield w
    finally:
        w.stop()


@pytest.fixture
def phone(gateway: PushWorld, alice: Person) -> Iterator[Phone]:
    """Alice's, with a pusher of hers at her homeserver."""
    gateway.drained()
    gateway.forget()
    p = gateway.phone("apns")
    set_pusher(gateway, alice, p)
    yield p
    set_pusher(gateway, alice, p, kind=None)


def set_pusher(w: PushWorld, person: Person, phone: Phone, **change: Any) -> None:
    host, port = w.daemon.address()
    data = {"url": f"https://localhost:{port}{NOTIFY}", **phone.data}
    pusher = {"kind": "http", "app_id": phone.app_id, "pushkey": phone.pushkey, "app_display_name": "App",
              "device_display_name": "Phone", "lang": "de", "data": data, "append": True, **change}
    status, body = person.ask("POST", "/_matrix/client/v3/pushers/set", pusher)
    assert status == 200, body


def pushers(person: Person) -> list[str]:
    status, body = person.ask("GET", "/_matrix/client/v3/pushers")
    assert status == 200, body
    return [p["pushkey"] for p in json.loads(body)["pushers"]]


@pytest.fixture(scope="module")
def room(alice: Person, bob: Person, federation: Federation) -> str:
    """Encrypted; bob's is another homeserver."""
    made = federation.meet(bob, alice, initial_state=[ENCRYPTION], name="Befundbesprechung")
    bob.until("alice's devices", lambda: list(bob.client.device_store.active_user_devices(alice.mxid)))
    return made


def said(person: Person, reader: Person, room: str, *texts: str) -> list[str]:
    """The IDs of messages as the reader's homeserver knows them."""
    for text in texts:
        person.say(room, text)
    for text in texts:
        reader.reads(room, person, text)
    status, body = reader.ask("GET", f"/_matrix/client/v3/rooms/{room}/messages?dir=b&limit={len(texts)}")
    assert status == 200, body
    return [e["event_id"] for e in reversed(json.loads(body)["chunk"])]


def arrived(phone: Phone, events: list[str], deadline: float = SYNAPSE_RETRIES) -> None:
    until(f"{len(events)} pushes", lambda: set(events) <= set(phone.events()), deadline)
    assert phone.events() == events, "in order, once each"


def test_message_arrives_with_the_two_ids(gateway, alice, bob, phone, room):
    """ML-123618-6, -7: of an encrypted message the phone's provider sees where and which, not what or whose."""
    events = said(bob, alice, room, "Der Befund ist da")
    arrived(phone, events)
    assert phone.got() == [{"event_id": events[0], "room_id": room}]
    raw = gateway.providers.apns.raw()
    server = room.partition(":")[2].encode()
    for word in (b"Befund", b"@bob", b"@alice", b"megolm", b"m.room", b"unread", b"counts", b"prio\""):
        assert word not in raw, word
    assert server not in raw.replace(room.encode(), b"")


def test_many_messages_in_order(gateway, alice, bob, phone, room):
    arrived(phone, said(bob, alice, room, *(f"message {n}" for n in range(8))))


def test_full_format_says_no_more(gateway, alice, bob, federation):
    """Without format event_id_only Synapse sends sender, names and content: they stay here."""
    plain = federation.meet(bob, alice, name="Befundbesprechung")
    phone = gateway.phone("fcm")
    del phone.data["format"]
    set_pusher(gateway, alice, phone)
    try:
        events = said(bob, alice, plain, "Der Befund ist da")
        arrived(phone, events)
        raw = gateway.providers.fcm.raw()
        for word in (b"Befund", b"@bob", b"m.room.message", b"m.text"):
            assert word not in raw, word
    finally:
        set_pusher(gateway, alice, phone, kind=None)


def test_dead_pushkey_ends_the_pusher(gateway, alice, bob, room):
    """Apple says 410; the next notification is told, and Synapse forgets the pusher."""
    dead = gateway.phone("fcm")
    set_pusher(gateway, alice, dead)
    gateway.providers.fcm.gone.add(dead.pushkey)
    said(bob, alice, room, "is anybody there")
    until("the attempt", dead.requests, SYNAPSE_RETRIES)
    gateway.drained()
    assert dead.pushkey in pushers(alice)
    said(bob, alice, room, "once more")
    until("that the pusher is gone", lambda: dead.pushkey not in pushers(alice), SYNAPSE_RETRIES)
    assert len(dead.requests()) == 1


def test_full_queue_makes_synapse_wait(gateway, alice, bob, phone, room):
    """503: it keeps the event and comes again; nothing is lost and the order stays."""
    gateway.providers.fcm.down()
    try:
        for _ in range(10):
            gateway.tell(gateway.phone("fcm"))
        before = gateway.daemon.metric("schleuse_push_queue_refused_total", cause="full")
        events = said(bob, alice, room, "one", "two", "three")
        until("a refusal", lambda: gateway.daemon.metric("schleuse_push_queue_refused_total", cause="full") > before)
        assert phone.events() == []
        assert gateway.notify(notification(phone)).status == 503
    finally:
        gateway.providers.fcm.up()
    arrived(phone, events)


def test_killed_between_message_and_push(gateway, alice, bob, phone, room):
    """kill -9 after Synapse has its answer: the push was on disk."""
    accepted = gateway.devices("queued")
    events = said(bob, alice, room, "before the crash", "just before")
    until("both", lambda: gateway.devices("queued") - accepted == 2, SYNAPSE_RETRIES)
    gateway.kill()
    gateway.start()
    until("the pushes", lambda: set(events) <= set(phone.events()), SYNAPSE_RETRIES)
    assert list(dict.fromkeys(phone.events())) == events


def test_away_for_a_while(gateway, alice, bob, phone, room):
    """What was said meanwhile is notified of when it is back."""
    gateway.kill()
    events = said(bob, alice, room, "are you there", "hello")
    time.sleep(1)  # Synapse has tried
    gateway.start()
    arrived(phone, events)
