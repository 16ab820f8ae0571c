# SPDX-License-Identifier: Apache-2.0
"""idle: what a TLS connection costs that has made one request and waits.

Each measurement has a proxy of its own, fresh from the start.  Before the first reading it has served a few
connections, which are closed again, so that what it allocates once does not count.  The memory is PSS of all its
processes; what the kernel holds for sockets is the same for all and not in it.
"""
import subprocess

from daemons import Failed
from loads import client, result_line
from machine import pinned, pss_bytes
from rounds import Outcome, against_peers, interleave, summary

ROUNDS_MAX = 2  # memory varies little
WARM_THREADS = 4


def growth(stage, name):
    """Bytes per connection of one fresh proxy."""
    failures = {}
    with stage.serving(failures, [name]) as running:
        if name not in running:
            raise Failed(failures[name])
        proxy = running[name]
        client(proxy, stage.program("clients/handshakes"), 1, WARM_THREADS, "full", "P-256")
        before = pss_bytes(proxy.pids)
        result, after = hold(stage, proxy)
    errors = result["bad_status"] + result["broken"]
    if result["requests"] != stage.options.idle:
        raise Failed(f"only {result['requests']} of {stage.options.idle} connections were served")
    return {"value": (after - before) / stage.options.idle, "errors": errors,
            "before_bytes": before, "after_bytes": after}


def hold(stage, proxy):
    """What the client says, and the proxy's memory while the connections are open."""
    command = pinned(proxy.layout.load, [stage.program("clients/idle"), proxy.port, stage.options.idle])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        result = result_line(process.stdout.readline())
        after = pss_bytes(proxy.pids)
        process.stdin.close()
    return result, after


def run(stage):
    outcome = Outcome("bytes")
    contestants = {name: (lambda n=name: growth(stage, n)) for name in stage.options.proxies}
    count = min(stage.options.rounds, ROUNDS_MAX)
    outcome.rounds = interleave("idle", contestants, count, outcome.failures)
    outcome.rows = summary(outcome.rounds, smaller=True)
    outcome.notes.append(f"{stage.options.idle} connections; growth of the processes' PSS per connection")
    outcome.checks = [against_peers(outcome, "bytes to the smaller peer", 0.7, at_least=False)]
    return outcome
