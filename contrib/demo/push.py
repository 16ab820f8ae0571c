# SPDX-License-Identifier: Apache-2.0
"""The push side of the demonstration: schleuse-pushgw and, behind it, simulated push providers.

A notification as a homeserver sends it goes in; what the providers get, and when, is shown.
"""
from __future__ import annotations

import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives import serialization

from processes import Failed, Processes
from sim import wire
from sim.pki import new_key
from tour import Screen
from world import DemoWorld, free_port

TESTS = Path(__file__).resolve().parents[2] / "tests"
HOST = "push.demo.test"
ADDRESS = "127.0.0.1"
NOTIFY = "/_matrix/push/v1/notify"
DELAY = 10  # seconds, the longest
PHONES = {"apns": "Anna's iPhone", "fcm": "Anna's Android phone", "webpush": "Anna's browser"}


class Push:
    """Providers, gateway, and the devices of one user."""

    def __init__(self, world: DemoWorld, processes: Processes, build: Path) -> None:
        self.world, self.processes, self.build = world, processes, build
        self.folder = world.state / "push-providers"
        self.state = world.state / "state-pushgw"
        self.port, self.admin = free_port(ADDRESS), free_port(ADDRESS)
        self.log = Path()

    @property
    def about(self) -> dict[str, Any]:
        """What the providers run as."""
        return dict(json.loads((self.folder / "push.json").read_text()))

    def start(self) -> None:
        program = self.build / "schleuse-pushgw"
        if not program.exists():
            raise Failed(f"{program} is not there; build first (make in {self.build})")
        command = [sys.executable, "-m", "sim.push", "--folder", str(self.folder), "--verbose", *PHONES]
        self.log = self.processes.start("push-providers", command, cwd=TESTS)
        self.processes.wait_for("the push providers", self.log, (self.folder / "push.json").exists)
        log = self.processes.start("pushgw", [str(program), "-c", str(self.configuration())])
        self.processes.wait_for("the push gateway", log, self.is_ready)

    def is_ready(self) -> bool:
        try:
            with wire.Connection((ADDRESS, self.admin), timeout=5) as c:
                return c.ask("GET", "/ready", {"Host": "localhost"}).status == 200
        except OSError:
            return False

    def configuration(self) -> Path:
        at, about = self.world.state, self.about
        self.state.mkdir(mode=0o700)
        self.world.pki.web.server(HOST).write(at / "pushgw")
        apns, fcm = about["apns"], about["fcm"]
        config: dict[str, Any] = {
            "listeners": [{"address": f"{ADDRESS}:{self.port}"}],
            "admin": f"{ADDRESS}:{self.admin}",
            "state_dir": str(self.state),
            "tls": {"certificate": str(at / "pushgw.pem"), "key": str(at / "pushgw.key"), "hosts": [HOST]},
            "lookups": {
                "hosts": {"localhost": ADDRESS},
                "ca_file": str(self.folder / "ca.pem"),
                "ca_system": False,
                "private_addresses": True,
            },
            "apps": [
                {"id": "demo.ios", "provider": "apns", "apns": {
                    "url": apns["url"], "topic": apns["topic"], "key_file": str(self.folder / "apns.p8"),
                    "key_id": apns["key_id"], "team_id": apns["team_id"]}},
                {"id": "demo.android", "provider": "fcm", "fcm": {
                    "url": fcm["url"], "service_account_file": str(self.folder / "service-account.json")}},
                {"id": "demo.web", "provider": "webpush", "webpush": {
                    "vapid_key_file": str(self.vapid_key()), "contact": "mailto:push@praxis.test"}},
            ],
        }
        path = at / "pushgw.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path

    def vapid_key(self) -> Path:
        path = self.world.state / "vapid.pem"
        path.touch(mode=0o600)
        path.write_bytes(new_key("p256").private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ))
        return path

    # What a homeserver says

    def devices(self) -> list[dict[str, Any]]:
        """Anna's pushers."""
        web, since = self.about["webpush"], int(time.time()) - 3600
        aps = {"mutable-content": 1, "alert": {"loc-key": "SINGLE_UNREAD"}}
        return [
            {"app_id": "demo.ios", "pushkey": "a1" * 32, "pushkey_ts": since,
             "data": {"default_payload": {"aps": aps}}},
            {"app_id": "demo.android", "pushkey": "fcm-token-of-anna", "pushkey_ts": since, "data": {}},
            {"app_id": "demo.web", "pushkey": web["p256dh"], "pushkey_ts": since,
             "data": {"endpoint": web["endpoint"], "auth": web["auth"]}},
        ]

    def notification(self, event: str) -> dict[str, Any]:
        """In the full format, which says much more than may leave."""
        about = {"event_id": event, "room_id": f"!ward:{self.world.praxis.server_name}", "prio": "high"}
        secrets = {
            "sender": f"@bob:{self.world.klinik.server_name}", "sender_display_name": "Dr. Bob",
            "room_name": "Ward 7", "type": "m.room.message", "counts": {"unread": 3},
            "content": {"msgtype": "m.text", "body": "The findings are there"},
        }
        return {"notification": {**about, **secrets, "devices": self.devices()}}

    def notify(self, body: dict[str, Any]) -> tuple[wire.Answer, float]:
        """The answer, and after how many seconds it was there."""
        fields = {"Host": f"{HOST}:{self.port}", "Content-Type": "application/json"}
        with wire.Connection((ADDRESS, self.port), wire.tls_context(self.world.ca), HOST) as c:
            began = time.monotonic()
            answer = c.ask("POST", NOTIFY, fields, json.dumps(body).encode())
            return answer, time.monotonic() - began

    def told(self) -> list[dict[str, Any]]:
        """What the providers have told so far."""
        lines = self.log.read_text(errors="replace").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def arrivals(self) -> list[dict[str, Any]]:
        """What they have taken."""
        return [t for t in self.told() if t.get("status") in (200, 201)]

    def complaints(self) -> list[str]:
        """Breaches of their protocols that the providers have seen."""
        return [t["fault"] for t in self.told() if "fault" in t]

    # The chapter

    def chapter(self, screen: Screen) -> None:
        """A notification is answered at once; each device hears of it after a random time of its own."""
        body = self.notification("$" + os.urandom(16).hex())
        screen.title("A homeserver notifies the push gateway of a message for Anna")
        print("  It says: " + _short(body))
        began = time.time()
        a, took = self.notify(body)
        screen.line("praxis", f"answered after {took * 1000:.0f} ms", a, 200)
        shown: list[dict[str, Any]] = []
        while len(shown) < len(PHONES) and time.time() < began + DELAY + 10:
            for t in self.arrivals()[len(shown) :]:
                self._show(screen, t, began)
                shown.append(t)
            time.sleep(0.05)
        a, _ = self.notify(body)
        screen.line("praxis", "the same again, as after a lost answer", a, 200)
        unknown = {"notification": {**body["notification"], "devices": [{"app_id": "other.app", "pushkey": "K"}]}}
        a, _ = self.notify(unknown)
        screen.line("praxis", f"for an app that nobody configured: {a.body.decode()}", a, 200)
        count = len(self.arrivals())
        complete = len(shown) == len(PHONES) and count == len(PHONES)
        print(f"  phones  {count} pushes arrived, none twice")
        if not complete:
            screen.surprise(f"{len(PHONES)}, one for each device")
        for complaint in self.complaints():
            screen.surprise(f"a sound request; a push provider says {complaint}")

    @staticmethod
    def _show(screen: Screen, arrival: dict[str, Any], began: float) -> None:
        after, name = arrival["at"] - began, arrival["provider"]
        body, text = arrival["body"].rstrip(" "), arrival.get("text")
        size = f"{arrival['bytes']} bytes" + (", filled up with blanks" if body != arrival["body"] else "")
        print(f"  after {after:4.1f} s at {PHONES[name]}, by {name}, {size}:")
        print("    " + (body if text is None else f"ciphertext; the browser reads {text}"), flush=True)

    def shell(self) -> str:
        """The notification as a command."""
        about = {"event_id": "$EVENT", "room_id": "!ward:praxis.test", "devices": self.devices()[1:2]}
        path = self.world.state / "notification.json"
        path.write_text(json.dumps({"notification": about}))
        url = f"https://{HOST}:{self.port}{NOTIFY}"
        return (f"sed s/EVENT/$(date +%s)/ {shlex.quote(str(path))} | curl --cacert {shlex.quote(str(self.world.ca))} "
                f"--resolve {HOST}:{self.port}:{ADDRESS} -d @- {url}; tail -f -n 1 {shlex.quote(str(self.log))}")


def _short(body: dict[str, Any]) -> str:
    """The notification without its devices."""
    return json.dumps({n: v for n, v in body["notification"].items() if n != "devices"})
