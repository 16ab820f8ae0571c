# SPDX-License-Identifier: Apache-2.0
"""Traffic of every kind that goes on while something is done to the proxy.

Nobody repeats a request (but see _h2): whatever fails is a fault.  A client gives up a connection only after the
proxy has announced its end.
"""
from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import Callable

from aiohttp import web

from harness import PKI, World, until
from sim import wire
from sim.h2wire import H2

HOST = ("Host", "matrix.alpha.test")
PATH = "/_matrix/client/versions"
POLL = "/_matrix/client/v3/sync?timeout=700"
UPLOAD = "/_matrix/media/v3/upload"
PIECE, PIECES = 4000, 12
WAITING = 250  # connections; more than workers accept in one turn


async def _slow(seen, _):
    """Long polls take their time."""
    if seen.target == POLL:
        await asyncio.sleep(0.7)
        return web.json_response({})
    return None


def all_served(w: World, connections: list[socket.socket]) -> None:
    """Each of them, connected and no more until now, gets an answer."""
    for s in connections:
        s.settimeout(wire.TIMEOUT)
        with w.tls.wrap_socket(s, server_hostname="matrix.alpha.test") as c:
            c.sendall(wire.request("GET", PATH, [HOST]))
            assert c.recv(12) == b"HTTP/1.1 200"


class Load:
    """Runs from the beginning of the block to its end."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.faults: list[str] = []
        self.done = dict.fromkeys(("kept", "fresh", "poll", "upload", "h2"), 0)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        w.homeserver.script = _slow
        kinds: list[tuple[str, Callable[[], None]]] = [("kept", self._kept)] * 4
        kinds += [("fresh", self._fresh)] * 2 + [("poll", self._poll)] * 2
        kinds += [("upload", self._upload)] + [("h2", self._h2)] * 2
        self._threads = [threading.Thread(target=self._run, args=kind) for kind in kinds]

    def __enter__(self) -> "Load":
        for t in self._threads:
            t.start()
        self.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for t in self._threads:
            t.join()

    def wait(self) -> None:
        """Until each kind has succeeded once more."""
        before = dict(self.done)
        until(
            "traffic of every kind",
            lambda: self.faults or all(self.done[k] > before[k] for k in before),
        )

    def _run(self, kind: str, work: Callable[[], None]) -> None:
        while not self._stop.is_set():
            try:
                work()
            except Exception as e:  # shown by the main thread
                self.faults.append(f"{time.strftime('%H:%M:%S')} {kind}: {e!r}")
                return

    def _count(self, kind: str) -> None:
        with self._lock:
            self.done[kind] += 1

    def _ask(self, c: wire.Connection, kind: str, target: str) -> bool:
        """Whether the connection can be used again."""
        a = c.ask("GET", target, [HOST])
        assert a.status == 200, a
        self._count(kind)
        return (a.get("Connection") or "").lower() != "close"

    def _kept(self) -> None:
        with self.w.connect() as c:
            while self._ask(c, "kept", PATH) and not self._stop.is_set():
                time.sleep(0.01)

    def _fresh(self) -> None:
        with self.w.connect() as c:
            self._ask(c, "fresh", PATH)

    def _poll(self) -> None:
        with self.w.connect() as c:
            while self._ask(c, "poll", POLL) and not self._stop.is_set():
                pass

    def _h2(self) -> None:
        """A request that a GOAWAY says was not taken may be sent again, no other."""
        with H2(self.w.address, wire.tls_context(PKI.web_root.pem), HOST[1]) as c:
            while not c.goaways and not self._stop.is_set():
                id = c.begin("GET", PATH)
                try:
                    s = c.read(id)
                except wire.WireError:
                    assert c.goaways and c.goaways[-1].last_stream_id < id, c.goaways
                    return
                assert s.status == 200, s
                self._count("h2")
                time.sleep(0.01)

    def _upload(self) -> None:
        """A body that takes about a second to arrive."""
        with self.w.connect() as c:
            c.send(wire.request("POST", UPLOAD, [
                HOST,
                ("Authorization", f"Bearer {self.w.token}"),
                ("Content-Type", "text/plain"),
                ("Content-Length", str(PIECE * PIECES)),
            ]))
            for _ in range(PIECES):
                c.send(b"x" * PIECE)
                time.sleep(0.08)
            a = c.read("POST")
            assert a.status == 200, a
        self._count("upload")
