# SPDX-License-Identifier: Apache-2.0
"""The background servers of the demonstration: stand-in homeservers, the stranger, a name server.

Usage: servers.py STATE.  Writes STATE/servers.json when all listen; runs until SIGTERM.
"""
from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
sys.dont_write_bytecode = True

from sim.dns import DnsServer  # noqa: E402
from sim.homeserver import Homeserver  # noqa: E402
from sim.keyserver import KeyServer  # noqa: E402
from world import Party  # noqa: E402

USERS = {"praxis": {"anna": "Anna", "office": "Office"}, "klinik": {"bob": "Bob"}}


def homeserver(p: Party, parties: list[Party]) -> Homeserver:
    """A member's stand-in homeserver, which knows the keys of all."""
    hs = Homeserver(p.server_name, port=p.backend, key=p.key)
    for other in parties:
        hs.trust(other.server_name, other.key)
    for localpart, shown in USERS[p.label].items():
        hs.add_user(localpart, displayname=shown)
    return hs


def main(state: Path) -> None:
    """Starts all, says so, waits for the end."""
    world = json.loads((state / "world.json").read_text())
    parties = [Party(**p) for p in world["parties"]]
    running: list[object] = []
    for p in parties:
        if p.backend:
            if not world.get("synapse"):
                running.append(homeserver(p, parties))
        else:
            files = (state / f"{p.label}.pem", state / f"{p.label}.key")
            server = KeyServer(p.host, files, [p.key], address=(p.address, p.port))
            server.name = server.published_name = p.server_name
            running.append(server)
    names = DnsServer()
    ready = state / "servers.json.new"
    ready.write_text(json.dumps({"dns": int(names.where.rpartition(":")[2])}))
    ready.rename(state / "servers.json")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(Path(sys.argv[1]))
