# SPDX-License-Identifier: Apache-2.0
"""Fixtures: `make_world` for tests that configure their own, `world` for those that share one."""
from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from chain import Chain  # noqa: E402
from harness import World, open_world, open_worlds  # noqa: E402
from pushworld import PushWorld  # noqa: E402

LIMIT_S = 300  # far above what any phase of a test takes on a busy machine with sanitizers


def _limited(item: pytest.Item, phase: str) -> Iterator[None]:
    def expire(*_: Any) -> None:
        raise TimeoutError(f"{phase} of {item.name} does not end: {LIMIT_S} s are over")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(LIMIT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    yield from _limited(item, "setup")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield from _limited(item, "call")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    yield from _limited(item, "teardown")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Adds the log of each running proxy to a failed test's report."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        for w in open_worlds:
            text = w.daemon.log_text() if w.daemon.log.exists() else ""
            report.sections.append((f"log of {w.folder.name}", text[-6000:]))


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    """Makes worlds (not yet started); all end with the test."""
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(open_world(None, **how))


@pytest.fixture(scope="module")
def module_world() -> Iterator[World]:
    """One started world for a module; a module may redefine it with its own configuration."""
    with open_world(World.start) as w:
        yield w


@pytest.fixture
def world(module_world: World) -> World:
    """The module's world with nothing recorded yet, its proxy still alive."""
    module_world.daemon.check_alive()
    module_world.homeserver.forget()
    return module_world


@pytest.fixture(scope="module")
def module_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    c = Chain(tmp_path_factory.mktemp("chain"))
    try:
        yield c.start()
    finally:
        c.stop()


@pytest.fixture
def chain(module_chain: Chain) -> Chain:
    """The module's chain, with all of its parts in order."""
    module_chain.heal()
    return module_chain


@pytest.fixture
def make_push() -> Iterator[Callable[..., PushWorld]]:
    """Makes push gateways (not yet started) with their providers; all end with the test."""
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(open_world(None, kind=PushWorld, **how))


@pytest.fixture(scope="module")
def module_push() -> Iterator[PushWorld]:
    """One started gateway for a module; nothing is delayed."""
    with open_world(PushWorld.start, kind=PushWorld) as w:
        yield w


@pytest.fixture
def push(module_push: PushWorld) -> PushWorld:
    """The module's gateway, its providers willing and with nothing recorded yet."""
    module_push.daemon.check_alive()
    module_push.drained()
    module_push.forget()
    return module_push
