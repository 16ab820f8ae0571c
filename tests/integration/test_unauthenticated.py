# SPDX-License-Identifier: Apache-2.0
"""The short list of federation paths without authentication (T-10)."""
import pytest

from harness import World
from sim.xmatrix import header

VERSION = "/_matrix/federation/v1/version"
USERINFO = "/_matrix/federation/v1/openid/userinfo"


def plain(w: World, uri: str, method: str = "GET", content=None, authorization=None):
    return w.peer(w.beta).send(method, uri, content, authorization)


@pytest.mark.parametrize("uri", [VERSION, "/_matrix/key/v2/server", "/_matrix/key/v2/server/x"])
def test_open_paths(world: World, uri: str) -> None:
    assert plain(world, uri).status == 200
    assert world.homeserver.wait()[0].target == uri


def test_openid_userinfo_is_open_and_its_token_passes(world: World) -> None:
    """The directory asks it without being a Matrix server."""
    world.homeserver.openid["abc"] = "@anna:alpha.test"
    assert plain(world, USERINFO + "?access_token=abc").json() == {"sub": "@anna:alpha.test"}
    assert plain(world, USERINFO + "?access_token=x").errcode == "M_UNKNOWN_TOKEN"


@pytest.mark.parametrize(
    "method, uri",
    [
        ("GET", "/_matrix/federation/v1/publicRooms"),
        ("GET", "/_matrix/federation/v1/query/profile?user_id=x"),
        ("GET", "/_matrix/federation/v1/media/download/abc"),
        ("GET", "/_matrix/federation/v1/version/x"),
        ("GET", "/_matrix/federation/v2/version"),
        ("POST", "/_matrix/federation/v1/3pid/onbind"),
        ("PUT", "/_matrix/federation/v1/3pid/onbind"),
        ("POST", "/_matrix/policy/v1/sign"),
        ("PUT", "/_matrix/federation/v1/send/1"),
    ],
)
def test_all_others_are_closed(world: World, method: str, uri: str) -> None:
    body = None if method == "GET" else {"a": 1}
    a = plain(world, uri, method, body)
    assert a.status in (401, 403, 404, 405)
    assert a.errcode in ("M_UNAUTHORIZED", "M_FORBIDDEN", "M_UNRECOGNIZED")
    world.not_forwarded()


def test_a_header_that_is_there_must_be_right(world: World) -> None:
    """Optional authentication does not mean that a wrong one is overlooked."""
    wrong = header(world.beta.name, world.beta.key.id, "A" * 86, world.NAME)
    assert plain(world, VERSION, authorization=wrong).status == 401
    assert plain(world, VERSION, authorization="X-Matrix x").status == 400
    assert plain(world, VERSION, authorization="Bearer x").status == 200


@pytest.mark.parametrize("option, uri", [("version", VERSION), ("openid_userinfo", USERINFO)])
def test_they_can_be_closed(make_world, option: str, uri: str) -> None:
    w = make_world()
    w.main_service["federation_paths"] = {option: "authenticated"}
    w.start()
    assert plain(w, uri).status in (401, 403)
    w.not_forwarded()
