# SPDX-License-Identifier: Apache-2.0
"""A small OCSP responder over plain HTTP; a test says what it answers."""
from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.x509 import ocsp


class Responder:
    """Answers every request with `answer` (DER) and `status`; keeps the serial numbers asked for."""

    def __init__(self) -> None:
        self.answer = b""
        self.status = 200
        self.serials: list[int] = []
        self.types: list[str | None] = []
        self.agents: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.types.append(self.headers["Content-Type"])
                outer.agents.append(self.headers["TI-User-Agent"])
                outer.serials.append(ocsp.load_der_ocsp_request(body).serial_number)
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/ocsp-response")
                self.send_header("Content-Length", str(len(outer.answer)))
                self.end_headers()
                self.wfile.write(outer.answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/ocsp"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
