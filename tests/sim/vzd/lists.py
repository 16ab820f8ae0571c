# SPDX-License-Identifier: Apache-2.0
"""Federation lists in every form the interface ever had, unsigned or as JWS.

A `Form` says how a list looks; `FORMS` has the one of each version of the interface.
"""
from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from typing import Any, Iterable

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .. import b64, fedlist
from ..pki import Issued

SIG_ALGS = ("BP256R1", "ES256")


@dataclass
class Domain:
    """A member of the federation; `owner` is the provider who entered it."""

    domain: str
    telematikID: str = "1-SIM-0001"
    isInsurance: bool = False
    ik: list[str] = field(default_factory=list)
    redirectDomains: list[str] = field(default_factory=list)
    timAnbieter: str | None = None
    owner: str = ""

    def public(self) -> dict[str, Any]:
        """As the operations on /federation show it."""
        out: dict[str, Any] = {
            "domain": self.domain,
            "telematikID": self.telematikID,
            "isInsurance": self.isInsurance,
        }
        if self.ik:
            out["ik"] = self.ik
        if self.redirectDomains:
            out["redirectDomains"] = self.redirectDomains
        if self.timAnbieter is not None:
            out["timAnbieter"] = self.timAnbieter
        return out


@dataclass(frozen=True)
class Form:
    """How a list looks on the wire."""

    path: str = "/FederationList/federationList.jws"
    strings: bool = False  # entries are strings instead of objects
    encoding: str = "plain"  # or hex, HEX, base64, base64url: the SHA-256 of the name
    hash_name: str | None = None  # hashAlgorithm
    telematik_id: bool = True
    ik: str | None = "ik"  # or iks, ikNumbers
    ik_numbers: bool = False  # as integers
    provider: str | None = "timAnbieter"  # or timProvider
    provider_null: bool = True  # null when there is none, instead of no member
    general: str = ""  # JSON serialisation with a "protected" or an unprotected "header"
    x5c: str = "signer"  # chain, lines (line feeds inside), public-key, none
    default_alg: str = "BP256R1"
    choice: bool = True  # knows the query parameter sigAlg
    lifetime: int | None = None  # seconds between iat and exp, None: neither

    @property
    def signed(self) -> bool:
        return self.path.endswith(".jws")


CURRENT = Form()
_PLAIN = replace(CURRENT, provider=None, ik=None, choice=False)
_SIGNED_HASH = replace(_PLAIN, encoding="hex", hash_name="sha256", default_alg="ES256")
_OBJECTS = replace(_SIGNED_HASH, path="/FederationList", hash_name="SHA-256", telematik_id=False)
_JSON = replace(_OBJECTS, path="/FederationList/federationList.json")
_STRINGS = replace(_OBJECTS, strings=True)
_IK = replace(_PLAIN, provider="timProvider", ik="iks", ik_numbers=True)
FORMS = {
    "1.0.0": replace(_STRINGS, hash_name=None),
    "1.0.1": _STRINGS,
    "1.0.2": _STRINGS,
    "1.1.0": _STRINGS,
    "1.1.1": _STRINGS,
    "1.1.2": _OBJECTS,
    "1.1.3": _OBJECTS,
    "1.1.4": _JSON,
    "1.1.5": _JSON,
    "1.2.0": _SIGNED_HASH,
    "1.3.0": _PLAIN,
    "1.3.2": replace(_IK, ik="ikNumbers"),
    "1.3.3": _IK,
    "1.3.5": replace(_IK, choice=True),
    "1.3.6": replace(_IK, choice=True),
    "1.3.8": replace(_IK, ik_numbers=False, choice=True),
    "1.3.9": replace(_IK, ik="ik", ik_numbers=False, choice=True),
    "1.4.0": CURRENT,
}


def payload(form: Form, version: int, domains: Iterable[Domain], at: float = 0) -> dict[str, Any]:
    """The list before it is signed; `at` is the time of issue when the form is dated."""
    out: dict[str, Any] = {"version": version}
    if form.hash_name is not None:
        out["hashAlgorithm"] = form.hash_name
    if form.lifetime is not None:
        out |= {"iat": int(at), "exp": int(at) + form.lifetime}
    return {**out, "domainList": [_entry(form, d) for d in domains]}


def _entry(form: Form, d: Domain) -> Any:
    name = d.domain if form.encoding == "plain" else fedlist.digest(d.domain, form.encoding)
    if form.strings:
        return name
    out: dict[str, Any] = {"domain": name}
    if form.telematik_id:
        out["telematikID"] = d.telematikID
    if form.provider and (d.timAnbieter is not None or form.provider_null):
        out[form.provider] = d.timAnbieter
    out["isInsurance"] = d.isInsurance
    if form.ik and d.isInsurance:
        out[form.ik] = [int(n) for n in d.ik] if form.ik_numbers else d.ik
    return out


def sign(form: Form, text: bytes, signer: Issued, alg: str | None = None) -> bytes:
    """The list as the file federationList.jws; `alg` may be wrong for the key."""
    x5c, extra = [signer.der], {}
    if form.x5c == "chain":
        x5c += [c.public_bytes(Encoding.DER) for c in signer.chain]
    elif form.x5c == "public-key":
        key = signer.key.public_key()
        x5c = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    elif form.x5c == "lines":
        extra["x5c"] = [base64.encodebytes(x).decode() for x in x5c]
    jws = fedlist.sign(text, signer, alg=alg, x5c=x5c, header=extra)
    if form.x5c == "none":
        jws = _without_x5c(jws, text, signer)
    return _general(jws, form.general, signer) if form.general else jws


def _without_x5c(jws: bytes, text: bytes, signer: Issued) -> bytes:
    alg = _header(jws)["alg"]
    return b64.compact(b64.plain_json({"alg": alg, "typ": "JWT"}), text, signer.key)


def _header(jws: bytes) -> dict[str, Any]:
    head = jws.split(b".")[0]
    return dict(json.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))))


def _general(jws: bytes, how: str, signer: Issued) -> bytes:
    """The general JSON serialisation; with "header" nothing protects the algorithm."""
    head, text, signature = jws.decode().split(".")
    one: dict[str, Any] = {"protected": head, "signature": signature}
    if how == "header":
        raw = b64.raw_signature(signer.key, b"." + text.encode())
        one = {"header": _header(jws), "signature": b64.url(raw).decode()}
    return b64.plain_json({"payload": text, "signatures": [one]})


def ik_fault(number: Any) -> str:
    """What is wrong with an institution code, empty when it is sound."""
    if not isinstance(number, str) or len(number) != 9 or not number.isdigit():
        return "an IK has nine digits"
    if number[:2] not in ("10", "16", "95"):
        return "an IK begins with 10, 16 or 95"
    return "" if _check_digit(number) == number[8] else "the check digit of the IK is wrong"


def make_ik(number: int) -> str:
    """A sound IK, another one for each number."""
    digits = f"10{number:06}"
    return digits + _check_digit(digits)


def _check_digit(number: str) -> str:
    products = (int(d) * (2 - i % 2) for i, d in enumerate(number[2:8]))
    return str(sum(p - 9 if p > 9 else p for p in products) % 10)
