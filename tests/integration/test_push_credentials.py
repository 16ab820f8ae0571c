# SPDX-License-Identifier: Apache-2.0
"""How the gateway proves itself to push providers, and that new credentials need no restart."""
from __future__ import annotations

import time

from harness import PKI, until
from sim.push import fcm
from sim.push.jose import parse
from sim.push.program import private
from sim.push.server import Reply


def test_apns_provider_token(push):
    """One token for all pushes and connections, with the claims Apple wants and no others."""
    apns = push.providers.apns
    for _ in range(3):
        phone = push.phone("apns")
        phone.wait(push.tell(phone))
        apns.drop()
    assert len(apns.tokens) == 1
    header, claims, _, signature = parse(apns.tokens[0])
    assert (header["alg"], header["kid"], claims["iss"], len(signature)) == ("ES256", apns.key_id, apns.team, 64)


def test_apns_new_key(make_push):
    """The old key was revoked; SIGHUP with a new one, and what waited is delivered."""
    w = make_push(which=["apns"])
    w.start()
    apns = w.providers.apns
    apns.revoked.add(apns.key_id)
    phones = [w.phone("apns") for _ in range(3)]
    events = [w.tell(phone) for phone in phones]
    until("the refusal", lambda: w.attempts("apns", "fault") > 0)
    assert w.rejected(phones[0]) == []
    key_id = apns.new_key()
    private(w.folder / "apns-2.p8", apns.key_pem(key_id))
    w.app("apns")["apns"].update(key_id=key_id, key_file=str(w.folder / "apns-2.p8"))
    w.reload()
    for phone, event in zip(phones, events):
        phone.wait(event)
    assert w.daemon.metric("schleuse_push_lost_total") == 0


def test_apns_client_certificate(make_push):
    w = make_push(which=["apns"])
    issued = PKI.web.issue("Apple Push Services: org.example.app", uid="org.example.app")
    certificate, key = issued.write(w.folder / "apns-client")
    w.app("apns")["apns"] = {"url": w.providers.apns.url, "topic": "org.example.app",
                             "certificate": str(certificate), "certificate_key": str(key)}
    w.start()
    phone = w.phone("apns")
    phone.wait(w.tell(phone))
    r = phone.requests()[0]
    assert r.link.certificate == issued.der and r.get("authorization") is None
    renewed = PKI.web.issue("Apple Push Services: org.example.app", uid="org.example.app")
    renewed.write(w.folder / "apns-client")
    w.reload()
    phone.wait(w.tell(phone))
    assert phone.requests()[-1].link.certificate == renewed.der


def test_fcm_access_token_is_asked_for_once(push):
    """Single flight: many pushes at once, one token request."""
    server = push.providers.fcm
    phones = [push.phone("fcm") for _ in range(20)]
    server.expire_bearers()
    before = len(server.token_requests)
    for phone, event in [(p, push.tell(p)) for p in phones]:
        phone.wait(event)
    assert len(server.token_requests) - before == 1


def test_fcm_token_endpoint_away(make_push):
    w = make_push(which=["fcm"])
    soon = [("retry-after", "1")]
    w.providers.fcm.token_script += [Reply(503, b"{}", soon), Reply(500, b"", soon)]
    w.start()
    phone = w.phone("fcm")
    phone.wait(w.tell(phone))
    assert w.providers.fcm.token_script == []
    assert w.attempts("fcm", "fault") == 0


def test_fcm_access_token_is_refused(make_push):
    """Taken back before its time: the push is not lost, nobody is rejected."""
    w = make_push(which=["fcm"])
    w.start()
    phone = w.phone("fcm")
    phone.wait(w.tell(phone))
    w.providers.fcm.rule = lambda r: fcm.UNAUTHENTICATED
    event = w.tell(phone)
    until("the refusal", lambda: w.attempts("fcm", "fault") > 0)
    assert w.rejected(w.phone("fcm")) == []
    w.providers.fcm.rule = None
    phone.wait(event)


def test_fcm_new_service_account(make_push):
    w = make_push(which=["fcm"])
    w.start()
    server = w.providers.fcm
    phone = w.phone("fcm")
    phone.wait(w.tell(phone))
    old = server.key_id
    server.key_id = server.new_key()
    del server.keys[old]
    private(w.folder / "service-account.json", server.account())
    server.expire_bearers()
    w.reload()
    phone.wait(w.tell(phone))
    assert parse(dict(x.split("=") for x in server.token_requests[-1].body.decode().split("&"))["assertion"])[0][
        "kid"] == server.key_id


def test_fcm_permission_denied_rejects_nobody(make_push):
    w = make_push(which=["fcm"])
    w.start()
    w.providers.fcm.rule = lambda r: fcm.permission_denied("example-project")
    phones = [w.phone("fcm") for _ in range(20)]
    events = [w.tell(phone) for phone in phones]
    until("the refusal", lambda: w.attempts("fcm", "fault") > 0)
    assert [w.rejected(phone) for phone in phones] == [[]] * len(phones)
    w.providers.fcm.rule = None
    for phone, event in zip(phones, events):
        phone.wait(event)


def test_vapid_tokens_are_reused(push):
    """One per origin; browsers subscribed with our key."""
    server = push.providers.webpush
    for _ in range(3):
        phone = push.phone("webpush")
        phone.wait(push.tell(phone))
    assert len(server.vapids) == 1
    _, claims, _, _ = parse(server.vapids[0])
    assert (claims["aud"], claims["sub"]) == (server.url, "mailto:push@hs.test")


def test_reload_that_fails_changes_nothing(make_push):
    w = make_push(which=["apns"])
    w.start()
    key = w.app("apns")["apns"]["key_file"]
    w.app("apns")["apns"]["key_file"] = "/nonexistent.p8"
    w.daemon.reload()
    until("the refusal", lambda: w.daemon.metric("schleuse_reloads_total", outcome="refused") == 1)
    phone = w.phone("apns")
    phone.wait(w.tell(phone))
    w.app("apns")["apns"]["key_file"] = key


def test_an_app_that_is_gone_after_a_reload(make_push):
    """Its pushes are given up and counted; its pushkeys are told to be unknown."""
    w = make_push(which=["apns", "fcm"])
    w.start()
    w.providers.fcm.down()
    phone = w.phone("fcm")
    w.tell(phone)
    until("an attempt", lambda: w.attempts("fcm", "failed") > 0)
    w.config["apps"] = [a for a in w.config["apps"] if a["provider"] != "fcm"]
    w.reload()
    w.drained()
    assert w.daemon.metric("schleuse_push_lost_total", cause="app_removed") == 1
    assert w.rejected(phone) == [phone.pushkey]


def test_apns_certificate_that_has_ended(make_push):
    """It keeps no other app from a start; its own pushes wait for the new one, and nobody is rejected."""
    w = make_push(which=["apns", "fcm"])
    name = "Apple Push Services: org.example.app"
    certificate, key = PKI.web.issue(name, uid="org.example.app", starts=-40, days=30).write(w.folder / "apns-client")
    w.app("apns")["apns"] = {"url": w.providers.apns.url, "certificate": str(certificate),
                             "certificate_key": str(key)}
    w.start()
    assert "apns-client.pem: certificate 1 ended on " in w.daemon.log_text()
    assert 0 < w.daemon.metric("schleuse_push_credential_not_after_seconds", app="org.example.app") < time.time()
    waits, works = w.phone("apns"), w.phone("fcm")
    event = w.tell(waits, works)
    works.wait(event)
    until("an attempt", lambda: w.attempts("apns", "failed") + w.attempts("apns", "fault") > 0)
    assert w.rejected(waits) == []
    PKI.web.issue(name, uid="org.example.app").write(w.folder / "apns-client")
    w.reload()
    waits.wait(event)
