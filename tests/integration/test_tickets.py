# SPDX-License-Identifier: Apache-2.0
"""Session tickets shared by several proxies: key file and Redis."""
import os
import re
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import PKI, SOURCE, World, until
from sim import wire
from sim.redisd import Redis

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
SECRET = "shared by all proxies of this service, and by nobody else"


def private(path: Path, data: bytes) -> str:
    """Replaces the file whole, readable to us only."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(0o600)
    new.write_bytes(data)
    new.replace(path)
    return str(path)


def context(version: ssl.TLSVersion = V13) -> ssl.SSLContext:
    return wire.tls_context(PKI.web_root.pem, lowest=version, highest=version)


def session(w: World, tls: ssl.SSLContext, name: str | None = None) -> ssl.SSLSession:
    with w.connect(name, tls=tls) as c:
        c.ask("GET", "/_matrix/client/versions", {"Host": name or "matrix.alpha.test"})
        return c.tls.session


def resumes(w: World, tls: ssl.SSLContext, old: ssl.SSLSession, name: str | None = None) -> bool:
    with w.connect(name, tls=tls, session=old) as c:
        return bool(c.tls.session_reused)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Callable[..., Redis]]:
    with ExitStack() as stack:

        def make(**how: Any) -> Redis:
            r = Redis(tmp_path, **how)
            stack.callback(r.stop)
            return r

        yield make


def shared(make_world, r: Redis, secret: str = SECRET, **more: Any) -> World:
    """A world whose tickets are shared through this Redis."""
    w = make_world()
    w.config["tls"] = {
        "ticket_redis": True,
        "ticket_secret_file": private(w.folder / "secret", secret.encode()),
        **more,
    }
    w.config["redis"] = {"address": r.address, "timeout": "2s"}
    if r.password:
        w.config["redis"]["password_file"] = private(w.folder / "pw", r.password.encode() + b"\n")
    if r.user:
        w.config["redis"]["user"] = r.user
    if r.tls:
        w.config["redis"] |= {"tls": True, "ca_file": str(w.ca_file)}
    return w


def until_shared(a: World, b: World, tls: ssl.SSLContext) -> ssl.SSLSession:
    """A session of a that b resumes; each look is a new one, so it comes when both share keys."""
    held: list[ssl.SSLSession] = []

    def look() -> bool:
        held[:] = [session(a, tls)]
        return resumes(b, tls, held[0])

    until("b resumes a session of a", look)
    return held[0]


# Key file


def with_file(make_world, keys: bytes) -> World:
    w = make_world()
    w.config["tls"] = {"ticket_file": private(w.folder / "tickets", keys)}
    return w.start()


@pytest.mark.parametrize("version", [V12, V13])
def test_a_key_file_is_shared(make_world, version) -> None:
    keys = os.urandom(160)
    a, b, other = (with_file(make_world, k) for k in (keys, keys, os.urandom(160)))
    tls = context(version)
    until_shared(a, b, tls)
    assert not resumes(other, tls, session(a, tls))


def test_a_ticket_of_another_proxy_opens_no_other_service(make_world) -> None:
    keys = os.urandom(80)
    worlds = []
    for _ in range(2):
        w = make_world()
        w.add_service("bravo.test")
        w.config["tls"] = {"ticket_file": private(w.folder / "tickets", keys)}
        worlds.append(w.start())
    tls = context()
    old = until_shared(*worlds, tls)
    assert not resumes(worlds[1], tls, old, "matrix.bravo.test")


def test_a_key_file_is_rotated_from_outside(make_world) -> None:
    first, second = os.urandom(80), os.urandom(80)
    a = with_file(make_world, first)
    b = with_file(make_world, first)
    tls = context()
    old = until_shared(a, b, tls)
    for w in (a, b):
        private(w.folder / "tickets", second + first)
    until("both have the new key first", lambda: all(rotations(w) >= 2 for w in (a, b)))
    assert resumes(b, tls, old), "the old key still decrypts"
    assert resumes(b, tls, session(a, tls))
    private(b.folder / "tickets", second)
    until("b has dropped the old key", lambda: not resumes(b, tls, old))


def rotations(w: World) -> float:
    return w.daemon.metric("schleuse_tls_ticket_rotations_total")


def failures(w: World) -> float:
    return w.daemon.metric("schleuse_tls_ticket_failures_total")


@pytest.mark.parametrize("fault", ["short", "open", "gone"])
def test_a_bad_key_file_leaves_the_last_keys(make_world, fault: str) -> None:
    w = with_file(make_world, os.urandom(80))
    tls = context()
    until("the file's key is in force", lambda: rotations(w) >= 1)
    old = session(w, tls)
    if fault == "short":
        private(w.folder / "tickets", os.urandom(79))
    elif fault == "open":
        (w.folder / "tickets").chmod(0o644)
        os.utime(w.folder / "tickets", (1, 1))
    else:
        (w.folder / "tickets").unlink()
    until("it is noticed", lambda: failures(w) > 0)
    assert resumes(w, tls, old)
    w.daemon.until_logged("the last keys stay in force")


# Redis


@pytest.mark.parametrize("how", ["plain", "password", "tls"])
def test_redis_shares_keys(make_world, redis, how: str) -> None:
    r = redis(
        password="s3cret" if how != "plain" else "",
        certificate=PKI.web.server("127.0.0.1") if how == "tls" else None,
    ).start()
    a, b = (shared(make_world, r).start() for _ in range(2))
    until_shared(a, b, context())
    assert a.daemon.metric("schleuse_redis_up") == 1


def test_redis_shares_keys_under_the_sample_acl(make_world, redis) -> None:
    acl = (SOURCE / "etc" / "redis-acl.conf").read_text()
    users = acl.replace("user schleuse-proxy on ", "user schleuse-proxy on >s3cret ")
    assert users != acl
    users += "user admin on nopass allkeys allchannels allcommands\n"
    r = redis(user="schleuse-proxy", password="s3cret", settings=users).start()
    a, b = (shared(make_world, r).start() for _ in range(2))
    until_shared(a, b, context())
    log = r.ask_all(["AUTH", "admin", "any"], ["ACL", "LOG"])
    assert log == b"+OK\r\n*0\r\n", "nothing was refused"


def test_another_secret_shares_nothing(make_world, redis) -> None:
    r = redis().start()
    a, b = shared(make_world, r).start(), shared(make_world, r, "x" * 40).start()
    until("both have stored keys", lambda: r.ask("DBSIZE") >= b":2")
    tls = context()
    assert not resumes(b, tls, session(a, tls))


def test_keys_rotate_and_are_sealed(make_world, redis) -> None:
    r = redis().start()
    a, b = (shared(make_world, r, ticket_lifetime="2s").start() for _ in range(2))
    tls = context()
    until_shared(a, b, tls)
    until("both rotated", lambda: all(rotations(w) >= 3 for w in (a, b)))
    until_shared(a, b, tls)
    names = re.findall(rb"schleuse:tls-ticket:\S+", r.ask("KEYS", "*"))
    assert names
    for name in names:
        value = r.ask("GET", name)
        if value.startswith(b"$"):  # nonce, record and tag
            assert value.startswith(b"$120\r\n")
    assert failures(a) == failures(b) == 0


def test_redis_away_and_back(make_world, redis) -> None:
    r = redis().start()
    a, b = (shared(make_world, r).start() for _ in range(2))
    tls = context()
    old = until_shared(a, b, tls)
    r.stop()
    until("the loss is noticed", lambda: a.daemon.metric("schleuse_redis_up") == 0)
    assert resumes(b, tls, old), "known keys go on"
    assert resumes(a, tls, session(b, tls))
    r.start()
    until("it is back", lambda: a.daemon.metric("schleuse_redis_up") == 1)
    assert a.daemon.metric("schleuse_redis_failures_total") >= 1
    until_shared(a, b, tls)


def test_goes_on_alone_without_redis(make_world, redis) -> None:
    r = redis()  # not started
    w = shared(make_world, r, ticket_lifetime="2s").start()
    tls = context()
    until("it rotates by itself", lambda: rotations(w) >= 2)
    assert resumes(w, tls, session(w, tls))
    assert failures(w) > 0
    w.daemon.until_logged("not shared through Redis")


def test_a_wrong_certificate_of_redis_is_refused(make_world, redis) -> None:
    r = redis(certificate=PKI.foreign.server("127.0.0.1")).start()
    w = shared(make_world, r).start()
    until("it is refused", lambda: "reason=tls" in w.daemon.log_text())
    assert w.daemon.metric("schleuse_redis_up") == 0


def test_a_wrong_password_is_refused(make_world, redis) -> None:
    r = redis(password="right").start()
    w = shared(make_world, r)
    private(w.folder / "pw", b"wr0ng-one")
    w.start()
    until("it is refused", lambda: "reason=redis_answer" in w.daemon.log_text())
    assert "wr0ng-one" not in w.daemon.log_text()


@pytest.mark.parametrize("how", ["foreign", "moved"])
def test_a_tampered_key_is_not_used(make_world, redis, how: str) -> None:
    r = redis().start()
    a = shared(make_world, r).start()
    until("a key is stored", lambda: r.ask("DBSIZE") >= b":1")
    (name, *_) = re.findall(rb"schleuse:tls-ticket:\S+", r.ask("KEYS", "*"))
    a.daemon.stop()
    if how == "foreign":
        r.ask("SET", name, os.urandom(120))
    else:  # a genuine one, brought to another period
        start, _, period = name.rpartition(b":")
        value = r.ask("GET", name)[len(b"$120\r\n") :][:120]
        for p in (-1, 1):
            r.ask("SET", b"%s:%d" % (start, int(period) + p), value)
    b = shared(make_world, r).start()
    until("it is noticed", lambda: failures(b) > 0)
    b.daemon.until_logged("not made with tls.ticket_secret_file")
    tls = context()
    assert resumes(b, tls, session(b, tls))


def test_a_reload_turns_sharing_on(make_world, redis) -> None:
    r = redis().start()
    a, b = shared(make_world, r).start(), shared(make_world, r)
    how = b.config["tls"]
    b.config["tls"] = {}
    b.start()
    tls = context()
    old = session(b, tls)
    b.config["tls"] = how
    b.daemon.config = b.config
    b.daemon.reload()
    until_shared(a, b, tls)
    assert resumes(b, tls, old), "keys from before the reload still decrypt"
