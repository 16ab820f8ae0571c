# SPDX-License-Identifier: Apache-2.0
"""The HTTP conformance cases (tests/conformance/cases) against the proxy (FD-5.2.1.2-5, ML-123621-2)."""
import re
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Callable, Iterator

import pytest

from conformance import cases, client, page, play, proxies
from harness import SOURCE, World, until

CASES = cases.load()
ROWS = re.findall(r'X\(ERR_\w+,\s*"(\w+)",\s*\d+, "[^"]*",\s*"([^"]*)"\)', (SOURCE / "lib/base/err.h").read_text())
TEXTS = dict(ROWS)
Running = tuple[World, play.Target]


@pytest.fixture(scope="module")
def running() -> Iterator[Callable[[str], Running]]:
    """The proxy with these time-outs; the same for all cases, so that one cannot spoil the next unseen."""
    have: dict[str, Running] = {}
    with ExitStack() as stack:

        def get(times: str) -> Running:
            if times not in have:
                have[times] = stack.enter_context(proxies.schleuse(times))
            return have[times]

        yield get


def check(w: World, case: cases.Case, seen: play.Seen) -> None:
    assert [str(a.status) for a in seen.answers] == [m.first for m in case.answers], seen
    assert seen.fate == case.fate, seen
    for want, have in zip(case.answers, seen.answers):
        if want.reason:
            assert play.reason_of(have) == TEXTS[want.reason]
    assert play.differences(case, seen) == []


def ended_so(w: World, target: play.Target, case: cases.Case) -> bool:
    """Plays it; False: a reset has overtaken the end of the handshake, so that no exchange began."""
    ended = {"name": "schleuse_exchanges_ended_total", "reason": case.ended}
    before, broken = w.daemon.metric(**ended), w.daemon.metric("schleuse_tls_handshakes_failed_total")
    check(w, case, play.play(target, case))
    until(
        f"an exchange that ended with {case.ended}",
        lambda: w.daemon.metric(**ended) > before
        or w.daemon.metric("schleuse_tls_handshakes_failed_total") > broken,
    )
    return w.daemon.metric(**ended) > before


@pytest.mark.parametrize("case", CASES, ids=[f"{c.topic}: {c.name}" for c in CASES])
def test_case(running: Callable[[str], Running], case: cases.Case) -> None:
    w, target = running(case.times)
    if case.ended:
        assert any(ended_so(w, target, case) for _ in range(5))
    else:
        check(w, case, play.play(target, case))
    w.daemon.check_alive()


def stopped(pid: int) -> bool:
    stats = [p.read_text() for p in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(s.rpartition(")")[2].split()[0] == "T" for s in stats)


def test_a_reset_that_comes_with_the_request_is_noticed(running: Callable[[str], Running]) -> None:
    """The kernel tells of both at once: a long poll must not wait for its answer to learn of it."""
    w, target = running("normal")
    case = next(c for c in CASES if c.name == "a reset while waiting")
    target.backend.play(case)
    c = client.Client(target.address, target.tls, cases.HOST)
    c.send(play.PROBE_REQUEST)
    assert c.wait(lambda c: b"probed" in c.got, 15)
    w.daemon.signal(signal.SIGSTOP)
    try:
        until("the proxy stands still", lambda: stopped(w.daemon.process.pid))
        c.send(f"GET {case.path} HTTP/1.1\r\nHost: {cases.HOST}\r\n\r\n".encode())
        c.end("reset")
    finally:
        w.daemon.signal(signal.SIGCONT)
    until("the back end is told", lambda: any(a.gone for a in target.backend.arrived))


@pytest.mark.parametrize("times", sorted({c.times for c in CASES}))
def test_nothing_is_left_behind(running: Callable[[str], Running], times: str) -> None:
    """After every way to break off, no exchange and no connection stays (leaks: see Daemon.stop)."""
    w, _ = running(times)
    m = w.daemon.metric
    until("no open exchange", lambda: m("schleuse_exchanges_open") == 0)
    until("no busy upstream", lambda: m("schleuse_upstream_connections", state="busy") == 0)
    until(
        "no open connection",
        lambda: m("schleuse_connections_opened_total") == m("schleuse_connections_closed_total"),
    )


def test_the_page_shows_the_cases_as_they_are() -> None:
    """doc/http.md, which also names a reason for each difference from nginx and HAProxy."""
    assert page.faults(CASES) == []
