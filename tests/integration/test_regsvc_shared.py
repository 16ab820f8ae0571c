# SPDX-License-Identifier: Apache-2.0
"""Several instances of the registration service share one list through Redis."""
from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from harness import until
from listworld import NAMES, OFTEN, Regsvc
from sim.redisd import Redis
from sim.vzd import Vzd

Make = Callable[..., Regsvc]
PREFIX = "schleuse:regsvc:"


@pytest.fixture
def vzd() -> Iterator[Vzd]:
    with Vzd(domains=NAMES) as v:
        yield v


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    r = Redis(tmp_path).start()
    yield r
    r.stop()


@pytest.fixture
def make(tmp_path: Path, vzd: Vzd, redis: Redis) -> Iterator[Make]:
    made: list[Regsvc] = []

    def make_one(folder: str, **settings: Any) -> Regsvc:
        r = Regsvc(tmp_path / folder, vzd)
        r.config["redis"] = {"address": f"redis://{redis.address}", "timeout": "500ms"}
        r.config["list"] |= {**OFTEN, **settings}
        made.append(r)
        return r

    yield make_one
    for r in made:
        r.stop()


def shared(redis: Redis) -> bool:
    return b"version" in redis.ask("GET", PREFIX + "list:current")


def elected(r: Regsvc) -> bool:
    return r.metric("schleuse_federation_list_elected") == 1


def test_one_asks_and_all_have_the_list(vzd: Vzd, make: Make) -> None:
    """FD-5.2.2-10, -14: the follower hears of a change without asking the directory."""
    one = make("one").start()
    until("the election", lambda: elected(one))
    two = make("two", interval="1h").start()
    two.until_version(one.version())
    before = two.metric("schleuse_federation_list_checks_total")
    version = vzd.add("new.example.org")
    one.until_version(version)
    two.until_version(version)
    assert two.metric("schleuse_federation_list_checks_total") == before and not elected(two)
    assert two.metric("schleuse_federation_list_entries") == len(NAMES) + 1


def test_a_new_instance_has_it_from_the_others(vzd: Vzd, make: Make, redis: Redis) -> None:
    """CP-3-6: while the directory is away, with an empty state directory."""
    one = make("one").start()
    until("the list in Redis", lambda: shared(redis))
    vzd.faults.on("list:503")
    two = make("two").start()
    assert two.version() == one.version()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_another_one_asks_when_the_first_is_gone(
    vzd: Vzd, make: Make, how: signal.Signals
) -> None:
    """FD-5.2.2-14: a fetcher that left, and one that died."""
    one = make("one").start()
    until("the election", lambda: elected(one))
    two = make("two").start()
    if how == signal.SIGKILL:
        one.kill()
    else:
        one.signal(how)
        until("the election", lambda: elected(two))
    two.until_version(vzd.add("new.example.org"))


def test_without_redis_each_asks_for_itself(vzd: Vzd, make: Make, redis: Redis) -> None:
    """CP-3-6: degraded, but ready; and together again afterwards."""
    both = [make("one").start(), make("two").start()]
    redis.stop()
    for r in both:
        until("a degraded store", lambda: r.metric("schleuse_store_up") == 0)
    version = vzd.add("new.example.org")
    for r in both:
        r.until_version(version)
        assert r.missing() == ""
    redis.start()
    until("an election", lambda: any(elected(r) for r in both))
    version = vzd.add("newer.example.org")
    for r in both:
        r.until_version(version)


def test_what_redis_says_is_verified(vzd: Vzd, make: Make, redis: Redis) -> None:
    """FD-5.2.2-16, -18: the store vouches for nothing."""
    r = make("one", interval="1h").start()
    until("the list in Redis", lambda: shared(redis))
    good, version = r.version(), vzd.directory.version + 5
    vzd.faults.on("list:bad-signature")
    forged = vzd.listing.jws(version=version).decode()
    key = f"list:text:{version}-forged"
    pointer = {"version": version, "key": key, "as_of": 4102444800}
    redis.ask("SET", PREFIX + key, forged)
    redis.ask("SET", PREFIX + "list:current", json.dumps(pointer))
    redis.ask("PUBLISH", PREFIX + "list", "1")
    until("the refusal", lambda: r.metric("schleuse_federation_list_refused_total") >= 1)
    r.until_logged("source=store")
    assert r.version() == good
