# SPDX-License-Identifier: Apache-2.0
"""The directory's PKI: brainpool roots in generations, component CAs, list and PASSporT signers.

Shaped as gematik's: `roots.json` links neighbouring roots by cross certificates, the certificate of
a CA is found by its common name, the list signer holds the role of the directory.
"""
from __future__ import annotations

import base64
from functools import cached_property
from typing import Any, Iterator
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from ..pki import ROLE_DIRECTORY, Authority, Issued

POLICIES = ("1.2.276.0.76.4.163", "1.2.276.0.76.4.203")
LIST_SIGNER = "VZD-FHIR-FList-Signer"
Extensions = list[x509.ExtensionType]


def common_name(cert: x509.Certificate) -> str:
    return str(cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def key_id(cert: x509.Certificate) -> bytes:
    """Equal to the extension; not taken from there, for two threads may not parse it at once."""
    key: Any = cert.public_key()
    return x509.SubjectKeyIdentifier.from_public_key(key).digest


def base64_der(cert: x509.Certificate) -> str:
    return base64.b64encode(cert.public_bytes(Encoding.DER)).decode()


class VzdPki:
    """Roots from the oldest to the newest; the CAs below the newest one."""

    def __init__(self, generations: int = 3) -> None:
        self.roots: list[Authority] = []
        self.cas: list[Authority] = []
        self.issued: dict[int, tuple[Issued, Authority]] = {}  # by serial number
        for _ in range(generations):
            self.add_root()
        self.list_ca = self.add_ca("SIM.KOMP-CA50 TEST-ONLY")
        self.passport_ca = self.add_ca("SIM.KOMP-CA54 TEST-ONLY")

    def add_root(self) -> Authority:
        """A further generation, the newest."""
        self.roots.append(Authority.root(f"SIM.RCA{len(self.roots) + 1} TEST-ONLY", "bp256"))
        return self.roots[-1]

    def add_ca(self, name: str) -> Authority:
        """A CA below the newest root."""
        ca = self.roots[-1].intermediate(name, "bp256")
        self.cas.append(ca)
        self.issued[ca.issued.cert.serial_number] = (ca.issued, self.roots[-1])
        return ca

    @cached_property
    def foreign(self) -> Authority:
        """A CA below a root that is in no roots.json."""
        return Authority.root("SIM.RCA9 FOREIGN", "bp256").intermediate("SIM.CA9 FOREIGN", "bp256")

    @cached_property
    def ocsp_ca(self) -> Authority:
        """A CA that issues certificates of responders only."""
        return self.add_ca("SIM.OCSP-CA1 TEST-ONLY")

    @cached_property
    def web(self) -> Authority:
        """Issues the TLS certificates; ordinary WebPKI in the real world."""
        return Authority.root("Simulator web CA")

    @property
    def pinned(self) -> Authority:
        """The root a client has out of band: the oldest, so that newer ones must be found."""
        return self.roots[0]

    def authorities(self) -> Iterator[Authority]:
        yield from self.roots
        yield from self.cas

    def issue(
        self, ca: Authority, name: str, *, aia: str = "", crl: str = "", **how: Any
    ) -> Issued:
        """A component certificate; other arguments are those of Authority.issue()."""
        extra: Extensions = [
            x509.AuthorityKeyIdentifier(key_id(ca.issued.cert), None, None),
            x509.CertificatePolicies(
                [x509.PolicyInformation(ObjectIdentifier(p), None) for p in POLICIES]
            ),
        ]
        if crl:
            where = x509.UniformResourceIdentifier(crl)
            point = x509.DistributionPoint([where], None, None, None)
            extra.append(x509.CRLDistributionPoints([point]))
        issued = ca.issue(name, ocsp_url=aia, extra=extra, **how)
        self.issued[issued.cert.serial_number] = (issued, ca)
        return issued

    def list_signer(self, kind: str = "bp256", **how: Any) -> Issued:
        """Signs federation lists; `kind` is the curve, every other property may be made wrong."""
        ca = how.pop("ca", self.list_ca)
        how = {"role": ROLE_DIRECTORY, **how}
        return self.issue(ca, how.pop("name", LIST_SIGNER), kind=kind, **how)

    def passport_signer(self, name: str = "VZD-PASSporT-Signer", **how: Any) -> Issued:
        ca = how.pop("ca", self.passport_ca)
        return self.issue(ca, name, **{"kind": "p256", **how})

    def roots_json(self, *, swapped: bool = False, broken: bool = False) -> list[dict[str, str]]:
        """`next`: this root vouches for the newer one, `prev`: for the older one.

        `swapped` exchanges issuer and subject of the links; `broken` makes their signatures wrong.
        """
        return [self._root(i, swapped, broken) for i in range(len(self.roots))]

    def _root(self, i: int, swapped: bool, broken: bool) -> dict[str, str]:
        cert = self.roots[i].issued.cert
        return {
            "name": f"RCA{i + 1}",
            "CN": common_name(cert),
            "cert": base64_der(cert),
            "prev": self._link(i, i - 1, swapped, broken),
            "next": self._link(i, i + 1, swapped, broken),
            "nvb": cert.not_valid_before.isoformat(),
            "nva": cert.not_valid_after.isoformat(),
            "SKI": key_id(cert).hex(),
        }

    def _link(self, i: int, j: int, swapped: bool, broken: bool) -> str:
        if not 0 <= j < len(self.roots):
            return ""
        if swapped:
            i, j = j, i
        der = self._cross(i, j)
        return base64.b64encode(der[:-1] + bytes([der[-1] ^ 1]) if broken else der).decode()

    def _cross(self, i: int, j: int) -> bytes:
        key = (i, j)
        if key not in self._made:
            cert = self.roots[i].cross(self.roots[j])
            self.issued[cert.serial_number] = (Issued(cert, None), self.roots[i])
            self._made[key] = cert.public_bytes(Encoding.DER)
        return self._made[key]

    @cached_property
    def _made(self) -> dict[tuple[int, int], bytes]:
        return {}

    def download_path(self, ca: Authority) -> str:
        """Where the certificate of a CA is downloaded."""
        return f"/ECC/SUB-CA/{quote(common_name(ca.issued.cert).replace(' ', '_'), safe='')}.der"
