# SPDX-License-Identifier: Apache-2.0
"""The wall clock jumps: pushes wait for the time that was drawn, by a clock that does not jump."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness import SOURCE, until
from pushworld import PushWorld

HOURS = 3600
JUMPS = [12 * HOURS, -12 * HOURS]


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that lies about the wall clock."""
    out = tmp_path_factory.mktemp("shim") / "clockjump.so"
    source = SOURCE / "tests" / "integration" / "clockjump.c"
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", str(out), str(source)], check=True)
    return out


@pytest.fixture
def world(make_push, shim: Path) -> PushWorld:
    w: PushWorld = make_push(which=["unifiedpush"], delay="2s")
    jump(w, 0)
    sanitizers = os.environ.get("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1")
    w.daemon.environment = {"LD_PRELOAD": str(shim), "CLOCKJUMP": str(w.folder / "clock"),
                            "ASAN_OPTIONS": f"{sanitizers}:verify_asan_link_order=0"}
    return w.start()


def jump(w: PushWorld, seconds: int) -> None:
    new = w.folder / "clock.new"
    new.write_text(str(seconds))
    new.replace(w.folder / "clock")


def arrive(phones, event) -> None:
    """All of them, once each."""
    for phone in phones:
        phone.wait(event)
        assert phone.events() == [event]


@pytest.mark.parametrize("seconds", JUMPS)
def test_while_pushes_wait(world, seconds):
    """Neither sent at once, nor a day late, nor given up for their age."""
    phones = [world.phone("unifiedpush") for _ in range(40)]
    event = world.tell(*phones)
    first = min(until("the first", lambda: [r for p in phones for r in p.requests()]), key=lambda r: r.at)
    jump(world, seconds)
    arrive(phones, event)
    assert max(r.at for p in phones for r in p.requests()) > first.at
    assert world.daemon.metric("schleuse_push_lost_total") == 0


@pytest.mark.parametrize("seconds", JUMPS)
def test_between_two_starts(world, seconds):
    """The journal holds what only the wall clock can tell; a wrong one delays or hurries, but loses nothing."""
    phones = [world.phone("unifiedpush") for _ in range(40)]
    event = world.tell(*phones)
    world.kill()
    jump(world, seconds)
    world.start()
    arrive(phones, event)
    assert world.daemon.metric("schleuse_push_lost_total") == 0


@pytest.mark.parametrize("seconds", JUMPS)
def test_afterwards_everything_goes_on(world, seconds):
    """Duplicates are still known, new pushes are delivered."""
    phone = world.phone("unifiedpush")
    event = world.tell(phone)
    phone.wait(event)
    jump(world, seconds)
    world.tell(phone, event=event)
    other = world.tell(phone)
    phone.wait(other)
    assert phone.events() == [event, other]
