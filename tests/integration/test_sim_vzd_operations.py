# SPDX-License-Identifier: Apache-2.0
"""The simulated directory's other operations, its faults as they look on the wire, its program."""
from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request as Outgoing
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from sim import wire
from sim.pki import now
from sim.vzd import Vzd
from sim.vzd.faults import CONTENT
from sim.vzd.pki import VzdPki
from vzdclient import ask, ask_token, log_in, signed_by, signer_of, verify_list

TESTS = Path(__file__).resolve().parents[1]


PKI = VzdPki()


@pytest.fixture
def vzd() -> Iterator[Vzd]:
    with Vzd(domains=["foreign.example.org"], pki=PKI) as v:
        v.faults.delay = 0.3
        yield v


class Session:
    """Calls to the services with a token."""

    def __init__(self, v: Vzd) -> None:
        self.v, self.field = v, log_in(v)

    def __call__(self, method: str, path: str, value: Any = None) -> wire.Answer:
        fields = {"Authorization": self.field}
        body = None
        if value is not None:
            body = json.dumps(value).encode()
            fields["Content_Type"] = "application/json"
        return ask(self.v, self.v.services_url + path, method, body, **fields)


MEMBER = {"domain": "new.example.org", "telematikID": "1-TEST", "isInsurance": False}
INSURANCE = {**MEMBER, "isInsurance": True, "ik": ["109500969"]}


# Domain administration


def test_a_domain_comes_changes_and_goes(vzd: Vzd) -> None:
    """FD-5.2.2-5/-6/-9."""
    s = Session(vzd)
    assert s("POST", "/federation", MEMBER).json() == MEMBER
    assert "new.example.org" in vzd.directory.names() and vzd.directory.version == 2
    assert s("GET", "/federation").json() == [MEMBER]
    assert s("GET", "/federation?domain=new.example.org").json() == [MEMBER]
    assert s("PUT", "/federation/new.example.org", INSURANCE).json() == INSURANCE
    listed = verify_list(vzd, ask(vzd, vzd.list_url, Authorization=s.field).body)["domainList"]
    assert [d.get("ik") for d in listed] == [None, ["109500969"]]
    assert s("DELETE", "/federation/new.example.org").status == 204
    assert s("DELETE", "/federation/new.example.org").status == 404
    assert vzd.directory.version == 4 and vzd.violations == []


def held(v: Vzd) -> None:
    v.add("held.example.org", isInsurance=True, ik=["109500969"])


REFUSED: dict[str, tuple[str, str, Any, int]] = {
    "exists": ("POST", "/federation", {**MEMBER, "domain": "held.example.org"}, 409),
    "IK exists": ("POST", "/federation", INSURANCE, 409),
    "IK twice": ("POST", "/federation", {**INSURANCE, "ik": ["109500970", "109500970"]}, 409),
    "IK check digit": ("POST", "/federation", {**INSURANCE, "ik": ["109500968"]}, 400),
    "IK start": ("POST", "/federation", {**INSURANCE, "ik": ["209500969"]}, 400),
    "IK length": ("POST", "/federation", {**INSURANCE, "ik": ["10950096"]}, 400),
    "IK missing": ("POST", "/federation", {**INSURANCE, "ik": []}, 400),
    "IK without insurance": ("POST", "/federation", {**INSURANCE, "isInsurance": False}, 400),
    "inactive": ("POST", "/federation", {**MEMBER, "telematikID": "1-GONE"}, 400),
    "foreign PUT": (
        "PUT", "/federation/foreign.example.org", {**MEMBER, "domain": "foreign.example.org"}, 403
    ),
    "foreign DELETE": ("DELETE", "/federation/foreign.example.org", None, 403),
    "foreign GET": ("GET", "/federation?domain=foreign.example.org", None, 403),
    "unknown PUT": ("PUT", "/federation/new.example.org", MEMBER, 404),
    "unknown GET": ("GET", "/federation?domain=new.example.org", None, 404),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_state_may_refuse(vzd: Vzd, case: str) -> None:
    held(vzd)
    vzd.directory.inactive.add("1-GONE")
    before = vzd.directory.version
    method, path, value, status = REFUSED[case]
    a = Session(vzd)(method, path, value)
    assert a.status == status and a.json()["errors"][0]["attributeName"]
    assert vzd.violations == [] and vzd.directory.version == before


WRONG: dict[str, tuple[str, str, Any, int]] = {
    "other domain": ("PUT", "/federation/held.example.org", MEMBER, 400),
    "unknown member": ("POST", "/federation", {**MEMBER, "x": 1}, 400),
    "missing member": ("POST", "/federation", {"domain": "new.example.org"}, 400),
    "no boolean": ("POST", "/federation", {**MEMBER, "isInsurance": "no"}, 400),
    "no text": ("POST", "/federation", {**MEMBER, "domain": 7}, 400),
    "no array": ("POST", "/federation", {**INSURANCE, "ik": "109500969"}, 400),
    "no object": ("POST", "/federation", [], 400),
    "method": ("PATCH", "/federation", MEMBER, 405),
    "parameter": ("POST", "/federation?a=b", MEMBER, 400),
    "MXID with @": ("GET", "/localization?mxid=" + quote("matrix:u/@a:b.example"), None, 400),
    "MXID raw": ("GET", "/localization?mxid=" + quote("@a:b.example"), None, 400),
    "MXID old": ("GET", "/localization?mxid=" + quote("matrix:user/a:b.example"), None, 400),
    "no MXID": ("GET", "/localization", None, 400),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_client_may_send(vzd: Vzd, case: str) -> None:
    held(vzd)
    method, path, value, status = WRONG[case]
    assert Session(vzd)(method, path, value).status == status
    assert len(vzd.violations) == 1


def test_inactive_organisations_are_reported(vzd: Vzd) -> None:
    s = Session(vzd)
    vzd.add("held.example.org", telematikID="1-GONE")
    assert s("GET", "/federationCheck").status == 204
    vzd.directory.inactive.add("1-GONE")
    out = s("GET", "/federationCheck").json()["inactiveOrganizationDomains"]
    assert [d["domain"] for d in out] == ["held.example.org"]


def test_where_a_user_is(vzd: Vzd) -> None:
    vzd.localization.set("@anna:tim.praxis.example.org", "orgPract")
    s = Session(vzd)
    url = "/localization?mxid=" + quote("matrix:u/anna:tim.praxis.example.org", safe="")
    a = s("GET", url)
    assert (a.status, a.body) == (200, b'"orgPract"')
    assert s("GET", url.replace("anna", "bert")).status == 404
    vzd.localization.bare = True
    assert s("GET", url).body == b"orgPract" and vzd.violations == []


def test_information(vzd: Vzd) -> None:
    out = Session(vzd)("GET", "/").json()
    assert set(out) == {"title", "description", "version"} and out["version"] == "1.4.0"


def test_passport_certificates(vzd: Vzd) -> None:
    """FD-5.2.2-20: one, or several during a roll-over; each from the component PKI."""
    vzd.certificates.held.append(vzd.passport_signer())
    s = Session(vzd)
    pems = s("GET", "/PASSporTCertificates").json()["passportSigningCertificates"]
    assert len(pems) == 2
    for pem in pems:
        cert = x509.load_pem_x509_certificate(pem.encode())
        signed_by(cert, vzd.pki.passport_ca.issued.cert)
        public_key: Any = cert.public_key()
        assert public_key.curve.name == "secp256r1"
        assert cert.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    single = s("GET", "/PASSporTCertificate").json()
    assert single == {"passportSigningCertificate": pems[-1]}
    vzd.certificates.held.clear()
    assert s("GET", "/PASSporTCertificate").status == 404
    assert s("GET", "/PASSporTCertificates").json() == {"passportSigningCertificates": []}


# Faults


def list_of(v: Vzd, field: str) -> wire.Answer:
    return ask(v, v.list_url + "?version=0&sigAlg=BP256R1", Authorization=field)


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "500", "503"])
@pytest.mark.parametrize("step", ["token", "exchange", "list"])
def test_statuses_at_each_step(vzd: Vzd, step: str, status: str) -> None:
    requests: dict[str, Callable[[], wire.Answer]] = {
        "token": lambda: ask_token(vzd),
        "exchange": lambda: ask(vzd, vzd.exchange_url),
        "list": lambda: list_of(vzd, ""),
    }
    vzd.faults.on(f"{step}:{status}", times=1)
    a = requests[step]()
    assert a.status == int(status) and "message" in a.json() and vzd.violations == []
    vzd.records.wait(step)
    assert vzd.records.counts() == {step: 1} and vzd.faults.active == []


CUT = ["truncated", "reset", "reset-body", "hang", "slow-head", "oversized", "endless"]


@pytest.mark.parametrize("kind", CUT)
def test_what_is_no_answer(vzd: Vzd, kind: str) -> None:
    field = log_in(vzd)
    vzd.faults.on(f"list:{kind}")
    vzd.faults.oversize = 1 << 20
    began = time.monotonic()
    if kind == "slow-head":
        assert list_of(vzd, field).status == 200 and time.monotonic() - began >= 0.3
    elif kind == "oversized":
        assert len(list_of(vzd, field).body) == 1 << 20
    elif kind == "endless":
        assert count_at_least(vzd, field, 1 << 20)
    elif kind == "hang":
        with pytest.raises(TimeoutError):
            count_at_least(vzd, field, 1, timeout=0.3)
    else:
        with pytest.raises((wire.WireError, OSError)):
            list_of(vzd, field)
    vzd.faults.clear()
    assert list_of(vzd, field).status == 200


def count_at_least(v: Vzd, field: str, n: int, timeout: float = 15.0) -> bool:
    """Reads raw bytes until there are n of them; hangs up then."""
    port = int(v.url.rpartition(":")[2])
    tls = wire.tls_context(v.pki.web.pem)
    with wire.Connection(("127.0.0.1", port), tls, "localhost", timeout=timeout) as c:
        fields = {"Host": f"localhost:{port}", "Authorization": field}
        c.send(wire.request("GET", v.list_url.partition(str(port))[2], fields))
        got = 0
        while got < n:
            piece = c.sock.recv(65536)
            if not piece:
                return False
            got += len(piece)
    return True


def test_held_requests_wait(vzd: Vzd) -> None:
    field = log_in(vzd)
    answers: list[int] = []
    asking = [
        threading.Thread(target=lambda: answers.append(list_of(vzd, field).status))
        for _ in range(3)
    ]
    with vzd.faults.held("list"):
        for t in asking:
            t.start()
        vzd.records.wait("list", 3)
        assert answers == []
    for t in asking:
        t.join(15)
    assert answers == [200, 200, 200]


def test_slow_bodies(vzd: Vzd) -> None:
    vzd.listing.raw = b"x" * 8
    field = log_in(vzd)
    began = time.monotonic()
    with vzd.faults.during("list:slow-body"):
        assert list_of(vzd, field).body == b"x" * 8
    assert time.monotonic() - began > 0.3


SPOILT: dict[str, Callable[[wire.Answer], bool]] = {
    "redirect": lambda a: a.status == 302 and a.get("Location") is not None,
    "wrong-type": lambda a: a.get("Content-Type") == "text/html",
    "broken-json": lambda a: a.status == 200 and a.errcode is None and a.body[:1] == b"{",
    "empty": lambda a: a.status == 200 and a.body == b"",
}


@pytest.mark.parametrize("kind", SPOILT)
def test_spoilt_answers(vzd: Vzd, kind: str) -> None:
    field = log_in(vzd)
    assert not SPOILT[kind](list_of(vzd, field))
    vzd.faults.on(f"list:{kind}")
    assert SPOILT[kind](list_of(vzd, field))


@pytest.mark.parametrize("kind", CONTENT["list"])
def test_no_faulty_list_keeps_the_rules(vzd: Vzd, kind: str) -> None:
    field = log_in(vzd)
    verify_list(vzd, list_of(vzd, field).body)
    vzd.faults.on(f"list:{kind}")
    jws = list_of(vzd, field).body
    with pytest.raises(Exception):
        payload = verify_list(vzd, jws)
        assert "domainList" in payload and payload["version"] >= vzd.directory.version
        assert isinstance(signer_of(jws).public_key().curve, ec.BrainpoolP256R1)
        assert signer_of(jws).not_valid_after > now()


def test_a_lower_version_is_signed_properly(vzd: Vzd) -> None:
    vzd.directory.bump(9)
    s = Session(vzd)
    with vzd.faults.during("list:lower-version"):
        a = s("GET", "/FederationList/federationList.jws?version=9")
    assert verify_list(vzd, a.body)["version"] == 8


@pytest.mark.parametrize("kind", ["expired", "wrong-name", "foreign"])
def test_wrong_tls(vzd: Vzd, kind: str) -> None:
    assert ask_token(vzd).status == 200
    with vzd.faults.during(f"tls:{kind}"):
        with pytest.raises(ssl.SSLCertVerificationError):
            ask_token(vzd)
    assert ask_token(vzd).status == 200


def test_faults_of_downloads_and_certificates(vzd: Vzd) -> None:
    field, jws = log_in(vzd), vzd.listing.jws()
    for fault in ("roots:bad-cross", "roots:pinned-missing", "subca:other-ca", "subca:not-der"):
        with vzd.faults.during(fault), pytest.raises(Exception):
            verify_list(vzd, jws)
    verify_list(vzd, jws)
    with vzd.faults.during("roots:swapped"):
        roots = ask(vzd, vzd.roots_url).json()
        link = x509.load_der_x509_certificate(base64.b64decode(roots[0]["next"]))
        signed_by(link, vzd.pki.roots[1].issued.cert)
    url = vzd.services_url + "/PASSporTCertificates"
    for fault in ("certificates:not-pem", "certificates:foreign-signer"):
        with vzd.faults.during(fault), pytest.raises((ValueError, AssertionError)):
            pem = ask(vzd, url, Authorization=field).json()["passportSigningCertificates"][0]
            signed_by(x509.load_pem_x509_certificate(pem.encode()), vzd.pki.passport_ca.issued.cert)


def test_a_new_generation_of_roots() -> None:
    """A client with the old pin finds the new root through the cross certificate."""
    with Vzd(pki=VzdPki(1)) as v:
        verify_list(v, v.listing.jws())
        before = signer_of(v.listing.jws()).issuer
        v.new_generation()
        assert verify_list(v, v.listing.jws())["version"] == 2
        assert signer_of(v.listing.jws()).issuer != before
        assert len(ask(v, v.roots_url).json()) == 2


def test_unknown_faults_are_refused(vzd: Vzd) -> None:
    with pytest.raises(ValueError):
        vzd.faults.on("list:nonsense")


def test_down_and_up_again(vzd: Vzd) -> None:
    field, url = log_in(vzd), vzd.list_url
    vzd.down()
    with pytest.raises(OSError):
        list_of(vzd, field)
    vzd.up()
    assert vzd.list_url == url and list_of(vzd, field).status == 200
    assert vzd.records.count("list") == 1


# Program


def command(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sim.vzd", "--folder", str(folder), *words],
        cwd=TESTS, capture_output=True, text=True, timeout=30,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    words = ["--folder", str(tmp_path), "--domain", "a.example.org"]
    with subprocess.Popen(
        [sys.executable, "-m", "sim.vzd", *words], cwd=TESTS, stdout=subprocess.PIPE, text=True
    ) as p:
        assert p.stdout is not None and p.stdout.readline().startswith("VZD simulator ready")
        yield tmp_path
        p.terminate()
        assert p.wait(10) == 0
    assert "no simulator is running" in command(tmp_path, "status").stderr


def test_the_program(folder: Path) -> None:
    about = json.loads((folder / "vzd.json").read_text())
    for name in ("vzd.json", "client-secret"):
        assert (folder / name).stat().st_mode & 0o077 == 0
    tls = wire.tls_context(Path(about["tls_ca_file"]))
    host, _, port = about["url"].partition("//")[2].partition(":")
    with wire.Connection(("127.0.0.1", int(port)), tls, host) as c:
        assert c.ask("GET", "/ti-provider-authenticate", {"Host": f"{host}:{port}"}).status == 401
    assert "version 2" in command(folder, "add-domain", "b.example.org").stdout
    assert "version 3" in command(folder, "remove-domain", "a.example.org").stdout
    assert command(folder, "fault", "list:503", "on").returncode == 0
    text = command(folder, "status").stdout
    assert "b.example.org" in text and "a.example.org" not in text
    assert "list:503" in text and "exchange: no token" in text
    assert command(folder, "down").returncode == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)), 10)
    assert "down" in command(folder, "status").stdout
    assert about["url"] in command(folder, "up").stdout
    socket.create_connection(("127.0.0.1", int(port)), 10).close()
    control = f"http://127.0.0.1:{about['control']['port']}/"
    with pytest.raises(HTTPError, match="403"):
        urlopen(Outgoing(control, b'["status"]', {"Authorization": "Bearer x"}), timeout=10)
    for words in (["fault", "list:zzz", "on"], ["remove-domain", "x"], ["zzz"], ["status", "x"]):
        done = command(folder, *words)
        assert done.returncode == 1 and done.stderr.startswith("sim.vzd: ")
