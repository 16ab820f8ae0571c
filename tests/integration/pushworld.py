# SPDX-License-Identifier: Apache-2.0
"""schleuse-pushgw with all four push providers simulated behind it, phones on them and a homeserver in front."""
from __future__ import annotations

import copy
import itertools
import json
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from cryptography.hazmat.primitives import serialization

from harness import PKI, Daemon, until
from sim import b64, wire
from sim.h2wire import H2, Stream
from sim.pki import Pki, new_key
from sim.push.program import Providers, private
from sim.push.server import Request, Server
from sim.push.webpush import public_bytes

HOST = "push.test"
NOTIFY = "/_matrix/push/v1/notify"
ROOM = "!OSDxMbbPNyDVxRqNaH:hs.test"
APPS = {"apns": "org.example.app", "fcm": "org.example.app.android", "webpush": "org.example.app.web",
        "unifiedpush": "org.example.app.up"}
# What a homeserver may say and a push provider must never hear (ML-123618-6, ML-123618-7)
SENDER = "@absenderin:hs.test"
SECRETS = {
    "sender": SENDER,
    "sender_display_name": "Dr. Absenderin",
    "room_name": "Befundbesprechung",
    "room_alias": "#befunde:hs.test",
    "type": "m.room.geheim",
    "membership": "beigetreten",
    "content": {"body": "Der Befund ist da", "msgtype": "m.geheimtext"},
    "counts": {"unread": 47118150, "missed_calls": 81504711},
    "user_is_target": True,
}
TWEAKS = {"sound": "klingelton", "highlight": True}
WORDS = [b"absenderin", b"Absenderin", b"Befund", b"befunde", b"m.room.geheim", b"beigetreten", b"geheimtext",
         b"47118150", b"81504711", b"user_is_target", b"klingelton", b"highlight", b"tweaks", b"counts", b'"content"',
         b"sender", b"room_name", b"room_alias", b"membership", b"unread_count", b"missed_calls"]


@dataclass
class Phone:
    """A device that gets pushes, and what a homeserver says of it."""

    server: Server
    app_id: str
    pushkey: str
    data: dict[str, Any] = field(default_factory=dict)
    got: Callable[[], list[dict[str, Any]]] = list  # the pushes it shows, without what the system takes
    requests: Callable[[], list[Request]] = list  # those that were for it, delivered or not
    pushkey_ts: int = field(default_factory=lambda: int(time.time()) - 86400)

    def device(self, **change: Any) -> dict[str, Any]:
        whole = {"app_id": self.app_id, "pushkey": self.pushkey, "pushkey_ts": self.pushkey_ts, "data": self.data}
        return {n: v for n, v in {**whole, **change}.items() if v is not None}

    def events(self) -> list[str]:
        return [p["event_id"] for p in self.got() if "event_id" in p]

    def wait(self, *events: str) -> None:
        """These events arrive; others may have come as well."""
        until(f"{events} at the phone", lambda: set(events) <= set(self.events()))


def event_id() -> str:
    return "$" + secrets.token_urlsafe(32)


def notification(*devices: dict[str, Any] | Phone, event: str = "", room: str = ROOM, **more: Any) -> dict[str, Any]:
    """What Synapse sends of a pusher with format event_id_only; `more` members are added."""
    listed = [d.device() if isinstance(d, Phone) else d for d in devices]
    base = {"counts": {"unread": 1}, "devices": listed, "event_id": event or event_id(), "prio": "high",
            "room_id": room}
    return {"notification": {n: v for n, v in {**base, **more}.items() if v is not None}}


class PushWorld:
    """Change `config` before start()."""

    def __init__(self, folder: Path, *, delay: str = "0", which: list[str] | None = None, keep: bool = True,
                 pki: Pki = PKI, name: str = HOST) -> None:
        """`name`: of the gateway; `keep` False: providers count requests and forget them."""
        self.folder, self.name = folder, name
        self.providers = Providers(folder, which, pki=pki, keep=keep)
        (folder / "state").mkdir()
        self._numbers = itertools.count(1)
        self.vapid = new_key("p256")
        pem = self.vapid.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption())
        private(folder / "vapid.pem", pem)
        certificate, key = pki.web.server(name).write(folder / "pushgw-server")
        self.config: dict[str, Any] = {
            "listeners": [{"address": "127.0.0.1:0"}],
            "admin": "127.0.0.1:0",
            "state_dir": str(folder / "state"),
            "addresses_file": str(folder / "addresses.json"),
            "test_mode": True,
            "tls": {"certificate": str(certificate), "key": str(key), "hosts": [name]},
            "limits": {"connections_per_address": 0},
            "timeouts": {"drain": "5s"},
            "queue": {"delay_max": delay},
            "delivery": {"retry_min": "50ms", "retry_max": "500ms", "connect_timeout": "5s",
                         "request_timeout": "5s", "breaker_pause": "300ms"},
            "lookups": {
                "hosts": {"localhost": "127.0.0.1"},
                "nameservers": ["127.0.0.1:9"],
                "ca_file": str(folder / "ca.pem"),
                "ca_system": False,
                "private_addresses": True,
                "timeout": "5s",
            },
            "apps": [self._app(name) for name in which or APPS],
        }
        self.daemon = Daemon(folder, self.config, "pushgw")
        self.tls = wire.tls_context(pki.web_root.pem)
        self.expected_faults: list[str] = []

    def _app(self, name: str) -> dict[str, Any]:
        p = self.providers
        settings: dict[str, Any] = {"apns": self._apns, "fcm": self._fcm, "webpush": self._webpush,
                                    "unifiedpush": dict}[name]()
        app = {"id": APPS[name], "provider": name}
        if settings:
            app[name] = settings
        assert hasattr(p, name)
        return app

    def _apns(self) -> dict[str, Any]:
        a = self.providers.apns
        return {"url": a.url, "topic": sorted(a.topics)[0], "key_file": str(self.folder / "apns.p8"),
                "key_id": a.key_id, "team_id": a.team}

    def _fcm(self) -> dict[str, Any]:
        return {"url": self.providers.fcm.url, "service_account_file": str(self.folder / "service-account.json")}

    def _webpush(self) -> dict[str, Any]:
        return {"vapid_key_file": str(self.folder / "vapid.pem"), "contact": "mailto:push@hs.test"}

    @property
    def application_key(self) -> str:
        """The public VAPID key that browsers subscribe with."""
        return b64.url(public_bytes(self.vapid.public_key())).decode()

    def app(self, name: str) -> dict[str, Any]:
        """The entry of `apps` of that provider."""
        return next(a for a in self.config["apps"] if a["provider"] == name)

    # Its life

    def start(self, ready: str = "/ready") -> "PushWorld":
        self.daemon.start(ready)
        return self

    def kill(self) -> None:
        """kill -9."""
        self.daemon.kill()

    def stop(self) -> None:
        """The gateway must end clean, and no provider may have had anything to complain of."""
        try:
            self.daemon.stop()
        finally:
            faults = [f for f in self.providers.faults() if f not in self.expected_faults]
            self.providers.close()
        assert not faults, faults

    def forget(self) -> None:
        for s in self.providers.all:
            s.forget()
            s.script.clear()
            s.rule, s.pause = None, 0.0

    def variant(self) -> dict[str, Any]:
        return copy.deepcopy(self.config)

    def reload(self) -> None:
        """Returns when the new configuration is in force."""
        before = self.daemon.metric("schleuse_reloads_total", outcome="adopted")
        self.daemon.reload()
        until("the reload", lambda: self.daemon.metric("schleuse_reloads_total", outcome="adopted") > before)

    # Phones

    def phone(self, provider: str, **data: Any) -> Phone:
        """A new one on that provider; `data` is added to its pusher's."""
        made: Phone = getattr(self, f"_phone_{provider}")()
        made.data |= data
        return made

    def _phone_apns(self) -> Phone:
        server = self.providers.apns
        token = secrets.token_hex(32)
        aps = {"mutable-content": 1, "alert": {"loc-key": "SINGLE_UNREAD", "loc-args": []}}
        mine = lambda: [r for r in list(server.requests) if r.path == f"/3/device/{token}"]  # noqa: E731

        def got() -> list[dict[str, Any]]:
            return [{n: v for n, v in r.json().items() if n != "aps"} for r in mine() if r.status == 200]

        return Phone(server, APPS["apns"], token, {"default_payload": {"aps": aps}, "format": "event_id_only"},
                     got, mine)

    def _phone_fcm(self) -> Phone:
        server = self.providers.fcm
        token = f"fcm-{next(self._numbers)}:{secrets.token_urlsafe(100)}"

        def mine() -> list[Request]:
            return [r for r in list(server.requests) if r.json()["message"]["token"] == token]

        return Phone(server, APPS["fcm"], token, {"format": "event_id_only"},
                     lambda: [dict(r.json()["message"]["data"]) for r in mine() if r.status == 200], mine)

    def _phone_webpush(self) -> Phone:
        server = self.providers.webpush
        s = server.subscribe(self.application_key)
        path = s.endpoint.removeprefix(server.url)
        return Phone(server, APPS["webpush"], s.p256dh, {"endpoint": s.endpoint, "auth": s.auth_text},
                     lambda: [m.json() for m in list(s.messages)],
                     lambda: [r for r in list(server.requests) if r.path == path])

    def _phone_unifiedpush(self) -> Phone:
        server = self.providers.unifiedpush
        e = server.register()
        path = e.url.removeprefix(server.url)
        return Phone(server, APPS["unifiedpush"], e.url, {}, lambda: list(e.notifications),
                     lambda: [r for r in list(server.requests) if r.path == path])

    # The homeserver

    def connect(self, **how: Any) -> wire.Connection:
        return wire.Connection(self.daemon.address(), self.tls, self.name, **how)

    def connect_h2(self) -> H2:
        return H2(self.daemon.address(), wire.tls_context(self.providers.pki.web_root.pem), self.name)

    def notify(self, body: Any, link: wire.Connection | None = None, **fields: str) -> wire.Answer:
        """POST notify over HTTP/1.1, on a connection of its own unless one is given."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"Host": self.name, "Content-Type": "application/json", **{n.replace("_", "-"): v for n, v in fields.items()}}
        if link is not None:
            return link.ask("POST", NOTIFY, head, data)
        with self.connect() as c:
            return c.ask("POST", NOTIFY, head, data)

    def notify_h2(self, body: Any) -> Stream:
        with self.connect_h2() as c:
            return c.ask("POST", NOTIFY, ("content-type", "application/json"), body=json.dumps(body).encode(),
                         authority=self.name)

    def tell(self, *devices: dict[str, Any] | Phone, event: str = "", link: wire.Connection | None = None,
             **more: Any) -> str:
        """Notifies of an event; all pushkeys must be fine.  Its ID."""
        event = event or event_id()
        answer = self.notify(notification(*devices, event=event, **more), link)
        assert (answer.status, answer.json()) == (200, {"rejected": []}), (answer.status, answer.body)
        return event

    def rejected(self, *devices: dict[str, Any] | Phone) -> list[str]:
        """The pushkeys that a notification of a new event is told to be dead."""
        answer = self.notify(notification(*devices))
        assert answer.status == 200, answer.body
        return list(answer.json()["rejected"])

    # What can be measured

    def devices(self, outcome: str) -> float:
        return self.daemon.metric("schleuse_push_devices_total", outcome=outcome)

    def attempts(self, provider: str, verdict: str) -> float:
        return self.daemon.metric("schleuse_push_attempts_total", provider=provider, verdict=verdict)

    def queued(self) -> float:
        return self.daemon.metric("schleuse_push_queue")

    def drained(self) -> None:
        until("an empty queue", lambda: self.queued() == 0)
