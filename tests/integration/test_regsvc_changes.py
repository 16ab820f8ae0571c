# SPDX-License-Identifier: Apache-2.0
"""Push: proxies wait for changes and are told at once; big lists and slow readers."""
from __future__ import annotations

import os
import signal
import socket
import struct
from pathlib import Path
from typing import Iterator

import pytest

from harness import environment, until
from openapi import Document
from regsvcworld import HOST, RegsvcWorld

DOCUMENT = Document()
PATH = "/v1/{subscription}/changes"
LIST = "federation-list.jws"


@pytest.fixture
def world(tmp_path) -> Iterator[RegsvcWorld]:
    w = RegsvcWorld(tmp_path)
    try:
        yield w.start()
    finally:
        w.stop()


def waiters(w: RegsvcWorld) -> float:
    return w.daemon.metric("schleuse_api_waiters")


def test_who_has_nothing_is_told_what_there_is(world: RegsvcWorld) -> None:
    client = world.add()
    answer = world.ask(client, "changes?wait=60")
    DOCUMENT.judge("GET", PATH, answer)
    news = answer.json()
    assert news["federation_list"] == {"version": world.version(client), "status": "aktuell"}
    assert news["passport_certificates"]["etag"] == world.ask(client, "passport-certificates").get("ETag")


def test_nothing_new_is_204(world: RegsvcWorld) -> None:
    client = world.add()
    version = world.version(client)
    for wait in (0, 1):
        answer = world.ask(client, f"changes?list={version}&wait={wait}")
        assert answer.status == 204
        DOCUMENT.judge("GET", PATH, answer)
    assert world.ask(client, "changes?list=0").status == 200
    assert world.ask(client, "changes?certificates=x").status == 200
    assert world.ask(client, f"changes?list={version}&status=aktuell&wait=0").status == 204
    assert world.ask(client, f"changes?list={version}&status=veraltet").status == 200
    for query in ("list=x", "list=-1", "wait=x", "wait=-1", "list=", "status=", "status=x"):
        assert world.ask(client, f"changes?{query}").status == 400, query


def test_all_are_told_of_a_new_list(world: RegsvcWorld) -> None:
    """FD-5.2.1.2-13: one proxy's question brings the list, everybody hears of it."""
    clients = [world.add(m) for m in ("basic", "oauth", "mtls") * 3]
    version = world.version(clients[0])
    waiting = [world.wait(c, f"list={version}&wait=300") for c in clients]
    new = world.vzd.add("new.test")
    world.ask(clients[0], LIST)
    for c in waiting:
        answer = c.read()
        DOCUMENT.judge("GET", PATH, answer)
        assert answer.json()["federation_list"]["version"] == new
        c.close()
    assert waiters(world) == 0


def test_the_same_list_becomes_outdated_and_is_current_again(tmp_path) -> None:
    """FD-5.2.2-16: else a proxy would not hear of it for a long time."""
    w = RegsvcWorld(tmp_path)
    w.config["list"].update(ttl="1s", interval="200ms", retry_interval="200ms")
    try:
        client = w.start().add()
        for before, after, act in (("aktuell", "veraltet", w.vzd.down), ("veraltet", "aktuell", w.vzd.up)):
            c = w.wait(client, f"list={w.vzd.directory.version}&status={before}&wait=300")
            act()
            news = c.read().json()["federation_list"]
            assert news == {"version": w.vzd.directory.version, "status": after}
            c.close()
    finally:
        w.stop()


def test_who_waits_for_certificates_only_does_not_hear_of_lists(world: RegsvcWorld) -> None:
    client, other = world.add(), world.add()
    until("certificates", lambda: world.ask(client, "passport-certificates").json()["certificates"])
    etag = world.ask(client, "changes").json()["passport_certificates"]["etag"]
    c = world.wait(client, f"certificates={etag.replace('/', '%2F').replace(chr(34), '%22')}&wait=300")
    version = world.version(other)
    d = world.wait(other, f"list={version}&wait=300")
    world.vzd.add("new.test")
    world.ask(other, LIST)
    assert d.read().status == 200
    assert waiters(world) == 1
    c.close()
    until("it is forgotten", lambda: waiters(world) == 0)


def test_one_client_waits_once(world: RegsvcWorld) -> None:
    """FDS-2.6.4.2-4: one connection for each client and subscription."""
    client, other = world.add(), world.add()
    version = world.version(client)
    first = world.wait(client, f"list={version}")
    answer = world.ask(client, f"changes?list={version}")
    assert answer.status == 429 and answer.get("Retry-After")
    DOCUMENT.judge("GET", PATH, answer)
    assert world.daemon.metric("schleuse_api_waiters_refused_total", reason="changes_per_client") == 1
    with world.wait(other, f"list={version}"):
        pass
    first.reset()
    until("it is forgotten", lambda: waiters(world) == 0)
    world.wait(client, f"list={version}").close()


def test_the_number_of_waiters_is_limited(tmp_path) -> None:
    w = RegsvcWorld(tmp_path)
    w.config["limits"].update(changes_waiters=2, changes_per_client=0)
    try:
        w.start()
        client = w.add()
        version = w.version(client)
        held = [w.wait(client, f"list={version}") for _ in range(2)]
        answer = w.ask(client, f"changes?list={version}")
        assert answer.status == 503 and answer.get("Retry-After")
        DOCUMENT.judge("GET", PATH, answer)
        assert w.daemon.metric("schleuse_api_waiters_refused_total", reason="changes_waiters") == 1
        assert w.ask(client, f"changes?list={version}&wait=0").status == 204
        for c in held:
            c.close()
    finally:
        w.stop()


def test_waiting_ends_in_time(tmp_path) -> None:
    w = RegsvcWorld(tmp_path)
    w.config["timeouts"]["changes"] = "1s"
    try:
        w.start()
        client = w.add()
        for wait in ("", "&wait=1000000"):
            assert w.ask(client, f"changes?list={w.version(client)}{wait}").status == 204
    finally:
        w.stop()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_who_waits_is_answered_before_anything_changes(world: RegsvcWorld, number: signal.Signals) -> None:
    """CP-3-1: nobody waits for a service that reloads or ends."""
    client = world.add()
    with world.wait(client, f"list={world.version(client)}&wait=3000") as c:
        world.daemon.signal(number)
        assert c.read().status == 204


@pytest.mark.parametrize("method", ["basic", "oauth", "mtls"])
def test_a_revoked_client_hears_no_more(world: RegsvcWorld, method: str) -> None:
    """FDS-2.6.4.2-3: what it asked before counts no more, and others go on waiting."""
    client, other = world.add(method), world.add(method)
    version = world.version(client)
    with world.wait(client, f"list={version}&wait=3000") as c, world.wait(other, f"list={version}&wait=3000") as d:
        world.ctl("client", "revoke", client.name)
        answer = c.read()
        assert answer.status == 401 and answer.all("WWW-Authenticate")
        until("one waits", lambda: waiters(world) == 1)
        new = world.vzd.add("new.test")
        world.ask(other, LIST)
        assert d.read().json()["federation_list"]["version"] == new


def test_h2_streams_wait_as_well(world: RegsvcWorld) -> None:
    client = world.add()
    version = world.version(client)
    with world.connect_h2(client) as c:
        fields = [(n.lower(), v) for n, v in client.fields]
        path = f"/v1/{client.subscription}/changes?list={version}"
        waiting = c.begin("GET", path, *fields, authority=HOST)
        until("it waits", lambda: waiters(world) == 1)
        new = world.vzd.add("new.test")
        status = c.ask("GET", f"/v1/{client.subscription}/{LIST}", *fields, authority=HOST)
        assert status.status == 200
        c.until(lambda: c.streams[waiting].ended)
        assert c.streams[waiting].json()["federation_list"]["version"] == new


def test_hundreds_are_told_though_not_in_one_turn(tmp_path) -> None:
    w = RegsvcWorld(tmp_path)
    w.config["limits"]["changes_per_client"] = 0
    try:
        w.start()
        client = w.add("oauth")
        path = f"/v1/{client.subscription}/changes?list={w.version(client)}"
        fields = [(n.lower(), v) for n, v in client.fields]
        connections = [w.connect_h2(client) for _ in range(4)]
        for c in connections:
            for _ in range(90):
                c.begin("GET", path, *fields, authority=HOST)
        until("all wait", lambda: waiters(w) == 360)
        new = w.vzd.add("new.test")
        w.ask(client, LIST)
        for c in connections:
            c.until(lambda c=c: all(s.ended for s in c.streams.values()))
            assert {s.json()["federation_list"]["version"] for s in c.streams.values()} == {new}
        assert waiters(w) == 0
        for c in connections:
            c.sock.close()
    finally:
        w.stop()


def test_closed_windows_of_h2_hold_up_nobody(world: RegsvcWorld) -> None:
    world.vzd.directory.replace([f"d{i}.test" for i in range(5000)])
    client = world.add("oauth")
    fields = [(n.lower(), v) for n, v in client.fields]
    whole = world.ask(client, LIST).body
    with world.connect_h2(client, window=1000) as c:
        path = f"/v1/{client.subscription}/{LIST}"
        ids = [c.begin("GET", path, *fields, authority=HOST) for _ in range(20)]
        c.until(lambda: all(len(c.streams[i].body) == 1000 for i in ids))
        assert world.ask(client, LIST).body == whole
        c.grant(1 << 24, 0, ids[0])
        c.until(lambda: c.streams[ids[0]].ended)
        assert bytes(c.streams[ids[0]].body) == whole


def test_readers_that_reset_in_the_middle(tmp_path) -> None:
    """The write that finds out that the client is gone is the last thing that happens to its call."""
    w = RegsvcWorld(tmp_path, [f"d{i}.test" for i in range(20000)])
    try:
        w.start()
        client = w.add()
        for i in range(150):
            c = w.connect(client, receive=4096)
            c.send(w.request(client, LIST) if i % 2 else w.request(client, "federation-list.json"))
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.sock.recv(1)
            c.sock.close()
        assert w.ask(client, "federation-list/status").status == 200
    finally:
        w.stop()


def test_slow_readers_share_one_list(tmp_path) -> None:
    """A list is sent from where it is; readers that do not read cost their connections' buffers."""
    w = RegsvcWorld(tmp_path, [f"d{i}.test" for i in range(20000)])
    # else AddressSanitizer keeps what is freed
    w.daemon.environment["ASAN_OPTIONS"] = environment()["ASAN_OPTIONS"] + ":quarantine_size_mb=1"
    try:
        w.start()
        client = w.add()
        whole = w.ask(client, LIST).body
        assert len(whole) > 2 << 20

        def resident() -> int:
            pages = Path(f"/proc/{w.daemon.process.pid}/statm").read_text().split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")

        before = resident()
        slow = []
        for path in (LIST, "federation-list.json") * 50:
            c = w.connect(client, receive=4096)
            c.send(w.request(client, path))
            assert c.read_head().status == 200
            slow.append(c)
        grown = resident() - before
        assert grown < len(whole) * len(slow) / 4, grown
        w.vzd.add("new.test")
        assert w.ask(client, LIST).body != whole  # a new one beside the one that is being read
        first = slow[0]
        while len(first.held) < len(whole):
            assert first._more()
        assert first.held == whole
        for c in slow:
            c.close()
        assert w.ask(client, LIST).status == 200
    finally:
        w.stop()
