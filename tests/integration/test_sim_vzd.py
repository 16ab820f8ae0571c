# SPDX-License-Identifier: Apache-2.0
"""The simulated directory keeps the published rules: tokens, lists, certificates, OCSP, strictness."""
from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.parse import quote, urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.x509 import ocsp

from sim import wire
from sim.pki import Issued
from sim.vzd import Vzd
from sim.vzd.auth import realm_key
from vzdclient import (
    FORM, ask, ask_token, basic, log_in, signed_by, signer_of, unb64, verify, verify_list
)

# The published test vector: payload version 7, one domain, own key, no x5c.
VECTOR = (
    b"eyJhbGciOiJCUDI1NlIxIiwidHlwIjoiSldUIn0.eyJ2ZXJzaW9uIjo3LCJkb21haW5MaXN0IjpbeyJkb21haW4iOiJ0"
    b"aW0ucHJheGlzLmV4YW1wbGUub3JnIiwidGVsZW1hdGlrSUQiOiIxLUVYQU1QTEUtMDAwMSIsImlzSW5zdXJhbmNlIjpm"
    b"YWxzZX1dfQ.pdkCThyVqM-x5gRdJCZt2YgPnCl4VMiSJ1RbeQNoxzcEUSqCu0d2W6-1LFDb3DwrclDMjtUFkhUERvQsSO"
    b"PYzg"
)
VECTOR_KEY = b"""-----BEGIN PUBLIC KEY-----
MFowFAYHKoZIzj0CAQYJKyQDAwIIAQEHA0IABFDDVqgdGFxL+aArTHS4ecvk7VB/
NmjLIy96Yic9db/nHGRe14V2RVKkNQ8TaDnQiMkHiIpjRZzasHXrfghjJsw=
-----END PUBLIC KEY-----
"""
NAMES = ["tim.praxis.example.org", "tim.klinik.example.org"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Vzd]:
    with Vzd(domains=NAMES) as v:
        yield v


@pytest.fixture
def vzd(shared: Vzd) -> Iterator[Vzd]:
    shared.records.forget()
    yield shared
    shared.faults.clear()
    shared.ocsp.states.clear()
    shared.ocsp.extended = False


@pytest.fixture
def own() -> Iterator[Vzd]:
    with Vzd(domains=NAMES) as v:
        yield v


def claims(token: str) -> dict[str, Any]:
    return dict(json.loads(unb64(token.split(".")[1])))


# Tokens


def test_keycloak_gives_a_token(vzd: Vzd) -> None:
    """FD-5.2.2-7: client credentials at the realm of the providers."""
    a = ask_token(vzd)
    out = a.json()
    assert a.status == 200 and a.get("Cache-Control") == "no-store"
    assert set(out) == set(
        "access_token expires_in refresh_expires_in refresh_token token_type not-before-policy "
        "session_state scope".split()
    )
    assert (out["expires_in"], out["refresh_expires_in"], out["token_type"]) == (300, 1800, "Bearer")
    assert "ti-provider" in out["scope"].split()
    head, payload, signature = out["access_token"].split(".")
    assert json.loads(unb64(head))["alg"] == "RS256"
    key = realm_key().public_key()
    signed = f"{head}.{payload}".encode()
    key.verify(unb64(signature), signed, padding.PKCS1v15(), hashes.SHA256())
    said = claims(out["access_token"])
    assert said["clientId"] == vzd.client and said["exp"] - said["iat"] == 300
    assert vzd.violations == []


def test_credentials_may_be_in_the_form(vzd: Vzd) -> None:
    form = {
        "grant_type": "client_credentials",
        "client_id": vzd.client,
        "client_secret": vzd.secret,
    }
    a = ask(vzd, vzd.token_url, "POST", urlencode(form).encode(), Content_Type=FORM)
    assert a.status == 200 and vzd.violations == []


def test_basic_is_form_encoded(own: Vzd) -> None:
    own.secret = own.auth.add_client(own.client, "a:b+c%20 ü&=")
    assert ask_token(own).status == 200


@pytest.mark.parametrize("alg", ["BP256R1", "ES256"])
def test_the_exchange(own: Vzd, alg: str) -> None:
    own.auth.alg = alg
    first = ask_token(own).json()["access_token"]
    out = ask(own, own.exchange_url, Authorization=f"Bearer {first}").json()
    assert set(out) == {"access_token", "client_id", "token_type", "expires_in"}
    assert out["expires_in"] == 86400 and out["client_id"] == own.client
    token = out["access_token"].encode()
    header, said = verify(token, signer_of(token).public_key())
    assert header["alg"] == alg and said["exp"] - said["iat"] == 86400
    assert said["iss"] == own.exchange_url and said["aud"] == own.services_url
    assert said["sub"] == said["clientId"] == own.client


def test_the_exchange_of_2022(own: Vzd) -> None:
    own.auth.field, own.auth.token_type = "jwt", "bearer"
    first = ask_token(own).json()
    assert first["token_type"] == "bearer"
    out = ask(own, own.exchange_url, Authorization=f"Bearer {first['access_token']}").json()
    assert "access_token" not in out
    assert ask(own, own.list_url, Authorization=f"Bearer {out['jwt']}").status == 200


def test_the_single_step_of_2021(vzd: Vzd) -> None:
    out = ask_token(vzd, vzd.one_step_url).json()
    said = claims(out["access_token"])
    assert out["expires_in"] == said["exp"] - said["iat"] == 1800
    assert said["scope"] == "tim-provider-services" and said["sub"] == vzd.client
    assert ask(vzd, vzd.list_url, Authorization=f"Bearer {out['access_token']}").status == 200


@pytest.mark.parametrize("how", ["revoke_all", "expire_all"])
def test_tokens_end(own: Vzd, how: str) -> None:
    """FD-5.2.2-12: a 401 asks for OAuth; the client did nothing wrong."""
    field = log_in(own)
    assert ask(own, own.list_url, Authorization=field).status == 200
    getattr(own.auth, how)()
    a = ask(own, own.list_url, Authorization=field)
    assert (a.status, a.get("WWW-Authenticate")) == (401, "OAuth")
    assert "message" in a.json() and own.violations == []


def test_an_expired_token_is_not_used(own: Vzd) -> None:
    own.auth.lifetime = -10
    assert ask(own, own.list_url, Authorization=log_in(own)).status == 401
    assert own.violations == ["list: the token has expired"]


@pytest.mark.parametrize(
    "wrong, status, error",
    [
        ({"client_id": "nobody", "client_secret": "x"}, 401, "invalid_client"),
        ({"client_id": "tim-provider-1", "client_secret": "x"}, 401, "unauthorized_client"),
        ({}, 401, "invalid_client"),
        ({"client_id": "tim-provider-1"}, 401, "invalid_client"),
    ],
)
def test_wrong_clients(vzd: Vzd, wrong: dict[str, str], status: int, error: str) -> None:
    form = urlencode({"grant_type": "client_credentials", **wrong}).encode()
    a = ask(vzd, vzd.token_url, "POST", form, Content_Type=FORM)
    assert (a.status, a.json()["error"]) == (status, error)
    assert a.json()["error_description"] == "Invalid client or Invalid client credentials"


TOKEN_FAULTS: dict[str, tuple[Callable[[Vzd], wire.Answer], int, str]] = {
    "GET": (lambda v: ask(v, v.token_url), 405, "HTTP 405 Method Not Allowed"),
    "JSON": (
        lambda v: ask(v, v.token_url, "POST", b"{}", Content_Type="application/json"),
        415,
        "HTTP 415 Unsupported Media Type",
    ),
    "no grant type": (
        lambda v: ask(
            v, v.token_url, "POST", b"scope=x", Content_Type=FORM, Authorization=basic(v)
        ),
        400,
        "invalid_request",
    ),
    "other grant type": (
        lambda v: ask_token(v, grant_type="password"), 400, "unsupported_grant_type"
    ),
    "in the URL": (lambda v: ask_token(v, v.token_url + "?a=b"), 400, "invalid_request"),
    "unknown member": (lambda v: ask_token(v, user="x"), 400, "invalid_request"),
    "both ways": (
        lambda v: ask_token(v, client_id=v.client, client_secret=v.secret), 400, "invalid_request"
    ),
    "twice": (
        lambda v: ask(
            v, v.token_url, "POST", b"grant_type=a&grant_type=a", Content_Type=FORM,
            Authorization=basic(v),
        ),
        400,
        "invalid_request",
    ),
}


@pytest.mark.parametrize("fault", TOKEN_FAULTS)
def test_the_token_endpoint_is_strict(vzd: Vzd, fault: str) -> None:
    request, status, error = TOKEN_FAULTS[fault]
    a = request(vzd)
    assert (a.status, a.json()["error"]) == (status, error)
    assert len(vzd.violations) == 1 and vzd.violations[0].startswith("token: ")


# The list


@pytest.mark.parametrize("alg", ["", "BP256R1", "ES256"])
def test_the_list_holds(vzd: Vzd, alg: str) -> None:
    """FD-5.2.2-10/-13: signed for the algorithm asked for, its chain leads to the pinned root."""
    url = vzd.list_url + (f"?sigAlg={alg}" if alg else "")
    a = ask(vzd, url, Authorization=log_in(vzd))
    assert (a.status, a.get("Content-Type")) == (200, "application/octet-stream")
    header = json.loads(unb64(a.body.split(b".")[0].decode()))
    assert list(header) == ["alg", "x5c", "typ"] and len(header["x5c"]) == 1
    assert header["alg"] == (alg or "BP256R1")
    payload = verify_list(vzd, a.body)
    assert payload["version"] == vzd.directory.version
    assert [d["domain"] for d in payload["domainList"]] == NAMES
    assert vzd.violations == []


def test_the_published_vector_verifies() -> None:
    key = serialization.load_pem_public_key(VECTOR_KEY)
    header, payload = verify(VECTOR, key)
    assert header == {"alg": "BP256R1", "typ": "JWT"} and payload["version"] == 7
    with pytest.raises(Exception):
        verify(VECTOR[:-4] + b"AAAA", key)


def test_versions(own: Vzd) -> None:
    field = log_in(own)

    def status(version: int) -> int:
        return ask(own, f"{own.list_url}?version={version}", Authorization=field).status

    assert [status(0), status(1), status(2)] == [200, 204, 204]
    assert own.add("new.example.org") == 2
    assert [status(1), status(2)] == [200, 204]
    held = ask(own, own.list_url, Authorization=field).body
    assert ask(own, own.list_url, Authorization=field).body == held, "same version, same bytes"
    own.remove("new.example.org")
    assert verify_list(own, ask(own, own.list_url, Authorization=field).body)["version"] == 3


def sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


ENTRIES: dict[str, Callable[[list[Any]], bool]] = {
    "1.0.0": lambda e: e[0] == sha(NAMES[0]),
    "1.0.2": lambda e: e[0] == sha(NAMES[0]),
    "1.1.3": lambda e: e[0] == {"domain": sha(NAMES[0]), "isInsurance": False},
    "1.1.5": lambda e: e[0] == {"domain": sha(NAMES[0]), "isInsurance": False},
    "1.2.0": lambda e: set(e[0]) == {"domain", "telematikID", "isInsurance"},
    "1.3.0": lambda e: set(e[0]) == {"domain", "telematikID", "isInsurance"},
    "1.3.2": lambda e: e[2]["ikNumbers"] == [109500969] and "timProvider" in e[0],
    "1.3.5": lambda e: e[2]["iks"] == [109500969],
    "1.3.8": lambda e: e[2]["iks"] == ["109500969"],
    "1.4.0": lambda e: e[2]["ik"] == ["109500969"] and e[0]["timAnbieter"] is None,
}


@pytest.mark.parametrize("api", ENTRIES)
def test_every_historic_form(own: Vzd, api: str) -> None:
    """FD-5.2.2-11: each version of the interface has its own path and form."""
    own.add("versicherte.example.org", isInsurance=True, ik=["109500969"])
    own.speak(api)
    field = log_in(own)
    a = ask(own, own.list_url, Authorization=field)
    assert a.status == 200
    payload = verify_list(own, a.body) if own.list_url.endswith(".jws") else a.json()
    assert ENTRIES[api](payload["domainList"])
    hashed = api < "1.3" and api != "1.0.0"
    assert payload.get("hashAlgorithm", "").lower().replace("-", "") == "sha256" * hashed
    newest = "/FederationList/federationList.jws"
    if not own.list_url.endswith(newest):
        assert ask(own, own.services_url + newest, Authorization=field).status == 404


@pytest.mark.parametrize("how", ["chain", "lines", "none", "public-key"])
def test_what_x5c_may_hold(own: Vzd, how: str) -> None:
    own.listing.form = dataclasses.replace(own.listing.form, x5c=how)
    jws = ask(own, own.list_url, Authorization=log_in(own)).body
    header = json.loads(unb64(jws.split(b".")[0].decode()))
    if how == "chain":
        first, second = (x509.load_der_x509_certificate(base64.b64decode(x)) for x in header["x5c"])
        signed_by(first, second)
        verify_list(own, jws)
    elif how == "lines":
        assert "\n" in header["x5c"][0]
    elif how == "none":
        assert "x5c" not in header
        verify(jws, own.listing.signer("BP256R1").cert.public_key())
    else:
        key = serialization.load_der_public_key(base64.b64decode(header["x5c"][0]))
        verify(jws, key)


@pytest.mark.parametrize("how", ["protected", "header"])
def test_the_json_serialisation(own: Vzd, how: str) -> None:
    own.listing.form = dataclasses.replace(own.listing.form, general=how)
    out = ask(own, own.list_url, Authorization=log_in(own)).json()
    one = out["signatures"][0]
    assert set(one) == {how, "signature"}
    if how == "protected":
        jws = ".".join((one["protected"], out["payload"], one["signature"]))
        assert verify_list(own, jws.encode())["version"] == 1
    else:
        assert one["header"]["alg"] == "BP256R1"


LIST_FAULTS: dict[str, tuple[Callable[[Vzd, str], wire.Answer], int]] = {
    "no token": (lambda v, f: ask(v, v.list_url), 401),
    "foreign token": (lambda v, f: ask(v, v.list_url, Authorization=f + "x"), 401),
    "scheme": (lambda v, f: ask(v, v.list_url, Authorization=f.replace("Bearer", "bearer")), 401),
    "first step": (
        lambda v, f: ask(
            v, v.list_url, Authorization="Bearer " + ask_token(v).json()["access_token"]
        ),
        401,
    ),
    "last step": (lambda v, f: ask(v, v.exchange_url, Authorization=f), 401),
    "method": (lambda v, f: ask(v, v.list_url, "POST", b"", Authorization=f), 405),
    "token in the URL": (lambda v, f: ask(v, v.list_url + "?access_token=" + f[7:]), 400),
    "token as version": (
        lambda v, f: ask(v, v.list_url + "?version=" + f[7:], Authorization=f), 400
    ),
    "unknown parameter": (lambda v, f: ask(v, v.list_url + "?v=1", Authorization=f), 400),
    "parameter twice": (
        lambda v, f: ask(v, v.list_url + "?version=1&version=1", Authorization=f), 400
    ),
    "version": (lambda v, f: ask(v, v.list_url + "?version=-1", Authorization=f), 400),
    "no version": (lambda v, f: ask(v, v.list_url + "?version=", Authorization=f), 400),
    "sigAlg": (lambda v, f: ask(v, v.list_url + "?sigAlg=RS256", Authorization=f), 400),
    "body": (lambda v, f: ask(v, v.list_url, "GET", b"x", Authorization=f), 400),
    "host": (lambda v, f: ask(v, v.list_url, Host="other.example", Authorization=f), 400),
    "path": (lambda v, f: ask(v, v.services_url + "/FederationLists", Authorization=f), 404),
    "outside": (lambda v, f: ask(v, v.url + "/elsewhere", Authorization=f), 404),
}


@pytest.mark.parametrize("fault", LIST_FAULTS)
def test_the_services_are_strict(vzd: Vzd, fault: str) -> None:
    field = log_in(vzd)
    request, status = LIST_FAULTS[fault]
    a = request(vzd, field)
    assert a.status == status and "message" in a.json()
    assert (a.get("WWW-Authenticate") == "OAuth") == (status == 401)
    assert len(vzd.violations) == 1


# Trust space and OCSP


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
    vzd.ocsp.extended = True
    f = files_of(vzd, tmp_path)
    text = ask_openssl(vzd, f, "-sha256")
    assert "Response verify OK" in text and "signer.pem: good" in text, text
    assert "Nonce" not in text, "the nonce came back"
    vzd.revoke_signer()
    assert "signer.pem: revoked" in ask_openssl(vzd, f)
    assert vzd.ocsp.asked[-1] == vzd.listing.signer("BP256R1").cert.serial_number


def test_the_responder_has_the_usage_of_gematik(vzd: Vzd, tmp_path: Path) -> None:
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
    vzd.ocsp.extended = True
    f = files_of(vzd, tmp_path)
    with vzd.faults.during("ocsp:bad-signature"):
        assert "Response Verify Failure" in ask_openssl(vzd, f)
    with vzd.faults.during("ocsp:malformed"), pytest.raises(ValueError):
        ask_ocsp(vzd)
    assert "Response verify OK" in ask_openssl(vzd, f)


def test_a_responder_of_another_ca(own: Vzd) -> None:
    own.ocsp.own_ca = True
    signer = ask_ocsp(own).certificates[0]
    signed_by(signer, own.pki.ocsp_ca.issued.cert)
    signed_by(own.pki.ocsp_ca.issued.cert, own.pki.roots[-1].issued.cert)


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
