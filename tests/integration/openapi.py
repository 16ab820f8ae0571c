# SPDX-License-Identifier: Apache-2.0
"""doc/regsvc-openapi.yaml as a test reads it: is it a proper description, and does an answer fit it?

The description is judged by the rules of OpenAPI 3.1.0 that it uses; schemas are JSON Schema 2020-12.
"""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Iterator

import yaml
from jsonschema import Draft202012Validator, FormatChecker

from sim import wire

SOURCE = Path(__file__).resolve().parents[2]
PAGE = SOURCE / "doc" / "regsvc-openapi.yaml"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
FIELDS = {  # of each kind of object: required, allowed
    "document": ({"openapi", "info", "paths"}, {"servers", "security", "components", "tags"}),
    "info": ({"title", "version"}, {"summary", "description", "license", "contact"}),
    "operation": (
        {"operationId", "responses", "summary"},
        {"description", "parameters", "requestBody", "security", "tags"},
    ),
    "parameter": ({"name", "in", "schema"}, {"description", "required"}),
    "response": ({"description"}, {"headers", "content"}),
    "header": ({"schema"}, {"description", "required"}),
    "media": ({"schema"}, {"examples"}),
    "body": ({"content"}, {"description", "required"}),
}


class Wrong(AssertionError):
    """The description is none, or an answer does not fit it."""


def _fields(kind: str, where: str, value: Any) -> None:
    needed, more = FIELDS[kind]
    if not isinstance(value, dict) or needed - value.keys() or value.keys() - needed - more:
        raise Wrong(f"{where}: not a proper {kind}: {sorted(value)}")


class Document:
    """The description; operations are found by method and path template."""

    def __init__(self, text: str | None = None) -> None:
        self.root: dict[str, Any] = yaml.safe_load(text or PAGE.read_text())

    def of(self, value: Any) -> Any:
        """What a reference stands for; anything else is itself."""
        seen = 0
        while isinstance(value, dict) and "$ref" in value:
            if set(value) != {"$ref"} or not value["$ref"].startswith("#/") or seen > 10:
                raise Wrong(f"bad reference {value}")
            target: Any = self.root
            for part in value["$ref"][2:].split("/"):
                if not isinstance(target, dict) or part not in target:
                    raise Wrong(f"{value['$ref']} leads nowhere")
                target = target[part]
            value, seen = target, seen + 1
        return value

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
        """(method, path, operation, path item)"""
        for path, item in self.root["paths"].items():
            for method in METHODS:
                if method in item:
                    yield method.upper(), path, item[method], item

    def parameters(self, operation: dict[str, Any], item: dict[str, Any], where: str) -> set[str]:
        """The names of an operation's parameters of one place: path, query or header."""
        both = [*item.get("parameters", []), *operation.get("parameters", [])]
        return {p["name"] for p in map(self.of, both) if p["in"] == where}

    # Is it proper?

    def check(self) -> None:
        _fields("document", "document", self.root)
        _fields("info", "info", self.root["info"])
        if not re.fullmatch(r"3\.1\.\d+", str(self.root["openapi"])):
            raise Wrong(f"openapi {self.root['openapi']}")
        schemes = self.root["components"]["securitySchemes"]
        self._security("document", self.root["security"], schemes)
        ids = [o["operationId"] for _, _, o, _ in self.operations()]
        if len(ids) != len(set(ids)):
            raise Wrong("operationId used twice")
        for method, path, operation, item in self.operations():
            self._operation(f"{method} {path}", path, operation, item, schemes)
        self._schemas(self.root)
        self._used()

    def _operation(self, where: str, path: str, operation: Any, item: Any, schemes: Any) -> None:
        _fields("operation", where, operation)
        if extra := item.keys() - {*METHODS, "parameters", "summary", "description"}:
            raise Wrong(f"{where}: {extra}")
        declared = self.parameters(operation, item, "path")
        if declared != set(re.findall(r"\{(\w+)\}", path)):
            raise Wrong(f"{where}: path parameters {declared}")
        for p in map(self.of, [*item.get("parameters", []), *operation.get("parameters", [])]):
            _fields("parameter", where, p)
            if p["in"] not in ("path", "query", "header") or (p["in"] == "path") > p.get("required", False):
                raise Wrong(f"{where}: parameter {p['name']}")
        if "requestBody" in operation:
            _fields("body", where, self.of(operation["requestBody"]))
        self._security(where, operation.get("security", []), schemes)
        if not operation["responses"]:
            raise Wrong(f"{where}: no responses")
        for status, response in operation["responses"].items():
            if not re.fullmatch(r"[1-5]\d\d|[1-5]XX|default", str(status)) or not isinstance(status, str):
                raise Wrong(f"{where}: status {status!r}")
            self._response(f"{where} {status}", self.of(response))

    def _response(self, where: str, response: Any) -> None:
        _fields("response", where, response)
        for name, header in response.get("headers", {}).items():
            _fields("header", f"{where} {name}", self.of(header))
        for kind, media in response.get("content", {}).items():
            if "/" not in kind:
                raise Wrong(f"{where}: {kind}")
            _fields("media", f"{where} {kind}", media)

    def _security(self, where: str, demands: Any, schemes: Any) -> None:
        for demand in demands:
            for name, scopes in demand.items():
                scheme = schemes.get(name)
                if scheme is None:
                    raise Wrong(f"{where}: security scheme {name}")
                known = scheme.get("flows", {}).get("clientCredentials", {}).get("scopes", {})
                if set(scopes) - known.keys():
                    raise Wrong(f"{where}: scopes {scopes}")

    def _schemas(self, value: Any, key: str = "") -> None:
        """Every schema, wherever it is, and every reference."""
        if isinstance(value, list):
            for v in value:
                self._schemas(v)
        elif isinstance(value, dict):
            if key == "schema" and "$ref" not in value:
                Draft202012Validator.check_schema(value)
            self.of(value)
            for k, v in value.items():
                self._schemas(v, k)
        for schema in self.root["components"]["schemas"].values() if value is self.root else ():
            Draft202012Validator.check_schema(schema)

    def _used(self) -> None:
        """What is described but nowhere referred to has been forgotten."""
        text = json.dumps(self.root)
        for kind in ("schemas", "responses", "headers", "parameters"):
            for name in self.root["components"][kind]:
                if f'"#/components/{kind}/{name}"' not in text:
                    raise Wrong(f"components/{kind}/{name} is not used")

    # Does it fit?

    def validate(self, schema: Any, value: Any) -> None:
        whole = {"$ref": "#/schema", "schema": schema, "components": self.root["components"]}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)

    def judge(self, method: str, path: str, answer: wire.Answer) -> None:
        """Status, fields, content type and body of an answer to a request for this template."""
        item = self.root["paths"][path]
        operation = item.get("get" if method in ("GET", "HEAD") else method.lower()) or next(
            item[m] for m in METHODS if m in item
        )
        where = f"{method} {path} {answer.status}"
        responses = operation["responses"]
        if str(answer.status) not in responses and answer.status < 500 and "default" not in responses:
            raise Wrong(f"{where}: no such status: {answer.body[:200]!r}")
        response = self.of(responses.get(str(answer.status), responses.get("default")))
        if str(answer.status) not in responses and answer.status in (401, 403, 429, 503):
            raise Wrong(f"{where}: needs a description of its own")
        self._judge_fields(where, response, answer)
        self._judge_body(where, method, response, answer)

    def _judge_fields(self, where: str, response: Any, answer: wire.Answer) -> None:
        for name, header in response.get("headers", {}).items():
            header, text = self.of(header), answer.get(name)
            if text is None:
                if header.get("required"):
                    raise Wrong(f"{where}: no {name}")
                continue
            number = header["schema"].get("type") == "integer"
            self.validate(header["schema"], int(text) if number else text)
        known = {n.lower() for n in response.get("headers", {})}
        ours = {"date", "content-type", "content-length", "connection", "cache-control"}
        if extra := {n.lower() for n, _ in answer.fields} - known - ours:
            raise Wrong(f"{where}: fields {extra} are not described")

    def _judge_body(self, where: str, method: str, response: Any, answer: wire.Answer) -> None:
        content, kind = response.get("content", {}), answer.get("Content-Type")
        if not content or method == "HEAD":
            if answer.body or (kind is not None and method != "HEAD"):
                raise Wrong(f"{where}: has a body")
            return
        if kind not in content:
            raise Wrong(f"{where}: {kind}")
        text = answer.body.decode()
        self.validate(content[kind]["schema"], json.loads(text) if kind.endswith("json") else text)
