# SPDX-License-Identifier: Apache-2.0
"""Requests between homeservers: signing with Debian's signedjson, and a client that sends them."""
from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from signedjson.key import (
    decode_signing_key_base64,
    encode_signing_key_base64,
    encode_verify_key_base64,
    generate_signing_key,
    get_verify_key,
)
from signedjson.sign import sign_json, verify_signed_json

from . import b64, wire


class SigningKey:
    """A server's Ed25519 key; from a seed (base64) or new."""

    def __init__(self, version: str = "a_test", seed: str | None = None) -> None:
        if seed is None:
            self.key = generate_signing_key(version)
        else:
            self.key = decode_signing_key_base64("ed25519", version, seed)
        self.id = f"ed25519:{version}"

    @property
    def seed(self) -> str:
        return str(encode_signing_key_base64(self.key))

    @property
    def public(self) -> Any:
        return get_verify_key(self.key)

    @property
    def public_base64(self) -> str:
        return encode_verify_key_base64(self.public)


@dataclass
class Signed:
    """One request as it is signed; change a member afterwards to send something else."""

    origin: str
    destination: str
    method: str
    uri: str
    content: Any = None  # None: no body

    def signature(self, key: SigningKey) -> str:
        members = {
            "method": self.method,
            "uri": self.uri,
            "origin": self.origin,
            "destination": self.destination,
        }
        if self.content is not None:
            members["content"] = self.content
        return str(sign_json(members, self.origin, key.key)["signatures"][self.origin][key.id])


def header(
    origin: str, key_id: str, sig: str, destination: str | None = None
) -> str:
    """The header value in the order Synapse writes it."""
    out = f'X-Matrix origin="{origin}",key="{key_id}",sig="{sig}"'
    return out if destination is None else out + f',destination="{destination}"'


def verified_origin(
    authorization: list[str], method: str, uri: str, body: bytes, name: str, keys: dict[str, Any]
) -> str:
    """The origin of a request as Synapse would accept it; ValueError says why not.

    `keys` maps a server name to its verify keys.  An independent check behind the proxy.
    """
    content = json.loads(body) if body else None
    signatures: dict[str, str] = {}
    origin = ""
    for value in authorization:
        if not value.startswith("X-Matrix "):
            continue
        params = {}
        for part in value[9:].strip().split(","):
            k, _, v = part.partition("=")
            params[k.lower()] = v.strip('"')
        if params.get("destination", name) != name:
            raise ValueError("wrong destination")
        origin = params["origin"]
        signatures[params["key"]] = params["sig"]
    if not origin:
        raise ValueError("no X-Matrix header")
    signed = {"method": method, "uri": uri, "origin": origin, "destination": name}
    if content is not None:
        signed["content"] = content
    for key in keys.get(origin, []):
        key_id = f"{key.alg}:{key.version}"
        if key_id in signatures:
            try:
                whole = {**signed, "signatures": {origin: {key_id: signatures[key_id]}}}
                verify_signed_json(whole, origin, key)
                return origin
            except Exception as e:
                raise ValueError(f"signature: {e}") from e
    raise ValueError("no known key")


def path(*segments: str) -> str:
    """A path whose variable segments are encoded as Synapse encodes them (nothing is safe)."""
    return "/" + "/".join(quote(s, safe="") for s in segments)


class FederationClient:
    """Speaks for one homeserver to the proxy of another."""

    def __init__(
        self,
        name: str,
        key: SigningKey,
        destination: str,
        address: tuple[str, int],
        tls: ssl.SSLContext,
        host: str | None = None,
    ) -> None:
        self.name, self.key, self.destination = name, key, destination
        self.address, self.tls = address, tls
        self.host = host or destination

    def connect(self) -> wire.Connection:
        return wire.Connection(self.address, self.tls, self.host.split(":")[0])

    def fields(self, authorization: str | list[str] | None) -> list[tuple[str, str]]:
        values = [authorization] if isinstance(authorization, str) else authorization or []
        return [
            ("User-Agent", "Synapse/1.160.0"),
            ("Content-Type", "application/json"),
            *(("Authorization", v) for v in values),
            ("Host", self.host),
        ]

    def authorization(self, method: str, uri: str, content: Any = None, **other: Any) -> str:
        """The header for a request; `other` replaces origin, destination, key (a SigningKey)."""
        key = other.pop("key", self.key)
        signed = Signed(
            other.get("origin", self.name),
            other.get("destination", self.destination),
            method,
            uri,
            content,
        )
        return header(signed.origin, key.id, signed.signature(key), signed.destination)

    def ask(self, method: str, uri: str, content: Any = None) -> wire.Answer:
        """A properly signed request on a connection of its own."""
        return self.send(method, uri, content, self.authorization(method, uri, content))

    def send(
        self,
        method: str,
        uri: str,
        content: Any,
        authorization: str | list[str] | None,
    ) -> wire.Answer:
        """A request with any Authorization value or values; bytes as content go out as they are."""
        body = content
        if content is not None and not isinstance(content, bytes):
            body = b64.sorted_json(content)
        with self.connect() as c:
            return c.ask(method, uri, self.fields(authorization), body)
