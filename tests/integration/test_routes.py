# SPDX-License-Identifier: Apache-2.0
"""Which paths there are (FD-5.2.1.2-5, T-13) and in which spelling."""
import pytest

from harness import World
from sim.wire import request

HOST = ("Host", "matrix.alpha.test")


def raw_get(world: World, target: str, method: str = "GET"):
    with world.connect() as c:
        c.send(request(method, target, [HOST, ("Authorization", f"Bearer {world.token}")]))
        return c.read(method)


@pytest.mark.parametrize(
    "target",
    [
        "/_matrix/client/versions",
        "/_matrix/client/v3/login",
        "/_matrix/client/v3/sync?timeout=0",
        "/_matrix/client/v99/something/new",
        "/_matrix/client/unstable/org.example.msc1/x",
        "/_matrix/media/v3/config",
        "/_matrix/client/v1/media/config",
        "/_synapse/client/pick_idp",
        "/.well-known/matrix/client",
        "/_matrix/client/v3/rooms/%21r%3Aalpha.test/state/m%2Eroom%2Etopic",
    ],
)
def test_client_paths_are_forwarded(world: World, target: str) -> None:
    raw_get(world, target)
    assert [s.target for s in world.homeserver.wait()] == [target]


@pytest.mark.parametrize(
    "target",
    [
        "/_synapse/admin/v1/server_version",
        "/_synapse/admin/v2/users/%40a%3Aalpha.test",
        "/_synapse/metrics",
        "/_synapse/replication/x",
        "/_synapse/mas/set_displayname",
        "/_synapse/admin",
        "/_matrix/client/v3/../../_synapse/admin/v1/x",
        "/_synapse/%61dmin/v1/server_version",
        "/_synapse//admin/v1/server_version",
        "/%5Fsynapse/admin/v1/server_version",
        "/_Synapse/admin/v1/server_version",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_administrative_paths_are_refused(world: World, target: str, method: str) -> None:
    a = raw_get(world, target, method)
    assert a.status in (400, 403, 404)
    assert a.errcode in ("M_FORBIDDEN", "M_UNRECOGNIZED")
    world.not_forwarded("")


@pytest.mark.parametrize(
    "target", ["/", "/index.html", "/_matrix", "/_matrix/", "/_matrix/other", "/metrics", "/health"]
)
def test_unknown_paths_are_404(world: World, target: str) -> None:
    a = raw_get(world, target)
    assert (a.status, a.errcode) == (404, "M_UNRECOGNIZED")
    assert a.get("Content-Type").startswith("application/json")
    world.not_forwarded("")


@pytest.mark.parametrize(
    "target",
    [
        "//_matrix/client/versions",
        "/_matrix//client/versions",
        "/_matrix/client/./versions",
        "/_matrix/client/x/../versions",
        "/_matrix/client/%2e%2e/versions",
        "/_matrix/client/%2E/versions",
        "/_matrix/client/.%2e/versions",
        "/_matrix\\client\\versions",
        "/_matrix/client/v3%5Cx",
        "/_matrix/client/v3/profile/%00",
        "/_matrix/client/v3/profile/%zz",
        "/_matrix/client/v3/profile/%4",
        "/_m%61trix/client/versions",
        "/_matrix/%63lient/versions",
        "/_matrix/%66ederation/v1/version",
    ],
)
def test_paths_not_in_plain_form_are_refused(world: World, target: str) -> None:
    a = raw_get(world, target)
    assert (a.status, a.errcode) == (400, "M_UNRECOGNIZED") or a.status == 404
    world.not_forwarded("")


def test_a_wrong_method_on_a_federation_path_is_405(world: World) -> None:
    a = world.peer(world.beta).ask("GET", "/_matrix/federation/v1/send/1")
    assert (a.status, a.errcode) == (405, "M_UNRECOGNIZED")
    world.not_forwarded()


def test_unknown_federation_paths_need_a_member(world: World) -> None:
    """What the table does not know still needs authentication and membership."""
    uri = "/_matrix/federation/unstable/org.example/new"
    assert raw_get(world, uri).status == 401
    assert world.peer(world.gamma).ask("GET", uri).status == 403
    world.not_forwarded()
    assert world.peer(world.beta).ask("GET", uri).status == 200
    assert world.homeserver.wait()[0].verified == world.beta.name


def test_listeners_serve_their_own_kind(make_world) -> None:
    w = make_world()
    w.config["listeners"] = [
        {"address": "127.0.0.1:0", "serves": ["clients"]},
        {"address": "127.0.0.1:0", "serves": ["federation"]},
    ]
    w.start()
    peer = w.peer(w.beta)
    uri = "/_matrix/federation/v1/version"
    assert peer.ask("GET", uri).status == 404
    assert w.client("GET", "/_matrix/client/versions").status == 200
    w.homeserver.forget()
    peer.address = w.daemon.address(1)
    assert peer.ask("GET", uri).status == 200
    assert peer.send("GET", "/_matrix/client/versions", None, None).status == 404
    assert [s.target for s in w.homeserver.seen] == [uri]


def test_admin_paths_can_be_opened(make_world) -> None:
    w = make_world()
    w.main_service["admin_paths"] = "forward"
    w.start()
    w.homeserver.users["@anna:alpha.test"]["admin"] = True
    for other in ("/_synapse/metrics", "/_synapse/replication/x", "/_synapse/mas/set_displayname"):
        assert w.client("GET", other).status in (403, 404)
    w.not_forwarded("")
    assert w.client("GET", "/_synapse/admin/v1/users/%40anna%3Aalpha.test/admin").status == 200
