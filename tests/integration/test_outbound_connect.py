# SPDX-License-Identifier: Apache-2.0
"""Form B: CONNECT as Synapse's https_proxy sends it, TLS inside ended with a certificate of our own
(FD-5.2.1.2-4/-7/-8, O-13; Matrix facts 6.2; gematik facts 7.4)."""
import socket
import ssl
import threading
from typing import Any, Iterator

import pytest
from cryptography import x509

from harness import PKI, open_world, run_proxy, until
from outworld import (
    CA, FINE, PROFILE, SECRET, OutWorld, Remote, Tunnel, basic, bearer, connect_request, inner_request,
    loopback,
)
from sim import b64, wire
from sim.rawserver import Close, Hang

FAILED = "schleuse_tunnel_handshakes_failed_total"
WELL_KNOWN = "/.well-known/matrix/server"


@pytest.fixture(scope="module")
def module_world() -> Iterator[OutWorld]:
    def setup(w: OutWorld) -> None:
        w.six = w.remote("[::1]", address=("::1", 0), certificate=PKI.web.server("::1"))
        w.four = w.remote(at := loopback(), address=(at, 0), certificate=PKI.web.server(at))
        w.know(w.six, w.four)
        w.start()

    with open_world(setup, kind=OutWorld) as w:
        yield w


@pytest.fixture
def beta(world: OutWorld) -> Iterator[Remote]:
    world.beta.forget()
    yield world.beta
    world.beta.script = None


def get(w: OutWorld, to: Remote, uri: str = PROFILE) -> bytes:
    return inner_request("GET", to.name, uri, None, [w.sign("GET", uri, to.name)])


def shown(c: Tunnel) -> x509.Certificate:
    der = c.tls.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


# The tunnel


def test_the_answer_to_connect(world: OutWorld, beta: Remote) -> None:
    """Exactly 200, and no bytes of ours behind the blank line."""
    with Tunnel(world.out(), beta.name, basic()) as c:
        assert c.answer.status == 200
        assert c.answer.get("Content-Length") is None and c.answer.get("Transfer-Encoding") is None
        assert not c.held
    assert not beta.requests


def test_what_goes_through(world: OutWorld, beta: Remote) -> None:
    signed = world.sign("GET", PROFILE, beta.name)
    a = world.ask("B", "GET", beta, PROFILE, authorization=signed)
    assert (a.status, a.body) == (200, b'{"displayname":"Bob"}')
    r = beta.server.last
    assert r.line == f"GET {PROFILE} HTTP/1.1".encode()
    assert r.get("Authorization") == signed and r.get("Host") == beta.name
    assert not r.all("Proxy-Authorization") and not beta.faults


def test_http_1_1_with_host(world: OutWorld, beta: Remote) -> None:
    """As other homeservers send it."""
    with wire.Connection(world.out()) as c:
        c.send(
            f"CONNECT {beta.name} HTTP/1.1\r\nHost: {beta.name}\r\nUser-Agent: x\r\n"
            f"Proxy-Connection: keep-alive\r\nProxy-Authorization: {bearer()}\r\n\r\n".encode()
        )
        assert c.read_head().status == 200
        c.sock = world.inside.wrap_socket(c.raw, server_hostname="beta.test")
        c.send(get(world, beta))
        assert c.read().status == 200


def test_over_the_unix_socket(world: OutWorld, beta: Remote) -> None:
    assert world.ask("B", "GET", beta, PROFILE, via=1).status == 200


def test_several_requests(world: OutWorld, beta: Remote) -> None:
    """Each is judged for itself: a good one opens nothing for the next."""
    body = b64.sorted_json({"pdus": [], "origin": world.NAME})
    send = "/_matrix/federation/v1/send/t"
    with world.tunnel(beta.name) as c:
        c.send(get(world, beta))
        assert c.read().status == 200
        c.send(inner_request("GET", beta.name, PROFILE, None, []))
        assert c.read().status == 403
        signed = world.sign("PUT", send, beta.name, {"pdus": [], "origin": world.NAME})
        c.send(inner_request("PUT", beta.name, send, body, [signed]))
        assert c.read("PUT").status == 200
        c.send(get(world, beta) * 3)
        assert [c.read().status for _ in range(3)] == [200] * 3
    assert [r.method for r in beta.requests] == ["GET", "PUT", "GET", "GET", "GET"]
    assert not beta.faults


def test_the_homeserver_may_end_with_its_request(world: OutWorld, beta: Remote) -> None:
    with world.tunnel(beta.name) as c:
        more = [("Connection", "close")]
        c.send(inner_request("GET", beta.name, PROFILE, None, [world.sign("GET", PROFILE, beta.name)], more))
        assert c.read().status == 200
        assert c.ended()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_of_tls(world: OutWorld, beta: Remote, version: ssl.TLSVersion) -> None:
    tls = wire.tls_context(CA.pem, lowest=version, highest=version)
    assert world.ask("B", "GET", beta, PROFILE, tls=tls).status == 200


def test_old_tls_is_refused(world: OutWorld, beta: Remote) -> None:
    """ML-123615-4."""
    version = ssl.TLSVersion.TLSv1_1
    old = wire.tls_context(lowest=version, highest=version, ciphers="ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, OSError)):
        world.tunnel(beta.name, tls=old)


def test_http_1_1_only(world: OutWorld, beta: Remote) -> None:
    """Synapse offers no ALPN; who offers h2 does not get it."""
    tls = wire.tls_context(CA.pem, alpn=["h2", "http/1.1"])
    with world.tunnel(beta.name, tls=tls) as c:
        assert c.tls.selected_alpn_protocol() in (None, "http/1.1")
        c.send(get(world, beta))
        assert c.read().status == 200


def test_client_hello_in_the_same_segment(world: OutWorld, beta: Remote) -> None:
    """Bytes behind CONNECT belong to the tunnel."""
    receive, transmit = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = world.inside.wrap_bio(receive, transmit, server_hostname="beta.test")

    def step(fn: Any, *args: Any) -> Any:
        while True:
            try:
                return fn(*args)
            except ssl.SSLWantReadError:
                if out := transmit.read():
                    c.send(out)
                receive.write(c.held or c.raw.recv(65536))
                c.held = b""

    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with Tunnel(world.out(), beta.name, basic(), more=transmit.read()) as c:
        assert c.answer.status == 200
        step(tls.do_handshake)
        tls.write(get(world, beta))
        assert step(tls.read).startswith(b"HTTP/1.1 200")


def test_connect_in_pieces(world: OutWorld, beta: Remote) -> None:
    with wire.Connection(world.out()) as c:
        for byte in connect_request(beta.name, basic()):
            c.send(bytes([byte]))
        assert c.read_head().status == 200


# The certificate


def test_the_minted_certificate(world: OutWorld, beta: Remote) -> None:
    """For the SNI, short-lived, by the configured CA; the CA's key is none of its business."""
    with world.tunnel(beta.name) as c:
        cert = shown(c)
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["beta.test"]
    assert cert.issuer == CA.issued.cert.subject
    assert (cert.not_valid_after - cert.not_valid_before).total_seconds() < 3 * 86400
    again = set()
    for _ in range(8):
        with world.tunnel(beta.name) as c:
            again.add(shown(c).serial_number)
    assert len(again) <= world.config["workers"], "minted once by each worker"


@pytest.mark.parametrize("which", ["six", "four"])
def test_addresses(world: OutWorld, which: str) -> None:
    """No SNI: the certificate is for the address in CONNECT; IPv6 comes without brackets (facts 6.2)."""
    r = getattr(world, which)
    host, _, port = r.name.rpartition(":")
    tls = wire.tls_context(CA.pem)
    with Tunnel(world.out(), f"{host.strip('[]')}:{port}", basic()) as c:
        c.begin(tls, host.strip("[]"))  # Python sends no SNI for an address, and verifies it
        c.send(get(world, r))
        assert c.read().status == 200
    with Tunnel(world.out(), r.name, basic()) as c:
        c.begin(tls, host.strip("[]"))


def test_a_name_without_sni(world: OutWorld, beta: Remote) -> None:
    """The certificate is for the host in CONNECT."""
    tls = wire.tls_context(CA.pem)
    tls.check_hostname = False
    with Tunnel(world.out(), beta.name, basic()) as c:
        c.begin(tls, None)
        names = shown(c).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["beta.test"]
        c.send(get(world, beta))
        assert c.read().status == 200


def test_another_name_in_the_handshake(world: OutWorld, beta: Remote) -> None:
    """O-13: SNI, contacted host and destination belong together."""
    with Tunnel(world.out(), beta.name, basic()) as c:
        c.begin(world.inside, "other.test")
        c.send(get(world, beta))
        a = c.read()
    world.refused(a, beta)


def test_a_name_the_ca_may_not_certify(world: OutWorld) -> None:
    """Name constraints hold: a stolen way out is not a way in to everything."""
    with pytest.raises((ssl.SSLError, OSError)):
        world.tunnel("www.example.org:443", sni="www.example.org")
    world.until_metric(FAILED, 1, cause="forbidden")


def test_a_homeserver_that_does_not_trust_the_ca(world: OutWorld, beta: Remote) -> None:
    """What the homeserver only calls a failed connection has a name in our log and metrics."""
    with pytest.raises(ssl.SSLCertVerificationError):
        world.tunnel(beta.name, tls=wire.tls_context(PKI.web.pem))
    world.until_metric(FAILED, 1, cause="distrusted")
    world.daemon.until_logged("does not trust the CA")
    assert not beta.requests


def test_a_ca_of_our_own_making(make_world) -> None:
    """What --make-ca writes is what the daemon takes and a client may trust."""
    w = make_world(kind=OutWorld)
    folder = w.folder / "made"
    folder.mkdir()
    done = run_proxy("--make-ca", str(folder), "--permit", "test")
    assert done.returncode == 0, done.stderr
    assert (folder / "ca.key").stat().st_mode & 0o777 == 0o600
    w.config["outbound"] = {
        "ca_certificate": str(folder / "ca.pem"), "ca_key": str(folder / "ca.key")}
    w.start()
    tls = wire.tls_context(folder / "ca.pem")
    assert w.ask("B", "GET", w.beta, PROFILE, tls=tls).status == 200


# Refusals


@pytest.mark.parametrize("credential", [None, basic("wrong-wrong-wrong-wrong"), basic("", SECRET), "Basic x"])
def test_without_the_secret(world: OutWorld, beta: Remote, credential: Any) -> None:
    with Tunnel(world.out(), beta.name, credential) as c:
        assert c.answer.status == 407
        assert any(v.startswith("Basic ") for v in c.answer.all("Proxy-Authenticate"))
    assert not beta.requests


@pytest.mark.parametrize(
    "to", ["beta.test", "beta.test:", ":8448", "beta.test:0", "beta.test:65536", "beta.test:x", "be ta:1", "/x:1"]
)
def test_no_host_and_port(world: OutWorld, to: str) -> None:
    with Tunnel(world.out(), to, basic()) as c:
        assert c.answer.status == 400


def test_refusals_are_inside(world: OutWorld, beta: Remote) -> None:
    """A failed CONNECT would be an outage of the destination for Synapse (facts 6.2, 12)."""
    a = world.ask("B", "GET", world.gamma, PROFILE)
    world.refused(a, world.gamma)
    assert world.gamma.untouched
    a = world.ask("B", "GET", "nowhere.test:443", "/index.html", authorization=None)
    world.refused(a)
    assert not [n for n, _ in world.dns.asked if n == "nowhere.test"]


def test_no_tls_inside(world: OutWorld, beta: Remote) -> None:
    with Tunnel(world.out(), beta.name, basic()) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        c.raw.settimeout(wire.TIMEOUT)
        try:
            while c.raw.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert not beta.requests


def test_connect_inside_a_tunnel(world: OutWorld, beta: Remote) -> None:
    with world.tunnel(beta.name) as c:
        c.send(connect_request(world.gamma.name, basic()))
        assert c.read().status in (400, 403, 405)
    assert world.gamma.untouched


@pytest.mark.parametrize("scheme", ["matrix-federation", "https", "http"])
def test_absolute_targets_inside_a_tunnel(world: OutWorld, beta: Remote, scheme: str) -> None:
    """They cannot lead elsewhere."""
    with world.tunnel(beta.name) as c:
        target = f"{scheme}://{world.gamma.name}{PROFILE}"
        signed = world.sign("GET", PROFILE, world.gamma.name)
        c.send(inner_request("GET", world.gamma.name, target, None, [signed]))
        assert c.read().status in (400, 403)
    assert world.gamma.untouched and not beta.requests


def test_host_inside_does_not_count(world: OutWorld, beta: Remote) -> None:
    assert world.ask("B", "GET", beta, PROFILE, host="gamma.test").status == 200
    assert beta.server.last.get("Host") == beta.name


def test_without_a_ca_there_are_no_tunnels(make_world) -> None:
    w = make_world(kind=OutWorld)
    del w.config["outbound"]
    w.start()
    with Tunnel(w.out(), w.beta.name, basic()) as c:
        assert c.answer.status == 403
    assert w.ask("A", "GET", w.beta, PROFILE).status == 200


def test_well_known_of_strangers(world: OutWorld) -> None:
    """O-11: nobody outside of the federation is asked."""
    for form in ("B", "C"):
        a = world.ask(form, "GET", "gamma.test", WELL_KNOWN, authorization=None, at="gamma.test:443")
        text = world.refused(a)
        assert text == "gamma.test kann nicht in der Föderation gefunden werden"
    assert world.gamma.untouched


# Ends


def test_an_idle_tunnel_ends(make_world) -> None:
    w = make_world(kind=OutWorld)
    w.config["timeouts"]["idle"] = "200ms"
    w.start()
    with w.tunnel(w.beta.name) as c:
        c.send(get(w, w.beta))
        assert c.read().status == 200
        assert c.ended()


def test_half_closed(world: OutWorld, beta: Remote) -> None:
    """Who ends its direction while a request is under way has left: nothing of the tunnel stays."""
    beta.script = lambda r: Hang()
    with world.tunnel(beta.name) as c:
        c.send(get(world, beta))
        beta.server.wait(1)
        c.sock.shutdown(socket.SHUT_WR)
        until("no tunnel", lambda: world.daemon.metric("schleuse_tunnels_open") == 0)


def test_the_homeserver_vanishes(world: OutWorld, beta: Remote) -> None:
    """At any point of a tunnel's life; nothing is left of it."""
    beta.script = lambda r: Close(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + FINE)
    whole = connect_request(beta.name, basic())
    for n in (0, 5, len(whole) - 1, len(whole)):
        with wire.Connection(world.out()) as c:
            c.send(whole[:n])
            c.reset()
    c = world.tunnel(beta.name)
    c.send(get(world, beta)[:40])
    c.reset()
    c = world.tunnel(beta.name)
    c.send(get(world, beta))
    c.reset()
    until("no tunnel", lambda: world.daemon.metric("schleuse_tunnels_open") == 0)
    beta.script = None
    threads = [threading.Thread(target=world.ask, args=("B", "GET", beta, PROFILE)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
