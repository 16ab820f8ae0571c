# SPDX-License-Identifier: Apache-2.0
"""Servers that live elsewhere: what the homeserver finds out through us, we have found out ourselves
(O-13, FD-5.2.1.2-8/-9; Matrix facts 3.2, 6.2)."""
from typing import Iterator

import pytest

from harness import PKI
from outworld import FORMS, PROFILE, OutWorld, loopback
from sim.dns import A, SRV
from sim.keyserver import answer
from sim.rawserver import RawServer, server_context

WELL_KNOWN = "/.well-known/matrix/server"
KEYS = "/_matrix/key/v2/server"
MEDIA = "/_matrix/media/v3/download/epsilon.test/abc"


@pytest.fixture
def delegated(make_world) -> Iterator[OutWorld]:
    """epsilon.test says that real.epsilon.test is its server."""
    w = make_world(kind=OutWorld)
    name, real = "epsilon.test", "real.epsilon.test"
    w.real = w.remote(real)
    w.real.name = w.real.published_name = name
    files = PKI.web.server(name).write(w.folder / "well-known")
    text = answer("200 OK", b'{"m.server":"%s:%d"}' % (real.encode(), w.real.server.port))
    try:
        w.known = RawServer(text, tls=server_context(*files), address=(loopback(), 443))
    except PermissionError:
        pytest.skip("port 443 is not ours to take")
    w._closers.append(w.known.close)
    w.config["lookups"]["hosts"].pop(name)
    w.config["lookups"]["hosts"].pop(real, None)
    w.dns.records[(name, A)] = [w.known.listener.getsockname()[0]]
    w.dns.records[(real, A)] = [w.places.pop(real)]
    w.listed.append(name)
    w.publish()
    yield w.start()


def test_delegation(delegated: OutWorld) -> None:
    """Synapse asks for the document, then contacts what it says; both through us (facts 6.2)."""
    w = delegated
    a = w.ask("B", "GET", "epsilon.test", WELL_KNOWN, authorization=None, at="epsilon.test:443")
    assert a.status == 200
    real = a.json()["m.server"]
    assert w.ask("B", "GET", "epsilon.test", PROFILE, at=real, host=real).status == 200
    r = w.real.requests[-1]
    assert r.get("Host") == real
    assert w.real.server.names[-1] == "real.epsilon.test"
    # Form A knows the name only.
    assert w.ask("A", "GET", "epsilon.test", PROFILE).status == 200
    assert w.ask("C", "GET", "epsilon.test", PROFILE, at=real).status == 200
    assert not w.real.faults


def test_delegation_is_ours_to_judge(delegated: OutWorld) -> None:
    """O-13: the name itself, at 8448 or 443, is not where its federation lives."""
    w = delegated
    for at in ("epsilon.test:8448", "epsilon.test:443", w.beta.name):
        w.refused(w.ask("B", "GET", "epsilon.test", PROFILE, at=at), w.real)


def test_unsigned_requests_to_where_it_lives(delegated: OutWorld) -> None:
    """Whose host and port that is we know once the homeserver has asked for the document."""
    w = delegated
    a = w.ask("B", "GET", "epsilon.test", WELL_KNOWN, authorization=None, at="epsilon.test:443")
    real = a.json()["m.server"]
    for uri in (KEYS, MEDIA, "/_matrix/federation/v1/version"):
        a = w.ask("B", "GET", "epsilon.test", uri, authorization=None, at=real, host=real)
        assert a.status == 200, (uri, a.body)
        assert w.ask("C", "GET", "epsilon.test", uri, authorization=None, at=real).status == 200
        assert w.ask("A", "GET", "epsilon.test", uri, authorization=None).status == 200
    assert {r.get("Host") for r in w.real.requests} == {real}


def test_unsigned_requests_to_who_knows_whom(delegated: OutWorld) -> None:
    """Nobody has ever said whose that is."""
    w = delegated
    real = f"real.epsilon.test:{w.real.server.port}"
    w.refused(w.ask("B", "GET", real, KEYS, authorization=None), w.real)
    assert w.real.untouched


def test_the_document_is_asked_for_seldom(delegated: OutWorld) -> None:
    """Ours is remembered (facts 3.3); the homeserver's own questions are passed on."""
    w = delegated
    for _ in range(5):
        for form, how in (("A", {}), ("C", {"at": f"real.epsilon.test:{w.real.server.port}"})):
            assert w.ask(form, "GET", "epsilon.test", PROFILE, **how).status == 200
    assert len(w.known.requests) == 1


@pytest.mark.parametrize("form", FORMS)
def test_srv(make_world, form: str) -> None:
    """The target of the record is contacted; certificate and SNI are the name's."""
    w = make_world(kind=OutWorld)
    r = w.remote("zeta.test")
    r.name = r.published_name = "zeta.test"
    port = r.server.port
    w.dns.records[("_matrix-fed._tcp.zeta.test", SRV)] = [(1, 1, port, "target.zeta.test")]
    w.dns.records[("target.zeta.test", A)] = [w.places.pop("zeta.test")]
    w.listed.append("zeta.test")
    w.publish()
    w.start()
    how = {"at": f"target.zeta.test:{port}"} if form != "A" else {}
    if form == "B":
        how.update(sni="zeta.test", host="zeta.test")
    assert w.ask(form, "GET", "zeta.test", PROFILE, **how).status == 200
    assert r.server.names == ["zeta.test"]
    assert r.server.last.get("Host") == "zeta.test"
    assert not r.faults
    if form == "B":  # the SRV target's own name is none of the federation's
        how.update(sni="target.zeta.test")
        w.refused(w.ask(form, "GET", "zeta.test", PROFILE, **how))


@pytest.mark.parametrize("form", FORMS)
def test_port_8448(make_world, form: str) -> None:
    """Without any delegation."""
    w = make_world(kind=OutWorld)
    r = w.remote("eta.test", address=(loopback(), 8448), port_in_name=False)
    w.know(r)
    w.start()
    assert w.ask(form, "GET", r, PROFILE).status == 200
    assert r.server.last.get("Host") == "eta.test"
