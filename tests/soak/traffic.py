# SPDX-License-Identifier: Apache-2.0
"""One process of the soak's clients: behaves in many ways until its time is over, then says how it went.

Reads what it needs as JSON from standard input and writes one JSON object: how often each behaviour ran, and
what was wrong.  An answer that is missing, broken off or not the right bytes is a fault; a
connection that the proxy closed before the request was sent is none (that is HTTP), it is opened
anew.
"""
import hashlib
import json
import pathlib
import random
import ssl
import sys
import threading
import time
from collections import Counter
from functools import partial
from types import SimpleNamespace
from typing import Any, Callable

from cryptography.hazmat.primitives.asymmetric import ec

sys.dont_write_bytecode = True
TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "integration")]
from harness import invite_v2  # noqa: E402
from sim import h2wire, passport, wire, xmatrix  # noqa: E402
from soak import outward  # noqa: E402
from soak.backend import SMALL, pattern  # noqa: E402

HOST = ("Host", "matrix.alpha.test")
CLIENT = "/_matrix/client/v3"
PROFILE = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"


class Client:
    """One thread's way to the proxy."""

    def __init__(self, how: dict[str, Any], seed: int) -> None:
        self.random = random.Random(seed)
        self.address = (how["host"], how["port"])
        self.tls = wire.tls_context(pathlib.Path(how["ca"]))
        self.tls_h2 = wire.tls_context(pathlib.Path(how["ca"]))
        key = xmatrix.SigningKey("a_test", how["key"])
        self.signer = SimpleNamespace(key=ec.generate_private_key(ec.SECP256R1()))
        self.peer = xmatrix.FederationClient(how["origin"], key, "alpha.test", self.address, self.tls)

    def connect_h2(self) -> h2wire.H2:
        return h2wire.H2(self.address, self.tls_h2, "matrix.alpha.test")

    def connect(self) -> wire.Connection:
        return wire.Connection(self.address, self.tls, "matrix.alpha.test", timeout=60)


def check(answer: wire.Answer, body: bytes) -> None:
    assert answer.status == 200, f"status {answer.status}: {answer.body[:200]!r}"
    assert answer.body == body, f"{len(answer.body)} bytes instead of {len(body)}, or other ones"


def keep_alive(c: Client) -> None:
    """Asks again and again on one connection; a reload or its time limit may close it between two requests."""
    with c.connect() as conn:
        for _ in range(c.random.randrange(1, 40)):
            answer = conn.ask("GET", "/_matrix/client/versions", [HOST])
            check(answer, json.dumps(SMALL).encode())
            if answer.get("Connection") == "close":
                return


def upload(c: Client) -> None:
    body = c.random.randbytes(c.random.choice((0, 1, 4000, 65536, 300000)))
    fields, data = [HOST], body
    if c.random.random() < 0.5:
        fields = [HOST, ("Transfer-Encoding", "chunked")]
        cut = c.random.randrange(len(body) + 1)
        data = wire.chunked(*(p for p in (body[:cut], body[cut:]) if p))
    with c.connect() as conn:
        answer = conn.ask("PUT", f"{CLIENT}/echo", fields, data)
    assert answer.status == 200, answer.status
    said = json.loads(answer.body)
    assert said == {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}, said


def download(c: Client) -> None:
    n = c.random.choice((1, 1000, 65537, 1000000, 3000001))
    with c.connect() as conn:
        check(conn.ask("GET", f"{CLIENT}/pattern/{n}", [HOST]), pattern(n))


def slow_download(c: Client) -> None:
    n = 400001
    with c.connect() as conn:
        conn.send(wire.request("GET", f"{CLIENT}/pattern/{n}", [HOST]))
        for _ in range(5):
            time.sleep(c.random.random() / 5)
            conn.held += conn.sock.recv(2000)
        check(conn.read(), pattern(n))


def long_poll(c: Client) -> None:
    with c.connect() as conn:
        target = f"{CLIENT}/sync?timeout={c.random.randrange(1500)}"
        check(conn.ask("GET", target, [HOST]), b'{"next_batch":"s1"}')


def federation(c: Client) -> None:
    answer = c.peer.ask("GET", PROFILE)
    check(answer, json.dumps(SMALL).encode())


def stranger(c: Client) -> None:
    """Invented names cost questions at the registration service, never keys, and get the same answer."""
    key = xmatrix.SigningKey()
    peer = xmatrix.FederationClient(f"s{c.random.randrange(10000)}.test", key, "alpha.test", c.address, c.tls)
    answer = peer.ask("GET", PROFILE)
    assert answer.status == 403, f"status {answer.status}: {answer.body[:200]!r}"


def unknown_x5u(c: Client) -> None:
    """An invite whose PASSporT names a certificate that nobody has."""
    sender, invited = f"@b:{c.peer.name}", "@anna:alpha.test"
    token = passport.issue(c.signer, sender, invited, header={"x5u": f"https://x.test/{c.random.randrange(10000)}"})
    uri = "/_matrix/federation/v2/invite" + xmatrix.path("!room:beta.test", "$e")
    answer = c.peer.ask("PUT", uri, invite_v2(sender, invited, token))
    assert answer.status == 403, f"status {answer.status}: {answer.body[:200]!r}"


def pipelining(c: Client) -> None:
    with c.connect() as conn:
        conn.send(wire.request("GET", "/_matrix/client/versions", [HOST]) * 6)
        for _ in range(6):
            answer = conn.read()
            check(answer, json.dumps(SMALL).encode())
            if answer.get("Connection") == "close":
                return


def leaving(c: Client) -> None:
    """Goes away at some point of a request or of its answer, with or without a word."""
    target = c.random.choice(("/echo", "/pattern/200000", "/sync?timeout=5000"))
    data = wire.request("PUT", CLIENT + target, [HOST], b"x" * 30000)
    conn = c.connect()
    conn.send(data[: c.random.randrange(len(data) + 1)])
    if c.random.random() < 0.3:
        conn.sock.settimeout(0.1)
        try:
            conn.sock.recv(100)
        except (TimeoutError, ssl.SSLError):
            pass
    c.random.choice((conn.close, conn.reset))()


def streams(c: Client) -> None:
    """Many requests at once on one HTTP/2 connection, some of them cancelled, beside an upload."""
    body = c.random.randbytes(c.random.choice((1, 70000, 400000)))
    expected: dict[int, bytes] = {}
    with c.connect_h2() as h2:
        h2.settle()
        for _ in range(c.random.randrange(1, 12)):
            n = c.random.choice((1, 5000, 300001))
            expected[h2.begin("GET", f"{CLIENT}/pattern/{n}")] = pattern(n)
        expected[h2.begin("GET", f"{CLIENT}/sync?timeout={c.random.randrange(500)}")] = b'{"next_batch":"s1"}'
        if c.random.random() < 0.5:
            h2.cancel(h2.begin("GET", f"{CLIENT}/sync?timeout=5000"))
        upload = h2.begin("PUT", f"{CLIENT}/echo", end=False)
        h2.upload(upload, body)
        said = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        expected[upload] = json.dumps(said).encode()
        for id, wanted in expected.items():
            got = h2.read(id)
            assert got.reset is None and got.status == 200, f"stream {id}: reset {got.reset}, {got.heads}"
            assert bytes(got.body) == wanted, f"stream {id}: {len(got.body)} bytes"


def leaving_streams(c: Client) -> None:
    """Goes away while streams are in all states."""
    with c.connect_h2() as h2:
        for target in ("/pattern/3000001", "/sync?timeout=5000", "/echo"):
            h2.begin("PUT" if target == "/echo" else "GET", CLIENT + target, end=target != "/echo")
        for _ in range(c.random.randrange(12)):
            h2.read_frame()


BEHAVIOURS: list[Callable[[Client], None]] = [
    keep_alive, upload, download, slow_download, long_poll, federation, pipelining, leaving,
    streams, leaving_streams, stranger, unknown_x5u,
]


def work_of(how: dict[str, Any], seed: int) -> list[partial[None]]:
    """One choice of the behaviours that were asked for, with what each needs."""
    client, outlet = Client(how, seed), outward.Outlet(how["out"], seed)
    sides: dict[str, list[partial[None]]] = {
        "inbound": [partial(b, client) for b in BEHAVIOURS],
        "outbound": [partial(b, outlet) for b in outward.BEHAVIOURS],
    }
    return [b for side in how["sides"] for b in sides[side]]


def run(how: dict[str, Any], seed: int, counts: Counter[str], faults: list[str]) -> None:
    work, choice = work_of(how, seed), random.Random(seed)
    end = time.monotonic() + how["seconds"]
    while time.monotonic() < end and len(faults) < 20:
        behaviour = choice.choice(work)
        name = behaviour.func.__name__
        try:
            behaviour()
            counts[name] += 1
        except Exception as e:  # whatever it is, the soak has failed
            faults.append(f"{name}: {type(e).__name__}: {e}")


def main() -> None:
    how = json.load(sys.stdin)
    counts: list[Counter[str]] = [Counter() for _ in range(how["threads"])]
    faults: list[str] = []
    threads = [
        threading.Thread(target=run, args=(how, how["seed"] * 1000 + i, counts[i], faults))
        for i in range(how["threads"])
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    json.dump({"counts": sum(counts, Counter()), "faults": faults}, sys.stdout)


if __name__ == "__main__":
    main()
