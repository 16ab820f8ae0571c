# SPDX-License-Identifier: Apache-2.0
"""Invites of other servers need a PASSporT (FD-5.2.1.2-14, -15, -16, -18; O-6, O-9)."""
import time
from typing import Any, Callable, Iterator

import pytest

from harness import PKI, World, invite_v1, invite_v2, member_event, open_world, transaction
from sim import b64, passport
from sim.passport import OMIT
from sim.pki import Issued
from sim.xmatrix import path

ANNA, ROOM = "@anna:alpha.test", "!room:beta.test"
OTHER_X5U = "https://reg.example.org/%s.pem"
HOUR = 3600

# Certificates of the trust store that are faulty, by the last part of their x5u
CERTIFICATES: dict[str, Callable[[], Issued]] = {
    "expired": lambda: PKI.passport_root.issue("Old", starts=-100, days=50),
    "future": lambda: PKI.passport_root.issue("Early", starts=5),
    "nousage": lambda: PKI.passport_root.issue("No usage", usage=None),
    "encipher": lambda: PKI.passport_root.issue("Encipher", usage="key_encipherment"),
    "foreign": lambda: PKI.foreign.issue("Foreign"),
    "rsa": lambda: PKI.passport_root.issue("RSA", kind="rsa2048"),
    "bp256": lambda: PKI.passport_root.issue("Brainpool", kind="bp256"),
}


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.bob = f"@bob:{w.beta.name}"
        w.signers = {name: make() for name, make in CERTIFICATES.items()}
        for name, issued in w.signers.items():
            file, _ = issued.write(w.folder / f"passport-{name}")
            entry = {"file": str(file), "x5u": OTHER_X5U % name}
            w.federation["passport"]["certificates"].append(entry)
        w.start()

    with open_world(setup) as w:
        yield w


def token(w: World, orig: str = "", dest: Any = ANNA, **how: Any) -> str:
    return passport.issue(how.pop("signer", PKI.passport_signer), orig or w.bob, dest, **how)


def by(w: World, name: str, **how: Any) -> str:
    """A token signed with one of the faulty certificates."""
    x5u = {"x5u": OTHER_X5U % name}
    return token(w, signer=w.signers[name], header={**x5u, **how.pop("header", {})}, **how)


def put_invite(w: World, body: Any, version: str = "v2", room: str = ROOM, event: str = "$e"):
    uri = f"/_matrix/federation/{version}/invite" + path(room, event)
    return w.peer(w.beta).ask("PUT", uri, body)


def refused(w: World, a) -> str:
    assert (a.status, a.errcode) == (403, "M_FORBIDDEN")
    assert "anna" not in a.error and "bob" not in a.error, "echoes the request"
    w.not_forwarded()
    return a.error


@pytest.mark.parametrize("place", [("request",), ("unsigned",), ("request", "unsigned")])
def test_v2_with_passport_arrives(world: World, place) -> None:
    body = invite_v2(world.bob, ANNA, token(world), place=place)
    a = put_invite(world, body)
    assert a.status == 200 and a.json()["event"]["state_key"] == ANNA
    seen = world.homeserver.wait("/invite/")[0]
    assert (seen.body, seen.verified) == (b64.sorted_json(body), world.beta.name)


def test_v1_with_passport_arrives(world: World) -> None:
    body = invite_v1(world.bob, ANNA, token(world))
    a = put_invite(world, body, "v1", event=body["event_id"])
    assert a.status == 200 and a.json()[1]["event"]["state_key"] == ANNA


GOOD: dict[str, Callable[[World], str]] = {
    "several invited": lambda w: token(w, dest=[ANNA, "@carl:alpha.test"]),
    "plain MXIDs": lambda w: token(w, claims={"orig": {"uri": w.bob}, "dest": {"uri": [ANNA]}}),
    "encoded URI": lambda w: token(w, claims={"dest": {"uri": ["matrix:u/%61nna:alpha.test"]}}),
    "URI with query": lambda w: token(w, claims={"dest": {"uri": ["matrix:u/anna:alpha.test?x"]}}),
    "server in capitals": lambda w: token(w, dest="@anna:ALPHA.test"),
    "an hour old": lambda w: token(w, iat=int(time.time()) - HOUR),
    "clock 30 s ahead": lambda w: token(w, iat=int(time.time()) + 30),
    "further claims": lambda w: token(w, claims={"jti": "1", "mky": []}),
}


@pytest.mark.parametrize("what", list(GOOD))
def test_sound_tokens(world: World, what: str) -> None:
    assert put_invite(world, invite_v2(world.bob, ANNA, GOOD[what](world))).status == 200


BAD: dict[str, Callable[[World], Any]] = {
    "none": lambda w: None,
    "empty": lambda w: "",
    "number": lambda w: 5,
    "object": lambda w: {"jwt": token(w)},
    "not a JWS": lambda w: "abc",
    "two parts": lambda w: token(w).rsplit(".", 1)[0],
    "four parts": lambda w: token(w) + ".x",
    "padded": lambda w: token(w) + "==",
    "alg none": lambda w: passport.unsigned(w.bob, ANNA),
    "alg HS256": lambda w: token(w, header={"alg": "HS256"}),
    "alg RS256": lambda w: by(w, "rsa", header={"alg": "RS256"}),
    "alg BP256R1": lambda w: by(w, "bp256", header={"alg": "BP256R1"}),
    "alg es256": lambda w: token(w, header={"alg": "es256"}),
    "ES256 of a brainpool key": lambda w: by(w, "bp256"),
    "typ JWT": lambda w: token(w, header={"typ": "JWT"}),
    "no typ": lambda w: token(w, header={"typ": OMIT}),
    "ppt": lambda w: token(w, header={"ppt": "shaken"}),
    "crit": lambda w: token(w, header={"crit": ["x"], "x": 1}),
    "unknown x5u": lambda w: token(w, header={"x5u": "https://reg.example.org/other.pem"}),
    "x5u of another certificate": lambda w: token(w, header={"x5u": OTHER_X5U % "expired"}),
    "key nobody knows": lambda w: token(w, signer=PKI.passport_root.issue("Unknown")),
    "x5c instead": lambda w: token(w, header={"x5u": OMIT, "x5c": ["AAAA"]}, signer=w.signers["foreign"]),
    "expired certificate": lambda w: by(w, "expired"),
    "certificate not yet valid": lambda w: by(w, "future"),
    "certificate without keyUsage": lambda w: by(w, "nousage"),
    "certificate for encryption": lambda w: by(w, "encipher"),
    "certificate of a foreign CA": lambda w: by(w, "foreign"),
    "other claims": lambda w: passport.with_other_claims(token(w, "@x:y.test"), w.bob, ANNA),
    "orig another user": lambda w: token(w, "@eve:beta.test"),
    "orig another server": lambda w: token(w, "@bob:gamma.test"),
    "orig in other case": lambda w: token(w, w.bob.replace("bob", "Bob")),
    "orig missing": lambda w: token(w, claims={"orig": OMIT}),
    "orig a list": lambda w: token(w, claims={"orig": {"uri": [passport.uri(w.bob)]}}),
    "orig with two members": lambda w: token(w, claims={"orig": {"uri": passport.uri(w.bob), "tn": "1"}}),
    "dest another user": lambda w: token(w, dest="@carl:alpha.test"),
    "dest missing": lambda w: token(w, claims={"dest": OMIT}),
    "dest empty": lambda w: token(w, claims={"dest": {"uri": []}}),
    "dest a string": lambda w: token(w, claims={"dest": {"uri": passport.uri(ANNA)}}),
    "roles swapped": lambda w: token(w, ANNA, w.bob),
    "no iat": lambda w: token(w, claims={"iat": OMIT}),
    "iat a string": lambda w: token(w, iat=str(int(time.time()))),
    "in the future": lambda w: token(w, iat=int(time.time()) + 300),
    "too old": lambda w: token(w, iat=int(time.time()) - 25 * HOUR),
    "iat negative": lambda w: token(w, iat=-5),
}


@pytest.mark.parametrize("what", list(BAD))
def test_unsound_tokens(world: World, what: str) -> None:
    value = BAD[what](world)
    text = refused(world, put_invite(world, invite_v2(world.bob, ANNA, value)))
    assert "PASSporT" in text
    refused(world, put_invite(world, invite_v1(world.bob, ANNA, value), "v1"))


def test_a_token_for_somebody_else_in_the_state_does_not_count(world: World) -> None:
    body = invite_v2(world.bob, ANNA, token(world))
    body["invite_room_state"][-1]["state_key"] = "@carl:alpha.test"
    refused(world, put_invite(world, body))


def test_state_key_behind_an_underscore(world: World) -> None:
    """In ordinary rooms nobody may set state under another user's ID."""
    body = invite_v2(world.bob, ANNA, token(world))
    body["invite_room_state"][-1]["state_key"] = "_" + ANNA
    assert put_invite(world, body).status == 200


@pytest.mark.parametrize("key", ["", "_", "_@carl:alpha.test", "__" + ANNA, ANNA + "_", ANNA[1:]])
def test_other_state_keys_do_not_count(world: World, key: str) -> None:
    body = invite_v2(world.bob, ANNA, token(world))
    body["invite_room_state"][-1]["state_key"] = key
    refused(world, put_invite(world, body))


def test_one_sound_token_suffices(world: World) -> None:
    """It proves what is to be proved, whatever lies beside it."""
    body = invite_v2(world.bob, ANNA, token(world), place=("request", "unsigned"))
    body["event"]["unsigned"]["invite_room_state"][-1]["content"]["token"] = token(world, "@x:y.test")
    assert put_invite(world, body).status == 200


def test_very_many_tokens_are_not_tried(world: World) -> None:
    """Each trial costs a signature check, so a sender must not choose their number."""
    body = invite_v2(world.bob, ANNA, by(world, "foreign"))
    body["invite_room_state"] *= 1000
    body["invite_room_state"] += invite_v2(world.bob, ANNA, token(world))["invite_room_state"]
    refused(world, put_invite(world, body))


def test_the_sender_belongs_to_the_origin(world: World) -> None:
    body = invite_v2("@bob:gamma.test", ANNA, token(world, "@bob:gamma.test"))
    refused(world, put_invite(world, body))


def test_the_invited_user_belongs_to_us(world: World) -> None:
    dest = "@carl:gamma.test"
    refused(world, put_invite(world, invite_v2(world.bob, dest, token(world, dest=dest))))


@pytest.mark.parametrize("part", [{"type": "m.room.topic"}, {"content": {"membership": "join"}}])
def test_only_invites_go_through_the_invite_path(world: World, part) -> None:
    body = invite_v2(world.bob, ANNA, token(world))
    body["event"].update(part)
    a = put_invite(world, body)
    assert a.status in (400, 403)
    world.not_forwarded()


def test_duplicate_members_are_refused(world: World) -> None:
    """Two parsers could see two senders."""
    body = b64.sorted_json(invite_v2(world.bob, ANNA, token(world)))
    twice = body.replace(b'"sender":', b'"sender":"@eve:beta.test","sender":', 1)
    uri = "/_matrix/federation/v2/invite" + path(ROOM, "$e")
    peer = world.peer(world.beta)
    a = peer.send("PUT", uri, twice, peer.authorization("PUT", uri, {}))
    assert a.status == 400
    world.not_forwarded()


def test_members_of_our_room_state_are_no_invites(world: World) -> None:
    """Joins, leaves and invites of other servers' users pass inside transactions."""
    events = [
        member_event(world.bob, world.bob, ROOM, "join"),
        member_event(world.bob, ANNA, ROOM, "leave"),
        member_event(world.bob, "@carl:gamma.test", ROOM),
        {**member_event(world.bob, ANNA, ROOM), "type": "m.room.message"},
    ]
    a = send(world, *events)
    assert a.status == 200


def send(w: World, *pdus: dict):
    uri = "/_matrix/federation/v1/send" + path(f"t{time.monotonic_ns()}")
    return w.peer(w.beta).ask("PUT", uri, transaction(w.beta.name, *pdus))
