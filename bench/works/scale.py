# SPDX-License-Identifier: Apache-2.0
"""scale: what a second core adds, and what the whole machine yields.

One and two workers have the same cores for back end and load generator, so that only the proxy's share
grows.  With few cores these can become the limit of small GETs; then the proxy's cores are not busy, and the
figure is a lower bound.  So signed PUTs are measured too: they cost the proxy far more than the load
generator.  A target is judged only where two workers were busy.  "all": as many workers as cores, shared with
back end and load generator; only shown.
"""
from contextlib import ExitStack

import machine
from loads import wrk
from proxies import PEERS, Variant
from rounds import Check, Outcome, interleave, median, summary, warmed

ROUNDS_MAX = 5
BUSY = 90  # percent of the proxy's cores, from which on the proxy is the limit


def layouts():
    """{label: (layout, workers)}"""
    have = machine.available()
    out = {"1 core": (machine.several_cores(1), 1)}
    if len(have) > 1:
        out["2 cores"] = (machine.several_cores(2), 2)
    if len(have) > 2:
        out[f"all {len(have)}"] = (machine.all_cores(), len(have))
    return out


def contestants(stage, blocks):
    """Every proxy in every layout with GETs, ours also with signed PUTs; the two kinds of functions that
    rounds.warmed() takes."""
    out, options = {}, stage.options

    def add(label, proxy, requests=None):
        def measure(seconds):
            return wrk(proxy, seconds, options.connections, requests)
        out[label] = (lambda: measure(1), lambda: measure(options.seconds))

    for label, running in blocks.items():
        for name, proxy in running.items():
            add(f"{name}, {label}", proxy)
            if name not in PEERS and not label.startswith("all"):
                add(f"{name} put, {label}", proxy, stage.prepared.signed)
    return out


def growth(rounds, what):
    """The median of the rounds' ratios of two cores to one."""
    one, two = rounds.get(f"{what}, 1 core"), rounds.get(f"{what}, 2 cores")
    if not one or not two:
        return None
    return median(b["value"] / a["value"] for a, b in zip(one, two))


def check(outcome, title, what):
    value = growth(outcome.rounds, what)
    if value is None:
        return Check(title, None, 1.8, note="it takes two cores and a proxy that serves on both")
    busy = outcome.rows[f"{what}, 2 cores"]["busy_percent"]
    limited = busy < BUSY
    note = f"the proxy's two cores were {busy:.0f} % busy"
    return Check(title, value, 1.8, note=note + ": others were the limit" * limited, limited=limited)


def run(stage):
    outcome = Outcome("requests/s")
    with ExitStack() as stack:
        blocks = {}
        for label, (layout, workers) in layouts().items():
            failures = {}
            blocks[label] = stack.enter_context(
                stage.serving(failures, layout=layout, variant=Variant(workers=workers)))
            outcome.failures.update({f"{name}, {label}": why for name, why in failures.items()})
            outcome.notes.append(f"{label}: {layout}")
        good = warmed(contestants(stage, blocks), outcome.failures)
        count = min(stage.options.rounds, ROUNDS_MAX)
        outcome.rounds = interleave("scale", good, count, outcome.failures)
    outcome.rows = summary(outcome.rounds)
    outcome.checks = [check(outcome, "small GETs, two cores to one", "schleuse"),
                      check(outcome, "signed PUTs, two cores to one", "schleuse put")]
    for peer in PEERS:
        value = growth(outcome.rounds, peer)
        if value:
            outcome.notes.append(f"{peer}, small GETs: two cores to one {value:.2f}")
    return outcome
