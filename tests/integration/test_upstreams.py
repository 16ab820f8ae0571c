# SPDX-License-Identifier: Apache-2.0
"""Several processes of one homeserver: paths, load, health, fail-over, queues, repeats (FD-5.2.1.2-5)."""
import socket
import threading
from contextlib import contextmanager
from typing import Callable, Iterator

import pytest

from harness import World, until
from sim.rawserver import OK, Close, Hang, RawRequest, RawServer
from sim.wire import Answer, Connection, request

HOST = ("Host", "matrix.alpha.test")
PATH = "/_matrix/client/v3/x"
SYNC = "/_matrix/client/v3/sync"
QUICK = {"interval": "100ms", "timeout": "1s", "fall": 2, "rise": 2}


class Farm:
    """A proxy before a main process and two sync workers, all byte-level servers."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.main, *self.workers = (RawServer(named(n)) for n in ("main", "a", "b"))
        w._closers += [lambda: self.main.close(), lambda: [s.close() for s in self.workers]]
        w.config["workers"] = 1
        w.main_service.update(
            homeserver=self.main.where,
            upstreams=[{"name": "sync", "addresses": [s.where for s in self.workers], "health": {"check": "off"}}],
            paths=[{"path": "/_matrix/client/{v}/sync", "methods": ["GET"], "upstream": "sync"}],
        )

    @property
    def sync(self) -> dict:
        return self.w.main_service["upstreams"][0]

    def ask(self, method: str = "GET", target: str = SYNC, *fields: tuple[str, str], body=None) -> Answer:
        with self.w.connect() as c:
            return c.ask(method, target, [HOST, *fields], body)

    def metric(self, name: str, **labels: str) -> float:
        return self.w.daemon.metric("schleuse_upstream_" + name, **labels)

    def restart(self, n: int, answer=None) -> None:
        port = int(self.workers[n].where.rpartition(":")[2])
        self.workers[n] = RawServer(answer or named("ab"[n]), address=("127.0.0.1", port))


def text(body: str) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body.encode())


def named(name: str) -> Callable[[RawRequest], bytes]:
    """A server that answers with its name."""
    return lambda r: OK if r.target == "/health" else text(name)


@pytest.fixture
def farm(make_world) -> Farm:
    return Farm(make_world())


def test_paths_lead_to_upstreams(farm: Farm) -> None:
    farm.w.main_service["paths"] += [
        {"path": "/_matrix/client/{v}/rooms/**", "upstream": "sync"},
        {"path": "/_matrix/client/{v}/rooms/{room}/members", "upstream": "homeserver"},
    ]
    farm.w.start()
    to_workers = [("GET", SYNC), ("GET", SYNC + "?timeout=0"), ("HEAD", SYNC), ("POST", "/_matrix/client/v3/rooms/!r/x")]
    to_main = [("POST", SYNC), ("GET", SYNC + "/x"), ("GET", "/_matrix/client/versions"),
               ("GET", "/_matrix/client/v3/rooms/!r/members")]
    for method, target in to_workers + to_main:
        assert farm.ask(method, target).status == 200
    assert sorted((r.method, r.target) for s in farm.workers for r in s.requests) == sorted(to_workers)
    assert [(r.method, r.target) for r in farm.main.requests] == to_main


def test_requests_of_a_user_meet_at_one_address(farm: Farm) -> None:
    farm.sync["balance"] = "user"
    farm.w.config["workers"] = 2
    farm.w.start()
    names = {}
    for user in range(20):
        answers = {
            farm.ask("GET", SYNC, ("Authorization", f"Bearer syt_dXNlcg{user}_{device}_x")).body
            for device in ("one", "two", "three")
        }
        assert len(answers) == 1, "devices of one user at different workers"
        names[user] = answers.pop()
    assert set(names.values()) == {b"a", b"b"}


def test_without_a_user_the_least_busy_address_is_taken(farm: Farm) -> None:
    farm.workers[0].answer = Hang()
    farm.w.start()
    with hanging(farm, farm.workers[0]):
        assert {farm.ask().body for _ in range(6)} == {b"b"}


@contextmanager
def hanging(farm: Farm, server: RawServer) -> Iterator[Connection]:
    """A request that `server` does not answer."""
    held = []
    while not server.requests:
        c = farm.w.connect()
        held.append(c)
        before = [len(s.requests) for s in farm.workers]
        c.send(request("GET", SYNC, [HOST]))
        until("the request upstream", lambda b=before: [len(s.requests) for s in farm.workers] != b)
        if not server.requests:
            c.read()
    yield held[-1]
    for c in held:
        c.close()


def test_an_address_that_refuses_costs_no_request(farm: Farm) -> None:
    """Whatever the method, since nothing was delivered; afterwards it is avoided."""
    farm.sync["health"].update(retry="1h", retry_max="1h")
    farm.w.main_service["paths"].append({"path": "/_matrix/client/**", "upstream": "sync"})
    farm.workers[0].close()
    farm.w.start()
    for _ in range(4):
        assert farm.ask("POST", PATH, body=b"{}").body == b"b"
    assert farm.metric("failovers_total") == 1 and farm.metric("avoided_total") == 1
    assert farm.metric("connects_failed_total", cause="refused") == 1
    assert f"{farm.workers[0].where}: cannot be connected to" in farm.w.daemon.log_text()


def test_an_avoided_address_comes_back(farm: Farm) -> None:
    farm.sync["health"].update(retry="100ms", retry_max="200ms")
    farm.workers[0].close()
    farm.w.start()
    assert {farm.ask().body for _ in range(4)} == {b"b"}
    farm.restart(0)
    until("both workers at work", lambda: {farm.ask().body for _ in range(4)} == {b"a", b"b"})
    assert "can be connected to again" in farm.w.daemon.log_text()


def test_when_nobody_listens_it_is_502_at_once(farm: Farm) -> None:
    for s in farm.workers:
        s.close()
    farm.w.start()
    for _ in range(5):
        a = farm.ask()
        assert (a.status, a.errcode, a.get("Retry-After")) == (502, "M_UNKNOWN", "5")
    assert farm.ask(target=PATH).body == b"main"


def test_checks_find_what_is_ill_and_what_is_well_again(farm: Farm) -> None:
    farm.sync["health"] = dict(QUICK)
    ill = lambda r: b"HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n" if r.target == "/health" else text("a")
    farm.workers[0].answer = ill
    farm.w.start()
    labels = {"service": "alpha.test", "upstream": "sync", "address": "1"}
    assert farm.metric("up", address="2") == 1
    until("the address to be down", lambda: farm.metric("up", **labels) == 0)
    assert farm.metric("checks_failed_total", **labels) >= 2
    assert farm.metric("checks_failed_total", address="2") == 0
    until("the worker to know", lambda: {farm.ask().body for _ in range(4)} == {b"b"})
    log = farm.w.daemon.log_text()
    assert "down after 2 bad checks of /health, the last: status 503" in log
    farm.w.daemon.reload()  # what is known stays known
    until("the reload", lambda: farm.w.daemon.metric("schleuse_reloads_total", outcome="adopted") == 1)
    assert farm.metric("up", **labels) == 0
    assert {farm.ask().body for _ in range(4)} == {b"b"}
    farm.workers[0].answer = named("a")
    until("the address to be up", lambda: farm.metric("up", **labels) == 1)
    until("the worker to know", lambda: {farm.ask().body for _ in range(4)} == {b"a", b"b"})


def test_checks_of_unix_sockets_and_of_single_addresses(farm: Farm) -> None:
    path = farm.w.folder / "worker.sock"
    with RawServer(named("u"), unix=path) as unix:
        farm.sync.update(addresses=[unix.where], health={**QUICK, "check": "on", "path": "/ping?x"})
        unix.answer = lambda r: Hang() if r.target == "/ping?x" else text("u")
        farm.sync["health"]["timeout"] = "100ms"
        farm.w.start()
        until("the address to be down", lambda: farm.metric("up") == 0 and farm.metric("checks_failed_total") >= 2)
        assert farm.ask().body == b"u", "the only one is tried anyway"
        unix.answer = lambda r: OK if r.target == "/ping?x" else text("u")
        until("the address to be up", lambda: farm.metric("up") == 1)
        farm.w.daemon.stop()


def test_connections_survive_a_reload(farm: Farm) -> None:
    farm.w.start()
    with farm.w.connect() as c:
        c.ask("GET", PATH, [HOST])
        until("an idle connection", lambda: farm.metric("connections", state="idle") == 1)
        farm.w.config["limits"] = {"upstream_idle_max": 7, "upstream_queue_max": 5}
        farm.w.main_service["upstreams"] = []
        farm.w.main_service["paths"] = []
        farm.w.daemon.reload()
        until("the reload", lambda: farm.w.daemon.metric("schleuse_reloads_total", outcome="adopted") == 1)
        assert c.ask("GET", SYNC, [HOST]).body == b"main"
    assert farm.main.connections == 1


def test_reloads_that_change_upstreams_lose_nothing(farm: Farm) -> None:
    """Addresses come and go, and limits change, while requests are under way."""
    farm.w.config["workers"] = 2
    farm.sync["health"] = dict(QUICK)
    farm.w.start()
    stop = threading.Event()
    wrong: list[object] = []
    asked = [0]

    def load() -> None:
        with farm.w.connect() as c:
            while not stop.is_set():
                for method, target in (("GET", SYNC), ("POST", PATH), ("GET", PATH)):
                    a = c.ask(method, target, [HOST], b"{}" if method == "POST" else None)
                    asked[0] += 1
                    if a.status != 200:
                        wrong.append((method, target, a.status))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for t in threads:
        t.start()
    where = [s.where for s in farm.workers]
    for n in range(1, 12):
        farm.sync["addresses"] = [where[:1], where, where[::-1]][n % 3]
        farm.w.config["limits"] = {"upstream_idle_max": n % 2, "upstream_connections_max": 2 + n % 2}
        farm.w.daemon.reload()
        until("the reload", lambda: farm.w.daemon.metric("schleuse_reloads_total", outcome="adopted") == n)
        before = asked[0]
        until("requests after it", lambda: asked[0] > before + 12)
    stop.set()
    for t in threads:
        t.join()
    assert wrong == []
    assert farm.metric("up") == 2


# --- bounds ---


def test_the_queue_for_connections_is_bounded_and_counted(farm: Farm) -> None:
    farm.w.config["limits"] = {"upstream_connections_max": 1, "upstream_idle_max": 1, "upstream_queue_max": 2}
    farm.w.config["timeouts"]["upstream_queue"] = "1h"
    release = threading.Event()
    farm.main.answer = lambda r: text("main") if release.wait(15) else Close()
    farm.w.start()
    held = [farm.w.connect() for _ in range(3)]
    for n, c in enumerate(held):
        c.send(request("GET", PATH, [HOST]))
        until("its place", lambda: farm.metric("connections", state="busy") == 1 and farm.metric("queued") == n)
    a = farm.ask(target=PATH)
    assert (a.status, a.errcode, a.get("Retry-After")) == (503, "M_UNKNOWN", "1")
    assert farm.metric("queue_refused_total", cause="full") == 1
    assert farm.w.daemon.metric("schleuse_exchanges_ended_total", reason="upstream_busy") == 1
    release.set()
    assert [c.read().body for c in held] == [b"main"] * 3
    until("rest", lambda: farm.metric("connections", state="busy") == 0 and farm.metric("queued") == 0)
    assert farm.main.connections == 1
    for c in held:
        c.close()


def test_waiting_for_a_connection_has_an_end(farm: Farm) -> None:
    farm.w.config["limits"] = {"upstream_connections_max": 1, "upstream_idle_max": 1}
    farm.w.config["timeouts"]["upstream_queue"] = "200ms"
    farm.main.answer = Hang()
    farm.w.start()
    with farm.w.connect() as c:
        c.send(request("GET", PATH, [HOST]))
        farm.main.wait()
        assert farm.ask(target=PATH).status == 503
    assert farm.metric("queue_refused_total", cause="timeout") == 1


def test_a_full_listen_queue_is_waited_for(farm: Farm) -> None:
    """connect() to a unix socket says EAGAIN then, which is no reason for a 502."""
    path = str(farm.w.folder / "full.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(0)
    fillers = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for f in fillers:
        f.setblocking(False)
        try:
            f.connect(path)
        except BlockingIOError:
            pass
    farm.w.main_service["homeserver"] = f"unix:{path}"
    farm.w.start()
    with farm.w.connect() as c:
        c.send(request("GET", PATH, [HOST]))
        until("the wait", lambda: farm.metric("queued") == 1)
        conn = listener.accept()[0]
        conn.close()
        conn = listener.accept()[0]
        conn.recv(4096)
        conn.sendall(text("late"))
        assert c.read().body == b"late"
    conn.close()
    listener.close()
    for f in fillers:
        f.close()


# --- repeats ---


def dies(last: bytes = b"") -> Callable[[RawRequest], bytes | Close]:
    """Each connection serves one request; with the next it says `last` and closes."""
    seen: dict[int, int] = {}

    def answer(r: RawRequest) -> bytes | Close:
        seen[r.connection] = seen.get(r.connection, 0) + 1
        return Close(last) if seen[r.connection] > 1 else OK

    return answer


@pytest.mark.parametrize(
    "method, body, status, times",
    [
        ("GET", None, 200, 2),
        ("DELETE", None, 200, 2),
        ("POST", b"{}", 502, 1),
        ("POST", None, 502, 1),
        ("PATCH", b"{}", 502, 1),
        ("PUT", b"{}", 502, 1),  # streamed: its body is gone
    ],
)
def test_what_was_sent_over_a_dead_connection(farm: Farm, method: str, body, status: int, times: int) -> None:
    """Repeated only if idempotent and at hand (RFC 9110 9.2.2): the server may have acted on it."""
    farm.main.answer = dies()
    farm.w.start()
    assert farm.ask("GET", PATH).status == 200
    until("an idle connection", lambda: farm.metric("connections", state="idle") == 1)
    assert farm.ask(method, PATH, body=body).status == status
    assert [r.method for r in farm.main.requests[1:]] == [method] * times
    assert farm.metric("retries_total") == times - 1


def test_a_signed_put_is_repeated(farm: Farm) -> None:
    """Its body was read to verify it."""
    farm.main.answer = dies()
    farm.w.start()
    peer = farm.w.peer(farm.w.beta)
    transaction = {"origin": farm.w.beta.name, "origin_server_ts": 1, "pdus": [], "edus": []}
    for n in range(2):
        assert peer.ask("PUT", f"/_matrix/federation/v1/send/{n}", transaction).status == 200
    assert [r.connection for r in farm.main.requests] == [1, 1, 2]
    assert farm.main.requests[1].body == farm.main.requests[2].body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_an_idle_connection_that_was_closed_costs_nothing(farm: Farm, method: str) -> None:
    farm.main.answer = lambda r: Close(text("x"))
    farm.w.start()
    for _ in range(20):
        assert farm.ask(method, PATH, body=None if method == "GET" else b"{}").status == 200
    assert len(farm.main.requests) == 20


def test_nothing_is_repeated_once_an_answer_began(farm: Farm) -> None:
    farm.main.answer = dies(b"H")
    farm.w.start()
    assert [farm.ask("GET", PATH).status for _ in range(2)] == [200, 502]
    assert len(farm.main.requests) == 2


def test_a_fresh_connection_that_is_closed_is_not_tried_again(farm: Farm) -> None:
    """A request that makes a homeserver crash does so once."""
    farm.main.answer = Close()
    farm.w.start()
    assert farm.ask("GET", PATH).status == 502
    assert len(farm.main.requests) == 1


# --- time ---


def ended(farm: Farm, reason: str) -> float:
    return farm.w.daemon.metric("schleuse_exchanges_ended_total", reason=reason)


def test_a_poll_ends_a_margin_after_what_the_client_asked_for(farm: Farm) -> None:
    farm.w.config["timeouts"].update(upstream="100ms", poll_margin="100ms", upstream_slow="1h")
    for s in farm.workers:
        s.answer = Hang()
    farm.w.start()
    assert farm.ask("GET", SYNC + "?since=s1&timeout=200").status == 504
    with farm.w.connect() as c:
        c.send(request("GET", SYNC + "?since=s1&timeout=3600000", [HOST]))
        assert farm.ask("GET", SYNC + "?since=s1&timeout=100").status == 504
        until("the other poll to go on", lambda: farm.metric("connections", state="busy") == 1)


def test_an_answer_that_stalls_is_cut(farm: Farm) -> None:
    farm.w.config["timeouts"]["upstream_body"] = "200ms"
    farm.main.answer = Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    farm.w.start()
    with pytest.raises(Exception, match="closed|EOF"):
        farm.ask("GET", PATH)
    until("its end to be counted", lambda: ended(farm, "upstream_broke") == 1)


def test_all_of_a_request_has_a_time(farm: Farm) -> None:
    farm.w.config["timeouts"]["upstream_total"] = "300ms"
    farm.main.answer = Hang()
    farm.w.start()
    a = farm.ask("GET", PATH)
    assert (a.status, a.errcode, a.get("Retry-After")) == (504, "M_UNKNOWN", "5")
    farm.main.answer = Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    with pytest.raises(Exception, match="closed|EOF"):
        farm.ask("GET", PATH)
    until("both to be counted", lambda: ended(farm, "upstream_total") == 2)
    assert farm.main.requests[0].gone.wait(10)
