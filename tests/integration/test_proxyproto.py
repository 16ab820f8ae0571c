# SPDX-License-Identifier: Apache-2.0
"""Behind a load balancer: PROXY headers name the client (FD-5.2.1.2-5: the homeserver sees who asks)."""
import socket
import struct
from typing import Iterator

import pytest

from harness import World, open_world, until
from sim import wire

HOST = {"Host": "matrix.alpha.test"}
PATH = "/_matrix/client/versions"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REFUSED = "schleuse_connections_refused_total"


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        balanced = {"address": "127.0.0.1:0", "proxy_protocol": "required"}
        w.config["listeners"] += [
            {**balanced, "proxy_protocol_from": ["127.0.0.1/32", "::1"]},
            {**balanced, "proxy_protocol_from": ["192.0.2.0/24"]},
        ]
        w.config["timeouts"]["head"] = "1s"
        w.config["limits"] = {"connections_per_address": 3}
        w.start()

    with open_world(setup) as w:
        yield w


def v2(command: int, family: int, body: bytes = b"") -> bytes:
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(body)) + body


def inet(source: str, *more: bytes) -> bytes:
    version = socket.AF_INET6 if ":" in source else socket.AF_INET
    target = "2001:db8::1" if ":" in source else "198.51.100.1"
    body = socket.inet_pton(version, source) + socket.inet_pton(version, target)
    body += struct.pack(">HH", 50000, 443) + b"".join(more)
    return v2(1, 0x21 if ":" in source else 0x11, body)


def connect(w: World, preface: bytes, listener: int = 1) -> wire.Connection:
    return wire.Connection(w.daemon.address(listener), w.tls, "matrix.alpha.test", preface=preface)


def seen_from(w: World, preface: bytes) -> str | None:
    """The client's address as the homeserver learns it."""
    w.homeserver.forget()
    with connect(w, preface) as c:
        assert c.ask("GET", PATH, {**HOST, "X-Forwarded-For": "203.0.113.99"}).status == 200
    return w.homeserver.wait(PATH)[0].get("X-Forwarded-For")


@pytest.mark.parametrize(
    "preface, client",
    [
        (b"PROXY TCP4 198.51.100.7 198.51.100.1 50000 443\r\n", "198.51.100.7"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 443\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (inet("198.51.100.8"), "198.51.100.8"),
        (inet("2001:db8::8"), "2001:db8::8"),
        (inet("::ffff:198.51.100.9"), "198.51.100.9"),
        (inet("198.51.100.8", b"\x01\0\2h2", b"\x04\x03\xe8" + bytes(1000)), "198.51.100.8"),
        (v2(0, 0), "127.0.0.1"),
    ],
)
def test_the_client_is_whom_the_header_names(world: World, preface: bytes, client: str) -> None:
    assert seen_from(world, preface) == client


def test_a_header_may_come_in_pieces(world: World) -> None:
    raw = socket.create_connection(world.daemon.address(1), 15)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in inet("198.51.100.10"):
        raw.sendall(bytes([byte]))
    with world.tls.wrap_socket(raw, server_hostname="matrix.alpha.test") as tls:
        tls.sendall(wire.request("GET", PATH, HOST))
        assert tls.recv(12) == b"HTTP/1.1 200"
    assert world.homeserver.wait(PATH)[-1].get("X-Forwarded-For") == "198.51.100.10"


def refused(w: World, reason: str) -> float:
    return w.daemon.metric(REFUSED, reason=reason)


@pytest.mark.parametrize(
    "preface", [b"", b"PROXY TCP4 1.2.3.4 host 1 2\r\n", b"GET / HTTP/1.1\r\n\r\n", v2(1, 0x12, bytes(12))]
)
def test_without_a_proper_header_the_connection_ends(world: World, preface: bytes) -> None:
    before = refused(world, "proxy_header")
    with pytest.raises(OSError):
        connect(world, preface)
    until("it is counted", lambda: refused(world, "proxy_header") == before + 1)


def test_a_header_that_does_not_come_in_time_ends_the_connection(world: World) -> None:
    before = refused(world, "proxy_slow")
    with wire.Connection(world.daemon.address(1)) as c:
        c.send(b"PROXY TCP4 198.51.")
        assert c.ended()
    assert refused(world, "proxy_slow") == before + 1


def test_a_check_that_only_connects_is_no_fault(world: World) -> None:
    faults = [refused(world, r) for r in ("proxy_header", "proxy_slow", "proxy_source")]
    wire.Connection(world.daemon.address(1)).close()
    assert seen_from(world, inet("198.51.100.7"))
    assert faults == [refused(world, r) for r in ("proxy_header", "proxy_slow", "proxy_source")]


def test_headers_from_elsewhere_are_not_believed(world: World) -> None:
    before = refused(world, "proxy_source")
    with pytest.raises(OSError):
        connect(world, inet("198.51.100.7"), listener=2)
    until("it is counted", lambda: refused(world, "proxy_source") == before + 1)


def test_another_listener_takes_no_header(world: World) -> None:
    with pytest.raises(OSError):
        connect(world, inet("198.51.100.7"), listener=0)


@pytest.mark.parametrize(
    "clients, other",
    [
        (["198.51.100.20"] * 4, "198.51.100.21"),
        ([f"2001:db8:1:1::{i}" for i in range(4)], "2001:db8:1:2::1"),
    ],
)
def test_the_named_client_counts_for_the_limit(world: World, clients: list[str], other: str) -> None:
    """An IPv6 client is its /64."""
    before = refused(world, "per_address")
    held = [connect(world, inet(c)) for c in clients[:3]]
    with pytest.raises(OSError):
        connect(world, inet(clients[3]))
    until("it is counted", lambda: refused(world, "per_address") == before + 1)
    connect(world, inet(other)).close()
    for _ in range(5):
        held.append(connect(world, b"PROXY UNKNOWN\r\n"))  # stands for nobody in particular
    for c in held:
        c.close()
    until("there is room again", lambda: _opens(world, clients[3]))


def _opens(w: World, client: str) -> bool:
    try:
        connect(w, inet(client)).close()
    except OSError:
        return False
    return True


def test_draining_does_not_wait_for_headers(make_world) -> None:
    w = make_world()
    w.config["listeners"][0].update(proxy_protocol="required", proxy_protocol_from=["127.0.0.1"])
    w.start()
    with wire.Connection(w.address) as c:
        c.send(b"PROXY ")
        w.daemon.stop()
        assert c.ended()
