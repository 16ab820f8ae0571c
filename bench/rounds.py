# SPDX-License-Identifier: Apache-2.0
"""Rounds of measurements and the arithmetic over them.

Contestants take turns, A B C, then C B A, so that a drift of the machine meets all alike.  What counts is
the median of the ratios within the rounds: figures of one machine at two times differ by more than
proxies do.
"""
import statistics
import sys
from dataclasses import dataclass, field

from daemons import Failed
from proxies import PEERS, PROXIES

SCORE_MAX = 100.0


@dataclass
class Check:
    """A target and what was measured; value None: there is no figure, the note says why."""

    what: str
    value: float | None
    limit: float
    at_least: bool = True
    note: str = ""
    limited: bool = False  # something else than the proxy was the limit: a miss says nothing
    digits: int = 2

    @property
    def verdict(self):
        if self.value is None:
            return "no figure"
        if (self.value >= self.limit) == self.at_least or self.value == self.limit:
            return "met"
        return "not judged" if self.limited else "missed"

    @property
    def score(self):
        """1 is the target, more is better, up to SCORE_MAX; None without a figure."""
        if self.value is None:
            return None
        if self.at_least:
            return min(self.value / self.limit, SCORE_MAX)
        return min(self.limit / self.value, SCORE_MAX) if self.value > 0 else SCORE_MAX


@dataclass
class Outcome:
    """What a work has to say."""

    unit: str
    rounds: dict = field(default_factory=dict)  # {contestant: [sample of each round]}
    rows: dict = field(default_factory=dict)  # {contestant: its line of the table}
    checks: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    failures: dict = field(default_factory=dict)  # {contestant: why it has no figures}


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def interleave(title, contestants, count, failures):
    """{name: [sample of each round]}; `contestants` are functions without argument that measure once.
    One that raises Failed is left out from then on and noted in `failures`."""
    results = {name: [] for name in contestants}
    for number in range(count):
        names = list(contestants) if number % 2 == 0 else list(contestants)[::-1]
        for name in names:
            if name not in results:
                continue
            progress(f"  {title}: round {number + 1} of {count}, {name}")
            try:
                results[name].append(contestants[name]())
            except Failed as why:
                failures[name] = str(why)
                del results[name]
    progress("")
    return results


def warmed(contestants, failures):
    """Those that do the work without an error; a short first run shows it and fills caches."""
    good = {}
    for name, (short, measure) in contestants.items():
        try:
            first = short()
        except Failed as why:
            failures[name] = str(why)
            continue
        if first["errors"] or not first["value"]:
            failures[name] = f"does not do this work: {first}"
        else:
            good[name] = measure
    return good


def ratios(results, name, others, smaller=False):
    """Per round: the figure of `name` to the best of the others; empty if there are none."""
    others = [other for other in others if other in results]
    if name not in results or not others:
        return []
    best = min if smaller else max
    return [results[name][i]["value"] / best(results[o][i]["value"] for o in others)
            for i in range(len(results[name]))]


def median(values):
    values = list(values)
    return statistics.median(values) if values else None


def summary(results, smaller=False):
    """Per contestant: medians, and for the proxies the median of their ratios to the better peer."""
    rows = {}
    for name, each in results.items():
        figures = [sample["value"] for sample in each]
        p99 = [sample["p99_ms"] for sample in each if "p99_ms" in sample]
        middle = statistics.median(figures)
        rows[name] = {
            "value": middle,
            "ratio": median(ratios(results, name, PEERS, smaller)) if name in PROXIES else None,
            "p99_ms": median(p99),
            "spread_percent": 100 * (max(figures) - min(figures)) / middle if middle else 0.0,
            "cpu_us": median(1e6 * sample["proxy_cpu_s"] / (sample["value"] * sample["seconds"])
                             for sample in each if "proxy_cpu_s" in sample and sample["value"]),
            "errors": sum(sample.get("errors", 0) for sample in each),
        }
        for key, pick in (("busy_percent", statistics.median), ("stolen_percent", max),
                          ("foreign_percent", max)):
            seen = [sample[key] for sample in each if key in sample]
            rows[name][key] = pick(seen) if seen else None
    return rows


def p99_ratio(results):
    """The median of the rounds' ratios of our p99 to that of the peer that is faster in that round."""
    peers = [peer for peer in PEERS if peer in results]
    if "schleuse" not in results or not peers:
        return None
    out = []
    for i, sample in enumerate(results["schleuse"]):
        faster = max((results[peer][i] for peer in peers), key=lambda s: s["value"])
        out.append(sample["p99_ms"] / faster["p99_ms"])
    return statistics.median(out)


def against_peers(outcome, what, limit, at_least=True):
    """The target that most works have: our ratio to the better peer."""
    each = ratios(outcome.rounds, "schleuse", PEERS, smaller=not at_least)
    if not each:
        note = outcome.failures.get("schleuse", "no peer to compare with")
        return Check(what, None, limit, at_least, note.splitlines()[0])
    return Check(what, median(each), limit, at_least, f"rounds {min(each):.2f} to {max(each):.2f}",
                 digits=3)
