# SPDX-License-Identifier: Apache-2.0
"""The command line: start a simulator in the foreground, or tell the running one what to do."""
from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from . import control
from .simulator import Vzd

DESCRIPTION = "Simulates the VZD-FHIR-Directory's provider side, its PKI and its OCSP responder."
COMMANDS = """\
without a command, the simulator starts and serves until SIGTERM; its folder then has
  vzd.json        every URL, and the key for the commands below
  tls-ca.pem      the CA of its TLS certificates
  root.pem        the root a client pins
  client-secret   the secret of the client tim-provider-1

commands, for the simulator that runs in the folder:
  status                        list, calls, faults, violations of the protocol
  add-domain NAME [insurance]   NAME joins the federation
  remove-domain NAME            NAME leaves it
  fault NAME on|off             switches a fault
  faults                        shows every fault there is
  clear-faults                  switches all of them off
  revoke-signer, renew-signer   the certificate that signs the list
  revoke-tokens                 every token given out is refused
  down, up                      refuses connections, as in an outage; and serves again
  locate MXID PLACE             enters a user: org, pract, orgPract or none
"""


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m sim.vzd",
        description=DESCRIPTION,
        epilog=COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, required=True, help="where its files are")
    parser.add_argument(
        "--domain", action="append", default=[], help="a member of the federation; may be repeated"
    )
    parser.add_argument("--list-version", type=int, default=1, help="the first one (default: 1)")
    parser.add_argument("--host", default="localhost", help="name in the URLs (default: localhost)")
    parser.add_argument("command", nargs="*", help="see below")
    return parser.parse_args(words)


def serve(args: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    args.folder.mkdir(parents=True, exist_ok=True)
    with Vzd(host=args.host) as vzd:
        for name in args.domain:
            vzd.add(name)
        vzd.directory.bump(args.list_version)
        commands = control.Control(vzd)
        control.write(args.folder, vzd, commands)
        print(f"VZD simulator ready at {vzd.url}, files in {args.folder}", flush=True)
        stop.wait()
        (args.folder / control.FILE).unlink(missing_ok=True)
        commands.close()


def main(words: list[str]) -> int:
    args = arguments(words)
    try:
        if args.command:
            print(control.ask(args.folder, args.command))
        else:
            serve(args)
    except (control.Failed, OSError) as e:
        print(f"sim.vzd: {e}", file=sys.stderr)
        return 1
    return 0
