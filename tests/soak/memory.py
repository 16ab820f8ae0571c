# SPDX-License-Identifier: Apache-2.0
"""Whether a program's memory grows: judged by its resident set, not in builds with sanitizers."""
import pathlib
import re
import statistics
import subprocess

GROWTH_MAX = 10  # percent, and at least GROWTH_FLOOR_KB
GROWTH_FLOOR_KB = 4096


def rss_kb(pid: int) -> int:
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    assert found is not None
    return int(found[1])


def growth(rss: list[int]) -> tuple[int, int]:
    """Medians of the second and of the last quarter of the samples: the first one is warming up."""
    quarter = max(1, len(rss) // 4)
    return int(statistics.median(rss[quarter : 2 * quarter])), int(statistics.median(rss[-quarter:]))


def sanitized(program: pathlib.Path) -> bool:
    """A sanitizer's own memory grows with what it has seen; AddressSanitizer names leaks at the end itself."""
    linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return "libtsan" in linked or "libasan" in linked


def grew(before: int, after: int) -> bool:
    return after - before > max(GROWTH_FLOOR_KB, before * GROWTH_MAX // 100)
