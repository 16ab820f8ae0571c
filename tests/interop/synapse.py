# SPDX-License-Identifier: Apache-2.0
"""A real Synapse homeserver out of the tree that bootstrap-synapse made.

It runs in that tree with chroot, as the user who calls; it listens without TLS, on loopback or on a unix
socket, and expects its proxy in front.  The tree's own /etc/hosts knows the servers of the federation
(bootstrap-synapse writes it), so each name exists once on a machine: a lock keeps two runs apart.  With
an outlet (outlet.py) it goes to other servers through its proxy, and in a namespace it has no other way.
"""
from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

import settings

if TYPE_CHECKING:
    from outlet import Outlet

BOOTSTRAP = Path(__file__).resolve().parent / "bootstrap-synapse"
PASSPORT_EVENT = "de.gematik.ti-messenger.passport"
# what the tree's /etc/hosts says
ADDRESSES = {
    "alpha.test": "127.1.0.1",
    "beta.test": "127.1.0.2",
    "gamma.test": "127.1.0.3",
    # not there: confined servers resolve no names of others
    "delta.test": "127.1.0.4",
    "epsilon.test": "127.1.0.5",
    # in it again
    "praxis.test": "127.2.0.1",
    "klinik.test": "127.2.0.2",
    "fremd.test": "127.2.0.3",
}
INSIDE = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent")
START = 90.0  # seconds a server may take to answer, on a busy machine
STOP = 10.0
WAIT_FOR_NAME = 300.0  # for another run to end


class SynapseError(Exception):
    """Synapse cannot be started or does not do what it should; the text says what to do."""


def tree() -> Path:
    """The bootstrapped tree; an error names the command that makes it."""
    done = subprocess.run(
        [str(BOOTSTRAP), "--where"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SynapseError(f"there is no Synapse yet: run {BOOTSTRAP} {done.stderr}")
    return Path(done.stdout.strip())


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _way_in(outlet: Outlet | None) -> list[str]:
    """The words that run a command with the right to chroot, as ourselves, where it is confined to.

    A user namespace gives it to everybody where the kernel lets users have one; inside a chroot and
    in many containers it does not, and then sudo must.
    """
    if outlet is not None and outlet.namespace is not None:
        return [*outlet.namespace.enter(), "chroot"]
    if os.geteuid() == 0:
        return ["chroot"]
    own = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode == 0:
        return [*own, "chroot"]
    return ["sudo", "chroot", f"--userspec={os.getuid()}:{os.getgid()}"]


def _let_signals_in() -> None:
    """A caller that waits for signals has them blocked, and a child inherits that."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})


def _alive(pid: int, *words: str) -> bool:
    """Whether the process exists and its command line has all the words (and is no zombie)."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return bool(line) and all(w in line for w in words)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP to a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Synapse:
    """One homeserver; `ca_pem` is whom it believes the certificates of others, of push gateways, too."""

    def __init__(self, name: str, ca_pem: bytes, outlet: Outlet | None = None) -> None:
        self.name = name
        self.outlet = outlet
        self.port = 0 if outlet else _free_port()
        self.tree = tree()
        self.secret = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = self._lock_name()
        self._sweep()
        self.data = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{name}-", dir=self.tree / "srv"))
        self.log = self.data / "homeserver.log"
        inside = "/" + str(self.data.relative_to(self.tree))
        self._config_inside = f"{inside}/homeserver.yaml"
        self._write("ca.pem", ca_pem.decode())
        seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        self._write("signing.key", f"ed25519 a_{secrets.token_hex(2)} {seed}\n")
        self._write("log.yaml", json.dumps(self._logging(inside)))
        place = settings.of_place(name, inside, self._listener(inside), self.secret)
        way_out = outlet.open(self.data, inside) if outlet else {}
        config = {**settings.shipped(), **place, **settings.of_tests(), **way_out}
        self._write("homeserver.yaml", json.dumps(config, indent=1))

    @property
    def where(self) -> str:
        """Its address, as a proxy's configuration names it."""
        return f"unix:{self._socket}" if self.outlet else f"127.0.0.1:{self.port}"

    @property
    def _socket(self) -> Path:
        return self.data / "homeserver.sock"

    def _write(self, name: str, text: str) -> None:
        (self.data / name).write_text(text)

    def _lock_name(self) -> int:
        """Keeps the server name and its addresses for this process until it ends."""
        path = self.tree / "srv" / f"{self.name}.lock"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # another user's will do
        except FileNotFoundError:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        end = time.monotonic() + WAIT_FOR_NAME
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return fd
            except BlockingIOError:
                if time.monotonic() > end:
                    os.close(fd)
                    raise SynapseError(f"another run uses {self.name}: end it, or wait") from None
                time.sleep(0.2)

    def _sweep(self) -> None:
        """Ends and deletes what a run that was killed left of this server."""
        for data in (self.tree / "srv").glob(f"*-{self.name}-*"):
            self._end(data, signal.SIGKILL)
            shutil.rmtree(data, ignore_errors=True)

    @staticmethod
    def _logging(inside: str) -> dict[str, Any]:
        return {
            "version": 1,
            "formatters": {"f": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
            "handlers": {
                "file": {
                    "class": "logging.FileHandler",
                    "formatter": "f",
                    "filename": f"{inside}/homeserver.log",
                }
            },
            "root": {"level": "INFO", "handlers": ["file"]},
            "disable_existing_loggers": False,
        }

    def _listener(self, inside: str) -> dict[str, Any]:
        if self.outlet is not None:
            return {"path": f"{inside}/{self._socket.name}"}
        return {"port": self.port, "bind_addresses": ["127.0.0.1"]}

    # Its life

    def launch(self) -> "Synapse":
        """Starts the process and returns at once; wait() for its answer."""
        way = _way_in(self.outlet)
        run = 'echo $$ >"$1/pid"; exec python3 -m synapse.app.homeserver -c "$1/homeserver.yaml"'
        inside = os.path.dirname(self._config_inside)
        with (self.data / "output.log").open("wb") as out:
            self._process = subprocess.Popen(
                [*way, str(self.tree), "/usr/bin/env", "-i", *INSIDE, f"SSL_CERT_FILE={inside}/ca.pem", "sh", "-c",
                 run, "sh", inside],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=way[0] != "sudo",  # Ctrl-C is for us; sudo wants its terminal
                preexec_fn=_let_signals_in,
            )
        return self

    def wait(self) -> "Synapse":
        """Returns when it answers."""
        end = time.monotonic() + START
        while not self._healthy():
            if self._process is None or self._process.poll() is not None:
                raise SynapseError(f"Synapse for {self.name} ended at start:\n{self.log_text()}")
            if time.monotonic() > end:
                raise SynapseError(f"{self.name} is silent after {START:.0f} s:\n{self.log_text()}")
            time.sleep(0.1)
        return self

    def _healthy(self) -> bool:
        try:
            return self.ask("GET", "/health")[0] == 200
        except OSError:
            return False

    def end(self) -> None:
        """Ends the process; its data stay for the next launch()."""
        if self._process is not None:
            self._end(self.data, signal.SIGTERM)
            try:
                self._process.wait(STOP)
            except subprocess.TimeoutExpired:
                self._end(self.data, signal.SIGKILL)
                self._process.wait(STOP)
            self._process = None

    def stop(self) -> None:
        """Ends it for good and deletes its data."""
        self.end()
        shutil.rmtree(self.data, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @staticmethod
    def _end(data: Path, how: signal.Signals) -> None:
        try:
            pid = int((data / "pid").read_text())
        except (OSError, ValueError):
            return
        if _alive(pid, "synapse.app.homeserver", data.name):
            with suppress(PermissionError):  # another user's, left behind
                os.kill(pid, how)

    def log_text(self) -> str:
        parts = [self.data / "output.log", self.log]
        return "".join(p.read_text(errors="replace")[-20000:] for p in parts if p.exists())

    # Its operator's side, past the proxy

    def ask(
        self, method: str, target: str, body: Any = None, token: str | None = None
    ) -> tuple[int, Any]:
        """Asks the server itself; status and JSON (None where the answer is no JSON)."""
        # a unix socket tells no address
        head = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}
        if token:
            head["Authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body)
        c = self._connection()
        try:
            c.request(method, target, data, head)
            answer = c.getresponse()
            text = answer.read()
        finally:
            c.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, None

    def _connection(self) -> http.client.HTTPConnection:
        if self.outlet is not None:
            return _UnixConnection(str(self._socket), 30)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def register(self, localpart: str, password: str, *, admin: bool = False) -> str:
        """Creates an account with the operator's shared secret; its Matrix user ID."""
        path = "/_synapse/admin/v1/register"
        nonce = self.ask("GET", path)[1]["nonce"]
        words = (nonce, localpart, password, "admin" if admin else "notadmin")
        mac = hmac.new(self.secret.encode(), "\0".join(words).encode(), hashlib.sha1)
        status, answer = self.ask(
            "POST",
            path,
            {
                "nonce": nonce,
                "username": localpart,
                "password": password,
                "admin": admin,
                "mac": mac.hexdigest(),
            },
        )
        if status != 200:
            raise SynapseError(f"{self.name} does not create the account: {status} {answer}")
        return str(answer["user_id"])


def start_all(servers: list[Synapse], tell: Callable[[str], None] = lambda text: None) -> None:
    """Starts servers at the same time; ends them all when one fails."""
    try:
        for s in servers:
            s.launch()
        for s in servers:
            s.wait()
            tell(f"Synapse for {s.name} answers")
    except BaseException:
        for s in servers:
            s.stop()
        raise
