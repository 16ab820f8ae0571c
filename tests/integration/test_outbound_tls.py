# SPDX-License-Identifier: Apache-2.0
"""The other server is who it says it is, or nothing is said to it (FD-5.2.1.2-9, ML-123615-2/-4); where
names may lead (SSRF); the HTTP proxy of the last hop."""
import ssl
from typing import Any, Callable, Iterator

import pytest

from harness import PKI, open_world
from outworld import FORMS, PROFILE, OutWorld, Remote, loopback
from sim.dns import A
from sim.httpproxy import HttpProxy
from sim.pki import Issued, self_signed
from sim.rawserver import RawServer

SEND = "/_matrix/federation/v1/send/txn1"
BODY: dict[str, Any] = {"edus": [], "origin": "alpha.test", "origin_server_ts": 1, "pdus": []}
H = "beta.test"


def ended(w: OutWorld, reason: str) -> float:
    return w.daemon.metric("schleuse_exchanges_ended_total", reason=reason)


CERTIFICATES: dict[str, tuple[str, Callable[[], Issued]]] = {
    "another name": ("remote_tls_name", lambda: PKI.web.server("delta.test")),
    "a name below": ("remote_tls_name", lambda: PKI.web.server("x.beta.test")),
    "a name above": ("remote_tls_name", lambda: PKI.web.server("test")),
    "a wildcard of two labels": ("remote_tls_name", lambda: PKI.web.server("*.*.test")),
    "its address only": ("remote_tls_name", lambda: PKI.web.server("127.0.0.1")),
    "expired": ("remote_tls_expired", lambda: PKI.web.server(H, starts=-100, days=50)),
    "not yet valid": ("remote_tls_expired", lambda: PKI.web.server(H, starts=5)),
    "self-signed": ("remote_tls_chain", lambda: self_signed(H)),
    "of an unknown CA": ("remote_tls_chain", lambda: PKI.foreign.server(H)),
    "without its intermediate": ("remote_tls_chain", lambda: Issued(*_bare(PKI.web.server(H)))),
    "not for servers": ("remote_tls_chain", lambda: PKI.web.issue(H, dns=[H], responder=True)),
}


def _bare(issued: Issued) -> tuple[Any, Any]:
    return issued.cert, issued.key


@pytest.fixture(scope="module")
def module_world() -> Iterator[OutWorld]:
    with open_world(OutWorld.start, kind=OutWorld) as w:
        yield w


@pytest.fixture
def beta(world: OutWorld) -> Iterator[Remote]:
    b = world.beta
    before = b.server.tls
    b.server.drop()
    world.until_metric("schleuse_remote_connections", 0)
    b.forget()
    yield b
    b.server.tls = before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", list(CERTIFICATES))
def test_certificates_that_do_not_fit(world: OutWorld, beta: Remote, form: str, what: str) -> None:
    """FD-5.2.1.2-9: 502 with a reason, and not a byte of the request has left."""
    reason, make = CERTIFICATES[what]
    beta.present(make())
    before, seen = ended(world, reason), beta.seen
    a = world.ask(form, "PUT", beta, SEND, BODY)
    assert (a.status, a.errcode) == (502, "M_UNKNOWN")
    assert ended(world, reason) == before + 1
    assert beta.seen == seen and not beta.requests
    world.daemon.until_logged(f"reason={reason}")
    assert "beta.test" not in world.daemon.log_text()


def test_a_certificate_that_fits_again(world: OutWorld, beta: Remote) -> None:
    """A failure is not remembered longer than the next request."""
    beta.present(self_signed(H))
    assert world.ask("A", "GET", beta, PROFILE).status == 502
    beta.present(PKI.web.server("delta.test", H))
    assert world.ask("A", "GET", beta, PROFILE).status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls(world: OutWorld, beta: Remote, version: ssl.TLSVersion) -> None:
    """ML-123615-4: 1.2 at least."""
    tls = beta.server.tls
    assert tls is not None
    beta.present(PKI.web.server(H))
    old = beta.server.tls
    old.minimum_version, old.maximum_version = version, version
    old.set_ciphers("ALL:@SECLEVEL=0")
    before, seen = ended(world, "remote_tls"), beta.seen
    assert world.ask("A", "GET", beta, PROFILE).status == 502
    assert ended(world, "remote_tls") == before + 1
    assert beta.seen == seen


def test_tls_1_2(world: OutWorld, beta: Remote) -> None:
    beta.present(PKI.web.server(H))
    beta.server.tls.maximum_version = ssl.TLSVersion.TLSv1_2
    assert world.ask("A", "GET", beta, PROFILE).status == 200
    assert beta.server.versions[-1] == "TLSv1.2"


def test_no_tls_at_all(world: OutWorld, beta: Remote, monkeypatch) -> None:
    """It is not asked again without."""
    beta.server.tls = None
    monkeypatch.setattr(beta.server, "_read_request", lambda c, n: c.sendall(b"HTTP/1.1 400 No\r\n\r\n"))
    before = ended(world, "remote_tls")
    assert world.ask("A", "GET", beta, PROFILE).status == 502
    assert ended(world, "remote_tls") == before + 1
    assert not beta.requests


def test_nobody_listens(make_world) -> None:
    w = make_world(kind=OutWorld)
    w.start()
    w.beta.server.close()
    for form in FORMS:
        a = w.ask(form, "GET", w.beta, PROFILE)
        assert (a.status, a.errcode) == (502, "M_UNKNOWN")
    assert ended(w, "remote_connect") == 3


def test_a_name_that_does_not_exist(make_world) -> None:
    w = make_world(kind=OutWorld)
    w.listed.append("nowhere.test")
    w.publish()
    w.start()
    a = w.ask("A", "GET", "nowhere.test", PROFILE)
    assert (a.status, a.errcode) == (502, "M_UNKNOWN")
    assert ended(w, "remote_dns") == 1


# Where names may lead


@pytest.mark.parametrize("form", FORMS)
def test_private_addresses(make_world, form: str) -> None:
    """A member's name that leads into our network: no connection (lookups.private_addresses)."""
    w = make_world(kind=OutWorld)
    ip = loopback()
    six = w.remote("[::1]", address=("::1", 0), certificate=PKI.web.server("::1"))
    four = w.remote(ip, address=(ip, 0), certificate=PKI.web.server(ip))
    w.know(six, four)
    named = w.remote("named.test")
    w.listed.append(named.name)
    w.publish()
    w.dns.records[("named.test", A)] = [w.places["named.test"]]
    w.config["lookups"]["private_addresses"] = False
    w.start()
    for r in (named, six, four):
        a = w.ask(form, "GET", r, PROFILE)
        assert (a.status, a.errcode) == (502, "M_UNKNOWN"), r.name
        assert r.untouched
    assert ended(w, "remote_address") == 3


def test_allowed_destinations_are_filtered_too(make_world) -> None:
    w = make_world(kind=OutWorld)
    inside = RawServer(tls=None, address=(loopback(), 0))
    w._closers.append(inside.close)
    w.dns.records[("push.test", A)] = [inside.listener.getsockname()[0]]
    w.rules["allow"] = [{"host": "push.test", "port": inside.port}]
    w.config["lookups"]["private_addresses"] = False
    w.start()
    with pytest.raises(AssertionError):
        w.tunnel(f"push.test:{inside.port}")
    assert ended(w, "remote_address") == 1
    assert inside.connections == 0


def test_an_address_is_looked_up_once(make_world) -> None:
    """DNS rebinding: what was filtered is what is connected to, until the record's time is over."""
    w = make_world(kind=OutWorld)
    r = w.remote("named.test")
    w.listed.append(r.name)
    w.publish()
    w.dns.records[("named.test", A)] = [w.places["named.test"]]
    w.start()
    assert w.ask("A", "GET", r, PROFILE).status == 200
    r.server.drop()
    w.dns.records[("named.test", A)] = [w.places["gamma.test"]]
    w.until_metric("schleuse_remote_connections", 0)
    assert w.ask("A", "GET", r, PROFILE).status == 200
    assert w.dns.asked.count(("named.test", A)) == 1
    assert w.gamma.untouched


# An HTTP proxy in between


@pytest.fixture
def behind(make_world) -> Iterator[Callable[..., OutWorld]]:
    def make(**how: Any) -> OutWorld:
        w = make_world(kind=OutWorld)
        w.proxy = HttpProxy(w.places, host=loopback(), **how)
        w._closers.append(w.proxy.close)
        w.config["outbound"]["proxy"] = w.proxy.where
        secret = w.folder / "proxy.secret"
        secret.write_text("user:pass-w0rd\n")
        secret.chmod(0o600)
        w.config["outbound"]["proxy_credentials_file"] = str(secret)
        return w

    yield make


@pytest.mark.parametrize("form", FORMS)
def test_through_a_proxy(behind, form: str) -> None:
    """TLS is with the other server still, and verified; the proxy is told its name and port only."""
    w = behind().start()
    assert w.ask(form, "GET", w.beta, PROFILE).status == 200
    assert len(w.proxy.heads) == 1
    lines = w.proxy.heads[0].split(b"\r\n")
    assert lines[0].split(b" ")[:2] == [b"CONNECT", w.beta.name.encode()]
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNzLXcwcmQ=" in lines
    assert w.beta.server.names == ["beta.test"] and not w.beta.faults
    w.beta.present(self_signed(H))
    w.beta.server.drop()
    w.until_metric("schleuse_remote_connections", 0)
    assert w.ask(form, "GET", w.beta, PROFILE).status == 502
    assert ended(w, "remote_tls_chain") == 1


@pytest.mark.parametrize("status", ["403 No", "407 Who", "502 Bad", "100 Go on"])
def test_a_proxy_that_refuses(behind, status: str) -> None:
    w = behind(status=status).start()
    a = w.ask("A", "GET", w.beta, PROFILE)
    assert (a.status, a.errcode) == (502, "M_UNKNOWN")
    assert ended(w, "remote_proxy") == 1
    assert w.beta.untouched


def test_the_homeservers_secret_is_not_the_proxys(behind) -> None:
    w = behind().start()
    w.ask("B", "GET", w.beta, PROFILE)
    assert b"s3cret" not in w.proxy.heads[0]

