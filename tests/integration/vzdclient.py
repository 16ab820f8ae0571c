# SPDX-License-Identifier: Apache-2.0
"""An independent client of the directory: asks strictly and judges lists by the published rules.

Shares no code with the simulator's signing side: JOSE, chains and links are done here from scratch.
"""
from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID, ObjectIdentifier

from sim import wire
from sim.vzd import Vzd

CURVES = {"BP256R1": "1.3.36.3.3.2.8.1.1.7", "ES256": "1.2.840.10045.3.1.7"}
OIDS = {"brainpoolP256r1": CURVES["BP256R1"], "secp256r1": CURVES["ES256"]}
ROLE_DER = bytes.fromhex("06082a8214004c04812b")  # 1.2.276.0.76.4.171
FORM = "application/x-www-form-urlencoded"


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def ask(
    v: Vzd, url: str, method: str = "GET", body: bytes | None = None, **fields: str
) -> wire.Answer:
    """One request on a connection of its own; names of fields are written with underscores."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if "?" in url else "")
    tls = wire.tls_context(v.pki.web.pem) if parts.scheme == "https" else None
    assert parts.port is not None
    pairs = {"Host": parts.netloc} | {n.replace("_", "-"): f for n, f in fields.items()}
    with wire.Connection(("127.0.0.1", parts.port), tls, v.host) as c:
        return c.ask(method, target, pairs, body)


def basic(v: Vzd, secret: str | None = None) -> str:
    pair = f"{quote(v.client, safe='')}:{quote(secret or v.secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def ask_token(v: Vzd, url: str = "", **form: str) -> wire.Answer:
    """Client credentials with HTTP Basic."""
    body = urlencode({"grant_type": "client_credentials", **form}).encode()
    fields = {"Authorization": basic(v), "Content_Type": FORM}
    return ask(v, url or v.token_url, "POST", body, **fields)


def log_in(v: Vzd) -> str:
    """Both steps; the Authorization field for the third."""
    first = ask_token(v).json()["access_token"]
    second = ask(v, v.exchange_url, Authorization=f"Bearer {first}").json()
    return f"Bearer {second[v.auth.field]}"


def verify(jws: bytes, key: Any) -> tuple[dict[str, Any], Any]:
    """Header and payload of a compact JWS whose curve and signature hold."""
    head, payload, signature = jws.decode("ascii").split(".")
    header, raw = json.loads(unb64(head)), unb64(signature)
    assert OIDS[key.curve.name] == CURVES[header["alg"]], "the curve does not fit the algorithm"
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(der, f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    return header, json.loads(unb64(payload))


def signer_of(jws: bytes) -> x509.Certificate:
    """The first entry of x5c."""
    header = json.loads(unb64(jws.split(b".")[0].decode()))
    return x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0], validate=True))


def signed_by(cert: x509.Certificate, issuer: x509.Certificate) -> None:
    """Raises unless the issuer's name, key and rights fit."""
    assert cert.issuer == issuer.subject
    assert issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    key: Any = issuer.public_key()
    key.verify(cert.signature, cert.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))


def common_name(name: x509.Name) -> str:
    return str(name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def load_base64(text: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))


def known_roots(roots: list[dict[str, str]], pinned: x509.Certificate) -> list[x509.Certificate]:
    """The pinned root and every newer one that the cross certificates lead to."""
    certs = [load_base64(r["cert"]) for r in roots]
    at = next(i for i, c in enumerate(certs) if c == pinned)
    out = [pinned]
    for i in range(at + 1, len(certs)):
        link = load_base64(roots[i - 1]["next"])
        signed_by(link, certs[i - 1])
        assert link.subject == certs[i].subject
        assert link.public_key().public_numbers() == certs[i].public_key().public_numbers()
        out.append(certs[i])
    return out


def verify_list(v: Vzd, jws: bytes) -> Any:
    """Steps 1 to 5: signature, curve, sub-CA, roots from the pinned one, role and key usage."""
    signer = signer_of(jws)
    _, payload = verify(jws, signer.public_key())
    name = quote(common_name(signer.issuer).replace(" ", "_"), safe="")
    der = ask(v, f"{v.download_url}/ECC/SUB-CA/{name}.der").body
    ca = x509.load_der_x509_certificate(der)
    signed_by(signer, ca)
    roots = known_roots(ask(v, v.roots_url).json(), v.pki.pinned.issued.cert)
    signed_by(ca, next(r for r in roots if r.subject == ca.issuer))
    usage = signer.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and not usage.content_commitment and not usage.key_cert_sign
    admission = signer.extensions.get_extension_for_oid(ObjectIdentifier("1.3.36.8.3.3")).value
    assert isinstance(admission, x509.UnrecognizedExtension) and ROLE_DER in admission.value
    return payload
