# SPDX-License-Identifier: Apache-2.0
"""Starts the real proxy with a generated configuration and everything around it.

`Daemon` is one schleuse-proxy process; `World` is a proxy with its messenger services, stand-in
homeservers, a federation list and remote servers, all in one temporary folder on loopback.
"""
from __future__ import annotations

import copy
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, TypeVar

import yaml

from sim import fedlist, passport, wire, xmatrix
from sim.homeserver import Homeserver
from sim.keyserver import KeyServer
from sim.pki import PASSPORT_X5U, Issued, Pki

SOURCE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SCHLEUSE_BUILD", SOURCE / "build"))
PROXY = BUILD / "schleuse-proxy"
DEADLINE = 20.0
FAULT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|Assertion .* failed")
PKI = Pki()
T = TypeVar("T")


def until(what: str, probe: Callable[[], T], deadline: float = DEADLINE) -> T:
    """The first true answer of `probe`, asked again and again up to the deadline."""
    end = time.monotonic() + deadline
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:.0f} s: {what}")
        time.sleep(0.02)


def split(address: str) -> tuple[str, int] | str:
    """An address as the proxy writes it, for wire.Connection."""
    if address.startswith("unix:"):
        return address[5:]
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def environment() -> dict[str, str]:
    """The daemon's environment: sanitizers stop at the first finding."""
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1")
    env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
    known = SOURCE / "tests" / "tsan.supp"
    env.setdefault("TSAN_OPTIONS", f"halt_on_error=1:second_deadlock_stack=1:suppressions={known}")
    return env


def run_proxy(*args: str, timeout: float = DEADLINE) -> subprocess.CompletedProcess[str]:
    """Runs the proxy's command line to its end."""
    done = subprocess.run(
        [str(PROXY), *args], capture_output=True, text=True, timeout=timeout, env=environment()
    )
    assert not FAULT.search(done.stderr), done.stderr
    return done


class Orphan:
    """A process whose parent has ended and which came to us; see adopt_orphans()."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float = DEADLINE) -> int:
        try:
            until("the end of the process", lambda: self.poll() is not None, timeout)
        except AssertionError:
            raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def adopt_orphans() -> None:
    """Grandchildren become our children when their parent ends (PR_SET_CHILD_SUBREAPER)."""
    assert ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0) == 0


class Daemon:
    """One running daemon: schleuse-proxy, or another one by its name."""

    def __init__(self, folder: Path, config: dict[str, Any], name: str = "proxy") -> None:
        self.folder = folder
        self.config = config
        self.name = name
        self.file = folder / f"{name}.yaml"
        self.log = folder / f"{name}.log"
        self.addresses: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | Orphan | None = None
        self.program = BUILD / f"schleuse-{name}"
        self.environment: dict[str, str] = {}
        self.pass_fds: tuple[int, ...] = ()
        self.successor: int | None = None  # between begin_handover() and end_handover()
        self.expect_exit = 0
        self.descriptors = 0  # RLIMIT_NOFILE to start with; 0: that of the tests

    def write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.config, sort_keys=False))

    def start(self, ready: str = "/ready") -> "Daemon":
        """Starts and waits until the admin listener's `ready` answers 200."""
        self.write()
        Path(self.config["addresses_file"]).unlink(missing_ok=True)
        with self.log.open("ab") as log:
            n = self.descriptors
            before = ["prlimit", f"--nofile={n}:{n}"] if n else []
            self.process = subprocess.Popen(
                [*before, str(self.program), "-c", str(self.file)], stderr=log, stdout=log,
                env={**environment(), **self.environment}, pass_fds=self.pass_fds,
            )
        try:
            self.addresses = until(f"the addresses file of {self.name}", self._read_addresses)
            until(f"{ready} of {self.name}", lambda: self.admin(ready).status == 200)
        except BaseException:
            print(self.log_text())
            self.kill()
            raise
        return self

    def _read_addresses(self) -> dict[str, Any] | None:
        self.check_alive()
        try:
            return json.loads(Path(self.config["addresses_file"]).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def check_alive(self) -> None:
        assert self.process is not None
        if (code := self.process.poll()) is not None:
            raise AssertionError(f"{self.name} ended with {code}:\n{self.log_text()}")

    def address(self, n: int = 0) -> tuple[str, int]:
        """The address of the n-th listener."""
        where = split(self.addresses["listeners"][n])
        assert isinstance(where, tuple)
        return where

    def admin(self, path: str) -> wire.Answer:
        with wire.Connection(split(self.addresses["admin"])) as c:
            return c.ask("GET", path, {"Host": "localhost", "Connection": "close"})

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples whose labels include the given ones."""
        total = 0.0
        for line in self.admin("/metrics").body.decode().splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == name:
                have = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
                if labels.items() <= have.items():
                    total += float(match[3])
        return total

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def until_logged(self, text: str) -> None:
        """The log is written at the end of a turn: after what the turn counted can be seen."""
        until(f"'{text}' in the log", lambda: text in self.log_text())

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def begin_handover(self) -> None:
        """SIGUSR2; the successor serves, the old process may still have things to do."""
        adopt_orphans()
        before = len(self.log_text())
        self.signal(signal.SIGUSR2)
        match = until(
            "a successor",
            lambda: re.search(r"process (\d+) serves now", self.log_text()[before:]),
        )
        self.successor = int(match[1])

    def end_handover(self) -> None:
        """Follows the successor; the old process must end clean."""
        assert self.process is not None and self.successor is not None
        assert self.process.wait(DEADLINE) == 0, self.log_text()[-6000:]
        self.process, self.successor = Orphan(self.successor), None

    def hand_over(self) -> None:
        self.begin_handover()
        self.end_handover()

    def cpu_seconds(self) -> float:
        """What it has used of processors so far."""
        assert self.process is not None
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def reload(self) -> None:
        """Writes the configuration and asks for a reload; what it changes must be awaited."""
        self.write()
        self.signal(signal.SIGHUP)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def stop(self) -> None:
        """SIGTERM; the exit must be clean and the log free of sanitizer reports."""
        if self.process is None:
            return
        if self.successor is not None:
            self.end_handover()
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(DEADLINE + 20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = f"no exit after SIGTERM ({self.process.wait()})"
        self.process = None
        text = self.log_text()
        if FAULT.search(text) or code != self.expect_exit:
            raise AssertionError(f"{self.name} ended with {code}:\n{text[-6000:]}")


class World:
    """A proxy for the service alpha.test, or another one by its name, and what surrounds it.

    beta is a listed remote server, gamma an unlisted one; both have ports of their own in their
    names, so that key look-ups reach them.  Change `config` before start().
    """

    NAME = "alpha.test"

    def __init__(self, folder: Path, *, unix: bool = False, name: str = NAME) -> None:
        self.NAME = name
        self.folder = folder
        self.version = 1
        (folder / "state").mkdir()
        self.homeserver = Homeserver(self.NAME, unix=folder / "hs.sock" if unix else None)
        self.token = self.homeserver.add_user("anna", displayname="Anna")
        self._closers: list[Callable[[], None]] = [self.homeserver.close]
        self.ca_file = self._put("web-root.pem", PKI.web_root.pem)
        self._put("list-anchors.pem", PKI.list_root.pem)
        self._put("passport-anchors.pem", PKI.passport_root.pem)
        self.beta = self.remote("beta.test")
        self.gamma = self.remote("gamma.test")
        self.listed = [self.NAME, self.beta.name]
        self.publish()
        self.certificate = PKI.web.server(f"matrix.{self.NAME}", self.NAME)
        self.config = self._config()
        self.daemon = Daemon(folder, self.config)
        self.tls = wire.tls_context(PKI.web_root.pem)

    def _put(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def remote(self, host: str, **how: Any) -> KeyServer:
        """A remote server with keys of its own, known to the stand-in homeserver."""
        files = PKI.web.server(host).write(self.folder / host)
        server = KeyServer(host, files, **how)
        self.homeserver.trust(server.name, *server.keys)
        self._closers.append(server.close)
        return server

    def publish(self, jws: bytes | None = None, **how: Any) -> None:
        """Writes a federation list: the given one, or the names in `listed` as the next version."""
        if jws is None:
            payload = fedlist.plain(self.version, self.listed)
            jws = fedlist.sign(payload, PKI.list_signer, **how)
            self.version += 1
        fedlist.write(self.folder / "list.jws", jws)

    def service(self, name: str, homeserver: str, certificate: Issued, **how: Any) -> dict[str, Any]:
        """One entry of `services`."""
        cert, key = certificate.write(self.folder / f"service-{name}")
        out = {
            "server_name": name,
            "hosts": [f"matrix.{name}"],
            "certificate": str(cert),
            "key": str(key),
            "homeserver": homeserver,
            "federation": "ti",
        }
        return {**out, **how}

    def add_service(self, name: str, certificate: Issued | None = None, **how: Any) -> Homeserver:
        """A second messenger service with a stand-in homeserver of its own, on a unix socket."""
        homeserver = Homeserver(name, unix=self.folder / f"{name}.sock")
        self._closers.append(homeserver.close)
        certificate = certificate or PKI.web.server(f"matrix.{name}", name)
        self.config["services"].append(self.service(name, homeserver.where, certificate, **how))
        return homeserver

    def _config(self) -> dict[str, Any]:
        passport_file, _ = PKI.passport_signer.write(self.folder / "passport")
        names = ("alpha", "bravo", "beta", "gamma", "delta", "epsilon")
        return {
            "listeners": [{"address": "127.0.0.1:0", "serves": ["clients", "federation"]}],
            "admin": "127.0.0.1:0",
            "workers": 2,
            "state_dir": str(self.folder / "state"),
            "addresses_file": str(self.folder / "addresses.json"),
            "federations": [
                {
                    "name": "ti",
                    "list": {
                        "file": str(self.folder / "list.jws"),
                        "interval": "200ms",
                        "anchors": [str(self.folder / "list-anchors.pem")],
                    },
                    "passport": {
                        "anchors": [str(self.folder / "passport-anchors.pem")],
                        "certificates": [{"file": str(passport_file), "x5u": PASSPORT_X5U}],
                    },
                }
            ],
            "services": [
                self.service(self.NAME, self.homeserver.where, self.certificate, default=True)
            ],
            "timeouts": {"drain": "5s"},
            "lookups": {
                "hosts": {f"{n}.test": "127.0.0.1" for n in names},
                "nameservers": ["127.0.0.1:9"],
                "ca_file": str(self.ca_file),
                "ca_system": False,
                "private_addresses": True,
                "timeout": "5s",
            },
        }

    @property
    def federation(self) -> dict[str, Any]:
        return self.config["federations"][0]

    @property
    def main_service(self) -> dict[str, Any]:
        return self.config["services"][0]

    def start(self, ready: str = "/ready") -> "World":
        self.daemon.start(ready)
        return self

    def stop(self) -> None:
        try:
            self.daemon.stop()
        finally:
            for close in self._closers:
                close()
            self._closers = []

    def variant(self) -> dict[str, Any]:
        """A deep copy of the configuration, for a changed one."""
        return copy.deepcopy(self.config)

    # Asking the proxy

    @property
    def address(self) -> tuple[str, int]:
        return self.daemon.address()

    def connect(self, name: str | None = None, **how: Any) -> wire.Connection:
        """A TLS connection; `name` is the SNI."""
        tls = how.pop("tls", self.tls)
        return wire.Connection(self.address, tls, name or f"matrix.{self.NAME}", **how)

    def client(
        self, method: str, target: str, body: Any = None, *, token: str | None = "", **fields: str
    ) -> wire.Answer:
        """A client's request; the token is Anna's unless given, None sends none."""
        head = [("Host", f"matrix.{self.NAME}")]
        if token is not None:
            head.append(("Authorization", f"Bearer {token or self.token}"))
        head += [(n.replace("_", "-"), v) for n, v in fields.items()]
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        with self.connect() as c:
            return c.ask(method, target, head, body)

    def peer(self, server: KeyServer, **how: Any) -> xmatrix.FederationClient:
        """Speaks for a remote server."""
        key = how.pop("key", server.key)
        return xmatrix.FederationClient(
            how.pop("name", server.name), key, self.NAME, self.address, self.tls, **how
        )

    def not_forwarded(self, pattern: str = "/_matrix") -> None:
        """Nothing that matches may have reached the homeserver."""
        got = [s.target for s in self.homeserver.requests(pattern)]
        assert not got, f"forwarded: {got}"


open_worlds: list[World] = []


@contextmanager
def open_world(
    setup: Callable[[Any], object] | None, *, kind: type[World] = World, **how: Any
) -> Iterator[Any]:
    """A world in a folder of its own, prepared (and started) by `setup`; it ends with the block."""
    w = kind(Path(tempfile.mkdtemp(prefix="w")), **how)
    open_worlds.append(w)
    try:
        if setup is not None:
            setup(w)
        yield w
    finally:
        try:
            w.stop()
        finally:
            open_worlds.remove(w)
            shutil.rmtree(w.folder, ignore_errors=True)


def member_event(sender: str, invited: str, room: str, membership: str = "invite") -> dict[str, Any]:
    """An m.room.member event as a federation request carries it."""
    return {
        "type": "m.room.member",
        "sender": sender,
        "state_key": invited,
        "room_id": room,
        "origin_server_ts": int(time.time() * 1000),
        "content": {"membership": membership},
        "auth_events": [],
        "prev_events": [],
        "depth": 3,
        "hashes": {"sha256": "x"},
        "signatures": {},
    }


def invite_v2(
    sender: str,
    invited: str,
    token: Any,
    *,
    room: str = "!room:beta.test",
    place: Iterable[str] = ("request",),
) -> dict[str, Any]:
    """A v2 invite; the PASSporT event lies in the request, in the event's unsigned part, or both."""
    event = member_event(sender, invited, room)
    state = [{"type": "m.room.create", "state_key": "", "sender": sender, "content": {}}]
    if token is not None:
        state.append(passport.state_event(invited, token, sender))
    if "unsigned" in place:
        event["unsigned"] = {"invite_room_state": copy.deepcopy(state)}
    out: dict[str, Any] = {"room_version": "11", "event": event}
    out["invite_room_state"] = state if "request" in place else state[:1]
    return out


def invite_v1(
    sender: str, invited: str, token: Any, room: str = "!room:beta.test"
) -> dict[str, Any]:
    """A v1 invite: the event itself, invite state in its unsigned part."""
    event = invite_v2(sender, invited, token, room=room, place=("unsigned",))["event"]
    return {**event, "event_id": "$e:beta.test", "origin": sender.partition(":")[2]}


def transaction(origin: str, *pdus: dict[str, Any]) -> dict[str, Any]:
    return {"origin": origin, "origin_server_ts": 1, "pdus": list(pdus), "edus": []}
