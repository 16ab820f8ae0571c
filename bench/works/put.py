# SPDX-License-Identifier: Apache-2.0
"""put: what it costs to verify a federation request beyond the verification itself.

A proxy that spent nothing but the time of an unsigned request and that of libsodium's verification would do
1/(1/unsigned + 1/verify) requests per second; ours should reach 75 % of that, with membership and inspection of
the events in what is left.  Unsigned: the same bytes to a client path that asks for no signature and streams
the body.  verify: one program on the proxy's core over the same signed objects.  nginx and HAProxy, which
only relay, are shown beside.
"""
from loads import result_line, run as run_program, sample_of, wrk
from machine import one_core
from proxies import PEERS
from rounds import Check, Outcome, interleave, median, summary, warmed

OURS, UNSIGNED, BARE = "schleuse", "schleuse unsigned", "libsodium alone"


def bare(stage, seconds):
    """Verifications per second on the proxy's core, while the proxies rest."""
    made = stage.prepared
    command = [stage.program("clients/verify"), made.public_hex, made.objects, seconds]
    return sample_of(result_line(run_program(one_core().proxy, command, seconds)))


def shares(rounds):
    """Per round: the signed rate to what unsigned rate and bare verification allow."""
    if not all(rounds.get(name) for name in (OURS, UNSIGNED, BARE)):
        return []
    return [s["value"] * (1 / u["value"] + 1 / v["value"])
            for s, u, v in zip(rounds[OURS], rounds[UNSIGNED], rounds[BARE])]


def contestants(stage, running):
    connections, made, out = stage.options.connections, stage.prepared, {}

    def add(label, measure):
        out[label] = (lambda: measure(1), lambda: measure(stage.options.seconds))

    for name in PEERS:
        if name in running:
            add(name, lambda s, p=running[name]: wrk(p, s, connections, made.signed))
    if OURS in running:
        add(OURS, lambda s: wrk(running[OURS], s, connections, made.signed))
        add(UNSIGNED, lambda s: wrk(running[OURS], s, connections, made.unsigned))
    add(BARE, lambda s: bare(stage, s))
    return out


def run(stage):
    outcome = Outcome("requests/s")
    with stage.serving(outcome.failures) as running:
        good = warmed(contestants(stage, running), outcome.failures)
        outcome.rounds = interleave("put", good, stage.options.rounds, outcome.failures)
    outcome.rows = summary(outcome.rounds)
    share = median(shares(outcome.rounds))
    outcome.checks = [Check("share of 1/(1/unsigned + 1/verify)", share, 0.75,
                            note="" if share else "not all three figures are there")]
    return outcome
