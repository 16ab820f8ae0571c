#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares how our HTTP/1 parser and others (h11, and llhttp as aiohttp has it) frame the same bytes.

What we accept, another must read as the same messages: method, target, fields and body of each.  What
we refuse may be anything.  What we accept and another refuses must be of a kind listed in KNOWN, with
the reason why.  Inputs are mutations of seeds and of a small grammar, the same for the same --seed.

usage: differ.py [--inputs N] [--seed N] [--most FAULTS] PROGRAM          (tests/fuzz/h1_frames)
"""
from __future__ import annotations

import argparse
import json
import re
import struct
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterator

import h11

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))


@dataclass
class Message:
    first: bytes  # method and target, or the status
    fields: list[tuple[bytes, bytes]]
    body: bytes
    whole: bool


@dataclass
class Reading:
    """What a parser makes of an input; `then`: more, closed, refused, upgraded."""

    messages: list[Message] = field(default_factory=list)
    then: str = "more"
    why: str = ""
    taken: int = 0  # ours: bytes of the whole messages


# --- ours ---


def ours(line: str) -> Reading:
    raw = json.loads(line)
    out = Reading([], raw["then"], raw["why"], raw["taken"])
    for m in raw["messages"]:
        text = {k: bytes.fromhex(m[k]) for k in ("method", "target", "authority", "body")}
        first = b"%s %s" % (text["method"], _target(text)) if text["method"] else b"%d" % m["status"]
        fields = [(bytes.fromhex(n).lower(), bytes.fromhex(v)) for n, v in m["fields"]]
        out.messages.append(Message(first, fields, text["body"], m["whole"]))
    return out


def _target(text: dict[str, bytes]) -> bytes:
    """An absolute-form target is split by us; scheme and an empty path are left out of the comparison."""
    if text["method"] == b"CONNECT":
        return text["target"]
    path = text["target"].replace(b"*", b"/", 1) if text["target"] == b"*" else text["target"]
    return b"//" + text["authority"] + path if text["authority"] else text["target"]


def comparable(target: bytes) -> bytes:
    """A target of another parser in the same form."""
    if not (m := re.match(rb"https?:(//[^/?]*)(.*)", target, re.I | re.S)):
        return target
    return m[1] + (m[2] if m[2].startswith(b"/") else b"/" + m[2])


# --- h11 ---


def _h11_messages(c: h11.Connection, out: Reading, answer: Callable[[], None]) -> None:
    current = out.messages[-1] if out.messages else None
    while True:
        event = c.next_event()
        if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
            return
        if isinstance(event, h11.Request):
            first = b"%s %s" % (event.method, comparable(event.target))
            current = Message(first, list(event.headers), b"", False)
            out.messages.append(current)
        elif isinstance(event, (h11.Response, h11.InformationalResponse)):
            whole = isinstance(event, h11.InformationalResponse)
            current = Message(b"%d" % event.status_code, list(event.headers), b"", whole)
            out.messages.append(current)
        elif isinstance(event, h11.Data):
            current.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            current.whole = True
            answer()


def _h11_field(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """It writes one value in its own way."""
    return name, value.lower() if name == b"transfer-encoding" else value


def _next_request(c: h11.Connection) -> None:
    c.send(h11.Response(status_code=404, headers=[("content-length", "0")]))
    c.send(h11.EndOfMessage())
    if c.our_state is h11.DONE and c.their_state is h11.DONE:
        c.start_next_cycle()


def h11_reads(kind: str, data: bytes) -> Reading:
    out = Reading()
    c = h11.Connection(h11.SERVER if kind == "q" else h11.CLIENT)
    if kind != "q":
        c.send(h11.Request(method="HEAD" if kind == "h" else "GET", target="/", headers=[("Host", "a")]))
        c.send(h11.EndOfMessage())
    try:
        c.receive_data(data)
        _h11_messages(c, out, (lambda: _next_request(c)) if kind == "q" else (lambda: None))
        if kind == "q":
            out.then = "closed" if c.their_state in (h11.MUST_CLOSE, h11.CLOSED) else "more"
        else:
            out.then = "closed"
            if c.their_state not in (h11.DONE, h11.MUST_CLOSE, h11.CLOSED):
                c.receive_data(b"")
                _h11_messages(c, out, lambda: None)
    except h11.RemoteProtocolError as e:
        out.then, out.why = "refused", str(e)
        if "peer" in out.why and ("unexpectedly" in out.why or "without sending" in out.why):
            out.then = "more"  # only that the input ends
    return out


# --- aiohttp's llhttp ---


def llhttp_reads(data: bytes) -> Reading:
    """Requests.  Fields are left out: it hides some of their bytes."""
    from aiohttp import http_exceptions
    from aiohttp._http_parser import HttpRequestParser

    out = Reading()
    parser = HttpRequestParser(_Protocol(), None, 2**16, max_line_size=16384, max_field_size=16384)
    try:
        messages, _, _ = parser.feed_data(data)
    except http_exceptions.HttpProcessingError as e:
        return Reading([], "refused", " ".join(str(e).split()))
    except Exception as e:  # what its own checks raise: a target it cannot split, for one
        return Reading([], "refused", type(e).__name__)
    for m, payload in messages:
        if m.upgrade and m.method != "CONNECT":
            # Some versions take what follows for the other protocol, some for a body.  We never pass on
            # Upgrade, so no such request leaves us.
            out.then = "upgraded"
            break
        first = b"%s %s" % (m.method.encode(), comparable(m.path.encode("utf-8", "surrogateescape")))
        whole = payload.is_eof() if hasattr(payload, "is_eof") else True
        body = b"".join(getattr(payload, "_buffer", ()))
        if getattr(payload, "exception", lambda: None)() is not None:
            return Reading(out.messages, "refused", "body")
        out.messages.append(Message(first, [], body, whole))
        if m.should_close or m.upgrade:
            out.then = "closed"
            break
    return out


class _Protocol:
    """What the parser's body streams want of a connection: nothing that matters here."""

    _reading_paused = False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


# --- comparing ---

# Pattern of the other's complaint: why we take it nevertheless.
KNOWN: dict[str, dict[str, str]] = {
    "h11": {
        "no request line received": "an empty line before a request: RFC 9112 2.2 asks to ignore one",
        "Got data when expecting EOF": "keep-alive of HTTP/1.0 (RFC 9112 C.2.2); it knows none",
    },
    "llhttp": {
        "Invalid method encountered|Expected space after method|Expected HTTP/2 Connection Preface": "methods are an open set (RFC 9110 9.1); its is closed",
        "Duplicate '(?!Host|Content-Length|Transfer-Encoding)": "a field given twice that frames nothing",
        "Invalid character in Content-Length": "a tab around a value is a blank (RFC 9110 5.6.3)",
    },
}


def differences(kind: str, mine: Reading, other: Reading, name: str) -> tuple[str, str]:
    """("", "") if both agree; ("known", reason), ("refused", why) or ("framing", what) otherwise."""
    for n, m in enumerate(mine.messages):
        refused_here = not m.whole and mine.then == "refused"
        if refused_here:
            return "", ""
        if n >= len(other.messages):
            if other.then == "refused":
                return "refused", other.why
            if other.then == "upgraded":
                return "closed", "the other speaks another protocol from here on"
            if other.then == "closed" and n > 0:
                return "closed", "the other keeps no connection of this kind"
            return "framing", f"message {n + 1} is only ours"
        o = other.messages[n]
        if o.first != m.first:
            return "framing", f"message {n + 1}: {m.first!r} or {o.first!r}"
        if name == "h11" and o.fields != [_h11_field(*f) for f in m.fields]:
            return "framing", f"fields of message {n + 1}: {m.fields!r} or {o.fields!r}"
        if other.then == "refused" and not o.whole and n == len(other.messages) - 1:
            return "refused", other.why
        if o.whole != m.whole:
            return "framing", f"message {n + 1}: whole is {m.whole} or {o.whole}"
        if o.body != m.body:
            return "framing", f"body of message {n + 1}: {m.body!r} or {o.body!r}"
    extra = len(other.messages) - len(mine.messages)
    if extra > 0 and mine.then == "more":
        return "framing", f"message {len(mine.messages) + 1} is only the other's"
    return "", ""


# --- running ---


class Program:
    """tests/fuzz/h1_frames; inputs are written ahead by a thread."""

    def __init__(self, path: str) -> None:
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False)

    def write(self, some: list[tuple[str, bytes]]) -> None:
        assert self.process.stdin is not None
        for kind, data in some:
            self.process.stdin.write(kind.encode() + struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()

    def read(self, some: list[tuple[str, bytes]]) -> Iterator[str]:
        assert self.process.stdout is not None
        writer = threading.Thread(target=self.write, args=(some,))
        writer.start()
        for _, data in some:
            line = self.process.stdout.readline().decode()
            if not line:
                raise SystemExit(f"{self.process.args}: ended with {self.process.wait()} at {data!r} or before")
            yield line
        writer.join()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise SystemExit(f"{self.process.args}: ended with {self.process.returncode}")


@dataclass
class Findings:
    accepted: int = 0
    inputs: int = 0
    known: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def note(self, name: str, kind: str, data: bytes, mine: Reading, other: Reading) -> None:
        what, why = differences(kind, mine, other, name)
        if what == "refused":
            reason = next((r for pattern, r in KNOWN[name].items() if re.search(pattern, why)), None)
            what, why = ("known", reason) if reason else ("refused by it", why)
        if what in ("known", "closed"):
            self.known[f"{name}: {why}"] += 1
        elif what:
            self.faults.append(f"{name}, {kind}: {what}: {why}\n    {data!r}")


def compare(program: str, n: int, seed: int = 1, kinds: str = "qqqph", batch: int = 500, most: int = 20) -> Findings:
    """n inputs; stops at `most` faults."""
    import h1_inputs

    found, p, source = Findings(), Program(program), h1_inputs.inputs(seed, kinds)
    while found.inputs < n and len(found.faults) < most:
        some = [next(source) for _ in range(min(batch, n - found.inputs))]
        for (kind, data), line in zip(some, p.read(some)):
            mine = ours(line)
            found.inputs += 1
            found.accepted += any(m.whole for m in mine.messages)
            found.note("h11", kind, data, mine, h11_reads(kind, data))
            if kind == "q":
                # It forgets good messages for a bad one behind them.
                upto = Reading([m for m in mine.messages if m.whole], mine.then)
                found.note("llhttp", kind, data, upto, llhttp_reads(data[: mine.taken]))
    p.end()
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=20, help="faults after which it stops")
    parser.add_argument("program")
    o = parser.parse_args()
    found = compare(o.program, o.inputs, o.seed, most=o.most)
    print(f"{found.inputs} inputs, {found.accepted} with a message that we accept")
    for reason, n in found.known.most_common():
        print(f"{n:8} {reason}")
    for fault in found.faults:
        print(f"FAULT {fault}")
    sys.exit(1 if found.faults else 0)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main()
