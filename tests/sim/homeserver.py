# SPDX-License-Identifier: Apache-2.0
"""A stand-in Matrix homeserver (aiohttp), plausible enough for the proxy, the demo and the tests.

It keeps every request as it arrived, checks X-Matrix signatures itself as Synapse does, and can be
told to answer slowly, wrongly or not at all (`script`).  It is no Matrix implementation: rooms are
accepted by name, nothing is delivered.
"""
from __future__ import annotations

import asyncio
import json
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Awaitable, Callable, Optional
from urllib.parse import parse_qs, unquote

from aiohttp import web
from signedjson.sign import sign_json

from . import xmatrix
from .background import LoopThread

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "X-Requested-With, Content-Type, Authorization, Date",
}
OPEN_FEDERATION = ("/_matrix/federation/v1/version", "/_matrix/federation/v1/openid/userinfo")
DEADLINE = 15.0


class MatrixError(Exception):
    """Ends a request with a Matrix error object."""

    def __init__(self, status: int, errcode: str, text: str) -> None:
        super().__init__(text)
        self.status, self.errcode = status, errcode


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    fields: list[tuple[str, str]]
    body: bytes
    verified: str | None = None  # the origin whose signature we checked ourselves
    fault: str | None = None  # why our own check failed
    gone: threading.Event = field(default_factory=threading.Event)  # left before we had answered

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, f"{name} given {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[["Seen", web.Request], Awaitable[Optional[web.StreamResponse]]]


class Homeserver:
    """One homeserver in a thread of its own; `where` is the upstream address for the proxy."""

    def __init__(
        self,
        name: str,
        *,
        unix: Path | None = None,
        port: int = 0,
        key: xmatrix.SigningKey | None = None,
    ) -> None:
        self.name = name
        self.key = key or xmatrix.SigningKey("a_hs")
        self.peers: dict[str, list[Any]] = {}  # verify keys by server name
        self.users: dict[str, dict[str, Any]] = {}  # by MXID
        self.tokens: dict[str, str] = {}
        self.media: dict[str, bytes] = {}
        self.openid: dict[str, str] = {}
        self.seen: list[Seen] = []
        self.script: Script | None = None
        self._changed = threading.Condition()
        self._thread = LoopThread()
        self._thread.run(self._start(unix, port))

    async def _start(self, unix: Path | None, port: int) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        sizes = {"max_line_size": 65536, "max_field_size": 65536}
        self._runner = web.AppRunner(app, access_log=None, **sizes)
        await self._runner.setup()
        site: web.BaseSite
        if unix is not None:
            site = web.UnixSite(self._runner, str(unix), shutdown_timeout=0.2)
            self.where = f"unix:{unix}"
        else:
            site = web.TCPSite(self._runner, "127.0.0.1", port, shutdown_timeout=0.2)
        await site.start()
        if unix is None:
            self.where = "127.0.0.1:%d" % self._runner.addresses[0][1]

    def close(self) -> None:
        self._thread.run(self._runner.cleanup())
        self._thread.stop()

    # What tests and the demo use

    def add_user(self, localpart: str, *, admin: bool = False, displayname: str = "") -> str:
        """Makes a user; returns an access token."""
        mxid = f"@{localpart}:{self.name}"
        self.users[mxid] = {"admin": admin, "displayname": displayname, "password": localpart}
        return self._new_token(mxid)

    def trust(self, name: str, *keys: xmatrix.SigningKey) -> None:
        """Accept requests of this server signed with these keys."""
        self.peers[name] = [k.public for k in keys]

    def forget(self) -> None:
        with self._changed:
            self.seen.clear()

    def requests(self, pattern: str = "") -> list[Seen]:
        """What arrived so far and whose target matches the pattern."""
        with self._changed:
            return [s for s in self.seen if re.search(pattern, s.target)]

    def wait(self, pattern: str = "", n: int = 1) -> list[Seen]:
        """As requests(), as soon as there are n of them."""

        def enough() -> bool:
            return sum(bool(re.search(pattern, s.target)) for s in self.seen) >= n

        with self._changed:
            if not self._changed.wait_for(enough, DEADLINE):
                got = [s.target for s in self.seen]
                raise AssertionError(f"waited for {n} x {pattern!r}; arrived: {got}")
        return self.requests(pattern)

    # Serving

    def _new_token(self, mxid: str) -> str:
        token = "syt_" + secrets.token_urlsafe(16)
        self.tokens[token] = mxid
        return token

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        fields = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in request.raw_headers]
        seen = Seen(request.method, request.raw_path, fields, await request.read())
        if seen.target.startswith("/_matrix/federation/"):
            self._check_signature(seen)
        with self._changed:
            self.seen.append(seen)
            self._changed.notify_all()
        watch = asyncio.ensure_future(_watch(request, seen))
        try:
            if self.script is not None:
                scripted = await self.script(seen, request)
                if scripted is not None:
                    return scripted
            return await self._answer(seen)
        except MatrixError as e:
            return _json({"errcode": e.errcode, "error": str(e)}, e.status)
        finally:
            watch.cancel()

    def _check_signature(self, seen: Seen) -> None:
        try:
            seen.verified = xmatrix.verified_origin(
                seen.all("Authorization"), seen.method, seen.target, seen.body, self.name, self.peers
            )
        except (ValueError, KeyError) as e:
            seen.fault = str(e)

    async def _answer(self, seen: Seen) -> web.StreamResponse:
        path = seen.target.partition("?")[0]
        if seen.method == "OPTIONS":
            return web.Response(status=204, headers=CORS)
        if path == "/health":
            return web.Response(text="OK")
        for method, pattern, handler in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and seen.method in method.split():
                args = [unquote(g) if g is not None else None for g in match.groups()]
                return await handler(self, seen, *args)
        if path.startswith("/_matrix/federation/"):
            self._federation(seen)
            return _json({})
        raise MatrixError(404, "M_UNRECOGNIZED", "Unrecognized request")

    def _federation(self, seen: Seen) -> str:
        """The origin of an authenticated request."""
        if seen.verified is None:
            raise MatrixError(401, "M_UNAUTHORIZED", f"Synapse would refuse: {seen.fault}")
        return seen.verified

    def _user(self, seen: Seen) -> str:
        """The user behind the request's token."""
        kind, _, token = (seen.get("Authorization") or "").partition(" ")
        if kind != "Bearer":
            token = parse_qs(seen.target.partition("?")[2]).get("access_token", [""])[0]
        if not token:
            raise MatrixError(401, "M_MISSING_TOKEN", "Missing access token")
        if token not in self.tokens:
            raise MatrixError(401, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
        return self.tokens[token]

    # Federation

    async def version(self, _: Seen) -> web.Response:
        return _json({"server": {"name": "Stand-in", "version": "1"}})

    async def userinfo(self, seen: Seen) -> web.Response:
        token = parse_qs(seen.target.partition("?")[2]).get("access_token", [""])[0]
        if token not in self.openid:
            raise MatrixError(401, "M_UNKNOWN_TOKEN", "Access Token unknown or expired")
        return _json({"sub": self.openid[token]})

    async def server_keys(self, _: Seen, __: str | None = None) -> web.Response:
        keys = {
            "server_name": self.name,
            "valid_until_ts": int(time.time() * 1000) + 86400_000,
            "verify_keys": {self.key.id: {"key": self.key.public_base64}},
            "old_verify_keys": {},
        }
        return _json(sign_json(keys, self.name, self.key.key))

    async def invite(self, seen: Seen, version: str) -> web.Response:
        origin = self._federation(seen)
        body = seen.json()
        event = body["event"] if version == "v2" else body
        if event["sender"].partition(":")[2] != origin:
            raise MatrixError(400, "M_UNKNOWN", "The invite event was not from the server sending it")
        event = sign_json(event, self.name, self.key.key)
        return _json({"event": event} if version == "v2" else [200, {"event": event}])

    async def transaction(self, seen: Seen) -> web.Response:
        self._federation(seen)
        return _json({"pdus": {}})

    async def query_profile(self, seen: Seen) -> web.Response:
        self._federation(seen)
        user = parse_qs(seen.target.partition("?")[2]).get("user_id", [""])[0]
        if user not in self.users:
            raise MatrixError(404, "M_NOT_FOUND", "No such user")
        return _json({"displayname": self.users[user]["displayname"]})

    async def remote_media(self, seen: Seen, media_id: str) -> web.Response:
        self._federation(seen)
        if media_id not in self.media:
            raise MatrixError(404, "M_NOT_FOUND", "Not found")
        parts = (b"Content-Type: application/json\r\n\r\n{}", b"\r\n" + self.media[media_id])
        body = b"".join(b"--b\r\n%s\r\n" % p for p in parts) + b"--b--\r\n"
        return web.Response(body=body, headers={"Content-Type": "multipart/mixed; boundary=b"})

    # Clients

    async def versions(self, _: Seen) -> web.Response:
        return _json({"versions": ["v1.11", "v1.16"]})

    async def login(self, seen: Seen) -> web.Response:
        if seen.method == "GET":
            return _json({"flows": [{"type": "m.login.password"}]})
        body = seen.json()
        user = body.get("identifier", {}).get("user", body.get("user", ""))
        mxid = user if user.startswith("@") else f"@{user}:{self.name}"
        if mxid not in self.users or self.users[mxid]["password"] != body.get("password"):
            raise MatrixError(403, "M_FORBIDDEN", "Invalid username or password")
        token = self._new_token(mxid)
        return _json({"user_id": mxid, "access_token": token, "device_id": "TEST"})

    async def logout(self, seen: Seen) -> web.Response:
        user = self._user(seen)
        for token in [t for t, u in self.tokens.items() if u == user]:
            del self.tokens[token]
        return _json({})

    async def whoami(self, seen: Seen) -> web.Response:
        return _json({"user_id": self._user(seen), "is_guest": False, "device_id": "TEST"})

    async def sync(self, seen: Seen) -> web.Response:
        """Nothing ever happens, so a sync with a timeout is held for that long."""
        self._user(seen)
        wait = int(parse_qs(seen.target.partition("?")[2]).get("timeout", ["0"])[0])
        await asyncio.sleep(wait / 1000)
        return _json({"next_batch": "s1", "rooms": {}})

    async def send(self, seen: Seen, *_: str) -> web.Response:
        self._user(seen)
        seen.json()
        return _json({"event_id": "$" + secrets.token_urlsafe(32)})

    async def join(self, seen: Seen, room: str, *_: str) -> web.Response:
        self._user(seen)
        return _json({"room_id": room})

    async def profile(self, seen: Seen, mxid: str, name: str | None = None) -> web.Response:
        if seen.method == "GET":
            if mxid not in self.users:
                raise MatrixError(404, "M_NOT_FOUND", "Profile was not found")
            shown = {k: v for k, v in self.users[mxid].items() if k not in ("admin", "password")}
            return _json({name: shown.get(name)} if name else shown)
        caller = self._user(seen)
        if caller != mxid and not self.users[caller]["admin"]:
            raise MatrixError(400, "M_FORBIDDEN", "Cannot set another user's profile")
        self.users[mxid][str(name)] = seen.json().get(name) if seen.method == "PUT" else ""
        return _json({})

    async def state(self, seen: Seen, *_: str) -> web.Response:
        self._user(seen)
        return _json({"event_id": "$state"} if seen.method == "PUT" else {"membership": "join"})

    async def upload(self, seen: Seen) -> web.Response:
        self._user(seen)
        media_id = secrets.token_hex(12)
        self.media[media_id] = seen.body
        return _json({"content_uri": f"mxc://{self.name}/{media_id}"})

    async def download(self, seen: Seen, _server: str, media_id: str) -> web.Response:
        self._user(seen)
        if media_id not in self.media:
            raise MatrixError(404, "M_NOT_FOUND", "Not found")
        body = self.media[media_id]
        return web.Response(body=body, headers={**CORS, "Content-Type": "application/octet-stream"})

    async def ok(self, seen: Seen, *_: str) -> web.Response:
        self._user(seen)
        return _json({})

    async def is_admin(self, seen: Seen, mxid: str) -> web.Response:
        if not self.users[self._user(seen)]["admin"]:
            raise MatrixError(403, "M_FORBIDDEN", "You are not a server admin")
        if mxid not in self.users:
            raise MatrixError(404, "M_NOT_FOUND", "User not found")
        return _json({"admin": self.users[mxid]["admin"]})


async def _watch(request: web.Request, seen: Seen) -> None:
    """Notices a peer that leaves before its answer."""
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.01)
    seen.gone.set()


def _json(value: Any, status: int = 200) -> web.Response:
    return web.json_response(value, status=status, headers=CORS)


_F, _C = "/_matrix/federation", "/_matrix/client/(?:api/v1|r0|v1|v3|unstable)"
_M = "/_matrix/media/(?:r0|v1|v3)"
_SEG = "([^/]*)"
_ROUTES: list[tuple[str, str, Callable[..., Awaitable[web.Response]]]] = [
    ("GET", f"{_F}/v1/version", Homeserver.version),
    ("GET", f"{_F}/v1/openid/userinfo", Homeserver.userinfo),
    ("GET", f"/_matrix/key/v2/server(?:/{_SEG})?", Homeserver.server_keys),
    ("PUT", f"{_F}/(v1|v2)/invite/[^/]+/[^/]+", Homeserver.invite),
    ("PUT", f"{_F}/v1/send/[^/]+", Homeserver.transaction),
    ("GET", f"{_F}/v1/query/profile", Homeserver.query_profile),
    ("GET", f"{_F}/v1/media/download/{_SEG}", Homeserver.remote_media),
    ("GET", "/_matrix/client/versions", Homeserver.versions),
    ("GET POST", f"{_C}/login", Homeserver.login),
    ("POST", f"{_C}/logout(?:/all)?", Homeserver.logout),
    ("GET", f"{_C}/account/whoami", Homeserver.whoami),
    ("GET", f"{_C}/sync", Homeserver.sync),
    ("PUT", f"{_C}/rooms/{_SEG}/send/{_SEG}/{_SEG}", Homeserver.send),
    ("GET PUT", f"{_C}/rooms/{_SEG}/state/{_SEG}(?:/{_SEG})?", Homeserver.state),
    ("POST PUT", f"{_C}/join/{_SEG}(?:/{_SEG})?", Homeserver.join),
    ("POST PUT", f"{_C}/rooms/{_SEG}/(?:join|invite|leave)(?:/{_SEG})?", Homeserver.ok),
    ("GET", f"{_C}/profile/{_SEG}", Homeserver.profile),
    ("GET PUT DELETE", f"{_C}/profile/{_SEG}/{_SEG}", Homeserver.profile),
    (
        "GET PUT DELETE",
        f"/_matrix/client/unstable/uk.tcpip.msc4133/profile/{_SEG}/{_SEG}",
        Homeserver.profile,
    ),
    ("POST", f"{_C}/createRoom", Homeserver.send),
    ("POST", f"{_M}/upload", Homeserver.upload),
    ("GET", f"/_matrix/client/v1/media/download/{_SEG}/{_SEG}", Homeserver.download),
    ("GET", f"/_synapse/admin/v1/users/{_SEG}/admin", Homeserver.is_admin),
]
