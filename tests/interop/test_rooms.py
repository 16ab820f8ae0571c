# SPDX-License-Identifier: Apache-2.0
"""Two real homeservers behind their proxies share rooms, messages, media and keys."""
import os

import nio


def test_messages_go_both_ways(alice, bob, meet):
    room = meet(bob, alice)
    bob.say(room, "from beta")
    alice.reads(room, bob, "from beta")
    alice.say(room, "from alpha")
    bob.reads(room, alice, "from alpha")


def test_the_other_direction_of_inviting(alice, bob, meet):
    room = meet(alice, bob)
    bob.say(room, "thank you")
    alice.reads(room, bob, "thank you")


def test_media_uploaded_at_one_is_downloaded_at_the_other(alice, bob):
    data = os.urandom(3_000_000)
    assert alice.download(bob.upload(data)) == (200, data)
    assert bob.download(alice.upload(data[:1000])) == (200, data[:1000])


def test_public_room_is_joined_by_its_alias(alice, bob):
    room = alice.create_room(
        alias="lobby", visibility=nio.RoomVisibility.public, preset=nio.RoomPreset.public_chat
    )
    assert bob.join("#lobby:alpha.test") == room
    bob.say(room, "anybody here?")
    alice.reads(room, bob, "anybody here?")


def test_leaving_is_seen_on_the_other_side(alice, bob, meet):
    room = meet(bob, alice)
    alice.got(alice.client.room_leave(room))
    bob.until("the departure", lambda: alice.mxid not in bob.client.rooms[room].users)


def test_encrypted_message_is_read_on_the_other_side(alice, bob, meet):
    """Device lists, one-time keys and to-device messages cross the federation."""
    encryption = {
        "type": "m.room.encryption",
        "state_key": "",
        "content": {"algorithm": "m.megolm.v1.aes-sha2"},
    }
    room = meet(bob, alice, initial_state=[encryption])
    assert bob.client.rooms[room].encrypted
    bob.until("alice's devices", lambda: list(bob.client.device_store.active_user_devices(alice.mxid)))
    bob.say(room, "only for you")
    alice.reads(room, bob, "only for you")
