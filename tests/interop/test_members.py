# SPDX-License-Identifier: Apache-2.0
"""Only servers on the federation list take part (FD-5.2.1.2-11, -12)."""
import pytest
from nio import RoomPreset

from harness import until
from person import Refused

OUTSIDER = "not part of the federation"


def test_unlisted_server_cannot_invite(federation, alice, carol):
    """Its own proxy believes it belongs, its PASSporT is good: the list alone decides."""
    alpha = federation["alpha.test"]
    before = alpha.refusals("origin_unlisted")
    room = carol.create_room()
    carol.send_passport(room, alice.mxid, federation.passport(carol.mxid, alice.mxid))
    with pytest.raises(Refused) as caught:
        carol.invite(room, alice.mxid)
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")
    assert OUTSIDER in caught.value.error
    assert alpha.refusals("origin_unlisted") > before
    assert "origin_unlisted" in alpha.proxy.log_text()
    alice.sync()
    assert not alice.is_invited(room)


def test_unlisted_server_cannot_join(federation, alice, carol):
    alpha = federation["alpha.test"]
    before = alpha.refusals("origin_unlisted")
    alice.create_room(alias="closed", preset=RoomPreset.public_chat)
    with pytest.raises(Refused):
        carol.join("#closed:alpha.test")
    assert alpha.refusals("origin_unlisted") > before


def test_member_struck_off_the_list_is_refused_at_once(federation, alice, bob, meet):
    alpha = federation["alpha.test"]
    shared, fresh = meet(bob, alice), bob.create_room()
    bob.send_passport(fresh, alice.mxid, federation.passport(bob.mxid, alice.mxid))
    with federation.without("beta.test"):
        before = alpha.refusals("origin_unlisted")
        with pytest.raises(Refused) as caught:
            bob.invite(fresh, alice.mxid)
        assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")
        assert OUTSIDER in caught.value.error
        assert alpha.refusals("origin_unlisted") > before

        before = alpha.refusals("origin_unlisted")
        bob.say(shared, "can you hear me?")
        until("the refused transaction", lambda: alpha.refusals("origin_unlisted") > before)
        alice.sync()
        assert not [t for t in alice.texts if t.body == "can you hear me?"]

    # back on the list: new requests pass, and what waited arrives
    bob.invite(fresh, alice.mxid)
    alice.until("the invite", lambda: alice.is_invited(fresh))
    bob.say(shared, "and now?")
    alice.reads(shared, bob, "and now?")
    alice.say(shared, "yes")
    bob.reads(shared, alice, "yes")
