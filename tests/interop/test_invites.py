# SPDX-License-Identifier: Apache-2.0
"""Invites between two real homeservers need a PASSporT (FD-5.2.1.2-14, -15, -16)."""
import pytest

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
