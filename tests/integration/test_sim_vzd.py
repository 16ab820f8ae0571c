# SPDX-License-Identifier: Apache-2.0
"""The simulated directory keeps the published rules: tokens, every form of the list, strictness."""
from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from typing import Any, Callable, Iterator
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from sim import wire
from sim.vzd import Vzd
from sim.vzd.auth import realm_key
from vzdclient import (
    FORM,
    ask,
    ask_token,
    basic,
    log_in,
    signed_by,
    signer_of,
    unb64,
    verify,
    verify_list,
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
    assert (out["expires_in"], out["refresh_expires_in"]) == (300, 1800)
    assert out["token_type"] == "Bearer"
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
