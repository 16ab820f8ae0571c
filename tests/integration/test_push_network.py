# SPDX-License-Identifier: Apache-2.0
"""The way out to push providers: an HTTP proxy, and the places where pushers may not lead us (SSRF)."""
from __future__ import annotations

import pytest

from harness import PKI, until
from pushworld import APPS, PushWorld, notification
from sim.httpproxy import HttpProxy
from sim.pki import self_signed
from sim.push.program import private
from sim.push.server import Reply

PROVIDERS = list(APPS)


def behind(w: PushWorld, **how: str) -> HttpProxy:
    proxy = HttpProxy({"localhost": "127.0.0.1"}, **how)
    w.config["proxy"] = proxy.where
    w.config["proxy_credentials_file"] = str(private(w.folder / "proxy-secret", b"user:pass-w0rd\n"))
    return proxy


def test_through_a_proxy(make_push):
    """TLS is with the push provider still; the proxy is told host and port only."""
    w = make_push()
    proxy = behind(w)
    w.start()
    phones = [w.phone(p) for p in PROVIDERS]
    event = w.tell(*phones)
    for phone in phones:
        phone.wait(event)
    ports = {s.port for s in w.providers.all}
    lines = [h.split(b"\r\n") for h in proxy.heads]
    assert {tuple(x[0].split(b" ")[:2]) for x in lines} == {(b"CONNECT", b"localhost:%d" % p) for p in ports}
    assert all(b"Proxy-Authorization: Basic dXNlcjpwYXNzLXcwcmQ=" in x for x in lines)
    assert not [h for h in proxy.heads if event.encode() in h]
    assert b"pass-w0rd" not in b"".join(s.raw() for s in w.providers.all)
    proxy.close()


def test_proxy_away_for_a_while(make_push):
    """Sygnal does not recover from it; we do, and nothing is lost."""
    w = make_push(which=["apns"])
    proxy = behind(w)
    w.start()
    phone = w.phone("apns")
    phone.wait(w.tell(phone))
    proxy.status = "502 Bad"
    w.providers.apns.drop()
    event = w.tell(phone)
    until("a failure", lambda: w.attempts("apns", "failed") > 0)
    proxy.status = "200 Fine"
    phone.wait(event)
    proxy.close()


WRONG = {
    "self-signed": lambda: self_signed("localhost"),
    "another name": lambda: PKI.web.server("other.test"),
    "unknown CA": lambda: PKI.foreign.server("localhost"),
    "expired": lambda: PKI.web.server("localhost", starts=-100, days=50),
}


@pytest.mark.parametrize("fault", list(WRONG))
def test_provider_that_is_somebody_else(make_push, fault):
    """Nothing is said to it; the push waits."""
    w = make_push(which=["unifiedpush"])
    files = WRONG[fault]().write(w.folder / "wrong")
    server = w.providers.unifiedpush
    sound = server._tls
    server._tls = server._context(files, None)
    server.down()
    server.up()
    w.start()
    phone = w.phone("unifiedpush")
    event = w.tell(phone)
    until("a failure", lambda: w.attempts("unifiedpush", "failed") > 0)
    assert server.counted == 0 and w.queued() == 1
    server._tls = sound
    server.down()
    server.up()
    phone.wait(event)


# Endpoints that pushers name


def strict(make_push, **lookups) -> PushWorld:
    """Addresses that are not public are refused, as in production."""
    w = make_push(which=["webpush", "unifiedpush"])
    w.config["lookups"].update(private_addresses=False, **lookups)
    return w


def where(w: PushWorld, name: str) -> str:
    return f"https://{name}:{w.providers.unifiedpush.port}/up"


NOWHERE = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "192.168.1.1", "169.254.169.254",
           "0.0.0.0", "[fd00::1]", "100.64.0.1", "2130706433", "0x7f000001", "127.1", "inside.test"]


@pytest.mark.parametrize("name", NOWHERE)
def test_private_addresses(make_push, name):
    """Neither as literals nor through a name; the gateway cannot be used to look around inside."""
    w = strict(make_push, hosts={"inside.test": "127.0.0.1", "localhost": "127.0.0.1"}, timeout="500ms")
    w.start()
    up = {"app_id": APPS["unifiedpush"], "pushkey": where(w, name)}
    s = w.phone("webpush")
    web = s.device(data={**s.data, "endpoint": where(w, name)})
    for device in (up, web):
        w.rejected(device)
    until("the end of both", lambda: w.queued() == 0)
    assert [x.connections for x in w.providers.all] == [0, 0]


MALFORMED = ["http://localhost:{}/up", "https://user:pw@localhost:{}/up", "https://localhost:{}/up#x", "//localhost",
             "ftp://localhost:{}/up", "https://", "https://localhost:99999/up",
             "https://local host:{}/up", "javascript:alert(1)", "KEY1"]


@pytest.mark.parametrize("url", MALFORMED)
def test_what_is_no_endpoint(push, url):
    """Told to the homeserver at once, without a connection."""
    server = push.providers.unifiedpush
    before = server.connections
    device = {"app_id": APPS["unifiedpush"], "pushkey": url.format(server.port)}
    assert push.rejected(device) == [device["pushkey"]]
    phone = push.phone("webpush")
    phone.data["endpoint"] = url.format(server.port)
    assert push.rejected(phone) == [phone.pushkey]
    push.drained()
    assert server.connections == before


def test_control_characters(push):
    """In a pushkey or an endpoint they make the pusher useless, not the notification."""
    server = push.providers.unifiedpush
    before = server.connections
    url = f"https://localhost:{server.port}/\r\nX: y"
    assert push.rejected({"app_id": APPS["unifiedpush"], "pushkey": url}) == [url]
    phone = push.phone("webpush")
    phone.data["endpoint"] = url
    assert push.rejected(phone) == [phone.pushkey]
    push.drained()
    assert server.connections == before


def test_only_listed_endpoints(make_push):
    w = make_push(which=["webpush", "unifiedpush"])
    w.app("webpush")["webpush"]["endpoints"] = ["*.push.example.org", "localhost"]
    w.app("unifiedpush")["unifiedpush"] = {"endpoints": ["*.push.example.org"]}
    w.start()
    web, up = w.phone("webpush"), w.phone("unifiedpush")
    web.wait(w.tell(web))
    assert w.rejected(up) == [up.pushkey]
    w.drained()
    assert w.providers.unifiedpush.connections == 0


def test_redirects_lead_nowhere(push):
    """One request, and none to where the answer points."""
    phone, other = push.phone("unifiedpush"), push.phone("unifiedpush")
    push.providers.unifiedpush.script.append(Reply(307, b"", [("location", other.pushkey)]))
    push.tell(phone)
    until("the attempt", phone.requests)
    push.drained()
    assert other.requests() == []


def test_endless_answers(push):
    """More than a push provider has to say is not read; the next push is not held up."""
    phone = push.phone("unifiedpush")
    push.providers.unifiedpush.script.append(Reply(400, b"x" * (8 << 20)))
    push.tell(phone)
    until("the attempt", phone.requests)
    other = push.phone("unifiedpush")
    other.wait(push.tell(other))
    push.drained()
