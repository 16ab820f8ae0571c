# SPDX-License-Identifier: Apache-2.0
"""The federation as the directory holds it, and the operations on /federation."""
from __future__ import annotations

import threading
import time
from typing import Any, Callable, Iterable
from urllib.parse import unquote

from .lists import Domain, ik_fault, make_ik
from .message import Answer, Refused, Request, fault, json, wrong

MEMBERS = {"domain", "telematikID", "isInsurance", "ik", "redirectDomains", "timAnbieter"}
TEXTS, LISTS = ("domain", "telematikID", "timAnbieter"), ("ik", "redirectDomains")


class Directory:
    """The domains and the version of the list, which grows with every change.

    `version` may be set by a test; `inactive` has the telematikIDs of organisations that are not
    active.  `answers` stands for the look-up of a new domain's well-known document.
    """

    def __init__(self, domains: Iterable[str] = (), version: int = 1) -> None:
        self.lock = threading.RLock()
        self.version = version
        self.generation = 0  # grows with every change, also when `version` is set back
        self.changed_at = time.time()
        self.inactive: set[str] = set()
        self.answers: Callable[[str], bool] = lambda domain: True
        self._domains: dict[str, Domain] = {}
        for name in domains:
            self._domains[name] = Domain(name, f"1-SIM-{len(self._domains) + 1:04}")

    @property
    def domains(self) -> list[Domain]:
        with self.lock:
            return list(self._domains.values())

    def names(self) -> list[str]:
        return [d.domain for d in self.domains]

    def bump(self, version: int | None = None) -> int:
        """A new version of the list, with or without other content."""
        with self.lock:
            self.version = self.version + 1 if version is None else version
            self.generation += 1
            self.changed_at = time.time()
            return self.version

    def add(self, name: str, **how: Any) -> int:
        """Enters a domain; other arguments are members of Domain.  Returns the new version."""
        with self.lock:
            number = len(self._domains) + 1
            how.setdefault("telematikID", f"1-SIM-{number:04}")
            how.setdefault("ik", [make_ik(number)] if how.get("isInsurance") else [])
            self._domains[name] = Domain(name, **how)
            return self.bump()

    def remove(self, name: str) -> int:
        with self.lock:
            del self._domains[name]
            return self.bump()

    def replace(self, names: Iterable[str]) -> int:
        """Exactly these domains from now on."""
        with self.lock:
            self._domains = {n: Domain(n, f"1-SIM-{i + 1:04}") for i, n in enumerate(names)}
            return self.bump()

    # The operations

    def collection(self, request: Request, client: str) -> Answer:
        """POST and GET /federation."""
        with self.lock:
            if request.method == "POST":
                return self._post(request, client)
            return self._get(request, client)

    def one(self, request: Request, client: str) -> Answer:
        """PUT and DELETE /federation/{domain}."""
        name = unquote(request.path.rpartition("/")[2])
        request.parameters()
        with self.lock:
            held = self._owned(name, client)
            if request.method == "DELETE":
                self.remove(name)
                return Answer(204)
            new = self._judged(request.json(), client)
            if new.domain != name:
                raise wrong(400, "the domains in path and body differ", "domain")
            self._check_iks(new, held)
            self._domains[name] = new
            self.bump()
            return json(new.public())

    def check(self, request: Request, client: str) -> Answer:
        """GET /federationCheck: domains whose organisation is no longer active."""
        request.parameters()
        gone = [d.public() for d in self.domains if d.owner == client]
        gone = [d for d in gone if d["telematikID"] in self.inactive]
        return json({"inactiveOrganizationDomains": gone}) if gone else Answer(204)

    def _post(self, request: Request, client: str) -> Answer:
        request.parameters()
        new = self._judged(request.json(), client)
        if new.domain in self._domains:
            raise _refused(409, "the domain exists already", "domain")
        self._check_iks(new, None)
        if new.telematikID in self.inactive:
            raise _refused(400, "the organisation is not active", "telematikID")
        if not self.answers(new.domain):
            raise _refused(400, "the domain has no well-known document", "domain")
        self._domains[new.domain] = new
        self.bump()
        return json(new.public())

    def _get(self, request: Request, client: str) -> Answer:
        name = request.parameters("domain").get("domain")
        if name is None:
            return json([d.public() for d in self.domains if d.owner == client])
        return json([self._owned(name, client).public()])

    def _owned(self, name: str, client: str) -> Domain:
        held = self._domains.get(name)
        if held is None:
            raise _refused(404, "no such domain", "domain")
        if held.owner != client:
            raise _refused(403, "the domain belongs to another provider", "domain")
        return held

    def _judged(self, value: Any, client: str) -> Domain:
        if not isinstance(value, dict):
            raise wrong(400, "the body is no object")
        for name in value:
            if name not in MEMBERS:
                raise wrong(400, f"unknown member: {name}", name)
        for name in ("domain", "telematikID", "isInsurance"):
            if name not in value:
                raise wrong(400, f"{name} is missing", name)
        for name in TEXTS:
            if name in value and not (isinstance(value[name], str) and value[name]):
                raise wrong(400, f"{name} is no text", name)
        for name in LISTS:
            if not isinstance(value.get(name, []), list):
                raise wrong(400, f"{name} is no array", name)
        if not isinstance(value["isInsurance"], bool):
            raise wrong(400, "isInsurance is no boolean", "isInsurance")
        return Domain(**value, owner=client)

    def _check_iks(self, new: Domain, held: Domain | None) -> None:
        if new.isInsurance != bool(new.ik):
            raise _refused(400, "an insurance, and only an insurance, has IKs", "ik")
        for number in new.ik:
            if text := ik_fault(number):
                raise _refused(400, text, "ik")
        others = {n for d in self._domains.values() if d is not held for n in d.ik}
        if others & set(new.ik) or len(set(new.ik)) < len(new.ik):
            raise _refused(409, "an IK is in the list already", "ik")


def _refused(status: int, text: str, attribute: str) -> Refused:
    """A refusal by the state of the directory: no fault in the client's protocol."""
    return Refused(fault(status, text, attribute))
