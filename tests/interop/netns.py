#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A network namespace with nothing but its own loopback: what runs in it has no way out of its own.

The namespace is kept by a small agent inside it, which ends with the process that made it.  The agent
answers at a unix socket, a path that is reached from any namespace, and makes listening sockets that
others serve: `netns.py launch` gives one to a daemon by socket activation, as systemd does for a socket
unit with PrivateNetwork= and JoinsNamespaceOf=.

Usage: netns.py launch AGENT ADDRESS PROGRAM [ARGUMENT...]
       netns.py serve AGENT            (the agent itself; ends with its standard input)
"""
from __future__ import annotations

import array
import fcntl
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LISTEN_FIRST = 3  # of sd_listen_fds(3)
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
START = 10.0


class NoNamespace(Exception):
    """This system does not let us have a network namespace; the text says so."""


def _rights() -> list[str]:
    """The words that run a command in a new namespace; users need one of users for it as well."""
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


class Namespace:
    """A namespace of our own, until close() or the end of this process."""

    def __init__(self, agent: Path) -> None:
        self.agent = agent
        self._process = subprocess.Popen(
            [*_rights(), sys.executable, __file__, "serve", str(agent)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True,  # Ctrl-C is for us
        )
        end = time.monotonic() + START
        while not agent.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                said = self._process.communicate()[1].strip()
                raise NoNamespace(f"no network namespaces here (root or user namespaces are needed): {said}")
            time.sleep(0.01)

    def enter(self) -> list[str]:
        """The words that run a command inside."""
        at = f"/proc/{self._process.pid}/ns"
        user = [] if os.geteuid() == 0 else [f"--user={at}/user", "--preserve-credentials"]
        return ["nsenter", *user, f"--net={at}/net"]

    def close(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(START)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self.agent.unlink(missing_ok=True)

    def listener(self, address: str) -> socket.socket:
        """A listening TCP socket inside; the agent keeps it too, so what connects waits for us."""
        return _ask(self.agent, "listen", address)[1]

    def datagrams(self, address: str) -> socket.socket:
        """A bound UDP socket inside."""
        return _ask(self.agent, "datagrams", address)[1]

    def try_to_reach(self, address: str) -> str:
        return try_to_reach(self.agent, address)

    def interfaces(self) -> list[str]:
        return list(_ask(self.agent, "interfaces", "")[0]["said"])


def try_to_reach(agent: Path, address: str) -> str:
    """What becomes of a TCP connection from inside: "connected", or the name of the fault."""
    return str(_ask(agent, "connect", address)[0]["said"])


def waiting(listener: socket.socket) -> int:
    """How many connections wait in a listening socket's queue (tcpi_unacked; see tcp(7))."""
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    return int(struct.unpack_from("I", info, 24)[0])


# The agent's side


def _ask(agent: Path, verb: str, address: str) -> tuple[dict[str, Any], Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(str(agent))
        s.send(json.dumps([verb, address]).encode())
        data, fds, _, _ = socket.recv_fds(s, 4096, 1)
    answer = json.loads(data)
    if "fault" in answer:
        raise OSError(f"{verb} {address} in the namespace: {answer['fault']}")
    return answer, socket.socket(fileno=fds[0]) if fds else None


class Agent:
    """Answers one request after the other."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], socket.socket] = {}

    def socket(self, verb: str, address: str) -> socket.socket:
        if (verb, address) not in self.kept:
            s = socket.socket(type=socket.SOCK_STREAM if verb == "listen" else socket.SOCK_DGRAM)
            s.bind(_address(address))
            if verb == "listen":
                s.listen(64)
            self.kept[verb, address] = s
        return self.kept[verb, address]

    def answer(self, verb: str, address: str) -> tuple[dict[str, Any], list[int]]:
        if verb == "connect":
            return {"said": _connect(address)}, []
        if verb == "interfaces":
            return {"said": [name for _, name in socket.if_nameindex()]}, []
        return {}, [self.socket(verb, address).fileno()]

    def serve(self, s: socket.socket) -> None:
        with s:
            verb, address = json.loads(s.recv(4096))
            fds: list[int] = []
            try:
                said, fds = self.answer(verb, address)
            except OSError as e:
                said = {"fault": str(e)}
            socket.send_fds(s, [json.dumps(said).encode()], fds)


def _connect(address: str) -> str:
    try:
        with socket.create_connection(_address(address), timeout=5):
            return "connected"
    except OSError as e:
        return e.strerror or str(e)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = array.array("b", struct.pack("16sH14x", b"lo", 0))
        fcntl.ioctl(s, SIOCGIFFLAGS, request)
        flags = struct.unpack_from("H", request, 16)[0]
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def serve(path: Path) -> None:
    """The agent: until the other end of the standard input is closed."""
    _raise_loopback()
    agent = Agent()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        new = path.with_name(path.name + ".new")
        s.bind(str(new))
        s.listen(16)
        new.rename(path)
        both = selectors.DefaultSelector()
        both.register(s, selectors.EVENT_READ)
        both.register(sys.stdin, selectors.EVENT_READ)
        while all(key.fileobj is s for key, _ in both.select()):
            agent.serve(s.accept()[0])


def launch(agent: Path, address: str, program: list[str]) -> None:
    """Becomes the program, which is given a listening socket of the namespace."""
    fd = _ask(agent, "listen", address)[1].detach()
    if fd == LISTEN_FIRST:
        os.set_inheritable(fd, True)
    else:
        os.dup2(fd, LISTEN_FIRST)
        os.close(fd)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execv(program[0], program)


def main(words: list[str]) -> int:
    if words[:1] == ["serve"] and len(words) == 2:
        serve(Path(words[1]))
    elif words[:1] == ["launch"] and len(words) > 3:
        launch(Path(words[1]), words[2], words[3:])
    else:
        print(__doc__, file=sys.stderr)
        return 64
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
