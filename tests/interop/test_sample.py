# SPDX-License-Identifier: Apache-2.0
"""The homeserver configurations in etc/synapse with real Synapse: it knows every option, says nothing
against one, and goes out where they say (FD-5.2.1.1-10, FD-5.2.1.2-4/-6).

Only places are changed: folders, ports, and SQLite for PostgreSQL.
"""
from __future__ import annotations

import base64
import gzip
import re
import secrets
import socket
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml
from synapse import Synapse, tree

SAMPLES = Path(__file__).resolve().parents[2] / "etc" / "synapse"
REFERENCE = "usr/share/doc/matrix-synapse/misc/usage/configuration/config_documentation.md.gz"
FREE = {("instance_map", "schleuse"), ("database", "args")}  # what is in them is not in the reference
FORM_A = ("instance_map", "outbound_federation_restricted_to", "worker_replication_secret_path")
COMPLAINTS = re.compile(r"deprecat|no longer|unknown|unrecogni[sz]ed|ignored|removed|WARN", re.I)


def loaded(name: str) -> dict[str, Any]:
    return yaml.safe_load((SAMPLES / name).read_text())


# What Synapse knows


@pytest.fixture(scope="module")
def reference() -> dict[str, str]:
    """The sections of Synapse's own reference, by the option they are about."""
    path = tree() / REFERENCE
    if not path.exists():
        pytest.skip("this Synapse came without its documentation")
    text = gzip.decompress(path.read_bytes()).decode()
    parts = re.split(r"^### `(\w+)`$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def unknown(conf: Any, section: str, path: tuple[str, ...] = ()) -> list[str]:
    """Names in the value that the option's section does not have."""
    if isinstance(conf, list):
        return [u for one in conf for u in unknown(one, section, path)]
    found = []
    for name, value in conf.items() if isinstance(conf, dict) else ():
        at = (*path, name)
        if at in FREE:
            continue
        if f"`{name}`" not in section:
            found.append(".".join(at))
        found += unknown(value, section, at)
    return found


def all_unknown(conf: dict[str, Any], reference: dict[str, str]) -> list[str]:
    return [u for name, value in conf.items()
            for u in ([name] if name not in reference else unknown(value, reference[name], (name,)))]


@pytest.mark.parametrize("name", ["homeserver.yaml", "homeserver-connect.yaml"])
def test_synapse_documents_every_option(reference: dict[str, str], name: str) -> None:
    assert all_unknown(loaded(name), reference) == []


def test_options_of_the_printed_example_that_are_no_more_would_be_found(reference: dict[str, str]) -> None:
    """1.9.6 has settings that Synapse would take without a word and do nothing with."""
    old = {"acme": {}, "enable_group_creation": True, "use_presence": True, "expire_access_token": False}
    assert all_unknown(old, reference) == list(old)
    assert all_unknown({"push": {"include_contents": False}}, reference) == ["push.include_contents"]


# What it does with them


def moved(s: Synapse, name: str, port: int = 0) -> dict[str, Any]:
    """A sample with this server's places."""
    inside = "/" + str(s.data.relative_to(s.tree))
    text = (SAMPLES / name).read_text()
    for place in ("/etc/matrix-synapse", "/var/lib/matrix-synapse", "/var/log/matrix-synapse",
                  "/run/schleuse-proxy", "/run"):
        text = text.replace(place + "/", inside + "/")
    return yaml.safe_load(text.replace("SECRET@127.0.0.1:3128", f"{s.secret}@127.0.0.1:{port}"))


def prepared(s: Synapse, conf: dict[str, Any]) -> None:
    """Its files, as doc/synapse.md says how to make them."""
    inside = "/" + str(s.data.relative_to(s.tree))
    for name in ("out", "registration", "macaroon", "form"):
        s._write(f"{name}.secret", f"{s.secret if name in ('out', 'registration') else secrets.token_hex(32)}\n")
    (s.data / "signing.key").rename(s.data / "homeserver.signing.key")
    (s.data / "ca.pem").rename(s.data / "schleuse-ca.pem")
    conf["database"] = {"name": "sqlite3", "args": {"database": f"{inside}/homeserver.db"}}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        conf["listeners"][0]["port"], conf["listeners"][1]["port"] = s.port, free.getsockname()[1]
    s._write("homeserver.yaml", yaml.safe_dump(conf))
    s._write("log.yaml", yaml.safe_dump(moved(s, "log.yaml")))


@contextmanager
def running(s: Synapse) -> Iterator[Synapse]:
    try:
        yield s.launch().wait()
    finally:
        s.stop()


class Ear:
    """A socket that takes down the first head it hears and refuses it."""

    def __init__(self, s: socket.socket) -> None:
        self.socket, self.head = s, b""
        s.listen(10)
        s.settimeout(60)
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self) -> None:
        c, _ = self.socket.accept()
        self.socket.close()
        with c:
            while b"\r\n\r\n" not in self.head and (more := c.recv(65536)):
                self.head += more
            c.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def heard(self) -> list[str]:
        self.thread.join()
        return self.head.decode().split("\r\n")


def signed_in(s: Synapse) -> str:
    s.register("anna", "Ein-Wort-das-lang-ist")
    who = {"type": "m.id.user", "user": "anna"}
    login = {"type": "m.login.password", "identifier": who, "password": "Ein-Wort-das-lang-ist"}
    return s.ask("POST", "/_matrix/client/v3/login", login)[1]["access_token"]


def complaints(s: Synapse) -> list[str]:
    """What was said against the configuration; each start begins with some "warnings" of who it is."""
    lines = ((s.data / "output.log").read_text() + s.log.read_text()).splitlines()
    return [n for n in lines if COMPLAINTS.search(n) and " WARNING synapse.config.logger " not in n]


def test_synapse_runs_with_the_sample_and_goes_out_by_form_a() -> None:
    s = Synapse("praxis.example.org", b"")
    conf = moved(s, "homeserver.yaml")
    prepared(s, conf)
    out = socket.socket(socket.AF_UNIX)
    out.bind(str(s.data / "out.sock"))
    (s.data / "out.sock").chmod(0o666)
    with running(s):
        assert complaints(s) == []
        closed_doors(s)
        token = signed_in(s)
        says_nothing_of_people(s, token)
        ear = Ear(out)
        s.ask("GET", "/_matrix/client/v3/directory/room/%23a:klinik.example.org", token=token)
        head = ear.heard()
        assert head[0].startswith("GET matrix-federation://klinik.example.org/_matrix/federation/v1/query/directory?")
        assert f"Proxy-Authorization: Bearer {s.secret}" in head
        assert [h for h in head if h.startswith("Authorization: X-Matrix ") and "destination=" in h]


def closed_doors(s: Synapse) -> None:
    """ML-123614: nobody makes an account but the operator; guests are none."""
    anybody = {"username": "x", "password": "Ein-Wort-das-lang-ist"}
    assert s.ask("POST", "/_matrix/client/v3/register", anybody)[0] == 403
    assert s.ask("POST", "/_matrix/client/v3/register?kind=guest", {})[0] == 403
    assert s.ask("GET", "/_matrix/client/v3/publicRooms")[0] == 401
    assert s.ask("GET", "/.well-known/matrix/server")[0] == 404
    flows = s.ask("GET", "/_matrix/client/v3/login")[1]["flows"]
    assert {"type": "m.login.password"} in flows


def says_nothing_of_people(s: Synapse, token: str) -> None:
    """ML-123619: the log has neither users nor rooms nor what is said in them."""
    room = s.ask("POST", "/_matrix/client/v3/createRoom", {"name": "Befund"}, token)[1]["room_id"]
    text = {"msgtype": "m.text", "body": "vertraulich"}
    s.ask("PUT", f"/_matrix/client/v3/rooms/{room}/send/m.room.message/1", text, token)
    log = s.log.read_text()
    assert not [w for w in ("anna", room, "Befund", "vertraulich", token) if w in log]


def test_synapse_runs_with_the_other_sample_and_goes_out_by_form_b() -> None:
    s = Synapse("praxis.example.org", ca())
    out = socket.socket()
    out.bind(("127.0.0.1", 0))
    conf = {k: v for k, v in moved(s, "homeserver.yaml").items() if k not in FORM_A}
    conf.update(moved(s, "homeserver-connect.yaml", out.getsockname()[1]))
    prepared(s, conf)
    with running(s):
        assert complaints(s) == []
        token = signed_in(s)
        ear = Ear(out)
        s.ask("GET", "/_matrix/client/v3/directory/room/%23a:klinik.example.org", token=token)
        head = ear.heard()
        assert head[0].startswith("CONNECT klinik.example.org:443 HTTP/1.")  # /.well-known first
        known = base64.b64encode(f"synapse:{s.secret}".encode()).decode()
        assert f"Proxy-Authorization: Basic {known}" in head


def ca() -> bytes:
    from sim.pki import Pki

    return Pki().web_root.pem
