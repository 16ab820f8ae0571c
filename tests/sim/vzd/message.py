# SPDX-License-Identifier: Apache-2.0
"""Requests read strictly and answers in the directory's own form.

A handler gets a `Request` and returns an `Answer`, or raises `Refused`.  What a client must never
do is a *violation*: refused as documented, and written down for the tests.
"""
from __future__ import annotations

import json as jsonlib
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..rawserver import RawRequest

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
REASONS = {
    200: "OK",
    204: "No Content",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
SECRET_NAMES = {"access_token", "token", "client_secret", "secret", "jwt", "authorization"}
TARGET = re.compile(r"/[!-~]*\Z")


@dataclass
class Answer:
    """A response; `fields` come in addition to Content-Type and Content-Length."""

    status: int = 200
    body: bytes = b""
    kind: str = JSON
    fields: list[tuple[str, str]] = field(default_factory=list)

    def head(self, *framing: tuple[str, str]) -> bytes:
        """Status line and fields, with the blank line."""
        fields = list(self.fields)
        if self.body or framing:
            fields.append(("Content-Type", self.kind))
        lines = [f"HTTP/1.1 {self.status} {REASONS[self.status]}"]
        lines += [f"{n}: {v}" for n, v in [*fields, *framing]]
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def wire(self, *, without_body: bool = False) -> bytes:
        """The bytes of the whole answer."""
        if self.status == 204:
            return self.head()
        head = self.head(("Content-Length", str(len(self.body))))
        return head if without_body else head + self.body


class Refused(Exception):
    """Ends a request; `violation` says what a client must not do, empty when it did no wrong."""

    def __init__(self, answer: Answer, violation: str = "") -> None:
        super().__init__(violation)
        self.answer, self.violation = answer, violation


def json(value: Any, status: int = 200, *fields: tuple[str, str]) -> Answer:
    return Answer(status, jsonlib.dumps(value).encode(), fields=list(fields))


def fault(status: int, message: str, attribute: str = "", *fields: tuple[str, str]) -> Answer:
    """The directory's `Error` object; a 401 asks for OAuth."""
    value: dict[str, Any] = {"message": message}
    if attribute:
        value["errors"] = [{"attributeName": attribute, "attributeError": message}]
    if status == 401:
        fields = (*fields, ("WWW-Authenticate", "OAuth"))
    return json(value, status, *fields)


def wrong(status: int, message: str, attribute: str = "", *fields: tuple[str, str]) -> Refused:
    """A refusal for something no client may do."""
    return Refused(fault(status, message, attribute, *fields), message)


class Request:
    """One request; members are checked when they are asked for."""

    def __init__(self, raw: RawRequest) -> None:
        self.raw = raw
        self.path, _, self.query = raw.target.partition("?")

    @property
    def method(self) -> str:
        return self.raw.method

    def get(self, name: str) -> str | None:
        return self.raw.get(name)

    def parameters(self, *known: str) -> dict[str, str]:
        """The query, every parameter known and given once."""
        return _pairs(self.query, known, "query") if "?" in self.raw.target else {}

    def form(self, *known: str) -> dict[str, str]:
        """The form in the body, every member known and given once."""
        return _pairs(self.raw.content.decode("latin-1"), known, "form")

    def json(self) -> Any:
        """The body, declared as and being JSON."""
        if media_type(self.get("Content-Type")) != JSON:
            raise wrong(400, "the body is not declared as application/json", "Content-Type")
        try:
            return jsonlib.loads(self.raw.content)
        except ValueError:
            raise wrong(400, "the body is no JSON") from None

    @property
    def version(self) -> bytes:
        return self.raw.line.split(b" ")[-1]

    def check_form(self, authorities: set[str], versions: tuple[bytes, ...]) -> None:
        """What holds for every request to every endpoint."""
        if self.raw.line.count(b" ") != 2 or not TARGET.match(self.raw.target):
            raise wrong(400, "malformed request line")
        if self.version not in versions:
            raise wrong(400, "not HTTP/1.1")
        names = [n.lower() for n, _ in self.raw.fields]
        for name in ("host", "authorization", "content-type", "content-length"):
            if names.count(name) > 1:
                raise wrong(400, f"{name} given {names.count(name)} times")
        if self.get("Host") not in authorities and self.version == b"HTTP/1.1":
            raise wrong(400, "the Host field does not name this server", "Host")
        if self.method in ("GET", "HEAD", "DELETE") and self.raw.body:
            raise wrong(400, f"a {self.method} with a body")

    def check_secrets(self, secrets: set[str]) -> None:
        """Neither tokens nor secrets belong into a URL."""
        names = {n.lower() for n, _ in parse_qsl(self.query, keep_blank_values=True)}
        text = unquote(self.raw.target)
        if names & SECRET_NAMES or any(s in text for s in secrets):
            raise wrong(400, "a secret in the URL")


def _pairs(text: str, known: tuple[str, ...], where: str) -> dict[str, str]:
    out: dict[str, str] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise wrong(400, f"malformed {where}") from None
    for name, value in pairs:
        if name not in known:
            raise wrong(400, f"unknown parameter in the {where}: {name}", name)
        if name in out:
            raise wrong(400, f"parameter twice in the {where}: {name}", name)
        out[name] = value
    return out


def media_type(text: str | None) -> str:
    """A Content-Type without its parameters."""
    return (text or "").partition(";")[0].strip().lower()
