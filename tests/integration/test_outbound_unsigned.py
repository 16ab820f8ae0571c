# SPDX-License-Identifier: Apache-2.0
"""What a homeserver asks others without a signature: keys, version, media, well-known; and what it is
never allowed to ask (O-11; Matrix facts 2, 4.2, 4.3; gematik facts 7.3)."""
from typing import Iterator
from urllib.parse import quote

import pytest

from harness import open_world
from outworld import FORMS, OutWorld, Remote
from sim.keyserver import answer


@pytest.fixture(scope="module")
def module_world() -> Iterator[OutWorld]:
    def setup(w: OutWorld) -> None:
        w.other = w.remote("delta.test")
        w.know(w.other)
        w.start()

    with open_world(setup, kind=OutWorld) as w:
        yield w


@pytest.fixture
def beta(world: OutWorld) -> Iterator[Remote]:
    world.beta.forget()
    yield world.beta
    world.beta.script = None


OPEN = [
    ("GET", "/_matrix/key/v2/server"),
    ("GET", "/_matrix/key/v2/server/ed25519:abc"),
    ("GET", "/_matrix/federation/v1/version"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method, uri", OPEN)
def test_open_ones_pass_without_a_signature(
    world: OutWorld, beta: Remote, form: str, method: str, uri: str
) -> None:
    assert world.ask(form, method, beta, uri, authorization=None).status == 200
    r = beta.server.last
    assert r.target == uri and r.get("Authorization") is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method, uri", OPEN)
def test_and_with_one(world: OutWorld, beta: Remote, form: str, method: str, uri: str) -> None:
    """Synapse signs these, too (facts 2.4)."""
    assert world.ask(form, method, beta, uri).status == 200
    assert not beta.faults


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method, uri", OPEN)
def test_strangers_are_not_asked(world: OutWorld, form: str, method: str, uri: str) -> None:
    """FD-2-2: nothing at all goes to who is not a member."""
    for how in ({}, {"authorization": None}):
        text = world.refused(world.ask(form, method, world.gamma, uri, **how), world.gamma)
        assert text.endswith("kann nicht in der Föderation gefunden werden")
    assert world.gamma.untouched


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method, uri", OPEN)
def test_a_signature_that_is_there_counts(
    world: OutWorld, beta: Remote, form: str, method: str, uri: str
) -> None:
    """FD-5.2.1.2-8: a destination that contradicts the target is refused wherever it is."""
    for value in (world.sign(method, uri, world.other.name), world.sign(method, uri, beta.name, origin="delta.test")):
        world.refused(world.ask(form, method, beta, uri, authorization=value), beta, world.other)


@pytest.mark.parametrize("form", FORMS)
def test_the_notary(world: OutWorld, beta: Remote, form: str) -> None:
    body = {"server_keys": {world.other.name: {}}}
    a = world.ask(form, "POST", beta, "/_matrix/key/v2/query", body, authorization=None)
    assert a.status == 200
    uri = "/_matrix/key/v2/query/" + quote(world.other.name, safe="")
    assert world.ask(form, "GET", beta, uri, authorization=None).status == 200


MEDIA = ("/_matrix/media/v3/download/{}/abc", "/_matrix/media/r0/thumbnail/{}/abc?width=1&height=1")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", MEDIA)
def test_legacy_media_of_the_server_asked(world: OutWorld, beta: Remote, form: str, path: str) -> None:
    """Unsigned; the server name in the path is the target's."""
    for name in (beta.name, quote(beta.name, safe="")):
        a = world.ask(form, "GET", beta, path.format(name), authorization=None)
        assert a.status == 200, a.body
        assert beta.server.last.target == path.format(name)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", MEDIA)
def test_legacy_media_of_another(world: OutWorld, beta: Remote, form: str, path: str) -> None:
    for name in (world.other.name, world.gamma.name, "beta.test", world.NAME):
        a = world.ask(form, "GET", beta, path.format(quote(name, safe="")), authorization=None)
        world.refused(a, beta)


@pytest.mark.parametrize("form", FORMS)
def test_legacy_media_of_a_stranger(world: OutWorld, form: str) -> None:
    uri = MEDIA[0].format(quote(world.gamma.name, safe=""))
    world.refused(world.ask(form, "GET", world.gamma, uri, authorization=None), world.gamma)
    assert world.gamma.untouched


@pytest.mark.parametrize("form", FORMS)
def test_legacy_media_with_a_signature(world: OutWorld, beta: Remote, form: str) -> None:
    """FD-5.2.1.2-8: where there is one, it fits both the target and the path."""
    uri = MEDIA[0].format(quote(beta.name, safe=""))
    elsewhere = MEDIA[0].format(quote(world.other.name, safe=""))
    assert world.ask(form, "GET", beta, uri).status == 200
    beta.forget()
    world.refused(world.ask(form, "GET", beta, uri, destination=world.other.name), beta)
    world.refused(world.ask(form, "GET", beta, uri, origin="delta.test"), beta)
    world.refused(world.ask(form, "GET", beta, elsewhere), beta)
    world.refused(world.ask(form, "GET", beta, elsewhere, destination=world.other.name), beta)


@pytest.mark.parametrize("form", FORMS)
def test_signed_media(world: OutWorld, beta: Remote, form: str) -> None:
    uri = "/_matrix/federation/v1/media/download/abc?timeout_ms=20000"
    assert world.ask(form, "GET", beta, uri).status == 200
    world.refused(world.ask(form, "GET", beta, uri, authorization=None))


NEVER = [
    ("GET", "/_matrix/client/versions"),
    ("POST", "/_matrix/client/v3/login"),
    ("GET", "/_matrix/client/v3/sync"),
    ("POST", "/_matrix/media/v3/upload"),
    ("GET", "/_synapse/admin/v1/users"),
    ("GET", "/_synapse/metrics"),
    ("POST", "/_synapse/replication/x"),
    ("POST", "/_matrix/push/v1/notify"),
    ("GET", "/_matrix/identity/v2"),
    ("GET", "/.well-known/matrix/client"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/"),
    ("GET", "/_matrix"),
    ("GET", "/x"),
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method, uri", NEVER)
def test_what_is_no_federation(world: OutWorld, beta: Remote, form: str, method: str, uri: str) -> None:
    """O-11: by default nothing but the federation, to members as well; a signature changes nothing."""
    body = {"x": 1} if method == "POST" else None
    for how in ({}, {"authorization": None}):
        a = world.ask(form, method, beta, uri, body, **how)
        assert (a.status, a.errcode) == (403, "M_FORBIDDEN"), a.body
    assert not beta.requests


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "uri",
    [
        "/_matrix/federation/v1/../../../_synapse/admin",
        "/_matrix/federation/v1/./version",
        "/_matrix//federation/v1/version",
        "/_matrix/federation/v1/%2e%2e/%2e%2e/client/versions",
        "/_matrix/federation/v1/version%00",
        "/_matrix/federation%2fv1/version",
        "/_matrix/key/v2/server\\x",
    ],
)
def test_paths_that_two_could_read_differently(
    world: OutWorld, beta: Remote, form: str, uri: str
) -> None:
    a = world.ask(form, "GET", beta, uri)
    assert a.status in (400, 403) and a.errcode
    assert not beta.requests


@pytest.mark.parametrize("form", FORMS)
def test_an_unknown_federation_path(world: OutWorld, beta: Remote, form: str) -> None:
    """Later versions of Matrix: authenticated, to members."""
    uri = "/_matrix/federation/v9/something/new?x=y"
    assert world.ask(form, "GET", beta, uri).status == 200
    world.refused(world.ask(form, "GET", beta, uri, authorization=None))
    world.refused(world.ask(form, "GET", world.gamma, uri), world.gamma)


def test_openid(world: OutWorld, beta: Remote) -> None:
    """Synapse does not sign it where it asks for a user's identity (facts 4.2)."""
    uri = "/_matrix/federation/v1/openid/userinfo?access_token=abc"
    for how in ({}, {"authorization": None}):
        assert world.ask("A", "GET", beta, uri, **how).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_methods_that_keys_do_not_have(world: OutWorld, beta: Remote, method: str) -> None:
    a = world.ask("A", method, beta, "/_matrix/key/v2/server", authorization=None)
    assert a.status in (403, 405) and a.errcode
    assert not beta.requests


def test_a_members_error_comes_through(world: OutWorld, beta: Remote) -> None:
    beta.script = lambda r: answer("404 Not Found", b'{"errcode":"M_NOT_FOUND","error":"none"}')
    a = world.ask("A", "GET", beta, MEDIA[0].format(beta.name), authorization=None)
    assert (a.status, a.errcode) == (404, "M_NOT_FOUND")
