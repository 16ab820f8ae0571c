# SPDX-License-Identifier: Apache-2.0
"""The other servers of the soak, all in one process; each checks what reaches it.

Reads as JSON from standard input who they are, writes their ports as JSON in one line, and when it is told
to end (SIGTERM), what was wrong.  How they behave:

  steady  answers
  moody   shows one certificate after the other, most of them bad
  fickle  breaks off all connections now and then, and listens to nobody for a while
  slow    answers in pieces, with pauses
  silent  must never be connected to
  guest   no Matrix server: everything is taken, nothing is signed
"""
import asyncio
import hashlib
import json
import logging
import pathlib
import random
import signal
import ssl
import sys
from typing import Any

from aiohttp import web

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]
from sim import xmatrix  # noqa: E402
from sim.rawserver import server_context  # noqa: E402
from soak.backend import SMALL, download  # noqa: E402

FIELDS = {"host", "user-agent", "authorization", "content-type", "content-length"}
TURN = 1.5  # seconds with one certificate, or without anybody who listens


class Remote:
    """One of them; `faults` is shared."""

    def __init__(self, who: dict[str, Any], own: dict[str, Any], faults: list[str]) -> None:
        self.who, self.own, self.faults = who, own, faults
        self.way, self.name = who["way"], who["host"]
        self.good, *self.bad = (server_context(*files) for files in who["certificates"])
        self.shown = self.good
        self.seen: set[str] = set()
        self.front = server_context(*who["certificates"][0])
        self.front.sni_callback = self._choose
        app = web.Application(client_max_size=1 << 26, middlewares=[self._guard])
        app.router.add_get("/_matrix/federation/v1/media/download/{n}", download)
        app.router.add_route("*", "/{_:.*}", self._answer)
        self.runner = web.AppRunner(app, access_log=None)
        self.listeners: list[asyncio.Server] = []

    def _choose(self, connection: Any, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self.shown

    def fault(self, text: str) -> None:
        self.faults.append(f"at {self.name}: {text}")

    # Requests

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        assert request.transport is not None
        if request.transport.get_extra_info("ssl_object").context is not self.good:
            self.fault("a request came although the certificate is bad")
        if self.way != "guest":
            await self._check(request)
        if self.way == "slow":
            await asyncio.sleep(random.random())
        return await handler(request)

    async def _check(self, request: web.Request) -> None:
        """The homeserver's signature and nothing that does not belong to federation."""
        more = {n.lower() for n in request.headers} - FIELDS
        if more:
            self.fault(f"fields {more}")
        name, keys = self.own["name"], xmatrix.SigningKey("a_test", self.own["key"])
        try:
            xmatrix.verified_origin(
                request.headers.getall("Authorization", []), request.method, request.raw_path,
                await request.read(), self.name, {name: [keys.public]})
        except ValueError as e:
            self.fault(f"{request.method} {request.raw_path[:80]}: {e}")
        if request.method == "PUT" and self.way != "fickle":
            if request.raw_path in self.seen:
                self.fault(f"{request.raw_path} came a second time")
            self.seen.add(request.raw_path)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        said = json.dumps({"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
                          if request.method in ("PUT", "POST") else SMALL).encode()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if self.way != "slow":
            response.content_length = len(said)
        await response.prepare(request)
        if self.way == "slow":
            await response.write(said[:7])
            await asyncio.sleep(random.random())
            said = said[7:]
        await response.write(said)
        await response.write_eof()
        return response

    # Life

    def _connected(self) -> asyncio.Protocol:
        if self.way == "silent":
            self.fault("somebody connects")
        assert self.runner.server is not None
        return self.runner.server()

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        for address in self.who["addresses"]:
            port = self.who["port"]
            server = await loop.create_server(
                self._connected, address, port, ssl=self.front, backlog=256, reuse_address=True)
            self.listeners.append(server)
            self.who["port"] = server.sockets[0].getsockname()[1]
        self.name = f"{self.who['host']}:{self.who['port']}" if self.who["port_in_name"] else self.who["host"]

    async def change(self) -> None:
        while True:
            await asyncio.sleep(TURN * 2)
            if self.way == "moody":
                for self.shown in (*self.bad, self.good):
                    self.break_off()
                    await asyncio.sleep(TURN)
            elif self.way == "fickle":
                for listener in self.listeners:
                    listener.close()
                self.listeners = []
                self.break_off()
                await asyncio.sleep(TURN)
                await self.listen()

    def break_off(self) -> None:
        assert self.runner.server is not None
        for connection in list(self.runner.server.connections):
            if connection.transport is not None:
                connection.transport.abort()


async def main() -> None:
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # who leaves is part of it
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # handshakes that are broken off, too
    how = json.load(sys.stdin)
    faults: list[str] = []
    remotes = [Remote(who, how["own"], faults) for who in how["remotes"]]
    for remote in remotes:
        await remote.runner.setup()
        await remote.listen()
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    print(json.dumps({r.who["host"]: r.who["port"] for r in remotes}), flush=True)
    changes = [asyncio.create_task(r.change()) for r in remotes if r.way in ("moody", "fickle")]
    await over.wait()
    for change in changes:
        change.cancel()
    print(json.dumps(faults), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
