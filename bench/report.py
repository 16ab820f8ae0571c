# SPDX-License-Identifier: Apache-2.0
"""The table people read and the JSON that programs read."""
import json

SPREAD_MAX = 25  # percent; beyond it the figures say little
FOREIGN_MAX = 10  # percent of the machine; beyond it nothing here should be quoted
NAME_WIDTH = 24
LEGEND = """
ratio       median over the rounds of the ratio to the better of nginx and HAProxy in the same round
spread      of the rounds, largest to smallest, in percent of the median
cpu us      CPU time of the proxy for one request, connection or MB; others who use the machine change it little
busy        CPU time of the proxy in percent of its cores; well below 100: something else was the limit
stolen, others  CPU time of the machine taken by the hypervisor and by other programs, the worst round"""


def cell(value, width, form="", unit=""):
    """A right-aligned figure, "-" where there is none."""
    text = "-" if value is None else format(value, form) + unit
    return text.rjust(width)


def row_line(name, row):
    digits = ".0f" if row["value"] >= 100 else ".2f"
    return "  " + name.ljust(NAME_WIDTH) + "".join([
        cell(row["value"], 12, digits), cell(row["ratio"], 8, ".2f"), cell(row["p99_ms"], 9, ".2f"),
        cell(row["cpu_us"], 8, ".1f"), cell(row["spread_percent"], 8, ".0f", "%"), cell(row["busy_percent"], 7, ".0f", "%"),
        cell(row["stolen_percent"], 8, ".1f", "%"), cell(row["foreign_percent"], 8, ".1f", "%"),
        cell(row["errors"], 8),
    ])


def check_line(check):
    sign = ">=" if check.at_least else "<="
    shown = f"{check.value:.{check.digits}f}" if check.value is not None else "-"
    limit = f"{check.limit:g}"
    note = f" ({check.note})" if check.note else ""
    return f"  target: {check.what}: {shown}, {sign} {limit}: {check.verdict}{note}"


def table(work, outcome):
    """The text about one work."""
    lines = [f"{work.name}: {work.title}"]
    if outcome.rows:
        lines.append("  " + "".ljust(NAME_WIDTH) + outcome.unit.rjust(12) + "   ratio   p99 ms  cpu us  spread   busy"
                     "  stolen  others  errors")
        lines += [row_line(name, row) for name, row in outcome.rows.items()]
    for name, why in outcome.failures.items():
        lines.append(f"  {name}: no figures: " + why.replace("\n", "\n    "))
    lines += [f"  {note}" for note in outcome.notes]
    if any(row["spread_percent"] > SPREAD_MAX for row in outcome.rows.values()):
        lines.append(f"  The rounds differ by more than {SPREAD_MAX} %: something else used the machine; "
                     "repeat this when it rests.")
    return "\n".join(lines + [check_line(check) for check in outcome.checks])


def tally(outcomes):
    """The last lines: every target that is not met, and how many are."""
    checks = [(name, check) for name, outcome in outcomes.items() for check in outcome.checks]
    lines = [f"  {name}:{check_line(check)[9:]}" for name, check in checks if check.verdict != "met"]
    met = sum(check.verdict == "met" for _, check in checks)
    head = f"{met} of {len(checks)} targets met" + (", the others:" if lines else "")
    return "\n".join([head, *lines, *disturbances(outcomes)])


def disturbances(outcomes):
    """A line if the machine was not ours alone."""
    seen = [(row[key] or 0, name) for name, outcome in outcomes.items() for row in outcome.rows.values()
            for key in ("foreign_percent", "stolen_percent")]
    worst, name = max(seen, default=(0, ""))
    if worst <= FOREIGN_MAX:
        return []
    return [f"The machine was not ours alone: others had up to {worst:.0f} % of it ({name}).  Do not quote this run."]


def record(head, works, outcomes):
    """Everything as plain data."""
    return {
        "parameters": head,
        "works": {
            name: {
                "title": works[name].title,
                "unit": outcome.unit,
                "summary": outcome.rows,
                "targets": [
                    {"what": c.what, "value": c.value, "limit": c.limit, "at_least": c.at_least,
                     "verdict": c.verdict, "score": c.score, "note": c.note}
                    for c in outcome.checks
                ],
                "notes": outcome.notes,
                "failures": outcome.failures,
                "rounds": outcome.rounds,
            }
            for name, outcome in outcomes.items()
        },
    }


def write(folder, text, data):
    (folder / "table.txt").write_text(text + "\n")
    (folder / "results.json").write_text(json.dumps(data, indent=1) + "\n")
