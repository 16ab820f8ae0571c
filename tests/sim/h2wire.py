# SPDX-License-Identifier: Apache-2.0
"""An HTTP/2 client of single frames: sends what it is given, keeps what comes.

Nothing is repaired: heads are encoded as given, windows opened only when asked to.  hpack and
hyperframe know the format of headers and frames, nothing else.
"""
from __future__ import annotations

import json as jsonlib
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable

from hpack import Decoder, Encoder, HeaderTuple
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from . import wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11


@dataclass
class Stream:
    """What came on one stream."""

    heads: list[dict[str, str]] = field(default_factory=list)  # of interim and final response
    body: bytearray = field(default_factory=bytearray)
    frames: int = 0  # of DATA
    ended: bool = False
    reset: int | None = None

    @property
    def head(self) -> dict[str, str]:
        return self.heads[-1]

    @property
    def status(self) -> int:
        return int(self.head[":status"])

    def json(self) -> Any:
        return jsonlib.loads(bytes(self.body))

    @property
    def errcode(self) -> str | None:
        return self.json().get("errcode")


class H2:
    """One connection; `settings` are sent at once, `window` is what the connection may hold."""

    def __init__(
        self,
        address: tuple[str, int],
        tls: ssl.SSLContext,
        sni: str | None,
        settings: dict[int, int] | None = None,
        window: int = 1 << 30,
        receive_buffer: int = 0,
    ) -> None:
        self.raw = socket.socket()
        self.raw.settimeout(wire.TIMEOUT)
        if receive_buffer:
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.raw.connect(address)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls.set_alpn_protocols(["h2"])
        self.sock = tls.wrap_socket(self.raw, server_hostname=sni)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.encoder, self.decoder = Encoder(), Decoder()
        self.held = b""
        self.closed = False
        self.goaways: list[GoAwayFrame] = []
        self.pongs: list[bytes] = []
        self.settings: dict[int, int] = {}
        self.windows: dict[int, int] = {}  # increments by stream
        self.streams: dict[int, Stream] = {}
        self.answer_pings = True
        self.next = 1
        self.send_bytes(PREFACE)
        self.send(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: window, **(settings or {})}))
        if window > 65535:
            self.send(WindowUpdateFrame(0, window_increment=window - 65535))

    def __enter__(self) -> "H2":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    # Sending

    def send_bytes(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send(self, *frames: Frame) -> None:
        self.send_bytes(b"".join(f.serialize() for f in frames))

    def encode(self, fields: Iterable[tuple[Any, Any]]) -> bytes:
        """A header block; the server's table follows ours."""
        return self.encoder.encode([HeaderTuple(n, v) for n, v in fields])

    def headers(self, fields: Iterable[tuple[Any, Any]], end: bool = True, id: int | None = None) -> int:
        """Sends one HEADERS frame with exactly these fields; returns the stream's number."""
        if id is None:
            id, self.next = self.next, self.next + 2
            self.streams[id] = Stream()
        flags = ["END_HEADERS"] + ["END_STREAM"] * end
        self.send(HeadersFrame(id, self.encode(fields), flags=flags))
        return id

    def begin(self, method: str, path: str, *fields: tuple[Any, Any], end: bool = True,
              authority: str = "matrix.alpha.test") -> int:
        """Sends a well-formed request head; returns the stream's number."""
        pseudo = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
        return self.headers([*pseudo, *fields], end)

    def data(self, id: int, data: bytes, end: bool = True, **how: Any) -> None:
        self.send(DataFrame(id, data, flags=["END_STREAM"] * end + ["PADDED"] * ("pad_length" in how), **how))

    def upload(self, id: int, data: bytes) -> None:
        """A whole body, as fast as the server's windows allow."""
        initial = self.settings[SettingsFrame.INITIAL_WINDOW_SIZE]
        sent = 0
        while sent < len(data):
            room = min(
                65535 + self.windows.get(0, 0), initial + self.windows.get(id, 0)
            ) - sent
            if room <= 0:
                self.read_frame()
                continue
            piece = data[sent : sent + min(room, 16384)]
            sent += len(piece)
            self.data(id, piece, end=sent == len(data))

    def grant(self, n: int, *ids: int) -> None:
        self.send(*(WindowUpdateFrame(id, window_increment=n) for id in ids))

    def cancel(self, id: int, code: int = CANCEL) -> None:
        self.send(RstStreamFrame(id, error_code=code))

    # Receiving

    def _more(self) -> bool:
        try:
            piece = self.sock.recv(65536)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            piece = b""
        self.held += piece
        self.closed |= not piece
        return bool(piece)

    def read_frame(self) -> bool:
        """Reads and notes one frame; False when the server has closed."""
        while len(self.held) < 9 or len(self.held) < 9 + int.from_bytes(self.held[:3], "big"):
            if not self._more():
                return False
        frame, n = Frame.parse_frame_header(memoryview(self.held)[:9])
        frame.parse_body(memoryview(self.held)[9 : 9 + n])
        self.held = self.held[9 + n :]
        self._note(frame)
        return True

    def _note(self, f: Frame) -> None:
        s = self.streams.setdefault(f.stream_id, Stream()) if f.stream_id else Stream()
        if isinstance(f, HeadersFrame):
            assert "END_HEADERS" in f.flags
            s.heads.append({str(n): str(v) for n, v in self.decoder.decode(f.data)})
        elif isinstance(f, DataFrame):
            s.body += f.data
            s.frames += 1
        elif isinstance(f, RstStreamFrame):
            s.reset = f.error_code
        elif isinstance(f, GoAwayFrame):
            self.goaways.append(f)
        elif isinstance(f, WindowUpdateFrame):
            self.windows[f.stream_id] = self.windows.get(f.stream_id, 0) + f.window_increment
        elif isinstance(f, SettingsFrame) and "ACK" not in f.flags:
            self.settings.update(f.settings)
            self.send(SettingsFrame(0, flags=["ACK"]))
        elif isinstance(f, PingFrame):
            if "ACK" in f.flags:
                self.pongs.append(f.opaque_data)
            elif self.answer_pings:
                self.send(PingFrame(0, f.opaque_data, flags=["ACK"]))
        s.ended |= "END_STREAM" in f.flags

    def until(self, what: Callable[[], object]) -> None:
        """Reads frames until it is true."""
        while not what():
            if not self.read_frame():
                raise wire.WireError(f"closed early; {self.goaways}")

    def read(self, id: int) -> Stream:
        """The whole answer, or the reset, of one stream."""
        s = self.streams[id]
        self.until(lambda: s.ended or s.reset is not None)
        return s

    def settle(self) -> "H2":
        """Waits for the server's settings."""
        self.until(lambda: self.settings)
        return self

    def ended(self) -> list[int]:
        """Reads until the server closes; the codes of its GOAWAYs."""
        while self.read_frame():
            pass
        return [g.error_code for g in self.goaways]

    def ask(self, method: str, path: str, *fields: tuple[Any, Any], body: bytes | None = None,
            **how: Any) -> Stream:
        """One request and its answer."""
        id = self.begin(method, path, *fields, end=body is None, **how)
        if body is not None:
            self.data(id, body)
        return self.read(id)

    def split_headers(self, fields: Iterable[tuple[Any, Any]], pieces: int) -> int:
        """A head in HEADERS and CONTINUATION frames."""
        id, self.next = self.next, self.next + 2
        self.streams[id] = Stream()
        block = self.encode(fields)
        size = len(block) // pieces + 1
        parts = [block[i : i + size] for i in range(0, len(block), size)]
        first = HeadersFrame(id, parts[0], flags=["END_STREAM"])
        rest = [ContinuationFrame(id, p) for p in parts[1:]]
        (rest or [first])[-1].flags.add("END_HEADERS")
        self.send(first, *rest)
        return id


def fields_of(method: str, path: str, *fields: tuple[Any, Any]) -> list[tuple[Any, Any]]:
    pseudo = [(":method", method), (":scheme", "https"), (":authority", "matrix.alpha.test"), (":path", path)]
    return [*pseudo, *fields]
