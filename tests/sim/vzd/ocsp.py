# SPDX-License-Identifier: Apache-2.0
"""OCSP responder (POST and GET) and CRLs for every CA of a VzdPki, over plain HTTP.

The responder's certificate is of the kind that gematik and ISIS-MTT know: keyUsage nonRepudiation
only, extended usage OCSPSigning (without it if `extended` is false).
"""
from __future__ import annotations

import base64
import binascii
import datetime
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp

from ..pki import Authority, Issued, now, ocsp_good
from .faults import Faults
from .message import Answer, Refused, Request, media_type, wrong
from .pki import VzdPki, common_name, key_id

PATH, CRLS = "/ocsp", "/crl/"
ASKS, ANSWERS, CRL = "application/ocsp-request", "application/ocsp-response", "application/pkix-crl"
STATES = ("good", "revoked", "unknown")


class Ocsp:
    """`states` has the serial numbers that are not good; numbers never issued are unknown."""

    def __init__(self, pki: VzdPki, faults: Faults) -> None:
        self.states: dict[int, str] = {}
        self.extended = True
        self.own_ca = False  # the responder's certificate is from another CA below the same root
        self.echo_nonce = True
        self.lifetime: float | None = 3600.0  # seconds to nextUpdate; None: there is none
        self.asked: list[int] = []  # serial numbers
        self._pki, self._faults = pki, faults
        self._responders: dict[Any, Issued] = {}

    def set(self, cert: Issued, state: str) -> None:
        if state not in STATES:
            raise ValueError(state)
        self.states[cert.cert.serial_number] = state

    def find(self, request: Request) -> tuple[str, Any] | None:
        if request.path == PATH or request.path.startswith(PATH + "/"):
            return "ocsp", self.answer
        return ("crl", self.crl) if request.path.startswith(CRLS) else None

    # OCSP

    def answer(self, request: Request) -> Answer:
        asked = self._request(request)
        self.asked.append(asked.serial_number)
        if self._faults.take("ocsp", "malformed"):
            return Answer(200, b"\x30\x82not an answer", ANSWERS)
        if self._faults.take("ocsp", "try-later"):
            return _unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
        issuer = self._issuer(asked)
        if issuer is None:
            return _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        return Answer(200, self._response(asked, issuer), ANSWERS)

    def _request(self, request: Request) -> ocsp.OCSPRequest:
        if request.query:
            raise wrong(400, "parameters in the URL")
        if request.method == "POST" and request.path == PATH:
            if media_type(request.get("Content-Type")) != ASKS:
                raise wrong(400, f"the body is not declared as {ASKS}")
            der = request.raw.content
        elif request.method == "GET" and len(request.path) > len(PATH) + 1:
            try:
                der = base64.b64decode(unquote(request.path[len(PATH) + 1 :]), validate=True)
            except (ValueError, binascii.Error):
                raise wrong(400, "the path is no base64") from None
        else:
            raise wrong(405, f"{request.method} is not allowed here", "", ("Allow", "GET, POST"))
        try:
            return ocsp.load_der_ocsp_request(der)
        except (ValueError, NotImplementedError):
            answer = _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
            raise Refused(answer, "not an OCSP request for one certificate") from None

    def _issuer(self, asked: ocsp.OCSPRequest) -> Authority | None:
        for ca in self._pki.authorities():
            if _key_hash(ca, asked.hash_algorithm) == asked.issuer_key_hash:
                return ca
        return None

    def _response(self, asked: ocsp.OCSPRequest, issuer: Authority) -> bytes:
        take = self._faults.take
        known = self._pki.issued.get(asked.serial_number)
        state = self.states.get(asked.serial_number, "good" if known else "unknown")
        state = next((s for s in ("revoked", "unknown") if take("ocsp", s)), state)
        number = asked.serial_number
        if take("ocsp", "other-certificate"):
            number = x509.random_serial_number()
        starts, lasts = self._dates()
        der = ocsp_good(
            _about(number, issuer),
            issuer,
            status=state,
            signer=self._responder(issuer),
            starts=starts,
            lasts=lasts,
            algorithm=asked.hash_algorithm,
            nonce=self._nonce(asked),
        )
        return der[:-1] + bytes([der[-1] ^ 1]) if take("ocsp", "bad-signature") else der

    def _dates(self) -> tuple[float, float | None]:
        """thisUpdate in seconds from now, and the time from there to nextUpdate."""
        take = self._faults.take
        starts, lasts = -60.0, None if self.lifetime is None else self.lifetime + 60.0
        if take("ocsp", "old"):
            starts, lasts = -7200.0, 3600.0
        if take("ocsp", "future"):
            starts, lasts = 3600.0, 3600.0
        return starts, None if take("ocsp", "no-next-update") else lasts

    def _nonce(self, asked: ocsp.OCSPRequest) -> bytes | None:
        try:
            sent = asked.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        except x509.ExtensionNotFound:
            return None
        if self._faults.take("ocsp", "wrong-nonce"):
            return bytes(b ^ 0xFF for b in sent)
        return sent if self.echo_nonce else None

    def _responder(self, issuer: Authority) -> Issued:
        foreign = self._faults.take("ocsp", "foreign-signer")
        ca = self._pki.foreign if foreign else self._pki.ocsp_ca if self.own_ca else issuer
        key = (common_name(ca.issued.cert), self.extended)
        if key not in self._responders:
            self._responders[key] = ca.issue(
                f"SIM OCSP signer of {key[0]}",
                kind="bp256",
                usage="content_commitment",
                responder=self.extended,
            )
        return self._responders[key]

    # CRL

    def crl(self, request: Request) -> Answer:
        """GET /crl/<subject key identifier in hex>.crl."""
        request.parameters()
        if request.method != "GET":
            raise wrong(405, f"{request.method} is not allowed here", "", ("Allow", "GET"))
        name = request.path[len(CRLS) :]
        for ca in self._pki.authorities():
            if name == key_id(ca.issued.cert).hex() + ".crl":
                return Answer(200, self._crl(ca), CRL)
        raise wrong(404, "no such CRL")

    def _crl(self, ca: Authority) -> bytes:
        day = datetime.timedelta(days=1)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(ca.issued.cert.subject)
            .last_update(now() - day)
            .next_update(now() + day)
        )
        for number, state in self.states.items():
            if state == "revoked" and self._pki.issued[number][1] is ca:
                revoked = x509.RevokedCertificateBuilder().serial_number(number)
                builder = builder.add_revoked_certificate(revoked.revocation_date(now()).build())
        return builder.sign(ca.issued.key, hashes.SHA256()).public_bytes(Encoding.DER)


def crl_path(ca: Authority) -> str:
    return f"{CRLS}{key_id(ca.issued.cert).hex()}.crl"


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> Answer:
    response = ocsp.OCSPResponseBuilder.build_unsuccessful(status)
    return Answer(200, response.public_bytes(Encoding.DER), ANSWERS)


def _key_hash(ca: Authority, algorithm: hashes.HashAlgorithm) -> bytes:
    key = ca.issued.cert.public_key()
    digest = hashes.Hash(algorithm)
    digest.update(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    return digest.finalize()


def _about(number: int, issuer: Authority) -> Issued:
    """A certificate with this serial number; the answer takes only number and issuer from it."""
    key = issuer.issued.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(issuer.issued.cert.subject)
        .issuer_name(issuer.issued.cert.subject)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(now())
        .not_valid_after(now() + datetime.timedelta(days=1))
    )
    return Issued(builder.sign(key, hashes.SHA256()), key)
