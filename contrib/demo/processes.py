# SPDX-License-Identifier: Apache-2.0
"""Background processes of the demonstration: started here, ended here, nothing else is touched.

A process is known by its id and its start time, so an id that was given to another program in the
meantime is left alone.
"""
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable


class Failed(Exception):
    """A step did not work; the text says which and where to look."""


def _start_time(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self").exists() else _session(pid)
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _session(pid: int) -> str | None:
    """In a bare root tree without /proc: each of ours leads a session of its own, few others do."""
    try:
        return "session" if os.getsid(pid) == pid else None
    except OSError:
        return None


class Processes:
    """The processes of one state folder."""

    def __init__(self, state: Path) -> None:
        self.file = state / "processes.json"
        self.logs = state / "logs"
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def _known(self) -> list[dict[str, str]]:
        try:
            return list(json.loads(self.file.read_text()))
        except (FileNotFoundError, ValueError):
            return []

    def start(self, name: str, command: list[str], cwd: Path | None = None) -> Path:
        """Starts a command in a session of its own; returns its log."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        with log.open("ab") as out:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd=cwd
            )
        self._children[child.pid] = child
        entry = {"name": name, "pid": child.pid, "start": _start_time(child.pid)}
        self.file.write_text(json.dumps([*self._known(), entry]))
        return log

    def wait_for(self, name: str, log: Path, probe: Callable[[], bool], seconds: float = 20) -> None:
        """Waits until the probe is true; a process that ended or is too slow is a failure."""
        end = time.monotonic() + seconds
        child = list(self._children.values())[-1]
        while not probe():
            if child.poll() is not None:
                raise Failed(f"{name} ended with {child.returncode}; its log is {log}")
            if time.monotonic() > end:
                raise Failed(f"{name} was not ready in {seconds:.0f} s; its log is {log}")
            time.sleep(0.05)

    def signal(self, name: str, number: signal.Signals) -> None:
        for p in self._known():
            if p["name"] == name and _alive(p):
                os.kill(int(p["pid"]), number)

    def stop(self) -> int:
        """Ends what runs, politely first; returns how many there were."""
        running = [p for p in self._known() if _alive(p)]
        for number, seconds in ((signal.SIGTERM, 40), (signal.SIGKILL, 5)):
            for p in running:
                if _alive(p):
                    os.kill(int(p["pid"]), number)
            end = time.monotonic() + seconds
            while any(_alive(p) for p in running) and time.monotonic() < end:
                for child in self._children.values():
                    child.poll()
                time.sleep(0.05)
        self.file.unlink(missing_ok=True)
        return len(running)


def _alive(p: dict[str, str]) -> bool:
    return p["start"] is not None and _start_time(int(p["pid"])) == p["start"]
