# SPDX-License-Identifier: Apache-2.0
"""X-Matrix authentication of incoming requests (FD-5.2.1.2-10)."""
import pytest

from harness import World
from sim import b64
from sim.xmatrix import Signed, SigningKey, header

GET = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test&field=displayname"
PUT = "/_matrix/federation/v1/send_knock/%21r%3Aalpha.test/%24e"
CONTENT = {"b": [1, {"z": None, "a": "\u00e4\u2028"}], "a": "x/y", "n": -5}


def signed(w: World, method: str = "GET", uri: str = GET, content=None, **other):
    """Signature parts: origin, key id, signature, destination."""
    key = other.pop("key", w.beta.key)
    s = Signed(w.beta.name, w.NAME, method, uri, content)
    for name, value in other.items():
        setattr(s, name, value)
    return s.origin, key.id, s.signature(key), s.destination


def refused(w: World, a, status: int = 401, errcode: str = "M_UNAUTHORIZED") -> None:
    assert (a.status, a.errcode) == (status, errcode)
    assert "Bearer" not in (a.get("WWW-Authenticate") or "")
    w.not_forwarded()


@pytest.mark.parametrize("method, uri, content", [("GET", GET, None), ("PUT", PUT, CONTENT)])
def test_a_signed_request_arrives_unchanged(world: World, method, uri, content) -> None:
    a = world.peer(world.beta).ask(method, uri, content)
    assert a.status == 200
    seen = world.homeserver.wait()[0]
    assert (seen.method, seen.target, seen.verified) == (method, uri, world.beta.name)
    assert seen.body == (b64.sorted_json(content) if content else b"")


def test_a_body_that_is_not_canonical_verifies_and_goes_on_as_sent(world: World) -> None:
    body = b'{ "n" : -5, "b":[1 ,{"z":null,"a":"\\u00e4\\u2028"}],\r\n "a":"x\\/y" }'
    peer = world.peer(world.beta)
    a = peer.send("PUT", PUT, body, peer.authorization("PUT", PUT, CONTENT))
    assert a.status == 200
    assert world.homeserver.wait()[0].body == body


@pytest.mark.parametrize(
    "form",
    [
        'X-Matrix sig="{s}",key="{k}",origin="{o}",destination="{d}"',
        "X-Matrix origin={o},key={k},sig={s},destination={d}",
        'x-matrix origin="{o}",key="{k}",sig="{s}",destination="{d}"',
        'X-Matrix   ORIGIN="{o}" ,\tKey="{k}" , Sig="{s}",destination="{d}"',
        'X-Matrix origin="{o}",key="{k}",sig="{s}",destination="{d}",extra="x",signature=y',
        'X-Matrix origin="{o}",key="{k}",sig="{s}=="',
        'X-Matrix ,,origin="{o}",,key="{k}",sig="{s}",',
        'X-Matrix origin = "{o}",key= "{k}",sig ="{s}"',
        'X-Matrix origin="\\{o}",key="{k}",sig="{s}"',
    ],
)
def test_header_forms(world: World, form: str) -> None:
    o, k, s, d = signed(world)
    if "sig={s}" in form and "/" in s:
        form = form.replace("sig={s}", 'sig="{s}"')  # "/" is no token character
    value = form.format(o=o, k=k, s=s, d=d)
    world.peer(world.beta).send("GET", GET, None, value)
    # The stand-in is as picky as Synapse, so what counts is that the header got through to it.
    assert world.homeserver.wait("/query/profile")[0].get("Authorization") == value


@pytest.mark.parametrize("value", [None, "", "Bearer abc", "Basic YTpi"])
def test_no_x_matrix_is_401(world: World, value) -> None:
    refused(world, world.peer(world.beta).send("GET", GET, None, value))


ALTERED = {
    "method": ("PUT", PUT, CONTENT, {"method": "POST"}),
    "path": ("GET", GET, None, {"uri": GET.replace("profile", "profile2")}),
    "query": ("GET", GET, None, {"uri": GET + "x"}),
    "query dropped": ("GET", GET, None, {"uri": GET.split("?")[0]}),
    "encoding of the path": ("PUT", PUT, CONTENT, {"uri": PUT.replace("%24", "$")}),
    "body": ("PUT", PUT, CONTENT, {"content": {**CONTENT, "n": -6}}),
    "body added": ("PUT", PUT, CONTENT, {"content": None}),
    "origin": ("GET", GET, None, {"origin": "delta.test"}),
    "destination": ("GET", GET, None, {"destination": "bravo.test"}),
    "key": ("GET", GET, None, {"key": SigningKey()}),
}


@pytest.mark.parametrize("what", list(ALTERED))
def test_a_signature_over_something_else_is_401(world: World, what: str) -> None:
    method, uri, content, change = ALTERED[what]
    peer = world.peer(world.beta)
    parts = {"method": method, "uri": uri, "content": content, **change}
    _, k, s, _ = signed(world, **parts)
    a = peer.send(method, uri, content, header(world.beta.name, k, s, world.NAME))
    refused(world, a)


@pytest.mark.parametrize("name", ["bravo.test", "alpha.test:8448", "matrix.alpha.test"])
def test_another_destination_is_401(world: World, name: str) -> None:
    o, k, s, _ = signed(world, destination=name)
    refused(world, world.peer(world.beta).send("GET", GET, None, header(o, k, s, name)))


def test_an_absent_destination_is_allowed_and_counted(world: World) -> None:
    o, k, s, _ = signed(world)
    a = world.peer(world.beta).send("GET", GET, None, header(o, k, s))
    assert a.status == 200
    assert "destination" in world.daemon.admin("/metrics").body.decode()


def test_an_absent_destination_can_be_refused(make_world) -> None:
    w = make_world()
    w.main_service["federation_paths"] = {"destination": "required"}
    w.start()
    o, k, s, d = signed(w)
    refused(w, w.peer(w.beta).send("GET", GET, None, header(o, k, s)))
    assert w.peer(w.beta).send("GET", GET, None, header(o, k, s, d)).status == 200


@pytest.mark.parametrize(
    "form",
    [
        "X-Matrix",
        "X-Matrix ",
        'X-Matrix origin="{o}",key="{k}"',
        'X-Matrix key="{k}",sig="{s}"',
        'X-Matrix origin="{o}",sig="{s}"',
        'X-Matrix origin="{o}",key="{k}",sig="{s}',
        'X-Matrix origin="{o}" key="{k}" sig="{s}"',
        'X-Matrix origin="{o}",origin="{o}",key="{k}",sig="{s}"',
        'X-Matrix origin="{o}/x",key="{k}",sig="{s}"',
        'X-Matrix origin="a b",key="{k}",sig="{s}"',
        'X-Matrix origin="",key="{k}",sig="{s}"',
        'X-Matrix origin="{o}",key="{k}",sig="!!!!"',
        'X-Matrix origin="{o}",key="{k}",sig="AAAA"',
        'X-Matrix origin="{o}",key="{k}",sig="{s}",destination="a b"',
    ],
)
def test_malformed_headers_are_400(world: World, form: str) -> None:
    o, k, s, d = signed(world)
    a = world.peer(world.beta).send("GET", GET, None, form.format(o=o, k=k, s=s, d=d))
    refused(world, a, 400)


def test_other_algorithms_do_not_count(world: World) -> None:
    o, _, s, d = signed(world)
    a = world.peer(world.beta).send("GET", GET, None, header(o, "rsa:a_test", s, d))
    refused(world, a)


def test_several_headers(world: World) -> None:
    """One per key of the same origin; each that is known must verify, one at least."""
    peer = world.peer(world.beta)
    good = header(*signed(world))
    other = SigningKey("b_other")
    unknown = header(*signed(world, key=other))
    assert peer.send("GET", GET, None, [good, unknown]).status == 200
    assert peer.send("GET", GET, None, ["Bearer x", good]).status == 200
    world.homeserver.forget()
    o, k, _, d = signed(world)
    wrong = header(o, k, signed(world, uri="/_matrix/x")[2], d)
    refused(world, peer.send("GET", GET, None, [good, wrong]))
    foreign = header(*signed(world, origin=world.gamma.name))
    refused(world, peer.send("GET", GET, None, [good, foreign]), 400)


def test_get_with_a_body_is_refused(world: World) -> None:
    """The signature would not cover it."""
    peer = world.peer(world.beta)
    a = peer.send("GET", GET, b"{}", peer.authorization("GET", GET))
    assert a.status == 400
    world.not_forwarded()


BODIES = {
    "cut off": (b"{", "M_NOT_JSON"),
    "NaN": (b'{"a":NaN}', "M_NOT_JSON"),
    "not UTF-8": (b'{"a":"\xff"}', "M_NOT_JSON"),
    "two values": (b"{}{}", "M_NOT_JSON"),
    "array": (b"[]", "M_BAD_JSON"),
    "name twice": (b'{"a":1,"a":2}', "M_BAD_JSON"),
    "too deep": (b'{"a":' * 200 + b"1" + b"}" * 200, "M_BAD_JSON"),
}


@pytest.mark.parametrize("what", list(BODIES))
def test_bodies_that_are_no_json_object(world: World, what: str) -> None:
    body, errcode = BODIES[what]
    peer = world.peer(world.beta)
    uri = "/_matrix/federation/v1/send/1"
    a = peer.send("PUT", uri, body, peer.authorization("PUT", uri, {"a": 1}))
    assert (a.status, a.errcode) == (400, errcode)
    world.not_forwarded()
