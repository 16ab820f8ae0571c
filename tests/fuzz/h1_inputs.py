# SPDX-License-Identifier: Apache-2.0
"""Inputs for differ.py: messages of a small grammar and of seed files, most of them damaged a little."""
from __future__ import annotations

import random
from pathlib import Path
from typing import Iterator

from conformance import cases

CORPUS = Path(__file__).resolve().parent / "corpus" / "h1"

METHODS = [
    b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"get", b"M-SEARCH",
    b"G!#$T",
]  # fmt: skip
TARGETS = [
    b"/", b"/a?b=c&d", b"/a%2fb/%00", b"//a/b", b"/;a=b", b"*", b"a.test:443", b"http://a.test/",
    b"https://a.test?x", b"HTTP://A.TEST/x", b"http://a.test", b"/\"<>\\^`{|}", b"/a#b",
    b"http://b.test/", b"x",
]  # fmt: skip
BAD_VERSIONS = [b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/1", b""]
VERSIONS = [b"HTTP/1.1"] * 12 + [b"HTTP/1.0"] * 3 + BAD_VERSIONS
STATUS = [
    b"200 OK", b"204 No Content", b"304 Not Modified", b"404 ", b"500", b"100 Continue",
    b"103 Early", b"101 X", b"600 X", b"2000 X", b"99 X",
]  # fmt: skip
FIELDS = [
    b"A: b", b"a:", b"A:\t b \t", b"Cookie: a=b; c=\"d\"", b"X: \xe4\xff", b"Connection: close",
    b"Connection: keep-alive", b"Connection: a, , close", b"Connection: Upgrade", b"Upgrade: h2c",
    b"Expect: 100-continue", b"TE: trailers", b"Trailer: A", b"Host: a.test", b"Host:",
    b"Content-Length: 3", b"content-length: 003", b"Content-Length: 3, 3", b"Content-Length: 4",
    b"Content-Length: +3", b"Content-Length:", b"Content-Length: 0x3", b"Content-Length: 3 ",
    b"Transfer-Encoding: chunked", b"transfer-encoding: Chunked",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding:\x0bchunked", b"Transfer_Encoding: chunked", b"A : b", b" A: b",
    b"A: b\r\n c", b"A", b": b", b"A: b\0c", b"A: b\x7f", b"A: b\x01", b"A: b\rc", b"A\xe4: b",
    b"Content-Length: 18446744073709551619",
]  # fmt: skip
ENDS = [b"\r\n"] * 40 + [b"\n", b"\r", b"\r\r\n", b"\n\r", b" \r\n", b"\x0b\r\n", b""]
SIZES = [
    b"%x", b"%X", b"0%x", b"%x;a=b", b"%x;a=\"b;c\"", b"%x ;a", b"%x ", b" %x", b"0x%x", b"+%x",
    b"%x;\x01", b"%x;\n", b"%020x", b"1%016x",
]  # fmt: skip
TRAILERS = [
    b"", b"", b"", b"A: b\r\n", b"A : b\r\n", b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n", b"A\r\n", b"A: b\r\n c\r\n", b"A: b\n",
]  # fmt: skip
BITS = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b";", b",", b"0", b"9", b"f",
    b"\x0b", b"\x0c", b"\x1f", b"\x7f", b"\x80", b"\x85", b"\xa0", b"\xff", b"#", b"\"", b"/",
    b"chunked", b"0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
]  # fmt: skip


def _some(r: random.Random, good: list[bytes], likely: int) -> bytes:
    """The first one mostly."""
    return good[0] if r.randrange(100) < likely else r.choice(good)


def _chunks(r: random.Random) -> bytes:
    out = b""
    for _ in range(r.randrange(4)):
        data = bytes(r.choice(b"ab\r\n0") for _ in range(r.randrange(1, 20)))
        out += (_some(r, SIZES, 80) % len(data)) + _some(r, ENDS, 96) + data + _some(r, ENDS, 97)
    last = _some(r, [b"0", b"00", b"0;a", b"0 ", b"-0", b""], 90)
    return out + last + b"\r\n" + r.choice(TRAILERS) + _some(r, ENDS, 97)


def _framed(r: random.Random, lines: list[bytes]) -> bytes:
    """Adds fields that frame a body; returns the body."""
    how = r.randrange(10)
    body = b"abc" if how < 3 else _chunks(r) if how < 7 else b""
    if how < 3:
        lines.insert(r.randrange(len(lines) + 1), b"Content-Length: 3")
    elif how < 7:
        lines.insert(r.randrange(len(lines) + 1), b"Transfer-Encoding: chunked")
    return body


def _message(r: random.Random, first: bytes, lines: list[bytes]) -> bytes:
    for _ in range(r.choice((0, 0, 1, 1, 2, 4))):
        lines.append(r.choice(FIELDS[:13] if r.randrange(10) else FIELDS))
    body = _framed(r, lines)
    return b"".join(x + _some(r, ENDS, 99) for x in [first, *lines, b""]) + body


def request(r: random.Random) -> bytes:
    first = b" ".join((_some(r, METHODS, 60), _some(r, TARGETS, 70), _some(r, VERSIONS, 80)))
    return _message(r, first, [b"Host: a.test"] * (r.randrange(20) > 0))


def answer(r: random.Random) -> bytes:
    return _message(r, _some(r, VERSIONS, 80) + b" " + _some(r, STATUS, 40), [])


def _damage(r: random.Random, data: bytes) -> bytes:
    at = r.randrange(len(data) + 1)
    how = r.randrange(6)
    if how == 0:
        return data[:at] + r.choice(BITS) + data[at:]
    if how == 1:
        return data[:at] + data[at + r.choice((1, 1, 2, 5)) :]
    if how == 2:
        return data[:at] + r.choice(BITS) + data[at + 1 :]
    if how == 3:
        return data[:at] + bytes([r.randrange(256)]) + data[at + 1 :]
    lines = data.split(b"\r\n")
    n = r.randrange(len(lines))
    if how == 4:
        lines.insert(r.randrange(len(lines)), lines[n])
    else:
        lines[n] = r.choice(FIELDS)
    return b"\r\n".join(lines)


def seeds() -> dict[str, list[bytes]]:
    """By kind: requests (q) and answers (p)."""
    files = [p.read_bytes() for p in sorted(CORPUS.iterdir())]
    out: dict[str, list[bytes]] = {"q": [], "p": []}
    for d in files:
        out["p" if d.startswith(b"HTTP/") else "q"].append(d)
    for c in cases.load():
        sent = b"".join(data for word, data in c.send if word == "send")
        out["q"].append(sent.replace(cases.HOST.encode(), b"a.test"))
        out["p"] += [b"".join(data for word, data in script if word == "send") for script in c.back]
    return {kind: [d for d in some if 0 < len(d) < 3000] for kind, some in out.items()}


def inputs(seed: int, kinds: str) -> Iterator[tuple[str, bytes]]:
    """Endless; kinds: letters of h1_frames to choose from."""
    r, have = random.Random(seed), seeds()
    while True:
        kind = r.choice(kinds)
        one = request if kind == "q" else answer
        data = one(r) if r.randrange(10) < 7 else r.choice(have["q" if kind == "q" else "p"])
        if kind == "q" or r.randrange(8) == 0:
            data += one(r) if r.randrange(2) else b""
        for _ in range(r.choice((0, 0, 0, 1, 1, 2))):
            data = _damage(r, data)
        yield kind, data
