# SPDX-License-Identifier: Apache-2.0
"""get and h2: small answers over connections that stay.

h2 uses 8 connections of 8 streams: 64 requests at a time as in `get`, yet enough connections for the load
generator, which serves each with one thread, to use all its cores.
"""
from daemons import Failed
from loads import h2load, wrk
from rounds import Check, Outcome, against_peers, interleave, p99_ratio, summary, warmed

H2_CONNECTIONS, H2_STREAMS = 8, 8


def compare(stage, measure, unit="requests/s", layout=None, besides=None):
    """All proxies at one work; `measure` takes a proxy and seconds.  `besides` {label: another such function}
    are measured with ours too."""
    outcome, options = Outcome(unit), stage.options
    with stage.serving(outcome.failures, layout=layout) as running:
        every = [(name, measure, proxy) for name, proxy in running.items()]
        if "schleuse" in running:
            every += [(label, other, running["schleuse"]) for label, other in (besides or {}).items()]
        contestants = warmed({
            name: (lambda m=function, p=proxy: m(p, 1), lambda m=function, p=proxy: m(p, options.seconds))
            for name, function, proxy in every
        }, outcome.failures)
        outcome.rounds = interleave(options.work, contestants, options.rounds, outcome.failures)
    outcome.rows = summary(outcome.rounds)
    return outcome


def get(stage):
    outcome = compare(stage, lambda proxy, seconds: wrk(proxy, seconds, stage.options.connections))
    outcome.notes.append(f"{stage.options.connections} connections, wrk")
    latency = p99_ratio(outcome.rounds)
    outcome.checks = [
        against_peers(outcome, "requests/s to the faster peer", 1.20),
        Check("p99 to that of the faster peer", latency, 1.0, at_least=False,
              note="" if latency else "no peer to compare with"),
    ]
    return outcome


def h2(stage):
    def measure(proxy, seconds):
        if proxy.alpn != "h2":
            raise Failed("HTTP/2 is not offered (ALPN)")
        return h2load(proxy, seconds, H2_CONNECTIONS, H2_STREAMS)

    outcome = compare(stage, measure)
    outcome.notes.append(f"{H2_CONNECTIONS} connections of {H2_STREAMS} streams, h2load")
    outcome.checks = [against_peers(outcome, "requests/s to the faster peer", 1.0)]
    return outcome
