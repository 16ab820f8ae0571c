# SPDX-License-Identifier: Apache-2.0
"""Discovery with a name server that fails, lies or is not alone (O-13)."""
import socket
import struct
from typing import Iterator

import pytest

from harness import World, open_world, until
from sim.dns import A, SRV, DnsServer
from sim.keyserver import KeyServer
from test_discovery import URI, stand_up

NAMES = ("servfail", "cut", "slow", "spoofed")
SERVFAIL, TRUNCATED = 0x8582, 0x8780


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.dns = DnsServer()
        w._closers.append(w.dns.close)
        w.config["lookups"]["nameservers"] = [w.dns.where]
        w.config["lookups"].update(negative_ttl="1s", negative_ttl_max="1s")
        w.listed += [f"{n}.zeta.test" for n in NAMES]
        w.publish()
        w.start()

    with open_world(setup) as w:
        yield w


@pytest.fixture
def service(world: World, request: pytest.FixtureRequest) -> Iterator[KeyServer]:
    """A server that an SRV record points to, and the name server without faults afterwards."""
    name = f"{request.param}.zeta.test"
    server = stand_up(world, name, port=0, a=f"target.{name}")
    world.dns.records[(f"_matrix-fed._tcp.{name}", SRV)] = [(1, 1, server.server.port, f"target.{name}")]
    yield server
    world.dns.fault = lambda query, answer: [answer]


def empty(query: bytes, flags: int) -> bytes:
    """An answer without records."""
    return query[:2] + struct.pack(">HHHHH", flags, 1, 0, 0, 0) + query[12:]


def asks(query: bytes, kind: int) -> bool:
    return struct.unpack(">H", query[-4:-2])[0] == kind


def is_reached(w: World, server: KeyServer) -> None:
    until("the keys", lambda: w.peer(server).ask("GET", URI).status == 200)


def service_of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("service", [name], indirect=True)


@service_of("servfail")
def test_a_failure_is_not_taken_for_no_service(world: World, service: KeyServer) -> None:
    """The server at port 8448 is not meant, and not asked."""
    wrong = stand_up(world, service.name)
    world.homeserver.trust(service.name, service.key)
    world.dns.fault = lambda query, answer: [empty(query, SERVFAIL) if asks(query, SRV) else answer]
    until("an answer about keys", lambda: world.peer(service).ask("GET", URI).status in (401, 503))
    assert service.fetches == 0
    world.dns.fault = lambda query, answer: [answer]
    is_reached(world, service)
    assert wrong.fetches == 0


@service_of("cut")
def test_a_truncated_answer_is_asked_for_again_by_tcp(world: World, service: KeyServer) -> None:
    world.dns.serve_tcp()
    world.dns.fault = lambda query, answer: [empty(query, TRUNCATED)]
    is_reached(world, service)
    assert world.dns.streams > 0


@service_of("slow")
def test_a_lost_question_is_asked_again(world: World, service: KeyServer) -> None:
    seen: set[bytes] = set()

    def lose_first(query: bytes, answer: bytes) -> list[bytes]:
        first = query[12:] not in seen
        seen.add(query[12:])
        return [] if first else [answer]

    world.dns.fault = lose_first
    is_reached(world, service)
    assert seen


@service_of("spoofed")
def test_an_answer_to_another_question_is_none(world: World, service: KeyServer) -> None:
    """With a wrong ID, or about another name, though it comes first: it leads to another server."""
    evil = stand_up(world, service.name, port=0, a="evil.zeta.test")
    world.homeserver.trust(service.name, service.key)
    address = world.dns.records[("evil.zeta.test", A)][0]
    right = socket.inet_aton(world.dns.records[(f"target.{service.name}", A)][0])

    def spoof(query: bytes, answer: bytes) -> list[bytes]:
        lie = answer.replace(right, socket.inet_aton(address))
        lie = lie.replace(struct.pack(">H", service.server.port), struct.pack(">H", evil.server.port))
        number = struct.pack(">H", struct.unpack(">H", query[:2])[0] ^ 1)
        return [number + lie[2:], lie[:13] + b"x" + lie[14:], answer]

    world.dns.fault = spoof
    is_reached(world, service)
    assert evil.server.connections == 0
