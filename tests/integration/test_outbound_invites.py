# SPDX-License-Identifier: Apache-2.0
"""Invites that our users send, and the servers that outgoing events name (FD-5.2.1.2-14 to -18 seen
from the inviter's side, AF_10064)."""
import time
from typing import Any, Callable, Iterator

import pytest

from harness import PKI, invite_v1, invite_v2, member_event, open_world, transaction
from outworld import FORMS, OutWorld, Remote
from sim import b64, passport
from sim.xmatrix import path

ROOM = "!room:alpha.test"
STRANGER = "kann nicht in der Föderation gefunden werden"


@pytest.fixture(scope="module")
def module_world() -> Iterator[OutWorld]:
    def setup(w: OutWorld) -> None:
        w.other = w.remote("delta.test")
        w.know(w.other)
        w.rules["domains"] = "enforce"
        w.start()

    with open_world(setup, kind=OutWorld) as w:
        yield w


@pytest.fixture
def beta(world: OutWorld) -> Remote:
    world.beta.forget()
    return world.beta


def token(w: OutWorld, orig: str = "", dest: Any = "", **how: Any) -> str:
    signer = how.pop("signer", PKI.passport_signer)
    return passport.issue(signer, orig or w.anna, dest or w.bob, **how)


def v2(w: OutWorld, value: Any, **how: Any) -> dict[str, Any]:
    return invite_v2(how.pop("sender", w.anna), how.pop("to", w.bob), value, room=ROOM, **how)


def put(w: OutWorld, body: Any, version: str = "v2", form: str = "A", to: Any = None):
    uri = f"/_matrix/federation/{version}/invite" + path(ROOM, "$e:alpha.test")
    return w.ask(form, "PUT", to or w.beta, uri, body)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", [("request",), ("unsigned",), ("request", "unsigned")])
def test_v2_with_passport_leaves(world: OutWorld, beta: Remote, form: str, place: Any) -> None:
    body = v2(world, token(world), place=place)
    assert put(world, body, form=form).status == 200
    assert beta.server.last.body == b64.sorted_json(body) and not beta.faults


@pytest.mark.parametrize("form", FORMS)
def test_v1_with_passport_leaves(world: OutWorld, beta: Remote, form: str) -> None:
    body = invite_v1(world.anna, world.bob, token(world), ROOM)
    assert put(world, body, "v1", form).status == 200
    assert beta.server.last.body == b64.sorted_json(body)


BAD: dict[str, Callable[[OutWorld], Any]] = {
    "none": lambda w: None,
    "empty": lambda w: "",
    "not a JWS": lambda w: "abc",
    "alg none": lambda w: passport.unsigned(w.anna, w.bob),
    "key nobody knows": lambda w: token(w, signer=PKI.passport_root.issue("Unknown")),
    "foreign CA": lambda w: token(w, signer=PKI.foreign.issue("Foreign")),
    "unknown x5u": lambda w: token(w, header={"x5u": "https://reg.example.org/other.pem"}),
    "another inviter": lambda w: token(w, "@eve:alpha.test"),
    "inviter of another server": lambda w: token(w, "@anna:delta.test"),
    "another invitee": lambda w: token(w, dest=f"@carl:{w.beta.name}"),
    "invitee of another server": lambda w: token(w, dest="@bob:delta.test"),
    "roles swapped": lambda w: token(w, w.bob, w.anna),
    "other claims": lambda w: passport.with_other_claims(token(w, "@x:y.test"), w.anna, w.bob),
    "too old": lambda w: token(w, iat=int(time.time()) - 25 * 3600),
    "in the future": lambda w: token(w, iat=int(time.time()) + 300),
}


@pytest.mark.parametrize("what", list(BAD))
def test_unsound_tokens_stay_here(world: OutWorld, beta: Remote, what: str) -> None:
    """The same rule as for incoming ones; the inviting user reads why (facts 5.5)."""
    value = BAD[what](world)
    for body, version in ((v2(world, value), "v2"), (invite_v1(world.anna, world.bob, value, ROOM), "v1")):
        text = world.refused(put(world, body, version), beta)
        assert "PASSporT" in text
        assert "anna" not in text and "bob" not in text


@pytest.mark.parametrize("form", FORMS)
def test_in_each_form(world: OutWorld, beta: Remote, form: str) -> None:
    assert "PASSporT" in world.refused(put(world, v2(world, None), form=form), beta)


def test_the_inviter_is_ours(world: OutWorld, beta: Remote) -> None:
    sender = f"@eve:{world.other.name}"
    body = v2(world, token(world, sender), sender=sender)
    world.refused(put(world, body), beta)


def test_the_invitee_is_theirs(world: OutWorld, beta: Remote) -> None:
    """A PASSporT for delta's user is none for what is sent to beta."""
    dest = f"@carl:{world.other.name}"
    world.refused(put(world, v2(world, token(world, dest=dest), to=dest)), beta)


@pytest.mark.parametrize("part", [{"type": "m.room.topic"}, {"content": {"membership": "join"}}])
def test_only_invites_use_the_invite_path(world: OutWorld, beta: Remote, part: Any) -> None:
    body = v2(world, token(world))
    body["event"].update(part)
    assert put(world, body).status in (400, 403)
    assert not beta.requests


def test_duplicate_members_are_refused(world: OutWorld, beta: Remote) -> None:
    """Two parsers could see two invitees."""
    body = b64.sorted_json(v2(world, token(world)))
    twice = body.replace(b'"sender":', b'"sender":"@eve:alpha.test","sender":', 1)
    a = put(world, twice)
    assert a.status in (400, 403) and not beta.requests


def test_to_a_stranger(world: OutWorld) -> None:
    """Who is invited there cannot be found: said with the domain (A_25534)."""
    to = f"@zoe:{world.gamma.name}"
    a = put(world, v2(world, token(world, dest=to), to=to), to=world.gamma)
    assert world.refused(a, world.gamma) == f"{world.gamma.name} {STRANGER}"
    assert world.gamma.untouched


@pytest.mark.parametrize("mode", ["log", "off"])
def test_modes_of_the_rule(make_world, mode: str) -> None:
    w = make_world(kind=OutWorld)
    w.rules["invites"] = mode
    w.start()
    assert put(w, v2(w, None)).status == 200
    assert len(w.beta.requests) == 1
    logged = w.daemon.metric("schleuse_rule_logged_total")
    assert (logged > 0) == (mode == "log")


def test_modes_of_both_directions_are_apart(make_world) -> None:
    """services.invites is for incoming invites, services.outbound.invites for ours."""
    w = make_world(kind=OutWorld)
    w.main_service["invites"] = {"passport": "off"}
    w.start()
    w.refused(put(w, v2(w, None)), w.beta)


# Domains in events


def send(w: OutWorld, *pdus: Any, form: str = "A"):
    uri = "/_matrix/federation/v1/send" + path(f"t{time.monotonic_ns()}")
    return w.ask(form, "PUT", w.beta, uri, transaction(w.NAME, *pdus))


def named(w: OutWorld) -> dict[str, dict[str, Any]]:
    """Events that name a stranger, each in another place."""
    g = w.gamma.name
    plain = member_event(w.anna, w.anna, ROOM, "join")
    return {
        "sender": {**plain, "sender": f"@eve:{g}", "state_key": f"@eve:{g}"},
        "state key of a member": member_event(w.anna, f"@eve:{g}", ROOM),
        "origin": {**plain, "origin": g},
    }


@pytest.mark.parametrize("what", ["sender", "state key of a member", "origin"])
@pytest.mark.parametrize("form", FORMS)
def test_events_that_name_strangers(world: OutWorld, beta: Remote, form: str, what: str) -> None:
    text = world.refused(send(world, named(world)[what], form=form), beta)
    assert text == f"{world.gamma.name} {STRANGER}"
    assert world.gamma.untouched


def test_events_that_name_members_only(world: OutWorld, beta: Remote) -> None:
    """Where a room was made does not count: that server may have left long ago."""
    events = [
        member_event(world.anna, world.bob, ROOM, "leave"),
        member_event(f"@carl:{world.other.name}", f"@carl:{world.other.name}", ROOM, "join"),
        member_event(world.anna, world.anna, "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM", "join"),
        member_event(world.anna, world.anna, f"!room:{world.gamma.name}", "join"),
        {**member_event(world.anna, world.anna, ROOM), "type": "m.room.topic", "state_key": "@x:gamma"},
    ]
    assert send(world, *events).status == 200
    assert send(world).status == 200
    assert len(beta.requests) == 2 and not beta.faults


def test_invites_that_are_told_in_a_transaction(world: OutWorld, beta: Remote) -> None:
    """Whose user is invited must have accepted the invite with its PASSporT first; others in the room
    only learn of it."""
    carl, dora, emil = f"@carl:{beta.name}", f"@dora:{world.other.name}", "@emil:alpha.test"
    for to in (dora, emil):
        assert send(world, member_event(world.anna, to, ROOM)).status == 200
    told = member_event(world.anna, carl, ROOM)
    assert "invite" in world.refused(send(world, told))
    assert put(world, v2(world, token(world, dest=carl), to=carl)).status == 200
    assert send(world, told).status == 200
    assert not beta.faults


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_send_join(world: OutWorld, beta: Remote, version: str) -> None:
    uri = f"/_matrix/federation/{version}/send_join" + path("!room:" + beta.name, "$e")
    event = member_event(world.anna, world.anna, "!room:" + beta.name, "join")
    assert world.ask("A", "PUT", beta, uri, event).status == 200
    event["sender"] = event["state_key"] = f"@anna:{world.gamma.name}"
    world.refused(world.ask("A", "PUT", beta, uri, event))
    assert len(beta.requests) == 1


def test_strangers_in_an_invite(world: OutWorld, beta: Remote) -> None:
    body = v2(world, token(world))
    body["event"]["origin"] = world.gamma.name
    assert world.refused(put(world, body), beta) == f"{world.gamma.name} {STRANGER}"


def test_strangers_in_what_is_not_kept(world: OutWorld, beta: Remote) -> None:
    """Typing, receipts and messages to devices say as much as events do."""
    eve = f"@eve:{world.gamma.name}"
    for kind, content in {
        "m.typing": {"room_id": ROOM, "user_id": eve, "typing": True},
        "m.receipt": {ROOM: {"m.read": {eve: {"event_ids": ["$e"], "data": {"ts": 1}}}}},
        "m.direct_to_device": {"sender": world.anna, "type": "x", "message_id": "1", "messages": {eve: {}}},
    }.items():
        body = {**transaction(world.NAME), "edus": [{"edu_type": kind, "content": content}]}
        uri = "/_matrix/federation/v1/send" + path(f"t{time.monotonic_ns()}")
        world.refused(world.ask("A", "PUT", beta, uri, body), beta)


@pytest.mark.parametrize("mode", ["log", "off"])
def test_modes_of_domains(make_world, mode: str) -> None:
    w = make_world(kind=OutWorld)
    w.rules["domains"] = mode
    w.start()
    for event in named(w).values():
        assert send(w, event).status == 200
    logged = w.daemon.metric("schleuse_rule_logged_total")
    assert logged == (3 if mode == "log" else 0)
    assert w.gamma.name not in w.daemon.log_text()
