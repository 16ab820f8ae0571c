# SPDX-License-Identifier: Apache-2.0
"""schleuse-proxy --make-ca: the CA of the homeserver's tunnels (FD-5.2.1.2-4, -7).

What it issues for is asked of clients that were written by others: the openssl command, Python's ssl,
the verifier of python3-cryptography.
"""
import datetime
import ipaddress
import re
import socket
import ssl
import stat
import subprocess
import threading
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness import run_proxy

try:
    from cryptography.x509 import verification
except ImportError:
    verification = None

OWN = "praxis.example.org"
PUBLIC = "matrix.praxis.example"


@pytest.fixture(name="config")
def a_config(make_world, tmp_path: Path) -> Path:
    """Of services whose files are missing: the CA is made before all is in place."""
    w = make_world()
    config = w.daemon.config
    config["services"][0].update(server_name=OWN, hosts=[PUBLIC], certificate="no.pem", key="no.key")
    config["services"] = config["services"][:1]
    path = tmp_path / "proxy.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def make(folder: Path, *args: str) -> str:
    done = run_proxy("--make-ca", str(folder), *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*args: str, status: int = 1) -> str:
    done = run_proxy(*args)
    assert done.returncode == status and done.stderr
    return done.stderr


def leaf(folder: Path, host: str) -> Path:
    """A certificate for `host`, issued by the CA without asking whether it may; and its key."""
    ca = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    ca_key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        name = x509.DNSName(host)
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    ski = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    cert = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), False)
        .sign(ca_key, hashes.SHA256())
    )
    path = folder / f"{host.replace(':', '_')}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(cert.public_bytes(serialization.Encoding.PEM) + private)
    return path


def openssl_takes(folder: Path, host: str) -> bool:
    by = "-verify_ip" if re.fullmatch(r"[0-9.]+|.*:.*", host) else "-verify_hostname"
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", by, host]
        + ["-CAfile", str(folder / "ca.pem"), str(leaf(folder, host))],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0 or "subtree violation" in done.stdout + done.stderr, done
    return done.returncode == 0


def python_takes(folder: Path, host: str) -> bool:
    """A handshake of Python's ssl with a server that shows the certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(leaf(folder, host))
    client = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    a, b = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(b, server_side=True).close()
        except OSError:  # the client has refused
            b.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        client.wrap_socket(a, server_hostname=host).close()
        return True
    except ssl.SSLCertVerificationError as e:
        assert "subtree violation" in str(e), e
        return False
    finally:
        a.close()
        thread.join()


def cryptography_takes(folder: Path, host: str) -> bool:
    assert verification
    root = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    cert = x509.load_pem_x509_certificate(leaf(folder, host).read_bytes())
    try:
        subject = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    verifier = (
        verification.PolicyBuilder().store(verification.Store([root])).build_server_verifier(subject)
    )
    try:
        verifier.verify(cert, [])
        return True
    except verification.VerificationError as e:
        assert "constraint" in str(e), e
        return False


# Debian 12 has a version that cannot verify chains.
CLIENTS = [openssl_takes, python_takes] + [cryptography_takes] * (verification is not None)
clients = pytest.mark.parametrize("takes", CLIENTS)


@clients
def test_our_own_names_are_excluded(takes, config: Path, tmp_path: Path) -> None:
    text = make(tmp_path, "-c", str(config))
    assert OWN in text and PUBLIC in text
    for host in ("other.example.org", "203.0.113.7", "2001:db8::1", "not" + OWN):
        assert takes(tmp_path, host), host
    for host in (OWN, PUBLIC, "a." + OWN):
        assert not takes(tmp_path, host), host


@clients
def test_only_permitted_names(takes, config: Path, tmp_path: Path) -> None:
    make(tmp_path, "-c", str(config), "--permit", "example.org", "--permit", "Push.example")
    for host in ("example.org", "a.b.example.org", "push.example"):
        assert takes(tmp_path, host), host
    for host in ("other.example", OWN, "notexample.org", "203.0.113.7", "2001:db8::1"):
        assert not takes(tmp_path, host), host


@clients
def test_only_permitted_addresses(takes, config: Path, tmp_path: Path) -> None:
    make(tmp_path, "-c", str(config), "--permit", "192.0.2.0/24", "--permit", "2001:db8::1")
    for host in ("192.0.2.77", "2001:db8::1"):
        assert takes(tmp_path, host), host
    for host in ("192.0.3.1", "2001:db8::2", "other.example"):
        assert not takes(tmp_path, host), host


@clients
def test_an_own_name_can_be_permitted_by_name(takes, config: Path, tmp_path: Path) -> None:
    text = make(tmp_path, "-c", str(config), "--permit", "push." + OWN, "--permit", PUBLIC)
    assert "any other host" in text
    assert takes(tmp_path, "push." + OWN) and takes(tmp_path, PUBLIC)
    assert not takes(tmp_path, OWN)


def test_files_and_their_modes(config: Path, tmp_path: Path) -> None:
    text = make(tmp_path, "-c", str(config), "--days", "10")
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ca.pem").stat().st_mode) == 0o644
    cert = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert 9 <= (cert.not_valid_after - now).days <= 10
    assert socket.gethostname()[:40] in cert.subject.rfc4514_string()
    assert (now + datetime.timedelta(days=10)).strftime("%Y-%m-%dT") in text
    # what it says to write is what those files take
    proxy, synapse = text.split("In proxy.yaml:\n")[1].split("\nIn the homeserver's")
    assert yaml.safe_load(proxy)["outbound"] == {
        "ca_certificate": str(tmp_path / "ca.pem"), "ca_key": str(tmp_path / "ca.key"),
    }
    assert yaml.safe_load(synapse.split(":\n", 1)[1]) == {
        "federation_custom_ca_list": [str(tmp_path / "ca.pem")],
    }


def test_nothing_is_overwritten(config: Path, tmp_path: Path) -> None:
    make(tmp_path, "-c", str(config))
    before = {p.name: p.read_bytes() for p in tmp_path.glob("ca.*")}
    assert "never overwritten" in refused("--make-ca", str(tmp_path), "-c", str(config))
    (tmp_path / "ca.pem").unlink()
    assert "never overwritten" in refused("--make-ca", str(tmp_path), "-c", str(config))
    assert not (tmp_path / "ca.pem").exists()
    assert (tmp_path / "ca.key").read_bytes() == before["ca.key"]


def test_faults_are_named(config: Path, tmp_path: Path) -> None:
    folder, named = str(tmp_path), ["-c", str(config)]
    text = refused("--make-ca", str(tmp_path / "none"), *named)
    assert "No such file" in text and "name a folder" in text
    assert "*.example.org is neither" in refused(
        "--make-ca", folder, *named, "--permit", "*.example.org"
    )
    assert "--days" in refused("--make-ca", folder, *named, "--days", "0")
    assert "none.yaml" in refused("--make-ca", folder, "-c", str(tmp_path / "none.yaml"))
    config.write_text("services: [{server_name: 'a b'}]\n")
    assert "must be right first" in refused("--make-ca", folder, *named)
    assert not list(tmp_path.glob("ca.*"))


def test_called_wrongly(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert "together with --make-ca" in refused("--permit", "example.org", status=2)
    assert "no other command" in refused("--make-ca", folder, "--check-config", status=2)
    assert "only one command" in refused("--make-ca", folder, "--make-ca", folder, status=2)
    assert "unexpected argument" in refused("--make-ca", folder, "more", status=2)
    assert not list(tmp_path.glob("ca.*"))
    assert "--make-ca FOLDER" in run_proxy("--help").stdout


def test_a_ca_for_everything_is_warned_of(tmp_path: Path) -> None:
    default = re.search(r"default: (.*/proxy.yaml)\)", run_proxy("--help").stdout)
    assert default
    if Path(default[1]).exists():
        pytest.skip("there is a configuration where the default one is")
    done = run_proxy("--make-ca", str(tmp_path))
    assert done.returncode == 0 and "can pass for every host" in done.stderr


def test_the_end_of_a_ca_in_use_is_told(make_world, tmp_path: Path) -> None:
    """A warning 30 days before, at the start; the end itself as a metric."""
    w = make_world()
    w.daemon.write()
    make(tmp_path, "-c", str(w.daemon.file), "--days", "29")
    w.daemon.config["outbound"] = {
        "ca_certificate": str(tmp_path / "ca.pem"), "ca_key": str(tmp_path / "ca.key"),
    }
    w.start()
    ends = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes()).not_valid_after
    told = w.daemon.metric("schleuse_outbound_ca_not_after_seconds")
    assert told == ends.replace(tzinfo=datetime.timezone.utc).timestamp()
    w.daemon.until_logged("the CA ends in ")
