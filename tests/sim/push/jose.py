# SPDX-License-Identifier: Apache-2.0
"""Judges compact JWTs as strictly as their standards allow (RFC 7515, RFC 7518, RFC 7519)."""
from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Bad(Exception):
    """The token is wrong; the text says what is."""


def unurl(text: str) -> bytes:
    """Strict base64url without padding."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text) or len(text) % 4 == 1:
        raise Bad(f"not base64url: {text[:40]!r}")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as e:
        raise Bad(f"not base64url: {e}") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise Bad("base64url with stray bits")
    return data


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose members have different names."""
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a member twice")
    return out


def strict_json(data: bytes) -> Any:
    """UTF-8 JSON without duplicate members, NaN or infinities."""

    def constant(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    return json.loads(data.decode(), object_pairs_hook=unique, parse_constant=constant)


def _object(part: str, what: str) -> dict[str, Any]:
    try:
        value = strict_json(unurl(part))
    except ValueError as e:
        raise Bad(f"{what} is no JSON: {e}") from None
    if not isinstance(value, dict):
        raise Bad(f"{what} is no object")
    return value


def parse(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, what is signed and the signature."""
    if not TOKEN.fullmatch(token):
        raise Bad("not three parts of base64url")
    header, claims, signature = token.split(".")
    signed = f"{header}.{claims}".encode()
    return _object(header, "the header"), _object(claims, "the claims"), signed, unurl(signature)


def check_es256(key: ec.EllipticCurvePublicKey, signed: bytes, signature: bytes) -> None:
    if len(signature) != 64:
        raise Bad(f"the signature has {len(signature)} bytes; R and S of P-256 have 64")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Bad("the signature is wrong") from None


def check_rs256(key: Any, signed: bytes, signature: bytes) -> None:
    try:
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise Bad("the signature is wrong") from None


def seconds(claims: dict[str, Any], name: str) -> int:
    """A NumericDate in whole seconds."""
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Bad(f"{name} is not a whole number")
    return value
