# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy that knows CONNECT only, and where the test's servers are."""
from __future__ import annotations

import socket
import threading
from typing import Any, Mapping


class HttpProxy:
    """`places`: addresses of names; `status`: what it answers to every request."""

    def __init__(self, places: Mapping[str, str], status: str = "200 Fine", host: str = "127.0.0.1") -> None:
        self.places, self.status = places, status
        self.heads: list[bytes] = []
        self.listener = socket.create_server((host, 0))
        self.where = "%s:%d" % self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: Any) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (piece := conn.recv(4096)):
                return
            head += piece
        self.heads.append(head)
        conn.sendall(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
        if not self.status.startswith("200"):
            conn.close()
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        out = socket.create_connection((self.places.get(host, host.strip("[]")), int(port)))
        threading.Thread(target=pump, args=(conn, out), daemon=True).start()
        pump(out, conn)


def pump(a: Any, b: Any) -> None:
    """Bytes of one direction, to the end of it."""
    try:
        while piece := a.recv(65536):
            b.sendall(piece)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
