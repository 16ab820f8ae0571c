# SPDX-License-Identifier: Apache-2.0
"""The federation list from an https URL: asked for again, only when it is new, only over verified TLS."""
from typing import Any, Callable

import pytest

from harness import PKI, World, until
from sim import fedlist
from sim.rawserver import Close, RawRequest, RawServer, Reply, server_context

URI = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\n\r\n"


def octets(data: bytes, etag: str = "") -> bytes:
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
    head += f"ETag: {etag}\r\n" if etag else ""
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


class Publisher:
    """Serves the signed list of `names`; `fault` may answer instead."""

    def __init__(self, w: World, host: str = "delta.test") -> None:
        self.w, self.version, self.names = w, 1, list(w.listed)
        self.fault: Callable[[RawRequest], Reply] | None = None
        files = PKI.web.server(host).write(w.folder / "publisher")
        self.server = RawServer(self._answer, tls=server_context(*files))
        w._closers.append(self.server.close)
        source: dict[str, Any] = w.federation["list"]
        del source["file"]
        source["url"] = f"https://delta.test:{self.server.port}/federationList.jws"
        source["ca_file"] = str(w.ca_file)

    def _answer(self, r: RawRequest) -> Reply:
        if self.fault is not None:
            return self.fault(r)
        etag = f'"v{self.version}"'
        if r.get("If-None-Match") == etag:
            return NOT_MODIFIED
        payload = fedlist.plain(self.version, self.names)
        return octets(fedlist.sign(payload, PKI.list_signer), etag)


def status(w: World) -> int:
    return w.peer(w.beta).ask("GET", URI).status


def test_the_list_is_fetched_and_followed(make_world) -> None:
    w = make_world()
    publisher = Publisher(w)
    w.start()
    assert status(w) == 200
    publisher.server.wait(3)
    conditional = [r.get("If-None-Match") for r in publisher.server.requests]
    assert conditional[:3] == [None, '"v1"', '"v1"']
    publisher.names.remove(w.beta.name)
    publisher.version = 2
    until("beta's removal", lambda: status(w) == 403)


FAULTS: dict[str, Callable[[RawRequest], Reply]] = {
    "server error": lambda r: b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "not found": lambda r: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "no list": lambda r: octets(b"<html>"),
    "cut off": lambda r: Close(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc"),
    "nothing": lambda r: Close(),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_failing_source_changes_nothing(make_world, fault: str) -> None:
    w = make_world()
    publisher = Publisher(w)
    w.start()
    publisher.fault = FAULTS[fault]
    seen = len(publisher.server.requests)
    w.daemon.reload()
    publisher.server.wait(seen + 2)
    assert status(w) == 200
    publisher.fault = None
    publisher.names, publisher.version = [w.NAME], 2
    until("the next list", lambda: status(w) == 403)


def test_only_over_verified_tls(make_world) -> None:
    w = make_world()
    publisher = Publisher(w, host="gamma.test")
    w.start(ready="/health")
    until("an attempt", lambda: publisher.server.connections)
    assert status(w) == 503
    assert not publisher.server.requests
