# SPDX-License-Identifier: Apache-2.0
"""What runs while something is measured, and ends with it."""
import socket
import ssl
import subprocess
import time

from machine import pinned

PATIENCE = 15  # seconds for a start or an end


class Failed(Exception):
    """A contestant cannot do a work; the others go on."""


def tail(log, lines=20):
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def wait_for(port, process, log):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Failed(f"nothing listens on port {port}; the end of {log}:\n{tail(log)}")


def negotiated(port, ca):
    """(what TLS settled on, the protocol of ALPN or None) of a proxy."""
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the test PKI leaves out key identifiers
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as tls:
            return f"{tls.version()} {tls.cipher()[0]}", tls.selected_alpn_protocol()


class Daemons:
    """Processes that end with the block they were made for."""

    def __init__(self):
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.terminate()
        for process in self.running:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, log, cores, command, port):
        """Starts it and waits until it listens."""
        with log.open("wb") as out:
            process = subprocess.Popen(pinned(cores, command), stdout=out, stderr=out,
                                       stdin=subprocess.DEVNULL)
        self.running.append(process)
        wait_for(port, process, log)
        return process
