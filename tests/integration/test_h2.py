# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 towards clients: the same requests, the same rules, the same answers (RFC 9113)."""
import json
import shutil
import signal
import subprocess
from typing import Iterator

import pytest

from harness import World, open_world, until
from sim import b64, wire
from sim.h2wire import NO_ERROR, H2
from sim.rawserver import Hang, RawServer

VERSIONS = "/_matrix/client/versions"


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.main_service["display_names"] = {"org_admins": ["@office:alpha.test"]}
        w.add_service("bravo.test")
        w.start()

    with open_world(setup) as w:
        yield w


def dial(w: World, name: str = "matrix.alpha.test", **how) -> H2:
    return H2(w.address, wire.tls_context(w.ca_file), name, **how)


def auth(w: World) -> tuple[str, str]:
    return ("authorization", f"Bearer {w.token}")


def test_a_request_arrives_as_it_would_from_http_1_1(world: World) -> None:
    target = "/_matrix/client/v3/account/whoami?x=%2F&y=%41"
    with dial(world) as c:
        a = c.ask("GET", target, auth(world), ("x-test", "a b"), ("x-forwarded-for", "6.6.6.6"))
    assert a.status == 200 and a.json()["user_id"] == "@anna:alpha.test"
    seen, = world.homeserver.wait("whoami")
    assert (seen.method, seen.target) == ("GET", target)
    assert seen.get("Host") == "matrix.alpha.test"
    assert seen.get("x-test") == "a b"
    assert seen.get("X-Forwarded-For") == "127.0.0.1"
    assert seen.get("X-Forwarded-Proto") == "https"
    assert seen.get("X-Forwarded-Host") == "matrix.alpha.test"
    assert len(seen.get("X-Request-ID") or "") == 16
    assert seen.get("Content-Length") is None and seen.get("Transfer-Encoding") is None


def test_answers_have_no_connection_fields(world: World) -> None:
    async def scripted(_seen, request):
        from aiohttp import web

        headers = {"Keep-Alive": "timeout=5", "X-Mixed-Case": "Yes", "Connection": "X-Gone", "X-Gone": "1"}
        r = web.StreamResponse(headers=headers)
        r.enable_chunked_encoding()
        await r.prepare(request)
        await r.write(b"one ")
        await r.write(b"two")
        await r.write_eof()
        return r

    world.homeserver.script = scripted
    try:
        with dial(world) as c:
            a = c.ask("GET", VERSIONS)
    finally:
        world.homeserver.script = None
    assert bytes(a.body) == b"one two" and a.head["x-mixed-case"] == "Yes"
    assert not {"keep-alive", "connection", "transfer-encoding", "x-gone"} & set(a.head)


def test_body_with_and_without_length(world: World) -> None:
    upload = "/_matrix/media/v3/upload"
    with dial(world) as c:
        assert c.ask("POST", upload, auth(world), ("content-length", "4"), body=b"abcd").status == 200
        assert c.ask("POST", upload, auth(world), body=b"efgh").status == 200
        id = c.begin("POST", upload, auth(world), end=False)
        c.data(id, b"ij", end=False, pad_length=100)
        c.headers([("x-trailer", "dropped")], id=id)
        assert c.read(id).status == 200
    first, second, third = world.homeserver.wait("upload", 3)
    assert first.get("Content-Length") == "4" and first.get("Transfer-Encoding") is None
    assert second.get("Transfer-Encoding") == "chunked"
    assert [s.body for s in (first, second, third)] == [b"abcd", b"efgh", b"ij"]
    assert third.get("x-trailer") is None


def test_head_and_empty_answers(world: World) -> None:
    with dial(world) as c:
        options = c.ask("OPTIONS", VERSIONS)
        assert options.status == 204 and options.ended and not options.body and options.frames == 0
        head = c.ask("HEAD", VERSIONS)
        assert head.ended and not head.body and int(head.head["content-length"]) > 0


def test_cookie_crumbs_are_joined(world: World) -> None:
    with dial(world) as c:
        c.ask("GET", VERSIONS, ("cookie", "a=1"), ("x-between", "1"), ("cookie", "b=2"), ("cookie", "c=3"))
    assert world.homeserver.wait()[0].get("Cookie") == "a=1; b=2; c=3"


def test_host_in_place_of_authority(world: World) -> None:
    pseudo = [(":method", "GET"), (":scheme", "https"), (":path", VERSIONS)]
    with dial(world) as c:
        assert c.read(c.headers([*pseudo, ("host", "matrix.alpha.test")])).status == 200
        both = [*pseudo, (":authority", "matrix.alpha.test"), ("host", "MATRIX.alpha.test")]
        assert c.read(c.headers(both)).status == 200
    assert [len(s.all("Host")) for s in world.homeserver.wait(n=2)] == [1, 1]


def test_continue_before_the_body(world: World) -> None:
    with dial(world) as c:
        id = c.begin("POST", "/_matrix/media/v3/upload", auth(world), ("expect", "100-continue"), end=False)
        c.until(lambda: c.streams[id].heads)
        assert c.streams[id].status == 100 and not c.streams[id].ended
        c.data(id, b"now")
        assert c.read(id).status == 200
    assert world.homeserver.wait("upload")[0].body == b"now"


def test_interim_responses_are_passed_on(make_world) -> None:
    answer = (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
              b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with RawServer(answer) as raw:
        w = make_world()
        w.main_service["homeserver"] = raw.where
        w.start()
        with dial(w) as c:
            a = c.ask("GET", VERSIONS)
            assert [h[":status"] for h in a.heads] == ["103", "200"]
            assert a.heads[0]["link"] == "</a>" and bytes(a.body) == b"ok"


def test_many_streams_at_once(world: World) -> None:
    with dial(world) as c:
        ids = [c.begin("GET", f"{VERSIONS}?n={i}") for i in range(100)]
        assert [c.read(i).status for i in ids] == [200] * 100
        assert c.ask("GET", VERSIONS).status == 200
    assert len(world.homeserver.wait(n=101)) == 101


def test_signed_transaction(world: World) -> None:
    """FD-5.2.1.2-10: a federation request is authenticated whatever carries it."""
    beta, uri = world.peer(world.beta), "/_matrix/federation/v1/send/t1"
    content = {"origin": beta.name, "origin_server_ts": 1, "pdus": [], "edus": []}
    body = b64.sorted_json(content)
    good = ("authorization", beta.authorization("PUT", uri, content))
    with dial(world, "alpha.test") as c:
        a = c.ask("PUT", uri, good, ("content-type", "application/json"), body=body, authority="alpha.test")
        assert a.status == 200
        bad = c.ask("PUT", uri, good, body=body.replace(b"1", b"2"), authority="alpha.test")
        assert (bad.status, bad.errcode) == (401, "M_UNAUTHORIZED")
        assert c.ask("PUT", uri, body=body, authority="alpha.test").status == 401
        gamma = world.peer(world.gamma)
        foreign = ("authorization", gamma.authorization("PUT", uri, content))
        assert c.ask("PUT", uri, foreign, body=body, authority="alpha.test").status == 403
    seen, = world.homeserver.wait("send")
    assert seen.verified == beta.name and seen.body == body


def test_display_name_rule(world: World) -> None:
    """FD-5.2.1.2-19: no way around it over HTTP/2."""
    path = "/_matrix/client/v3/profile/%40anna%3Aalpha.test/displayname"
    with dial(world) as c:
        a = c.ask("PUT", path, auth(world), body=json.dumps({"displayname": "X"}).encode())
    assert (a.status, a.errcode) == (403, "M_FORBIDDEN")
    assert all(s.method == "GET" for s in world.homeserver.requests("displayname")), "our own look-up only"


def test_misdirected_authority(world: World) -> None:
    """One connection may carry hosts of one service only (421 tells the client to open another)."""
    with dial(world, "matrix.bravo.test") as c:
        assert c.ask("GET", VERSIONS, authority="matrix.alpha.test").status == 421
        assert c.ask("GET", VERSIONS, authority="matrix.bravo.test").status == 200
    world.not_forwarded()


def test_cancelling_reaches_the_homeserver(make_world) -> None:
    """RST_STREAM ends that exchange only; its long poll upstream is closed."""
    with RawServer(lambda r: Hang(b"") if b"hang" in r.line else b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as raw:
        w = make_world()
        w.main_service["homeserver"] = raw.where
        w.start()
        with dial(w) as c:
            id = c.begin("GET", VERSIONS + "?hang=1")
            until("the request at the homeserver", lambda: any(b"hang" in r.line for r in raw.requests))
            c.cancel(id)
            hanging = next(r for r in raw.requests if b"hang" in r.line)
            assert hanging.gone.wait(15)
            assert c.ask("GET", VERSIONS).status == 200
            c.begin("GET", VERSIONS + "?hang=2")
            until("the second", lambda: any(b"hang=2" in r.line for r in raw.requests))
        second = next(r for r in raw.requests if b"hang=2" in r.line)
        assert second.gone.wait(15), "a client that goes away cancels what it asked for"


def test_an_answer_before_the_whole_request_ends_the_stream(world: World) -> None:
    """RFC 9113 8.1: the answer is complete, RST_STREAM with NO_ERROR says that the rest is not wanted."""
    with dial(world) as c:
        id = c.begin("PUT", "/nowhere", end=False)
        s = c.read(id)
        assert s.status == 404 and s.ended
        c.until(lambda: s.reset is not None)
        assert s.reset == NO_ERROR
        assert c.ask("GET", VERSIONS).status == 200


def test_a_drain_loses_no_request(make_world) -> None:
    """SIGTERM: GOAWAY for later, then GOAWAY with the last stream; what is under way is answered."""
    w = make_world().start()
    with dial(w) as c:
        assert c.ask("GET", VERSIONS).status == 200
        c.answer_pings = False
        slow = c.begin("GET", "/_matrix/client/v3/sync?timeout=1500", auth(w))
        w.homeserver.wait("sync")
        w.daemon.signal(signal.SIGTERM)
        c.until(lambda: c.goaways)
        assert (c.goaways[0].last_stream_id, c.goaways[0].error_code) == (2**31 - 1, NO_ERROR)
        late = c.begin("GET", VERSIONS)
        assert c.read(late).status == 200, "it was under way when the notice came"
        assert c.read(slow).status == 200
        assert c.ended() == [NO_ERROR, NO_ERROR]
        assert c.goaways[1].last_stream_id == late
    w.daemon.stop()


def test_an_idle_connection_ends_at_once_when_draining(make_world) -> None:
    w = make_world().start()
    with dial(w) as c:
        assert c.ask("GET", VERSIONS).status == 200
        w.daemon.signal(signal.SIGTERM)
        assert c.ended() == [NO_ERROR, NO_ERROR]


def test_it_can_be_switched_off(make_world) -> None:
    w = make_world()
    w.config["tls"] = {"http2": False}
    w.start()
    tls = wire.tls_context(w.ca_file, alpn=["h2", "http/1.1"])
    with w.connect(tls=tls) as c:
        assert c.tls.selected_alpn_protocol() == "http/1.1"
        assert c.ask("GET", VERSIONS, {"Host": "matrix.alpha.test"}).status == 200


def test_no_prior_knowledge_without_alpn(world: World) -> None:
    """A client that speaks HTTP/2 where HTTP/1.1 was agreed on gets a refusal."""
    with world.connect() as c:
        c.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert c.read().status in (400, 505)
        assert c.ended()


def test_no_http_1_1_where_http_2_was_agreed(world: World) -> None:
    tls = wire.tls_context(world.ca_file, alpn=["h2"])
    with world.connect(tls=tls) as c:
        c.send(b"GET / HTTP/1.1\r\nHost: matrix.alpha.test\r\n\r\n")
        got = b""
        while piece := c.sock.recv(4096):
            got += piece
        assert b"HTTP/1.1" not in got
    world.not_forwarded("")


def test_metrics_by_protocol(world: World) -> None:
    m = world.daemon.metric
    before = {p: m("schleuse_connections_total", protocol=p) for p in ("h1", "h2")}
    streams = m("schleuse_h2_streams_total")
    with dial(world) as c:
        c.ask("GET", VERSIONS)
        c.ask("GET", VERSIONS)
    with world.connect() as c:
        c.ask("GET", VERSIONS, {"Host": "matrix.alpha.test"})
    assert m("schleuse_connections_total", protocol="h1") == before["h1"] + 1
    assert m("schleuse_connections_total", protocol="h2") == before["h2"] + 1
    assert m("schleuse_h2_streams_total") == streams + 2


def test_curl(world: World) -> None:
    """A client of others, with a body larger than any window."""
    host, port = world.address
    done = subprocess.run(
        ["curl", "-sS", "--http2", "--cacert", str(world.ca_file), "--resolve",
         f"matrix.alpha.test:{port}:{host}", "-w", "\n%{http_version} %{http_code}", "--data-binary", "@-",
         "-H", f"Authorization: Bearer {world.token}", f"https://matrix.alpha.test:{port}/_matrix/media/v3/upload"],
        input=b"x" * 3_000_000, capture_output=True, timeout=60)
    assert done.stdout.splitlines()[-1] == b"2 200", done.stderr
    assert len(world.homeserver.wait("upload")[0].body) == 3_000_000


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load (nghttp2-client) is not installed")
def test_h2load(world: World) -> None:
    done = subprocess.run(
        ["h2load", "-n", "2000", "-c", "5", "-m", "40", "-H", ":authority: matrix.alpha.test",
         "https://%s:%d%s" % (*world.address, VERSIONS)], capture_output=True, text=True, timeout=60)
    assert "2000 succeeded, 0 failed, 0 errored" in done.stdout, done.stdout + done.stderr
