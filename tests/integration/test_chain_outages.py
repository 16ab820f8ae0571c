# SPDX-License-Identifier: Apache-2.0
"""Parts of the chain stop, die and come back in any order: the federation goes on with what is held,
/ready says what is missing, and everything finds together again by itself (CP-3-6, FD-5.2.2-14, -16)."""
from __future__ import annotations

import itertools
from typing import Any, Callable

import pytest

from chain import Chain, missing
from harness import until

PARTS = ("vzd", "redis", "first", "second")


def down(chain: Chain, part: str, hard: bool) -> None:
    if part == "vzd":
        chain.vzd.down()
    elif part == "redis":
        chain.redis.stop()
    else:
        d = chain.regsvcs[PARTS.index(part) - 2].daemon
        d.kill() if hard else d.stop()


def up(chain: Chain, part: str) -> None:
    if part == "vzd":
        chain.vzd.up()
    elif part == "redis":
        chain.redis.start()
    else:
        chain.regsvcs[PARTS.index(part) - 2].daemon.start("/health")


ORDERS = [
    (("vzd", "redis", "first", "second"), ("vzd", "redis", "first", "second")),
    (("redis", "first", "vzd", "second"), ("second", "first", "redis", "vzd")),
    (("first", "second", "redis", "vzd"), ("first", "vzd", "second", "redis")),
    (("second", "vzd", "first", "redis"), ("redis", "second", "vzd", "first")),
]


@pytest.mark.parametrize("downs, ups", ORDERS, ids=["-".join(d) for d, _ in ORDERS])
def test_down_and_up_in_this_order(chain: Chain, downs: tuple[str, ...], ups: tuple[str, ...]) -> None:
    for n, part in enumerate(downs):
        down(chain, part, hard=n % 2 == 0)
        assert chain.statuses() == [200, 200, 200], f"{part} is down"
        assert chain.statuses(chain.gamma) == [403, 403, 403]
    for part in ups:
        up(chain, part)
        assert chain.statuses() == [200, 200, 200], f"{part} is up"
    chain.settle()
    chain.vzd.remove(chain.beta.name)
    chain.all_say(403)


def test_a_proxy_restarted_while_all_else_is_down(chain: Chain) -> None:
    signer = chain.vzd.certificates.held[-1]
    until("the certificate", lambda: chain.invites(signer, None) == [200, 200, 200])
    for n, part in enumerate(PARTS):
        down(chain, part, hard=n % 2 == 1)
    for n, w in enumerate(chain.proxies):
        w.daemon.kill() if n == 0 else w.daemon.stop()
    for w in chain.proxies:
        w.daemon.start()
    assert chain.statuses() == [200, 200, 200], "from what was kept"
    assert chain.statuses(chain.gamma) == [403, 403, 403]
    assert chain.invites(signer, None) == [200, 200, 200]
    for w in chain.proxies:
        assert w.client("GET", "/_matrix/client/versions").status == 200
        until("the line", lambda: "announces no changes" in w.daemon.log_text())


def test_a_registration_service_restarted_with_nothing_but_what_it_kept(chain: Chain) -> None:
    """Without directory and Redis it has the list of its state directory."""
    version = chain.vzd.directory.version
    down(chain, "vzd", True)
    down(chain, "redis", True)
    for part in ("first", "second"):
        down(chain, part, hard=part == "first")
        up(chain, part)
    for r in chain.regsvcs:
        assert r.daemon.metric("schleuse_federation_list_version") == version
        assert r.daemon.metric("schleuse_federation_list_status") == 1
        until("what is missing", lambda: "clients" in missing(r.daemon))
    assert chain.statuses() == [200, 200, 200]
    chain.proxies[0].daemon.stop()
    chain.proxies[0].daemon.start()
    up(chain, "redis")
    for r in chain.regsvcs:
        until("it is ready without the directory", lambda: missing(r.daemon) == "")
    for w in chain.proxies:
        until("it hears again", lambda: w.daemon.metric("schleuse_regsvc_up") == 1)


def test_what_changed_while_a_proxy_was_away_counts_at_its_start(chain: Chain) -> None:
    w = chain.proxies[1]
    w.daemon.kill()
    chain.vzd.remove(chain.beta.name)
    w.daemon.start()
    chain.all_say(403)
    for d in chain.daemons:
        until("it is ready", lambda: missing(d) == "")
