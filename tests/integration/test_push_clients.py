# SPDX-License-Identifier: Apache-2.0
"""Which homeservers the push gateway lets notify: by network, password, token and certificate."""
from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization

from harness import PKI
from pushworld import HOST, NOTIFY, PushWorld, notification
from sim import wire
from sim.h2wire import H2
from sim.pki import new_key
from sim.push.program import private
from test_regsvc_auth import Service

BASIC = 'Basic realm="schleuse-pushgw", charset="UTF-8"'
BEARER = 'Bearer realm="schleuse-pushgw"'


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def refused(answer: wire.Answer, status: int, errcode: str, *challenges: str) -> None:
    assert (answer.status, answer.json()["errcode"]) == (status, errcode), answer.body
    assert answer.all("WWW-Authenticate") == list(challenges)


def delivered(w: PushWorld, link: wire.Connection | None = None, **fields: str) -> None:
    phone = w.phone("unifiedpush")
    body = notification(phone)
    answer = w.notify(body, link, **fields)
    assert (answer.status, answer.json()) == (200, {"rejected": []}), (answer.status, answer.body)
    phone.wait(body["notification"]["event_id"])


@pytest.fixture
def w(make_push) -> PushWorld:
    return make_push(which=["unifiedpush"])


def test_networks(w):
    w.config["clients"] = {"networks": ["192.0.2.0/24", "::1"]}
    w.start()
    refused(w.notify(notification(w.phone("unifiedpush"))), 403, "M_FORBIDDEN")
    with w.connect() as c:  # what UnifiedPush asks is open to all
        assert c.ask("GET", NOTIFY, {"Host": HOST}).json() == {"unifiedpush": {"gateway": "matrix"}}
    assert w.devices("queued") == 0
    w.config["clients"] = {"networks": ["192.0.2.0/24", "127.0.0.0/8"]}
    w.reload()
    delivered(w)


def test_networks_of_both_families(w):
    w.config["listeners"] = [{"address": "127.0.0.1:0"}, {"address": "[::1]:0"}]
    w.config["clients"] = {"networks": ["2001:db8::/32", "127.0.0.1"]}
    w.start()
    for n, status in enumerate((200, 403)):
        with wire.Connection(w.daemon.address(n), w.tls, HOST) as c:
            assert w.notify(notification(w.phone("unifiedpush")), c).status == status
    w.config["clients"]["networks"][1] = "::1"
    w.reload()
    for n, status in enumerate((403, 200)):
        with wire.Connection(w.daemon.address(n), w.tls, HOST) as c:
            assert w.notify(notification(w.phone("unifiedpush")), c).status == status


def test_password(w):
    """SIGHUP with another password: at once, also on connections that are open."""
    private(w.folder / "hs.password", b"first-secret\n")
    w.config["clients"] = {"basic": [{"name": "hs", "password_file": str(w.folder / "hs.password")}]}
    w.config["log_level"] = "debug"
    w.start()
    first, second = basic("hs", "first-secret"), basic("hs", "second-secret")
    with w.connect() as c:
        refused(w.notify(notification(w.phone("unifiedpush")), c), 401, "M_UNAUTHORIZED", BASIC)
        refused(w.notify(notification(w.phone("unifiedpush")), c, Authorization=second), 401, "M_UNAUTHORIZED", BASIC)
        delivered(w, c, Authorization=first)
        private(w.folder / "hs.password", b"second-secret\n")
        delivered(w, c, Authorization=first)
        w.reload()
        refused(w.notify(notification(w.phone("unifiedpush")), c, Authorization=first), 401, "M_UNAUTHORIZED", BASIC)
        delivered(w, c, Authorization=second)
    assert w.daemon.metric("schleuse_auth_failed_total") == 2
    log = w.daemon.log_text()
    assert not [s for s in ("-secret", first.split()[1], second.split()[1], "127.0.0.1:") if s in log.partition("started:")[2]]


def test_who_is_refused_need_not_send_the_body(w):
    private(w.folder / "hs.password", b"secret")
    w.config["clients"] = {"basic": [{"name": "hs", "password_file": str(w.folder / "hs.password")}]}
    w.start()
    with w.connect() as c:
        head = [("Host", HOST), ("Content-Length", "100000"), ("Expect", "100-continue")]
        c.send(wire.request("POST", NOTIFY, head))
        refused(c.read("POST"), 401, "M_UNAUTHORIZED", BASIC)
    with w.connect() as c:
        c.send(wire.request("POST", NOTIFY, [*head, ("Authorization", basic("hs", "secret")), ("Authorization", "Basic x")]))
        refused(c.read("POST"), 400, "M_UNAUTHORIZED")


def test_guessing_is_slowed_down_and_stops_no_homeserver(w):
    private(w.folder / "hs.password", b"secret")
    w.config["clients"] = {"basic": [{"name": n, "password_file": str(w.folder / "hs.password")} for n in ("hs", "new")]}
    w.config["guard"] = {"failures": 3, "forget": "1h"}
    w.start()
    delivered(w, Authorization=basic("hs", "secret"))
    for n in range(3):
        refused(w.notify({}, Authorization=basic("hs", f"guess-{n}")), 401, "M_UNAUTHORIZED", BASIC)
    for text in (basic("hs", "guess-4"), basic("new", "secret")):
        answer = w.notify({}, Authorization=text)
        refused(answer, 429, "M_LIMIT_EXCEEDED")
        assert 3500 < int(answer.get("Retry-After")) <= 3600
    delivered(w, Authorization=basic("hs", "secret"))
    assert w.daemon.metric("schleuse_auth_failed_total") == 3
    assert w.daemon.metric("schleuse_auth_slowed_total") == 2
    w.config["guard"] = {"failures": 5, "forget": "1h"}
    w.reload()
    delivered(w, Authorization=basic("new", "secret"))


def test_token_of_a_registration_service(w, tmp_path):
    """A homeserver's proxy asks schleuse-regsvc for a token, and the gateway believes it."""
    key, other = new_key("p256"), new_key("p256")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                            serialization.NoEncryption())
    private(tmp_path / "token.key", pem)
    for k, name in ((key, "token.pub"), (other, "other.pub")):
        (tmp_path / name).write_bytes(
            k.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    regsvc = Service(tmp_path)
    regsvc.config["token"] = {"keys": [str(tmp_path / "token.key")], "audience": "push"}
    regsvc.start()
    try:
        added = regsvc.add("hs", "oauth")
        form = {"grant_type": "client_credentials", "client_id": "hs", "client_secret": added["secret"]}
        token = regsvc.token(form).json()["access_token"]
    finally:
        regsvc.stop()
    clients = {"token_keys": [str(tmp_path / "other.pub"), str(tmp_path / "token.pub")],
               "token_issuer": "https://reg.test", "token_audience": "push"}
    w.config["clients"] = clients
    w.start()
    delivered(w, Authorization=f"Bearer {token}")
    refused(w.notify({}), 401, "M_UNAUTHORIZED", BEARER)
    head, body, signature = token.split(".")
    swapped = signature[:10] + ("A" if signature[10] != "A" else "B") + signature[11:]
    for bad in (f"{head}.{body}.{swapped}", f"{head}.{body}.", "abc"):
        refused(w.notify({}, Authorization=f"Bearer {bad}"), 401, "M_UNAUTHORIZED", BEARER + ', error="invalid_token"')
    for change in ({"token_audience": ""}, {"token_issuer": "https://else.test"}, {"token_keys": clients["token_keys"][:1]}):
        w.config["clients"] = clients | change
        w.reload()
        answer = w.notify({}, Authorization=f"Bearer {token}")
        refused(answer, 401, "M_UNAUTHORIZED", BEARER + ', error="invalid_token"')


def test_certificate(w):
    """One of the CA that is asked for, by its DNS name; others get as far as the 403."""
    (w.folder / "clients-ca.pem").write_bytes(PKI.list_root.pem)
    w.config["tls"]["client_ca"] = [str(w.folder / "clients-ca.pem")]
    w.config["clients"] = {"certificates": ["hs.test"]}
    w.start()
    right = PKI.list_root.issue("x", dns=["hs.test"]).write(w.folder / "hs")
    wrong = PKI.list_root.issue("hs.test", dns=["other.test"]).write(w.folder / "other")
    refused(w.notify({}), 403, "M_FORBIDDEN")
    w.tls.load_cert_chain(*map(str, wrong))
    refused(w.notify({}), 403, "M_FORBIDDEN")
    w.tls.load_cert_chain(*map(str, right))
    delivered(w)
    w.config["clients"] = {"certificates": ["*"]}
    w.reload()
    w.tls.load_cert_chain(*map(str, wrong))
    delivered(w)


def test_http2(w):
    """Password and certificate count for each stream of a connection."""
    private(w.folder / "hs.password", b"secret")
    (w.folder / "clients-ca.pem").write_bytes(PKI.list_root.pem)
    w.config["tls"]["client_ca"] = [str(w.folder / "clients-ca.pem")]
    w.config["clients"] = {"basic": [{"name": "hs", "password_file": str(w.folder / "hs.password")}],
                           "certificates": ["hs.test"]}
    w.start()
    files = PKI.list_root.issue("x", dns=["hs.test"]).write(w.folder / "hs")
    body = json.dumps(notification(w.phone("unifiedpush"))).encode()
    with w.connect_h2() as c:
        shown = [basic("hs", "secret"), basic("hs", "wrong"), "", basic("hs", "secret")]
        fields = [[("authorization", text)] if text else [] for text in shown]
        got = [c.ask("POST", NOTIFY, *f, body=body, authority=HOST).status for f in fields]
        assert got == [200, 401, 401, 200]
    tls = wire.tls_context(PKI.web_root.pem)
    tls.load_cert_chain(*map(str, files))
    with H2(w.daemon.address(), tls, HOST) as c:
        assert [c.ask("POST", NOTIFY, body=body, authority=HOST).status for _ in range(2)] == [200, 200]


def test_networks_and_a_password(w):
    """Both count; of the methods any one."""
    private(w.folder / "hs.password", b"secret")
    (w.folder / "clients-ca.pem").write_bytes(PKI.list_root.pem)
    w.config["tls"]["client_ca"] = [str(w.folder / "clients-ca.pem")]
    methods = {"basic": [{"name": "hs", "password_file": str(w.folder / "hs.password")}], "certificates": ["hs.test"]}
    w.config["clients"] = {"networks": ["192.0.2.1"], **methods}
    w.start()
    refused(w.notify({}, Authorization=basic("hs", "secret")), 403, "M_FORBIDDEN")
    w.config["clients"]["networks"] = ["127.0.0.1"]
    w.reload()
    refused(w.notify({}), 401, "M_UNAUTHORIZED", BASIC)
    delivered(w, Authorization=basic("hs", "secret"))
    w.tls.load_cert_chain(*map(str, PKI.list_root.issue("x", dns=["hs.test"]).write(w.folder / "hs")))
    delivered(w)
