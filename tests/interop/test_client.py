# SPDX-License-Identifier: Apache-2.0
"""A real client (matrix-nio) works through the proxy as it does without it."""
import asyncio

import pytest

from person import Refused, Text, run


def test_wrong_password_is_the_homeservers_answer(login, alice):
    client = type(alice.client)(alice.client.homeserver, alice.mxid, ssl=alice.client.ssl)
    try:
        answer = run(client.login("wrong"))
        assert (answer.transport_response.status, answer.status_code) == (403, "M_FORBIDDEN")
    finally:
        run(client.close())


def test_long_poll_ends_with_the_message(alice, bob, meet):
    room = meet(bob, alice)
    alice.sync()
    bob.sync()

    async def converse() -> None:
        poll = asyncio.ensure_future(alice.client.sync(timeout=60_000))
        while not any(Text(room, bob.mxid, "wake up") in p.texts for p in (alice,)):
            if poll.done():
                poll = asyncio.ensure_future(alice.client.sync(timeout=60_000))
            await asyncio.sleep(0.1)
            if not sent:
                sent.append(await bob.client.room_send(
                    room, "m.room.message", {"msgtype": "m.text", "body": "wake up"}
                ))
        await poll

    sent: list = []
    run(asyncio.wait_for(converse(), 50))


def test_own_message_comes_back_by_sync(alice):
    room = alice.create_room()
    alice.say(room, "note to myself")
    alice.reads(room, alice, "note to myself")


def test_user_cannot_change_the_own_display_name(federation, alice):
    """FD-5.2.1.2-19, -20: neither in the profile nor in a room."""
    room = alice.create_room()
    before = alice.got(alice.client.get_displayname()).displayname
    with pytest.raises(Refused) as caught:
        alice.got(alice.client.set_displayname("Dr. Evil"))
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")
    with pytest.raises(Refused) as caught:
        content = {"membership": "join", "displayname": "Dr. Evil"}
        alice.got(alice.client.room_put_state(room, "m.room.member", content, alice.mxid))
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")
    alice.sync()
    assert alice.got(alice.client.get_displayname()).displayname == before
    assert alice.room_name_of(room, alice.mxid) == before


def test_administrator_of_the_homeserver_can(admin):
    room = admin.create_room()
    admin.got(admin.client.set_displayname("Frau Verwaltung"))
    assert admin.got(admin.client.get_displayname()).displayname == "Frau Verwaltung"
    admin.until("the new name", lambda: admin.room_name_of(room, admin.mxid) == "Frau Verwaltung")


def test_logged_out_token_is_worth_nothing(login):
    dave = login("dave", "alpha.test")
    token = dave.client.access_token
    dave.got(dave.client.logout())
    dave.client.access_token = token
    status, _ = dave.ask("GET", "/_matrix/client/v3/account/whoami")
    assert status == 401
