# SPDX-License-Identifier: Apache-2.0
"""Users do not change their own display name, by no route (FD-5.2.1.2-19, -20; O-10)."""
import json
from typing import Iterator

import pytest

from harness import World, open_world
from sim.wire import request

ME, NAME = "%40anna%3Aalpha.test", {"displayname": "Dr. Evil"}
V3 = "/_matrix/client/v3"
MEMBER = {
    "type": "m.room.member",
    "state_key": "@anna:alpha.test",
    "content": {"membership": "join", **NAME},
}


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.main_service["display_names"] = {"org_admins": ["@office:alpha.test"]}
        w.office = w.homeserver.add_user("office")
        w.root = w.homeserver.add_user("root", admin=True)
        w.start()

    with open_world(setup) as w:
        yield w


def ask(world: World, method: str, target: str, body, token: str | None = "", **fields: str):
    return world.client(method, target, body, token=token, **fields)


ROUTES = [
    *(("PUT", f"/_matrix/client/{v}/profile/{ME}/displayname", NAME) for v in
      ("api/v1", "r0", "v1", "v3", "unstable")),
    ("PUT", f"{V3}/profile/@anna:alpha.test/displayname", NAME),
    ("PUT", f"{V3}/profile/%40%61nna:alpha.test/displayname", NAME),
    ("PUT", f"{V3}/profile/{ME}/display%6Eame", NAME),
    ("PUT", f"{V3}/profile/{ME}/displayname?access_token=x", NAME),
    ("PUT", f"{V3}/profile/{ME}/displayname/", NAME),
    ("PUT", f"{V3}/profile/{ME}//displayname", NAME),
    ("PUT", f"{V3}/profile//{ME}/displayname", NAME),
    ("PUT", f"/_matrix/client/V3/profile/{ME}/displayname", NAME),
    ("PUT", f"{V3}/Profile/{ME}/displayname", NAME),
    ("PUT", f"{V3}/profile/{ME}/DisplayName", NAME),
    ("PUT", f"{V3}/profile/{ME}/displayname;x=1", NAME),
    ("PUT", f"{V3}/x/../profile/{ME}/displayname", NAME),
    ("DELETE", f"{V3}/profile/{ME}/displayname", None),
    ("PUT", f"{V3}/profile/{ME}", NAME),
    ("PUT", f"{V3}/profile%2F{ME}%2Fdisplayname", NAME),
    ("PUT", f"/_matrix/client/unstable/uk.tcpip.msc4133/profile/{ME}/displayname", NAME),
    ("DELETE", f"/_matrix/client/unstable/uk.tcpip.msc4133/profile/{ME}/displayname", None),
    ("PUT", f"{V3}/rooms/%21r%3Aalpha.test/state/m.room.member/{ME}",
     {"membership": "join", **NAME}),
    ("PUT", f"/_matrix/client/r0/rooms/!r:alpha.test/state/m%2Eroom%2Emember/{ME}",
     {"membership": "join", **NAME}),
    ("PUT", "/_matrix/client/api/v1/rooms/!r:alpha.test/state/m.room.member/@anna:alpha.test",
     {"membership": "join", **NAME}),
    ("POST", f"{V3}/join/%21r%3Aalpha.test", NAME),
    ("POST", "/_matrix/client/unstable/join/%23r%3Aalpha.test?server_name=x", NAME),
    ("PUT", f"{V3}/join/%21r%3Aalpha.test/txn1", NAME),
    ("POST", f"{V3}/createRoom", {"initial_state": [MEMBER]}),
    ("PUT", "/_matrix/client/r0/createRoom/txn2", {"initial_state": [{"type": "x"}, MEMBER]}),
]  # fmt: skip


@pytest.mark.parametrize("method, target, body", ROUTES)
def test_no_route_changes_the_own_name(world: World, method: str, target: str, body) -> None:
    a = ask(world, method, target, body)
    assert a.status in (400, 403, 404, 405)
    if a.status == 403:
        assert a.errcode == "M_FORBIDDEN" and a.get("Access-Control-Allow-Origin") == "*"
    writes = [s for s in world.homeserver.requests() if s.method in ("PUT", "POST", "DELETE")]
    assert not writes, "forwarded"
    assert world.homeserver.users["@anna:alpha.test"]["displayname"] == "Anna"


def test_the_plain_route_is_403(world: World) -> None:
    for version in ("r0", "v3", "unstable"):
        a = ask(world, "PUT", f"/_matrix/client/{version}/profile/{ME}/displayname", NAME)
        assert (a.status, a.errcode) == (403, "M_FORBIDDEN")


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_method_override_does_not_reach_the_homeserver(world: World, name: str) -> None:
    a = ask(world, "POST", f"{V3}/profile/{ME}/displayname", NAME, **{name.replace("-", "_"): "PUT"})
    assert a.status != 200
    assert all(s.get(name) is None for s in world.homeserver.requests("/profile/"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"displayname":"a","membership":"join","displayname":"b"}',
        b'{"display\\u006eame":"b","membership":"join"}',
        b'\xef\xbb\xbf{"displayname":"b","membership":"join"}',
        b'{"membership":"join","displayname":"b"} x',
        '{"membership":"join","displayname":"b"}'.encode("utf-16"),
    ],
)
def test_bodies_two_parsers_could_read_differently(world: World, body: bytes) -> None:
    for target in (f"{V3}/rooms/!r:alpha.test/state/m.room.member/{ME}", f"{V3}/join/!r:alpha.test"):
        method = "PUT" if "state" in target else "POST"
        assert ask(world, method, target, body).status in (400, 403)
    writes = [s for s in world.homeserver.requests() if s.method in ("PUT", "POST")]
    assert not writes


def test_chunked_bodies_are_judged_too(world: World) -> None:
    with world.connect() as c:
        head = [("Host", "matrix.alpha.test"), ("Authorization", f"Bearer {world.token}")]
        head.append(("Transfer-Encoding", "chunked"))
        data = json.dumps(NAME).encode()
        body = b"".join(b"1\r\n%c\r\n" % b for b in data) + b"0\r\n\r\n"
        c.send(request("POST", f"{V3}/join/!r:alpha.test", head, body))
        assert c.read().status == 403


@pytest.mark.parametrize(
    "method, target, body",
    [
        ("GET", f"{V3}/profile/{ME}/displayname", None),
        ("GET", f"{V3}/profile/{ME}", None),
        ("PUT", f"{V3}/profile/{ME}/avatar_url", {"avatar_url": "mxc://a/b"}),
        ("PUT", f"{V3}/profile/{ME}/m.tz", {"m.tz": "Europe/Berlin"}),
        ("POST", f"{V3}/join/!r:alpha.test", {}),
        ("POST", f"{V3}/join/!r:alpha.test", None),
        ("POST", f"{V3}/join/!r:alpha.test", {"reason": "displayname"}),
        ("POST", f"{V3}/rooms/!r:alpha.test/join", {"reason": "x"}),
        ("PUT", f"{V3}/rooms/!r:alpha.test/state/m.room.member/{ME}", {"membership": "leave"}),
        ("PUT", f"{V3}/rooms/!r:alpha.test/state/m.room.member/{ME}",
         {"membership": "join", "displayname": "Anna"}),
        ("PUT", f"{V3}/rooms/!r:alpha.test/state/m.room.topic", {"topic": "displayname"}),
    ("POST", f"{V3}/createRoom", {"name": "displayname", "initial_state": [{"type": "x"}]}),
        ("OPTIONS", f"{V3}/profile/{ME}/displayname", None),
    ],
)  # fmt: skip
def test_everything_else_still_works(world: World, method: str, target: str, body) -> None:
    assert ask(world, method, target, body).status in (200, 204)
    assert world.homeserver.requests()[-1].method == method


@pytest.mark.parametrize("who", ["office", "root"])
def test_an_org_admin_may(world: World, who: str) -> None:
    """By configured MXID, or by the homeserver's own admin flag."""
    token = getattr(world, who)
    target = f"{V3}/profile/%40{who}%3Aalpha.test/displayname"
    assert ask(world, "PUT", target, {"displayname": who}, token).status == 200
    assert world.homeserver.users[f"@{who}:alpha.test"]["displayname"] == who


def test_an_administrator_names_others(world: World) -> None:
    a = ask(world, "PUT", f"{V3}/profile/{ME}/displayname", {"displayname": "Anna"}, world.root)
    assert a.status == 200


@pytest.mark.parametrize("token", [None, "unknown", "bad token"])
def test_without_a_valid_token_nothing_changes(world: World, token) -> None:
    """The refusal is the homeserver's 401 or our 403, never a 401 of our own making."""
    a = ask(world, "PUT", f"{V3}/profile/{ME}/displayname", NAME, token)
    assert a.status in (401, 403)
    if a.status == 401:
        asked = world.homeserver.requests("whoami|profile")
        assert asked, "a 401 the homeserver never said"
    assert world.homeserver.users["@anna:alpha.test"]["displayname"] == "Anna"


@pytest.mark.parametrize(
    "query, fields",
    [
        ("?x=1;access_token={}", {}),
        ("?access_token={}", {"Authorization": "Basic x"}),
        ("?access_token=x&access_token={}", {}),
        ("", {"Content-Type": "application/x-www-form-urlencoded"}),
        ("", {"Authorization": "bearer {}"}),
    ],
)
def test_a_token_in_an_odd_place_opens_no_way(world: World, query: str, fields) -> None:
    """Synapse looks for parameters behind ";" and in the body of a form too."""
    fields = {n.replace("-", "_"): v.format(world.token) for n, v in fields.items()}
    body = json.dumps({**NAME, "x": f"&access_token={world.token}&"}).encode()
    a = ask(world, "POST", f"{V3}/join/!r:alpha.test{query.format(world.token)}", body, None, **fields)
    assert (a.status, a.errcode) == (403, "M_FORBIDDEN")
    world.not_forwarded("/join/")


def test_a_logged_out_admin_is_none_at_once(world: World) -> None:
    token = world.homeserver.add_user("chief", admin=True)
    target = f"{V3}/profile/%40chief%3Aalpha.test/displayname"
    assert ask(world, "PUT", target, NAME, token).status == 200
    assert ask(world, "POST", f"{V3}/logout", {}, token).status == 200
    world.homeserver.tokens[token] = "@anna:alpha.test"  # the same token in other hands
    assert ask(world, "PUT", f"{V3}/profile/{ME}/displayname", NAME, token).status == 403


@pytest.mark.parametrize("mode, status", [("off", 200), ("log", 200), ("enforce", 403)])
def test_rule_modes(make_world, mode: str, status: int) -> None:
    w = make_world()
    w.main_service["display_names"] = {"rule": mode}
    w.start()
    assert ask(w, "PUT", f"{V3}/profile/{ME}/displayname", NAME).status == status


def test_the_admin_flag_can_be_left_out(make_world) -> None:
    w = make_world()
    w.main_service["display_names"] = {"homeserver_admins": False}
    token = w.homeserver.add_user("root", admin=True)
    w.start()
    a = ask(w, "PUT", f"{V3}/profile/%40root%3Aalpha.test/displayname", NAME, token)
    assert a.status == 403
