# SPDX-License-Identifier: Apache-2.0
"""PASSporTs (RFC 8225) as gematik shaped them, sound or broken in one chosen way."""
from __future__ import annotations

import time
from typing import Any

from . import b64
from .pki import PASSPORT_X5U, Issued

EVENT_TYPE = "de.gematik.ti-messenger.passport"
OMIT = object()  # as a member's value: leave the member out


def uri(mxid: str) -> str:
    """matrix:u/local:server of a Matrix user ID."""
    return "matrix:u/" + mxid[1:]


def _kept(members: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in members.items() if v is not OMIT}


def issue(
    signer: Issued,
    orig: str,
    dest: str | list[str],
    *,
    iat: Any = None,
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
) -> str:
    """A token; `header` and `claims` replace, add or (OMIT) drop members."""
    invited = [dest] if isinstance(dest, str) else dest
    head = {"alg": "ES256", "typ": "passport", "x5u": PASSPORT_X5U, **(header or {})}
    body = {
        "dest": {"uri": sorted(uri(m) for m in invited)},
        "iat": int(time.time()) if iat is None else iat,
        "orig": {"uri": uri(orig)},
        **(claims or {}),
    }
    text = b64.compact(
        b64.sorted_json(_kept(head)), b64.sorted_json(_kept(body)), signer.key
    )
    return text.decode()


def unsigned(orig: str, dest: str) -> str:
    """`alg` none with an empty signature."""
    head = b64.sorted_json({"alg": "none", "typ": "passport", "x5u": PASSPORT_X5U})
    body = {"dest": {"uri": [uri(dest)]}, "iat": int(time.time()), "orig": {"uri": uri(orig)}}
    return (b64.url(head) + b"." + b64.url(b64.sorted_json(body)) + b".").decode()


def with_other_claims(token: str, orig: str, dest: str) -> str:
    """The token's signature under other claims."""
    head, _, sig = token.split(".")
    body = {"dest": {"uri": [uri(dest)]}, "iat": int(time.time()), "orig": {"uri": uri(orig)}}
    return ".".join((head, b64.url(b64.sorted_json(body)).decode(), sig))


def state_event(invited: str, token: Any, sender: str) -> dict[str, Any]:
    """The stripped state event that carries a token to the invited user's proxy."""
    return {
        "type": EVENT_TYPE,
        "state_key": invited,
        "sender": sender,
        "content": {"token": token},
    }
