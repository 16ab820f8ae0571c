# SPDX-License-Identifier: Apache-2.0
"""What the soak's homeserver does on its way out, in all three forms.

A 407 means that the secret has just been changed, which a homeserver would be told; here the other one is
tried.  An answer must be whole and the right bytes, except of servers that break off.
"""
import hashlib
import itertools
import json
import random
import time
from pathlib import Path
from typing import Any, Callable

from outworld import (
    FORMS, PROFILE, Tunnel, absolute_request, basic, bearer, body_of, bracketed, connect_request,
    inner_request,
)
from sim import wire, xmatrix
from soak.backend import SMALL, pattern

STEADY = ("steady.test", "plain.test", "wander.test", "service.test")
SEND = "/_matrix/federation/v1/send/"
MEDIA = "/_matrix/federation/v1/media/download/"
MISSING = "kann nicht in der Föderation gefunden werden"
NETWORK = (502, 504)
TRIES = 100  # for a secret that is changed in between


class Outlet:
    """One thread's way out."""

    def __init__(self, how: dict[str, Any], seed: int) -> None:
        self.how = how
        self.random = random.Random(f"out {seed}")
        self.key = xmatrix.SigningKey("a_test", how["key"])
        self.tls = wire.tls_context(Path(how["ca"]))
        self.tcp = (how["tcp"][0], how["tcp"][1])
        self.secret = how["secrets"][0]
        self.numbers = (f"{seed}-{n}" for n in itertools.count())

    def with_secret(self, once: Callable[[], wire.Answer]) -> wire.Answer:
        for _ in range(TRIES):
            answer = once()
            if answer.status != 407:
                return answer
            self.secret = self.random.choice(self.how["secrets"])
            time.sleep(0.02)
        raise AssertionError("neither secret is right")

    def signed(self, method: str, server: str, uri: str, content: Any) -> list[str]:
        name = self.how["name"]
        signed = xmatrix.Signed(name, server, method, uri, content)
        return [xmatrix.header(name, self.key.id, signed.signature(self.key), server)]

    def tunnel(self, host: str) -> Tunnel:
        """With TLS inside, whoever ends it."""
        at = self.how["at"][host]
        open_now: list[Tunnel] = []

        def once() -> wire.Answer:
            open_now[:] = [Tunnel(self.tcp, at, basic(self.secret))]
            if open_now[0].answer.status != 200:
                open_now[0].close()
            return open_now[0].answer

        answer = self.with_secret(once)
        assert answer.status == 200, f"CONNECT {at}: {answer.status}"
        return open_now[0].begin(self.tls, host)

    def ask(self, form: str, method: str, host: str, uri: str, content: Any = None,
            signed: bool = True) -> wire.Answer:
        """One request to another homeserver, on a connection of its own."""
        server, at = self.how["names"][host], self.how["at"][host]
        authorization = self.signed(method, server, uri, content) if signed else []
        if form == "B":
            with self.tunnel(host) as t:
                t.send(inner_request(method, server, uri, body_of(content), authorization))
                return t.read(method)
        scheme, name = ("https", bracketed(at)) if form == "C" else ("matrix-federation", server)

        def once() -> wire.Answer:
            credential = bearer(self.secret) if form == "A" else basic(self.secret)
            data = absolute_request(
                method, scheme, name, uri, body_of(content), authorization, [credential])
            with wire.Connection(self.how["unix"] if form == "A" else self.tcp, timeout=60) as c:
                c.send(data)
                return c.read(method)

        return self.with_secret(once)

    def form(self) -> str:
        return self.random.choice(FORMS)


def check(answer: wire.Answer, body: bytes) -> None:
    assert answer.status == 200, f"status {answer.status}: {answer.body[:200]!r}"
    assert answer.body == body, f"{len(answer.body)} bytes instead of {len(body)}, or other ones"


def check_digest(answer: wire.Answer, body: bytes) -> None:
    said = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    check(answer, json.dumps(said).encode())


def refused(answer: wire.Answer, text: str = "") -> None:
    assert answer.status == 403 and answer.errcode == "M_FORBIDDEN", f"{answer.status} {answer.body!r}"
    assert text in answer.error, answer.error


def send(o: Outlet, form: str, host: str) -> wire.Answer:
    body = {"edus": [], "origin": o.how["name"], "pdus": [],
            "x": "y" * o.random.choice((1, 5000, 70000, 300000))}
    answer = o.ask(form, "PUT", host, SEND + next(o.numbers), body)
    if answer.status == 200:
        check_digest(answer, body_of(body) or b"")
    return answer


def out_whole(o: Outlet) -> None:
    """Ones that can be relied upon, wherever DNS says they are now."""
    form, host = o.form(), o.random.choice(STEADY)
    check(o.ask(form, "GET", host, PROFILE), json.dumps(SMALL).encode())
    assert send(o, form, host).status == 200
    n = o.random.choice((1, 1000, 65537, 1000000))
    check(o.ask(form, "GET", host, f"{MEDIA}{n}"), pattern(n))


def out_slow(o: Outlet) -> None:
    check(o.ask(o.form(), "GET", "slow.test", PROFILE), json.dumps(SMALL).encode())


def out_tunnel(o: Outlet) -> None:
    """Many requests in one tunnel, some of them at once."""
    host = o.random.choice(STEADY)
    server = o.how["names"][host]
    data = inner_request("GET", server, PROFILE, None, o.signed("GET", server, PROFILE, None))
    with o.tunnel(host) as t:
        for _ in range(o.random.randrange(1, 10)):
            n = o.random.randrange(1, 4)
            t.send(data * n)
            for _ in range(n):
                answer = t.read()
                check(answer, json.dumps(SMALL).encode())
                if answer.get("Connection") == "close":
                    return


def out_moody(o: Outlet) -> None:
    """Whether its certificate is good is settled by the server, which minds requests if it is not."""
    answer = o.ask(o.form(), "GET", "moody.test", PROFILE)
    if answer.status not in NETWORK:
        check(answer, json.dumps(SMALL).encode())


def out_fickle(o: Outlet) -> None:
    form = o.form()
    assert send(o, form, "fickle.test").status in (200, *NETWORK)
    n = o.random.choice((1, 1000, 1000000))
    try:
        answer = o.ask(form, "GET", "fickle.test", f"{MEDIA}{n}")
    except (OSError, wire.WireError):
        return  # broken off in mid answer, as it must be seen
    if answer.status not in NETWORK:
        check(answer, pattern(n))


def out_flux(o: Outlet) -> None:
    answer = o.ask(o.form(), "GET", "flux.test", PROFILE)
    if answer.status == 403:
        refused(answer, MISSING)
    else:
        check(answer, json.dumps(SMALL).encode())


def out_refused(o: Outlet) -> None:
    form = o.form()
    refused(o.ask(form, "GET", "silent.test", PROFILE), MISSING)
    refused(o.ask(form, "GET", "steady.test", PROFILE, signed=False))
    refused(o.ask(form, "GET", "web.test", "/_matrix/federation/v1/version", signed=False))


def out_wrong_secret(o: Outlet) -> None:
    with Tunnel(o.tcp, o.how["at"]["steady.test"], basic("x" * 20)) as t:
        assert t.answer.status == 407


def guest(o: Outlet, host: str) -> wire.Answer:
    body = o.random.randbytes(o.random.choice((1, 5000, 300000)))
    with o.tunnel(host) as t:
        time.sleep(o.random.choice((0, 0, o.random.random())))
        if o.random.random() < 0.1:
            t.reset()
            return wire.Answer("HTTP/1.1", 200, "", [])
        answer = t.ask("POST", "/notify", {"Host": host}, body)
        if answer.status == 200:
            check_digest(answer, body)
    return answer


def out_guests(o: Outlet) -> None:
    assert guest(o, o.random.choice(("push.test", "web.test"))).status == 200
    answer = guest(o, "maybe.test")
    if answer.status != 200:
        refused(answer)


def out_leaving(o: Outlet) -> None:
    """Goes away at some point, with or without a word."""
    server, at = o.how["names"]["steady.test"], o.how["at"]["steady.test"]
    body = b"x" * 30000
    kind = o.random.choice((
        lambda: absolute_request("PUT", "matrix-federation", server, SEND + "x", body,
                                 ["X-Matrix x"], [bearer(o.secret)]),
        lambda: connect_request(o.random.choice((at, o.how["at"]["push.test"])), basic(o.secret))
        + b"\x16\x03\x01" * 9,
    ))()
    c = wire.Connection(o.tcp)
    try:
        c.send(kind[: o.random.randrange(len(kind) + 1)])
    finally:
        o.random.choice((c.close, c.reset))()


BEHAVIOURS: list[Callable[[Outlet], None]] = [
    out_whole, out_whole, out_whole, out_tunnel, out_slow, out_moody, out_fickle, out_flux,
    out_refused, out_wrong_secret, out_guests, out_leaving,
]
