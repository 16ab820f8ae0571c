# SPDX-License-Identifier: Apache-2.0
"""A small DNS server on loopback (UDP): A and SRV records from a table, everything else NXDOMAIN.

For faults that a real name server does not have; see unbound.py for one.
"""
from __future__ import annotations

import socket
import struct
import threading
from typing import Callable

A, SRV = 1, 33


def _labels(name: str) -> bytes:
    out = b"".join(bytes([len(p)]) + p.encode() for p in name.split(".") if p)
    return out + b"\0"


def _bound() -> tuple[socket.socket, socket.socket]:
    """Sockets of UDP and of TCP at one port, which is refused by TCP until somebody listens."""
    while True:
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        streams = socket.socket()
        try:
            streams.bind(datagrams.getsockname())
            return datagrams, streams
        except OSError:
            datagrams.close()
            streams.close()


class DnsServer:
    """`records` maps (name, type) to a list of rdata: addresses, or (priority, weight, port, host).

    `sock` is a bound socket, perhaps of another network namespace; without it there is a new one.
    """

    def __init__(self, sock: socket.socket | None = None) -> None:
        self.records: dict[tuple[str, int], list] = {}
        self.asked: list[tuple[str, int]] = []
        self.ttl = 60  # seconds
        # What goes out instead of one answer, given the query and the answer; may be changed at any time.
        self.fault: Callable[[bytes, bytes], list[bytes]] = lambda query, answer: [answer]
        self.streams = 0  # connections by TCP
        self.listener: socket.socket | None = None
        if sock is None:
            sock, self.listener = _bound()
        self.sock = sock
        self.where = "%s:%d" % self.sock.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.sock.close()
        if self.listener is not None:
            self.listener.close()

    def serve_tcp(self) -> None:
        """The same answers by TCP, without the faults, for whom a truncated one sends there."""
        listener = self.listener
        assert listener is not None
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    stream, _ = listener.accept()
                except OSError:
                    return
                self.streams += 1
                with stream, stream.makefile("rwb") as file:
                    while size := file.read(2):
                        reply = self._answer(file.read(struct.unpack(">H", size)[0]))
                        file.write(struct.pack(">H", len(reply)) + reply)
                        file.flush()

        threading.Thread(target=serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                query, peer = self.sock.recvfrom(4096)
                for message in self.fault(query, self._answer(query)):
                    self.sock.sendto(message, peer)
            except OSError:
                return

    def _answer(self, query: bytes) -> bytes:
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        found = self.records.get((name, kind), [])
        known = any(n == name for n, _ in self.records)
        flags = 0x8580 if found or known else 0x8583
        out = query[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0) + query[12 : at + 5]
        for value in found:
            data = socket.inet_aton(value) if kind == A else _srv(value)
            out += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(data)) + data
        return out


def _srv(value: tuple[int, int, int, str]) -> bytes:
    return struct.pack(">HHH", *value[:3]) + _labels(value[3])
