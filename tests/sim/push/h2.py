# SPDX-License-Identifier: Apache-2.0
"""The server's side of HTTP/2 (RFC 9113) for requests with small bodies, strict with the client.

hpack decodes; frames are taken apart here, so that thousands of requests a second are possible.
"""
from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hpack import Decoder, HPACKError

if TYPE_CHECKING:
    from .server import Link

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED = range(6)
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 6, 7, 8, 9
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 3, 4, 5, 6
WINDOW = 65535
FRAME_MAX = 16384
HEAD_MAX = 8000  # as Apple announces
NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
CONNECTION_FIELDS = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
PSEUDO = {":method", ":scheme", ":authority", ":path"}


class Broken(Exception):
    """The client broke the protocol: the connection ends with this code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Stream:
    fields: list[tuple[str, str]]
    body: bytearray = field(default_factory=bytearray)
    window: int = WINDOW  # what we may send
    granted: int = WINDOW  # what the client may send
    held: bytes = b""  # of our answer's body, for want of window
    complete: bool = False  # we have the whole request


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def _string(text: str) -> bytes:
    data = text.encode()
    n = len(data)
    if n < 127:
        return bytes([n]) + data
    n -= 127
    size = b"\x7f"
    while n >= 128:
        size += bytes([n & 127 | 128])
        n >>= 7
    return size + bytes([n]) + data


def encode(status: int, fields: list[tuple[str, str]]) -> bytes:
    """A head of literals without indexing: nothing is remembered between answers."""
    out = b"\x88" if status == 200 else b"\x08" + _string(str(status))
    return out + b"".join(b"\0" + _string(n) + _string(v) for n, v in fields)


def check_head(fields: list[tuple[str, str]]) -> str:
    """What is wrong with a request's head (RFC 9113, 8.2 and 8.3); "" if nothing is."""
    pseudo = [n for n, _ in fields if n.startswith(":")]
    if [n for n, _ in fields[: len(pseudo)]] != pseudo:
        return "a pseudo-header behind ordinary ones"
    if sorted(pseudo) != sorted(PSEUDO):
        return f"pseudo-headers {pseudo}"
    for name, value in fields[len(pseudo) :]:
        if not NAME.fullmatch(name):
            return f"the header name {name!r}"
        if name in CONNECTION_FIELDS or (name == "te" and value != "trailers"):
            return f"{name} in HTTP/2"
        if value != value.strip(" \t") or re.search(r"[\0\r\n]", value):
            return f"the value of {name}"
    return ""


class Codec:
    """One connection."""

    def __init__(self, link: Link, streams: int) -> None:
        self.link = link
        self.buffer = b""
        self.greeted = False
        self.settled = False  # the client's first SETTINGS are here
        self.decoder = Decoder()
        self.decoder.max_header_list_size = 65536
        self.streams: dict[int, Stream] = {}
        self.last = 0
        self.block: tuple[int, int, bytearray] | None = None  # stream, flags, header block so far
        self.window = WINDOW
        self.granted = WINDOW
        self.initial = WINDOW  # of the client's streams, for what we send
        self.limit = streams
        self.unacknowledged: list[int] = []
        self.in_force: float = float("inf")  # the limit the client has acknowledged
        self.leaving = False
        self.allow_streams(streams)

    def allow_streams(self, n: int) -> None:
        """Announces how many streams there may be."""
        self.limit = n
        self.unacknowledged.append(n)
        values = ((MAX_CONCURRENT_STREAMS, n), (MAX_FRAME_SIZE, FRAME_MAX), (MAX_HEADER_LIST_SIZE, HEAD_MAX))
        self.send(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *v) for v in values))

    def send(self, kind: int, flags: int, stream: int, payload: bytes = b"") -> None:
        self.link.write(frame(kind, flags, stream, payload))

    def closed(self) -> None:
        waiting = len(self.streams)
        self.link.server.cancelled += waiting
        self.streams.clear()

    # Receiving

    def feed(self, data: bytes) -> None:
        self.buffer += data
        try:
            self._feed()
        except Broken as e:
            self.link.fault(f"HTTP/2: {e}")
            self.send(GOAWAY, 0, 0, struct.pack(">II", self.last, e.code))
            self.link.close()
            self.buffer = b""

    def _feed(self) -> None:
        if not self.greeted:
            if not PREFACE.startswith(self.buffer[: len(PREFACE)]):
                raise Broken(PROTOCOL_ERROR, "the preface is wrong")
            if len(self.buffer) < len(PREFACE):
                return
            self.greeted, self.buffer = True, self.buffer[len(PREFACE) :]
        at = 0
        while len(self.buffer) - at >= 9:
            size_kind, flags, stream = struct.unpack_from(">IBI", self.buffer, at)
            size, kind, stream = size_kind >> 8, size_kind & 255, stream & 0x7FFFFFFF
            if size > FRAME_MAX:
                raise Broken(FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            if len(self.buffer) - at - 9 < size:
                break
            self._frame(kind, flags, stream, self.buffer[at + 9 : at + 9 + size])
            at += 9 + size
        self.buffer = self.buffer[at:]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if not self.settled and (kind != SETTINGS or flags & ACK):
            raise Broken(PROTOCOL_ERROR, "the first frame is no SETTINGS")
        if self.block is not None and (kind != CONTINUATION or stream != self.block[0]):
            raise Broken(PROTOCOL_ERROR, "a header block is interrupted")
        if kind == DATA:
            self._data(stream, flags, payload)
        elif kind == HEADERS:
            self._headers(stream, flags, payload)
        elif kind == CONTINUATION:
            self._continuation(stream, flags, payload)
        elif kind == SETTINGS:
            self._settings(stream, flags, payload)
        elif kind == PING:
            if len(payload) != 8 or stream:
                raise Broken(FRAME_SIZE_ERROR, "a malformed PING")
            if not flags & ACK:
                self.send(PING, ACK, 0, payload)
        elif kind == WINDOW_UPDATE:
            self._window(stream, payload)
        elif kind == RST_STREAM:
            if stream == 0 or stream > self.last:
                raise Broken(PROTOCOL_ERROR, "RST_STREAM of an idle stream")
            self.link.server.cancelled += self.streams.pop(stream, None) is not None
        elif kind == PUSH_PROMISE:
            raise Broken(PROTOCOL_ERROR, "PUSH_PROMISE from a client")

    @staticmethod
    def _unpadded(flags: int, payload: bytes) -> bytes:
        if not flags & PADDED:
            return payload
        if not payload or payload[0] >= len(payload):
            raise Broken(PROTOCOL_ERROR, "more padding than frame")
        return payload[1 : len(payload) - payload[0]]

    def _headers(self, stream: int, flags: int, payload: bytes) -> None:
        if stream in self.streams:
            raise Broken(PROTOCOL_ERROR, "trailers")
        if stream % 2 == 0 or stream <= self.last:
            raise Broken(PROTOCOL_ERROR, f"stream {stream} behind stream {self.last}")
        self.last = stream
        block = self._unpadded(flags, payload)
        if flags & WITH_PRIORITY:
            block = block[5:]
        self.block = stream, flags, bytearray(block)
        if flags & END_HEADERS:
            self._head()

    def _continuation(self, stream: int, flags: int, payload: bytes) -> None:
        if self.block is None:
            raise Broken(PROTOCOL_ERROR, "CONTINUATION of nothing")
        self.block[2].extend(payload)
        if flags & END_HEADERS:
            self._head()

    def _head(self) -> None:
        assert self.block is not None
        (stream, flags, block), self.block = self.block, None
        try:
            fields = [(str(n), str(v)) for n, v in self.decoder.decode(bytes(block))]
        except (HPACKError, UnicodeDecodeError) as e:
            raise Broken(COMPRESSION_ERROR, f"header compression: {e}") from None
        if sum(len(n) + len(v) + 32 for n, v in fields) > HEAD_MAX:
            self.link.fault("HTTP/2: a head above the announced size")
        if problem := check_head(fields):
            self.link.fault(f"HTTP/2: {problem}")
            self.reset(stream, PROTOCOL_ERROR)
        elif self.leaving:
            return  # above the GOAWAY's last stream: ignored
        elif len(self.streams) >= self.limit:
            if len(self.streams) >= self.in_force:
                self.link.fault(f"HTTP/2: more than {self.in_force} streams")
            self.reset(stream, REFUSED_STREAM)
        else:
            self.streams[stream] = Stream(fields, window=self.initial)
            if flags & END_STREAM:
                self._complete(stream)

    def _data(self, stream: int, flags: int, payload: bytes) -> None:
        self.granted -= len(payload)
        if stream == 0 or stream > self.last:
            raise Broken(PROTOCOL_ERROR, "DATA of an idle stream")
        if self.granted < 0:
            raise Broken(FLOW_CONTROL_ERROR, "more DATA than the connection's window")
        if self.granted < WINDOW // 2:
            self.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - self.granted))
            self.granted = WINDOW
        s = self.streams.get(stream)
        if s is None:
            return  # refused or reset by us
        if s.complete:
            raise Broken(STREAM_CLOSED, "DATA behind the end of a request")
        s.granted -= len(payload)
        if s.granted < 0:
            raise Broken(FLOW_CONTROL_ERROR, "more DATA than the stream's window")
        s.body += self._unpadded(flags, payload)
        if flags & END_STREAM:
            self._complete(stream)
        elif s.granted < WINDOW // 2:
            self.send(WINDOW_UPDATE, 0, stream, struct.pack(">I", WINDOW - s.granted))
            s.granted = WINDOW

    def _settings(self, stream: int, flags: int, payload: bytes) -> None:
        if stream or len(payload) % 6 or (flags & ACK and payload):
            raise Broken(FRAME_SIZE_ERROR, "malformed SETTINGS")
        if flags & ACK:
            if not self.unacknowledged:
                raise Broken(PROTOCOL_ERROR, "SETTINGS acknowledged that were never sent")
            self.in_force = self.unacknowledged.pop(0)
            return
        self.settled = True
        for at in range(0, len(payload), 6):
            name, value = struct.unpack_from(">HI", payload, at)
            if name == INITIAL_WINDOW_SIZE:
                for s in self.streams.values():
                    s.window += value - self.initial
                self.initial = value
        self.send(SETTINGS, ACK, 0)
        self._flush()

    def _window(self, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Broken(FRAME_SIZE_ERROR, "a malformed WINDOW_UPDATE")
        n = struct.unpack(">I", payload)[0] & 0x7FFFFFFF
        if n == 0:
            raise Broken(PROTOCOL_ERROR, "a WINDOW_UPDATE of nothing")
        if stream == 0:
            self.window += n
        elif (s := self.streams.get(stream)) is not None:
            s.window += n
        self._flush()

    def _complete(self, stream: int) -> None:
        s = self.streams[stream]
        s.complete = True
        pseudo = {n: v for n, v in s.fields if n.startswith(":")}
        fields = [(n, v) for n, v in s.fields if not n.startswith(":")]
        lengths = [v for n, v in fields if n == "content-length"]
        if lengths and lengths != [str(len(s.body))]:
            self.link.fault(f"HTTP/2: content-length {lengths}, {len(s.body)} bytes came")
            self.reset(stream, PROTOCOL_ERROR)
            return
        if pseudo[":scheme"] != "https":
            self.link.fault(f"HTTP/2: :scheme {pseudo[':scheme']}")
        text = "".join(f"{n}: {v}\r\n" for n, v in s.fields)
        body = bytes(s.body)
        self.link.request(pseudo[":method"], pseudo[":path"], pseudo[":authority"], fields, body,
                          text.encode() + b"\r\n" + body, lambda action: self.answer(stream, action))

    # Sending

    def reset(self, stream: int, code: int) -> None:
        self.streams.pop(stream, None)
        self.send(RST_STREAM, 0, stream, struct.pack(">I", code))
        self._perhaps_leave()

    def answer(self, stream: int, action: Any) -> None:
        from . import server

        if stream not in self.streams:
            return  # given up by the client
        if isinstance(action, server.Reply):
            self._reply(stream, action.status, action.head, action.content)
        elif isinstance(action, server.Reset):
            self.reset(stream, action.code)
        elif isinstance(action, server.GoAway):
            for unprocessed in [n for n in self.streams if n >= stream]:
                del self.streams[unprocessed]
            self._say_goaway(max(stream - 2, 0), action.reason)
            self._perhaps_leave()
        elif isinstance(action, server.Close):
            self.link.abort()

    def _reply(self, stream: int, status: int, fields: list[tuple[str, str]], body: bytes) -> None:
        head = encode(status, fields)
        if not body:
            self.send(HEADERS, END_HEADERS | END_STREAM, stream, head)
            del self.streams[stream]
            self._perhaps_leave()
            return
        self.send(HEADERS, END_HEADERS, stream, head)
        self.streams[stream].held = body
        self._flush_one(stream)

    def _flush_one(self, stream: int) -> None:
        s = self.streams[stream]
        while s.held and (n := min(len(s.held), self.window, s.window, FRAME_MAX)) > 0:
            piece, s.held = s.held[:n], s.held[n:]
            self.window -= n
            s.window -= n
            self.send(DATA, 0 if s.held else END_STREAM, stream, piece)
            if not s.held:
                del self.streams[stream]
                self._perhaps_leave()

    def _flush(self) -> None:
        for stream, s in list(self.streams.items()):
            if s.held:
                self._flush_one(stream)

    def _say_goaway(self, last: int, reason: str) -> None:
        self.leaving = True
        text = json.dumps({"reason": reason}).encode()
        self.send(GOAWAY, 0, 0, struct.pack(">II", last, NO_ERROR) + text)

    def go_away(self, reason: str) -> None:
        """What is here is answered, then the connection ends."""
        self._say_goaway(self.last, reason)
        self._perhaps_leave()

    def _perhaps_leave(self) -> None:
        if self.leaving and not self.streams:
            self.link.close()
