# SPDX-License-Identifier: Apache-2.0
"""Faults that can be switched on, each named "step:kind".

Kinds of any step act on the answer as bytes; the others are asked for by the module whose content
they make wrong.
"""
from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Callable, Iterator

from ..rawserver import DEADLINE, Close, Drip, Hang, Reply, Reset
from .message import Answer, fault

STEPS = (
    "token authenticate exchange info list certificates localization federation check roots subca "
    "ocsp crl"
).split()
STATUSES = ("400", "401", "403", "404", "500", "503")
ANY = {
    **{s: f"answers {s}" for s in STATUSES},
    "redirect": "answers 302 to another place",
    "wrong-type": "a Content-Type that does not fit (text/html)",
    "broken-json": "a body that is no JSON",
    "empty": "a body without a byte",
    "truncated": "closes in mid body",
    "oversized": "announces and sends a body of `oversize` bytes",
    "endless": "a chunked body that never ends",
    "slow-head": "answers after `delay` seconds",
    "slow-body": "a byte at a time, with pauses, past `delay` seconds",
    "hang": "never answers",
    "reset": "resets the connection instead of answering",
    "reset-body": "resets the connection in mid body",
}
CONTENT = {
    "list": {
        "lower-version": "a list with a lower version than before, as if it were new",
        "bad-signature": "a signature that does not verify",
        "foreign-signer": "a signer below a root that is in no roots.json",
        "no-role": "a signer without the directory's role",
        "wrong-usage": "a signer whose keyUsage is keyAgreement",
        "expired-signer": "a signer whose validity is over",
        "other-curve": "signed on the other curve than alg says",
        "other-alg": "signed properly, but not with the asked-for algorithm",
        "public-key": "a bare public key in x5c (as seen in 2023)",
        "no-x5c": "no x5c at all",
        "alg-none": "alg none without a signature",
        "broken-payload": "signed properly, but the payload is no JSON",
        "no-list": "signed properly, but the payload has no domainList",
    },
    "certificates": {
        "not-pem": "entries that are no PEM",
        "foreign-signer": "a certificate of an unknown CA",
    },
    "roots": {
        "bad-cross": "cross certificates whose signatures are wrong",
        "swapped": "links with issuer and subject exchanged",
        "pinned-missing": "without the oldest root",
    },
    "subca": {"other-ca": "the certificate of another CA", "not-der": "bytes that are no DER"},
    "ocsp": {
        "revoked": "every certificate is revoked",
        "unknown": "every certificate is unknown",
        "bad-signature": "a signature that does not verify",
        "foreign-signer": "signed by a responder of another PKI",
        "other-certificate": "an answer about another certificate",
        "old": "nextUpdate is past",
        "future": "thisUpdate is yet to come",
        "no-next-update": "no nextUpdate",
        "wrong-nonce": "another nonce than the one sent",
        "try-later": "the status tryLater",
        "malformed": "bytes that are no OCSP response",
    },
    "tls": {
        "expired": "a server certificate whose validity is over",
        "wrong-name": "a server certificate of another name",
        "foreign": "a server certificate of an unknown CA",
    },
}
NAMES = {f"{s}:{k}": text for s in STEPS for k, text in ANY.items()} | {
    f"{s}:{k}": text for s, kinds in CONTENT.items() for k, text in kinds.items()
}


class Faults:
    """What is wrong at the moment.  Thread-safe."""

    def __init__(self) -> None:
        self.delay = 12.0  # seconds; a healthy directory answers within 10
        self.oversize = 64 << 20
        self.on_change: Callable[[], None] = lambda: None
        self.stopping = threading.Event()
        self._lock = threading.Condition()
        self._left: dict[str, int | None] = {}
        self._held: set[str] = set()

    def on(self, *names: str, times: int | None = None) -> None:
        """Switches faults on, for ever or for so many answers."""
        for name in names:
            if name not in NAMES:
                raise ValueError(f"no such fault: {name}")
        with self._lock:
            self._left |= {n: times for n in names}
        self.on_change()

    def off(self, *names: str) -> None:
        with self._lock:
            for name in names:
                self._left.pop(name, None)
        self.on_change()

    def clear(self) -> None:
        with self._lock:
            self._left.clear()
        self.on_change()

    @contextmanager
    def during(self, *names: str) -> Iterator[None]:
        """Faults for the length of a with statement."""
        self.on(*names)
        try:
            yield
        finally:
            self.off(*names)

    @contextmanager
    def held(self, step: str) -> Iterator[None]:
        """Requests to a step are recorded and wait for the end of the with statement."""
        with self._lock:
            self._held.add(step)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(step)
                self._lock.notify_all()

    @property
    def active(self) -> list[str]:
        with self._lock:
            return sorted(self._left)

    def take(self, step: str, kind: str) -> bool:
        """Whether this fault is on; counts as one of its times."""
        name = f"{step}:{kind}"
        with self._lock:
            if name not in self._left:
                return False
            left = self._left[name]
            if left is not None:
                self._left[name] = left - 1
                if left <= 1:
                    del self._left[name]
            return True

    def instead(self, step: str) -> Reply | Answer | None:
        """What comes in place of an answer, None when the request is to be served."""
        with self._lock:
            self._lock.wait_for(lambda: step not in self._held, DEADLINE)
        if self.take(step, "slow-head"):
            self.stopping.wait(self.delay)
        if self.take(step, "hang"):
            return Hang()
        if self.take(step, "reset"):
            return Reset()
        for status in STATUSES:
            if self.take(step, status):
                return fault(int(status), "switched on by the test")
        if self.take(step, "redirect"):
            return Answer(302, fields=[("Location", "https://localhost:9/elsewhere")])
        return None

    def spoil(self, step: str, answer: Answer) -> Reply | Answer:
        """The answer with whatever is wrong with it."""
        if self.take(step, "wrong-type"):
            answer.kind = "text/html"
        if self.take(step, "broken-json"):
            answer.body = b'{"version": 1, "domainList": [{"dom'
        if self.take(step, "empty"):
            answer.body = b""
        size = ("Content-Length", str(len(answer.body)))
        middle = len(answer.body) // 2
        start = answer.head(size) + answer.body[:middle]
        if self.take(step, "truncated"):
            return Close(start)
        if self.take(step, "reset-body"):
            return Reset(start)
        if self.take(step, "slow-body"):
            pieces = _bytewise(answer.head(size), answer.body)
            return Drip(pieces, self.delay / max(len(answer.body), 1) + 0.05)
        if self.take(step, "oversized"):
            return Drip(_oversized(answer, self.oversize))
        if self.take(step, "endless"):
            return Drip(_endless(answer))
        return answer


def _bytewise(head: bytes, body: bytes) -> Iterator[bytes]:
    yield head
    for i in range(len(body)):
        yield body[i : i + 1]


def _oversized(answer: Answer, size: int) -> Iterator[bytes]:
    yield answer.head(("Content-Length", str(size))) + answer.body
    left = size - len(answer.body)
    while left > 0:
        n = min(left, 1 << 16)
        yield b" " * n
        left -= n


def _endless(answer: Answer) -> Iterator[bytes]:
    yield answer.head(("Transfer-Encoding", "chunked"))
    yield b"%x\r\n%s\r\n" % (len(answer.body) or 1, answer.body or b" ")
    while True:
        yield b"10000\r\n" + b" " * 0x10000 + b"\r\n"
