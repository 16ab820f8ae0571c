# SPDX-License-Identifier: Apache-2.0
"""Invites between two real homeservers need a PASSporT (FD-5.2.1.2-14, -15, -16)."""
import pytest
from nio import RoomPreset

from person import Refused


def refused(host, room, guest) -> Refused:
    with pytest.raises(Refused) as caught:
        host.invite(room, guest.mxid)
    guest.sync()
    assert not guest.is_invited(room)
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN"), caught.value
    return caught.value


def test_without_passport_the_inviting_client_sees_403(federation, alice, bob):
    before = federation["alpha.test"].refusals("passport_missing")
    why = refused(bob, bob.create_room(), alice)
    assert "PASSporT" in why.error
    assert federation["alpha.test"].refusals("passport_missing") > before


def test_with_passport_the_invite_arrives(federation, alice, bob):
    room = bob.create_room()
    refused(bob, room, alice)
    bob.send_passport(room, alice.mxid, federation.passport(bob.mxid, alice.mxid))
    bob.invite(room, alice.mxid)
    alice.until("the invite", lambda: alice.is_invited(room))


def test_passport_of_another_user_does_not_help(federation, alice, bob):
    room = bob.create_room()
    bob.send_passport(room, alice.mxid, federation.passport(bob.mxid, "@admin:alpha.test"))
    assert "PASSporT" in refused(bob, room, alice).error


def test_passport_given_to_another_inviter_does_not_help(federation, alice, bob):
    room = bob.create_room()
    bob.send_passport(room, alice.mxid, federation.passport("@eve:beta.test", alice.mxid))
    assert "PASSporT" in refused(bob, room, alice).error


def test_each_invited_user_needs_an_own_passport(federation, alice, bob, admin):
    room = bob.create_room()
    bob.send_passport(room, alice.mxid, federation.passport(bob.mxid, alice.mxid))
    refused(bob, room, admin)
    bob.invite(room, alice.mxid)
    alice.until("the invite", lambda: alice.is_invited(room))


def test_invites_inside_one_server_need_none(alice, admin):
    room = alice.create_room()
    alice.invite(room, admin.mxid)
    admin.until("the invite", lambda: admin.is_invited(room))


def test_ordinary_room_versions_need_another_state_key(federation, alice, bob):
    """Only @alice may set state under @alice there, so the PASSporT lies under an underscore and her ID."""
    room = bob.create_room(room_version="11")
    token = federation.passport(bob.mxid, alice.mxid)
    with pytest.raises(Refused):
        bob.send_passport(room, alice.mxid, token)
    bob.send_passport(room, alice.mxid, token, state_key=f"_{alice.mxid}")
    bob.invite(room, alice.mxid)
    alice.until("the invite", lambda: alice.is_invited(room))


def test_invite_into_a_room_the_server_knows_already(federation, alice, admin, bob, meet):
    """The accepted invite comes a second time, inside a transaction, and must pass there."""
    room = meet(bob, alice)
    bob.send_passport(room, admin.mxid, federation.passport(bob.mxid, admin.mxid))
    bob.invite(room, admin.mxid)
    admin.until("the invite", lambda: admin.is_invited(room))
    bob.say(room, "all here?")
    alice.reads(room, bob, "all here?")
    assert federation["alpha.test"].refusals("invite_unknown") == 0


def test_refused_invite_does_not_stop_the_conversation(alice, admin, bob, meet):
    room = meet(bob, alice)
    refused(bob, room, admin)
    bob.say(room, "never mind")
    alice.reads(room, bob, "never mind")


def test_invites_among_neighbours_in_a_shared_room_need_none(alice, admin, bob, meet):
    """They reach the other server inside a transaction, and are none of its business."""
    room = meet(bob, alice, preset=RoomPreset.trusted_private_chat)
    alice.invite(room, admin.mxid)
    admin.until("the invite", lambda: admin.is_invited(room))
    alice.say(room, "she is coming")
    bob.reads(room, alice, "she is coming")
