# SPDX-License-Identifier: Apache-2.0
"""The sum that ./check prints tells the truth when something is missing."""
import importlib.util
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("tally", SOURCE / "tests" / "tally.py")
tally = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tally)

UNIT = '<testsuites><testsuite tests="3" failures="1" errors="0" skipped="0"/><testsuite tests="2"/></testsuites>'
SKIPS = '<testsuites><testsuite tests="4" failures="0" errors="0" skipped="1"/></testsuites>'


def summed(folder, expected=()):
    return tally.tally([folder], [folder / name for name in expected])[:2]


def test_sums_all_suites_of_a_report(tmp_path):
    (tmp_path / "unit.xml").write_text(UNIT)
    assert summed(tmp_path, ["unit.xml"]) == (4, 1)


def test_a_skipped_test_counts_as_failed(tmp_path):
    (tmp_path / "integration.xml").write_text(SKIPS)
    assert summed(tmp_path, ["integration.xml"]) == (3, 1)


def test_failed_and_skipped_tests_are_named(tmp_path):
    (tmp_path / "unit.xml").write_text(
        '<testsuites><testsuite tests="3" failures="1" skipped="1"><testcase classname="a" name="good"/>'
        '<testcase classname="a" name="bad"><failure/></testcase><testcase name="left_out"><skipped/></testcase>'
        "</testsuite></testsuites>")
    lines = "\n".join(tally.tally([], [tmp_path / "unit.xml"])[2])
    assert "failed: a bad" in lines and "failed: left_out" in lines and "good" not in lines


def test_a_missing_or_empty_report_counts_as_failed(tmp_path):
    (tmp_path / "empty.xml").write_text("")
    assert summed(tmp_path, ["interop.xml", "empty.xml"]) == (0, 2)


def test_a_suite_that_dies_after_its_tests_counts_as_failed(tmp_path):
    (tmp_path / "unit.xml").write_text(UNIT.replace('failures="1"', 'failures="0"'))
    (tmp_path / "unit.trs").write_text(":test-result: FAIL\n")
    assert summed(tmp_path, ["unit.xml"]) == (5, 1)


def test_a_suite_run_by_a_script_is_known_by_its_folder(tmp_path):
    (tmp_path / "integration.xml").write_text(SKIPS.replace('skipped="1"', 'skipped="0"'))
    (tmp_path / "integration").mkdir()
    (tmp_path / "integration" / "run.trs").write_text(":test-result: PASS\n")
    assert summed(tmp_path, ["integration.xml"]) == (4, 0)


def test_other_programs_count_by_what_automake_noted(tmp_path):
    for name, word in (("a", "PASS"), ("b", "FAIL"), ("c", "SKIP")):
        (tmp_path / f"fuzz_{name}.trs").write_text(f":test-result: {word}\n")
    assert summed(tmp_path) == (1, 2)
