# SPDX-License-Identifier: Apache-2.0
"""Homeservers without a way of their own talk through their proxies, and only with members.

delta's Synapse speaks form A (matrix-federation:// to a unix socket), epsilon's form B (CONNECT): each
test runs once for either, seen from the people of that homeserver.
"""
from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator
from urllib.parse import quote

import pytest
from nio import RoomPreset

from conftest import kept
from federation import Federation, Site, resolve_here
from harness import until
from netns import NoNamespace, waiting
from outlet import TUNNELS, FormA, FormB
from peers import Directory, Witness
from person import Person, Refused
from sim import wire
from sim.pki import self_signed
from sim.xmatrix import FederationClient, SigningKey, path

FORMS = {"A": ("delta.test", "epsilon.test"), "B": ("epsilon.test", "delta.test")}
GUESTS = {
    "wrongname.test": "127.1.0.11",
    "expired.test": "127.1.0.12",
    "selfsigned.test": "127.1.0.13",
    "moved.test": "127.1.0.14",
    "elsewhere.test": "127.1.0.15",
}
STRANGER, STRANGERS_ADDRESS = "stranger.test", "127.1.0.16"
NOT_FOUND = f"{STRANGER} kann nicht in der Föderation gefunden werden"
ENCRYPTION = {
    "type": "m.room.encryption",
    "state_key": "",
    "content": {"algorithm": "m.megolm.v1.aes-sha2"},
}


@pytest.fixture(scope="module")
def federation() -> Iterator[Federation]:
    """Two members, confined; names of others, which tests play; a name that is on no list."""
    resolve_here()
    folder = Path(tempfile.mkdtemp(prefix="outbound-"))
    try:
        f = Federation(
            folder,
            ["delta.test", "epsilon.test"],
            outlets={"delta.test": FormA, "epsilon.test": FormB},
            guests=GUESTS,
            strangers={STRANGER: STRANGERS_ADDRESS},
        )
    except NoNamespace as e:
        pytest.skip(str(e))
    yield from kept(f)


@dataclass
class Pair:
    """What a test is about: a homeserver that goes out, a user there, and one elsewhere."""

    federation: Federation
    site: Site
    peer: Site
    alice: Person
    bob: Person
    operator: Person

    def meet(self, **how: Any) -> str:
        return self.federation.meet(self.alice, self.bob, **how)

    def invite(self, guest: str, *, passport: bool = True, room: str = "") -> None:
        """Alice invites somebody, into a new room unless told otherwise."""
        room = room or self.alice.create_room()
        if passport:
            token = self.federation.passport(self.alice.mxid, guest)
            self.alice.send_passport(room, guest, token)
        self.alice.invite(room, guest)

    def look_up(self, alias: str) -> tuple[int, bytes]:
        return self.alice.ask("GET", f"/_matrix/client/v3/directory/room/{quote(alias, safe='')}")

    def keys_of(self, user: str) -> Any:
        """Asks for a user's devices; what is said of the servers that failed."""
        wanted = {"device_keys": {user: []}}
        status, said = self.alice.ask("POST", "/_matrix/client/v3/keys/query", wanted)
        assert status == 200, said
        return json.loads(said)["failures"]

    def backoff(self, server: str) -> int:
        """How long the homeserver would leave the other one alone, in ms; 0: not at all."""
        where = f"/_synapse/admin/v1/federation/destinations/{server}"
        status, about = self.site.synapse.ask("GET", where, token=self.operator.client.access_token)
        assert status in (200, 404), about
        return int(about["retry_interval"]) if status == 200 else 0


@pytest.fixture(scope="module")
def people(federation: Federation) -> Iterator[dict[str, dict[str, Person]]]:
    with federation.logins() as make:
        yield {
            name: {"user": make("anna", name), "operator": make("operator", name, admin=True)}
            for name in federation.members
        }


@pytest.fixture(params=FORMS)
def pair(request: pytest.FixtureRequest, federation: Federation, people: Any) -> Pair:
    here, there = FORMS[request.param]
    return Pair(
        federation,
        federation[here],
        federation[there],
        people[here]["user"],
        people[there]["user"],
        people[here]["operator"],
    )


# The way out is there, and there is no other


def test_homeserver_has_no_other_way_out(pair: Pair) -> None:
    """FD-5.1-3, FD-5.2.1.2-6: not even to the address of its own proxy, which serves there."""
    namespace = pair.site.outlet.namespace
    assert namespace.interfaces() == ["lo"]
    for site in (pair.site, pair.peer):
        host, port = site.proxy.address(0)
        with wire.Connection((host, port)):
            pass
        assert namespace.try_to_reach(f"{host}:{port}") == "Connection refused"
    assert namespace.try_to_reach("192.0.2.1:443") == "Network is unreachable"


def test_messages_go_both_ways(pair: Pair) -> None:
    room = pair.meet()
    pair.alice.say(room, "on my way out")
    pair.bob.reads(room, pair.alice, "on my way out")
    pair.bob.say(room, "well arrived")
    pair.alice.reads(room, pair.bob, "well arrived")


def test_media_go_both_ways(pair: Pair) -> None:
    data = os.urandom(3_000_000)
    assert pair.alice.download(pair.bob.upload(data)) == (200, data)
    assert pair.bob.download(pair.alice.upload(data[:1000])) == (200, data[:1000])


def test_encrypted_message_is_read_on_the_other_side(pair: Pair) -> None:
    """Device lists, one-time keys and to-device messages go through both proxies."""
    alice, bob = pair.alice, pair.bob
    room = pair.meet(initial_state=[ENCRYPTION])
    alice.until("bob's devices", lambda: list(alice.client.device_store.active_user_devices(bob.mxid)))
    alice.say(room, "only for you")
    bob.reads(room, alice, "only for you")


def test_room_is_joined_by_its_alias(pair: Pair) -> None:
    alias = f"#open-{pair.site.outlet.form.lower()}:{pair.peer.name}"
    room = pair.bob.create_room(alias=alias[1:].partition(":")[0], preset=RoomPreset.public_chat)
    assert pair.alice.join(alias) == room
    pair.alice.say(room, "anybody here?")
    pair.bob.reads(room, pair.alice, "anybody here?")


def test_delegation_to_another_host_and_port(pair: Pair, tmp_path: Path) -> None:
    """The request is for moved.test and goes to elsewhere.test:9443."""
    pki = pair.federation.pki
    moved = pki.web.server("moved.test")
    elsewhere = pki.web.server("elsewhere.test")
    origin = Directory("moved.test", moved, tmp_path, (GUESTS["moved.test"], 443))
    target = Directory("elsewhere.test", elsewhere, tmp_path, (GUESTS["elsewhere.test"], 9443))
    origin.well_known = "elsewhere.test:9443"
    try:
        status, said = pair.look_up("#room:moved.test")
        assert (status, b"!room:elsewhere.test" in said) == (200, True), said
        request = target.server.last
        assert request.get("Host") == "elsewhere.test:9443"
        assert 'destination="moved.test"' in str(request.get("Authorization"))
    finally:
        origin.close()
        target.close()


def test_nothing_goes_out_while_the_proxy_is_stopped(pair: Pair) -> None:
    """FD-5.1-3, FD-5.2.1.2-6; what the homeserver wanted to send is delivered afterwards."""
    room = pair.meet()
    token = pair.alice.client.access_token
    send = f"/_matrix/client/v3/rooms{path(room)}/send/m.room.message/while-stopped"
    before = pair.peer.proxy.metric("schleuse_requests_total", api="federation")
    pair.site.proxy.stop()
    try:
        logged = pair.site.synapse.log.stat().st_size
        text = {"msgtype": "m.text", "body": "is anybody there?"}
        assert pair.site.synapse.ask("PUT", send, text, token)[0] == 200
        wait_for_an_attempt(pair, logged)
        assert pair.peer.proxy.metric("schleuse_requests_total", api="federation") == before
    finally:
        pair.site.proxy.start()
    pair.bob.reads(room, pair.alice, "is anybody there?")


def wait_for_an_attempt(pair: Pair, logged: int) -> None:
    """Returns when the homeserver has knocked at the door of its stopped proxy."""
    if pair.site.outlet.launcher:  # the door is there: who knocks waits
        with pair.site.outlet.namespace.listener(TUNNELS) as s:
            until("a connection that waits", lambda: waiting(s) > 0)
    else:
        log = pair.site.synapse.log
        failed = f"[{pair.peer.name}] Request failed: PUT matrix-federation://".encode()
        until("a failed attempt", lambda: failed in log.read_bytes()[logged:])


# Who is not reached


def test_invite_without_passport_is_refused_on_the_way_out(pair: Pair) -> None:
    """FD-5.2.1.2-14 ff. at the own proxy already: the other one hears nothing of it."""
    before = pair.site.refusals("passport_missing"), pair.peer.refusals("passport_missing")
    with pytest.raises(Refused) as caught:
        pair.invite(pair.bob.mxid, passport=False)
    assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN"), caught.value
    assert "PASSporT" in caught.value.error
    assert pair.site.refusals("passport_missing") > before[0]
    assert pair.peer.refusals("passport_missing") == before[1]
    assert pair.backoff(pair.peer.name) == 0


def test_unlisted_server_is_unreachable_in_both_directions(pair: Pair, tmp_path: Path) -> None:
    """FD-5.2.1.2-7, -11, -12: the inviting user is told why; no connection is ever opened."""
    with Witness(STRANGERS_ADDRESS, tmp_path) as stranger:
        before = pair.site.refusals("destination_unlisted")
        with pytest.raises(Refused) as caught:
            pair.invite(f"@eve:{STRANGER}")
        assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN"), caught.value
        assert caught.value.error == NOT_FOUND
        assert pair.site.refusals("destination_unlisted") > before
        assert pair.look_up(f"#room:{STRANGER}")[0] != 200
        assert pair.keys_of(f"@eve:{STRANGER}")[STRANGER]["status"] == 403
        assert pair.backoff(STRANGER) == 0
        answer = client_of(STRANGER, SigningKey(), pair).ask("GET", profile_of(pair.alice))
        assert (answer.status, answer.errcode) == (403, "M_FORBIDDEN")
        assert stranger.connections == 0
        # it would have been seen
        with wire.Connection((STRANGERS_ADDRESS, 8448)):
            until("the witness", lambda: stranger.connections == 1)


def test_member_struck_off_the_list_is_unreachable_from_the_next_request_on(pair: Pair) -> None:
    room, gone = pair.meet(), pair.peer.name
    _, version, seed = (pair.peer.synapse.data / "signing.key").read_text().split()
    member = client_of(gone, SigningKey(version, seed), pair)
    assert member.ask("GET", profile_of(pair.alice)).status == 200
    with pair.federation.without(gone):
        with pytest.raises(Refused) as caught:
            pair.invite(pair.bob.mxid)
        assert (caught.value.status, caught.value.errcode) == (403, "M_FORBIDDEN")
        assert caught.value.error == f"{gone} kann nicht in der Föderation gefunden werden"
        assert member.ask("GET", profile_of(pair.alice)).status == 403
        before = pair.site.refusals("destination_unlisted")
        pair.alice.say(room, "can you hear me?")
        until("the refusal", lambda: pair.site.refusals("destination_unlisted") > before)
        pair.bob.sync()
        assert not [t for t in pair.bob.texts if (t.room, t.body) == (room, "can you hear me?")]
    # Invites go out at once; what else waits does so until the other side has been heard.
    pair.invite(pair.bob.mxid)
    pair.bob.say(room, "here again")
    pair.alice.reads(room, pair.bob, "here again")
    pair.alice.say(room, "and now?")
    pair.bob.reads(room, pair.alice, "and now?")


def client_of(name: str, key: SigningKey, pair: Pair) -> FederationClient:
    """Somebody with another server's key, at the proxy of the pair."""
    tls = wire.tls_context(pair.federation.pki.web_root.pem)
    return FederationClient(name, key, pair.site.name, pair.site.proxy.address(0), tls)


def profile_of(person: Person) -> str:
    return f"/_matrix/federation/v1/query/profile?user_id={quote(person.mxid, safe='')}"


@pytest.mark.parametrize("fault", ["wrongname", "expired", "selfsigned"])
def test_target_with_a_bad_certificate_hears_nothing(pair: Pair, fault: str, tmp_path: Path) -> None:
    """FD-5.2.1.2-9, ML-123615: 502 for the user; not one byte of the request leaves."""
    name, pki = f"{fault}.test", pair.federation.pki
    certificate, reason = {
        "wrongname": lambda: (pki.web.server("another.test"), "remote_tls_name"),
        "expired": lambda: (pki.web.server(name, days=1, starts=-30), "remote_tls_expired"),
        "selfsigned": lambda: (self_signed(name), "remote_tls_chain"),
    }[fault]()
    before = pair.site.refusals(reason)
    with Witness(GUESTS[name], tmp_path, certificate) as target:
        with pytest.raises(Refused) as caught:
            pair.invite(f"@eve:{name}")
        assert caught.value.status == 502, caught.value
        target.wait_for_refusals()
        assert pair.keys_of(f"@eve:{name}")[name]["status"] == 503
        assert target.arrived == b""
        assert pair.backoff(name) > 0  # as after every fault of a network
    assert pair.site.refusals(reason) > before
