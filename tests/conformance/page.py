# SPDX-License-Identifier: Apache-2.0
"""The tables of doc/http.md: made from the cases and what was seen, checked against the cases."""
from __future__ import annotations

import re
from pathlib import Path

from conformance.cases import Case

PAGE = Path(__file__).resolve().parents[2] / "doc" / "http.md"
BEGIN, END = "<!-- cases: begin -->\n", "<!-- cases: end -->"

HEADER = ["| case | RFC | ours | nginx | HAProxy | why ours |", "|---|---|---|---|---|---|"]

# What "why" in a case may name by one word.
REASONS = {
    "strict": "two servers could read it differently, so neither gets to see it",
    "status": "refused as well; the status says what was wrong",
    "limit": "a limit of ours, answered as such",
    "path": "rules are about paths: proxy and homeserver must not read one differently",
    "hop": "RFC 9110 7.6.1: what is meant for one connection ends with it",
    "continue": "the proxy asks for the body itself, when it wants it",
    "backend": "an answer that could be read in two ways is not passed on",
    "told": "who is slow is told so, and by whom",
    "gone": "who closes a TLS connection does not wait: no long poll is held for it at the homeserver",
}


def reason(case: Case) -> str:
    return REASONS.get(case.why, case.why)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def rows(cases: list[Case], results: dict[int, list[str]]) -> str:
    out, topic = [], ""
    for c in cases:
        ours, *others = results[c.number]
        if c.topic != topic:
            topic = c.topic
            out += ["", f"### {topic}", "", *HEADER]
        cells = [c.name, c.rfc, ours, *("same" if o == ours else o for o in others)]
        cells.append(reason(c) if any(o != ours for o in others) else "")
        out.append("| " + " | ".join(_cell(x) for x in cells) + " |")
    return "\n".join(out) + "\n\n"


def write(cases: list[Case], results: dict[int, list[str]], versions: dict[str, str]) -> None:
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    made = "Made with " + ", ".join(f"{n} {v}" for n, v in versions.items()) + ".\n"
    PAGE.write_text(head + BEGIN + made + rows(cases, results) + END + tail)


def faults(cases: list[Case]) -> list[str]:
    """Where the page does not show a case as it is."""
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    shown = {}
    topic = ""
    for line in table.splitlines():
        if line.startswith("### "):
            topic = line[4:]
        elif topic and (cells := re.split(r"(?<!\\) \| ", line.strip("| "))) and len(cells) >= 5:
            shown[topic, cells[0]] = cells
    out = []
    for c in cases:
        cells = shown.pop((c.topic, _cell(c.name)), None)
        if cells is None:
            out.append(f"{c.name}: not in the page")
        elif cells[2] != c.ours():
            out.append(f"{c.name}: {cells[2]} in the page")
        elif cells[3:5] != ["same", "same"] and (not c.why or cells[5:] != [_cell(reason(c))]):
            out.append(f"{c.name}: differs from others without the case's reason")
    return out + [f"{name[1]}: no such case" for name in shown if name[1] not in ("case", "---")]
