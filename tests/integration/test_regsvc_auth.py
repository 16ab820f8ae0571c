# SPDX-License-Identifier: Apache-2.0
"""Who may ask the registration service: clients, tokens, and what schleusectl does to them."""
from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import pytest

from harness import BUILD, PKI, Daemon, environment, until
from sim import wire

FORM = "application/x-www-form-urlencoded"
UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


class Service(Daemon):
    def __init__(self, folder: Path) -> None:
        certificate, key = PKI.web.server("reg.test").write(folder / "reg")
        (folder / "clients.pem").write_bytes(PKI.list_root.pem)
        self.state = folder / "state"
        self.state.mkdir()
        super().__init__(
            folder,
            {
                "listeners": [{"address": "127.0.0.1:0"}],
                "admin": "127.0.0.1:0",
                "state_dir": str(self.state),
                "addresses_file": str(folder / "addresses.json"),
                "tls": {
                    "certificate": str(certificate),
                    "key": str(key),
                    "hosts": ["reg.test"],
                    "client_ca": [str(folder / "clients.pem")],
                },
                "clients": {"password_memory": "19M"},
                "guard": {"failures": 1000, "delay": 0},
            },
            "regsvc",
        )

    def ctl(self, *words: str, expect: int = 0) -> str:
        done = subprocess.run(
            [str(BUILD / "schleusectl"), "--socket", str(self.state / "control.sock"), *words],
            capture_output=True, text=True, timeout=60, env=environment(), check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout if expect == 0 else done.stderr

    def add(self, name: str, method: str, *more: str, scope: str = "list,certificates") -> dict:
        words = ("client", "add", name, "--tenant", "Praxis", "--method", method, "--scope", scope)
        return json.loads(self.ctl("--json", *words, *more))

    def token(
        self, body: dict[str, str] | str, fields: dict[str, str] | None = None,
        tls=None, target: str = "/token",
    ) -> wire.Answer:
        text = body if isinstance(body, str) else urlencode(body)
        with wire.Connection(self.address(), tls or wire.tls_context(PKI.web_root.pem), "reg.test") as c:
            head = {"Host": "reg.test", "Content-Type": FORM, **(fields or {})}
            return c.ask("POST", target, head, text.encode())

    def access(self) -> list[dict]:
        files = sorted((self.state / "access").glob("*.log"))
        return [json.loads(line) for f in files for line in f.read_text().splitlines()]


@pytest.fixture
def service(tmp_path: Path):
    daemon = Service(tmp_path).start()
    yield daemon
    daemon.stop()


def asked(added: dict, **more: str) -> dict[str, str]:
    return {
        "grant_type": "client_credentials", "client_id": added["client"]["id"],
        "client_secret": added["secret"], **more,
    }


def claims(token: str, part: int = 1) -> dict:
    text = token.split(".")[part]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def client_tls(issued, folder: Path):
    certificate, key = issued.write(folder / "client")
    tls = wire.tls_context(PKI.web_root.pem)
    tls.load_cert_chain(str(certificate), str(key))
    return tls, certificate


def test_a_token_says_who_it_is_for(service: Service) -> None:
    """CP-1.2.3-O4 to -O7, FDS-2.6.4.1-4a, FDS-2.6.4.1-5."""
    added = service.add("proxy-1", "oauth")
    answer = service.token(asked(added))
    assert answer.status == 200
    assert answer.get("content-type") == "application/json"
    assert answer.get("cache-control") == "no-store"
    got = answer.json()
    assert (got["token_type"], got["expires_in"], got["scope"]) == ("Bearer", 3600, "list certificates")
    said = claims(got["access_token"])
    assert said["iss"] == said["aud"] == "https://reg.test"
    assert said["sub"] == "proxy-1"
    assert said["exp"] - said["iat"] == 3600
    assert said["subscription_id"] == added["client"]["subscription_id"]
    assert re.fullmatch(UUID4, said["subscription_id"])
    assert claims(got["access_token"], 0)["alg"] == "ES256"


def test_the_client_may_use_basic_and_ask_for_less(service: Service) -> None:
    """CP-1.2.3-O5; RFC 6749 2.3.1, 3.3."""
    added = service.add("proxy-1", "oauth")
    body = {"grant_type": "client_credentials", "scope": "list"}
    answer = service.token(body, basic("proxy-1", added["secret"]))
    assert answer.json()["scope"] == "list"
    assert claims(answer.json()["access_token"])["scope"] == "list"
    wrong = service.token({**body, "scope": "audit"}, basic("proxy-1", added["secret"]))
    assert (wrong.status, wrong.json()["error"]) == (400, "invalid_scope")


@pytest.mark.parametrize(
    "change, status, error",
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
    ],
)
def test_refusals_are_those_of_the_rfc(service: Service, change, status, error) -> None:
    """CP-1.2.3-O4, FDS-2.6.4.1-3a; RFC 6749 5.2."""
    added = service.add("proxy-1", "oauth")
    answer = service.token({**asked(added), **change})
    assert (answer.status, answer.json()["error"]) == (status, error)
    assert answer.get("cache-control") == "no-store"
    if status == 401:
        assert answer.get("www-authenticate") == 'Basic realm="schleuse-regsvc", charset="UTF-8"'


def test_malformed_requests(service: Service) -> None:
    """CP-1.2.1-6: nothing secret in a URL; RFC 6749 3.2: no parameter twice."""
    added = service.add("proxy-1", "oauth")
    body = urlencode(asked(added))
    assert service.token("", target=f"/token?{body}").status == 400
    for answer in (
        service.token(body, {"Content-Type": "application/json"}),
        service.token(body + "&client_id=proxy-1"),
        service.token(body, basic("proxy-1", added["secret"])),
    ):
        assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


def test_a_client_has_one_method(service: Service) -> None:
    """CP-1.2.2-5."""
    added = service.add("proxy-1", "basic")
    answer = service.token(asked(added))
    assert (answer.status, answer.json()["error"]) == (401, "invalid_client")


def test_a_token_by_certificate(service: Service, tmp_path: Path) -> None:
    """FDS-2.6.5.1-5; a certificate alone is nobody, and that of another client neither."""
    tls, file = client_tls(PKI.list_root.issue("proxy"), tmp_path)
    service.add("proxy-1", "oauth", "--certificate", str(file))
    service.add("proxy-2", "oauth")
    body = {"grant_type": "client_credentials", "client_id": "proxy-1"}
    assert service.token(body, tls=tls).status == 200
    assert service.token(body).json()["error"] == "invalid_client"
    assert service.token({**body, "client_id": "proxy-2"}, tls=tls).json()["error"] == "invalid_client"


def test_rotation_leaves_time_and_revocation_none(service: Service) -> None:
    added = service.add("proxy-1", "oauth")
    again = json.loads(service.ctl("--json", "client", "rotate", "proxy-1", "--grace", "1h"))
    assert again["client"]["previous_until"]
    assert service.token(asked(added)).status == 200
    assert service.token(asked(again)).status == 200
    third = json.loads(service.ctl("--json", "client", "rotate", "proxy-1", "--grace", "0"))
    assert service.token(asked(again)).status == 401
    assert service.token(asked(third)).status == 200
    service.ctl("client", "revoke", "proxy-1")
    assert service.token(asked(third)).status == 401
    service.ctl("client", "add", "proxy-1", "--tenant", "x", "--method", "oauth", "--scope", "list",
                expect=1)


def test_secrets_are_shown_once_and_kept_nowhere(service: Service) -> None:
    """CP-1.2.3-B2, FDS-2.6.5.1-6."""
    added = service.add("proxy-1", "oauth")
    assert service.token(asked(added)).status == 200
    for words in (["client", "list"], ["client", "show", "proxy-1"], ["--json", "client", "list"]):
        assert added["secret"] not in service.ctl(*words)
    service.stop()
    for file in service.folder.rglob("*"):
        if file.is_file():
            assert added["secret"].encode() not in file.read_bytes(), file


def test_clients_and_tokens_outlive_a_restart(service: Service) -> None:
    added = service.add("proxy-1", "oauth")
    kid = claims(service.token(asked(added)).json()["access_token"], 0)["kid"]
    service.stop()
    service.start()
    answer = service.token(asked(added))
    assert claims(answer.json()["access_token"], 0)["kid"] == kid


def test_guessing_is_slowed_for_the_address_only(service: Service) -> None:
    """CP-1.2.3-B2."""
    added = service.add("proxy-1", "oauth")
    service.config["guard"] = {"failures": 3, "forget": "1h", "delay": 0}
    service.config["clients"]["proven_lifetime"] = 0
    service.reload()
    until("the new configuration", lambda: "is in force" in service.log_text())
    for _ in range(3):
        assert service.token(asked(added, client_secret="wrong")).status == 401
    slowed = service.token(asked(added))
    assert slowed.status == 429
    assert int(slowed.get("retry-after") or 0) > 0
    assert service.metric("schleuse_auth_slowed_total") == 1
    assert service.metric("schleuse_auth_failed_total") == 3
    with wire.Connection(
        service.address(), wire.tls_context(PKI.web_root.pem), "reg.test", source="127.0.0.2"
    ) as c:
        head = {"Host": "reg.test", "Content-Type": FORM}
        assert c.ask("POST", "/token", head, urlencode(asked(added)).encode()).status == 200
    assert "proxy-1" not in service.log_text()
    assert "127.0.0.1" not in service.log_text()


def test_a_rotation_does_not_bring_back_who_is_revoked_meanwhile(service: Service) -> None:
    """FDS-2.6.4.2-3."""
    service.add("proxy-1", "oauth")
    service.config["clients"]["password_passes"] = 16  # takes a while
    service.reload()
    until("the new configuration", lambda: "is in force" in service.log_text())
    with wire.Connection(str(service.state / "control.sock")) as c:
        c.send(wire.request("POST", "/clients/proxy-1/rotate", [("Host", "localhost")], b"{}"))
        service.ctl("client", "revoke", "proxy-1")
        assert c.read().status == 409
    assert service.ctl("--json", "client", "show", "proxy-1").count('"revoked"') == 1


def test_names_cannot_command_a_terminal(service: Service) -> None:
    service.ctl("client", "add", "proxy-1", "--method", "basic", "--scope", "list", "--tenant", "a\u009b31mb")
    assert "a??31mb" in service.ctl("client", "show", "proxy-1")


def test_a_secret_that_cannot_be_printed_is_no_success(service: Service) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            [str(BUILD / "schleusectl"), "--socket", str(service.state / "control.sock"), "client", "add",
             "proxy-1", "--method", "basic", "--scope", "list", "--tenant", "t"],
            stdout=full, stderr=subprocess.PIPE, env=environment(), check=False, timeout=60,
        )
    assert done.returncode != 0 and b"rotate" in done.stderr


def test_a_proven_secret_is_not_verified_again(service: Service) -> None:
    added = service.add("proxy-1", "oauth")
    before = service.metric("schleuse_passwords_verified_total")
    for _ in range(3):
        assert service.token(asked(added)).status == 200
    assert service.metric("schleuse_passwords_verified_total") == before + 1


def test_every_access_is_noted(service: Service) -> None:
    """B-5.4.2, CP-2.2-2a, A_26182-01, T-1, T-5."""
    added = service.add("proxy-1", "oauth")
    service.token(asked(added), {"TI-User-Agent": "SCHLEUSE01/1.0.0"})
    service.token(asked(added, client_secret="wrong"), {"TI-User-Agent": "<bad agent>"})
    until("two lines", lambda: len(service.access()) == 2)
    good, bad = service.access()
    assert good.pop("time") and bad.pop("time")
    assert good == {
        "client": "proxy-1", "subscription_id": added["client"]["subscription_id"],
        "operation": "token", "status": 200, "result": "ok", "agent": "SCHLEUSE01/1.0.0",
    }
    assert bad == {"operation": "token", "status": 401, "result": "auth_refused", "agent": "invalid"}


def test_the_access_log_is_kept_for_three_months(service: Service) -> None:
    """B-5.4.2."""
    old, young = service.state / "access/2001-01-01.log", service.state / "access/2999-01-01.log"
    old.write_text("{}\n")
    young.write_text("{}\n")
    service.reload()
    until("the old one removed", lambda: not old.exists())
    assert young.exists()
    service.config["access_log"] = {"retention": "91d"}
    service.reload()
    until("the refusal", lambda: "reload: refused" in service.log_text())


def test_the_control_socket_is_for_its_owner(service: Service) -> None:
    socket = service.state / "control.sock"
    assert stat.S_IMODE(os.stat(socket).st_mode) == 0o600
    assert "missing" not in service.ctl("status")
    message = service.ctl("client", "show", "nobody", expect=1)
    assert "there is no such client" in message
    assert "no such command" in service.ctl("client", "eat", expect=2)
    service.stop()
    assert "cannot reach" in service.ctl("status", expect=3)


@pytest.mark.parametrize(
    "words, why",
    [
        (["client", "add", "a:b", "--tenant", "t", "--method", "basic", "--scope", "list"], "id:"),
        (["client", "add", "a", "--tenant", "t", "--method", "magic", "--scope", "list"], "method:"),
        (["client", "add", "a", "--tenant", "t", "--method", "basic", "--scope", "all"], "scope:"),
        (["client", "add", "a", "--tenant", "t", "--method", "mtls", "--scope", "list"], "certificate"),
        (
            ["client", "add", "a", "--tenant", "t", "--method", "basic", "--scope", "list",
             "--subscription", "c232ab00-9414-11ec-b3c8-9f6bdeced846"],
            "version 4",
        ),
    ],
)
def test_what_is_wrong_is_said(service: Service, words: list[str], why: str) -> None:
    """FDS-2.6.4.1-4a: a UUID of version 1 is none."""
    assert why in service.ctl(*words, expect=1)


def test_passport_certificates_are_registered_and_removed(service: Service) -> None:
    """B-5.4.6."""
    (service.folder / "anchors.pem").write_bytes(PKI.passport_root.pem)
    service.config["passport"] = {
        "anchors": [str(service.folder / "anchors.pem")], "trust": {"revocation": "off"},
    }
    service.reload()
    until("the new configuration", lambda: "is in force" in service.log_text())
    certificate, _ = PKI.passport_signer.write(service.folder / "passport")
    words = ("certificate", "add", str(certificate), "--label", "Klinik")
    fingerprint = json.loads(service.ctl("--json", *words))["fingerprint"]
    (listed,) = json.loads(service.ctl("--json", "certificate", "list"))["certificates"]
    assert (listed["fingerprint"], listed["state"], listed["label"]) == (fingerprint, "served", "Klinik")
    assert fingerprint in service.ctl("certificate", "list")
    service.ctl("certificate", "remove", fingerprint)
    assert json.loads(service.ctl("--json", "certificate", "list"))["certificates"] == []
    assert "no certificate" in service.ctl("certificate", "remove", fingerprint, expect=1)
