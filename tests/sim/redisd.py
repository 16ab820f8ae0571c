# SPDX-License-Identifier: Apache-2.0
"""A real redis-server on loopback, with or without TLS and password, in a folder of the test."""
from __future__ import annotations

import random
import socket
import subprocess
from pathlib import Path
from typing import Sequence

from . import wire
from .pki import Issued


PORTS = range(10000, 32768)  # below those the kernel hands out: nobody is given it while its server is down


def free_port() -> int:
    while True:
        port = random.choice(PORTS)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Redis:
    """`start` and `stop` may be repeated; data does not outlive a stop."""

    def __init__(
        self,
        folder: Path,
        *,
        password: str = "",
        certificate: Issued | None = None,
        user: str = "",
        settings: str = "",
    ) -> None:
        """`user`: whom daemons log in as; `settings`: lines of a configuration file."""
        self.folder = folder
        self.user = user
        self.password = password
        self.settings = settings
        self.port = free_port()
        self.tls = certificate is not None
        self.process: subprocess.Popen[bytes] | None = None
        if certificate is not None:
            self.files = certificate.write(folder / "redis")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> "Redis":
        args = ["redis-server"]
        if self.settings:
            conf = self.folder / "redis.conf"
            conf.write_text(self.settings)
            args.append(str(conf))
        args += ["--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        if self.password and not self.user:
            args += ["--requirepass", self.password]
        if self.tls:
            cert, key = map(str, self.files)
            args += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            args += ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert]
        else:
            args += ["--port", str(self.port)]
        self.process = subprocess.Popen(args, stdout=subprocess.DEVNULL)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _connect(self) -> socket.socket:
        s = socket.create_connection(("127.0.0.1", self.port), 10)
        return wire.tls_context().wrap_socket(s) if self.tls else s

    def ask(self, *words: str | bytes) -> bytes:
        """One command; the raw reply, as much as comes at once."""
        return self.ask_all(words)

    def ask_all(self, *commands: Sequence[str | bytes]) -> bytes:
        """The same for commands one after the other on one connection."""
        replies = b""
        with self._connect() as s:
            for words in commands:
                raw = b"".join(
                    b"$%d\r\n%s\r\n" % (len(w), w)
                    for w in (x if isinstance(x, bytes) else x.encode() for x in words)
                )
                s.sendall(b"*%d\r\n%s" % (len(words), raw))
                replies += s.recv(65536)
        return replies
