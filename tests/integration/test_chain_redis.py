# SPDX-License-Identifier: Apache-2.0
"""The chain and its Redis, over TLS as the user of the sample ACL: killed, full, slow, empty; and who
of the registration services asks the directory (CP-2.2-1, CP-3-6, FD-5.2.2-14)."""
from __future__ import annotations

import shutil
import signal
import threading

import pytest

from chain import Chain, missing, reload, timed, version_of
from harness import until

PREFIX = "schleuse:regsvc:"


def check_change(chain: Chain) -> None:
    """A member leaves and comes back, for all proxies."""
    chain.vzd.remove(chain.beta.name)
    chain.all_say(403)
    chain.vzd.add(chain.beta.name)
    chain.all_say(200)


def store_is(chain: Chain, state: int) -> None:
    for r in chain.regsvcs:
        until(f"the store is {state}", lambda: r.daemon.metric("schleuse_store_up") == state)


def test_nothing_is_refused_by_the_sample_acl(chain: Chain) -> None:
    check_change(chain)
    assert chain.admin(["ACL", "LOG"]).endswith(b"*0\r\n"), "nothing was refused"


def test_killed_and_restarted_while_the_list_changes(chain: Chain) -> None:
    stop = threading.Event()
    changer = threading.Thread(
        target=lambda: [chain.vzd.directory.bump() for _ in iter(lambda: stop.wait(0.05), True)]
    )
    changer.start()
    try:
        for _ in range(3):
            store_is(chain, 1)
            chain.redis.stop()
            store_is(chain, 0)
            assert chain.statuses() == [200, 200, 200]
            chain.redis.start()
    finally:
        stop.set()
        changer.join()
    chain.settle()
    store_is(chain, 1)
    check_change(chain)


def complaints(chain: Chain) -> int:
    return sum(r.daemon.log_text().count("cannot be shared") for r in chain.regsvcs)


def test_full(chain: Chain) -> None:
    """maxmemory with noeviction: nothing can be stored, everything goes on and comes back."""
    chain.admin(["CONFIG", "SET", "maxmemory-policy", "noeviction"])
    chain.admin(["CONFIG", "SET", "maxmemory", "1"])
    before = complaints(chain)
    check_change(chain)
    store_is(chain, 0)
    assert complaints(chain) - before <= len(chain.regsvcs)  # though the VZD is asked all the time
    chain.admin(["CONFIG", "SET", "maxmemory", "0"])
    store_is(chain, 1)
    check_change(chain)


def test_slow(chain: Chain) -> None:
    """It holds still for longer than redis.timeout."""
    process = chain.redis.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        chain.vzd.remove(chain.beta.name)
        chain.all_say(403)
        store_is(chain, 0)
    finally:
        process.send_signal(signal.SIGCONT)
    store_is(chain, 1)
    chain.vzd.add(chain.beta.name)
    chain.all_say(200)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_another_one_asks_when_the_first_is_gone(chain: Chain, how: signal.Signals) -> None:
    first = chain.elected()
    first.daemon.kill() if how == signal.SIGKILL else first.daemon.stop()
    second = next(r for r in chain.regsvcs if r is not first)
    timed("another one asks", lambda: until("the election", lambda: chain.elected() is second))
    until("its list", lambda: missing(second.daemon) == "")
    w = chain.proxies[2]  # behind the load balancer
    version = chain.vzd.remove(chain.beta.name)
    until("it has changed over", lambda: w.daemon.metric("schleuse_federation_list_version") == version)


def test_back_without_its_data(chain: Chain) -> None:
    """The list is shared anew; clients stay who they are until one is registered."""
    chain.redis.stop()
    store_is(chain, 0)
    shutil.rmtree(chain.redis.folder / "appendonlydir", ignore_errors=True)
    (chain.redis.folder / "appendonly.aof").unlink(missing_ok=True)
    chain.redis.start()
    store_is(chain, 1)
    until("the list", lambda: b"list:text" in chain.admin(["KEYS", f"{PREFIX}list:text:*"]))
    check_change(chain)
    signer = chain.vzd.certificates.held[-1]
    until("the certificate", lambda: chain.invites(signer, None) == [200, 200, 200])
    for r in chain.regsvcs:
        assert "has lost all 3 records" in r.daemon.log_text()
    second = chain.regsvcs[1].daemon
    second.stop()
    chain.vzd.faults.on("list:503")
    for file in (second.folder / "state").glob("federation-list*"):
        file.unlink()
    second.start("/health")
    until("the list of the other one", lambda: version_of(second) == chain.vzd.directory.version)
    chain.vzd.faults.clear()
    for n, w in enumerate(chain.proxies):
        chain.introduce(n)
        reload(w.daemon)
    check_change(chain)
