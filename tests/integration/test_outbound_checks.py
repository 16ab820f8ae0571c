# SPDX-License-Identifier: Apache-2.0
"""Who may be asked, on whose behalf: X-Matrix of outgoing requests, in each of the three forms
(FD-5.2.1.2-7, FD-5.2.1.2-8, O-11, O-13)."""
from typing import Any, Callable, Iterator

import pytest

from harness import PKI, open_world
from outworld import FORMS, PROFILE, OutWorld, Remote
from sim.xmatrix import SigningKey, header

SEND = "/_matrix/federation/v1/send/txn1"
BODY: dict[str, Any] = {"edus": [], "origin": "alpha.test", "origin_server_ts": 1, "pdus": []}


@pytest.fixture(scope="module")
def module_world() -> Iterator[OutWorld]:
    def setup(w: OutWorld) -> None:
        w.other = w.remote("delta.test")
        w.know(w.other)
        w.start()

    with open_world(setup, kind=OutWorld) as w:
        yield w


@pytest.fixture
def beta(world: OutWorld) -> Remote:
    for r in (world.beta, world.other):
        r.forget()
    return world.beta


def parts(w: OutWorld, to: str, uri: str = PROFILE) -> dict[str, str]:
    """What a sound header is made of."""
    signed = w.sign("GET", uri, to)
    return {"o": w.NAME, "k": w.homeserver.key.id, "s": signed.split('sig="')[1].split('"')[0], "d": to}


# What is right


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method, uri, body", [("GET", PROFILE, None), ("PUT", SEND, BODY)])
def test_to_a_member(world: OutWorld, beta: Remote, form: str, method: str, uri: str, body: Any) -> None:
    """FD-5.2.1.2-7: a listed domain passes."""
    assert world.ask(form, method, beta, uri, body).status == 200
    assert len(beta.requests) == 1 and not beta.faults


SPELLINGS = [
    'X-Matrix origin="{o}",key="{k}",sig="{s}",destination="{d}"',
    'X-Matrix destination={d},origin={o},key={k},sig="{s}"',
    'X-Matrix ORIGIN="{o}",KEY="{k}",SIG="{s}",DESTINATION="{d}"',
    'x-matrix Origin="{o}",Key="{k}",Sig="{s}",Destination={d}',
    'X-Matrix origin="{o}",key="{k}",sig="{s}",destination="{d}",extra="x"',
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings(world: OutWorld, beta: Remote, form: str, spelling: str) -> None:
    """FD-5.2.1.2-8: quoted and unquoted, in any letter case; it goes on as it was written."""
    value = spelling.format(**parts(world, beta.name))
    assert world.ask(form, "GET", beta, PROFILE, authorization=value).status == 200
    assert beta.server.last.get("Authorization") == value


def test_several_keys(world: OutWorld, beta: Remote) -> None:
    """One header for each key of the homeserver; they say the same (facts 1.3)."""
    p = parts(world, beta.name)
    other = SigningKey("other")
    values = [SPELLINGS[0].format(**p), world.sign("GET", PROFILE, beta.name, key=other)]
    assert world.ask("A", "GET", beta, PROFILE, authorization=values).status == 200
    assert beta.server.last.all("Authorization") == values


# What is wrong with the header

D = "destination"
BAD: dict[str, Callable[[OutWorld, Remote], Any]] = {
    "none": lambda w, b: None,
    "Bearer": lambda w, b: "Bearer abc",
    "no destination": lambda w, b: w.sign("GET", PROFILE, b.name).rpartition(",")[0],
    "destination of another member": lambda w, b: w.sign("GET", PROFILE, w.other.name),
    "destination of a stranger": lambda w, b: w.sign("GET", PROFILE, w.gamma.name),
    "destination is ourselves": lambda w, b: w.sign("GET", PROFILE, w.NAME),
    "destination without the port": lambda w, b: w.sign("GET", PROFILE, "beta.test"),
    "destination with another port": lambda w, b: w.sign("GET", PROFILE, "beta.test:1"),
    "destination empty": lambda w, b: w.sign("GET", PROFILE, ""),
    "destination twice": lambda w, b: w.sign("GET", PROFILE, b.name) + f',{D}="{b.name}"',
    "destination twice, one wrong": lambda w, b: w.sign("GET", PROFILE, b.name) + f',{D}="{w.other.name}"',
    "two headers, two destinations": lambda w, b: [
        w.sign("GET", PROFILE, b.name), w.sign("GET", PROFILE, w.other.name)],
    "two headers, one without": lambda w, b: [
        w.sign("GET", PROFILE, b.name), w.sign("GET", PROFILE, b.name).rpartition(",")[0]],
    "two headers, two origins": lambda w, b: [
        w.sign("GET", PROFILE, b.name), w.sign("GET", PROFILE, b.name, origin="delta.test")],
    "origin of somebody else": lambda w, b: w.sign("GET", PROFILE, b.name, origin="delta.test"),
    "origin is the destination": lambda w, b: w.sign("GET", PROFILE, b.name, origin=b.name),
    "origin below ours": lambda w, b: w.sign("GET", PROFILE, b.name, origin="x.alpha.test"),
    "origin with a port": lambda w, b: w.sign("GET", PROFILE, b.name, origin="alpha.test:8448"),
    "no origin": lambda w, b: 'X-Matrix key="{k}",sig="{s}",destination="{d}"'.format(**parts(w, b.name)),
    "no signature": lambda w, b: 'X-Matrix origin="{o}",key="{k}",destination="{d}"'.format(**parts(w, b.name)),
    "broken": lambda w, b: 'X-Matrix origin="{o},key',
    "unknown key": lambda w, b: w.sign("GET", PROFILE, b.name, key=SigningKey("b_new")),
    "another key under our key's name": lambda w, b: w.sign("GET", PROFILE, b.name, key=SigningKey("a_hs")),
    "another path": lambda w, b: w.sign("GET", PROFILE + "x", b.name),
    "another method": lambda w, b: w.sign("POST", PROFILE, b.name),
    "a body": lambda w, b: w.sign("GET", PROFILE, b.name, content={"a": 1}),
    "signed for another": lambda w, b: header(
        w.NAME, w.homeserver.key.id, parts(w, w.other.name)["s"], b.name),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", list(BAD))
def test_bad_authorization(world: OutWorld, beta: Remote, form: str, what: str) -> None:
    """FD-5.2.1.2-8: refused here, with an answer that is no reason to repeat it (facts 5.5)."""
    before = [r.server.connections for r in (beta, world.other)]
    value = BAD[what](world, beta)
    a = world.ask(form, "GET", beta, PROFILE, authorization=value)
    assert a.status in (400, 403) and a.errcode and a.get("Content-Type") == "application/json"
    assert a.status == 403 or what in ("broken", "no origin", "no signature", "destination empty") or (
        "twice" in what or "two headers" in what
    ), a.body
    assert not beta.requests and not world.other.requests
    assert [r.server.connections for r in (beta, world.other)] == before
    assert world.gamma.untouched


@pytest.mark.parametrize("form", FORMS)
def test_a_changed_body(world: OutWorld, beta: Remote, form: str) -> None:
    signed = world.sign("PUT", SEND, beta.name, BODY)
    a = world.ask(form, "PUT", beta, SEND, {**BODY, "origin_server_ts": 2}, authorization=signed)
    world.refused(a, beta)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b'{"a":1,"a":2}', b'{"a":1}x'])
def test_a_body_that_is_none(world: OutWorld, beta: Remote, body: bytes) -> None:
    """What cannot be judged does not leave."""
    signed = world.sign("PUT", SEND, beta.name, {"a": 1})
    a = world.ask("A", "PUT", beta, SEND, body, authorization=signed)
    assert a.status in (400, 403) and a.errcode
    assert not beta.requests


# Who is no member


@pytest.mark.parametrize("form", FORMS)
def test_to_a_stranger(world: OutWorld, beta: Remote, form: str) -> None:
    """FD-5.2.1.2-7: no TCP connection, and words that Synapse shows to its user (A_25534)."""
    a = world.ask(form, "GET", world.gamma, PROFILE)
    text = world.refused(a, world.gamma)
    assert text == f"{world.gamma.name} kann nicht in der Föderation gefunden werden"
    assert world.gamma.untouched


@pytest.mark.parametrize("form", FORMS)
def test_to_names_that_are_invented(world: OutWorld, beta: Remote, form: str) -> None:
    """Nobody is asked where a stranger is: no DNS, no well-known."""
    before = len(world.dns.asked)
    for name in ("xbeta.test", "beta.test.evil.test", "test"):
        world.refused(world.ask(form, "GET", name, PROFILE))
    assert len(world.dns.asked) == before


@pytest.mark.parametrize("form", ["B", "C"])
def test_a_strangers_host_under_a_members_name(world: OutWorld, beta: Remote, form: str) -> None:
    """O-13: a listed destination covers no unlisted target."""
    at = world.gamma.name
    world.refused(world.ask(form, "GET", beta, PROFILE, at=at), beta, world.gamma)
    assert world.gamma.untouched


@pytest.mark.parametrize("form", ["B", "C"])
def test_a_members_host_under_another_members_name(world: OutWorld, beta: Remote, form: str) -> None:
    world.refused(world.ask(form, "GET", beta, PROFILE, at=world.other.name), beta, world.other)


@pytest.mark.parametrize("form", ["B", "C"])
def test_a_members_host_at_another_port(world: OutWorld, beta: Remote, form: str) -> None:
    """O-13: somebody else's program may listen there."""
    at = f"beta.test:{world.gamma.server.port}"
    world.refused(world.ask(form, "GET", beta, PROFILE, at=at), beta)


def test_ourselves_unlisted(make_world) -> None:
    """Who is not on the list does not take part, in either direction."""
    w = make_world(kind=OutWorld)
    w.listed.remove(w.NAME)
    w.publish()
    w.start()
    for form in FORMS:
        w.refused(w.ask(form, "GET", w.beta, PROFILE), w.beta)
    assert w.beta.untouched


# How strictly the own signature is taken


@pytest.mark.parametrize("mode, passes", [("enforce", False), ("log", True), ("off", True)])
def test_modes_of_the_own_signature(make_world, mode: str, passes: bool) -> None:
    w = make_world(kind=OutWorld)
    w.rules["signature"] = mode
    w.start()
    a = w.ask("A", "GET", w.beta, PROFILE, key=SigningKey("a_hs"))
    assert (a.status == 200) == passes
    assert len(w.beta.requests) == int(passes)
    assert bool(w.homeserver.requests("/_matrix/key/v2/server")) == (mode != "off")
    counted = w.daemon.metric("schleuse_rule_logged_total")
    assert (counted > 0) == (mode == "log")
    # Neither mode makes anything else of a header that names somebody else.
    w.refused(w.ask("A", "GET", w.beta, PROFILE, origin="delta.test"))
    w.refused(w.ask("A", "GET", w.gamma, PROFILE), w.gamma)
    assert w.ask("A", "GET", w.beta, PROFILE).status == 200


def test_a_new_key_of_the_homeserver(make_world) -> None:
    """It signs with a key that we have not seen: its keys are asked for again before it is refused."""
    w = make_world(kind=OutWorld)
    w.start()
    assert w.ask("A", "GET", w.beta, PROFILE).status == 200
    w.homeserver.key = SigningKey("a_next")
    assert w.ask("A", "GET", w.beta, PROFILE).status == 200
    assert not w.beta.faults


def test_the_homeserver_does_not_give_its_keys(make_world) -> None:
    """Without them nothing can be judged; that is no fault of the destination's."""
    w = make_world(kind=OutWorld)
    w.main_service["homeserver"] = f"unix:{w.folder / 'nobody.sock'}"
    w.start()
    a = w.ask("A", "GET", w.beta, PROFILE)
    assert (a.status, a.errcode) == (503, "M_UNKNOWN")
    assert w.beta.untouched


def test_a_member_by_host_only(make_world) -> None:
    """A list without ports admits a name with one, if so configured."""
    w = make_world(kind=OutWorld)
    w.federation["list"]["ports"] = "any"
    w.listed = [w.NAME, "beta.test"]
    w.publish()
    w.start()
    for form in FORMS:
        assert w.ask(form, "GET", w.beta, PROFILE).status == 200
        w.refused(w.ask(form, "GET", w.gamma, PROFILE), w.gamma)


def test_a_member_that_is_an_address(make_world) -> None:
    """Its certificate is for that, and nobody asks it for a name (facts 3.2, step 1)."""
    w = make_world(kind=OutWorld)
    at = w.places["beta.test"]
    r = w.remote(at, address=(at, 0), certificate=PKI.web.server(at))
    w.know(r)
    w.start()
    for form in FORMS:
        assert w.ask(form, "GET", r, PROFILE).status == 200
    assert set(r.server.names) == {None}
