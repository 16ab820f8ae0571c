# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one federation for the whole run, and its people."""
from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "interop"), str(TESTS / "integration"), str(TESTS)]

from federation import Federation, resolve_here  # noqa: E402
from person import Person  # noqa: E402

started: list[Federation] = []


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """Adds the ends of all logs to a failed test's report."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed:
        for federation in started:
            for site in federation.sites.values():
                report.sections.append((f"proxy of {site.name}", site.proxy.log_text()[-4000:]))
                report.sections.append((f"Synapse of {site.name}", site.synapse.log_text()[-6000:]))


@pytest.fixture(scope="session")
def federation() -> Iterator[Federation]:
    """alpha and beta are members; gamma is none, but its own proxy believes it is."""
    resolve_here()
    folder = Path(tempfile.mkdtemp(prefix="interop-"))
    yield from kept(Federation(folder, ["alpha.test", "beta.test"], ["gamma.test"]))


def kept(f: Federation) -> Iterator[Federation]:
    """Until the end, with its logs at hand."""
    started.append(f)
    yield f
    started.remove(f)
    f.stop()


@pytest.fixture(scope="session")
def login(federation: Federation) -> Iterator[Callable[..., Person]]:
    with federation.logins() as make:
        yield make


@pytest.fixture(scope="session")
def alice(login: Callable[..., Person]) -> Person:
    return login("alice", "alpha.test")


@pytest.fixture(scope="session")
def bob(login: Callable[..., Person]) -> Person:
    return login("bob", "beta.test")


@pytest.fixture(scope="session")
def carol(login: Callable[..., Person]) -> Person:
    return login("carol", "gamma.test")


@pytest.fixture(scope="session")
def admin(login: Callable[..., Person]) -> Person:
    """The administrator of alpha's homeserver."""
    return login("admin", "alpha.test", admin=True)


@pytest.fixture
def meet(federation: Federation) -> Callable[..., str]:
    return federation.meet
