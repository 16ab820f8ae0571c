# SPDX-License-Identifier: Apache-2.0
"""Where a server name without port leads: .well-known, SRV, 8448 (O-13).

Every remote server has a loopback address of its own, so the fixed ports 443 and 8448 are free; names
come from a DNS server of ours.
"""
import random
from typing import Any, Iterator

import pytest

from harness import PKI, World, open_world, until
from sim.dns import A, SRV, DnsServer
from sim.keyserver import KeyServer, answer
from sim.rawserver import RawServer, server_context

URI = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"
NAMES = ("plain", "srv", "oldsrv", "wk", "wkport", "wksrv", "wkbad", "wkbig", "wkloop", "wkmoved", "none")


def loopback() -> str:
    return "127.%d.%d.%d" % (random.randrange(1, 255), random.randrange(255), random.randrange(1, 255))


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


def stand_up(w: World, name: str, certificate: str = "", port: int = 8448, **dns: Any) -> KeyServer:
    """Keys of `name` on an address of its own, presenting a certificate for another name if given."""
    address = loopback()
    files = PKI.web.server(certificate or name).write(w.folder / f"k-{name}")
    server = KeyServer(name, files, address=(address, port), port_in_name=False)
    w._closers.append(server.close)
    w.homeserver.trust(name, server.key)
    w.dns.records[(dns.get("a", name), A)] = [address]
    return server


def well_known(w: World, name: str, reply: bytes) -> RawServer:
    """https://name/.well-known/matrix/server; port 443 must be ours to take."""
    address = loopback()
    files = PKI.web.server(name).write(w.folder / f"w-{name}")
    try:
        server = RawServer(lambda r: reply, tls=server_context(*files), address=(address, 443))
    except PermissionError:
        pytest.skip("port 443 is not ours to take")
    w._closers.append(server.close)
    w.dns.records[(name, A)] = [address]
    return server


def delegation(text: str, *fields: str) -> bytes:
    return answer("200 OK", b'{"m.server":"%s"}' % text.encode(), *fields)


def passes(w: World, server: KeyServer) -> None:
    a = w.peer(server).ask("GET", URI)
    assert a.status == 200, (a.body, w.dns.asked)


def refused(w: World, server: KeyServer) -> None:
    assert w.peer(server).ask("GET", URI).status in (401, 503)
    assert server.fetches == 0


def test_without_anything_port_8448(world: World) -> None:
    server = stand_up(world, "plain.zeta.test")
    passes(world, server)
    assert server.server.last.get("Host") == "plain.zeta.test"


@pytest.mark.parametrize("name, service", [("srv", "_matrix-fed"), ("oldsrv", "_matrix")])
def test_srv(world: World, name: str, service: str) -> None:
    """The certificate is that of the server name, not of the SRV target."""
    name = f"{name}.zeta.test"
    server = stand_up(world, name, port=0, a=f"target.{name}")
    record = (10, 5, server.server.port, f"target.{name}")
    world.dns.records[(f"{service}._tcp.{name}", SRV)] = [record]
    passes(world, server)
    assert server.server.last.get("Host") == name


def test_well_known_with_port(world: World) -> None:
    name, to = "wkport.zeta.test", "real.wkport.zeta.test"
    server = stand_up(world, name, to, port=0, a=to)
    well_known(world, name, delegation(f"{to}:{server.server.port}"))
    passes(world, server)
    assert server.server.last.get("Host") == f"{to}:{server.server.port}"


def test_well_known_without_port(world: World) -> None:
    name, to = "wk.zeta.test", "real.wk.zeta.test"
    server = stand_up(world, name, to, a=to)
    asked = well_known(world, name, delegation(to))
    passes(world, server)
    assert server.server.last.get("Host") == to
    assert [r.line for r in asked.requests] == [b"GET /.well-known/matrix/server HTTP/1.1"]


def test_well_known_to_srv(world: World) -> None:
    name, to = "wksrv.zeta.test", "real.wksrv.zeta.test"
    server = stand_up(world, name, to, port=0, a=f"t.{to}")
    world.dns.records[(f"_matrix-fed._tcp.{to}", SRV)] = [(1, 1, server.server.port, f"t.{to}")]
    well_known(world, name, delegation(to))
    passes(world, server)


@pytest.mark.parametrize(
    "name, reply",
    [
        ("wkbad", answer("200 OK", b"<html>")),
        ("wkbig", answer("200 OK", b'{"m.server":"evil.test:1","x":"' + b"a" * 100_000 + b'"}')),
    ],
)
def test_a_bad_well_known_is_as_none(world: World, name: str, reply: bytes) -> None:
    """On to port 8448 of the name itself."""
    name = f"{name}.zeta.test"
    asked = well_known(world, name, reply)
    address = asked.listener.getsockname()[0]
    files = PKI.web.server(name).write(world.folder / f"k-{name}")
    server = KeyServer(name, files, address=(address, 8448), port_in_name=False)
    world._closers.append(server.close)
    world.homeserver.trust(name, server.key)
    passes(world, server)


def test_redirects_of_well_known_end(world: World) -> None:
    name = "wkloop.zeta.test"
    loop = answer("302 Found", b"", f"Location: https://{name}/.well-known/matrix/server")
    asked = well_known(world, name, loop)
    server = stand_up(world, name, port=0, a="nowhere.zeta.test")
    refused(world, server)
    assert 1 < len(asked.requests) < 50


def test_redirects_to_plain_http_are_not_followed(world: World) -> None:
    name = "wkmoved.zeta.test"
    with RawServer(delegation("evil.test:1")) as plain:
        target = f"Location: http://{plain.where}/.well-known/matrix/server"
        well_known(world, name, answer("302 Found", b"", target))
        refused(world, stand_up(world, name, port=0, a="nowhere.zeta.test"))
        assert plain.connections == 0


def test_a_name_that_leads_nowhere(world: World) -> None:
    server = stand_up(world, "none.zeta.test", port=0, a="other.zeta.test")
    refused(world, server)
    world.dns.records[("none.zeta.test", A)] = ["127.0.0.1"]
    until("an end of waiting", lambda: world.peer(server).ask("GET", URI).status in (401, 503))
