# SPDX-License-Identifier: Apache-2.0
"""Form A: matrix-federation:// as Synapse writes it, and what arrives (FD-5.1-3, FD-5.2.1.2-4/-6)."""
from typing import Any, Iterator

import pytest

from harness import PKI, open_world
from outworld import (
    AGENT, FINE, PROFILE, SECRET, UNIX, OutWorld, Remote, absolute_request, basic, bearer,
)
from sim import b64, wire
from sim.keyserver import answer
from sim.rawserver import Close, Drip

SEND = "/_matrix/federation/v1/send/txn1"
BODY: dict[str, Any] = {"edus": [], "origin": "alpha.test", "origin_server_ts": 1, "pdus": []}


@pytest.fixture(scope="module")
def module_world() -> Iterator[OutWorld]:
    def setup(w: OutWorld) -> None:
        w.six = w.remote("[::1]", address=("::1", 0), certificate=PKI.web.server("::1"))
        w.know(w.six)
        w.start()

    with open_world(setup, kind=OutWorld) as w:
        yield w


@pytest.fixture
def beta(world: OutWorld) -> Iterator[Remote]:
    world.beta.forget()
    yield world.beta
    world.beta.script = None


def test_a_request_arrives_byte_for_byte(world: OutWorld, beta: Remote) -> None:
    """Method, path and query as they were; the whole head is known (facts 3.2, 6.3)."""
    uri = "/_matrix/federation/v1/query/profile?user_id=%40b%C3%B6b%3abeta.test&x=a+b%20&&=%2F"
    signed = world.sign("GET", uri, beta.name)
    a = world.ask("A", "GET", beta, uri, authorization=signed)
    assert (a.status, a.body) == (200, b'{"displayname":"Bob"}')
    r = beta.server.last
    assert r.line == f"GET {uri} HTTP/1.1".encode()
    assert sorted(r.fields) == sorted(
        [("User-Agent", AGENT), ("Authorization", signed), ("Host", beta.name)]
    )
    assert not beta.faults
    assert beta.server.names[-1] == "beta.test"
    assert beta.server.versions[-1] == "TLSv1.3"


def test_a_body_arrives_byte_for_byte(world: OutWorld, beta: Remote) -> None:
    body = {**BODY, "pdus": [{"x": "ä\U0001f600/\u007f", "type": "m.x"}]}
    a = world.ask("A", "PUT", beta, SEND, body)
    assert a.status == 200
    r = beta.server.last
    sent = b64.sorted_json(body)
    assert r.body == sent
    assert sorted(n for n, _ in r.fields) == sorted(
        ["User-Agent", "Authorization", "Content-Type", "Content-Length", "Host"]
    )
    assert (r.get("Content-Type"), r.get("Content-Length")) == ("application/json", str(len(sent)))
    assert not beta.faults


def test_other_fields_stay_here(world: OutWorld, beta: Remote) -> None:
    """Only what the other server needs goes on: nothing that names us, our clients or our parts."""
    more = [
        ("X-Forwarded-For", "10.1.2.3"), ("X-Request-Id", "abc"), ("Cookie", "a=b"),
        ("Traceparent", "00-1-2-01"), ("Accept", "*/*"), ("Accept-Encoding", "gzip"), ("Via", "x"),
    ]
    assert world.ask("A", "GET", beta, PROFILE, more=more).status == 200
    assert {n for n, _ in beta.server.last.fields} == {"User-Agent", "Authorization", "Host"}


def test_an_address_as_server_name(world: OutWorld) -> None:
    """IPv6 in brackets: Host has them, the certificate is for the address, no SNI (facts 3.2)."""
    a = world.ask("A", "GET", world.six, PROFILE)
    assert a.status == 200
    assert world.six.server.last.get("Host") == world.six.name
    assert world.six.server.names == [None]


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER "])
def test_the_secret_opens(world: OutWorld, beta: Remote, scheme: str) -> None:
    assert world.ask("A", "GET", beta, PROFILE, credential=scheme + SECRET).status == 200


@pytest.mark.parametrize("user", ["synapse", "", "x:y"[:1], "schleuse"])
def test_the_secret_as_a_password_opens_too(world: OutWorld, beta: Remote, user: str) -> None:
    assert world.ask("A", "GET", beta, PROFILE, credential=basic(user=user)).status == 200


WRONG: dict[str, list[str]] = {
    "none": [],
    "another": [bearer("another-secret-of-that-size")],
    "one byte less": [bearer(SECRET[:-1])],
    "one byte more": [bearer(SECRET + "x")],
    "other case": [bearer(SECRET.upper())],
    "empty": ["Bearer "],
    "no scheme": [SECRET],
    "other scheme": [f"Digest {SECRET}"],
    "twice": [bearer(), bearer()],
    "right and wrong": [bearer(), bearer("another-secret-of-that-size")],
    "wrong and right": [bearer("another-secret-of-that-size"), bearer()],
    "basic, wrong": [basic("another-secret-of-that-size")],
    "basic, no base64": ["Basic %%%"],
    "basic, no colon": ["Basic " + b64.url(SECRET.encode()).decode()],
    "basic, as the user": [basic("", SECRET)],
}


@pytest.mark.parametrize("what", list(WRONG))
def test_without_the_secret_nothing_goes_out(world: OutWorld, beta: Remote, what: str) -> None:
    """ML-123615-3: the homeserver proves who it is."""
    before = beta.server.connections
    a = world.ask("A", "GET", beta, PROFILE, credential=WRONG[what])
    assert (a.status, a.errcode) == (407, "M_UNAUTHORIZED")
    assert {v.split()[0] for v in a.all("Proxy-Authenticate")} == {"Basic", "Bearer"}
    assert (beta.requests, beta.server.connections) == ([], before)


def test_the_secret_does_not_go_on(world: OutWorld, beta: Remote) -> None:
    world.ask("A", "GET", beta, PROFILE)
    assert SECRET.encode() not in beta.server.last.head


@pytest.mark.parametrize("host", ["other.test", "other.test:80", "beta.test:1"])
def test_host_does_not_count(world: OutWorld, beta: Remote, host: str) -> None:
    """Synapse's is bogus (facts 6.3); the target says who is meant."""
    data = absolute_request(
        "GET", "matrix-federation", beta.name, PROFILE, None,
        [world.sign("GET", PROFILE, beta.name)], [bearer()],
    )
    head, _, _ = data.rpartition(b"Host: ")
    with wire.Connection(world.out(UNIX)) as c:
        c.send(head + b"Host: " + host.encode() + b"\r\n\r\n")
        assert c.read().status == 200
    assert beta.server.last.get("Host") == beta.name


@pytest.mark.parametrize(
    "line",
    [
        "GET /_matrix/federation/v1/version HTTP/1.1",
        "GET * HTTP/1.1",
        "GET matrix://beta.test/x HTTP/1.1",
        "GET ftp://beta.test/x HTTP/1.1",
        "GET matrix-federation:///x HTTP/1.1",
        "GET matrix-federation://user@beta.test/_matrix/federation/v1/version HTTP/1.1",
        "GET matrix-federation://beta.test:99999/_matrix/federation/v1/version HTTP/1.1",
        "GET matrix-federation://be_ta.test/_matrix/federation/v1/version HTTP/1.1",
        "GET matrix-federation://beta.test:/_matrix/federation/v1/version HTTP/1.1",
        "GET matrix-federation://[::1/_matrix/federation/v1/version HTTP/1.1",
    ],
)
def test_targets_that_are_none(world: OutWorld, beta: Remote, line: str) -> None:
    with wire.Connection(world.out(UNIX)) as c:
        c.send(f"{line}\r\nHost: x\r\nProxy-Authorization: {bearer()}\r\n\r\n".encode())
        a = c.read()
    assert a.status == 400 and a.errcode
    assert not beta.requests


def test_capitals_in_the_scheme(world: OutWorld, beta: Remote) -> None:
    """A scheme has no case (RFC 3986 3.1)."""
    data = absolute_request(
        "GET", "Matrix-Federation", beta.name, PROFILE, None,
        [world.sign("GET", PROFILE, beta.name)], [bearer()],
    )
    with wire.Connection(world.out(UNIX)) as c:
        c.send(data)
        assert c.read().status == 200


# Answers


@pytest.mark.parametrize("status", ["200 OK", "400 Bad", "401 No", "403 No", "404 No", "429 Slow", "500 Oh", "503 Not now"])
def test_the_others_answer_is_passed_on(world: OutWorld, beta: Remote, status: str) -> None:
    """What the other server says is what the homeserver reads (facts 5.5)."""
    text = b'{"errcode":"M_X","error":"y"}'
    beta.script = lambda r: answer(
        status, text, "X-Own: 1", "ETag: \"a\"", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=9"
    )
    a = world.ask("A", "GET", beta, PROFILE)
    assert (a.status, a.body) == (int(status[:3]), text)
    assert (a.get("X-Own"), a.get("ETag"), a.get("Content-Type")) == ("1", '"a"', "application/json")
    assert a.get("X-Hop") is None and a.get("Keep-Alive") is None


def test_no_content(world: OutWorld, beta: Remote) -> None:
    beta.script = lambda r: b"HTTP/1.1 204 No Content\r\n\r\n"
    a = world.ask("A", "GET", beta, PROFILE)
    assert (a.status, a.body) == (204, b"")


def test_chunked_and_large(world: OutWorld, beta: Remote) -> None:
    big = bytes(range(256)) * 20000
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    beta.script = lambda r: head + wire.chunked(big[:1], big[1:70000], big[70000:])
    a = world.ask("A", "GET", beta, PROFILE)
    assert a.status == 200 and a.body == big


def test_http_1_0_and_until_close(world: OutWorld, beta: Remote) -> None:
    big = b"x" * 300_000
    beta.script = lambda r: Close(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + big)
    a = world.ask("A", "GET", beta, PROFILE)
    assert a.status == 200 and a.body == big


def test_an_interim_answer_is_none(world: OutWorld, beta: Remote) -> None:
    beta.script = lambda r: b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + FINE
    assert world.ask("A", "GET", beta, PROFILE).status == 200


def test_an_answer_in_small_pieces(world: OutWorld, beta: Remote) -> None:
    beta.script = lambda r: Drip([bytes([b]) for b in FINE])
    a = world.ask("A", "GET", beta, PROFILE)
    assert (a.status, a.body) == (200, b'{"displayname":"Bob"}')


def test_broken_off_in_mid_answer(world: OutWorld, beta: Remote) -> None:
    """The homeserver must see that something is missing (facts 6.3: abort)."""
    beta.script = lambda r: Close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
    with pytest.raises((wire.WireError, ConnectionResetError)):
        world.ask("A", "GET", beta, PROFILE)


@pytest.mark.parametrize(
    "reply, status",
    [
        (b"", 502),
        (b"HTTP/1.1 2", 502),
        (b"nonsense\r\n\r\n", 502),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 502),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 502),
    ],
)
def test_no_answer_at_all(world: OutWorld, beta: Remote, reply: bytes, status: int) -> None:
    beta.script = lambda r: Close(reply)
    a = world.ask("A", "POST", beta, "/_matrix/federation/v1/get_missing_events/!r", {"x": 1})
    assert (a.status, a.errcode) == (status, "M_UNKNOWN")
    assert len(beta.requests) == 1


def test_the_homeserver_may_send_chunked(world: OutWorld, beta: Remote) -> None:
    """Another homeserver than Synapse may; what goes on is whole and framed once."""
    body = b64.sorted_json(BODY)
    signed = world.sign("PUT", SEND, beta.name, BODY)
    head = (
        f"PUT matrix-federation://{beta.name}{SEND} HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: application/json\r\nAuthorization: {signed}\r\n"
        f"Proxy-Authorization: {bearer()}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with wire.Connection(world.out(UNIX)) as c:
        c.send(head.encode() + wire.chunked(body[:7], body[7:]))
        assert c.read().status == 200
    r = beta.server.last
    assert r.content == body and not beta.faults
    assert (r.get("Content-Length") is None) != (r.get("Transfer-Encoding") is None)
