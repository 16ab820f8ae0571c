# SPDX-License-Identifier: Apache-2.0
"""Plays a case against a proxy, and compares what was seen with what the case expects."""
from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field

from conformance.backend import PROBE, Arrived, Backend
from conformance.cases import HOST, TERMINAL, Case, Message
from conformance.client import DEADLINE, Answer, Client, answers, moment

PROBE_REQUEST = f"GET {PROBE} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


@dataclass
class Target:
    """A proxy under test.  `patience`: how long a thing may take before it counts as not happening."""

    address: tuple[str, int]
    tls: ssl.SSLContext
    backend: Backend
    patience: float = DEADLINE


@dataclass
class Seen:
    answers: list[Answer] = field(default_factory=list)
    fate: str = ""  # open, closed, broken, waits; "": the client ended it
    reached: list[Arrived] = field(default_factory=list)

    def short(self) -> str:
        return " ".join([*(str(a.status or "garbage") for a in self.answers), self.fate]).strip() or "-"


def _parsed(c: Client, case: Case) -> list[Answer]:
    return answers(c.got, case.methods, c.ended and (c.notified or c.tls is None))


def _finals(c: Client, case: Case) -> int:
    return sum(a.whole and a.status >= 200 for a in _parsed(c, case))


def _until(t: Target, c: Client, case: Case, what: str) -> None:
    if what == "back":
        t.backend.wait(lambda arrived: len(arrived) > 0, t.patience)
    elif what == "answer":
        c.wait(lambda c: c.ended or _finals(c, case) > 0, t.patience)
    else:
        c.wait(lambda c: c.ended or c.got.startswith(f"HTTP/1.1 {what}".encode()), t.patience)


def _send(t: Target, c: Client, case: Case) -> bool:
    """Does what the client does; whether it still is there afterwards."""
    pieces = False
    for word, data in case.send:
        if word == "send" and pieces:
            for i in range(len(data)):
                c.send(data[i : i + 1])
        elif word == "send":
            c.send(data)
        elif word == "bytes":
            pieces = True
        elif word == "pause":
            moment()
        elif word == "until":
            _until(t, c, case, data.decode())
        elif word in ("fin", "notify", "close", "reset"):
            c.end(word)
            if word in TERMINAL:
                return False
        elif word == "hello":
            c.hello()
    return True


def _probe(t: Target, c: Client, case: Case) -> str:
    """Whether the connection serves another request."""
    before = len(c.got)
    c.send(PROBE_REQUEST)
    c.wait(lambda c: c.ended or b"probed" in c.got[before:], t.patience)
    served = b"probed" in c.got[before:]
    with c.changed:
        c.got = c.got[:before]
    return "open" if served else "closed" if c.ended else "waits"


def _fate(t: Target, c: Client, case: Case) -> str:
    parsed = _parsed(c, case)
    if parsed and not parsed[-1].whole:
        return "broken" if c.ended else "waits"
    if case.fate == "open" or not c.wait(lambda c: c.ended, t.patience if case.fate else 0.2):
        return _probe(t, c, case) if _finals(c, case) or case.fate == "open" else "waits"
    return "closed"


def _settled(c: Client, case: Case) -> bool:
    return c.ended or (case.fate == "open" and _finals(c, case) >= case.finals) or (
        case.fate != "broken" and case.finals > 0 and _finals(c, case) >= case.finals)


def play(t: Target, case: Case) -> Seen:
    t.backend.play(case)
    words = [w for w, _ in case.send]
    tls = None if "plain" in words else t.tls
    silent = bool({"hello", "unread"} & set(words))
    c = Client(t.address, tls, HOST, read=not silent, only_hello="hello" in words)
    seen = Seen()
    try:
        if _send(t, c, case) and c.reading:
            c.wait(lambda c: _settled(c, case), t.patience)
            seen.fate = _fate(t, c, case)
            seen.answers = _parsed(c, case)
        if case.gone:
            t.backend.wait(lambda arrived: any(a.gone for a in arrived), t.patience)
        if case.reached:
            t.backend.wait(lambda arrived: len(arrived) >= len(case.reached), t.patience)
    finally:
        c.shut()
    seen.reached = list(t.backend.arrived)
    return seen


# --- judging ---


def _fields(want: Message, have: Answer | Arrived, where: str) -> list[str]:
    out = []
    for name, value in want.has:
        values = have.all(name)
        if value not in values:
            out.append(f"{where} {name}: {', '.join(values)}" if values else f"{where} no {name}")
    out += [f"{where} {name}" for name in want.lacks if have.all(name)]
    if want.body is not None and have.body != want.body:
        out.append(f"{where} body {_short(have.body)}")
    return out


def _short(body: bytes) -> str:
    text = body.decode("latin-1").encode("unicode_escape").decode()
    return f"“{text}”" if len(text) < 30 else f"of {len(body)} bytes"


def reason_of(a: Answer) -> str:
    """The text of a refusal of ours."""
    try:
        return str(json.loads(a.body)["error"])
    except (ValueError, KeyError, TypeError):
        return ""


def differences(case: Case, seen: Seen) -> list[str]:
    """Where the messages that arrived are not those expected; numbers and fates apart."""
    out = []
    for want, have in zip(case.answers, seen.answers):
        if want.first == str(have.status):
            out += _fields(want, have, "client gets")
    if case.nothing and seen.reached:
        out.append(f"forwarded {len(seen.reached)}x" if len(seen.reached) > 1 else "forwarded")
    if len(seen.reached) < len(case.reached):
        out.append(f"{len(seen.reached)} forwarded")
    for want, got in zip(case.reached, seen.reached):
        if want.first != got.line:
            out.append(f"forwarded as {_short(got.line.encode())}")
        out += _fields(want, got, "back end gets")
    if case.gone and not any(a.gone for a in seen.reached):
        out.append("back end is not told")
    return out
