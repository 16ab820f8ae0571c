# SPDX-License-Identifier: Apache-2.0
"""The background servers of the demonstration: homeservers, the stranger, a name server.

Usage: servers.py STATE.  Writes STATE/servers.json when all listen; runs until SIGTERM.  The
homeservers are stand-ins or, when STATE/world.json says so, real Synapse servers.
"""
from __future__ import annotations

import json
import secrets
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "interop")]
sys.dont_write_bytecode = True

from sim.dns import DnsServer  # noqa: E402
from sim.homeserver import Homeserver  # noqa: E402
from sim.keyserver import KeyServer  # noqa: E402
from world import ORG_ADMIN, USERS, Party, Way  # noqa: E402


def homeserver(p: Party, parties: list[Party], state: Path) -> Homeserver:
    """A member's stand-in homeserver, which knows the keys of all."""
    secret = state / f"out-{p.label}.secret"
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_hex(16))
    p.way = Way(f"127.0.0.1:{p.backend}", f"unix:{state / f'out-{p.label}.sock'}", str(secret))
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


def outlets(members: list[Party], state: Path) -> dict[str, Any]:
    """The ways out of real homeservers: from network namespaces, where we may have some."""
    from netns import Namespace, NoNamespace
    from outlet import FormA, FormB

    try:
        namespaces = [Namespace(state / f"{p.label}.agent") for p in members]
    except NoNamespace as e:
        print(e)
        return {p.label: FormA(None) for p in members}
    return {p.label: form(n) for p, form, n in zip(members, (FormA, FormB), namespaces)}


def real_homeservers(members: list[Party], state: Path) -> list:
    """Synapse for each member; their own keys are what matters then."""
    from synapse import Synapse, start_all

    ways = outlets(members, state)
    servers = []
    for p in members:
        ca = state / f"ca-{p.label}" / "ca.pem"  # with an outlet: what the proxy shows in tunnels
        servers.append(Synapse(p.server_name, ca.read_bytes(), outlet=ways[p.label]))
    start_all(servers, print)
    for p, s in zip(members, servers):
        out = ways[p.label]
        agent = str(out.namespace.agent) if out.namespace else ""
        p.way = Way(s.where, out.address, str(out.secret_file), out.launcher, agent)
        version, _, p.key_seed = (s.data / "signing.key").read_text().strip()[8:].partition(" ")
        p.key_version = version
        for localpart in USERS[p.label]:
            # Synapse, as configured here, lets its administrators only change display names
            s.register(localpart, localpart, admin=localpart == ORG_ADMIN)
    return [*servers, *ways.values()]


def main(state: Path) -> None:
    """Starts all, says so, waits for the end."""
    world = json.loads((state / "world.json").read_text())
    parties = [Party(**p) for p in world["parties"]]
    members = [p for p in parties if p.backend]
    others = [stranger(p, state) for p in parties if not p.backend]
    if world["synapse"]:
        homes = real_homeservers(members, state)
    else:
        homes = [homeserver(p, parties, state) for p in members]
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
