# SPDX-License-Identifier: Apache-2.0
"""full and resumed: new TLS connections, each with one small GET (clients/handshakes.c says why).

A handshake costs OpenSSL's client about twice what it costs the server, and the back end has next to nothing
to do here: the load generator gets its core as well.
"""
import dataclasses

import machine
from loads import client
from rounds import against_peers
from works.small import compare

THREADS = 32  # connections in progress


def _run(stage, kind):
    program = stage.program("clients/handshakes")
    usual = machine.one_core()
    layout = dataclasses.replace(usual, load=tuple(sorted({*usual.load, *usual.backend})))
    outcome = compare(stage, lambda proxy, seconds: client(proxy, program, seconds, THREADS, kind),
                      "connections/s", layout)
    outcome.notes.append(str(layout))
    outcome.notes.append(f"{THREADS} at a time, each with one GET, then closed; P-256 certificate; p99: of the handshake")
    outcome.checks = [against_peers(outcome, "connections/s to the faster peer", 1.0)]
    return outcome


def full(stage):
    return _run(stage, "full")


def resumed(stage):
    return _run(stage, "resumed")
