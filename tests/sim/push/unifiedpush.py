# SPDX-License-Identifier: Apache-2.0
"""A UnifiedPush server: endpoints that take what the Matrix gateway sends, plain or encrypted (RFC 8291).

After the UnifiedPush specifications "Push server" and "Push gateway for Matrix": the body is at most 4096
bytes and reaches the application as it is.
"""
from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import jose
from .server import Action, Reply, Request, Server
from .webpush import BODY_MAX, Inbox, Subscription


@dataclass
class Endpoint:
    """One application on one phone; `keys` when it wants RFC 8291."""

    url: str
    keys: Subscription | None = None
    gone: int = 0  # the status that says so
    notifications: list[dict[str, Any]] = field(default_factory=list)


class UnifiedPush(Server):
    def __init__(self, files: tuple[Path, Path], **how: Any) -> None:
        self.endpoints: dict[str, Endpoint] = {}  # by path
        self.inbox = Inbox()
        super().__init__(files, **how)

    def register(self, *, encrypted: bool = False) -> Endpoint:
        path = f"/up/{secrets.token_urlsafe(18)}?up=1"
        url = self.url + path
        self.endpoints[path] = Endpoint(url, Subscription(url) if encrypted else None)
        return self.endpoints[path]

    def judge(self, r: Request) -> Action:
        e = self.endpoints.get(r.path)
        if e is None:
            return self.refused("no such endpoint", Reply(404))
        if r.method == "GET":
            return Reply(200, {"unifiedpush": {"version": 1}})
        if r.method != "POST":
            return self.refused(r.method, Reply(405))
        if len(r.body) > BODY_MAX:
            return self.refused(f"a body of {len(r.body)} bytes", Reply(413))
        if e.gone:
            return Reply(e.gone)
        problem = self._sealed(r) if e.keys else self._plain(r)
        return self.refused(problem, Reply(400)) if problem else Reply(201)

    @staticmethod
    def _plain(r: Request) -> str:
        if r.get("content-type") not in (None, "application/json"):
            return f"Content-Type {r.get('content-type')}"
        try:
            body = jose.strict_json(r.body)
        except ValueError as e:
            return f"not JSON: {e}"
        if not isinstance(body, dict) or set(body) != {"notification"}:
            return "not a notification"
        if not isinstance(body["notification"], dict) or "devices" in body["notification"]:
            return "the notification names devices"
        return ""

    @staticmethod
    def _sealed(r: Request) -> str:
        if r.get("content-encoding") != "aes128gcm":
            return f"Content-Encoding {r.get('content-encoding')}"
        return "" if r.get("ttl") else "no TTL"

    def decide(self, r: Request) -> Action:
        action = super().decide(r)
        if isinstance(action, Reply) and 200 <= action.status < 300 and r.method == "POST":
            e = self.endpoints[r.path]
            if e.keys is None:
                e.notifications.append(r.json()["notification"])
            elif problem := self.inbox.take(r, e.keys):
                return self.refused(problem, Reply(400))
            else:
                e.notifications.append(e.keys.messages[-1].json()["notification"])
        return action
