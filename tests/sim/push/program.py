# SPDX-License-Identifier: Apache-2.0
"""The command line: the simulated providers in the foreground, their credentials in a folder."""
from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Callable

from ..pki import Pki
from .apns import Apns
from .fcm import Fcm
from .server import Request, Server
from .unifiedpush import UnifiedPush
from .webpush import WebPush

PROVIDERS = {"apns": Apns, "fcm": Fcm, "webpush": WebPush, "unifiedpush": UnifiedPush}
DESCRIPTION = "Simulates APNs, FCM with its token endpoint, a Web Push service and a UnifiedPush server."
FILES = """\
until SIGTERM its folder has
  push.json              what runs where, endpoints to push to
  ca.pem                 whom to trust for their TLS certificates
  apns.p8                the key of APNs (key ID, team and topic: push.json)
  service-account.json   of FCM
GET /_sim/status at each of them (APNs: by HTTP/2) counts requests and names breaches of protocol.
"""


def private(path: Path, data: bytes) -> Path:
    """A file that only we read."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as f:
        f.write(data)
    return path


class Providers:
    """Those that were asked for, with their credentials in a folder; each is a member by its name."""

    apns: Apns
    fcm: Fcm
    webpush: WebPush
    unifiedpush: UnifiedPush

    def __init__(self, folder: Path, which: list[str] | None = None, *, pki: Pki | None = None,
                 host: str = "localhost", **how: Any) -> None:
        self.pki = pki or Pki()
        self.folder = folder
        self.all: list[Server] = []
        files = self.pki.web.server(host, "127.0.0.1").write(folder / "push-server")
        (folder / "ca.pem").write_bytes(self.pki.web_root.pem)
        try:
            for name in which or list(PROVIDERS):
                more = {"client_ca": self.pki.web_root.pem} if name == "apns" else {}
                server = PROVIDERS[name](files, host=host, **more, **how)
                self.all.append(server)
                setattr(self, name, server)
                getattr(self, f"_open_{name}", lambda: None)()
        except BaseException:
            self.close()
            raise

    def _open_apns(self) -> None:
        private(self.folder / "apns.p8", self.apns.key_pem())

    def _open_fcm(self) -> None:
        private(self.folder / "service-account.json", self.fcm.account())

    def faults(self) -> list[str]:
        return [f for s in self.all for f in s.faults]

    def close(self) -> None:
        for s in self.all:
            s.close()
        self.all = []

    def described(self) -> dict[str, Any]:
        out: dict[str, Any] = {type(s).__name__.lower(): {"url": s.url} for s in self.all}
        if "apns" in out:
            a = self.apns
            out["apns"] |= {"key_id": a.key_id, "team_id": a.team, "topic": sorted(a.topics)[0]}
        if "fcm" in out:
            out["fcm"]["project_id"] = self.fcm.project
        if "webpush" in out:
            s = self.webpush.subscribe()
            out["webpush"] |= {"endpoint": s.endpoint, "p256dh": s.p256dh, "auth": s.auth_text}
        if "unifiedpush" in out:
            out["unifiedpush"]["endpoint"] = self.unifiedpush.register().url
        return out


def _printer(server: Server) -> Callable[[Request], None]:
    """Tells of each request in a line of JSON; `text` is what a browser deciphered."""

    def tell(r: Request) -> None:
        said = {"at": r.wall, "provider": type(server).__name__.lower(), "path": r.path, "status": r.status,
                "bytes": len(r.body), "body": r.body.decode(errors="backslashreplace")}
        if isinstance(server, WebPush) and r.status == 201:
            said["text"] = server.inbox.subscriptions[r.path].messages[-1].text.decode()
        print(json.dumps(said), flush=True)

    return tell


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m sim.push", description=DESCRIPTION, epilog=FILES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where its files are")
    parser.add_argument("--verbose", action="store_true", help="tell of each request and each breach of protocol")
    parser.add_argument("provider", nargs="*", metavar="provider",
                        help=f"{', '.join(PROVIDERS)} (default: all of them)")
    args = parser.parse_args(words)
    if strange := set(args.provider) - set(PROVIDERS):
        parser.error(f"unknown: {', '.join(strange)}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    args.folder.mkdir(parents=True, exist_ok=True)
    try:
        providers = Providers(args.folder, args.provider, keep=False)
    except OSError as e:
        print(f"sim.push: {e}", file=sys.stderr)
        return 1
    for s in providers.all:
        if args.verbose:
            s.on_request = _printer(s)
            s.on_fault = lambda text: print(json.dumps({"fault": text}), flush=True)
    (args.folder / "push.json").write_text(json.dumps(providers.described(), indent=2) + "\n")
    print(f"push providers ready, files in {args.folder}", flush=True)
    stop.wait()
    (args.folder / "push.json").unlink(missing_ok=True)
    providers.close()
    return 0
