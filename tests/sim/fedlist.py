# SPDX-License-Identifier: Apache-2.0
"""Federation lists: payloads in every historic form, signed as compact JWS."""
from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric import ec

from . import b64
from .pki import Issued


def plain(version: int, names: Iterable[str], insurance: Iterable[str] = ()) -> dict[str, Any]:
    """The present form: objects with the domain in clear text."""
    special = set(insurance)
    return {
        "version": version,
        "domainList": [
            {
                "domain": n,
                "telematikID": f"1-TEST-{i:04}",
                "timAnbieter": None,
                "isInsurance": n in special,
            }
            for i, n in enumerate(names)
        ],
    }


def digest(name: str, encoding: str = "hex") -> str:
    """The SHA-256 of a name as hex, HEX, base64 or base64url."""
    raw = hashlib.sha256(name.encode()).digest()
    return {
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "base64": base64.b64encode(raw).decode(),
        "base64url": b64.url(raw).decode(),
    }[encoding]


def hashed(version: int, names: Iterable[str], encoding: str = "hex") -> dict[str, Any]:
    """The form of 2022: objects with the hash of the domain."""
    out = plain(version, [digest(n, encoding) for n in names])
    return {**out, "hashAlgorithm": "sha256"}


def strings(version: int, names: Iterable[str], encoding: str = "hex") -> dict[str, Any]:
    """The form of 2021: an array of hashes; encoding "plain" leaves the names as they are."""
    entries = [n if encoding == "plain" else digest(n, encoding) for n in names]
    return {"version": version, "hashAlgorithm": "SHA-256", "domainList": entries}


def sign(
    payload: dict[str, Any] | bytes,
    signer: Issued,
    *,
    alg: str | None = None,
    x5c: Sequence[bytes] | None = None,
    header: dict[str, Any] | None = None,
) -> bytes:
    """A compact JWS; `alg` follows the key's curve unless given, `x5c` is the signer and its chain."""
    if alg is None:
        alg = "BP256R1" if isinstance(signer.key.curve, ec.BrainpoolP256R1) else "ES256"
    if x5c is None:
        x5c = [signer.der, *(Issued(c, None).der for c in signer.chain)]
    full = {"alg": alg, "x5c": [base64.b64encode(c).decode() for c in x5c], "typ": "JWT"}
    text = payload if isinstance(payload, bytes) else b64.plain_json(payload)
    return b64.compact(b64.plain_json({**full, **(header or {})}), text, signer.key)


def write(path: Path, jws: bytes) -> None:
    """Replaces the file whole, as a careful publisher does."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(jws)
    new.replace(path)
