# SPDX-License-Identifier: Apache-2.0
"""What the simulator saw: each call with its time, and every violation of the protocol."""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from ..rawserver import DEADLINE
from .message import Request


@dataclass
class Call:
    """One request to one step, such as "token" or "list"."""

    step: str
    request: Request
    status: int = 0  # 0: not answered, or by something that is no answer
    at: float = field(default_factory=time.time)

    def get(self, name: str) -> str | None:
        """A field of the request."""
        return self.request.get(name)

    @property
    def target(self) -> str:
        return self.request.raw.target


@dataclass
class Violation:
    """Something no client may do."""

    step: str
    text: str

    def __str__(self) -> str:
        return f"{self.step}: {self.text}"


class Records:
    """Thread-safe; `calls` and `violations` may be read at any time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[Call] = []
        self._violations: list[Violation] = []

    def add(self, call: Call) -> None:
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()

    def violate(self, step: str, text: str) -> None:
        with self._changed:
            self._violations.append(Violation(step, text))

    def answered(self, call: Call, status: int) -> None:
        with self._changed:
            call.status = status
            self._changed.notify_all()

    def forget(self) -> None:
        with self._changed:
            self._calls.clear()
            self._violations.clear()

    @property
    def violations(self) -> list[str]:
        with self._changed:
            return [str(v) for v in self._violations]

    def calls(self, step: str = "") -> list[Call]:
        """The calls of one step, or all of them."""
        with self._changed:
            return [c for c in self._calls if step in ("", c.step)]

    def count(self, step: str = "") -> int:
        return len(self.calls(step))

    def counts(self) -> dict[str, int]:
        """How often each step was called."""
        out: dict[str, int] = {}
        for c in self.calls():
            out[c.step] = out.get(c.step, 0) + 1
        return out

    def last(self, step: str) -> Call | None:
        """The latest call of a step; its `at` is the wall clock."""
        return (self.calls(step) or [None])[-1]

    def wait(self, step: str, n: int = 1) -> list[Call]:
        """The calls of a step, as soon as there are n of them."""

        def enough() -> bool:
            return sum(c.step == step for c in self._calls) >= n

        with self._changed:
            if not self._changed.wait_for(enough, DEADLINE):
                got = [c.step for c in self._calls]
                raise AssertionError(f"waited for {n} x {step!r}; arrived: {got}")
        return self.calls(step)
