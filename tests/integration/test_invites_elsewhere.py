# SPDX-License-Identifier: Apache-2.0
"""Invites by other ways than the invite path, rule modes, restarts (FD-5.2.1.2-15, O-9)."""
import time
from typing import Any

import pytest
from aiohttp import web

from harness import PKI, World, invite_v1, invite_v2, member_event, transaction, until
from sim import passport
from sim.passport import OMIT
from sim.xmatrix import path

ANNA = "@anna:alpha.test"


def bob(w: World) -> str:
    return f"@bob:{w.beta.name}"


def invite(w: World, room: str, token: Any = None, **how: Any):
    token = passport.issue(PKI.passport_signer, bob(w), ANNA, **how) if token is None else token
    uri = "/_matrix/federation/v2/invite" + path(room, "$e")
    return w.peer(w.beta).ask("PUT", uri, invite_v2(bob(w), ANNA, token or None, room=room))


def send(w: World, txn: str, *pdus: dict[str, Any]):
    uri = "/_matrix/federation/v1/send" + path(txn)
    return w.peer(w.beta).ask("PUT", uri, transaction(w.beta.name, *pdus))


def test_a_known_invite_passes_inside_a_transaction(world: World) -> None:
    event = member_event(bob(world), ANNA, "!known:beta.test")
    assert invite(world, "!known:beta.test").status == 200
    assert send(world, "t1", event).status == 200
    assert world.homeserver.wait("/send/")[0].verified == world.beta.name


@pytest.mark.parametrize(
    "room, sender, invited",
    [
        ("!other:beta.test", "@bob", ANNA),
        ("!mine:beta.test", "@eve", ANNA),
        ("!mine:beta.test", "@bob", "@carl:alpha.test"),
    ],
)
def test_an_unknown_invite_makes_the_transaction_be_refused(
    world: World, room: str, sender: str, invited: str
) -> None:
    assert invite(world, "!mine:beta.test").status == 200
    world.homeserver.forget()
    event = member_event(f"{sender}:{world.beta.name}", invited, room)
    a = send(world, "t2", {"type": "m.room.message", "sender": bob(world)}, event)
    assert (a.status, a.errcode) == (403, "M_FORBIDDEN")
    world.not_forwarded("/send/")


def test_a_refused_invite_is_not_remembered(world: World) -> None:
    room = "!refused:beta.test"
    assert invite(world, room, token="").status == 403
    assert send(world, "t3", member_event(bob(world), ANNA, room)).status == 403


def test_an_invite_the_homeserver_refuses_is_not_remembered(world: World) -> None:
    """Only what was accepted through the invite path counts."""
    room = "!blocked:beta.test"

    async def block(seen, _):
        if "/invite/" in seen.target:
            return web.json_response({"errcode": "M_INVITE_BLOCKED", "error": "no"}, status=403)
        return None

    world.homeserver.script = block
    try:
        assert invite(world, room).errcode == "M_INVITE_BLOCKED"
    finally:
        world.homeserver.script = None
    assert send(world, "t4", member_event(bob(world), ANNA, room)).status == 403


@pytest.mark.parametrize("form", ["v2/invite/{}/", "v3/invite/{}", "v2/Invite/{}", "v2/invite;x/{}"])
def test_paths_like_the_invite_path_are_none(world: World, form: str) -> None:
    uri = "/_matrix/federation/" + form.format(path("!r:beta.test", "$e")[1:])
    a = world.peer(world.beta).ask("PUT", uri, invite_v2(bob(world), ANNA, None, room="!r:beta.test"))
    assert (a.status, a.errcode) == (404, "M_UNRECOGNIZED")
    world.not_forwarded()


def test_exchange_third_party_invite(world: World) -> None:
    """Here our user invites one of the origin's: PASSporT or no entry, as for any other invite."""
    uri = "/_matrix/federation/v1/exchange_third_party_invite" + path("!x:alpha.test")
    peer = world.peer(world.beta)
    event = member_event(ANNA, bob(world), "!x:alpha.test")
    event["content"]["third_party_invite"] = {"signed": {"mxid": bob(world), "token": "t"}}
    a = peer.ask("PUT", uri, event)
    assert (a.status, a.errcode) == (403, "M_FORBIDDEN")
    world.not_forwarded()
    token = passport.issue(PKI.passport_signer, ANNA, bob(world))
    state = [passport.state_event(bob(world), token, ANNA)]
    good = {**event, "unsigned": {"invite_room_state": state}}
    assert peer.ask("PUT", uri, good).status == 200


def test_accepted_invites_survive_a_restart(make_world) -> None:
    w = make_world()
    w.start()
    assert invite(w, "!kept:beta.test").status == 200
    w.daemon.stop()
    for file in (w.folder / "state").rglob("*"):
        text = file.read_bytes() if file.is_file() else b""
        assert b"@bob" not in text and b"!kept" not in text, f"{file} names users or rooms"
    w.start()
    assert send(w, "t5", member_event(bob(w), ANNA, "!kept:beta.test")).status == 200
    assert send(w, "t6", member_event(bob(w), ANNA, "!other:beta.test")).status == 403


@pytest.mark.parametrize("mode", ["off", "log"])
def test_rule_modes(make_world, mode: str) -> None:
    w = make_world()
    w.main_service["invites"] = {"passport": mode}
    w.start()
    assert invite(w, "!r:beta.test", token="").status == 200
    uri = "/_matrix/federation/v1/invite" + path("!r:beta.test", "$e")
    assert w.peer(w.beta).ask("PUT", uri, invite_v1(bob(w), ANNA, None)).status == 200
    assert send(w, "t7", member_event(bob(w), ANNA, "!s:beta.test")).status == 200
    noted = "passport_missing" in w.daemon.log_text()
    assert noted is (mode == "log")


def test_iat_can_be_optional_and_the_age_is_configurable(make_world) -> None:
    """gematik's own example token has no iat."""
    w = make_world()
    w.main_service["invites"] = {"iat": "optional", "max_age": "30m"}
    w.start()
    assert invite(w, "!a:beta.test", claims={"iat": OMIT}).status == 200
    assert invite(w, "!b:beta.test", iat=int(time.time()) - 29 * 60).status == 200
    a = invite(w, "!c:beta.test", iat=int(time.time()) - 31 * 60)
    assert a.status == 403 and "old" in a.error


def test_a_new_passport_certificate_counts_after_reload(make_world) -> None:
    """FD-5.2.1.2-16: unknown certificate refused; once configured, accepted."""
    w = make_world()
    w.start()
    signer = PKI.passport_root.issue("Second service")
    x5u = "https://reg.example.org/second.pem"
    token = passport.issue(signer, bob(w), ANNA, header={"x5u": x5u})
    assert invite(w, "!n:beta.test", token).status == 403
    file, _ = signer.write(w.folder / "second")
    w.federation["passport"]["certificates"].append({"file": str(file), "x5u": x5u})
    w.daemon.reload()
    until("the new certificate", lambda: invite(w, "!n:beta.test", token).status == 200)
