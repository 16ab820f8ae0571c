# SPDX-License-Identifier: Apache-2.0
"""The homeserver's answers on their way to the client."""
from typing import Iterator

import pytest

from harness import World, open_world
from sim.rawserver import OK, Close, RawServer
from sim.wire import chunked

HOST = ("Host", "matrix.alpha.test")
PATH = "/_matrix/client/v3/x"


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    def setup(w: World) -> None:
        w.raw = RawServer()
        w.main_service["homeserver"] = w.raw.where
        w.start()

    with open_world(setup) as w:
        yield w
        w.raw.close()


def ask(world: World, answer, method: str = "GET", again: bool = True):
    """One request answered so; the connection must still serve the next one."""
    world.raw.answer = answer if not isinstance(answer, Close) else lambda _: answer
    with world.connect() as c:
        a = c.ask(method, PATH, [HOST])
        if again:
            world.raw.answer = OK
            assert c.ask("GET", PATH, [HOST]).body == b"{}"
        return a


def test_chunked_with_trailers(world: World) -> None:
    data = b"x" * 100000
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"1\"\r\n\r\n"
    a = ask(world, head + chunked(data, b"y", trailer=b"X-Sum: 1\r\n"))
    assert a.body == data + b"y" and a.get("ETag") == '"1"'


def test_until_close(world: World) -> None:
    a = ask(world, Close(b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello"))
    assert (a.body, a.get("X-A")) == (b"hello", "b")


@pytest.mark.parametrize(
    "line, method",
    [
        (b"HTTP/1.1 204 No Content\r\n", "GET"),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n", "GET"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n", "HEAD"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "HEAD"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n", "OPTIONS"),
    ],
)
def test_answers_without_body(world: World, line: bytes, method: str) -> None:
    a = ask(world, line + b"\r\n", method)
    assert a.status == int(line.split()[1])
    if b"1234" in line:
        assert a.get("Content-Length") == "1234"


def test_interim_answers_before_the_final_one(world: World) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    a = ask(world, early + OK)
    assert a.status == 200 and all(i.status == 103 for i in a.interim)


@pytest.mark.parametrize(
    "bad",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"",
    ],
)
def test_unusable_answers_are_502(world: World, bad: bytes) -> None:
    a = ask(world, Close(bad), again=False)
    assert (a.status, a.errcode) == (502, "M_UNKNOWN")
    assert a.get("Access-Control-Allow-Origin") == "*"


def test_an_answer_broken_off_is_not_made_whole(world: World) -> None:
    """The client must see that bytes are missing."""
    for head in (b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"):
        world.raw.answer = lambda _, h=head: Close(b"HTTP/1.1 200 OK\r\n" + h)
        with world.connect() as c:
            with pytest.raises(Exception, match="closed|reset|EOF"):
                c.ask("GET", PATH, [HOST])


def test_hop_by_hop_fields_of_the_homeserver_stop_here(world: World) -> None:
    a = ask(
        world,
        b"HTTP/1.1 200 OK\r\nConnection: X-Private\r\nX-Private: 1\r\nKeep-Alive: timeout=1\r\n"
        b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\n{}",
    )
    assert a.all("X-Private") == [] and a.all("Set-Cookie") == ["a=1", "b=2"]
    assert "timeout=1" not in a.all("Keep-Alive")
