#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the table of reasons in operations.md in step with lib/base/err.h.

Name, status, errcode and public text come from the header; the last column, what an operator does, is
written by hand in the table and kept.  Without --write it only says what differs (exit status 1).
"""
import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
HEADER = SOURCE / "lib" / "base" / "err.h"
PAGE = SOURCE / "doc" / "operations.md"
ROW = re.compile(r'^\tX\(\w+,\s*"(\w+)",\s*(\d+),\s*"(\w*)",\s*"((?:[^"\\]|\\.)*)"\)', re.M)
BEGIN, END = "<!-- reasons: begin (doc/reasons.py) -->\n", "<!-- reasons: end -->\n"
HEAD = "| reason | status | errcode | text | what it means and what to do |\n|---|---|---|---|---|\n"


def rows():
    """(name, status, errcode, text) of every reason but "ok"."""
    return [m.groups() for m in ROW.finditer(HEADER.read_text()) if m.group(1) != "ok"]


def advice(table):
    """What the page says to each reason."""
    found = {}
    for line in table.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith("`"):
            found[cells[0].strip("`")] = cells[4]
    return found


def parts():
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    return before, table, after


def made(known):
    lines = []
    for name, status, errcode, text in rows():
        code = f"`{errcode}`" if errcode else "–"
        answer = status if status != "0" else "–"
        lines.append(f"| `{name}` | {answer} | {code} | {text} | {known.get(name, '')} |\n")
    return HEAD + "".join(lines)


def faults():
    _, table, _ = parts()
    known = advice(table)
    out = [f"no advice for {name}" for name, *_ in rows() if not known.get(name)]
    out += [f"{name} is no reason of err.h" for name in known if name not in {r[0] for r in rows()}]
    if table != made(known):
        out.append("the table differs from err.h; run doc/reasons.py --write")
    return out


def main():
    if "--write" in sys.argv[1:]:
        before, table, after = parts()
        PAGE.write_text(before + BEGIN + made(advice(table)) + END + after)
    found = faults()
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
