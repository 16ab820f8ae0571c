# SPDX-License-Identifier: Apache-2.0
"""Hands out the federation list: versions, algorithms, signers, and all that can be wrong."""
from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, Callable

from .. import b64
from ..pki import Issued
from . import lists
from .directory import Directory
from .faults import Faults
from .lists import Form
from .message import JSON, Answer, Request, json, wrong

STREAM = "application/octet-stream"
OTHER = {"BP256R1": "ES256", "ES256": "BP256R1"}
SIGNER_FAULTS: dict[str, dict[str, Any]] = {
    "foreign-signer": {"foreign": True},
    "no-role": {"role": None},
    "wrong-usage": {"usage": "key_agreement"},
    "expired-signer": {"starts": -100, "days": 50},
}
X5C_FAULTS = {"public-key": "public-key", "no-x5c": "none"}
PAYLOAD_FAULTS = {"broken-payload": b'{"version":', "no-list": b'{"version":99999999}'}


class Listing:
    """`form` says how the list looks; `raw`, if set, is handed out instead whatever was asked for.

    The same version always has the same bytes, as in the real directory.
    """

    def __init__(
        self,
        directory: Directory,
        faults: Faults,
        make_signer: Callable[..., Issued],
    ) -> None:
        self.form = lists.CURRENT
        self.raw: bytes | None = None
        self.paths = {f.path for f in lists.FORMS.values()}
        self._directory = directory
        self._faults = faults
        self._make_signer = make_signer
        self._signers: dict[str, Issued] = {}
        self._held: dict[Any, bytes] = {}
        self._lock = threading.RLock()

    def speak(self, api: str) -> None:
        """Lists and paths as in this version of the interface, no others."""
        self.form = lists.FORMS[api]
        self.paths = {self.form.path}

    def signer(self, alg: str, fault: str = "") -> Issued:
        """The signer for an algorithm, with one thing wrong about it when asked for."""
        key = f"{alg} {fault}"
        with self._lock:
            if key not in self._signers:
                kind = "bp256" if alg == "BP256R1" else "p256"
                self._signers[key] = self._make_signer(kind, **SIGNER_FAULTS.get(fault, {}))
            return self._signers[key]

    def renew_signers(self) -> None:
        """New signer certificates; the list is signed again under the same version."""
        with self._lock:
            self._signers.clear()
            self._held.clear()

    def answer(self, request: Request, path: str) -> Answer:
        """GET of the list at one of its paths."""
        signed = path.endswith(".jws")
        known = ("version", "sigAlg") if signed and self.form.choice else ("version",)
        parameters = request.parameters(*known)
        alg = parameters.get("sigAlg", self.form.default_alg)
        if alg not in lists.SIG_ALGS:
            raise wrong(400, "sigAlg is neither BP256R1 nor ES256", "sigAlg")
        version = _version(parameters.get("version"))
        lower = self._faults.take("list", "lower-version")
        if version is not None and self._directory.version <= version and not lower:
            return Answer(204)
        if self.raw is not None:
            return Answer(200, self.raw, STREAM if signed else JSON)
        number = self._directory.version - (1 if lower else 0)
        if not signed:
            return json(self.payload(number))
        name = path.rpartition("/")[2]
        disposition = ("Content-Disposition", f'attachment; filename="{name}"')
        return Answer(200, self.jws(alg, number), STREAM, [disposition])

    def payload(self, version: int | None = None) -> dict[str, Any]:
        """The content of the list now."""
        d = self._directory
        with d.lock:
            number = d.version if version is None else version
            return lists.payload(self.form, number, d.domains, d.changed_at)

    def jws(self, alg: str = "BP256R1", version: int | None = None) -> bytes:
        """The signed list now, faults included."""
        take = self._faults.take
        fault = next((k for k in SIGNER_FAULTS if take("list", k)), "")
        x5c = next((v for k, v in X5C_FAULTS.items() if take("list", k)), self.form.x5c)
        text = next((v for k, v in PAYLOAD_FAULTS.items() if take("list", k)), None)
        if take("list", "other-alg"):
            alg = OTHER[alg]
        named = OTHER[alg] if take("list", "other-curve") else alg
        form = replace(self.form, x5c=x5c)
        jws = self._signed(form, version, alg, named, fault, text)
        if take("list", "bad-signature"):
            head, payload, _ = jws.split(b".")
            jws = b".".join((head, payload, b64.url(b"\x11" * 64)))
        if take("list", "alg-none"):
            jws = b64.url(b'{"alg":"none","typ":"JWT"}') + b"." + jws.split(b".")[1] + b"."
        return jws

    def _signed(
        self, form: Form, version: int | None, alg: str, named: str, fault: str, text: bytes | None
    ) -> bytes:
        with self._lock:
            d = self._directory
            number = d.version if version is None else version
            key = (form, d.generation, number, alg, named, fault, text)
            if key not in self._held:
                content = text or b64.plain_json(self.payload(number))
                signer = self.signer(alg, fault)
                self._held = {k: v for k, v in self._held.items() if k[1] == d.generation}
                self._held[key] = lists.sign(form, content, signer, named)
            return self._held[key]


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise wrong(400, "version is no number", "version")
    return int(text)
