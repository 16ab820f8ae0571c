# SPDX-License-Identifier: Apache-2.0
"""Unix sockets of listeners that serve outbound (FD-5.2.1.2-4): shared by the workers, across
reloads, hand-overs and socket activation, and gone when the proxy stops."""
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from harness import DEADLINE, Daemon, World, until
from test_service import Activated, bound

SECRET = "0123456789abcdef0123"


def way_out(w: World, name: str = "out.sock", **how) -> Path:
    """A further listener at a unix socket; its path."""
    path = w.folder / name
    w.config["listeners"].append({"address": f"unix:{path}", "serves": ["outbound"], **how})
    secret = w.folder / "out.secret"
    secret.touch(0o600)
    secret.write_text(SECRET + "\n")
    w.config["services"][0]["outbound"] = {"secret_file": str(secret)}
    return path


@pytest.fixture
def out(make_world):
    w = make_world()
    w.config["workers"] = 3
    w.config["timeouts"]["drain_idle"] = "1s"
    w.out = way_out(w)
    return w.start()


def opened(path: Path) -> socket.socket:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(DEADLINE)
    s.connect(str(path))
    return s


def accepted(path: Path) -> None:
    """Somebody takes connections there: what is no request of ours is answered or hung up on."""
    with opened(path) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            s.recv(1000)
        except ConnectionResetError:
            pass


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def is_gone(path: Path) -> bool:
    try:
        opened(path).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return True
    return False


def reloaded(w: World, outcome: str = "adopted") -> None:
    n = w.daemon.metric("schleuse_reloads_total", outcome=outcome)
    w.daemon.reload()
    until("the reload", lambda: w.daemon.metric("schleuse_reloads_total", outcome=outcome) == n + 1)


def workers_listening(w: World) -> int:
    """How often the process has its one socket in an epoll: once for each worker."""
    inode = next(line.split()[6] for line in Path("/proc/net/unix").read_text().splitlines()
                 if line.endswith(str(w.out)))
    pid, found = w.daemon.process.pid, 0
    fds = [f.name for f in Path(f"/proc/{pid}/fd").iterdir() if _link(f) == f"socket:[{inode}]"]
    assert len(fds) == 1
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        if _link(fd) == "anon_inode:[eventpoll]":
            told = Path(f"/proc/{pid}/fdinfo/{fd.name}").read_text().splitlines()
            found += any(line.split()[:2] == ["tfd:", fds[0]] for line in told)
    return found


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def test_all_workers_share_one_socket(out: World) -> None:
    assert out.daemon.addresses["listeners"][1] == f"unix:{out.out}"
    assert mode(out.out) == 0o666
    assert workers_listening(out) == 3
    for _ in range(20):
        accepted(out.out)


def test_a_stop_removes_the_file(out: World) -> None:
    out.daemon.signal(signal.SIGTERM)
    assert out.daemon.process.wait(DEADLINE) == 0
    assert not out.out.exists()


def test_what_a_crash_left_is_replaced(out: World) -> None:
    out.daemon.kill()
    assert out.out.is_socket()
    out.start()
    accepted(out.out)


def test_a_reload_keeps_the_socket_and_changes_its_mode(out: World) -> None:
    inode = out.out.stat().st_ino
    out.config["listeners"][1]["socket_mode"] = "620"
    reloaded(out)
    until("the mode", lambda: mode(out.out) == 0o620)
    assert out.out.stat().st_ino == inode
    accepted(out.out)


def test_a_file_that_somebody_removes_is_made_anew(out: World) -> None:
    """By a reload or a hand-over; what was connected before goes on."""
    with opened(out.out) as before:
        before.sendall(b"GET / HTTP/1.1\r\n")
        out.out.unlink()
        assert is_gone(out.out)
        reloaded(out)
        accepted(out.out)
        assert mode(out.out) == 0o666
        before.sendall(b"Host: x\r\n\r\n")
        assert before.recv(1000).startswith(b"HTTP/1.1 4")
    out.out.unlink()
    out.daemon.hand_over()
    accepted(out.out)
    out.daemon.stop()
    assert not out.out.exists()


def test_a_listener_comes_and_goes_on_reload(out: World) -> None:
    """One that goes and comes back at once is a new socket: nobody connects into the void."""
    with opened(out.out) as waiting:
        listener = out.config["listeners"].pop()
        reloaded(out)
        assert is_gone(out.out) and not out.out.exists()
        out.config["listeners"].append(listener)
        reloaded(out)
        accepted(out.out)
        waiting.sendall(b"x\r\n\r\n")
        try:
            waiting.recv(1000)
        except ConnectionResetError:
            pass
    second = way_out(out, "second.sock", socket_mode="600")
    reloaded(out)
    accepted(second)
    assert mode(second) == 0o600


def test_a_refused_reload_leaves_no_file(out: World) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    second = way_out(out, "second.sock")
    out.config["listeners"].append({"address": "127.0.0.1:%d" % other.getsockname()[1]})
    reloaded(out, "refused")
    assert not second.exists()
    accepted(out.out)
    other.close()


def test_a_handover_keeps_the_socket(out: World) -> None:
    inode = out.out.stat().st_ino
    for n in (1, 4):
        out.config["workers"] = n
        out.daemon.write()
        out.daemon.hand_over()
        assert out.out.stat().st_ino == inode
        assert workers_listening(out) == n
        accepted(out.out)
    out.daemon.signal(signal.SIGTERM)
    until("the end", lambda: not out.out.exists())


def test_a_handover_that_fails_keeps_the_socket(out: World) -> None:
    good = out.variant()
    way_out(out, "second.sock")
    out.config["admin"] = f"unix:{out.folder}/nowhere/admin.sock"  # what is bound last
    out.daemon.write()
    out.daemon.signal(signal.SIGUSR2)
    until("failure", lambda: out.daemon.metric("schleuse_handovers_failed_total") == 1)
    accepted(out.out)
    assert not (out.folder / "second.sock").exists()
    out.daemon.config = out.config = good
    out.daemon.write()
    out.daemon.hand_over()
    accepted(out.out)


def test_a_handover_can_give_the_socket_up(out: World) -> None:
    out.config["listeners"].pop()
    out.daemon.write()
    out.daemon.hand_over()
    assert not out.out.exists()


def test_socket_activation(make_world) -> None:
    """Its file is the service manager's: mode and end too."""
    w = make_world()
    path = way_out(w, socket_mode="600")
    kept = bound(socket.AF_UNIX, str(path))
    path.chmod(0o640)
    Activated(w, kept)
    w.start()
    accepted(path)
    assert mode(path) == 0o640
    w.daemon.signal(signal.SIGTERM)
    assert w.daemon.process.wait(DEADLINE) == 0
    assert path.is_socket()
    w.daemon.expect_exit = 0
    kept.close()


def refuses_to_start(w: World, why: str) -> None:
    d: Daemon = w.daemon
    d.expect_exit = 1
    with pytest.raises(AssertionError, match="ended with 1"):
        w.start()
    assert why in d.log_text()


def test_a_socket_in_use_is_not_taken(make_world) -> None:
    w = make_world()
    path = way_out(w)
    other = bound(socket.AF_UNIX, str(path))
    refuses_to_start(w, "another process")
    opened(path).close()
    other.close()


def test_a_file_that_is_no_socket_stays(make_world) -> None:
    w = make_world()
    path = way_out(w)
    path.write_text("of value")
    refuses_to_start(w, "the file is no socket")
    assert path.read_text() == "of value"
