# SPDX-License-Identifier: Apache-2.0
"""What proxies and auditors may ask the registration service, and what nobody may (I_internVerification)."""
from __future__ import annotations

import base64
import json
import uuid
from dataclasses import replace
from typing import Iterator

import pytest

from harness import until
from openapi import Document
from regsvcworld import HOST, METHODS, SCOPES, RegsvcWorld
from sim import wire
from test_regsvc_openapi import routes

DOCUMENT = Document()
LIST = "federation-list.jws"
VALUES = {"{domain}": "alpha.test", "{fingerprint}": "0" * 64}
TENANT = [(m, p, s) for (m, p), (s, _) in routes().items() if p.startswith("/v1/")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegsvcWorld]:
    w = RegsvcWorld(tmp_path_factory.mktemp("api"), ["alpha.test", "beta.test"])
    w.vzd.localization.set("@anna:alpha.test", "pract")
    try:
        yield w.start()
    finally:
        w.stop()


@pytest.fixture(scope="module")
def clients(world: RegsvcWorld):
    return {m: world.add(m) for m in METHODS}


@pytest.fixture(scope="module")
def other(world: RegsvcWorld):
    return world.add("basic")


@pytest.fixture(scope="module")
def client(clients):
    return clients["basic"]


def fill(path: str, subscription: str) -> str:
    for name, value in VALUES.items():
        path = path.replace(name, value)
    return path.replace("{subscription}", subscription)


def ask(world, client, method: str, path: str, subscription: str = "", fields=(), tls_of=None) -> wire.Answer:
    """One request for a path template; `client` None sends no credentials."""
    target = fill(path, subscription or client.subscription)
    head = [("Host", HOST), *(client.fields if client is not None else ()), *fields]
    body = b'{"mxid":"@anna:alpha.test"}' if method == "POST" else None
    with world.connect(tls_of or client) as c:
        return c.ask(method, target, head, body)


# Every endpoint: who may, who may not


@pytest.mark.parametrize("method, path, scopes", TENANT)
@pytest.mark.parametrize("way", METHODS)
def test_own_subscription(world, clients, way, method, path, scopes) -> None:
    """FD-5.2.2-17, FD-5.2.2-22, FDS-2.6.5.1-8: each method of authentication works everywhere."""
    answer = ask(world, clients[way], method, path)
    assert answer.status == (404 if "{fingerprint}" in path else 200)
    DOCUMENT.judge(method, path, answer)


@pytest.mark.parametrize("method, path, scopes", TENANT)
@pytest.mark.parametrize("way", METHODS)
def test_foreign_subscription(world, clients, other, way, method, path, scopes) -> None:
    """CP-2.2-1, FDS-2.6.5.1-10, FDS-2.6.5.2-5: neither that of another client nor one of nobody."""
    for subscription in (other.subscription, str(uuid.uuid4())):
        answer = ask(world, clients[way], method, path, subscription)
        assert answer.status == 403
        assert answer.json()["detail"] == "This subscription is not the client's own"
        DOCUMENT.judge(method, path, answer)


@pytest.mark.parametrize("method, path, scopes", TENANT)
def test_nobody(world, clients, method, path, scopes) -> None:
    """FD-5.2.2-17: no credentials, wrong ones, those of another method."""
    basic, oauth, mtls = (clients[m] for m in METHODS)
    pair = base64.b64encode(f"{basic.name}:wrong".encode()).decode()
    swapped = base64.b64encode(f"{oauth.name}:{oauth.secret}".encode()).decode()
    for credentials in (
        [],
        [("Authorization", f"Basic {pair}")],
        [("Authorization", f"Basic {swapped}")],
        [("Authorization", "Bearer " + oauth.token[:-8] + "AAAAAAAA")],
        [("Authorization", f"Bearer {basic.secret}")],
    ):
        answer = ask(world, None, method, path, basic.subscription, credentials)
        assert answer.status == 401, credentials
        assert (answer.all("WWW-Authenticate") or [""])[0].split()[0] in ("Basic", "Bearer")
    with world.connect() as c:  # the certificate is missing
        assert c.ask(method, fill(path, mtls.subscription), {"Host": HOST}).status == 401


@pytest.mark.parametrize("method, path, scopes", TENANT)
def test_each_scope_opens_its_own(world, method, path, scopes) -> None:
    """FDS-2.6.5.2-5: rights of a client are those of its record."""
    for scope in SCOPES:
        answer = ask(world, scoped(world, scope), method, path)
        assert (answer.status != 403) == (scope in scopes), scope
        DOCUMENT.judge(method, path, answer)


def scoped(world, scope: str):
    held = world.__dict__.setdefault("by_scope", {})
    if scope not in held:
        held[scope] = world.add("basic", scope)
    return held[scope]


@pytest.mark.parametrize("method, path, scopes", TENANT)
def test_other_methods_are_refused(world, client, method, path, scopes) -> None:
    """B-5.4.6, FDS-2.6.4.2-6: nobody publishes or changes anything here."""
    allowed = "POST" if method == "POST" else "GET, HEAD"
    for wrong in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - {method}:
        answer = ask(world, client, wrong, path)
        assert (answer.status, answer.get("Allow")) == (405, allowed), wrong
        DOCUMENT.judge(wrong, path, answer)


@pytest.mark.parametrize("method, path, scopes", TENANT)
@pytest.mark.parametrize("name", ["abc", "0a0b0c0d-0000-1000-8000-000000000001", "*", "#", "+"])
def test_what_is_no_subscription(world, client, method, path, scopes, name) -> None:
    """FDS-2.6.4.1-4a: a UUID of version 4 or nothing; no wildcards."""
    answer = ask(world, client, method, path, name)
    assert answer.status in (400, 404)


@pytest.mark.parametrize("method, path, scopes", TENANT)
def test_no_secrets_in_urls(world, client, method, path, scopes) -> None:
    """CP-1.2.1-6: refused, whoever asks, and never logged."""
    for credentials in (client, None):
        answer = ask(world, credentials, method, path + "?access_token=verysecret", client.subscription)
        assert answer.status == 400
        DOCUMENT.judge(method, path, answer)
    assert "verysecret" not in world.daemon.log_text()
    for file in (world.folder / "state").rglob("*"):
        assert not file.is_file() or b"verysecret" not in file.read_bytes(), file


@pytest.mark.parametrize("method, path, scopes", TENANT)
def test_unknown_and_repeated_parameters(world, client, method, path, scopes) -> None:
    for query in ("unknown=1", "version=1&version=1", "list=1&list=2", "version", "wait=1+1", "x5u=%zz"):
        assert ask(world, client, method, f"{path}?{query}").status == 400, query


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/x/changes", "/v1/x", "/health", "/metrics", "/token/"])
def test_other_paths(world, client, path) -> None:
    assert ask(world, client, "GET", path).status in (400, 404)


def test_paths_in_other_spellings(world, client) -> None:
    s = client.subscription
    for path in (f"/v1/{s}//changes", f"/v1/{s}/./changes", f"/v1/{s}/x/../changes", f"/v1/{s}%2fchanges",
                 f"/v1/{s}/changes/", f"/v1/{s}/%2e%2e/{s}/changes"):
        assert ask(world, client, "GET", path).status == 400, path
    assert ask(world, client, "GET", f"/v1/{s.upper()}/federation-list/%73tatus").status == 200


# The list


def test_the_token_endpoint_in_other_spellings(world, client) -> None:
    for path in ("/%74oken", "/token/", "//token"):
        with world.connect(client) as c:
            assert c.ask("POST", path, [("Host", HOST), *client.fields], b"").status in (400, 404), path


def test_the_list_is_that_of_the_vzd(world, client) -> None:
    """FD-5.2.2-10: byte for byte, with its signature."""
    answer = world.ask(client, LIST)
    assert answer.body == world.vzd.listing.jws()
    assert int(answer.get("Age")) <= 10
    plain = world.ask(client, "federation-list.json")
    payload = answer.body.split(b".")[1]
    assert plain.body == base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))
    assert plain.get("ETag") != answer.get("ETag")


def test_a_list_in_json_serialisation_is_served_as_it_came(world, client) -> None:
    """B-5.8.5: several signatures are possible; the payload is read from either form."""
    world.vzd.listing.form = replace(world.vzd.listing.form, general="protected")
    version = world.vzd.add("general.test")
    try:
        answer = world.ask(client, LIST)
        assert answer.get("Content-Type") == "application/jose+json"
        assert len(answer.json()["signatures"]) == 1
        plain = world.ask(client, "federation-list.json").json()
        assert plain["version"] == version and "general.test" in json.dumps(plain)
    finally:
        world.vzd.listing.form = replace(world.vzd.listing.form, general="")
        world.vzd.add("compact.test")
    assert world.ask(client, LIST).get("Content-Type") == "application/jose"


def test_every_request_asks_the_vzd(world, client) -> None:
    """FD-5.2.2-15: the freshness check; a changed list is in that very answer."""
    before = world.vzd.records.count("list")
    world.ask(client, LIST)
    assert world.vzd.records.count("list") > before
    version = world.vzd.add("new.test")
    assert world.ask(client, "federation-list/domains/new.test").json()["member"] is True
    assert world.version(client) == version
    assert b"new.test" in world.ask(client, "federation-list.json").body


@pytest.mark.parametrize("h2", [False, True])
def test_conditional_requests(world, client, h2) -> None:
    """RFC 9110 13.1.2; 204 for the version held (VZD's own way)."""

    def get(path: str, **fields: str) -> tuple[int, bytes, str]:
        if not h2:
            a = world.ask(client, path, **fields)
            return a.status, a.body, a.get("ETag") or ""
        with world.connect_h2(client) as c:
            head = [(n.lower(), v) for n, v in client.fields]
            head += [(n.replace("_", "-").lower(), v) for n, v in fields.items()]
            s = c.ask("GET", f"/v1/{client.subscription}/{path}", *head, authority=HOST)
            return s.status, bytes(s.body), s.head.get("etag", "")

    for path in (LIST, "federation-list.json", "passport-certificates"):
        status, body, etag = get(path)
        assert status == 200 and body and etag
        for match in (etag, f'"x", {etag}', "*", f"W/{etag.removeprefix('W/')}"):
            assert get(path, If_None_Match=match) == (304, b"", etag), match
        for match in ('"x"', etag.strip('W/"'), "", f'"x" {etag}'):
            assert get(path, If_None_Match=match)[0] == 200, match
    version = world.version(client)
    assert get(f"{LIST}?version={version}")[:2] == (204, b"")
    assert get(f"{LIST}?version={version - 1}")[0] == 200
    assert get(f"{LIST}?version={version + 1}")[0] == 200
    assert get(f"{LIST}?version=-1")[0] == 400
    assert get(f"{LIST}?version=")[0] == 400


def test_head_is_get_without_body(world, client) -> None:
    for path in (LIST, "federation-list.json", "federation-list/status", "passport-certificates"):
        with world.connect(client) as c:
            c.send(world.request(client, path, "HEAD"))
            head = c.read("HEAD")
            c.send(world.request(client, path))
            whole = c.read()
        assert (head.status, head.body) == (200, b"")
        assert head.get("Content-Length") == str(len(whole.body))
        assert head.get("ETag") == whole.get("ETag")


def test_a_list_without_confirmation_is_given_with_its_age(tmp_path) -> None:
    """T-4, CP-3-6: the VZD is away; refused once it is outdated ("veraltet")."""
    w = RegsvcWorld(tmp_path)
    w.config["list"].update(ttl="3s", interval="500ms", check_timeout="200ms", retry_interval="500ms")
    try:
        w.start()
        client = w.add()
        w.vzd.down()
        assert w.ask(client, LIST).status == 200
        until("it is older", lambda: int(w.ask(client, LIST).get("Age") or 0) >= 1)
        stale = until("it is outdated", lambda: (a := w.ask(client, LIST)).status == 503 and a)
        assert int(stale.get("Retry-After")) > 0
        DOCUMENT.judge("GET", "/v1/{subscription}/federation-list.jws", stale)
        for path in ("federation-list.json", "federation-list/domains/alpha.test"):
            assert w.ask(client, path).status == 503
        assert w.ask(client, "federation-list/status").json()["status"] == "veraltet"
        w.vzd.up()
        until("it is current again", lambda: w.ask(client, LIST).status == 200)
    finally:
        w.stop()


def test_without_any_list(tmp_path) -> None:
    w = RegsvcWorld(tmp_path)
    w.config["list"].update(check_timeout="200ms")
    w.vzd.down()
    try:
        w.start("/health")
        client = w.add()
        for path in (LIST, "federation-list.json", "federation-list/domains/alpha.test"):
            answer = w.ask(client, path)
            assert answer.status == 503 and answer.get("Retry-After")
        status = w.ask(client, "federation-list/status")
        DOCUMENT.judge("GET", "/v1/{subscription}/federation-list/status", status)
        assert (status.json()["status"], status.json()["version"]) == ("fehlt", None)
        news = w.ask(client, "changes")
        DOCUMENT.judge("GET", "/v1/{subscription}/changes", news)
        assert news.json()["federation_list"] == {"version": None, "status": "fehlt"}
    finally:
        w.stop()


def test_clients_that_go_cancel_what_they_asked(world, client) -> None:
    world.vzd.faults.on("list:hang")
    try:
        for _ in range(20):
            c = world.connect(client)
            c.send(world.request(client, LIST))
            c.reset()
        c = world.connect(client)
        c.send(world.request(client, LIST))
        assert c.read().status == 200  # after list.check_timeout
    finally:
        world.vzd.faults.off("list:hang")
    assert world.ask(client, LIST).status == 200


# Directory


def test_where_is(world, client) -> None:
    def where(body: bytes) -> wire.Answer:
        a = world.ask(client, "where-is", "POST", body, Content_Type="application/json")
        DOCUMENT.judge("POST", "/v1/{subscription}/where-is", a)
        return a

    assert where(b'{"mxid":"@anna:alpha.test"}').json() == {"where": "pract"}
    assert where(b'{"mxid":"@nobody:alpha.test"}').json() == {"where": "none"}
    for body in (b"", b"{}", b"[]", b'{"mxid":1}', b'{"mxid":"anna"}', b'{"mxid":"@a:b","mxid":"@a:b"}',
                 b'{"mxid":"@anna:alpha.test"'):
        assert where(body).status == 400, body
    assert where(b'{"mxid":"@' + b"a" * 5000 + b':b"}').status == 413
    assert "anna" not in world.daemon.log_text()


def test_where_is_without_the_vzd(world, client) -> None:
    world.vzd.faults.on("localization:503")
    try:
        answer = world.ask(client, "where-is", "POST", b'{"mxid":"@anna:alpha.test"}')
        assert answer.status == 503 and answer.get("Retry-After")
    finally:
        world.vzd.faults.off("localization:503")


def test_membership(world, client) -> None:
    def member(domain: str) -> tuple[str, bool]:
        a = world.ask(client, f"federation-list/domains/{domain}")
        DOCUMENT.judge("GET", "/v1/{subscription}/federation-list/domains/{domain}", a)
        return a.json()["domain"], a.json()["member"]

    assert member("alpha.test") == ("alpha.test", True)
    assert member("ALPHA.test.") == ("alpha.test", True)
    assert member("gamma.test") == ("gamma.test", False)
    assert world.ask(client, "federation-list/domains/a_b").status == 400


# Certificates


def test_certificates(world, client) -> None:
    """FD-5.2.2-22, B-5.4.1."""
    def known() -> list[dict]:
        return world.ask(client, "passport-certificates").json()["certificates"]

    first = until("the VZD's certificate", known)[0]
    one = world.ask(client, f"passport-certificates/{first['fingerprint']}")
    DOCUMENT.judge("GET", "/v1/{subscription}/passport-certificates/{fingerprint}", one)
    assert one.json() == first and first["source"] == "vzd"
    assert world.ask(client, "passport-certificates/" + "0" * 64).status == 404
    assert world.ask(client, "passport-certificates?x5u=https%3A%2F%2Fnobody.test").json() == {"certificates": []}


# Numbers


def test_metrics(world, client) -> None:
    def counted(status: str) -> float:
        return world.daemon.metric("schleuse_api_requests_total", endpoint="domain", status=status)

    good, bad = counted("2xx"), counted("4xx")
    sent = world.daemon.metric("schleuse_api_bytes_total", endpoint="domain")
    body = world.ask(client, "federation-list/domains/alpha.test").body
    world.ask(client, "federation-list/domains/a_b")
    assert (counted("2xx"), counted("4xx")) == (good + 1, bad + 1)
    assert world.daemon.metric("schleuse_api_bytes_total", endpoint="domain") == sent + len(body)


def test_the_vzd_saw_only_what_it_allows(world) -> None:
    assert world.vzd.violations == []
