# SPDX-License-Identifier: Apache-2.0
"""The conformance cases as data: reads cases/*.txt.

A file is a topic: lines "topic: ..." and perhaps "times: short" (time-outs of one second), then cases.
A case is a block of lines:

    case: NAME          begins it
    rfc: SECTION        what it is about
    why: TEXT           reason for ours where others differ; a single word refers to REASONS
    methods: M ...      of the requests, where an answer's framing depends on it (HEAD)
    > LINE              the client sends it, with CR LF
    < LINE              the back end answers it; "< @next" begins the answer to the next request
    = STATUS [REASON]   the client must see this answer next; REASON is a row of lib/base/err.h
    =+ NAME: VALUE      the last answer must have this field
    =- NAME             ... must not have it
    =| TEXT             ... must have exactly this body
    = open|closed       how the connection is afterwards; "broken": the last answer is cut off
    = ended REASON      the exchange ended without answer for this reason
    ^ LINE              a request with this first line reaches the back end; "^ nothing": none does
    ^+ ^- ^|            fields and body of that request, as above
    ^ gone              the back end sees its connection closed while it still works on the answer

A line's "\\" at its end suppresses CR LF; \\r \\n \\t \\0 \\xHH \\\\ are escapes; {host} {path} are ours,
{get} {post} are request line and Host, {x*100} is repetition, {pad N} fills the message's head up to N
bytes.  Steps begin with "@":

    > @pause             a moment, so that what came before is read by itself
    > @bytes             what follows is sent byte by byte
    > @until 100|back|answer   waits for an interim answer, a request at the back end, a whole answer
    > @fin @notify @close @reset   ends the connection: half-close (with close_notify; only the alert),
                         whole, by RST
    > @hello             (first step) the beginning of a TLS handshake, nothing after it
    > @plain             (first step) no TLS
    > @unread            the client reads nothing until it ends
    < @early             (first step) the answer begins when the head is there, before the body is read
    < @read              reads the body now
    < @pause @close @fin @reset @hang   as above; hang: says nothing more until the peer leaves
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "cases"
HOST = "matrix.alpha.test"
ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
TERMINAL = {"close", "reset"}

Step = tuple[str, bytes]


@dataclass
class Message:
    """What an answer or a request that arrived must look like."""

    first: str  # status, or request line
    reason: str = ""
    has: list[tuple[str, str]] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    body: bytes | None = None


@dataclass
class Case:
    topic: str
    name: str
    times: str = "normal"
    rfc: str = ""
    why: str = ""
    methods: list[str] = field(default_factory=list)
    send: list[Step] = field(default_factory=list)
    back: list[list[Step]] = field(default_factory=list)
    answers: list[Message] = field(default_factory=list)
    fate: str = ""
    ended: str = ""
    reached: list[Message] = field(default_factory=list)
    nothing: bool = False
    gone: bool = False
    number: int = 0

    @property
    def finals(self) -> int:
        return sum(m.first >= "200" for m in self.answers)

    @property
    def path(self) -> str:
        return f"/_matrix/client/v3/case{self.number}"

    def ours(self) -> str:
        """What the client must see, in short."""
        return " ".join([*(m.first for m in self.answers), self.fate]).strip() or "-"


def _unescape(text: str) -> str:
    def one(m: re.Match[str]) -> str:
        code = m[1]
        return chr(int(code[1:], 16)) if code[0] == "x" else ESCAPES[code]

    return re.sub(r"\\(x[0-9a-fA-F]{2}|[rnt0\\])", one, text)


def _line(text: str, case: Case) -> bytes:
    """One line on the wire."""
    open_end = text.endswith("\\") and not text.endswith("\\\\")
    text = text.removesuffix("\\") if open_end else text
    text = re.sub(r"\{(get|post)\}", lambda m: f"{m[1].upper()} {{path}} HTTP/1.1\\r\\nHost: {{host}}", text)
    text = text.replace("{host}", HOST).replace("{path}", case.path)
    text = re.sub(r"\{([^{}])\*(\d+)\}", lambda m: m[1] * int(m[2]), text)
    return (_unescape(text) + ("" if open_end else "\r\n")).encode("latin-1")


def _step(steps: list[Step], text: str, case: Case) -> None:
    """Adds a step; neighbouring lines are one send."""
    if text.startswith("@"):
        word, _, rest = text[1:].partition(" ")
        steps.append((word, rest.encode()))
    elif steps and steps[-1][0] == "send":
        steps[-1] = ("send", steps[-1][1] + _line(text, case))
    else:
        steps.append(("send", _line(text, case)))


def _expect(message: Message | None, kind: str, text: str, case: Case) -> None:
    if message is None:
        raise ValueError(f"{case.name}: {kind}{text}: of which message?")
    if kind == "+":
        name, _, value = _line(text + "\\", case).decode("latin-1").partition(":")
        message.has.append((name, value.strip()))
    elif kind == "-":
        message.lacks.append(text)
    else:
        message.body = (message.body or b"") + _line(text + "\\", case)


def _client_sees(case: Case, text: str) -> None:
    word, _, rest = text.partition(" ")
    if word.isdigit():
        case.answers.append(Message(word, rest))
    elif word == "ended":
        case.ended = rest
    elif word in ("open", "closed", "broken"):
        case.fate = word
    else:
        raise ValueError(f"{case.name}: = {text}")


def _back_sees(case: Case, text: str) -> None:
    if text == "nothing":
        case.nothing = True
    elif text == "gone":
        case.gone = True
    else:
        case.reached.append(Message(_line(text + "\\", case).decode("latin-1")))


def _take(case: Case, sign: str, kind: str, text: str) -> None:
    if sign == ">":
        _step(case.send, text, case)
    elif sign == "<":
        if not case.back or text == "@next":
            case.back.append([])
        if text != "@next":
            _step(case.back[-1], text, case)
    elif sign == "=" and kind:
        _expect(case.answers[-1] if case.answers else None, kind, text, case)
    elif sign == "=":
        _client_sees(case, text)
    elif kind:
        _expect(case.reached[-1] if case.reached else None, kind, text, case)
    else:
        _back_sees(case, text)


def _pad(case: Case) -> None:
    """{pad N}: the head it stands in gets N bytes in all."""
    for steps in (case.send, *case.back):
        for i, (word, data) in enumerate(steps):
            if word == "send" and (m := re.search(rb"\{pad (\d+)\}", data)):
                rest = data.replace(m[0], b"")
                head = rest.index(b"\r\n\r\n") + 4
                steps[i] = (word, data.replace(m[0], b"p" * (int(m[1]) - head)))


def _read(path: Path, numbers: list[int]) -> list[Case]:
    out: list[Case] = []
    topic, times = path.stem, "normal"
    for n, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        m = re.match(r"([><=^])([-+|]?)(?: (.*))?$", line)
        word, _, rest = line.partition(": ")
        if m and out:
            _take(out[-1], m[1], m[2], m[3] or "")
        elif word == "topic":
            topic = rest
        elif word == "times":
            times = rest
        elif word == "case":
            numbers.append(1)
            out.append(Case(topic, rest, times, number=len(numbers)))
        elif word in ("rfc", "why", "methods") and out:
            setattr(out[-1], word, rest.split() if word == "methods" else rest)
        else:
            raise ValueError(f"{path.name}:{n}: {line}")
    return out


def load() -> list[Case]:
    """All cases, topic by topic."""
    numbers: list[int] = []
    out = [c for path in sorted(FOLDER.glob("*.txt")) for c in _read(path, numbers)]
    for c in out:
        _pad(c)
        if not c.send or not (c.answers or c.fate or c.ended or c.nothing):
            raise ValueError(f"{c.name}: sends or expects nothing")
    names = [(c.topic, c.name) for c in out]
    if len(set(names)) != len(names):
        raise ValueError("two cases of the same name")
    return out
