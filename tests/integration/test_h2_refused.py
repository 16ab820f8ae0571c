# SPDX-License-Identifier: Apache-2.0
"""What could not be written as HTTP/1.1 unchanged is refused on its stream (RFC 9113 8; ML-123621-2)."""
from typing import Iterator

import pytest

from harness import World, open_world
from sim import wire
from sim.h2wire import H2, PROTOCOL_ERROR, fields_of
from sim.rawserver import RawServer

VERSIONS = "/_matrix/client/versions"
BASE = {":method": "GET", ":scheme": "https", ":authority": "matrix.alpha.test", ":path": VERSIONS}


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.raw = RawServer()
        w.main_service["homeserver"] = w.raw.where
        w.config["limits"] = {"head_max": "8k", "target_max": "4k", "fields_max": 50}
        w.config["limits"].update(client_body_max="64k", inspect_body_max="64k")
        w.start()

    with open_world(setup) as w:
        yield w
        w.raw.close()


@pytest.fixture(autouse=True)
def nothing_yet(world: World) -> None:
    world.raw.forget()


def dial(w: World) -> H2:
    return H2(w.address, wire.tls_context(w.ca_file), "matrix.alpha.test")


def without(*names: str) -> list[tuple[str, str]]:
    return [(n, v) for n, v in BASE.items() if n not in names]


def changed(**how: str) -> list[tuple[str, str]]:
    return list({**BASE, **{":" + n: v for n, v in how.items()}}.items())


def plus(*fields: tuple[str, str]) -> list[tuple[str, str]]:
    return [*BASE.items(), *fields]


ROWS = {
    "no method": (400, without(":method")),
    "no scheme": (400, without(":scheme")),
    "no path": (400, without(":path")),
    "no authority and no host": (400, without(":authority")),
    "empty path": (400, changed(path="")),
    "method twice": (400, plus((":method", "GET"))),
    "path twice": (400, plus((":path", VERSIONS))),
    "authority twice": (400, plus((":authority", "matrix.alpha.test"))),
    "unknown pseudo field": (400, [*BASE.items(), (":version", "HTTP/1.1")]),
    "response pseudo field": (400, [*BASE.items(), (":status", "200")]),
    "pseudo field behind a field": (400, [*without(":path"), ("a", "b"), (":path", VERSIONS)]),
    "extended CONNECT": (400, plus((":protocol", "websocket"))),
    "CONNECT": (405, [(":method", "CONNECT"), (":authority", "matrix.alpha.test:443")]),
    "scheme http": (400, changed(scheme="http")),
    "unknown scheme": (400, changed(scheme="matrix-federation")),
    "bad method": (400, changed(method="G(T")),
    "method with a blank": (400, changed(method="GET /x HTTP/1.1\r\nA: b\r\n\r\nGET")),
    "method too long": (400, changed(method="A" * 33)),
    "path without slash": (400, changed(path="_matrix/client/versions")),
    "path in absolute form": (400, changed(path="https://matrix.alpha.test" + VERSIONS)),
    "path with a fragment": (400, changed(path=VERSIONS + "#x")),
    "path with a blank": (400, changed(path=VERSIONS + " HTTP/1.1")),
    "path with CR LF": (400, changed(path=VERSIONS + "\r\nX: y")),
    "path with NUL": (400, changed(path=VERSIONS + "\0")),
    "path with UTF-8": (400, changed(path=VERSIONS + "\u00e4")),
    "asterisk of GET": (400, changed(path="*")),
    "authority with a path": (400, changed(authority="matrix.alpha.test/x")),
    "authority with a user": (400, changed(authority="a@matrix.alpha.test")),
    "authority list": (400, changed(authority="matrix.alpha.test, bravo.test")),
    "authority empty": (400, changed(authority="")),
    "host that is not authority": (400, plus(("host", "bravo.test"))),
    "host twice": (400, plus(("host", "matrix.alpha.test"), ("host", "matrix.alpha.test"))),
    "upper case": (400, plus(("X-Upper", "1"))),
    "empty name": (400, plus(("", "1"))),
    "bad character in a name": (400, plus(("a(b", "1"))),
    "colon in a name": (400, plus(("a:b", "1"))),
    "blank in a name": (400, plus(("a b", "1"))),
    "CR LF in a name": (400, plus(("a\r\nb", "1"))),
    "CR LF in a value": (400, plus(("a", "b\r\nc: d"))),
    "bare CR in a value": (400, plus(("a", "b\rc"))),
    "bare LF in a value": (400, plus(("a", "b\nc"))),
    "NUL in a value": (400, plus(("a", "b\0c"))),
    "DEL in a value": (400, plus(("a", "b\x7fc"))),
    "blank before a value": (400, plus(("a", " b"))),
    "tab behind a value": (400, plus(("a", "b\t"))),
    "connection": (400, plus(("connection", "close"))),
    "keep-alive": (400, plus(("keep-alive", "timeout=5"))),
    "proxy-connection": (400, plus(("proxy-connection", "close"))),
    "upgrade": (400, plus(("upgrade", "h2c"))),
    "transfer-encoding": (400, plus(("transfer-encoding", "chunked"))),
    "te gzip": (400, plus(("te", "gzip"))),
    "te trailers, gzip": (400, plus(("te", "trailers, gzip"))),
    "content-length without body": (400, plus(("content-length", "5"))),
    "content-length twice": (400, plus(("content-length", "0"), ("content-length", "0"))),
    "content-length list": (400, plus(("content-length", "0, 0"))),
    "content-length signed": (400, plus(("content-length", "+0"))),
    "unknown expectation": (417, plus(("expect", "200-ok"))),
    "target too long": (414, changed(path=VERSIONS + "?" + "a" * 5000)),
    "head too large": (431, plus(("a", "b" * 9000))),
    "too many fields": (431, plus(*[("a", "b")] * 60)),
}


@pytest.mark.parametrize("name", list(ROWS))
def test_refused(world: World, name: str) -> None:
    status, fields = ROWS[name]
    with dial(world) as c:
        s = c.read(c.headers(fields))
        assert s.status == status
        assert s.errcode in ("M_UNKNOWN", "M_UNRECOGNIZED")
        assert c.ask("GET", VERSIONS).status == 200, "the connection goes on"
    assert [r.target for r in world.raw.wait()] == [VERSIONS]


def test_the_same_head_is_fine_without_the_fault(world: World) -> None:
    """The rows are refused for what they name, not for something else."""
    with dial(world) as c:
        assert c.read(c.headers(plus(("te", "trailers"), ("content-length", "0"), ("a", "")))).status == 200
    assert world.raw.last.get("te") is None


POST = [("content-length", "5")]


@pytest.mark.parametrize("body", [b"1234", b"123456", b""])
def test_content_length_that_is_not_the_body(world: World, body: bytes) -> None:
    """What the homeserver got of it never looks like a whole request."""
    with dial(world) as c:
        id = c.begin("POST", "/_matrix/client/v3/x", *POST, end=False)
        c.data(id, body)
        assert c.read(id).status == 400
        assert c.ask("GET", VERSIONS).status == 200
    assert all(len(r.body) < 5 for r in world.raw.requests if "POST" == r.method)


def test_body_over_the_limit(world: World) -> None:
    with dial(world) as c:
        id = c.begin("POST", "/_matrix/client/v3/x", ("content-length", "70000"), end=False)
        assert (c.read(id).status, c.read(id).errcode) == (413, "M_TOO_LARGE")
        id = c.begin("POST", "/_matrix/client/v3/x", end=False)
        c.settle()
        for _ in range(5):
            c.data(id, b"x" * 13000, end=False)
        c.data(id, b"x" * 535, end=False)
        c.until(lambda: c.windows.get(id))
        c.data(id, b"x" * 10000, end=False)
        assert c.read(id).status == 413
        assert c.ask("GET", VERSIONS).status == 200


@pytest.mark.parametrize(
    "trailer", [("host", "x"), ("content-length", "1"), ("transfer-encoding", "chunked"), ("X-Up", "1"),
                (":path", "/"), ("a", "b\r\nc"), ("a", "b" * 9000)])
def test_bad_trailers(world: World, trailer: tuple[str, str]) -> None:
    with dial(world) as c:
        id = c.begin("POST", "/_matrix/client/v3/x", end=False)
        c.data(id, b"x", end=False)
        c.headers([trailer], id=id)
        assert c.read(id).status == 400


def test_a_second_head_that_does_not_end_the_stream(world: World) -> None:
    with dial(world) as c:
        id = c.begin("POST", "/_matrix/client/v3/x", end=False)
        c.headers([("a", "b")], end=False, id=id)
        assert c.read(id).reset == PROTOCOL_ERROR
        assert c.ask("GET", VERSIONS).status == 200


def test_a_head_in_pieces(world: World) -> None:
    """CONTINUATION is not refused as such."""
    with dial(world) as c:
        id = c.split_headers(fields_of("GET", VERSIONS, ("a", "b" * 3000)), 4)
        assert c.read(id).status == 200
    assert world.raw.last.get("a") == "b" * 3000


def test_reasons_are_those_of_http_1_1(world: World) -> None:
    m = world.daemon.metric
    before = m("schleuse_exchanges_ended_total", reason="http_field")
    with dial(world) as c:
        c.read(c.headers(plus(("connection", "close"))))
    assert m("schleuse_exchanges_ended_total", reason="http_field") == before + 1
