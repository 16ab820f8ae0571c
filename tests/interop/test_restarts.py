# SPDX-License-Identifier: Apache-2.0
"""What is stopped for a while is found again: nothing is lost, nobody is logged out."""
import pytest

from person import Refused


def test_homeserver_away_for_a_while(federation, alice, bob, meet):
    room = meet(bob, alice)
    alpha = federation["alpha.test"]
    alpha.synapse.end()
    try:
        with pytest.raises(Refused) as caught:
            alice.say(room, "anybody there?")
        assert (caught.value.status, caught.value.errcode) == (502, "M_UNKNOWN")
        bob.say(room, "while you were away")
    finally:
        alpha.synapse.launch().wait()
    alice.reads(room, bob, "while you were away")
    alice.say(room, "back again")
    bob.reads(room, alice, "back again")


def test_proxy_away_for_a_while(federation, alice, bob, meet):
    """It forgets nothing either: the invite it let through passes once more inside a transaction."""
    room = meet(bob, alice)
    alpha = federation["alpha.test"]
    alpha.proxy.stop()
    try:
        bob.say(room, "while it was down")
    finally:
        alpha.proxy.start()
    alice.reads(room, bob, "while it was down")
    alice.say(room, "through again")
    bob.reads(room, alice, "through again")
    assert alpha.refusals("invite_unknown") == 0
