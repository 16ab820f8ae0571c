# SPDX-License-Identifier: Apache-2.0
"""What homeservers may say, and how it is answered: the Matrix Push Gateway API as a homeserver sees it."""
from __future__ import annotations

import copy
import itertools
import json
from typing import Any, Iterator

import pytest

from harness import until
from pushworld import HOST, NOTIFY, event_id, notification
from sim import wire

HEAD = {"Host": HOST, "Content-Type": "application/json"}
VALUES: dict[str, Any] = {"null": None, "true": True, "false": False, "integer": 7, "negative": -1, "fraction": 1.5,
                          "string": "x", "empty": "", "array": [], "full array": ["x"], "object": {},
                          "full object": {"x": 1}}
TEXT = {"null", "string", "empty"}
# What may stand in each member; of those that are not named, anything may
USED = {
    "event_id": TEXT, "room_id": TEXT, "prio": TEXT, "ephemeral": TEXT, "ciphertext": TEXT, "mac": TEXT,
    "devices": {"array"},
}
IGNORED = ["id", "type", "sender", "sender_display_name", "room_name", "room_alias", "user_is_target", "content",
           "counts", "membership", "org.example.unknown"]
USED_OF_DEVICES = {
    "app_id": TEXT - {"null"}, "pushkey": TEXT - {"null"}, "pushkey_ts": {"null", "integer", "negative"},
    "data": {"null", "object", "full object"},
}
IGNORED_OF_DEVICES = ["tweaks", "profile_tag", "kind", "org.example.unknown"]


def unknown(pushkey: str = "KEY", **more: Any) -> dict[str, Any]:
    """A device of an app that is not configured: its pushkey is rejected, so nothing is sent."""
    return {"app_id": "org.example.unknown", "pushkey": pushkey, **more}


def bodies() -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Each member with a value of each type: what it is, the body, whether it is a notification."""
    for name, (of, value) in itertools.product([*USED, *IGNORED], VALUES.items()):
        inner = notification(unknown())["notification"] | {name: value}
        yield f"{name}: {of}", {"notification": inner}, of in USED.get(name, VALUES)
    for name, (of, value) in itertools.product([*USED_OF_DEVICES, *IGNORED_OF_DEVICES], VALUES.items()):
        yield f"devices.{name}: {of}", notification(unknown() | {name: value}), of in USED_OF_DEVICES.get(name, VALUES)
    for name in ("event_id", "room_id", "prio", "counts"):
        yield f"{name}: absent", notification(unknown(), **{name: None}), True
    for of, value in VALUES.items():
        yield f"notification: {of}", {"notification": value}, False
        yield f"besides: {of}", notification(unknown()) | {"besides": value}, True


def ask(link: wire.Connection, body: bytes, **more: str) -> wire.Answer:
    return link.ask("POST", NOTIFY, HEAD | {n.replace("_", "-"): v for n, v in more.items()}, body)


def test_members_of_all_types(push):
    """FD-5.2.3-1: strict where it matters, and never for what is not looked at."""
    n = 0
    with push.connect() as link:
        for what, body, good in bodies():
            answer = ask(link, json.dumps(body).encode())
            if good:
                assert answer.status == 200 and isinstance(answer.json()["rejected"], list), (what, answer.body)
            else:
                assert (answer.status, answer.errcode) == (400, "M_BAD_JSON"), (what, answer.body)
            n += 1
    assert n > 300


def test_bodies_that_are_cut_off(push):
    whole = json.dumps(notification(unknown(), event="$e\u00e4\"\\", content={"a": [1.5e3, True, None]}),
                       ensure_ascii=False).encode()
    with push.connect() as link:
        assert ask(link, whole).json() == {"rejected": ["KEY"]}
        for n in range(len(whole)):
            answer = ask(link, whole[:n])
            assert (answer.status, answer.errcode) == (400, "M_NOT_JSON"), whole[:n]


@pytest.mark.parametrize(
    "text",
    [
        b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf4\x90\x80\x80"', b'"\\ud800"', b'"\\udc00\\ud800"',
        b'"\\x41"', b'"\\u12g4"', b'"\t"', b'"\x00"', b"01", b"+1", b".5", b"1.", b"1e", b"--1", b"0x1", b"NaN",
        b"Infinity", b"True", b"nul", b"'x'", b"[1,]", b"[,1]", b'{"a":1,}', b"{a:1}", b'{"a" 1}', b"/**/1", b"[1 2]",
        b'{"a":1}}', b"[" * 200 + b"]" * 200, b"{" * 5,
    ],
)
def test_what_is_no_json_anywhere(push, text):
    """In a member that nobody looks at as well."""
    answer = push.notify(b'{"notification":{"devices":[],"content":' + text + b"}}")
    assert answer.status == 400 and answer.errcode in ("M_NOT_JSON", "M_BAD_JSON"), answer.body


@pytest.mark.parametrize("body", [
    b'{"notification":{"devices":[],"devices":[]}}',
    b'{"notification":{"devices":[]},"notification":{"devices":[]}}',
    b'{"notification":{"devices":[],"content":{"a":1,"\\u0061":2}}}',
])
def test_a_member_said_twice(push, body):
    answer = push.notify(body)
    assert (answer.status, answer.errcode) == (400, "M_BAD_JSON")


def test_all_rejected_pushkeys_once_in_order(push):
    """FD-5.2.3-2; in JSON whatever they are made of."""
    keys = ['b"\\', "a/\u00e4\U0001f600", "", "c'<>&", "z" * 2048, "b\\"]
    devices = [unknown(k) for k in keys] + [unknown(k) | {"app_id": "another"} for k in reversed(keys)]
    answer = push.notify(notification(*devices))
    assert answer.status == 200 and answer.get("Content-Type") == "application/json"
    assert answer.json() == {"rejected": keys}


def test_many_long_pushkeys(push):
    """An answer longer than what is written at once."""
    keys = [f"{n:02}".ljust(2048, '"') for n in range(64)]
    assert push.notify(notification(*map(unknown, keys))).json() == {"rejected": keys}


def test_good_and_bad_devices_together(push):
    phone = push.phone("fcm")
    event = event_id()
    answer = push.notify(notification(unknown("A"), phone, unknown("B"), phone.device(), event=event))
    assert answer.json() == {"rejected": ["A", "B"]}
    phone.wait(event)
    push.drained()
    assert phone.events() == [event]


def test_however_the_request_is_framed(push):
    body = json.dumps(notification(unknown())).encode()
    want = {"rejected": ["KEY"]}
    with push.connect() as link:
        link.send(wire.request("POST", NOTIFY, HEAD | {"Transfer-Encoding": "chunked"},
                               wire.chunked(*(body[i:i + 1] for i in range(len(body))))))
        assert link.read("POST").json() == want
        head = wire.request("POST", NOTIFY, HEAD | {"Expect": "100-continue", "Content-Length": str(len(body))})
        link.send(head)
        answer = link.read_head()
        assert answer.status == 100
        link.send(body)
        assert link.read("POST").json() == want
        for content_type in ("text/plain", "application/json; charset=utf-8", "x"):
            assert link.ask("POST", NOTIFY, {"Host": HOST, "Content-Type": content_type}, body).json() == want
        assert link.ask("POST", NOTIFY, {"Host": HOST}, body).json() == want
        assert link.ask("POST", NOTIFY + "?access_token=x", HEAD, body).json() == want
        two = wire.request("POST", NOTIFY, HEAD, body) * 2
        link.send(two)
        assert [link.read("POST").json(), link.read("POST").json()] == [want, want]
    assert push.notify_h2(notification(unknown())).status == 200


def test_discovery_of_unifiedpush(push):
    with push.connect() as link:
        answer = link.ask("GET", NOTIFY, {"Host": HOST})
        assert (answer.status, answer.json()) == (200, {"unifiedpush": {"gateway": "matrix"}})
        head = link.ask("HEAD", NOTIFY, {"Host": HOST})
        assert (head.status, head.body, head.get("Content-Length")) == (200, b"", answer.get("Content-Length"))
        options = link.ask("OPTIONS", NOTIFY, {"Host": HOST})
        assert options.status == 204 and "POST" in (options.get("Allow") or "")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "FOO"])
def test_other_methods(push, method):
    with push.connect() as link:
        answer = link.ask(method, NOTIFY, {"Host": HOST})
    assert (answer.status, answer.errcode) == (405, "M_UNRECOGNIZED")
    assert "POST" in (answer.get("Allow") or "")


@pytest.mark.parametrize("path", ["/", NOTIFY + "/", NOTIFY + "/x", "/_matrix/push/v1", "/_matrix/push/v1/Notify",
                                  "/_matrix/push/v1/notif%79", "/health", "/metrics", "/_matrix/client/versions"])
def test_other_paths(push, path):
    with push.connect() as link:
        for method in ("GET", "POST"):
            answer = link.ask(method, path, {"Host": HOST})
            assert (answer.status, answer.errcode) == (404, "M_UNRECOGNIZED")


# Who asks (A_26182-01, A_26183-01, A_26184-02)

# What is looked for in the log has letters that neither its hashes nor names of folders have.
AGENTS = {
    "valid": ["SCHLEUSE01/1.0.0", "XYZ/1.0", "CLIENTID1234567890AB/2.1.12-45", "a-b/rc1"],
    "invalid": ["ab/1.0", "XYZ/1", "a_c/1.0", "XYZ/1.0/2", "XYZ", "${jndi:ldap://x}", 'XYZ/1.0";DROP TABLE',
                "CLIENTID1234567890ABC/1.0", "XYZ /1.0"],
}


def test_no_product_is_refused_for_its_name(make_push):
    """A_26184-02-3: the same answer whatever stands there, and no log has what must not be logged."""
    w = make_push(which=["fcm"])
    w.config["log_level"] = "debug"
    w.start()
    body = json.dumps(notification(unknown())).encode()
    with w.connect() as link:
        plain = ask(link, body)
        for agent in sum(AGENTS.values(), []):
            answer = ask(link, body, TI_User_Agent=agent)
            assert (answer.status, answer.body) == (plain.status, plain.body) == (200, b'{"rejected":["KEY"]}'), agent
    for form, agents in AGENTS.items():
        assert w.daemon.metric("schleuse_push_client_ids_total", form=form) == len(agents)
    assert w.daemon.metric("schleuse_push_client_ids_total", form="absent") == 1
    log = w.daemon.log_text()
    assert not [a for a in sum(AGENTS.values(), []) if a in log]


def test_an_operator_reads_why_something_was_refused(make_push):
    """The reason by its name, as in doc/operations.md, and nothing of the request."""
    w = make_push(which=["fcm"])
    w.start()
    w.notify(b'{"notification":{"devices":[],"event_id":["$geheim"]}}')
    w.notify(b"{}", Authorization="geheim")
    until("both lines", lambda: w.daemon.log_text().count("notify status=400 reason=notify_shape in=") == 2)
    assert "geheim" not in w.daemon.log_text()


# Limits and reloads


def test_limits(make_push):
    """Every one has an answer, and is lifted by a reload."""
    w = make_push(which=["fcm"])
    w.config["notify"] = {"devices_max": 2, "data_max": 256, "ciphertext_max": 256}
    w.config["limits"]["body_max"] = "4k"
    w.start()
    long = {
        "devices": notification(*map(unknown, "ABC")),
        "ciphertext": notification(unknown(), ciphertext="A" * 257),
        "event_id": notification(unknown(), event="$" + "e" * 255),
    }
    for what, body in long.items():
        answer = w.notify(body)
        assert (answer.status, answer.errcode) == (400, "M_TOO_LARGE"), what
    phone = w.phone("fcm").device()
    too_much = phone | {"data": {"x": "y" * 256}}
    assert w.rejected(phone) == []
    for device in (too_much, phone | {"pushkey": "k" * 2049}, phone | {"app_id": "a" * 256}):
        assert w.rejected(device) == [device["pushkey"]], "a pusher's fault is not the homeserver's"
    filled = json.dumps(notification(unknown())).encode()
    assert w.notify(filled.ljust(4096)).status == 200
    answer = w.notify(filled.ljust(4097))
    assert (answer.status, answer.errcode) == (413, "M_TOO_LARGE")
    w.config["notify"] = {"devices_max": 3, "data_max": 1024, "ciphertext_max": 512}
    w.reload()
    for what in ("devices", "ciphertext"):
        assert w.notify(long[what]).status == 200, what
    assert w.rejected(too_much) == []


def test_apps_change_while_a_connection_is_open(make_push):
    """A request belongs to the configuration that is in force when it is complete."""
    w = make_push(which=["fcm"])
    w.start()
    phone = w.phone("fcm")
    with w.connect() as link:
        before = ask(link, json.dumps(notification(phone.device(app_id="org.example.later"))).encode())
        assert before.json() == {"rejected": [phone.pushkey]}
        body = json.dumps(notification(phone.device(app_id="org.example.later"), event="$later")).encode()
        link.send(wire.request("POST", NOTIFY, HEAD | {"Content-Length": str(len(body))}) + body[:20])
        w.config["apps"].insert(0, copy.deepcopy(w.app("fcm")) | {"id": "org.example.later"})
        w.reload()
        link.send(body[20:])
        assert link.read("POST").json() == {"rejected": []}
    phone.wait("$later")


def test_what_is_not_read_to_its_end_leaves_nothing(push):
    """A homeserver that goes away in the middle."""
    body = json.dumps(notification(push.phone("fcm"))).encode()
    before = push.daemon.metric("schleuse_push_notifications_received_total")
    for n in (0, 1, len(body) - 1):
        link = push.connect()
        link.send(wire.request("POST", NOTIFY, HEAD | {"Content-Length": str(len(body))}) + body[:n])
        link.reset()
    until("all gone", lambda: push.daemon.metric("schleuse_connections_opened_total")
          == push.daemon.metric("schleuse_connections_closed_total"))
    assert push.daemon.metric("schleuse_push_notifications_received_total") == before
    assert push.queued() == 0
