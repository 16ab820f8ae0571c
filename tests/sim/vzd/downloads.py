# SPDX-License-Identifier: Apache-2.0
"""The download service of the trust space: roots.json and the certificates of the CAs."""
from __future__ import annotations

from typing import Any

from .faults import Faults
from .message import Answer, Request, json, wrong
from .pki import VzdPki

ROOTS, SUB_CAS = "/ECC/ROOT-CA/roots.json", "/ECC/SUB-CA/"
DER = "application/octet-stream"


class Downloads:
    """Not authenticated beyond TLS."""

    def __init__(self, pki: VzdPki, faults: Faults) -> None:
        self._pki, self._faults = pki, faults

    def find(self, request: Request) -> tuple[str, Any] | None:
        if request.path == ROOTS:
            return "roots", self.roots
        return ("subca", self.sub_ca) if request.path.startswith(SUB_CAS) else None

    def roots(self, request: Request) -> Answer:
        _only_reading(request)
        take = self._faults.take
        broken, swapped = take("roots", "bad-cross"), take("roots", "swapped")
        out = self._pki.roots_json(broken=broken, swapped=swapped)
        return json(out[1:] if take("roots", "pinned-missing") else out)

    def sub_ca(self, request: Request) -> Answer:
        _only_reading(request)
        cas = {self._pki.download_path(ca): ca for ca in self._pki.cas}
        if request.path not in cas:
            raise wrong(404, f"no such certificate: {request.path}")
        der = cas[request.path].issued.der
        if self._faults.take("subca", "other-ca"):
            der = next(c for p, c in cas.items() if p != request.path).issued.der
        if self._faults.take("subca", "not-der"):
            der = b"<html>not found</html>"
        return Answer(200, der, DER)


def _only_reading(request: Request) -> None:
    request.parameters()
    if request.method not in ("GET", "HEAD"):
        raise wrong(405, f"{request.method} is not allowed here", "", ("Allow", "GET, HEAD"))
