# SPDX-License-Identifier: Apache-2.0
"""Where a user is entered in the directory (whereIs)."""
from __future__ import annotations

import re

from .message import Answer, Refused, Request, fault, json, wrong

PLACES = ("org", "pract", "orgPract", "none")
MXID_URL = re.compile(r"[^/@:?#\s]+:[A-Za-z0-9.-]+(:\d{1,5})?\Z")


class Localization:
    """`prefix` was "matrix:user/" in older examples, the parameter "hash" in 1.1.3."""

    def __init__(self) -> None:
        self.parameter = "mxid"
        self.prefix = "matrix:u/"
        self.bare = False  # the word without the quotes of a JSON string
        self._places: dict[str, str] = {}

    def set(self, mxid: str, place: str) -> None:
        """Enters a user, given as @local:domain."""
        if place not in PLACES or not mxid.startswith("@"):
            raise ValueError(f"{mxid} {place}")
        self._places[mxid[1:]] = place

    def answer(self, request: Request) -> Answer:
        """GET /localization?mxid=matrix:u/local:domain."""
        parameters = request.parameters(self.parameter)
        url = parameters.get(self.parameter)
        if url is None:
            raise wrong(400, "the MXID is missing", self.parameter)
        user = url[len(self.prefix) :]
        if not url.startswith(self.prefix) or not MXID_URL.match(user):
            raise wrong(400, f"no MXID of the form {self.prefix}local:domain", self.parameter)
        place = self._places.get(user)
        if place is None:
            raise Refused(fault(404, "the MXID is unknown", self.parameter))
        return Answer(200, place.encode()) if self.bare else json(place)
