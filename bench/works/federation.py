# SPDX-License-Identifier: Apache-2.0
"""list: a federation list of a million entries: loading it, asking it, and swapping it under load.

Loading and asking are measured by clients/fedlist.c, in fresh processes on the proxy's core.  For the swap a
proxy with such a list serves small GETs; in every second run it is given the next version a second after the
start.  What counts is the slowest request of a run with a swap against that of the run without in the same
round.  The proxy has one worker and two cores there, so that the loading thread and the worker can run
at the same time as on a machine that is not full; the same with both on one core is shown beside.
"""
import json
import math
import os
import signal
import threading
import time
from contextlib import ExitStack

import machine
from daemons import Failed
from listing import Listing
from loads import result_line, run as run_program, wrk
from proxies import Variant
from rounds import Check, Outcome, interleave, median, summary, warmed

ROUNDS_MAX = 3
SWAP_AFTER = 1.0  # seconds from the start of a run
SWAP_FACTOR = 3  # a run lasts so much longer than loading takes without load ...
SECONDS_MIN = 4  # ... and at least so long after the swap began
SWAP_PATIENCE = 60
CONNECTIONS = 16  # so few that waiting in line does not hide the swap


def roomy():
    """One worker may have two cores where there are enough."""
    have = machine.available()
    if len(have) < 4:
        return machine.one_core()
    return machine.Layout(have[1:2] + have[3:4], have[2:3], have[:1])


def load_once(stage, path, entries):
    """One sample of clients/fedlist."""
    command = [stage.program("clients/fedlist"), path, stage.folder / "list-anchors.pem", entries]
    return result_line(run_program(machine.one_core().proxy, command, 30))


class Swapper:
    """Gives a running proxy the next version of its list, and sees when it has it."""

    def __init__(self, proxy, listing, path):
        self.proxy, self.listing, self.path = proxy, listing, path
        self.state = proxy.folder / "federation-bench.state"
        self.next = path.with_name(path.name + ".next")
        self.version = 1
        self.began = time.time()

    def held(self):
        try:
            return json.loads(self.state.read_text())["version"]
        except (OSError, ValueError, KeyError):
            return 0

    def wait(self):
        """Seconds until the version given last was in force and written."""
        deadline = time.monotonic() + SWAP_PATIENCE
        while self.held() != self.version:
            if time.monotonic() > deadline or self.proxy.process.poll() is not None:
                raise Failed(f"version {self.version} of the list was not adopted")
            time.sleep(0.05)
        return self.state.stat().st_mtime - self.began

    def _swap(self):
        self.began = time.time()
        os.replace(self.next, self.path)
        self.proxy.process.send_signal(signal.SIGHUP)

    def under_load(self, seconds):
        """A run of wrk in the middle of which the list is swapped."""
        self.version += 1
        self.listing.write(self.next, self.version)
        timer = threading.Timer(SWAP_AFTER, self._swap)
        timer.start()
        try:
            sample = wrk(self.proxy, seconds, CONNECTIONS)
        finally:
            timer.join()
        took = self.wait()
        if took > seconds - SWAP_AFTER:
            raise Failed(f"the swap took {took:.1f} s, longer than the run")
        return {**sample, "swap_s": took}


def swappers(stage, stack, failures, listing):
    """{label: Swapper} of proxies that serve the first version, and how many seconds runs should last."""
    out, longest = {}, 0.0
    for label, layout in (("", roomy()), (", one core", machine.one_core())):
        path = stage.folder / f"list{len(out)}.jws"
        listing.write(path, 1)
        variant = Variant(federation_list=path, max_entries=listing.entries)
        began = time.time()
        running = stack.enter_context(stage.serving(failures, ["schleuse"], layout=layout, variant=variant))
        if "schleuse" in running:
            out[label] = Swapper(running["schleuse"], listing, path)
            out[label].began = began
            longest = max(longest, out[label].wait())
    return out, math.ceil(SWAP_AFTER + max(SECONDS_MIN, SWAP_FACTOR * longest))


def swaps(stage, outcome, listing):
    """The runs with and without a swap, with two cores and with one."""
    with ExitStack() as stack:
        ready, seconds = swappers(stage, stack, outcome.failures, listing)
        contestants = {}
        for label, swapper in ready.items():
            def short(s=swapper):
                return wrk(s.proxy, 1, CONNECTIONS)
            contestants[f"no swap{label}"] = (short, lambda s=swapper: wrk(s.proxy, seconds, CONNECTIONS))
            contestants[f"swap{label}"] = (short, lambda s=swapper: s.under_load(seconds))
        good = warmed(contestants, outcome.failures)
        count = min(stage.options.rounds, ROUNDS_MAX)
        outcome.rounds = interleave("list", good, count, outcome.failures)
    outcome.rows = summary(outcome.rounds)


def slower_ms(rounds, label=""):
    """The median over the rounds of how much slower the slowest request was with a swap."""
    still, swap = rounds.get("no swap" + label), rounds.get("swap" + label)
    if not still or not swap:
        return None
    return median((b["max_us"] - a["max_us"]) / 1000 for a, b in zip(still, swap))


def swap_notes(rounds):
    notes = []
    for label, each in rounds.items():
        slowest = median(sample["max_us"] / 1000 for sample in each)
        over = sum(sample["over_10ms"] for sample in each)
        took = median(sample["swap_s"] for sample in each if "swap_s" in sample)
        took = f", in force after {took:.1f} s" if took is not None else ""
        notes.append(f"{label}: slowest request {slowest:.1f} ms, {over} over 10 ms{took}")
    return notes


def loading_checks(samples, payload):
    """The targets of clients/fedlist's figures; without samples there are none."""
    def middle(key, per=1.0):
        return median(sample[key] / per for sample in samples)

    note = "" if samples else "the list could not be loaded"
    entries = samples[0]["entries"] if samples else 1
    rows = [
        ("seconds to verify and load", middle("load_s"), 2.0, 2),
        ("most memory while loading, of the payload", middle("peak_bytes", payload), 3.0, 2),
        ("resident bytes of an entry", middle("resident_bytes", entries), 100.0, 1),
        ("ns to find a member", middle("member_ns"), 200.0, 0),
        ("ns to find a stranger", middle("stranger_ns"), 200.0, 0),
    ]
    return [Check(what, value, limit, at_least=False, note=note, digits=digits)
            for what, value, limit, digits in rows]


def run(stage):
    outcome, entries = Outcome("requests/s"), stage.options.entries
    listing = Listing(entries, stage.setting.pki.list_signer)
    path = stage.folder / "list.jws"
    payload = listing.write(path, 1)
    samples = []
    try:
        samples = [load_once(stage, path, entries) for _ in range(min(stage.options.rounds, ROUNDS_MAX))]
    except Failed as why:
        outcome.failures["loading"] = str(why)
    try:
        swaps(stage, outcome, listing)
    finally:
        for big in stage.folder.rglob("*.jws*"):
            big.unlink()
    outcome.notes.append(f"{entries} entries, payload {payload / 1e6:.1f} MB; GETs over {CONNECTIONS} connections")
    outcome.notes += swap_notes(outcome.rounds)
    added = slower_ms(outcome.rounds)
    outcome.checks = loading_checks(samples, payload)
    outcome.checks.append(Check("ms by which a swap slows the slowest request", added, 10.0, at_least=False,
                                digits=1, note="" if added is not None else "no run with a swap"))
    outcome.rounds["loading"] = samples
    return outcome
