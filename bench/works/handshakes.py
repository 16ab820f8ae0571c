# SPDX-License-Identifier: Apache-2.0
"""full and resumed: new TLS connections, each with one small GET (clients/handshakes.c says why).

A handshake costs OpenSSL's client about twice what it costs the server, and the back end has next to nothing
to do here: the load generator gets its core as well.

All three exchange keys on P-256, which every one of them takes and ours prefers.  Clients that begin with X25519
cost ours another round trip, for it does not take that; this is shown beside, with full handshakes.
"""
import dataclasses

import machine
from loads import client
from rounds import against_peers
from works.small import compare

THREADS = 32  # connections in progress
GROUP = "P-256"
OTHER_GROUP = "X25519:P-256"


def _run(stage, kind, besides=()):
    program = stage.program("clients/handshakes")
    usual = machine.one_core()
    layout = dataclasses.replace(usual, load=tuple(sorted({*usual.load, *usual.backend})))

    def with_groups(groups):
        return lambda proxy, seconds: client(proxy, program, seconds, THREADS, kind, groups)

    outcome = compare(stage, with_groups(GROUP), "connections/s", layout,
                      {f"schleuse {groups}": with_groups(groups) for groups in besides})
    outcome.notes.append(str(layout))
    outcome.notes.append(f"{THREADS} at a time, each with one GET, then closed; p99: of the handshake")
    outcome.checks = [against_peers(outcome, "connections/s to the faster peer", 1.0)]
    return outcome


def full(stage):
    return _run(stage, "full", [OTHER_GROUP])


def resumed(stage):
    return _run(stage, "resumed")
