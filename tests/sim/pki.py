# SPDX-License-Identifier: Apache-2.0
"""A public key infrastructure made on the spot.

`Authority` issues certificates; every fault a certificate can have is an argument of `issue()`.
`Pki` bundles the three hierarchies a federation needs (web, federation list, PASSporT) and a foreign
one that nobody trusts.
"""
from __future__ import annotations

import datetime
import ipaddress
import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

ADMISSION = ObjectIdentifier("1.3.36.8.3.3")
ROLE_DIRECTORY = "1.2.276.0.76.4.171"
HASHES = {"sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha1": hashes.SHA1}
PASSPORT_X5U = "https://reg.example.org/passport.pem"


def new_key(kind: str) -> Any:
    """A private key: p256, p384, bp256 or rsaNNNN."""
    curves = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "bp256": ec.BrainpoolP256R1}
    if kind in curves:
        return ec.generate_private_key(curves[kind]())
    return rsa.generate_private_key(65537, int(kind[3:]))


def now() -> datetime.datetime:
    """The present in the naive UTC that the cryptography module wants."""
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0)


def _name(common_name: str, uid: str = "") -> x509.Name:
    return x509.Name(
        [
            *([x509.NameAttribute(NameOID.USER_ID, uid)] if uid else []),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Schleuse test"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _usage(*names: str) -> x509.KeyUsage:
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    ).split()
    return x509.KeyUsage(**{n: n in names for n in every})


def _der(tag: int, content: bytes) -> bytes:
    n = len(content)
    size = bytes([n]) if n < 128 else bytes([0x80 | 2]) + n.to_bytes(2, "big")
    return bytes([tag]) + size + content


def _oid(dotted: str) -> bytes:
    arcs = [int(a) for a in dotted.split(".")]
    out = bytes([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        piece = bytes([arc & 0x7F])
        while arc := arc >> 7:
            piece = bytes([0x80 | arc & 0x7F]) + piece
        out += piece
    return _der(0x06, out)


def admission(role: str, item: str = "Verzeichnisdienst-TI") -> bytes:
    """The admission extension (ISIS-MTT) with one profession OID."""
    info = _der(0x30, _der(0x30, _der(0x0C, item.encode())) + _der(0x30, _oid(role)))
    return _der(0x30, _der(0x30, _der(0x30, _der(0x30, info))))


@dataclass(frozen=True)
class Issued:
    """A certificate with its key and what its owner would send along as chain."""

    cert: x509.Certificate
    key: Any
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.cert.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate and its intermediates."""
        return b"".join(
            c.public_bytes(serialization.Encoding.PEM) for c in (self.cert, *self.chain)
        )

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def write(self, stem: Path) -> tuple[Path, Path]:
        """Writes <stem>.pem and <stem>.key; replaces both whole, the key readable to us only."""
        cert, key = stem.with_name(stem.name + ".pem"), stem.with_name(stem.name + ".key")
        for path, data in ((key, self.key_pem), (cert, self.pem)):
            new = path.with_name(path.name + ".new")
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(fd, "wb") as f:
                f.write(data)
            new.replace(path)
        return cert, key


class Authority:
    """A certification authority, root or intermediate."""

    def __init__(self, issued: Issued, path: tuple[x509.Certificate, ...] = ()) -> None:
        self.issued = issued
        self.path = path  # from this authority up to, not including, the root

    @classmethod
    def root(cls, name: str, kind: str = "p256") -> "Authority":
        key = new_key(kind)
        return cls(Issued(_ca_cert(name, key, name, key), key))

    def intermediate(self, name: str, kind: str = "p256") -> "Authority":
        key = new_key(kind)
        issuer = self.issued.cert.subject
        cert = _ca_cert(name, key, issuer, self.issued.key)
        return Authority(Issued(cert, key), (cert, *self.path))

    @property
    def pem(self) -> bytes:
        return self.issued.pem

    @classmethod
    def interceptor(cls, name: str, dns: Iterable[str], networks: Iterable[str]) -> "Authority":
        """A root that may issue for these names and addresses only, and no further authority."""
        key = new_key("p256")
        permitted: list[x509.GeneralName] = [x509.DNSName(d) for d in dns]
        permitted += [x509.IPAddress(ipaddress.ip_network(n)) for n in networks]
        limits = x509.NameConstraints(permitted or None, None)
        return cls(Issued(_ca_cert(name, key, name, key, pathlen=0, limits=limits), key))

    def cross(self, other: "Authority") -> x509.Certificate:
        """A cross certificate: we vouch for the key of another authority."""
        theirs = other.issued
        return _ca_cert(theirs.cert.subject, theirs.key, self.issued.cert.subject, self.issued.key)

    def issue(
        self,
        common_name: str,
        *,
        dns: Iterable[str] = (),
        ips: Iterable[str] = (),
        kind: str = "p256",
        days: int = 300,
        starts: int = -1,
        usage: str | None = "digital_signature",
        digest: str = "sha256",
        role: str | None = None,
        server: bool = False,
        responder: bool = False,
        ocsp_url: str = "",
        uid: str = "",
        extra: Iterable[x509.ExtensionType] = (),
    ) -> Issued:
        """An end entity's certificate.  `starts`: days from now; `usage` None: no keyUsage at all."""
        key = new_key(kind)
        begin = now() + datetime.timedelta(days=starts)
        b = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name, uid))
            .issuer_name(self.issued.cert.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(False, None), True)
        )
        alternatives: list[x509.GeneralName] = [x509.DNSName(d) for d in dns]
        alternatives += [x509.IPAddress(ipaddress.ip_address(i)) for i in ips]
        if alternatives:
            b = b.add_extension(x509.SubjectAlternativeName(alternatives), False)
        if usage:
            b = b.add_extension(_usage(*usage.split()), True)
        if server:
            b = b.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        if responder:
            b = b.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)
        if ocsp_url:
            where = x509.UniformResourceIdentifier(ocsp_url)
            method = x509.AuthorityInformationAccessOID.OCSP
            access = [x509.AccessDescription(method, where)]
            b = b.add_extension(x509.AuthorityInformationAccess(access), False)
        if role:
            b = b.add_extension(x509.UnrecognizedExtension(ADMISSION, admission(role)), False)
        for extension in extra:
            b = b.add_extension(extension, False)
        try:
            cert = b.sign(self.issued.key, HASHES[digest]())
        except UnsupportedAlgorithm:  # newer versions of the module do not sign with SHA-1
            sound = Issued(b.sign(self.issued.key, hashes.SHA256()), key)
            cert = self._sign_again(sound, digest)
        return Issued(cert, key, self.path)

    def _sign_again(self, issued: Issued, digest: str) -> x509.Certificate:
        """The same certificate with another signature, by OpenSSL's own program."""
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = Path(folder) / "ca", Path(folder) / "cert"
            self.issued.write(ours)
            issued.write(theirs)
            done = subprocess.run(
                ["openssl", "x509", "-in", f"{theirs}.pem", "-CA", f"{ours}.pem"]
                + ["-CAkey", f"{ours}.key", f"-{digest}", "-preserve_dates", "-CAcreateserial"],
                capture_output=True,
                check=True,
            )
        return x509.load_pem_x509_certificate(done.stdout)

    def server(self, *names: str, **how: Any) -> Issued:
        """A TLS server certificate for DNS names and IP addresses."""
        ips = [n for n in names if n.replace(".", "").isdigit() or ":" in n]
        dns = [n for n in names if n not in ips]
        how.setdefault("usage", "digital_signature key_encipherment")
        return self.issue(names[0], dns=dns, ips=ips, server=True, **how)


def _ca_cert(
    name: str | x509.Name,
    key: Any,
    issuer: str | x509.Name,
    issuer_key: Any,
    *,
    pathlen: int | None = None,
    limits: x509.NameConstraints | None = None,
) -> x509.Certificate:
    begin = now() - datetime.timedelta(days=2)
    b = (
        x509.CertificateBuilder()
        .subject_name(_name(name) if isinstance(name, str) else name)
        .issuer_name(_name(issuer) if isinstance(issuer, str) else issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(True, pathlen), True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    if limits is not None:
        b = b.add_extension(limits, True)
    return b.sign(issuer_key, hashes.SHA256())


def self_signed(*names: str, kind: str = "p256", days: int = 300) -> Issued:
    """A server certificate that vouches for itself."""
    key = new_key(kind)
    begin = now() - datetime.timedelta(days=1)
    cert = (
        x509.CertificateBuilder()
        .subject_name(_name(names[0]))
        .issuer_name(_name(names[0]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
        .add_extension(_usage("digital_signature", "key_encipherment"), True)
        .sign(key, hashes.SHA256())
    )
    return Issued(cert, key)


def ocsp_good(
    subject: Issued,
    issuer: Authority,
    *,
    status: str = "good",
    signer: Issued | None = None,
    starts: float = -3600,
    lasts: float | None = 7 * 86400,
    algorithm: hashes.HashAlgorithm = hashes.SHA1(),
    nonce: bytes | None = None,
) -> bytes:
    """A DER OCSP response, signed by the issuer itself or another; `starts`: seconds from now."""
    begin = now() + datetime.timedelta(seconds=starts)
    revoked = begin if status == "revoked" else None
    by = signer or issuer.issued
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=subject.cert,
            issuer=issuer.issued.cert,
            algorithm=algorithm,
            cert_status=ocsp.OCSPCertStatus[status.upper()],
            this_update=begin,
            next_update=None if lasts is None else begin + datetime.timedelta(seconds=lasts),
            revocation_time=revoked,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, by.cert)
    )
    if signer is not None:
        builder = builder.certificates([signer.cert])
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), False)
    response = builder.sign(by.key, hashes.SHA256())
    return response.public_bytes(serialization.Encoding.DER)


class Pki:
    """The hierarchies of one federation, made when first asked for."""

    @cached_property
    def web_root(self) -> Authority:
        return Authority.root("Test web root")

    @cached_property
    def web(self) -> Authority:
        return self.web_root.intermediate("Test web CA")

    @cached_property
    def list_root(self) -> Authority:
        return Authority.root("Test list CA", "bp256")

    @cached_property
    def list_signer(self) -> Issued:
        """Signs federation lists with BP256R1 and holds the directory's role."""
        return self.list_root.issue("Test list signer", kind="bp256", role=ROLE_DIRECTORY)

    @cached_property
    def list_signer_es256(self) -> Issued:
        return self.list_root.issue("Test list signer", kind="p256", role=ROLE_DIRECTORY)

    @cached_property
    def passport_root(self) -> Authority:
        return Authority.root("Test PASSporT CA")

    @cached_property
    def passport_signer(self) -> Issued:
        return self.passport_root.issue("Test PASSporT service")

    @cached_property
    def foreign(self) -> Authority:
        """An authority nobody trusts."""
        return Authority.root("Foreign CA")
