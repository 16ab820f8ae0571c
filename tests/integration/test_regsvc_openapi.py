# SPDX-License-Identifier: Apache-2.0
"""The description of regsvc's interface is proper OpenAPI and says what the route table says."""
from __future__ import annotations

import re

import pytest

from openapi import SOURCE, Document, Wrong

ROW = re.compile(
    r'^\t\{ EP_\w+,\s*H1_(\w+),\s*(V1 )?"([^"]+)",\s*([\w |]+?),\s*"([^"]*)",', re.M
)
PREFIX = "/v1/{subscription}/"


def routes() -> dict[tuple[str, str], tuple[set[str], set[str]]]:
    """(method, path) -> (scopes, query parameters), from the source."""
    text = (SOURCE / "regsvc" / "api_routes.c").read_text()
    out = {}
    for method, tenant, path, scopes, params in ROW.findall(text):
        names = {s.strip().removeprefix("SCOPE_").lower() for s in scopes.split("|")} - {"0"}
        out[method, (PREFIX if tenant else "") + path] = (names, set(filter(None, params.split(","))))
    assert len(out) == len(re.findall(r"^\t\{ EP_", text, re.M)), "the table is written in another way"
    return out


def test_the_description_is_proper() -> None:
    Document().check()


@pytest.mark.parametrize(
    "old, new",
    [
        ("openapi: 3.1.0", "openapi: 2.0"),
        ("operationId: changes", "operationId: token"),
        ("'#/components/schemas/Status'", "'#/components/schemas/Nothing'"),
        ("{oauth: [audit]}", "{oauth: [everything]}"),
        ("/where-is:", "/{where}:"),
        ("type: [integer, 'null']", "type: [integer, 'nothing']"),
        ("description: The list\n", "describing: The list\n"),
        ("        '204':", "        204:"),
    ],
)
def test_faults_in_a_description_are_noticed(old: str, new: str) -> None:
    text = (SOURCE / "doc" / "regsvc-openapi.yaml").read_text()
    assert old in text
    with pytest.raises(Exception) as caught:
        Document(text.replace(old, new)).check()
    assert isinstance(caught.value, Wrong) or "Schema" in type(caught.value).__name__


def test_it_says_what_the_routes_say() -> None:
    """FD-5.2.2-17, FD-5.2.2-22: the interface is documented."""
    document = Document()
    described = {}
    for method, path, operation, item in document.operations():
        scopes = {s for demand in operation["security"] for s in demand.get("oauth", [])}
        described[method, path] = (scopes, document.parameters(operation, item, "query"))
    assert described == routes()


def test_no_parameter_holds_secrets_or_names_of_users() -> None:
    """CP-1.2.1-6."""
    document = Document()
    for _, path, operation, item in document.operations():
        names = document.parameters(operation, item, "query") | document.parameters(operation, item, "path")
        assert not names & {"access_token", "client_secret", "mxid", "user", "user_id"}, path
