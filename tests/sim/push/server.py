# SPDX-License-Identifier: Apache-2.0
"""What the simulated providers share: a TLS server that speaks HTTP/2 and HTTP/1.1 and keeps records.

One asyncio loop in a thread of its own for each server.  A subclass answers requests in `judge()`; a
test decides otherwise with `script` (the next requests, in order) or `rule` (any request).  What no
sound client would send is refused as the vendor does and noted in `faults`.
"""
from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable, Union

from ..background import LoopThread
from ..redisd import free_port
from . import h1, h2

DEADLINE = 30.0


@dataclass
class Reply:
    """An ordinary answer; a body that is no bytes becomes JSON."""

    status: int
    body: Any = b""
    fields: Iterable[tuple[str, str]] = ()
    delay: float = 0.0  # seconds before it is sent

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def head(self) -> list[tuple[str, str]]:
        kind = [] if isinstance(self.body, bytes) else [("content-type", "application/json; charset=UTF-8")]
        return [*kind, *self.fields]


@dataclass
class GoAway:
    """HTTP/2: the server ends the connection, this request not processed; HTTP/1.1: as Close."""

    reason: str = "Shutdown"


@dataclass
class Reset:
    """HTTP/2: RST_STREAM with this code; HTTP/1.1: as Close."""

    code: int = h2.REFUSED_STREAM


@dataclass
class Close:
    """The connection breaks without an answer."""


@dataclass
class Hang:
    """No answer, ever."""


Action = Union[Reply, GoAway, Reset, Close, Hang]


@dataclass
class Request:
    """A request as it arrived."""

    method: str
    path: str
    authority: str
    fields: list[tuple[str, str]]  # without pseudo-headers; names in lower case
    body: bytes
    raw: bytes  # everything that was said in it, header compression undone
    link: "Link"
    at: float = field(default_factory=time.monotonic)
    wall: float = field(default_factory=time.time)
    action: Action | None = None  # what became of it

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.fields if n == name]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def status(self) -> int:
        """Of our answer; 0 when there was none."""
        return self.action.status if isinstance(self.action, Reply) else 0


class Link(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.notes: dict[str, Any] = {}  # what the provider remembers of it
        self.codec: h1.Codec | h2.Codec | None = None
        self.transport: Any = None
        self.number = 0

    def connection_made(self, transport: Any) -> None:
        tls = transport.get_extra_info("ssl_object")
        self.transport = transport
        self.certificate: bytes | None = tls.getpeercert(True)
        self.protocol = tls.selected_alpn_protocol() or "http/1.1"
        self.server.joined(self)
        if self.protocol not in self.server.PROTOCOLS:
            self.server.fault(f"a connection without {' or '.join(self.server.PROTOCOLS)} (ALPN)")
            transport.abort()
        elif self.protocol == "h2":
            self.codec = h2.Codec(self, self.server.first_streams(self))
        else:
            self.codec = h1.Codec(self)

    def data_received(self, data: bytes) -> None:
        if self.codec is not None:
            self.codec.feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.links.discard(self)
        if self.codec is not None:
            self.codec.closed()
            self.codec = None

    # What the codecs need

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def close(self) -> None:
        self.transport.close()

    def abort(self) -> None:
        """RST, not FIN, if anything is unread; nothing more is said in any case."""
        self.transport.abort()

    def fault(self, text: str) -> None:
        self.server.fault(text)

    def request(self, method: str, path: str, authority: str, fields: list[tuple[str, str]], body: bytes,
                raw: bytes, answer: Callable[[Action], None]) -> None:
        """A request is complete; `answer` takes what is to be said to it."""
        self.server.handle(Request(method, path, authority, fields, body, raw, self), answer)

    def allow_streams(self, n: int) -> None:
        if isinstance(self.codec, h2.Codec):
            self.codec.allow_streams(n)


class Server:
    """Serves from the start until close(); down() and up() are an outage."""

    PROTOCOLS: tuple[str, ...] = ("h2", "http/1.1")
    STREAMS = 100  # of one connection at the same time
    HOST = "localhost"

    def __init__(self, files: tuple[Path, Path], *, client_ca: bytes | None = None, host: str = "",
                 address: str = "127.0.0.1", port: int = 0, keep: bool = True) -> None:
        """`files`: certificate and key; `keep` False: requests are counted and forgotten."""
        self.host = host or self.HOST
        self.address, self.port = address, port or free_port()
        self.keep = keep
        self.requests: list[Request] = []
        self.counted = 0
        self.accepted = 0  # answered with 2xx
        self.cancelled = 0  # requests the client gave up
        self.connections = 0
        self.faults: list[str] = []
        self.links: set[Link] = set()
        self.script: deque[Action] = deque()
        self.rule: Callable[[Request], Action | None] | None = None
        self.pause = 0.0  # seconds before every answer
        self.on_request: Callable[[Request], None] | None = None
        self.on_fault: Callable[[str], None] | None = None
        self._changed = threading.Condition()
        self._tls = self._context(files, client_ca)
        self._thread = LoopThread()
        self._listener: asyncio.AbstractServer | None = None
        self.up()

    def _context(self, files: tuple[Path, Path], client_ca: bytes | None) -> ssl.SSLContext:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.minimum_version = ssl.TLSVersion.TLSv1_2
        ctx.load_cert_chain(*map(str, files))
        ctx.set_alpn_protocols(list(self.PROTOCOLS))
        if client_ca is not None:
            ctx.load_verify_locations(cadata=client_ca.decode())
            ctx.verify_mode = ssl.CERT_OPTIONAL
        return ctx

    @property
    def url(self) -> str:
        """Its origin."""
        return f"https://{self.host}:{self.port}"

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Its life

    def up(self) -> None:
        async def listen() -> asyncio.AbstractServer:
            return await asyncio.get_running_loop().create_server(
                lambda: Link(self), self.address, self.port, ssl=self._tls, backlog=512,
                reuse_address=True, family=socket.AF_INET6 if ":" in self.address else socket.AF_INET,
            )

        self._listener = self._thread.run(listen())

    def down(self) -> None:
        """New connections are refused, those that exist break."""

        async def stop() -> None:
            assert self._listener is not None
            self._listener.close()
            for link in list(self.links):
                link.abort()

        self._thread.run(stop())

    def drop(self) -> None:
        """Every connection breaks; new ones are welcome."""
        self._on_loop(lambda: [link.abort() for link in list(self.links)])

    def go_away(self, reason: str = "Shutdown") -> None:
        """Every HTTP/2 connection gets a GOAWAY and ends once its requests are answered."""
        codecs = lambda: [link.codec for link in list(self.links)]  # noqa: E731
        self._on_loop(lambda: [c.go_away(reason) for c in codecs() if isinstance(c, h2.Codec)])

    def _on_loop(self, work: Callable[[], Any]) -> None:
        async def run() -> None:
            work()

        self._thread.run(run())

    def close(self) -> None:
        self.down()
        self._thread.stop()

    # Records

    def joined(self, link: Link) -> None:
        self.connections += 1
        link.number = self.connections
        self.links.add(link)

    def fault(self, text: str) -> None:
        with self._changed:
            self.faults.append(text)
            self._changed.notify_all()
        if self.on_fault is not None:
            self.on_fault(text)

    def forget(self) -> None:
        with self._changed:
            self.requests.clear()
            self.counted = self.accepted = 0

    def wait(self, n: int = 1, deadline: float = DEADLINE) -> list[Request]:
        """All requests, as soon as there are n of them."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.counted >= n, deadline):
                raise AssertionError(f"{self.counted} of {n} requests; faults: {self.faults}")
            return list(self.requests)

    def delivered(self) -> list[Request]:
        """Those answered with 2xx."""
        with self._changed:
            return [r for r in self.requests if 200 <= r.status < 300]

    def raw(self) -> bytes:
        """All that was ever said here."""
        with self._changed:
            return b"\n".join(r.raw for r in self.requests)

    # Answering

    def first_streams(self, link: Link) -> int:
        """What SETTINGS_MAX_CONCURRENT_STREAMS says first."""
        return self.STREAMS

    def judge(self, r: Request) -> Action:
        """The answer of the real provider."""
        raise NotImplementedError

    def refused(self, why: str, reply: Reply) -> Reply:
        """A refusal that the client deserves: it is noted."""
        self.fault(f"{type(self).__name__}: {why}")
        return reply

    def decide(self, r: Request) -> Action:
        """What breaks the protocol is refused whatever a test wants; else its wish comes first."""
        action = self.judge(r)
        if isinstance(action, Reply) and action.status < 300:
            wish = self.script.popleft() if self.script else None
            if wish is None and self.rule is not None:
                wish = self.rule(r)
            action = wish or action
        return action

    def handle(self, r: Request, answer: Callable[[Action], None]) -> None:
        if r.path.startswith("/_sim/"):
            answer(self.status(r))
            return
        action = self.decide(r)
        r.action = action
        with self._changed:
            self.counted += 1
            self.accepted += isinstance(action, Reply) and 200 <= action.status < 300
            if self.keep:
                self.requests.append(r)
            self._changed.notify_all()
        if self.on_request is not None:
            self.on_request(r)
        delay = self.pause + (action.delay if isinstance(action, Reply) else 0)
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, answer, action)
        else:
            answer(action)

    def status(self, r: Request) -> Reply:
        """GET /_sim/status: for whoever runs the simulator in a process of its own."""
        known = {"requests": self.counted, "accepted": self.accepted, "connections": self.connections}
        return Reply(200, {**known, "faults": self.faults})
