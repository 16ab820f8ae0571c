# SPDX-License-Identifier: Apache-2.0
"""down and up: media, from and to a back end that has them in memory and drops them."""
from loads import client
from rounds import against_peers
from works.small import compare

CONNECTIONS = 4
DOWN_BYTES = 100 * 10**6
UP_BYTES = 20 * 10**6


def _run(stage, direction, size):
    program = stage.program("clients/transfers")

    def measure(proxy, seconds):
        sample = client(proxy, program, seconds, CONNECTIONS, direction, size, per="bytes")
        return {**sample, "value": sample["value"] / 1e6}

    outcome = compare(stage, measure, "MB/s")
    outcome.notes.append(f"{CONNECTIONS} connections at a time")
    outcome.checks = [against_peers(outcome, "MB/s to the faster peer", 1.0)]
    return outcome


def down(stage):
    return _run(stage, "down", DOWN_BYTES)


def up(stage):
    return _run(stage, "up", UP_BYTES)
