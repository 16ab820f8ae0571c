# SPDX-License-Identifier: Apache-2.0
"""What a service manager sees and does: socket activation, sd_notify, the watchdog, stopping."""
import os
import re
import signal
import socket
import sys
import time
from typing import Iterator

import pytest

from harness import DEADLINE, World, until
from load import HOST, PATH, WAITING, Load, all_served
from sim import wire

# As systemd does it: sockets at 3 and up, and the number of the process, known only in it.
LAUNCHER = """#!{python}
import os, sys
given = [int(n) for n in os.environ.pop("GIVEN").split(",")]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(given)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.environ["LISTEN_FDS"] = str(len(given))
os.environ["LISTEN_PID"] = str(os.getpid())
os.closerange(100, 100 + len(given))
os.execv({program!r}, [{program!r}, *sys.argv[1:]])
"""


def bound(family: int = socket.AF_INET, where=("127.0.0.1", 0), share: bool = False):
    s = socket.socket(family)
    if share:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(where)
    s.listen(100)
    return s


def text_of(s: socket.socket) -> str:
    return "%s:%d" % s.getsockname()


class Activated:
    """A world whose proxy is given sockets that we keep."""

    def __init__(self, w: World, *sockets: socket.socket) -> None:
        self.w = w
        w.daemon.pass_fds = tuple(s.fileno() for s in sockets)
        launcher = w.folder / "launcher"
        launcher.write_text(
            LAUNCHER.format(python=sys.executable, program=str(w.daemon.program))
        )
        launcher.chmod(0o755)
        w.daemon.program = launcher
        w.daemon.environment["GIVEN"] = ",".join(map(str, w.daemon.pass_fds))


@pytest.mark.parametrize("shared", [1, 3])
def test_socket_activation(make_world, shared: int) -> None:
    """One socket for both workers, or three of the same address (ReusePort=)."""
    w = make_world()
    first = bound(share=shared > 1)
    sockets = [first] + [bound(where=first.getsockname(), share=True) for _ in range(shared - 1)]
    admin = bound(socket.AF_UNIX, str(w.folder / "admin.sock"))
    w.config["admin"] = f"unix:{w.folder / 'admin.sock'}"
    w.config["listeners"][0]["address"] = text_of(first)
    Activated(w, *sockets, admin)
    # Clients come first, the program later.
    early = [socket.create_connection(first.getsockname()) for _ in range(20)]
    w.start()
    assert w.daemon.addresses == {"listeners": [text_of(first)], "admin": w.config["admin"]}
    all_served(w, early)
    w.daemon.stop()
    # What comes while nothing runs waits for the next start.
    late = socket.create_connection(first.getsockname())
    w.start()
    all_served(w, [late])
    for s in (*sockets, admin):
        s.close()


def test_activated_sockets_are_handed_over(make_world) -> None:
    w = make_world()
    with bound() as s:
        w.config["listeners"][0]["address"] = text_of(s)
        real = w.daemon.program
        Activated(w, s)
        w.start()
        # The successor is what argv[0] names: the program itself.
        assert w.daemon.program != real
        with Load(w) as load:
            w.daemon.hand_over()
            load.wait()
        assert not load.faults
        w.daemon.stop()
        # They were not made deaf.
        socket.create_connection(s.getsockname()).close()
        s.setblocking(False)
        until("it waits in the queue", lambda: s.accept())


def test_a_passed_socket_nobody_serves_is_a_fault(make_world) -> None:
    w = make_world()
    with bound() as s:
        Activated(w, s)
        with pytest.raises(AssertionError, match="ended with 1"):
            w.start()
        assert "no listener has this address" in w.daemon.log_text()


# --- sd_notify ---


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, w: World, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0"))
        self.socket.settimeout(DEADLINE)
        w.daemon.environment["NOTIFY_SOCKET"] = name

    def expect(self, *wanted: str) -> str:
        """The next message; each of its lines begins with one that is wanted, and no other."""
        text = self.socket.recv(4096).decode()
        got = [re.sub(r"=.*", "=", line) if line.startswith(("STATUS", "MONO", "EXT", "MAIN"))
               else line for line in text.split("\n")]
        assert got == list(wanted), text
        return text

    def await_(self, line: str) -> None:
        while line not in self.socket.recv(4096).decode().split("\n"):
            pass


@pytest.fixture(params=["path", "abstract"])
def manager(request, make_world) -> Iterator[Manager]:
    w = make_world()
    name = str(w.folder / "notify") if request.param == "path" else f"@schleuse-{os.getpid()}"
    m = Manager(w, name)
    m.world = w
    yield m
    m.socket.close()


def test_the_service_manager_is_told(manager: Manager) -> None:
    w = manager.world
    w.start()
    manager.expect("READY=1", "STATUS=")
    w.daemon.reload()
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    text = manager.expect("RELOADING=1", "MONOTONIC_USEC=")
    assert abs(int(text.rpartition("=")[2]) - now) < 60e6
    assert "refused" not in manager.expect("READY=1", "STATUS=")
    w.config["workers"] = "many"
    w.daemon.reload()
    manager.expect("RELOADING=1", "MONOTONIC_USEC=")
    assert "refused" in manager.expect("READY=1", "STATUS=")
    w.config["workers"] = 2
    w.daemon.write()
    w.daemon.hand_over()
    messages = {manager.socket.recv(4096).decode() for _ in range(2)}
    assert messages == {f"MAINPID={w.daemon.process.pid}", "READY=1\nSTATUS=Serving"}
    w.daemon.signal(signal.SIGTERM)
    assert manager.expect("STOPPING=1", "STATUS=", "EXTEND_TIMEOUT_USEC=").endswith("=15000000")


def test_the_watchdog_is_fed(manager: Manager) -> None:
    w = manager.world
    w.daemon.environment["WATCHDOG_USEC"] = "300000"
    w.start()
    for _ in range(5):
        manager.await_("WATCHDOG=1")
    w.daemon.hand_over()
    manager.await_("READY=1\n".strip())
    manager.await_("WATCHDOG=1")


def test_the_watchdog_of_another_process_is_none_of_ours(manager: Manager) -> None:
    w = manager.world
    w.daemon.environment.update(WATCHDOG_USEC="60000", WATCHDOG_PID="1")
    w.start()
    manager.expect("READY=1", "STATUS=")
    w.daemon.reload()
    manager.expect("RELOADING=1", "MONOTONIC_USEC=")


# --- stopping ---


def test_sigterm_serves_what_waits_in_the_queues(make_world) -> None:
    """What was connected before the signal gets its answer."""
    w = make_world()
    w.config["limits"] = {"connections_per_address": 0}
    w.config["timeouts"]["drain"] = "60s"  # all handshakes come at once
    w.start()
    w.daemon.signal(signal.SIGSTOP)
    waiting = [socket.create_connection(w.address) for _ in range(WAITING)]
    w.daemon.signal(signal.SIGTERM)
    w.daemon.signal(signal.SIGCONT)
    all_served(w, waiting)
    assert w.daemon.process.wait(DEADLINE) == 0


def test_an_idle_connection_gets_one_more_answer(make_world) -> None:
    w = make_world()
    w.config["timeouts"]["drain_idle"] = "20s"
    w.config["timeouts"]["drain"] = "20s"
    w.start()
    with w.connect() as c:
        assert c.ask("GET", PATH, [HOST]).status == 200
        w.daemon.signal(signal.SIGTERM)
        until("draining", lambda: w.daemon.admin("/ready").status == 503)
        a = c.ask("GET", PATH, [HOST])
        assert a.status == 200 and a.get("Connection") == "close"
        assert c.ended()
    assert w.daemon.process.wait(DEADLINE) == 0


def test_a_client_that_is_yet_to_be_named_is_served(make_world) -> None:
    """Its load balancer had connected, but not sent the PROXY header."""
    w = make_world()
    w.config["listeners"][0].update(
        proxy_protocol="required", proxy_protocol_from=["127.0.0.1"]
    )
    w.start()
    with socket.create_connection(w.address, DEADLINE) as s:
        w.daemon.signal(signal.SIGTERM)
        until("draining", lambda: w.daemon.admin("/ready").status == 503)
        s.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n")
        all_served(w, [s])
    assert w.daemon.process.wait(DEADLINE) == 0


def test_long_polls_end_by_themselves(make_world) -> None:
    w = make_world()
    w.start()
    poll = "/_matrix/client/v3/sync?timeout=1500"
    with w.connect() as c:
        c.send(wire.request("GET", poll, [HOST, ("Authorization", f"Bearer {w.token}")]))
        w.homeserver.wait("/sync")
        w.daemon.signal(signal.SIGTERM)
        a = c.read()
        assert a.status == 200 and a.get("Connection") == "close"
    assert w.daemon.process.wait(DEADLINE) == 0
