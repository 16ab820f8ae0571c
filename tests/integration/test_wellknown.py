# SPDX-License-Identifier: Apache-2.0
"""Documents under /.well-known/matrix; Strict-Transport-Security (B-5.6.1)."""
import json
from typing import Iterator

import pytest
from aiohttp import web

from harness import World, open_world

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "X-Requested-With, Content-Type, Authorization, Date",
}
DOCUMENTS = {
    "server": {"m.server": "matrix.alpha.test:443"},
    "client": {
        "m.homeserver": {"base_url": "https://matrix.alpha.test"},
        "m.identity_server": {"base_url": "https://id.alpha.test"},
        "org.matrix.msc3575.proxy": {"url": "https://sync.alpha.test"},
    },
    "support": {
        "contacts": [
            {"role": "m.role.admin", "matrix_id": "@admin:alpha.test"},
            {"role": "m.role.security", "email_address": "security@alpha.test"},
        ],
        "support_page": "https://alpha.test/help",
    },
}


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        more = w.folder / "client.json"
        more.write_text(json.dumps({"org.matrix.msc3575.proxy": {"url": "https://sync.alpha.test"}}))
        w.main_service["well_known"] = {
            "server": "matrix.alpha.test:443",
            "client": "https://matrix.alpha.test",
            "identity_server": "https://id.alpha.test",
            "client_file": str(more),
            "support": "serve",
            "support_page": "https://alpha.test/help",
            "contacts": [
                {"matrix_id": "@admin:alpha.test"},
                {"role": "m.role.security", "email": "security@alpha.test"},
            ],
            "max_age": "2h",
        }
        w.add_service("bravo.test", well_known={"client": "off", "server": "off"})
        w.start()

    with open_world(setup) as w:
        yield w


@pytest.mark.parametrize("document", DOCUMENTS)
def test_serves_a_document_with_its_fields(world: World, document: str) -> None:
    world.homeserver.forget()
    for host in ("matrix.alpha.test", "alpha.test"):
        with world.connect(host) as c:
            a = c.ask("GET", f"/.well-known/matrix/{document}", {"Host": host})
        assert a.status == 200 and json.loads(a.body) == DOCUMENTS[document]
        assert a.get("Content-Type") == "application/json"
        assert a.get("Cache-Control") == "public, max-age=7200"
        assert CORS.items() <= dict(a.fields).items()
    world.not_forwarded("/.well-known")


def test_head_and_options(world: World) -> None:
    whole = world.client("GET", "/.well-known/matrix/client")
    with world.connect() as c:
        head = c.ask("HEAD", "/.well-known/matrix/client", {"Host": "alpha.test"})
        assert head.status == 200 and head.get("Content-Length") == str(len(whole.body))
        asked = c.ask("OPTIONS", "/.well-known/matrix/client", {"Host": "alpha.test"})
        assert asked.status == 200 and asked.body == b""
        assert CORS.items() <= dict(asked.fields).items()


@pytest.mark.parametrize("document", [*DOCUMENTS, "policy_server"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(world: World, method: str, document: str) -> None:
    a = world.client(method, f"/.well-known/matrix/{document}")
    assert a.status == 405 and a.get("Allow") == "GET,HEAD,OPTIONS"
    assert json.loads(a.body)["errcode"] == "M_UNRECOGNIZED"
    assert CORS.items() <= dict(a.fields).items()
    world.not_forwarded("/.well-known")


def test_a_document_can_be_switched_off(world: World) -> None:
    with world.connect("matrix.bravo.test") as c:
        for document in ("client", "server"):
            a = c.ask("GET", f"/.well-known/matrix/{document}", {"Host": "matrix.bravo.test"})
            assert a.status == 404 and a.get("Access-Control-Allow-Origin") == "*"


def test_is_there_while_the_homeserver_is_down(make_world) -> None:
    w = make_world()
    w.main_service["well_known"] = {"server": "matrix.alpha.test"}
    w.start()
    w.homeserver.close()
    w._closers.clear()
    assert json.loads(w.client("GET", "/.well-known/matrix/server").body) == {
        "m.server": "matrix.alpha.test"
    }
    assert w.client("GET", "/.well-known/matrix/client").status == 502


def test_hsts_on_every_answer(world: World) -> None:
    for a in (
        world.client("GET", "/_matrix/client/versions"),
        world.client("GET", "/.well-known/matrix/client"),
        world.client("GET", "/nowhere"),
    ):
        assert a.all("Strict-Transport-Security") == ["max-age=31536000"]


def test_hsts_of_the_homeserver_stays(make_world) -> None:
    w = make_world()

    async def strict(seen, request):
        return web.Response(text="{}", headers={"strict-transport-security": "max-age=60"})

    w.homeserver.script = strict
    w.start()
    a = w.client("GET", "/_matrix/client/versions")
    assert a.all("Strict-Transport-Security") == ["max-age=60"]


def test_hsts_can_be_switched_off(make_world) -> None:
    w = make_world()
    w.config["tls"] = {"hsts": 0}
    w.start()
    assert w.client("GET", "/_matrix/client/versions").get("Strict-Transport-Security") is None
