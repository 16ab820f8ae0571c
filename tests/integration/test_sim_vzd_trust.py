# SPDX-License-Identifier: Apache-2.0
"""The simulated trust space: roots linked by cross certificates, sub-CAs, OCSP, CRLs.

Judged by openssl's own program where it can.
"""
from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from sim.pki import Issued
from sim.vzd import Vzd
from vzdclient import ask, signed_by


@pytest.fixture(scope="module")
def shared() -> Iterator[Vzd]:
    with Vzd(domains=["tim.praxis.example.org"]) as v:
        yield v


@pytest.fixture
def vzd(shared: Vzd) -> Iterator[Vzd]:
    shared.records.forget()
    yield shared
    shared.faults.clear()
    shared.ocsp.states.clear()
    shared.ocsp.extended, shared.ocsp.own_ca = True, False


def files_of(v: Vzd, folder: Path) -> dict[str, str]:
    """What openssl's program needs: pinned root, links and CA, list signer."""
    out = {}
    links = [base64.b64decode(r["next"]) for r in ask(v, v.roots_url).json() if r["next"]]
    ca = ask(v, v.download_url + v.pki.download_path(v.pki.list_ca)).body
    pems = [x509.load_der_x509_certificate(d) for d in (*links, ca)]
    parts = {
        "root": [v.pki.pinned.issued.cert],
        "between": pems,
        "ca": pems[-1:],
        "signer": [v.listing.signer("BP256R1").cert],
    }
    for name, certs in parts.items():
        file = folder / f"{name}.pem"
        file.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certs))
        out[name] = str(file)
    return out


def openssl(*args: str) -> str:
    done = subprocess.run(["openssl", *args], capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


def test_openssl_finds_the_chain(vzd: Vzd, tmp_path: Path) -> None:
    f = files_of(vzd, tmp_path)
    text = openssl("verify", "-CAfile", f["root"], "-untrusted", f["between"], f["signer"])
    assert text.endswith("signer.pem: OK\n")
    text = openssl("verify", "-CAfile", f["root"], "-untrusted", f["ca"], f["signer"])
    assert "OK" not in text, "without the links"


def test_roots_link_both_ways(vzd: Vzd) -> None:
    roots = ask(vzd, vzd.roots_url).json()
    assert [r["name"] for r in roots] == ["RCA1", "RCA2", "RCA3"]
    assert set(roots[0]) == {"name", "CN", "cert", "prev", "next", "nvb", "nva", "SKI"}
    assert roots[0]["prev"] == roots[-1]["next"] == ""
    certs = [x509.load_der_x509_certificate(base64.b64decode(r["cert"])) for r in roots]
    for i, j, where in ((0, 1, "next"), (1, 2, "next"), (1, 0, "prev"), (2, 1, "prev")):
        link = x509.load_der_x509_certificate(base64.b64decode(roots[i][where]))
        signed_by(link, certs[i])
        assert link.subject == certs[j].subject
        ski = x509.SubjectKeyIdentifier.from_public_key(link.public_key()).digest
        assert ski.hex() == roots[j]["SKI"]
    head = ask(vzd, vzd.roots_url, "HEAD")
    assert int(head.get("Content-Length") or 0) == len(ask(vzd, vzd.roots_url).body)


def ask_openssl(v: Vzd, f: dict[str, str], *more: str) -> str:
    where = ["-issuer", f["ca"], "-cert", f["signer"], "-url", v.ocsp_url]
    return openssl("ocsp", *more, *where, "-CAfile", f["root"], "-verify_other", f["between"])


def test_openssl_accepts_the_responder(vzd: Vzd, tmp_path: Path) -> None:
    f = files_of(vzd, tmp_path)
    text = ask_openssl(vzd, f, "-sha256")
    assert "Response verify OK" in text and "signer.pem: good" in text, text
    assert "Nonce" not in text, "the nonce came back"
    vzd.revoke_signer()
    assert "signer.pem: revoked" in ask_openssl(vzd, f)
    assert vzd.ocsp.asked[-1] == vzd.listing.signer("BP256R1").cert.serial_number


def test_a_responder_without_the_extended_usage(vzd: Vzd, tmp_path: Path) -> None:
    vzd.ocsp.extended = False
    f = files_of(vzd, tmp_path)
    text = ask_openssl(vzd, f)
    assert "Response Verify Failure" in text and "missing ocspsigning usage" in text
    assert "signer.pem: good" in text


def ask_ocsp(v: Vzd, how: str = "POST", cert: Issued | None = None) -> Any:
    issuer = v.pki.list_ca.issued.cert
    about = (cert or v.listing.signer("BP256R1")).cert
    builder = ocsp.OCSPRequestBuilder().add_certificate(about, issuer, hashes.SHA1())
    builder = builder.add_extension(x509.OCSPNonce(b"0123456789abcdef"), False)
    der = builder.build().public_bytes(serialization.Encoding.DER)
    if how == "GET":
        url = f"{v.ocsp_url}/{quote(base64.b64encode(der).decode(), safe='')}"
        a = ask(v, url, TI_User_Agent="SIMCLIENT/1.0.0")
    else:
        a = ask(v, v.ocsp_url, "POST", der, Content_Type="application/ocsp-request")
    assert (a.status, a.get("Content-Type")) == (200, "application/ocsp-response")
    return ocsp.load_der_ocsp_response(a.body)


def nonce_of(response: Any) -> bytes | None:
    for extension in response.extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            return bytes(extension.value.nonce)
    return None


@pytest.mark.parametrize("how", ["GET", "POST"])
def test_both_forms_of_ocsp(vzd: Vzd, how: str) -> None:
    response = ask_ocsp(vzd, how)
    assert response.certificate_status == ocsp.OCSPCertStatus.GOOD
    assert nonce_of(response) == b"0123456789abcdef"
    agent = "SIMCLIENT/1.0.0" if how == "GET" else None
    assert vzd.records.calls("ocsp")[-1].get("TI-User-Agent") == agent
    signer = response.certificates[0]
    key: Any = signer.public_key()
    der_hash = response.signature_hash_algorithm
    key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(der_hash))
    usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.content_commitment and not usage.digital_signature


OCSP_FAULTS: dict[str, Callable[[Any], bool]] = {
    "revoked": lambda r: r.certificate_status == ocsp.OCSPCertStatus.REVOKED,
    "unknown": lambda r: r.certificate_status == ocsp.OCSPCertStatus.UNKNOWN,
    "no-next-update": lambda r: r.next_update is None,
    "old": lambda r: r.next_update < r.produced_at,
    "future": lambda r: r.this_update > r.produced_at,
    "wrong-nonce": lambda r: nonce_of(r) not in (None, b"0123456789abcdef"),
    "try-later": lambda r: r.response_status == ocsp.OCSPResponseStatus.TRY_LATER,
    "foreign-signer": lambda r: "FOREIGN" in r.certificates[0].issuer.rfc4514_string(),
}


@pytest.mark.parametrize("fault", OCSP_FAULTS)
def test_faults_of_ocsp(vzd: Vzd, fault: str) -> None:
    with vzd.faults.during(f"ocsp:{fault}"):
        assert OCSP_FAULTS[fault](ask_ocsp(vzd))
    assert not OCSP_FAULTS[fault](ask_ocsp(vzd)), "switched off again"


def test_spoilt_ocsp_answers(vzd: Vzd, tmp_path: Path) -> None:
    f = files_of(vzd, tmp_path)
    with vzd.faults.during("ocsp:bad-signature"):
        assert "Response Verify Failure" in ask_openssl(vzd, f)
    with vzd.faults.during("ocsp:malformed"), pytest.raises(ValueError):
        ask_ocsp(vzd)
    assert "Response verify OK" in ask_openssl(vzd, f)


def test_a_responder_of_another_ca(vzd: Vzd) -> None:
    vzd.ocsp.own_ca = True
    signer = ask_ocsp(vzd).certificates[0]
    signed_by(signer, vzd.pki.ocsp_ca.issued.cert)
    signed_by(vzd.pki.ocsp_ca.issued.cert, vzd.pki.roots[-1].issued.cert)


def test_what_is_no_ocsp_request(vzd: Vzd) -> None:
    kind = "application/ocsp-request"
    assert ask(vzd, vzd.ocsp_url, "POST", b"{}", Content_Type="text/plain").status == 400
    assert ask(vzd, vzd.ocsp_url + "/!!").status == 400
    assert ask(vzd, vzd.ocsp_url).status == 405
    body = ask(vzd, vzd.ocsp_url, "POST", b"{}", Content_Type=kind).body
    answer = ocsp.load_der_ocsp_response(body)
    assert answer.response_status == ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    assert len(vzd.violations) == 4


def test_other_certificates_and_never_issued_ones(vzd: Vzd) -> None:
    with vzd.faults.during("ocsp:other-certificate"):
        assert ask_ocsp(vzd).serial_number != vzd.listing.signer("BP256R1").cert.serial_number
    never = vzd.pki.list_ca.issue("Never entered")
    assert ask_ocsp(vzd, cert=never).certificate_status == ocsp.OCSPCertStatus.UNKNOWN


def test_the_crl(vzd: Vzd) -> None:
    signer = vzd.listing.signer("BP256R1")
    points: Any = signer.cert.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    url = points[0].full_name[0].value
    serial = signer.cert.serial_number

    def crl() -> x509.CertificateRevocationList:
        return x509.load_der_x509_crl(ask(vzd, url).body)

    key: Any = vzd.pki.list_ca.issued.cert.public_key()
    assert crl().is_signature_valid(key)
    assert crl().get_revoked_certificate_by_serial_number(serial) is None
    vzd.revoke_signer()
    assert crl().get_revoked_certificate_by_serial_number(serial) is not None
