# SPDX-License-Identifier: Apache-2.0
"""The background servers of the demonstration: homeservers, the stranger, a name server.

Usage: servers.py STATE.  Writes STATE/servers.json when all listen; runs until SIGTERM.  The
homeservers are stand-ins or, when STATE/world.json says so, real Synapse servers.
"""
from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "interop")]
sys.dont_write_bytecode = True

from sim.dns import DnsServer  # noqa: E402
from sim.homeserver import Homeserver  # noqa: E402
from sim.keyserver import KeyServer  # noqa: E402
from world import USERS, Party  # noqa: E402


def homeserver(p: Party, parties: list[Party]) -> Homeserver:
    """A member's stand-in homeserver, which knows the keys of all."""
    hs = Homeserver(p.server_name, port=p.backend, key=p.key)
    for other in parties:
        hs.trust(other.server_name, other.key)
    for localpart, shown in USERS[p.label].items():
        hs.add_user(localpart, displayname=shown)
    return hs


def stranger(p: Party, state: Path) -> KeyServer:
    """A server that publishes its keys as every other one, but is on no list."""
    files = (state / f"{p.label}.pem", state / f"{p.label}.key")
    server = KeyServer(p.host, files, [p.key], address=(p.address, p.port))
    server.name = server.published_name = p.server_name
    return server


def real_homeservers(members: list[Party], ca: bytes) -> list:
    """Synapse for each member; their own ports and keys are what matters then."""
    from synapse import Synapse, start_all

    servers = [Synapse(p.server_name, ca) for p in members]
    start_all(servers, print)
    for p, s in zip(members, servers):
        p.backend = s.port
        version, _, p.key_seed = (s.data / "signing.key").read_text().strip()[8:].partition(" ")
        p.key_version = version
        for localpart in USERS[p.label]:
            s.register(localpart, localpart)
    return servers


def main(state: Path) -> None:
    """Starts all, says so, waits for the end."""
    world = json.loads((state / "world.json").read_text())
    parties = [Party(**p) for p in world["parties"]]
    members = [p for p in parties if p.backend]
    others = [stranger(p, state) for p in parties if not p.backend]
    if world["synapse"]:
        homes = real_homeservers(members, (state / "ca.pem").read_bytes())
    else:
        homes = [homeserver(p, parties) for p in members]
    names = DnsServer()
    told = {"dns": int(names.where.rpartition(":")[2]), "parties": [asdict(p) for p in parties]}
    ready = state / "servers.json.new"
    ready.write_text(json.dumps(told))
    ready.rename(state / "servers.json")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    for server in (*others, *homes):
        server.stop() if hasattr(server, "stop") else server.close()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(Path(sys.argv[1]))
