# SPDX-License-Identifier: Apache-2.0
"""limits.rates: 429 beyond a rate, by address, access token or server (ML-123621-2)."""
from typing import Any

from harness import World, until
from sim import wire
from sim.keyserver import KeyServer

HOST = {"Host": "matrix.alpha.test"}
LOGIN = "/_matrix/client/v3/login"
PASSWORD = b'{"type":"m.login.password","user":"anna","password":"anna"}'
QUERY = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"
LIMITED = "schleuse_rate_limited_total"


def ask(w: World, method: str, target: str, body: Any = None, source: str = "127.0.0.1", **fields: str):
    with w.connect(source=source) as c:
        return c.ask(method, target, {**HOST, **fields}, body)


def limited(w: World, **rates: dict[str, int]) -> World:
    w.config.update(workers=3, limits={"rates": rates})
    return w.start()


def test_nothing_is_limited_by_default(world: World) -> None:
    for _ in range(25):
        assert ask(world, "POST", LOGIN, PASSWORD).status == 200


def test_logins(make_world) -> None:
    """The buckets are those of the process, whichever worker takes a connection."""
    w = limited(make_world(), login={"per_minute": 1, "burst": 5})
    assert [ask(w, "POST", LOGIN, PASSWORD).status for _ in range(15)] == [200] * 5 + [429] * 10
    a = ask(w, "POST", LOGIN, PASSWORD)
    assert a.errcode == "M_LIMIT_EXCEEDED" and a.get("Access-Control-Allow-Origin") == "*"
    wait = a.json()["retry_after_ms"]
    assert isinstance(wait, int) and 0 < wait <= 60000
    assert int(a.get("Retry-After")) == -(-wait // 1000)
    assert len(w.homeserver.requests("login")) == 5
    assert w.daemon.metric(LIMITED, limit="login") == 11
    assert w.daemon.metric("schleuse_exchanges_ended_total", reason="rate_limited") == 11
    assert ask(w, "GET", LOGIN).status == 200, "the ways to log in may be listed"
    assert ask(w, "POST", LOGIN, PASSWORD, source="127.0.0.2").status == 200, "others go on"
    assert ask(w, "GET", "/_matrix/client/versions").status == 200
    assert "127.0.0.1" not in "".join(line for line in w.daemon.log_text().splitlines() if "rate" in line)


def test_a_connection_outlives_a_limit(make_world) -> None:
    w = limited(make_world(), login={"per_minute": 1, "burst": 1})
    with w.connect() as c:
        assert c.ask("POST", LOGIN, HOST, PASSWORD).status == 200
        assert c.ask("POST", LOGIN, HOST, PASSWORD).status == 429
        assert c.ask("GET", "/_matrix/client/versions", HOST).status == 200


def test_the_rate_fills_the_bucket_again(make_world) -> None:
    w = limited(make_world(), login={"per_minute": 120, "burst": 1})
    assert ask(w, "POST", LOGIN, PASSWORD).status == 200
    until("another one", lambda: ask(w, "POST", LOGIN, PASSWORD).status == 200)


def test_access_tokens(make_world) -> None:
    w = limited(make_world(), client={"per_minute": 1, "burst": 3})
    who = "/_matrix/client/v3/account/whoami"
    other = w.homeserver.add_user("bert")
    assert [w.client("GET", who).status for _ in range(4)] == [200, 200, 200, 429]
    assert w.client("GET", f"{who}?access_token={w.token}", token=None).status == 429
    assert w.client("GET", who, token=other).status == 200
    assert w.daemon.metric(LIMITED, limit="client") == 2


def listed(w: World, name: str) -> KeyServer:
    server = w.remote(name)
    w.listed.append(server.name)
    w.publish()
    return server


def test_servers_by_what_they_signed(make_world) -> None:
    """Nobody can use up the rate of another: only verified requests count."""
    w = make_world()
    delta = listed(w, "delta.test")
    limited(w, federation={"per_minute": 1, "burst": 3})
    forged = w.peer(w.beta, key=w.gamma.key)
    assert [forged.ask("GET", QUERY).status for _ in range(5)] == [401] * 5
    assert [w.peer(w.beta).ask("GET", QUERY).status for _ in range(4)] == [200, 200, 200, 429]
    a = w.peer(w.beta).ask("PUT", "/_matrix/federation/v1/send/1", {"pdus": []})
    assert (a.status, a.errcode) == (429, "M_LIMIT_EXCEEDED")
    assert w.peer(delta).ask("GET", QUERY).status == 200
    assert w.daemon.metric(LIMITED, limit="federation") == 2


def test_servers_by_address_before_anything_is_verified(make_world) -> None:
    w = limited(make_world(), federation_address={"per_minute": 1, "burst": 3})
    strangers = [ask(w, "GET", QUERY).status for _ in range(5)]
    assert strangers == [401, 401, 401, 429, 429]
    assert ask(w, "GET", "/_matrix/key/v2/server").status == 429
    assert ask(w, "GET", QUERY, source="127.0.0.2").status == 401
    assert w.client("GET", "/_matrix/client/v3/account/whoami").status == 200


def test_exempt_networks_and_reload(make_world) -> None:
    w = make_world()
    w.config["limits"] = {
        "rates": {"login": {"per_minute": 1, "burst": 1}},
        "exempt": ["127.0.0.2/32"],
    }
    w.start()
    assert [ask(w, "POST", LOGIN, PASSWORD, source="127.0.0.2").status for _ in range(3)] == [200] * 3
    assert [ask(w, "POST", LOGIN, PASSWORD).status for _ in range(2)] == [200, 429]
    w.config["limits"]["rates"]["login"]["per_minute"] = 0
    w.daemon.reload()
    until("the limit is off", lambda: ask(w, "POST", LOGIN, PASSWORD).status == 200)
    with wire.Connection(w.address, w.tls, "matrix.alpha.test") as c:
        assert c.ask("POST", LOGIN, HOST, PASSWORD).status == 200
