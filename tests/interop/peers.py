# SPDX-License-Identifier: Apache-2.0
"""Servers that a test plays itself, where other servers would look for them."""
from __future__ import annotations

import json
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType

from federation import PORTS
from sim.keyserver import KeyServer, answer
from sim.pki import Issued
from sim.rawserver import RawRequest, Reply, server_context

PATIENCE = 30.0


class Witness:
    """Listens at both ports of an address, with a certificate or deaf; answers nothing.

    `connections` counts what was accepted, `arrived` is every byte that came inside TLS.
    """

    def __init__(self, address: str, folder: Path, certificate: Issued | None = None) -> None:
        self.connections = self.refused = 0
        self.arrived = b""
        self.tls: ssl.SSLContext | None = None
        if certificate is not None:
            self.tls = server_context(*certificate.write(folder / address))
        self._changed = threading.Condition()
        self._listeners = [socket.create_server((address, port)) for port in PORTS]
        for s in self._listeners:
            threading.Thread(target=self._accept, args=(s,), daemon=True).start()

    def __enter__(self) -> "Witness":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for s in self._listeners:
            s.shutdown(socket.SHUT_RDWR)
            s.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._changed:
            self.connections += 1
        connection.settimeout(PATIENCE)
        try:
            self._listen_to(connection)
        except OSError:
            with self._changed:
                self.refused += 1
                self._changed.notify_all()
        finally:
            connection.close()

    def _listen_to(self, connection: socket.socket) -> None:
        """Every byte, until the other side closes or breaks off the handshake."""
        if self.tls is None:
            return
        with self.tls.wrap_socket(connection, server_side=True) as s:
            while piece := s.recv(65536):
                with self._changed:
                    self.arrived += piece

    def wait_for_refusals(self, n: int = 1) -> None:
        """Until so many handshakes have been broken off."""
        with self._changed:
            done = self._changed.wait_for(lambda: self.refused >= n, PATIENCE)
        assert done, f"{self.refused} of {n} handshakes were broken off, {self.connections} begun"


class Directory(KeyServer):
    """A server that knows one room by its alias; it says so in the room's ID."""

    def __init__(self, host: str, certificate: Issued, folder: Path, address: tuple[str, int]) -> None:
        files = certificate.write(folder / f"{host}-directory")
        super().__init__(host, files, address=address, port_in_name=False)
        self.script = self._look_up

    def _look_up(self, r: RawRequest) -> Reply | None:
        if not r.target.startswith("/_matrix/federation/v1/query/directory?"):
            return None
        room = {"room_id": f"!room:{self.name}", "servers": [self.name]}
        return answer("200 OK", json.dumps(room).encode())
