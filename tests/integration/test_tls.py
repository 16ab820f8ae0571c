# SPDX-License-Identifier: Apache-2.0
"""TLS at the listener (CP-1.2.1-2, -4, -5; FD-5.2.1.2-2, -3; ML-123615-4)."""
import contextlib
import ssl
import subprocess
from typing import Iterator

import pytest

from harness import PKI, World, open_world
from sim import wire
from sim.pki import ocsp_good

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        rsa = PKI.web.server("matrix.bravo.test", "bravo.test", kind="rsa2048")
        w.add_service("bravo.test", rsa)
        (w.folder / "ocsp.der").write_bytes(ocsp_good(w.certificate, PKI.web))
        w.main_service["ocsp_file"] = str(w.folder / "ocsp.der")
        w.start()

    with open_world(setup) as w:
        yield w


def context(**how) -> ssl.SSLContext:
    return wire.tls_context(PKI.web_root.pem, **how)


def s_client(w: World, *args: str) -> str:
    """openssl's own client, for what Python's ssl cannot ask for."""
    where = "%s:%d" % w.address
    cmd = ["openssl", "s_client", "-connect", where, "-servername", "matrix.alpha.test", *args]
    done = subprocess.run(cmd, input="", capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


def test_refuses_tls_1_1(world: World) -> None:
    old = context(lowest=ssl.TLSVersion.TLSv1_1, highest=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        world.connect(tls=old)


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize("name", ["matrix.alpha.test", "matrix.bravo.test"])
def test_speaks_1_2_and_1_3_with_ec_and_rsa(world: World, version, name: str) -> None:
    with world.connect(name, tls=context(lowest=version, highest=version)) as c:
        assert c.tls.version() == {V12: "TLSv1.2", V13: "TLSv1.3"}[version]
        assert c.ask("GET", "/_matrix/client/versions", {"Host": name}).status == 200


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"])
def test_accepts_recommended_suites(world: World, suite: str) -> None:
    with world.connect(tls=context(highest=V12, ciphers=suite)) as c:
        assert c.tls.cipher()[0] == suite


@pytest.mark.parametrize(
    "suite, name",
    [
        ("ECDHE-ECDSA-AES128-SHA", "matrix.alpha.test"),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", "matrix.alpha.test"),
        ("AES256-GCM-SHA384", "matrix.bravo.test"),
        ("ECDHE-RSA-AES256-SHA", "matrix.bravo.test"),
    ],
)
def test_refuses_other_suites(world: World, suite: str, name: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        world.connect(name, tls=context(highest=V12, ciphers=suite))


@pytest.mark.parametrize("group, good", [("P-256", True), ("P-384", True), ("P-224", False)])
def test_groups(world: World, group: str, good: bool) -> None:
    rsa = ("-servername", "matrix.bravo.test")  # an EC certificate would need its own curve too
    said = s_client(world, "-tls1_2", "-curves", group, *rsa)
    assert ("Temp Key" in said) is good  # "Server Temp Key", since OpenSSL 3.5 "Peer Temp Key"


def test_no_sni_gets_the_default_service(world: World) -> None:
    tls = context()
    tls.check_hostname = False
    with wire.Connection(world.address, tls, None) as c:
        names = [v for k, v in c.tls.getpeercert()["subjectAltName"]]
        assert "alpha.test" in names


def test_unknown_sni_is_refused(world: World) -> None:
    tls = context()
    tls.check_hostname = False
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        wire.Connection(world.address, tls, "other.test")


@pytest.mark.parametrize("version", [V12, V13])
def test_sessions_resume_on_any_worker(world: World, version) -> None:
    tls = context(lowest=version, highest=version)
    with world.connect(tls=tls) as c:
        c.ask("GET", "/_matrix/client/versions", {"Host": "matrix.alpha.test"})
        session = c.tls.session
    assert session.has_ticket
    for _ in range(6):
        with world.connect(tls=tls, session=session) as c:
            assert c.tls.session_reused
            c.ask("GET", "/_matrix/client/versions", {"Host": "matrix.alpha.test"})
            session = c.tls.session


@pytest.mark.parametrize("version", [V12, V13])
def test_a_ticket_of_one_service_opens_no_other(world: World, version) -> None:
    """A resumed connection belongs to one service, as any other."""
    tls = context(lowest=version, highest=version)
    with world.connect(tls=tls) as c:
        c.ask("GET", "/_matrix/client/versions", {"Host": "matrix.alpha.test"})
        session = c.tls.session
    world.homeserver.forget()
    with world.connect("matrix.bravo.test", tls=tls, session=session) as c:
        answers = {
            n: c.ask("GET", "/_matrix/client/versions", {"Host": f"matrix.{n}.test"}).status
            for n in ("alpha", "bravo")
        }
    assert 421 in answers.values()
    assert (answers["alpha"] == 200) == bool(world.homeserver.requests())


def test_alpn(world: World) -> None:
    with world.connect(tls=context(alpn=["http/1.1", "h2"])) as c:
        assert c.tls.selected_alpn_protocol() == "h2"
    with world.connect(tls=context(alpn=["http/1.1"])) as c:
        assert c.tls.selected_alpn_protocol() == "http/1.1"
    with world.connect() as c:
        assert c.tls.selected_alpn_protocol() is None
    with pytest.raises((ssl.SSLError, ConnectionError)):
        world.connect(tls=context(alpn=["h3", "spdy/3"]))


def test_staples_the_ocsp_response(world: World) -> None:
    assert "OCSP Response Status: successful" in s_client(world, "-status")


def test_tls_1_3_can_be_switched_off(make_world) -> None:
    """CP-1.2.1-5: permitted, not mandatory."""
    w = make_world()
    w.config["tls"] = {"tls13": False}
    w.start()
    with w.connect() as c:
        assert c.tls.version() == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        w.connect(tls=context(lowest=V13))


def test_plain_http_is_no_way_in(world: World) -> None:
    with wire.Connection(world.address) as c:
        c.send(wire.request("GET", "/_matrix/client/versions", {"Host": "matrix.alpha.test"}))
        with contextlib.suppress(ConnectionResetError):  # instead of an alert
            assert b"200 OK" not in c.sock.recv(4096)
    world.not_forwarded()
