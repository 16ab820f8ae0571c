# SPDX-License-Identifier: Apache-2.0
"""minted: tunnels whose TLS is ended with a certificate made for them (form B), beside plain TLS servers.

A tunnel is CONNECT, a full handshake and one refused GET; the peers have the same without CONNECT and with the one
certificate they have.  "same": every tunnel names the same host.  "new": every tunnel names another one, so that a
certificate is issued for each; the client, as in `full`, does not verify chains.
"""
import base64
import dataclasses

import machine
import outbound
from loads import client
from proxies import PEERS
from rounds import Check, Outcome, median, ratios
from works.handshakes import GROUP, THREADS
from works.outbound import loads_of, measured

ROUNDS_MAX = 5
OURS = "schleuse"
CREDENTIAL = base64.b64encode(f"synapse:{outbound.SECRET}".encode()).decode()


def shake(stage, proxy, seconds, how):
    """The load generator has the target's core as well, which rests."""
    layout = proxy.layout
    everything = tuple(sorted({*layout.load, *layout.backend}))
    proxy = dataclasses.replace(proxy, layout=machine.Layout(layout.proxy, layout.backend, everything))
    port = proxy.tls_port if how == "direct" else proxy.port
    return client(proxy, stage.program("clients/tunnels"), seconds, THREADS, how, GROUP, CREDENTIAL, at=port)


def run(stage):
    outcome, loads = Outcome("connections/s"), loads_of(stage)
    with loads.leaving(outcome.failures) as running:
        measures = {name: lambda s, p=proxy: shake(stage, p, s, "direct")
                    for name, proxy in running.items() if name in PEERS}
        if OURS in running:
            for how in ("same", "new"):
                measures[f"{OURS} {how}"] = lambda s, h=how: shake(stage, running[OURS], s, h)
        measured(outcome, stage, measures, ROUNDS_MAX)
    outcome.notes.append(f"{THREADS} at a time, each with one refused GET, then closed; p99: of the handshake and CONNECT")
    outcome.checks = [
        Check(f"{how} name, connections/s to the faster peer",
              median(ratios(outcome.rounds, f"{OURS} {how}", PEERS)), limit)
        for how, limit in (("same", 0.9), ("new", 0.5))
    ]
    return outcome
