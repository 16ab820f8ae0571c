# SPDX-License-Identifier: Apache-2.0
"""A proxy as the way out of its homeserver, other homeservers around it, and the three forms in which
a homeserver may ask them for something.

Form A is what Synapse writes with outbound_federation_restricted_to, form B what it writes with
https_proxy, byte for byte; form C is an absolute-form https:// target.  Each remote server has a
loopback address of its own, so that ports may be the same.
"""
from __future__ import annotations

import base64
import json
import random
import ssl
from pathlib import Path
from typing import Any, Iterable

from harness import PKI, World, until
from sim import b64, wire, xmatrix
from sim.dns import DnsServer
from sim.keyserver import KeyServer, answer
from sim.pki import Authority, Issued
from sim.rawserver import RawRequest, Reply, server_context

SECRET = "worker-replication-s3cret"
AGENT = "Synapse/1.160.0"
FORMS = ("A", "B", "C")
INBOUND, UNIX, TCP = range(3)  # listeners
PROFILE = "/_matrix/federation/v1/query/profile?user_id=%40bob%3Abeta.test"
FINE = answer("200 OK", b'{"displayname":"Bob"}')
CA = Authority.interceptor("Test way out", ["test"], ["127.0.0.0/8", "::1/128"])
SIGN: Any = object()  # an Authorization made for the request


def loopback() -> str:
    """An address that nobody else has, most likely."""
    return "127.%d.%d.%d" % (random.randrange(1, 255), random.randrange(255), random.randrange(1, 255))


def basic(secret: str = SECRET, user: str = "synapse") -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def bearer(secret: str = SECRET) -> str:
    return f"Bearer {secret}"


def split_name(name: str) -> tuple[str, int]:
    """Host without brackets and port of a server name."""
    host, colon, port = name.rpartition(":")
    if not colon or port.endswith("]"):
        return name.strip("[]"), 8448
    return host.strip("[]"), int(port)


class Remote(KeyServer):
    """Another homeserver: strict, with keys, over TLS; answers FINE unless a script says otherwise.

    It checks each signature by itself; `faults` says what it would have refused.
    """

    def __init__(self, w: "OutWorld", host: str, **how: Any) -> None:
        self.world = w
        self.faults: list[str] = []
        super().__init__(host, **how)

    @property
    def requests(self) -> list[RawRequest]:
        return list(self.server.requests)

    @property
    def untouched(self) -> bool:
        """Nobody has connected at all."""
        return self.server.connections == 0

    @property
    def seen(self) -> int:
        """Bytes of requests."""
        return self.server.received

    @property
    def address(self) -> tuple[str, int]:
        return self.server.listener.getsockname()[:2]

    def present(self, issued: Issued) -> None:
        """Another certificate, from the next connection on."""
        stem = self.world.folder / f"other-{random.getrandbits(32):08x}"
        self.server.tls = server_context(*issued.write(stem))

    def forget(self) -> None:
        self.server.forget()
        self.faults.clear()

    def _answer(self, r: RawRequest) -> Reply:
        if r.target.startswith("/_matrix/federation/") and r.all("Authorization"):
            self._check(r)
        if self.script is not None and (scripted := self.script(r)) is not None:
            return scripted
        if r.target in ("/.well-known/matrix/server", "/_matrix/key/v2/server"):
            return super()._answer(r)
        return FINE

    def _check(self, r: RawRequest) -> None:
        keys = {h.name: [h.key.public] for h in self.world.homeservers}
        values = r.all("Authorization")
        try:
            xmatrix.verified_origin(values, r.method, r.target, r.content, self.name, keys)
        except (ValueError, KeyError) as e:
            self.faults.append(f"{r.method} {r.target}: {e}")


class Tunnel(wire.Connection):
    """CONNECT as Synapse writes it; begin() starts TLS inside."""

    def __init__(self, address: Any, to: str, credential: str | None, more: bytes = b"") -> None:
        super().__init__(address)
        self.send(connect_request(to, credential) + more)
        self.answer = self.read_head()

    def begin(self, tls: ssl.SSLContext, name: str | None) -> "Tunnel":
        assert self.answer.status == 200 and not self.held, (self.answer, self.held)
        self.sock = tls.wrap_socket(self.raw, server_hostname=name)
        return self


def connect_request(to: str, credential: str | None) -> bytes:
    """Matrix facts 6.2: HTTP/1.0, no Host, at most one field."""
    lines = [f"CONNECT {to} HTTP/1.0"]
    if credential is not None:
        lines.append(f"Proxy-Authorization: {credential}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def absolute_request(
    method: str, scheme: str, server: str, uri: str, body: bytes | None, authorization: list[str],
    credentials: list[str], more: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Matrix facts 6.3: the order of fields is Synapse's, and so is the port in Host."""
    fields = [("Connection", "close")]
    if body is not None:
        fields.append(("Content-Length", str(len(body))))
    fields.append(("User-Agent", AGENT))
    if body is not None:
        fields.append(("Content-Type", "application/json"))
    fields += [("Authorization", v) for v in authorization]
    fields += [("Proxy-Authorization", v) for v in credentials]
    fields += more
    has_port = server.rpartition(":")[2].isdigit() and not server.endswith("]")
    fields.append(("Host", server if has_port else f"{server}:80"))
    head = "".join(f"{n}: {v}\r\n" for n, v in fields)
    return f"{method} {scheme}://{server}{uri} HTTP/1.1\r\n{head}\r\n".encode() + (body or b"")


def inner_request(
    method: str, host: str, uri: str, body: bytes | None, authorization: list[str],
    more: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Matrix facts 1.4: a request of Synapse's pool, as it is inside a tunnel."""
    fields = [] if body is None else [("Content-Length", str(len(body)))]
    fields.append(("User-Agent", AGENT))
    if body is not None:
        fields.append(("Content-Type", "application/json"))
    fields += [("Authorization", v) for v in authorization]
    fields += more
    fields.append(("Host", host))
    head = "".join(f"{n}: {v}\r\n" for n, v in fields)
    return f"{method} {uri} HTTP/1.1\r\n{head}\r\n".encode() + (body or b"")


def body_of(content: Any) -> bytes | None:
    """Synapse sends canonical JSON, and nothing for an empty object."""
    if isinstance(content, bytes):
        return content
    return b64.sorted_json(content) if content else None


class OutWorld(World):
    """Listeners: inbound, a unix socket (form A), loopback TCP (B, C).  beta is listed, gamma not."""

    def __init__(self, folder: Path, **how: Any) -> None:
        self.places: dict[str, str] = {}
        self.homeservers: list[Any] = []
        self.dns = DnsServer()
        super().__init__(folder, **how)
        self._closers.append(self.dns.close)
        self.homeservers.append(self.homeserver)
        self.anna = f"@anna:{self.NAME}"
        self.bob = f"@bob:{self.beta.name}"
        self.inside = wire.tls_context(CA.pem)

    def remote(self, host: str, **how: Any) -> Remote:
        """A remote server; `certificate`, `address`, `port_in_name` as KeyServer has them."""
        address = how.pop("address", None) or (loopback(), 0)
        issued = how.pop("certificate", None) or PKI.web.server(host.strip("[]"))
        files = issued.write(self.folder / f"r-{len(self._closers)}-{host.strip('[]')}")
        server = Remote(self, host, context_files=files, address=address, **how)
        self.places[host] = address[0]
        self._closers.append(server.close)
        return server

    def _config(self) -> dict[str, Any]:
        config = super()._config()
        certificate, key = CA.issued.write(self.folder / "way-out")
        config["listeners"] += [
            {"address": f"unix:{self.folder / 'out.sock'}", "serves": ["outbound"]},
            {"address": "127.0.0.1:0", "serves": ["outbound"]},
        ]
        config["services"][0]["outbound"] = self.way_out("out.secret")
        config["outbound"] = {"ca_certificate": str(certificate), "ca_key": str(key)}
        config["lookups"]["hosts"].update(self.places)
        config["lookups"].update(
            nameservers=[self.dns.where], negative_ttl="1s", negative_ttl_max="1s"
        )
        return config

    def way_out(self, file: str, secret: str = SECRET, **how: Any) -> dict[str, Any]:
        """`outbound` of a service, and its secret in a file."""
        path = self.folder / file
        path.write_text(secret + "\n")
        path.chmod(0o600)
        return {"secret_file": str(path), **how}

    @property
    def rules(self) -> dict[str, Any]:
        return self.main_service["outbound"]

    def know(self, *remotes: Remote, listed: bool = True) -> None:
        """Remotes made after the configuration was; before start()."""
        self.config["lookups"]["hosts"].update(self.places)
        if listed:
            self.listed += [r.name for r in remotes]
            self.publish()

    def out(self, n: int = TCP) -> Any:
        where = self.daemon.addresses["listeners"][n]
        return where[5:] if where.startswith("unix:") else self.daemon.address(n)

    def start(self, ready: str = "/ready") -> "OutWorld":
        super().start(ready)
        return self

    # Asking

    def sign(self, method: str, uri: str, to: str, content: Any = None, **other: Any) -> str:
        """X-Matrix of our homeserver; `other`: origin, destination, key, or content as signed."""
        key = other.get("key", self.homeserver.key)
        origin, destination = other.get("origin", self.NAME), other.get("destination", to)
        signed = xmatrix.Signed(origin, destination, method, uri, other.get("content", content))
        return xmatrix.header(origin, key.id, signed.signature(key), destination)

    def _authorization(self, how: dict, method: str, uri: str, to: str, content: Any) -> list[str]:
        value = how.pop("authorization", SIGN)
        if value is not SIGN:
            return [value] if isinstance(value, str) else list(value or [])
        other = {k: how.pop(k) for k in ("key", "origin", "destination") if k in how}
        body = content if content and not isinstance(content, bytes) else None
        return [self.sign(method, uri, to, body, **other)]

    def ask(
        self, form: str, method: str, to: str | Remote, uri: str, content: Any = None, **how: Any
    ) -> wire.Answer:
        """One request in one of the forms, on a connection of its own.

        `authorization`: SIGN, or any values; `credential`: of the proxy, any values; `key`, `origin`,
        `destination`: what SIGN signs; `at`: "host:port" that B and C contact; `sni`, `host`: of B;
        `via`: the listener; `more`: further fields.
        """
        server = to if isinstance(to, str) else to.name
        authorization = self._authorization(how, method, uri, server, content)
        at = how.pop("at", None) or "%s:%d" % split_name(server)
        body = body_of(content)
        if form == "B":
            host = how.pop("host", server)
            data = inner_request(method, host, uri, body, authorization, how.pop("more", ()))
            with self.tunnel(at, **how) as c:
                c.send(data)
                return c.read(method)
        scheme, authority = ("https", bracketed(at)) if form == "C" else ("matrix-federation", server)
        credential = how.pop("credential", bearer() if form == "A" else basic())
        credentials = [credential] if isinstance(credential, str) else list(credential or [])
        more = how.pop("more", ())
        data = absolute_request(
            method, scheme, authority, uri, body, authorization, credentials, more
        )
        with wire.Connection(self.out(how.pop("via", UNIX if form == "A" else TCP))) as c:
            assert not how, how
            c.send(data)
            return c.read(method)

    def tunnel(
        self, at: str, *, credential: str | None = basic(), sni: Any = SIGN, tls: Any = None,
        via: int = TCP,
    ) -> Tunnel:
        """An open tunnel with TLS of the proxy inside; without `sni` that of the contacted host."""
        c = Tunnel(self.out(via), at, credential)
        return c.begin(tls or self.inside, split_name(at)[0] if sni is SIGN else sni)

    def refused(self, a: wire.Answer, *remotes: Remote, status: int = 403) -> str:
        """A Matrix refusal, and nobody was connected to; its text."""
        assert (a.status, a.errcode) == (status, "M_FORBIDDEN" if status == 403 else "M_UNKNOWN"), a
        assert a.get("Content-Type") == "application/json"
        for r in remotes:
            assert not r.requests, "a request went out"
        return a.error

    def until_metric(self, name: str, value: float, **labels: str) -> None:
        until(f"{name} {labels} = {value}", lambda: self.daemon.metric(name, **labels) == value)


def bracketed(at: str) -> str:
    """host:port as a URL has it."""
    host, _, port = at.rpartition(":")
    return f"[{host.strip('[]')}]:{port}" if ":" in host.strip("[]") else at


def error(status: str, errcode: str, text: str) -> bytes:
    """A Matrix error of a remote server."""
    return answer(status, json.dumps({"errcode": errcode, "error": text}).encode())
