# SPDX-License-Identifier: Apache-2.0
"""Every way a server name may lead somewhere, by a real name server (O-13; Matrix server-server API,
"Server discovery", steps 1 to 6), seen in where the proxy fetches signing keys.

Every remote server has a loopback address of its own, so the fixed ports 443 and 8448 are free.
"""
from typing import Iterator

import pytest

from harness import PKI, World, open_world, until
from sim.keyserver import KeyServer
from sim.rawserver import RawServer, server_context
from sim.unbound import Unbound
from test_discovery import URI, delegation, loopback

ZONE = "zeta.test"


def dns_world(w: World) -> None:
    w.dns = Unbound(w.folder / "unbound", ZONE).start()
    w._closers.append(w.dns.stop)
    w.config["lookups"]["nameservers"] = [w.dns.where]
    w.config["lookups"].update(negative_ttl="1s", negative_ttl_max="1s")
    w.start()


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    with open_world(dns_world) as w:
        yield w


def enlist(w: World, *names: str) -> None:
    w.listed += names
    w.publish()


def server_at(
    w: World, name: str, certificate: str, address: tuple[str, int], port_in_name: bool = False
) -> KeyServer:
    """The keys of `name` at an address, with a certificate for `certificate`."""
    try:
        folder = w.folder / f"k-{name}-{address[0]}".replace(":", "-")
        files = PKI.web.server(certificate).write(folder)
        server = KeyServer(name, files, address=address, port_in_name=port_in_name)
    except PermissionError:
        pytest.skip("port 443 is not ours to take")
    w._closers.append(server.close)
    w.homeserver.trust(server.name, server.key)
    enlist(w, server.name)
    return server


def another(w: World, server: KeyServer, address: str) -> KeyServer:
    """The same server at another address; of both, discovery should prefer one."""
    other = server_at(w, server.name, server.name, (address, 0))
    other.keys = server.keys
    w.homeserver.trust(server.name, server.key)
    return other


def well_known(w: World, label: str, to: str) -> RawServer:
    """The delegation of label.zeta.test, on an address of its own."""
    address, name = loopback(), f"{label}.{ZONE}"
    files = PKI.web.server(name).write(w.folder / f"w-{name}")
    try:
        server = RawServer(lambda r: delegation(to), tls=server_context(*files), address=(address, 443))
    except PermissionError:
        pytest.skip("port 443 is not ours to take")
    w._closers.append(server.close)
    w.dns.add(f"{label} A {address}")
    return server


def is_reached(w: World, server: KeyServer, host: str) -> None:
    """By signed requests of the server, whose keys are asked for with the Host field `host`."""
    until("the keys", lambda: w.peer(server).ask("GET", URI).status == 200)
    assert server.server.last.get("Host") == host


def is_not_reached(w: World, server: KeyServer) -> None:
    """What is asked for is known to have been looked up: the answer is about keys."""
    until("an answer about keys", lambda: w.peer(server).ask("GET", URI).status in (401, 503))
    assert server.fetches == 0


# Steps 1 and 2: what the name itself says


def test_step_1_ipv4_literal(world: World) -> None:
    address = loopback()
    server = server_at(world, address, address, (address, 8448))
    is_reached(world, server, address)


def test_step_1_ipv4_literal_with_port(world: World) -> None:
    address = loopback()
    server = server_at(world, address, address, (address, 0), port_in_name=True)
    is_reached(world, server, server.name)


def test_step_1_ipv6_literal_with_port(world: World) -> None:
    server = server_at(world, "[::1]", "::1", ("::1", 0), port_in_name=True)
    is_reached(world, server, server.name)


def test_step_1_the_certificate_is_for_the_address(world: World) -> None:
    address = loopback()
    server = server_at(world, address, f"lit.{ZONE}", (address, 0), port_in_name=True)
    is_not_reached(world, server)


def test_step_2_port_by_an_alias(world: World) -> None:
    address, name = loopback(), f"port.{ZONE}"
    world.dns.add("port CNAME port2", "port2 CNAME port3", f"port3 A {address}")
    server = server_at(world, name, name, (address, 0), port_in_name=True)
    is_reached(world, server, server.name)


def test_step_2_ipv6_only(world: World) -> None:
    name = f"six.{ZONE}"
    world.dns.add("six AAAA ::1")
    server = server_at(world, name, name, ("::1", 0), port_in_name=True)
    is_reached(world, server, server.name)


def test_step_2_a_dead_address_of_the_other_family(world: World) -> None:
    address, name = loopback(), f"dual.{ZONE}"
    world.dns.add("dual AAAA ::1", f"dual A {address}")
    server = server_at(world, name, name, (address, 0), port_in_name=True)
    is_reached(world, server, server.name)


# Step 3: .well-known delegates


@pytest.mark.parametrize("port", [8448, 0])
def test_step_3_1_to_an_ip_literal(world: World, port: int) -> None:
    address, label = loopback(), f"wkip{port}"
    server = server_at(world, f"{label}.{ZONE}", address, (address, port))
    to = address if port else f"{address}:{server.server.port}"
    well_known(world, label, to)
    is_reached(world, server, to)


def test_step_3_2_to_a_port(world: World) -> None:
    address, to = loopback(), f"d.wkport.{ZONE}"
    world.dns.add(f"d.wkport A {address}")
    server = server_at(world, f"wkport.{ZONE}", to, (address, 0))
    well_known(world, "wkport", f"{to}:{server.server.port}")
    is_reached(world, server, f"{to}:{server.server.port}")


@pytest.mark.parametrize("service", ["_matrix-fed", "_matrix"])
def test_steps_3_3_and_3_4_to_a_service(world: World, service: str) -> None:
    """The certificate is that of the delegated name, not of the SRV target."""
    address, label = loopback(), f"wksrv{service.replace('_', '')}"
    to = f"d.{label}.{ZONE}"
    server = server_at(world, f"{label}.{ZONE}", to, (address, 0))
    world.dns.add(f"{service}._tcp.d.{label} SRV 1 1 {server.server.port} t.{label}", f"t.{label} A {address}")
    well_known(world, label, to)
    is_reached(world, server, to)


def test_step_3_5_to_port_8448(world: World) -> None:
    address, to = loopback(), f"d.wk.{ZONE}"
    world.dns.add(f"d.wk A {address}")
    server = server_at(world, f"wk.{ZONE}", to, (address, 8448))
    well_known(world, "wk", to)
    is_reached(world, server, to)


def test_step_3_the_certificate_is_not_for_the_first_name(world: World) -> None:
    address, to = loopback(), f"d.wkcert.{ZONE}"
    world.dns.add(f"d.wkcert A {address}")
    server = server_at(world, f"wkcert.{ZONE}", f"wkcert.{ZONE}", (address, 8448))
    well_known(world, "wkcert", to)
    is_not_reached(world, server)


def test_step_3_one_level_of_delegation(world: World) -> None:
    """The delegated name has a .well-known of its own, which nobody asks for."""
    to = f"d.wktwice.{ZONE}"
    well_known(world, "wktwice", to)
    second = well_known(world, "d.wktwice", f"evil.{ZONE}:1")
    address = second.listener.getsockname()[0]
    server = server_at(world, f"wktwice.{ZONE}", to, (address, 8448))
    is_reached(world, server, to)
    assert second.requests == []


# Steps 4 to 6: nothing is delegated


@pytest.mark.parametrize("service", ["_matrix-fed", "_matrix"])
def test_steps_4_and_5_services(world: World, service: str) -> None:
    address, label = loopback(), f"srv{service.replace('_', '')}"
    name = f"{label}.{ZONE}"
    server = server_at(world, name, name, (address, 0))
    world.dns.add(f"{service}._tcp.{label} SRV 1 1 {server.server.port} t.{label}", f"t.{label} A {address}")
    is_reached(world, server, name)


def test_step_4_goes_before_step_5(world: World) -> None:
    name, new, old = f"both.{ZONE}", loopback(), loopback()
    server = server_at(world, name, name, (new, 0))
    other = another(world, server, old)
    world.dns.add(
        f"_matrix-fed._tcp.both SRV 1 1 {server.server.port} new.both",
        f"_matrix._tcp.both SRV 1 1 {other.server.port} old.both",
        f"new.both A {new}",
        f"old.both A {old}",
    )
    is_reached(world, server, name)
    assert other.fetches == 0


def test_step_4_priorities_with_dead_ones(world: World) -> None:
    """Nothing listens at the first, the second has no address, the fourth is not needed."""
    name, third, fourth = f"many.{ZONE}", loopback(), loopback()
    server = server_at(world, name, name, (third, 0))
    other = another(world, server, fourth)
    world.dns.add(
        f"_matrix-fed._tcp.many SRV 40 100 {other.server.port} d.many",
        f"_matrix-fed._tcp.many SRV 30 0 {server.server.port} c.many",
        "_matrix-fed._tcp.many SRV 20 50 8448 b.many",
        "_matrix-fed._tcp.many SRV 10 50 1 a.many",
        "a.many A 127.0.0.1",
        f"c.many A {third}",
        f"d.many A {fourth}",
    )
    is_reached(world, server, name)
    assert other.fetches == 0


def test_step_4_target_by_an_alias(world: World) -> None:
    """RFC 2782 forbids it; those who do it nevertheless are found."""
    address, name = loopback(), f"srvalias.{ZONE}"
    server = server_at(world, name, name, (address, 0))
    world.dns.add(
        f"_matrix-fed._tcp.srvalias SRV 1 1 {server.server.port} t.srvalias",
        "t.srvalias CNAME u.srvalias",
        f"u.srvalias A {address}",
    )
    is_reached(world, server, name)


def test_step_4_the_certificate_is_not_for_the_target(world: World) -> None:
    address, name = loopback(), f"srvcert.{ZONE}"
    server = server_at(world, name, f"t.srvcert.{ZONE}", (address, 0))
    world.dns.add(
        f"_matrix-fed._tcp.srvcert SRV 1 1 {server.server.port} t.srvcert", f"t.srvcert A {address}"
    )
    is_not_reached(world, server)


def test_a_service_that_is_not_offered(world: World) -> None:
    """A target of "." ends it; port 8448 is not tried."""
    address, name = loopback(), f"off.{ZONE}"
    server = server_at(world, name, name, (address, 8448))
    world.dns.add("_matrix-fed._tcp.off SRV 0 0 0 .", f"off A {address}")
    is_not_reached(world, server)
    assert server.server.connections == 0


@pytest.mark.parametrize("label", ["plain", "PLAIN2"])
def test_step_6_port_8448(world: World, label: str) -> None:
    address, name = loopback(), f"{label}.{ZONE}"
    world.dns.add(f"{label} A {address}")
    server = server_at(world, name.lower(), name, (address, 8448))
    is_reached(world, server, name.lower())


# Time


def moves(w: World, label: str, ttl: int) -> tuple[KeyServer, KeyServer]:
    """A server without an answer about keys, so that it is asked again and again; its service then
    moves to another."""
    name, first, second = f"{label}.{ZONE}", loopback(), loopback()
    old = server_at(w, name, name, (first, 0))
    new = another(w, old, second)
    for server in old, new:
        server.published_name = "wrong.test"
    record = f"_matrix-fed._tcp.{label} {ttl} SRV 1 1 {old.server.port} a.{label}"
    w.dns.add(record, f"a.{label} A {first}", f"b.{label} A {second}")
    until("the first", lambda: w.peer(old).ask("GET", URI) and old.fetches > 0)
    w.dns.change(record, f"_matrix-fed._tcp.{label} {ttl} SRV 1 1 {new.server.port} b.{label}")
    return old, new


def test_a_changed_record_is_seen_after_its_time(world: World) -> None:
    old, new = moves(world, "moves", 1)
    until("the second", lambda: world.peer(old).ask("GET", URI) and new.fetches > 0)


def test_a_changed_record_is_not_seen_before_its_time(world: World) -> None:
    old, new = moves(world, "stays", 3600)
    seen = old.fetches
    until("more fetches", lambda: world.peer(old).ask("GET", URI) and old.fetches >= seen + 2)
    assert new.fetches == 0


# Outages, and addresses that are not for us


def test_a_service_is_known_through_an_outage() -> None:
    """The SRV record's time is over and no name server is there; its target has a fixed address."""
    address, name = loopback(), f"out.{ZONE}"

    def setup(w: World) -> None:
        w.config["lookups"]["hosts"][f"t.out.{ZONE}"] = address
        dns_world(w)

    with open_world(setup) as w:
        server = server_at(w, name, name, (address, 0))
        server.published_name = "wrong.test"
        w.dns.add(f"_matrix-fed._tcp.out 1 SRV 1 1 {server.server.port} t.out")
        until("the service", lambda: w.peer(server).ask("GET", URI) and server.fetches > 0)
        w.dns.stop()
        seen = server.fetches
        until("more fetches", lambda: w.peer(server).ask("GET", URI) and server.fetches >= seen + 8, 60)


def test_private_addresses_are_not_connected_to() -> None:
    """Neither for .well-known nor for keys, whatever leads there."""

    def setup(w: World) -> None:
        w.config["lookups"]["private_addresses"] = False
        dns_world(w)

    with open_world(setup) as w:
        address, name = loopback(), f"inside.{ZONE}"
        asked = well_known(w, "inside", f"d.inside.{ZONE}:8448")
        server = server_at(w, name, name, (asked.listener.getsockname()[0], 8448))
        literal = server_at(w, address, address, (address, 0), port_in_name=True)
        service = server_at(w, f"srvin.{ZONE}", f"srvin.{ZONE}", (address, 0))
        w.dns.add(
            f"_matrix-fed._tcp.srvin SRV 1 1 {service.server.port} t.srvin", f"t.srvin A {address}"
        )
        for each in server, literal, service:
            is_not_reached(w, each)
            assert each.server.connections == 0
        assert asked.connections == 0
