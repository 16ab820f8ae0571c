# SPDX-License-Identifier: Apache-2.0
"""The simulated push providers refuse what the real ones refuse; else tests against them would prove little."""
from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harness import PKI, SOURCE, until
from sim import b64, wire
from sim.h2wire import H2, REFUSED_STREAM
from sim.push import webpush
from sim.push.apns import PAYLOAD_MAX, STREAMS, answer
from sim.push.fcm import GRANT, SCOPE, fcm_error
from sim.push.program import Providers
from sim.push.server import Close, GoAway, Reset

DEVICE = "ab" * 32
ALERT = {"aps": {"mutable-content": 1, "alert": {"loc-key": "SINGLE_UNREAD"}}, "event_id": "$e", "room_id": "!r"}
BACKGROUND = {"aps": {"content-available": 1}, "event_id": "$e", "room_id": "!r"}


@pytest.fixture(scope="module")
def module_providers(tmp_path_factory):
    p = Providers(tmp_path_factory.mktemp("push"), pki=PKI)
    yield p
    p.close()


@pytest.fixture
def push(module_providers):
    for s in module_providers.all:
        s.faults.clear()
        s.forget()
        s.script.clear()
        s.rule = None
    return module_providers


def connect(server, files=None) -> H2:
    tls = wire.tls_context(PKI.web_root.pem)
    if files:
        tls.load_cert_chain(*map(str, files))
    return H2((server.address, server.port), tls, "localhost").settle()


# --- APNs ---


def provider_token(apns, *, header=None, key=None, **claims):
    head = {"alg": "ES256", "kid": apns.key_id, **(header or {})}
    body = {"iss": apns.team, "iat": int(time.time()), **claims}
    return b64.compact(b64.plain_json(head), b64.plain_json(body), key or apns.keys[apns.key_id]).decode()


@functools.cache
def sound_token(apns):
    """One for all: a new one on the same connection would come too soon."""
    return provider_token(apns)


def apns_fields(apns, **change):
    fields = {"authorization": f"bearer {sound_token(apns)}", "apns-topic": "org.example.app",
              "apns-push-type": "alert", "apns-priority": "10", "apns-expiration": str(int(time.time()) + 900)}
    fields.update({n.replace("_", "-"): v for n, v in change.items()})
    return [(n, v) for n, v in fields.items() if v is not None]


def send(apns, payload=ALERT, device=DEVICE, link=None, **change):
    """Status and reason of one push."""
    with link or connect(apns) as c:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        s = c.ask("POST", f"/3/device/{device}", *apns_fields(apns, **change), body=body, authority="localhost")
        return s.status, s.json()["reason"] if s.body else ""


def test_apns_takes_what_is_right(push):
    assert send(push.apns) == (200, "")
    background = {"apns_push_type": "background", "apns_priority": "5"}
    assert send(push.apns, BACKGROUND, **background) == (200, "")
    voip = {"apns_push_type": "voip", "apns_topic": "org.example.app.voip"}
    assert send(push.apns, {"aps": {}, "x": "y" * 5000}, **voip) == (200, "")
    assert push.apns.faults == []
    assert b"SINGLE_UNREAD" in push.apns.raw() and b"apns-topic: org.example.app" in push.apns.raw()


REFUSED = [
    ({"apns_topic": None}, "MissingTopic"),
    ({"apns_topic": "org.example.other"}, "TopicDisallowed"),
    ({"apns_topic": "org.example.app.voip"}, "TopicDisallowed"),
    ({"apns_push_type": None}, "InvalidPushType"),
    ({"apns_push_type": "Alert"}, "InvalidPushType"),
    ({"apns_push_type": "voip"}, "TopicDisallowed"),
    ({"apns_push_type": "background"}, "InvalidPushType"),
    ({"apns_push_type": "background", "payload": BACKGROUND}, "BadPriority"),
    ({"payload": BACKGROUND}, "InvalidPushType"),
    ({"payload": {"aps": {"mutable-content": True, "alert": "x"}}}, "InvalidPushType"),
    ({"apns_priority": "9"}, "BadPriority"),
    ({"apns_expiration": "soon"}, "BadExpirationDate"),
    ({"apns_id": "3F2504E0-4F89-11D3-9A0C-0305E82C3301"}, "BadMessageId"),
    ({"apns_collapse_id": "x" * 65}, "BadCollapseId"),
    ({"payload": b""}, "PayloadEmpty"),
    ({"payload": b"{"}, "PayloadEmpty"),
    ({"payload": {"aps": {"alert": "x" * PAYLOAD_MAX}}}, "PayloadTooLarge"),
    ({"device": "x" * 64}, "BadDeviceToken"),
    ({"device": ""}, "MissingDeviceToken"),
    ({"authorization": None}, "MissingProviderToken"),
    ({"authorization": "bearer x.y.z"}, "InvalidProviderToken"),
]


@pytest.mark.parametrize("change,reason", REFUSED, ids=lambda x: str(x)[:60])
def test_apns_refuses(push, change, reason):
    assert send(push.apns, **change)[1] == reason
    assert push.apns.faults, "the refusal is noted"


def test_apns_provider_tokens(push):
    apns, other = push.apns, ec.generate_private_key(ec.SECP256R1())
    now = int(time.time())
    wrong = [provider_token(apns, key=other), provider_token(apns, iss="TEAM000000"),
             provider_token(apns, iat=now + 300), provider_token(apns, iat=str(now)),
             provider_token(apns, header={"kid": "KEY9999999"}), provider_token(apns, header={"alg": "none"})]
    der = provider_token(apns).rpartition(".")[0]
    wrong.append(f"{der}.{b64.url(apns.keys[apns.key_id].sign(der.encode(), ec.ECDSA(hashes.SHA256()))).decode()}")
    for token in wrong:
        assert send(apns, authorization=f"bearer {token}") == (403, "InvalidProviderToken")
    old = provider_token(apns, iat=now - 3700)
    assert send(apns, authorization=f"bearer {old}") == (403, "ExpiredProviderToken")
    assert len(apns.faults) == len(wrong) + 1


def test_apns_counts_new_tokens_on_a_connection(push):
    """20 minutes must lie between two of them."""
    now = int(time.time())
    with connect(push.apns) as c:
        got = []
        for iat in (now - 1300, now - 200, now - 50):
            fields = apns_fields(push.apns, authorization=f"bearer {provider_token(push.apns, iat=iat)}")
            body = json.dumps(ALERT).encode()
            got.append(c.ask("POST", f"/3/device/{DEVICE}", *fields, body=body).status)
    assert got == [200, 429, 200]


def test_apns_states_of_devices(push):
    push.apns.unknown.add("11" * 32)
    push.apns.unregister("22" * 32, 1700000000000)
    assert send(push.apns, device="11" * 32) == (400, "BadDeviceToken")
    assert send(push.apns, device="22" * 32) == (410, "Unregistered")
    assert push.apns.requests[-1].action.body == {"reason": "Unregistered", "timestamp": 1700000000000}
    assert push.apns.faults == [], "no fault of the client"


def test_apns_allows_one_stream_until_the_first_success(push):
    body = json.dumps(ALERT).encode()
    with connect(push.apns) as c:
        assert c.settings[3] == 1
        first = c.begin("POST", f"/3/device/{DEVICE}", *apns_fields(push.apns), end=False)
        second = c.begin("POST", f"/3/device/{DEVICE}", *apns_fields(push.apns), end=False)
        assert c.read(second).reset == REFUSED_STREAM
        c.data(first, body)
        assert c.read(first).status == 200
        c.until(lambda: c.settings[3] == STREAMS)
        ids = [c.begin("POST", f"/3/device/{DEVICE}", *apns_fields(push.apns), end=False) for _ in range(50)]
        for id in ids:
            c.data(id, body)
        assert [c.read(id).status for id in ids] == [200] * 50
    assert push.apns.faults == ["HTTP/2: more than 1 streams"]


def test_apns_client_certificates(push, tmp_path):
    issued = PKI.web.issue("Apple Push Services: org.example.cert", uid="org.example.cert")
    files = issued.write(tmp_path / "push")
    own = {"authorization": None, "apns_topic": "org.example.cert"}
    with connect(push.apns, files) as c:
        assert c.settings[3] == STREAMS
        assert send(push.apns, link=c, **own) == (200, "")
    assert send(push.apns, link=connect(push.apns, files), authorization=None)[1] == "TopicDisallowed"
    push.apns.faults.clear()
    assert send(push.apns, link=connect(push.apns, files), apns_topic="org.example.cert") == (200, "")
    assert push.apns.faults == ["APNs: a provider token besides a certificate"]


def test_scripted_answers(push):
    push.apns.script += [answer("TooManyRequests"), Reset(), answer("ServiceUnavailable")]
    assert send(push.apns) == (429, "TooManyRequests")
    body = json.dumps(ALERT).encode()
    with connect(push.apns) as c:
        assert c.ask("POST", f"/3/device/{DEVICE}", *apns_fields(push.apns), body=body).reset == REFUSED_STREAM
        assert c.ask("POST", f"/3/device/{DEVICE}", *apns_fields(push.apns), body=body).status == 503
    push.apns.script += [GoAway("Shutdown"), Close()]
    with connect(push.apns) as c:
        id = c.begin("POST", f"/3/device/{DEVICE}", *apns_fields(push.apns), end=False)
        c.data(id, body)
        assert c.ended() == [0]
        assert (c.goaways[0].last_stream_id, json.loads(c.goaways[0].additional_data)) == (0, {"reason": "Shutdown"})
    with connect(push.apns) as c:
        c.data(c.begin("POST", f"/3/device/{DEVICE}", *apns_fields(push.apns), end=False), body)
        assert c.ended() == []


def test_an_outage(push):
    push.apns.down()
    with pytest.raises(ConnectionRefusedError):
        connect(push.apns)
    push.apns.up()
    assert send(push.apns) == (200, "")


# --- FCM ---


def post(server, path, body, **fields):
    """HTTP/1.1."""
    with wire.Connection((server.address, server.port), wire.tls_context(PKI.web_root.pem), "localhost") as c:
        return c.ask("POST", path, {"Host": "localhost", **{n.replace("_", "-"): v for n, v in fields.items()}}, body)


def assertion(fcm, *, header=None, **claims):
    now = int(time.time())
    head = {"alg": "RS256", "typ": "JWT", "kid": fcm.key_id, **(header or {})}
    body = {"iss": fcm.email, "scope": SCOPE, "aud": fcm.token_uri, "iat": now, "exp": now + 3600, **claims}
    return b64.compact(b64.plain_json(head), b64.plain_json(body), fcm.keys[fcm.key_id]).decode()


def ask_token(fcm, *, grant=GRANT, kind="application/x-www-form-urlencoded", **how):
    form = urlencode({"grant_type": grant, "assertion": assertion(fcm, **how)}).encode()
    return post(fcm, "/token", form, Content_Type=kind)


def message(**change):
    base = {"token": "T1", "data": {"event_id": "$e", "room_id": "!r"}, "android": {"priority": "HIGH", "ttl": "900s"}}
    return json.dumps({"message": {n: v for n, v in {**base, **change}.items() if v is not None}}).encode()


def fcm_send(fcm, body, *, bearer="", project="example-project"):
    bearer = bearer or ask_token(fcm).json()["access_token"]
    return post(fcm, f"/v1/projects/{project}/messages:send", body,
                Authorization=f"Bearer {bearer}", Content_Type="application/json")


def test_fcm_takes_what_is_right(push):
    assert fcm_send(push.fcm, message()).json()["name"].startswith("projects/example-project/messages/")
    bearer = ask_token(push.fcm).json()["access_token"]
    with connect(push.fcm) as c:
        fields = [("authorization", f"Bearer {bearer}"), ("content-type", "application/json")]
        s = c.ask("POST", "/v1/projects/example-project/messages:send", *fields, body=message())
        assert s.status == 200
    assert push.fcm.faults == []


@pytest.mark.parametrize(
    "change",
    [{"aud": "https://oauth2.googleapis.com/token"}, {"scope": SCOPE + ".x"}, {"iss": "x@y"}, {"exp": 1},
     {"exp": int(time.time()) + 7300}, {"iat": int(time.time()) + 300}, {"header": {"kid": "0"}},
     {"header": {"alg": "HS256"}}, {"grant": "client_credentials"}, {"kind": "application/json"}],
    ids=str,
)
def test_fcm_refuses_token_requests(push, change):
    answer = ask_token(push.fcm, **change)
    assert answer.status == 400 and answer.json()["error"]
    assert push.fcm.faults


@pytest.mark.parametrize(
    "change",
    [{"data": {"unread": 2}}, {"data": {"from": "x"}}, {"data": {"google.x": "x"}}, {"data": {"gcm": "x"}},
     {"data": {"x": "y" * 4096}}, {"android": {"ttl": "900"}}, {"android": {"ttl": 900}},
     {"android": {"ttl": "2419201s"}}, {"android": {"priority": "urgent"}}, {"token": None}, {"extra": 1},
     {"android": {"collapseKey": "x"}}, {"topic": "all"}],
    ids=str,
)
def test_fcm_refuses_messages(push, change):
    answer = fcm_send(push.fcm, message(**change))
    assert (answer.status, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert push.fcm.faults


def test_fcm_answers(push):
    push.fcm.gone.add("T1")
    gone = fcm_send(push.fcm, message())
    assert (gone.status, gone.json()["error"]["details"][0]["errorCode"]) == (404, "UNREGISTERED")
    push.fcm.gone.clear()
    push.fcm.script.append(fcm_error("QUOTA_EXCEEDED", 7))
    assert fcm_send(push.fcm, message()).get("Retry-After") == "7"
    assert fcm_send(push.fcm, message(), bearer="x").status == 401
    bearer = ask_token(push.fcm).json()["access_token"]
    push.fcm.expire_bearers()
    assert fcm_send(push.fcm, message(), bearer=bearer).status == 401
    assert push.fcm.faults == []
    assert fcm_send(push.fcm, message(), project="other").status == 404
    assert push.fcm.faults


# --- Web Push and UnifiedPush ---


def test_webpush_deciphers_the_vector():
    """RFC 8291, appendix A."""
    raw = lambda s: urlsafe_b64decode(s + "=" * (-len(s) % 4))  # noqa: E731
    number = int.from_bytes(raw("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "big")
    body = raw("DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
               "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")
    key = ec.derive_private_key(number, ec.SECP256R1())
    text, padding = webpush.decrypt(body, key, raw("BTBZMqHH6r4Tts7J_aSIgg"))
    assert (text, padding) == (b"When I grow up, I want to be a watermelon", 0)
    with pytest.raises(webpush.Undecipherable):
        webpush.decrypt(body[:-1] + bytes([body[-1] ^ 1]), key, raw("BTBZMqHH6r4Tts7J_aSIgg"))


def seal(s, text=b"{}", padding=10):
    """A sound message by the other side of the same RFC."""
    sender, salt = ec.generate_private_key(ec.SECP256R1()), bytes(range(16))
    public = webpush.public_bytes(sender.public_key())
    info = b"WebPush: info\0" + webpush.public_bytes(s.key.public_key()) + public
    ikm = webpush._hkdf(s.auth, sender.exchange(ec.ECDH(), s.key.public_key()), info, 32)
    salt = webpush._hkdf(salt, ikm, b"salt", 16)
    cek = webpush._hkdf(salt, ikm, b"Content-Encoding: aes128gcm\0", 16)
    nonce = webpush._hkdf(salt, ikm, b"Content-Encoding: nonce\0", 12)
    return salt + (4096).to_bytes(4, "big") + b"\x41" + public + AESGCM(cek).encrypt(nonce, text + b"\2" + bytes(padding), None)


def vapid(server, key=None, **claims):
    key = key or ec.generate_private_key(ec.SECP256R1())
    body = {"aud": server.url, "exp": int(time.time()) + 3600, "sub": "mailto:push@example.org", **claims}
    token = b64.compact(b'{"typ":"JWT","alg":"ES256"}', b64.plain_json(body), key).decode()
    return f"vapid t={token}, k={b64.url(webpush.public_bytes(key.public_key())).decode()}"


def wp_send(server, s, body, **change):
    fields = {"TTL": "900", "Urgency": "high", "Topic": "abc", "Content_Encoding": "aes128gcm",
              "Authorization": vapid(server), **change}
    path = s.endpoint.removeprefix(server.url)
    return post(server, path, body, **{n: v for n, v in fields.items() if v is not None})


def test_webpush_takes_what_is_right(push):
    s = push.webpush.subscribe()
    got = wp_send(push.webpush, s, seal(s, b'{"event_id":"$e"}', 40))
    assert (got.status, bool(got.get("Location"))) == (201, True)
    assert (s.messages[0].json(), s.messages[0].padding) == ({"event_id": "$e"}, 40)
    assert push.webpush.faults == []
    s.gone = 410
    assert wp_send(push.webpush, s, seal(s)).status == 410
    assert push.webpush.faults == []


@pytest.mark.parametrize(
    "change,status",
    [({"TTL": None}, 400), ({"TTL": "soon"}, 400), ({"Urgency": "urgent"}, 400), ({"Topic": "x" * 33}, 400),
     ({"Topic": "!r:x"}, 400), ({"Content_Encoding": "aesgcm"}, 400), ({"Authorization": None}, 401),
     ({"Authorization": "WebPush x.y.z"}, 401), ({"Authorization": "vapid t=x.y.z"}, 401)],
    ids=str,
)
def test_webpush_refuses(push, change, status):
    s = push.webpush.subscribe()
    assert wp_send(push.webpush, s, seal(s), **change).status == status
    assert push.webpush.faults and s.messages == []


@pytest.mark.parametrize(
    "claims",
    [{"aud": "https://elsewhere.test"}, {"exp": 1}, {"exp": int(time.time()) + 90000}, {"sub": "push@example.org"}],
    ids=str,
)
def test_webpush_refuses_vapid(push, claims):
    s = push.webpush.subscribe()
    assert wp_send(push.webpush, s, seal(s), Authorization=vapid(push.webpush, **claims)).status == 403


def test_webpush_refuses_bodies(push):
    s, other = push.webpush.subscribe(), push.webpush.subscribe()
    body = seal(s)
    assert wp_send(push.webpush, other, body).status == 400
    assert wp_send(push.webpush, s, seal(s, padding=4096)).status == 413
    assert wp_send(push.webpush, s, body).status == 201
    assert wp_send(push.webpush, s, body).status == 400, "the same salt and key again"
    assert len(push.webpush.faults) == 3


def test_unifiedpush(push):
    e = push.unifiedpush.register()
    path = e.url.removeprefix(push.unifiedpush.url)
    note = {"notification": {"event_id": "$e", "room_id": "!r"}}
    assert post(push.unifiedpush, path, json.dumps(note).encode(), Content_Type="application/json").status == 201
    assert e.notifications == [note["notification"]]
    assert push.unifiedpush.faults == []
    for body in (b"x", b"{}", b'{"notification":{"devices":[]}}'):
        assert post(push.unifiedpush, path, body).status == 400
    assert post(push.unifiedpush, path, b" " * 5000).status == 413
    sealed = push.unifiedpush.register(encrypted=True)
    path = sealed.url.removeprefix(push.unifiedpush.url)
    body = seal(sealed.keys, json.dumps(note).encode())
    assert post(push.unifiedpush, path, body, Content_Encoding="aes128gcm", TTL="9").status == 201
    assert sealed.notifications == [note["notification"]]
    assert post(push.unifiedpush, path, json.dumps(note).encode()).status == 400


# --- as a program ---


def test_program(tmp_path):
    words = [sys.executable, "-m", "sim.push", "--folder", str(tmp_path), "--verbose", "unifiedpush", "fcm"]
    done = subprocess.Popen(words, cwd=SOURCE / "tests", stdout=subprocess.PIPE, text=True)
    try:
        assert "ready" in done.stdout.readline()
        known = json.loads((tmp_path / "push.json").read_text())
        assert set(known) == {"fcm", "unifiedpush"}
        assert json.loads((tmp_path / "service-account.json").read_text())["token_uri"] == known["fcm"]["url"] + "/token"
        port = int(known["unifiedpush"]["url"].rpartition(":")[2])
        tls = wire.tls_context((tmp_path / "ca.pem").read_bytes())
        path = known["unifiedpush"]["endpoint"].removeprefix(known["unifiedpush"]["url"])
        with wire.Connection(("127.0.0.1", port), tls, "localhost") as c:
            assert c.ask("POST", path, {"Host": "localhost"}, b'{"notification":{}}').status == 201
            status = c.ask("GET", "/_sim/status", {"Host": "localhost"}).json()
            assert c.ask("POST", path, {"Host": "localhost"}, b"{}").status == 400
        assert status == {"requests": 1, "accepted": 1, "connections": 1, "faults": []}
        assert json.loads(done.stdout.readline())["body"] == '{"notification":{}}'
        assert json.loads(done.stdout.readline()) == {"fault": "UnifiedPush: not a notification"}
    finally:
        done.terminate()
        done.communicate(timeout=20)
    assert done.returncode == 0
    until("its description is gone", lambda: not (tmp_path / "push.json").exists())
