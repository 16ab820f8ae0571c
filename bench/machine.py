# SPDX-License-Identifier: Apache-2.0
"""The machine: which program gets which core, and what CPU time and memory programs take."""
import os
import pathlib
import platform
import re
import socket
import ssl
from dataclasses import dataclass

PROC = pathlib.Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Layout:
    """Core numbers of the proxy, the back end and the load generator."""

    proxy: tuple
    backend: tuple
    load: tuple

    def __str__(self):
        shown = [",".join(map(str, cores)) for cores in (self.proxy, self.backend, self.load)]
        return f"proxy on core {shown[0]}, back end on {shown[1]}, load generator on {shown[2]}"


def description():
    """Processor, cores, kernel and the OpenSSL that Python was linked with, which is the system's."""
    model = re.search(r"^model name\s*: (.*)$", (PROC / "cpuinfo").read_text(), re.M)
    return (f"{model[1] if model else platform.machine()}, {len(available())} cores, "
            f"{platform.system()} {platform.release()}, {ssl.OPENSSL_VERSION}")


def available():
    return tuple(sorted(os.sched_getaffinity(0)))


def one_core(have=None):
    """One core for the proxy, one for the back end, the rest for the load; as far apart as there are any."""
    have = have or available()
    if len(have) == 1:
        return Layout(have, have, have)
    if len(have) == 2:
        return Layout(have[1:], have[:1], have[:1])
    return Layout(have[1:2], have[2:3], have[:1] + have[3:])


def several_cores(count, have=None):
    """`count` cores for the proxy out of those from the second on; back end and load share the cores that
    even two for the proxy would leave, so that only the proxy's share differs between one and two."""
    have = have or available()
    if len(have) < 3:
        return Layout(have[:count], have, have)
    rest = have[:1] + have[3:]
    return Layout(have[1:1 + count], rest, rest)


def all_cores(have=None):
    """Everybody everywhere: what the whole machine yields."""
    have = have or available()
    return Layout(have, have, have)


def pinned(cores, command):
    return ["taskset", "-c", ",".join(map(str, cores)), *map(str, command)]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _stat(pid):
    """The fields of /proc/PID/stat from the third on."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def ticks_of(pid):
    """CPU time of a process in ticks, 0 if it has ended."""
    try:
        fields = _stat(pid)
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def with_children(pids):
    """The processes and their children (nginx works in one)."""
    found = []
    for path in PROC.glob("[0-9]*"):
        try:
            parent = int(_stat(path.name)[1])
        except OSError:
            continue  # it has ended
        if parent in pids or int(path.name) in pids:
            found.append(int(path.name))
    return found


def pss_bytes(pids):
    """Memory of the processes, what they share counted by share."""
    total = 0
    for pid in pids:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


class CpuTime:
    """CPU time since it was made: stolen by the hypervisor, used by others than us, used by the proxy."""

    def __init__(self, ours, proxy, cores):
        self.ours, self.proxy, self.cores = ours, proxy, cores
        self.then = self._now()

    def _now(self):
        """Ticks: all, stolen, used by anyone, used by us, used by the proxy, and seconds of the clock."""
        fields = list(map(int, (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]))
        own = os.times()
        ours = sum(own[:4]) * TICKS + sum(map(ticks_of, self.ours))
        return sum(fields), fields[7], sum(fields[:3]) + fields[5] + fields[6], ours, \
            sum(map(ticks_of, self.proxy)), own.elapsed

    def passed(self):
        """Stolen and foreign in percent of the whole machine, the proxy's in percent of its cores and in seconds."""
        total, stolen, used, ours, proxy, elapsed = (b - a for a, b in zip(self.then, self._now()))
        total = max(1, total)
        return {
            "stolen_percent": 100 * stolen / total,
            "foreign_percent": max(0.0, 100 * (used - ours) / total),
            "busy_percent": 100 * proxy / TICKS / max(elapsed, 0.001) / len(self.cores),
            "proxy_cpu_s": proxy / TICKS,
        }
