# SPDX-License-Identifier: Apache-2.0
"""quickstart and check: what they say when something goes wrong."""
import os
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]


def sh(script, cache, **environment):
    return subprocess.run(["sh", "-uc", f'. "{SOURCE}/contrib/steps.sh"\n{script}', "steps"],
                          env=dict(os.environ, XDG_CACHE_HOME=str(cache), **environment),
                          capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["quickstart", "check"])
def test_help_is_given_and_unknown_options_are_refused(name):
    asked = subprocess.run([SOURCE / name, "--help"], capture_output=True, text=True, timeout=60)
    assert asked.returncode == 0 and asked.stdout.startswith(f"Usage: ./{name}")
    wrong = subprocess.run([SOURCE / name, "--no-such"], capture_output=True, text=True, timeout=60)
    assert wrong.returncode != 0 and "--no-such" in wrong.stderr


def test_a_failing_step_names_itself_its_log_and_what_to_do(tmp_path):
    done = sh('step "the step" "Turn it off and on." sh -c "seq 1 100; exit 3"\nsay unreachable', tmp_path)
    assert done.returncode == 1 and "unreachable" not in done.stdout
    assert "the step: FAILED" in done.stdout
    assert "| 100" in done.stdout and "| 81" in done.stdout and "| 80\n" not in done.stdout
    assert str(tmp_path / "schleuse" / "logs") in done.stdout
    assert 'step "the step". Turn it off and on.' in done.stderr


def test_a_successful_step_shows_that_it_ended_but_not_its_output(tmp_path):
    done = sh('step "quiet" "" echo noise', tmp_path)
    assert done.returncode == 0
    assert "quiet: done" in done.stdout and "noise" not in done.stdout


def test_only_missing_packages_are_named(tmp_path):
    done = sh('missing_packages dpkg no-such-package-at-all', tmp_path)
    assert done.stdout.split() == ["no-such-package-at-all"]


def test_two_clones_do_not_share_a_build_folder(tmp_path):
    done = sh("build_folder build /a\nbuild_folder build /b", tmp_path)
    first, second = done.stdout.split()
    assert first != second and first.startswith(str(tmp_path))


def test_every_python_file_of_the_tests_is_in_the_archive():
    listed = {word for mk in (SOURCE / "tests").rglob("local.mk") for word in mk.read_text().split()}
    there = {str(p.relative_to(SOURCE)) for p in (SOURCE / "tests").rglob("*.py")}
    assert not there - listed
