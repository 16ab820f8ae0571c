# SPDX-License-Identifier: Apache-2.0
"""The load generators: runs one against one proxy and reads what it says.

A sample is a dictionary: "value" is the figure of the work, "errors" how many answers were wrong or
missing; "p99_ms" where the generator knows it; CPU time as machine.CpuTime gives it; and whatever else the
generator said.
"""
import json
import os
import pathlib
import re
import subprocess

from daemons import Failed
from machine import CpuTime, pinned

HERE = pathlib.Path(__file__).resolve().parent
ERRORS_MAX = 0.01  # of the requests; with more, the figure is that of another work
GRACE = 60  # seconds a generator may take longer than it was told
PATH_SMALL = "/_matrix/client/versions"


def run(cores, command, seconds, **environment):
    """The output of a program that must succeed."""
    try:
        done = subprocess.run(pinned(cores, command), env={**os.environ, **environment}, text=True,
                              capture_output=True, timeout=seconds + GRACE)
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} did not end") from None
    if done.returncode != 0:
        raise Failed(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def result_line(text):
    """The object of the line RESULT, as wrk.lua and the programs of clients/ print it."""
    line = [x for x in text.splitlines() if x.startswith("RESULT ")]
    if not line:
        raise Failed(f"the load generator reported nothing:\n{text}")
    return json.loads(line[0][7:])


def sample_of(result, per="requests"):
    """A sample of what a generator reported: `per` is what counts per second."""
    sample = {**result, "errors": result["bad_status"] + result["broken"]}
    if "seconds" in result:
        sample["value"] = result[per] / result["seconds"]
    if "p99_us" in result:
        sample["p99_ms"] = result["p99_us"] / 1000
    return sample


def measured(proxy, generate):
    """The sample of generate() with the CPU time that passed meanwhile."""
    cpu = CpuTime(proxy.ours, proxy.pids, proxy.layout.proxy)
    sample = generate()
    if sample["errors"] > ERRORS_MAX * sample["requests"]:
        raise Failed(f"{sample['errors']} errors beside {sample['requests']} requests; see {proxy.folder}/log")
    return {**sample, **cpu.passed()}


def wrk(proxy, seconds, connections, requests=None):
    """GETs of the small text, or the prepared requests of a file, over HTTP/1.1."""
    cores = proxy.layout.load
    command = ["wrk", "-t", min(len(cores), connections), "-c", connections, "-d", f"{seconds}s",
               "--latency", "-s", HERE / "wrk.lua", f"https://localhost:{proxy.port}{PATH_SMALL}"]
    environment = {"BENCH_REQUESTS": str(requests or "")}
    return measured(proxy, lambda: sample_of(result_line(run(cores, command, seconds, **environment))))


def parse_h2load(text):
    """What h2load prints at its end, in the words of a RESULT line."""
    finished = re.search(r"finished in ([\d.]+)(us|ms|s|m), [\d.]+ req/s", text)
    counts = re.search(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, "
                       r"(\d+) errored, (\d+) timeout", text)
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    if not finished or not counts or not codes:
        raise Failed(f"h2load reported nothing:\n{text}")
    return {
        "requests": int(counts[1]),
        "seconds": float(finished[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[finished[2]],
        "bad_status": sum(int(codes[i]) for i in (2, 3, 4)),
        "broken": int(counts[3]) + int(counts[4]),
    }


def h2load(proxy, seconds, connections, streams):
    """GETs of the small text over HTTP/2."""
    cores = proxy.layout.load
    command = ["h2load", "-t", min(len(cores), connections), "-c", connections, "-m", streams,
               "-D", seconds, f"--connect-to=127.0.0.1:{proxy.port}",
               f"https://localhost:{proxy.port}{PATH_SMALL}"]

    return measured(proxy, lambda: sample_of(parse_h2load(run(cores, command, seconds))))


def client(proxy, program, seconds, *arguments, per="requests", at=None):
    """One of the programs of clients/: PORT, or what stands in its place, SECONDS and what it wants more."""
    command = [program, at or proxy.port, seconds, *arguments]
    return measured(proxy, lambda: sample_of(result_line(run(proxy.layout.load, command, seconds)), per))
