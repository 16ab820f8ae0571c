# SPDX-License-Identifier: Apache-2.0
"""`Vzd`: the directory's provider side, its authorization server, downloads and OCSP responder.

Four listeners on loopback, each on a port of its own: `auth`, `directory` and `downloads` over TLS,
`ocsp` in plain.  Everything a test may change is a member:

    with Vzd(domains=["a.example.org"]) as vzd:
        vzd.add("b.example.org")                   # the next version of the list
        vzd.faults.on("list:503")                  # see faults.NAMES
        vzd.auth.revoke_all()
        assert vzd.records.count("list") == 1 and vzd.violations == []

Threads serve; members are read at each request, so changes take effect at once.
"""
from __future__ import annotations

import ssl
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Iterable

from ..pki import Issued
from ..rawserver import Close, RawRequest, RawServer, Reply, server_context
from .auth import TOKEN_PATH, Auth
from .certificates import Certificates
from .directory import Directory
from .downloads import ROOTS, Downloads
from .faults import CONTENT, Faults
from .listing import Listing
from .lists import FORMS
from .localization import Localization
from .message import Answer, Refused, Request, wrong
from .ocsp import PATH, Ocsp, crl_path
from .pki import VzdPki
from .records import Call, Records
from .services import ROOT, Services

CLIENT = "tim-provider-1"
DESKS = ("auth", "directory", "downloads", "ocsp")
VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")  # OCSP clients may be old
Found = tuple[str, Callable[[Request], Answer]]


class Vzd:
    """`host` is the name in the URLs; it has to lead to 127.0.0.1.  `ports`: by desk, 0 for any."""

    def __init__(
        self,
        *,
        domains: Iterable[str] = (),
        pki: VzdPki | None = None,
        host: str = "localhost",
        client: str = CLIENT,
        secret: str = "",
        aia: str | None = None,
        ports: dict[str, int] | None = None,
    ) -> None:
        self.host, self.client = host, client
        self.pki = pki or VzdPki()
        self.faults = Faults()
        self.records = Records()
        self.directory = Directory(domains)
        self.auth = Auth(lambda: (self.url_of("auth"), self.url), self._list_signer)
        self.listing = Listing(self.directory, self.faults, self._make_signer)
        self.localization = Localization()
        self.certificates = Certificates(self.faults, self._foreign_passport())
        self.ocsp = Ocsp(self.pki, self.faults)
        self.downloads = Downloads(self.pki, self.faults)
        self.services = Services(
            self.auth, self.directory, self.listing, self.certificates, self.localization
        )
        self.aia = aia  # OCSP URL in certificates; None: that of our responder
        self.secret = self.auth.add_client(client, secret)
        self._closing = ExitStack()
        self._folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory()))
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._ports = dict.fromkeys(DESKS, 0) | (ports or {})
        self._servers: dict[str, RawServer] = {}
        self.faults.on_change = self._choose_certificate
        self.up()
        self.certificates.held.append(self.passport_signer())

    def __enter__(self) -> "Vzd":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.down()
        self._closing.close()

    def up(self) -> None:
        """Listens; again on the same ports after down()."""
        self.faults.stopping.clear()
        for desk in DESKS:
            tls = None if desk == "ocsp" else self._context()
            serve = self._desk(desk)
            server = RawServer(serve, tls=tls, address=("127.0.0.1", self._ports[desk]))
            self._ports[desk] = server.port
            self._servers[desk] = server
        self._choose_certificate()

    def down(self) -> None:
        """Stops listening and drops every connection; nothing is forgotten."""
        self.faults.stopping.set()
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    @property
    def listening(self) -> bool:
        return bool(self._servers)

    # Where everything is

    def url_of(self, desk: str) -> str:
        scheme = "http" if desk == "ocsp" else "https"
        return f"{scheme}://{self.host}:{self._ports[desk]}"

    @property
    def url(self) -> str:
        """The directory's host, below which are /ti-provider-authenticate and the services."""
        return self.url_of("directory")

    @property
    def token_url(self) -> str:
        return self.url_of("auth") + TOKEN_PATH

    @property
    def one_step_url(self) -> str:
        return self.url_of("auth") + "/authenticate"

    @property
    def exchange_url(self) -> str:
        return self.url + "/ti-provider-authenticate"

    @property
    def services_url(self) -> str:
        return self.url + ROOT

    @property
    def list_url(self) -> str:
        return self.services_url + self.listing.form.path

    @property
    def download_url(self) -> str:
        """The base below which are /ECC/ROOT-CA/roots.json and /ECC/SUB-CA/."""
        return self.url_of("downloads")

    @property
    def roots_url(self) -> str:
        return self.download_url + ROOTS

    @property
    def ocsp_url(self) -> str:
        return self.url_of("ocsp") + PATH

    def write_trust(self, folder: Path) -> dict[str, Path]:
        """Writes what a client has out of band: TLS CA, pinned root, client secret."""
        out = {n: folder / n for n in ("tls-ca.pem", "root.pem", "client-secret")}
        out["tls-ca.pem"].write_bytes(self.pki.web.pem)
        out["root.pem"].write_bytes(self.pki.pinned.pem)
        out["client-secret"].unlink(missing_ok=True)
        out["client-secret"].touch(0o600)
        out["client-secret"].write_text(self.secret + "\n")
        return out

    # Shortcuts for tests

    @property
    def violations(self) -> list[str]:
        """What clients did that no client may do; a test asserts that it is empty."""
        return self.records.violations

    def add(self, domain: str, **how: Any) -> int:
        """Enters a domain of our client; returns the new version of the list."""
        return self.directory.add(domain, **{"owner": self.client, **how})

    def remove(self, domain: str) -> int:
        return self.directory.remove(domain)

    def speak(self, api: str) -> None:
        """Behaves as this version of the interface, such as "1.0.2"."""
        if api not in FORMS:
            raise ValueError(f"no version of the interface: {api}")
        self.services.api = api
        self.listing.speak(api)
        self.directory.bump()

    def revoke_signer(self) -> None:
        """The present list signer is revoked at the OCSP responder."""
        for alg in ("BP256R1", "ES256"):
            self.ocsp.set(self.listing.signer(alg), "revoked")

    def renew_signer(self) -> None:
        """The list is signed by a new certificate from now on, as a new version."""
        self.listing.renew_signers()
        self.directory.bump()

    def new_generation(self) -> None:
        """A newer root, a list CA below it, a signer below that; the pinned root stays."""
        self.pki.add_root()
        self.pki.list_ca = self.pki.add_ca(f"SIM.KOMP-CA{50 + len(self.pki.cas)} TEST-ONLY")
        self.renew_signer()

    def passport_signer(self, **how: Any) -> Issued:
        """A further certificate of the PASSporT service, not yet published."""
        return self.pki.passport_signer(**{**self._pointers(self.pki.passport_ca), **how})

    # Certificates

    def _pointers(self, ca: Any) -> dict[str, str]:
        aia = self.ocsp_url if self.aia is None else self.aia
        return {"aia": aia, "crl": self.url_of("ocsp") + crl_path(ca)}

    def _make_signer(self, kind: str, foreign: bool = False, **how: Any) -> Issued:
        ca = self.pki.foreign if foreign else self.pki.list_ca
        return self.pki.list_signer(kind, ca=ca, **self._pointers(ca), **how)

    def _list_signer(self, alg: str) -> Issued:
        return self.listing.signer(alg)

    def _foreign_passport(self) -> Issued:
        return self.pki.foreign.issue("VZD-PASSporT-Signer")

    def _context(self, kind: str = "") -> ssl.SSLContext:
        if kind not in self._contexts:
            ca = self.pki.foreign if kind == "foreign" else self.pki.web
            how = {"starts": -100, "days": 50} if kind == "expired" else {}
            names = ["other.example"] if kind == "wrong-name" else [self.host, "127.0.0.1"]
            files = ca.server(*dict.fromkeys(names), **how).write(self._folder / f"tls-{kind}")
            self._contexts[kind] = server_context(*files)
        return self._contexts[kind]

    def _choose_certificate(self) -> None:
        active = self.faults.active
        kind = next((k for k in CONTENT["tls"] if f"tls:{k}" in active), "")
        for desk, server in self._servers.items():
            if desk != "ocsp":
                server.tls = self._context(kind)

    # Serving

    def _desk(self, desk: str) -> Callable[[RawRequest], Reply]:
        return lambda raw: self._serve(desk, Request(raw))

    def _find(self, desk: str, request: Request) -> Found | None:
        if desk == "auth":
            paths = {
                TOKEN_PATH: ("token", self.auth.token),
                "/authenticate": ("authenticate", self.auth.one_step),
            }
            return paths.get(request.path)
        if desk == "downloads":
            return self.downloads.find(request)
        if desk == "ocsp":
            return self.ocsp.find(request)
        if request.path == "/ti-provider-authenticate":
            return "exchange", self.auth.exchange
        return self.services.find(request)

    def _serve(self, desk: str, request: Request) -> Reply:
        step, handler = self._find(desk, request) or ("unknown", _nothing)
        call = Call(step, request)
        self.records.add(call)
        reply: Reply | Answer | None = self.faults.instead(step)
        if reply is None:
            reply = self.faults.spoil(step, self._answer(desk, call, handler))
        if not isinstance(reply, Answer):
            self.records.answered(call, -1)
            return reply
        self.records.answered(call, reply.status)
        data = reply.wire(without_body=request.method == "HEAD")
        return data if request.version == b"HTTP/1.1" else Close(data)

    def _answer(self, desk: str, call: Call, handler: Callable[[Request], Answer]) -> Answer:
        hosts = {f"{h}:{self._ports[desk]}" for h in (self.host, "localhost", "127.0.0.1")}
        versions = VERSIONS if desk == "ocsp" else VERSIONS[:1]
        try:
            call.request.check_form(hosts, versions)
            call.request.check_secrets(self.auth.secrets())
            return handler(call.request)
        except Refused as e:
            if e.violation:
                self.records.violate(call.step, e.violation)
            return e.answer


def _nothing(request: Request) -> Answer:
    raise wrong(404, f"nothing is here: {request.path}")
