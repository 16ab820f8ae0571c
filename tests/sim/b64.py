# SPDX-License-Identifier: Apache-2.0
"""base64url without padding and raw ECDSA signatures, as JOSE wants them."""
from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def url(data: bytes) -> bytes:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def plain_json(value: Any) -> bytes:
    """JSON without blanks, members in the order given."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def sorted_json(value: Any) -> bytes:
    """Deterministic JSON (RFC 8225 section 9; also Matrix's canonical JSON for ordinary values)."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()


def raw_signature(key: Any, data: bytes) -> bytes:
    """r||s of an EC key's SHA-256 signature; PKCS#1 of an RSA key."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def compact(header: bytes, payload: bytes, key: Any) -> bytes:
    """A compact JWS over the given header and payload texts."""
    signed = url(header) + b"." + url(payload)
    return signed + b"." + url(raw_signature(key, signed))
