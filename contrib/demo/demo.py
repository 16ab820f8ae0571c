#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration federation that ./quickstart shows.

Two messenger services, each behind its own schleuse-proxy, a simulated directory that signs the
federation list, schleuse-regsvc between it and the proxies, schleuse-pushgw with simulated push providers,
a PKI made on the spot and a third server that is not on the list; all on loopback.  Sends a tour of requests
and prints what becomes of each, those of the homeservers to others and pushes to phones included, then leaves
everything running.
"""
from __future__ import annotations

import argparse
import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.dont_write_bytecode = True

try:
    from processes import Failed, Processes
    from push import HOST as PUSH_HOST, Push
    from sim import wire
    from realtour import RealTour
    from registration import ADDRESS, HOST, Registration
    from tour import Screen, Tour
    from world import DemoWorld, Party
except ModuleNotFoundError as missing:
    sys.exit(f"The demonstration needs a Python module: {missing.name}. On Debian: apt install "
             "python3-yaml python3-aiohttp python3-cryptography python3-signedjson python3-hpack")

MARK = "schleuse-demo"


def arguments() -> argparse.Namespace:
    p = argparse.ArgumentParser(prog="demo.py", description=__doc__.split("\n\n")[0])
    p.add_argument("--build", type=Path, help="folder with the built schleuse-proxy")
    p.add_argument("--state", type=Path, required=True, help="folder for everything the demo makes")
    p.add_argument("--synapse", action="store_true", help="real Synapse servers, not stand-ins")
    p.add_argument("--redis", action="store_true", help="the registration service keeps its data in Redis")
    p.add_argument("--foreground", action="store_true", help="stay until Ctrl-C")
    p.add_argument("--stop", action="store_true", help="end a demonstration that was left running")
    return p.parse_args()


def empty_state(state: Path) -> None:
    """A fresh state folder; a folder that is not a demonstration's is never touched."""
    if state.exists() and any(state.iterdir()):
        if not (state / MARK).exists():
            raise Failed(f"{state} is not empty and no demonstration's; give another --state")
        if stopped := Processes(state).stop():
            print(f"(ended {stopped} processes of an earlier demonstration)")
        shutil.rmtree(state)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state / MARK).touch()


def is_ready(p: Party) -> bool:
    try:
        with wire.Connection(("127.0.0.1", p.admin), timeout=5) as c:
            return c.ask("GET", "/ready", {"Host": "localhost"}).status == 200
    except OSError:
        return False


def make_tunnel_cas(world: DemoWorld, proxy: Path) -> None:
    """Each proxy's own certification authority, for the tunnels of its homeserver."""
    for p in world.members:
        command = [str(proxy), "--make-ca", str(world.tunnel_ca(p)), "--permit", "test"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"{shlex.join(command)}: {done.stderr.strip()}")


def start(world: DemoWorld, processes: Processes, build: Path, redis: bool) -> Registration:
    """The background servers and the registration service, then a proxy for each member."""
    proxy = build / "schleuse-proxy"
    if not proxy.exists():
        raise Failed(f"{proxy} is not there; build first (make in {build})")
    make_tunnel_cas(world, proxy)
    here = Path(__file__).resolve().parent
    log = processes.start("servers", [sys.executable, str(here / "servers.py"), str(world.state)])
    ready = world.state / "servers.json"
    if world.synapse:
        print("Starting two Synapse servers (this takes a while) ...", flush=True)
    processes.wait_for("the homeservers", log, ready.exists, 180 if world.synapse else 20)
    told = json.loads(ready.read_text())
    world.dns_port = told["dns"]
    world.praxis, world.klinik, world.fremd = (Party(**p) for p in told["parties"])
    registration = Registration(world, processes, build, redis)
    registration.start()
    for p, method in zip(world.members, ("basic", "oauth")):
        config = world.configuration(
            p,
            registration.federation(p.label, method),
            {HOST: ADDRESS, "localhost": ADDRESS},
            registration.ca_file,
        )
        launcher = p.way.launcher if p.way else []
        log = processes.start(f"proxy-{p.label}", [*launcher, str(proxy), "-c", str(config)])
        processes.wait_for(f"the proxy of {p.label}", log, lambda p=p: is_ready(p))
    return registration


def show_map(world: DemoWorld, registration: Registration, push: Push) -> None:
    print("The directory (simulated) signs the federation list; schleuse-regsvc fetches it, verifies it,")
    kept = "in Redis" if registration.redis else "in its state directory"
    print(f"keeps it {kept} and gives it to the proxies, which verify it again.")
    print(f"  directory  {registration.about['url']}")
    print(f"  regsvc     https://{HOST}:{registration.port} (at {ADDRESS})")
    print("The push gateway leads to simulated push providers (APNs, FCM, Web Push).")
    print(f"  pushgw     https://{PUSH_HOST}:{push.port} (at {ADDRESS})")
    print("Two messenger services, each behind its Messenger-Proxy, and a stranger:")
    for p in world.parties:
        listed = "on the federation list" if p in world.members else "not on the list"
        print(f"  {p.label:<7} {p.server_name:<18} at {p.address}:{p.port}, {listed}", flush=True)


def out(p: Party, to: Party) -> str:
    """What its homeserver would ask its proxy for, as a command: the keys of another server."""
    assert p.way is not None
    secret = f'"Proxy-Authorization: Bearer $(cat {shlex.quote(p.way.secret_file)})"'
    target = f"matrix-federation://{to.server_name}/_matrix/key/v2/server"
    socket = shlex.quote(p.way.out.removeprefix("unix:"))
    return f"curl --unix-socket {socket} -H {secret} --request-target {target} http://localhost"


def show_how_to_go_on(world: DemoWorld, tour: Tour, registration: Registration, push: Push) -> None:
    """Commands that work when pasted."""
    p = world.praxis
    curl = f"curl --cacert {shlex.quote(str(world.ca))} --resolve {p.public_host}:{p.port}:{p.address}"
    base = f"https://{p.public_host}:{p.port}"
    name = f"{base}/_matrix/client/v3/profile/{tour.anna}/displayname"
    auth = f"-H 'Authorization: Bearer {tour.token}'"
    rows = (
        ("let through: client traffic", f"{curl} {base}/_matrix/client/versions"),
        ("refused: no signature", f"{curl} {base}/_matrix/federation/v1/publicRooms"),
        ("refused: Anna's own display name", f"{curl} -X PUT {auth} -d '{{\"displayname\":\"x\"}}' {name}"),
        ("let through: what the homeserver of praxis wants of klinik", out(p, world.klinik)),
        ("refused: the same of fremd, which is not on the list", out(p, world.fremd)),
        ("what the proxy counts", f"curl http://127.0.0.1:{p.admin}/metrics"),
        ("how the registration service is", registration.shell("status")),
        ("who may ask it", registration.shell("client", "list")),
        ("a push to Anna's Android phone, after up to ten seconds", push.shell()),
        ("klinik leaves the federation", registration.directory_shell("remove-domain", world.klinik.server_name)),
        ("and joins it again", registration.directory_shell("add-domain", world.klinik.server_name)),
    )
    tour.screen.title("All of it is running. Try:")
    for what, command in rows:
        print(f"  # {what}\n  {command}")
    print(f"\nConfigurations, certificates and what is kept: {world.state}")
    print(f"Logs: {world.state / 'logs'}")


def demonstrate(options: argparse.Namespace) -> int:
    """Builds the world, shows the tour, leaves it running or waits for Ctrl-C."""
    if options.build is None:
        raise Failed("--build is missing: the folder with the built schleuse-proxy")
    empty_state(options.state)
    world = DemoWorld(options.state, options.synapse)
    processes, screen = Processes(options.state), Screen()
    world.write()
    try:
        registration = start(world, processes, options.build, options.redis)
        push = Push(world, processes, options.build)
        push.start()
        show_map(world, registration, push)
        tour = Tour(world, screen)
        tour.clients()
        tour.members()
        real = RealTour(tour) if options.synapse else None
        (real or tour).invites()
        (real or tour).way_out()
        tour.smuggling()
        tour.expulsion(registration.directory)
        push.chapter(screen)
        show_how_to_go_on(world, tour, registration, push)
        if real:
            real.how_to_log_in()
    except BaseException:
        processes.stop()
        raise
    if options.foreground:
        print("\nCtrl-C ends it.", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()
        processes.stop()
    else:
        print(f"\nTo end it: ./quickstart --stop (or {sys.argv[0]} --state {options.state} --stop)")
    return 1 if screen.unexpected else 0


def main() -> int:
    options = arguments()
    options.state = options.state.resolve()
    try:
        if options.stop:
            count = Processes(options.state).stop()
            print(f"Ended {count} processes." if count else "No demonstration is running.")
            return 0
        return demonstrate(options)
    except (Failed, OSError) as e:
        print(f"demo: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
