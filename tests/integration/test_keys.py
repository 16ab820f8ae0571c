# SPDX-License-Identifier: Apache-2.0
"""Signing keys of other servers: looked up, checked, kept, renewed (FD-5.2.1.2-10/-11, O-12)."""
import json
import threading
import time
from typing import Callable, Iterator

import pytest
from signedjson.sign import sign_json

from harness import World, open_world, until
from sim.keyserver import KeyServer, answer
from sim.rawserver import Close, Hang
from sim.xmatrix import SigningKey, header

URI = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"
REMOTES = 16


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.config["lookups"].update(negative_ttl="1s", negative_ttl_max="1s", timeout="2s")
        w.config["timeouts"]["fact"] = "10s"
        w.fresh = [w.remote("delta.test") for _ in range(REMOTES)]
        w.listed += [r.name for r in w.fresh]
        w.publish()
        w.start()

    with open_world(setup) as w:
        yield w


@pytest.fixture
def remote(world: World) -> KeyServer:
    """A listed server the proxy has never heard of."""
    return world.fresh.pop()


def refused(world: World, a, *statuses: int) -> None:
    assert a.status in (statuses or (401, 503))
    assert a.errcode in ("M_UNAUTHORIZED", "M_UNKNOWN")
    world.not_forwarded()


def test_unlisted_origins_cause_no_look_up(world: World) -> None:
    a = world.peer(world.gamma).ask("GET", URI)
    assert (a.status, a.errcode) == (403, "M_FORBIDDEN")
    assert world.gamma.server.connections == 0
    world.not_forwarded()


def test_keys_are_fetched_once(world: World, remote: KeyServer) -> None:
    """Single flight, then from memory, on whichever worker."""
    peer = world.peer(remote)
    got: list[int] = []
    asks = [threading.Thread(target=lambda: got.append(peer.ask("GET", URI).status)) for _ in range(8)]
    for t in asks:
        t.start()
    for t in asks:
        t.join()
    assert got == [200] * 8
    before = world.daemon.metric("schleuse_fact_lookups_total", fact="keys", outcome="hit")
    for _ in range(4):  # more than there are workers
        assert peer.ask("GET", URI).status == 200
    assert remote.fetches == 1
    hits = world.daemon.metric("schleuse_fact_lookups_total", fact="keys", outcome="hit")
    assert hits > before


def test_expired_keys_do_not_count(world: World, remote: KeyServer) -> None:
    remote.lifetime_ms = -1000
    refused(world, world.peer(remote).ask("GET", URI))


def test_old_keys_do_not_sign_requests(world: World, remote: KeyServer) -> None:
    old = SigningKey("old")
    remote.old_keys[old] = int(time.time() * 1000) + 86400_000
    refused(world, world.peer(remote, key=old).ask("GET", URI), 401)


def test_expiry_leads_to_a_new_look_up(world: World, remote: KeyServer) -> None:
    """Key rotation: the published answer runs out, the next one has another key."""
    remote.lifetime_ms = 1500
    first = remote.key
    assert world.peer(remote).ask("GET", URI).status == 200
    remote.keys = [SigningKey("b_new")]
    world.homeserver.trust(remote.name, *remote.keys)
    until("the new key", lambda: world.peer(remote).ask("GET", URI).status == 200)

    def old_is_gone() -> bool:
        world.homeserver.forget()
        refused_by_us = world.peer(remote, key=first).ask("GET", URI).status == 401
        return refused_by_us and not world.homeserver.requests("/_matrix")

    until("the end of the old key", old_is_gone)


FAULTS: dict[str, Callable] = {
    "not found": lambda r: answer("404 Not Found", b"{}"),
    "not JSON": lambda r: answer("200 OK", b"<html>"),
    "empty": lambda r: answer("200 OK", b"{}"),
    "huge": lambda r: answer("200 OK", b'{"x":"' + b"a" * 200_000 + b'"}'),
    "redirect": lambda r: answer("302 Found", b"", "Location: https://delta.test/"),
    "broken off": lambda r: Close(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "silent": lambda r: Hang(),
    "endless": lambda r: Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_faulty_key_server_refuses_its_own_requests_only(
    world: World, remote: KeyServer, fault: str
) -> None:
    remote.script = FAULTS[fault]
    refused(world, world.peer(remote).ask("GET", URI))
    assert world.peer(world.beta).ask("GET", URI).status == 200
    remote.script = None
    until("recovery", lambda: world.peer(remote).ask("GET", URI).status == 200)


def test_answers_for_another_name_do_not_count(world: World, remote: KeyServer) -> None:
    remote.published_name = world.beta.name
    refused(world, world.peer(remote).ask("GET", URI))


def test_answers_not_signed_by_their_own_keys_do_not_count(world: World, remote: KeyServer) -> None:
    good = remote.document

    def foreign_signature() -> dict:
        d = good()
        other = SigningKey("a_test")
        d["verify_keys"] = {other.id: {"key": other.public_base64}}
        return d

    remote.document = foreign_signature
    refused(world, world.peer(remote).ask("GET", URI))


def test_a_certificate_of_another_name_does_not_count(world: World) -> None:
    """The keys come over verified TLS only; epsilon presents delta's certificate."""
    files = (world.folder / "delta.test.pem", world.folder / "delta.test.key")
    liar = KeyServer("epsilon.test", files)
    world._closers.append(liar.close)
    world.listed.append(liar.name)
    world.publish()
    world.daemon.reload()
    until("the longer list", lambda: world.peer(liar).ask("GET", URI).status != 403)
    refused(world, world.peer(liar).ask("GET", URI))
    assert liar.fetches == 0


def test_private_addresses_are_not_reached(make_world) -> None:
    """No SSRF: unless configured, only public addresses."""
    w = make_world()
    w.config["lookups"]["private_addresses"] = False
    w.listed += [w.remote("127.0.0.1").name, "[::1]:8448", "10.0.0.1"]
    w.publish()
    w.start()
    for name in w.listed[1:]:
        a = w.peer(w.beta, name=name).ask("GET", URI)
        assert a.status in (401, 503)
    assert w.beta.server.connections == 0
    w.not_forwarded()


def test_keys_of_a_silent_server_do_not_block_others(world: World, remote: KeyServer) -> None:
    remote.script = lambda r: Hang()
    peer = world.peer(remote)
    with peer.connect() as c:
        authorization = peer.authorization("GET", URI)
        c.send(_get(peer, authorization))
        remote.server.wait(1)
        assert world.peer(world.beta).ask("GET", URI).status == 200
        assert c.read().status in (401, 503)


def _get(peer, authorization: str) -> bytes:
    lines = "".join(f"{n}: {v}\r\n" for n, v in peer.fields(authorization))
    return f"GET {URI} HTTP/1.1\r\n{lines}\r\n".encode()


def test_a_key_id_nobody_published_is_401(world: World) -> None:
    other = SigningKey("never")
    refused(world, world.peer(world.beta, key=other).ask("GET", URI), 401)
    value = header(world.beta.name, "ed25519:", "A" * 86, world.NAME)
    assert world.peer(world.beta).send("GET", URI, None, value).status in (400, 401)


def notary_of(w: World, *about: KeyServer) -> KeyServer:
    """A server that hands out the keys of others, countersigned as the specification wants."""
    notary = w.remote("gamma.test")

    def script(r):
        if not r.target.startswith("/_matrix/key/v2/query"):
            return None
        found = [
            sign_json(s.document(), notary.name, notary.key.key) for s in about if s.name in r.target
        ]
        return answer("200 OK", json.dumps({"server_keys": found}).encode())

    notary.script = script
    return notary


@pytest.mark.parametrize("honest", [True, False])
def test_a_notary_helps_when_the_origin_is_down(make_world, honest: bool) -> None:
    """Only with keys the origin itself has signed."""
    w = make_world()
    notary = notary_of(w, w.beta)
    w.config["lookups"]["notaries"] = [notary.name]
    w.beta.close()
    if not honest:
        w.beta.published_name = w.gamma.name
    w.start()
    a = w.peer(w.beta).ask("GET", URI)
    assert a.status == (200 if honest else 401)
    assert any("/query/" in r.target for r in notary.server.requests)
