# SPDX-License-Identifier: Apache-2.0
"""The works: each module measures one or two kinds and says which targets they have."""
from dataclasses import dataclass
from typing import Callable

from rounds import Outcome


@dataclass(frozen=True)
class Work:
    """One row of the table of works."""

    name: str
    title: str
    run: Callable[..., Outcome]  # of a stage.Stage


def table():
    """{name: Work} in the order they are run."""
    from works import federation, handshakes, idle, outbound, policy, scale, small, transfers, tunnels
    from works import put as signed_put

    rows = [
        Work("get", "keep-alive GET of a small JSON text", small.get),
        Work("h2", "the same over HTTP/2", small.h2),
        Work("full", "new connections, full handshake", handshakes.full),
        Work("resumed", "new connections, resumed", handshakes.resumed),
        Work("down", "downloads of 100 MB", transfers.down),
        Work("up", "uploads of 20 MB", transfers.up),
        Work("idle", "memory of an idle connection", idle.run),
        Work("scale", "one core, two cores, all cores", scale.run),
        Work("put", "signed federation PUT of 2 KB", signed_put.run),
        Work("policy", "client requests with rules on and off", policy.run),
        Work("list", "federation list of a million entries", federation.run),
        Work("out", "way out: signed PUT of 2 KB", outbound.out),
        Work("outways", "way out: GETs, TCP, kept connections", outbound.ways),
        Work("minted", "way out: tunnels, TLS ended with a minted certificate", tunnels.run),
        Work("far", "way out: a thousand destinations", outbound.far),
    ]
    return {row.name: row for row in rows}
