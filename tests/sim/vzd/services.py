# SPDX-License-Identifier: Apache-2.0
"""The routes below /tim-provider-services: which operation, which methods, whose token."""
from __future__ import annotations

import re
from typing import Callable

from .auth import PROVIDER, Auth
from .certificates import Certificates
from .directory import Directory
from .listing import Listing
from .localization import Localization
from .message import Answer, Request, json, wrong

ROOT = "/tim-provider-services"
Operation = Callable[[Request, str], Answer]


class Services:
    """Every operation needs a provider token; what was never defined answers 404."""

    def __init__(
        self,
        auth: Auth,
        directory: Directory,
        listing: Listing,
        certificates: Certificates,
        localization: Localization,
    ) -> None:
        self._auth, self._listing = auth, listing
        self.api = "1.4.0"
        self._routes: list[tuple[str, str, str, Operation]] = [
            (r"/?", "info", "GET", lambda r, c: self._info(r)),
            (r"/FederationList(/federationList\.(jws|json))?", "list", "GET", self._list),
            (r"/PASSporTCertificates", "certificates", "GET", lambda r, c: certificates.several(r)),
            (r"/PASSporTCertificate", "certificates", "GET", lambda r, c: certificates.single(r)),
            (r"/localization", "localization", "GET", lambda r, c: localization.answer(r)),
            (r"/federationCheck", "check", "GET", directory.check),
            (r"/federation", "federation", "GET POST", directory.collection),
            (r"/federation/[^/]+", "federation", "PUT DELETE", directory.one),
        ]

    def find(self, request: Request) -> tuple[str, Callable[[Request], Answer]] | None:
        """The step and its handler; None outside our paths."""
        if request.path != ROOT and not request.path.startswith(ROOT + "/"):
            return None
        rest = request.path[len(ROOT) :]
        for pattern, step, methods, operation in self._routes:
            if re.fullmatch(pattern, rest):
                return step, lambda r: self._run(r, methods.split(), operation)
        return "info", self._unknown

    def _run(self, request: Request, methods: list[str], operation: Operation) -> Answer:
        if request.method not in methods:
            allowed = ("Allow", ", ".join(methods))
            raise wrong(405, f"{request.method} is not allowed", "", allowed)
        return operation(request, self._auth.require(request, PROVIDER).client)

    def _unknown(self, request: Request) -> Answer:
        raise wrong(404, f"no such operation: {request.path}")

    def _info(self, request: Request) -> Answer:
        request.parameters()
        text = "Simulator of the provider's side"
        title = "I_VZD_TIM_Provider_Services"
        return json({"title": title, "description": text, "version": self.api})

    def _list(self, request: Request, client: str) -> Answer:
        path = request.path[len(ROOT) :]
        if path not in self._listing.paths:
            return self._unknown(request)
        return self._listing.answer(request, path)
