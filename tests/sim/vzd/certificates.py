# SPDX-License-Identifier: Apache-2.0
"""The certificates of the directory's PASSporT service, as one or as several."""
from __future__ import annotations

from cryptography.hazmat.primitives.serialization import Encoding

from ..pki import Issued
from .faults import Faults
from .message import Answer, Refused, Request, fault, json


class Certificates:
    """`held`: the newest last; old and new ones overlap during a roll-over."""

    def __init__(self, faults: Faults, foreign: Issued) -> None:
        self.held: list[Issued] = []
        self._faults = faults
        self._foreign = foreign

    def pems(self) -> list[str]:
        if self._faults.take("certificates", "not-pem"):
            return ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        held = self.held
        if self._faults.take("certificates", "foreign-signer"):
            held = [self._foreign]
        return [i.cert.public_bytes(Encoding.PEM).decode() for i in held]

    def several(self, request: Request) -> Answer:
        """GET /PASSporTCertificates (1.0.2)."""
        request.parameters()
        return json({"passportSigningCertificates": self.pems()})

    def single(self, request: Request) -> Answer:
        """GET /PASSporTCertificate (1.0.0)."""
        request.parameters()
        pems = self.pems()
        if not pems:
            raise Refused(fault(404, "there is no certificate"))
        return json({"passportSigningCertificate": pems[-1]})
