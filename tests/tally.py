#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sums what the test suites of one run reported.

Unit tests (Criterion) and pytest leave JUnit-like XML, every other program of `make check` (the corpus
replays) its .trs file.  A test that was skipped counts as failed: a check that silently leaves out a suite
is worth nothing.  So does a suite that was expected and left no report, and one whose program failed
although no test of it did (a crash, a leak found at exit).

usage: tally.py [--passed N] [--failed N] [--expect FILE]... FOLDER...
"""
import argparse
import pathlib
import sys
import xml.etree.ElementTree as ET


def number(element, *names):
    return sum(int(element.get(name, 0) or 0) for name in names)


SHOWN = 30  # failed tests named per suite


def failed_names(root):
    """The tests of a report that did not pass."""
    bad = {"failure", "error", "skipped"}
    return [f"{test.get('classname') or ''} {test.get('name')}".strip() for test in root.iter("testcase")
            if bad & {child.tag for child in test}
            or test.get("status", "PASSED") not in ("PASSED", "")]


def read_xml(path):
    """(passed, failed, names of the failed) of one report."""
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError):
        return 0, 1, []
    suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
    total = sum(number(s, "tests") for s in suites)
    bad = sum(number(s, "failures", "errors", "skipped", "disabled") for s in suites)
    if total == 0:
        return 0, 1, []
    return max(total - bad, 0), bad, failed_names(root)


def read_trs(path):
    """The results automake noted for one program, as the set of words PASS, FAIL, SKIP ..."""
    words = []
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith(":test-result:"):
            words.append(line.split()[1])
    return words or ["ERROR"]


def tally(folders, expected):
    passed = failed = 0
    lines = []

    def add(name, good, bad):
        nonlocal passed, failed
        passed += good
        failed += bad
        lines.append(f"  {name}: {good} passed, {bad} failed")

    counted_elsewhere = {}
    for report in expected:
        report = pathlib.Path(report)
        good, bad, names = read_xml(report) if report.exists() else (0, 1, [])
        add(report.stem if report.exists() else f"{report.stem} (no report)", good, bad)
        lines += [f"    failed: {name}" for name in names[:SHOWN]]
        lines += [f"    and {len(names) - SHOWN} more"] * (len(names) > SHOWN)
        counted_elsewhere[report.stem] = bad
    replays = []
    for folder in folders:
        for trs in sorted(pathlib.Path(folder).rglob("*.trs")):
            suite = trs.parent.name if trs.stem == "run" else trs.stem
            words = read_trs(trs)
            bad = sum(word not in ("PASS", "XFAIL") for word in words)
            if suite in counted_elsewhere:
                if bad and not counted_elsewhere[suite]:
                    add(f"{suite} ended badly", 0, 1)
            else:
                replays.append((suite, len(words) - bad, bad))
    for name, good, bad in replays:
        if bad:
            add(name, good, bad)
    if any(not bad for _, _, bad in replays):
        add("corpus replays and others", sum(g for _, g, bad in replays if not bad), 0)
    return passed, failed, lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--passed", type=int, default=0)
    parser.add_argument("--failed", type=int, default=0)
    parser.add_argument("--expect", action="append", default=[])
    parser.add_argument("folders", nargs="*")
    options = parser.parse_args()
    passed, failed, lines = tally(options.folders, options.expect)
    passed += options.passed
    failed += options.failed
    if options.passed or options.failed:
        lines.append(f"  steps: {options.passed} passed, {options.failed} failed")
    print("\n".join(lines))
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
