# SPDX-License-Identifier: Apache-2.0
"""Messages two servers could read differently are refused, never repaired (RFC 9112; ML-123621-2)."""
from typing import Iterator

import pytest

from harness import World, open_world
from sim.rawserver import RawServer

HOST = b"Host: matrix.alpha.test\r\n"
LINE = b"POST /_matrix/client/v3/x HTTP/1.1\r\n"
GET = b"GET /_matrix/client/versions HTTP/1.1\r\n"


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.raw = RawServer()
        w.main_service["homeserver"] = w.raw.where
        w.config["timeouts"]["head"] = "5s"
        w.config["limits"] = {"head_max": "8k", "target_max": "4k", "fields_max": 50}
        w.config["limits"].update(client_body_max="64k", inspect_body_max="64k")
        w.start()

    with open_world(setup) as w:
        yield w
        w.raw.close()


def head(*fields: bytes, line: bytes = LINE, body: bytes = b"") -> bytes:
    return line + HOST + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


ROWS = {
    "bare LF behind the request line": (400, b"GET / HTTP/1.1\n" + HOST + b"\r\n"),
    "bare LF behind a field": (400, GET + b"Host: matrix.alpha.test\n\r\n"),
    "bare LF as blank line": (400, GET + HOST + b"\n\r\n\r\n"),
    "bare CR in a value": (400, head(b"A: b\rc")),
    "bare CR as line end": (400, GET + b"A: b\rC: d\r\n" + HOST + b"\r\n"),
    "NUL in a value": (400, head(b"A: b\0c")),
    "NUL in the target": (400, b"GET /_matrix/client/\0 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "obs-fold": (400, head(b"A: b", b" c")),
    "blank before the first field": (400, GET + b" " + HOST + b"\r\n"),
    "space before the colon": (400, head(b"A : b")),
    "no colon": (400, head(b"Abc")),
    "empty field name": (400, head(b": b")),
    "bad character in a name": (400, head(b"A(b: c")),
    "non-ASCII in a name": (400, head(b"A\xe4: c")),
    "DEL in a value": (400, head(b"A: b\x7f")),
    "Content-Length twice, same": (400, head(b"Content-Length: 2", b"Content-Length: 2", body=b"{}")),
    "Content-Length twice, other": (400, head(b"Content-Length: 2", b"content-length: 3", body=b"{}")),
    "Content-Length list": (400, head(b"Content-Length: 2, 2", body=b"{}")),
    "Content-Length signed": (400, head(b"Content-Length: +2", body=b"{}")),
    "Content-Length negative": (400, head(b"Content-Length: -2", body=b"{}")),
    "Content-Length hexadecimal": (400, head(b"Content-Length: 0x2", body=b"{}")),
    "Content-Length empty": (400, head(b"Content-Length:")),
    "Content-Length too big to count": (400, head(b"Content-Length: 99999999999999999999")),
    "Content-Length with Transfer-Encoding": (
        400,
        head(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    ),
    "Transfer-Encoding gzip": (400, head(b"Transfer-Encoding: gzip")),
    "Transfer-Encoding gzip, chunked": (400, head(b"Transfer-Encoding: gzip, chunked")),
    "Transfer-Encoding chunked, chunked": (400, head(b"Transfer-Encoding: chunked, chunked")),
    "Transfer-Encoding identity": (400, head(b"Transfer-Encoding: identity")),
    "Transfer-Encoding with parameter": (400, head(b"Transfer-Encoding: chunked;q=1")),
    "Transfer-Encoding xchunked": (400, head(b"Transfer-Encoding: xchunked")),
    "Transfer-Encoding with vertical tab": (400, head(b"Transfer-Encoding: \x0bchunked")),
    "Transfer-Encoding twice": (
        400,
        head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    ),
    "Transfer-Encoding in HTTP/1.0": (
        400,
        head(b"Transfer-Encoding: chunked", line=b"POST /_matrix/client/v3/x HTTP/1.0\r\n"),
    ),
    "no Host": (400, GET + b"\r\n"),
    "Host twice": (400, GET + HOST + HOST + b"\r\n"),
    "Host with a path": (400, GET + b"Host: matrix.alpha.test/x\r\n\r\n"),
    "Host with a user": (400, GET + b"Host: a@matrix.alpha.test\r\n\r\n"),
    "Host list": (400, GET + b"Host: matrix.alpha.test, bravo.test\r\n\r\n"),
    "Host empty": (400, GET + b"Host:\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /_matrix/client/versions\r\n\r\n"),
    "HTTP/2.0": (505, b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    "HTTP/1.2": (505, b"GET / HTTP/1.2\r\n" + HOST + b"\r\n"),
    "HTTP/1.10": (400, b"GET / HTTP/1.10\r\n" + HOST + b"\r\n"),
    "version in lower case": (400, b"GET / http/1.1\r\n" + HOST + b"\r\n"),
    "two spaces in the request line": (400, b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "tab in the request line": (400, b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "space behind the version": (400, b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n"),
    "bad method": (400, b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target without slash": (400, b"GET _matrix/client/versions HTTP/1.1\r\n" + HOST + b"\r\n"),
    "fragment": (400, b"GET /_matrix/client/versions#x HTTP/1.1\r\n" + HOST + b"\r\n"),
    "raw UTF-8 in the target": (400, b"GET /_matrix/client/\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "absolute-form of another host": (
        400,
        b"GET https://bravo.test/_matrix/client/versions HTTP/1.1\r\n" + HOST + b"\r\n",
    ),
    "matrix-federation scheme": (
        400,
        b"GET matrix-federation://matrix.alpha.test/_matrix/client/versions HTTP/1.1\r\n"
        + HOST
        + b"\r\n",
    ),
    "asterisk-form of GET": (400, b"GET * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "chunk size not hexadecimal": (400, head(b"Transfer-Encoding: chunked", body=b"g\r\n")),
    "chunk size with 0x": (400, head(b"Transfer-Encoding: chunked", body=b"0x2\r\n{}\r\n")),
    "chunk size signed": (400, head(b"Transfer-Encoding: chunked", body=b"-2\r\n")),
    "chunk size too big": (400, head(b"Transfer-Encoding: chunked", body=b"f" * 17 + b"\r\n")),
    "chunk size with bare LF": (400, head(b"Transfer-Encoding: chunked", body=b"2\n{}\r\n0\r\n")),
    "chunk longer than said": (400, head(b"Transfer-Encoding: chunked", body=b"2\r\n{}x\r\n")),
    "Connection names Content-Length": (
        400,
        head(b"Connection: Content-Length", b"Content-Length: 2", body=b"{}"),
    ),
    "Connection names Authorization": (400, head(b"Connection: Authorization")),
    "unknown expectation": (417, head(b"Expect: 200-ok")),
    "target too long": (414, b"GET /_matrix/client/" + b"a" * 5000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    "head too large": (431, head(b"A: " + b"a" * 9000)),
    "too many fields": (431, head(*[b"A: b"] * 60)),
    "body over the limit": (413, head(b"Content-Length: 70000")),
    "chunked body over the limit": (
        413,
        head(b"Transfer-Encoding: chunked", body=b"11171\r\n" + b"x" * 70001 + b"\r\n0\r\n\r\n"),
    ),
}


@pytest.mark.parametrize("name", list(ROWS))
def test_refused(world: World, name: str) -> None:
    status, data = ROWS[name]
    with world.connect() as c:
        c.send(data)
        a = c.read()
        assert a.status == status
        assert a.errcode == ("M_TOO_LARGE" if status == 413 else "M_UNKNOWN")
        assert c.ended(), "the connection must not go on"


def test_nothing_of_a_refused_head_reached_the_homeserver(world: World) -> None:
    """Bodies may be streaming already when a bad chunk shows up; heads and small bodies never get out."""
    world.raw.forget()
    for name, (_, data) in ROWS.items():
        if "chunk" not in name:
            with world.connect() as c:
                c.send(data)
                c.read()
    assert [r.line for r in world.raw.requests] == []


def test_a_smuggled_request_stays_body(world: World) -> None:
    """Bytes that look like a request inside a body arrive as body, and only as that."""
    inner = b"GET /_synapse/admin/v1/x HTTP/1.1\r\nHost: matrix.alpha.test\r\n\r\n"
    world.raw.forget()
    with world.connect() as c:
        c.send(head(b"Content-Length: %d" % len(inner), body=inner))
        assert c.read().status == 200
    assert [r.content for r in world.raw.requests] == [inner]
