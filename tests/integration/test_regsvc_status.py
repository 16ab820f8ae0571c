# SPDX-License-Identifier: Apache-2.0
"""What `schleusectl status` tells the operator, from the first start to an outage of the VZD."""
from __future__ import annotations

from pathlib import Path

import pytest

from harness import until
from regsvcworld import RegsvcWorld


@pytest.fixture
def world(tmp_path: Path):
    w = RegsvcWorld(tmp_path, ["alpha.test", "beta.test"])
    w.config["list"] |= {"interval": "200ms", "retry_interval": "200ms"}
    yield w
    w.stop()


def test_status_follows_the_list_and_the_vzd(world: RegsvcWorld) -> None:
    """CP-3-6: who looks sees that the list held goes on while the VZD is away."""
    world.start()
    until("the VZD", lambda: world.ctl("status")["vzd"] == "healthy")
    status = world.ctl("status")
    assert status["list"]["status"] == "aktuell" and status["list"]["entries"] == 2
    assert status["list"]["as_of"].startswith("20") and status["missing"] == ""
    assert status["store"] == "folder in state_dir, works"
    version = world.vzd.add("gamma.test")
    until("the next list", lambda: world.ctl("status")["list"]["version"] == version)
    world.vzd.down()
    until("the outage", lambda: world.ctl("status")["vzd"] == "unhealthy")
    assert world.ctl("status")["list"] | {"as_of": ""} == {
        "version": version, "entries": 3, "as_of": "", "status": "aktuell",
    }


def test_status_names_what_is_missing(world: RegsvcWorld) -> None:
    world.vzd.down()
    world.start("/health")
    until("the first try", lambda: world.ctl("status")["vzd"] == "unhealthy")
    status = world.ctl("status")
    assert status["list"] == {"status": "fehlt"} and "list" in status["missing"]
