# SPDX-License-Identifier: Apache-2.0
"""From the directory to three proxies through two registration services that share one Redis:
what changes there counts here (FD-5.2.1.2-13, FD-5.2.2-10, -14 to -17, -20, -22, CP-1.2.2, B-5.4.1)."""
from __future__ import annotations

import base64
import json
from pathlib import Path

from chain import Chain, reload, timed
from harness import until
from regsvcworld import HOST
from sim import wire
from test_regsvc_misses import stranger
from test_regsvc_proxy import status

X5U = "https://reg.example.org/provider.pem"


# The list


def test_a_change_at_the_directory_reaches_every_proxy(chain: Chain) -> None:
    """By push: of their own accord they would look after an hour."""
    assert chain.statuses() == [200, 200, 200]
    chain.vzd.remove(chain.beta.name)
    timed("removed, refused by all", lambda: chain.all_say(403))
    assert chain.statuses() == [403, 403, 403], "from then on"
    chain.vzd.add(chain.beta.name)
    timed("added, let through by all", lambda: chain.all_say(200))
    assert chain.vzd.violations == []


def test_a_new_member_is_let_through_at_its_first_request(chain: Chain) -> None:
    """AF_10064: miss -> registration service -> check of the directory, before anything is pushed."""
    for r in chain.regsvcs:
        r.config["list"]["interval"] = "1h"
        reload(r.daemon)
    chain.elected()
    for w in chain.proxies:  # joins the look after the reload, which must not answer for gamma
        assert stranger(w, 1) == 403
    before = chain.vzd.records.count("list")
    chain.vzd.add(chain.gamma.name)
    assert status(chain.proxies[2], chain.gamma) == 200
    assert chain.vzd.records.count("list") > before
    chain.all_say(200, chain.gamma)


def test_one_of_them_asks_the_directory(chain: Chain) -> None:
    """FD-5.2.2-14: the other one hears of it through Redis."""
    chain.elected()
    assert sum(r.daemon.metric("schleuse_federation_list_elected") for r in chain.regsvcs) == 1


# PASSporTs


def test_certificates_of_the_directory_roll_over(chain: Chain) -> None:
    """FD-5.2.2-20: the new one counts at every proxy, the old one until passport.overlap is over."""
    old, new = chain.vzd.certificates.held[-1], chain.vzd.passport_signer()
    until("the old one", lambda: chain.invites(old, None) == [200, 200, 200])
    assert chain.invites(new, None) == [403, 403, 403]
    chain.vzd.certificates.held.append(new)
    timed("new", lambda: until("the new one", lambda: chain.invites(new, None) == [200, 200, 200]))
    chain.vzd.certificates.held.remove(old)
    assert chain.invites(old, None) == [200, 200, 200], "it overlaps"
    for r in chain.regsvcs:
        r.config["passport"]["overlap"] = 0
        reload(r.daemon)
    until("its end", lambda: chain.invites(old, None) == [403, 403, 403])
    assert chain.invites(new, None) == [200, 200, 200]


def test_a_registered_certificate_counts_until_it_is_removed(chain: Chain, tmp_path: Path) -> None:
    """O-5: registered at one registration service, it counts at the proxies of both."""
    signer = chain.vzd.passport_signer(name="PASSporT service of a provider")
    file, _ = signer.write(tmp_path / "provider")
    assert chain.invites(signer, X5U) == [403, 403, 403]
    added = chain.regsvcs[0].ctl("certificate", "add", str(file), "--x5u", X5U)
    timed("added", lambda: until("it counts", lambda: chain.invites(signer, X5U) == [200, 200, 200]))
    chain.regsvcs[1].ctl("certificate", "remove", added["fingerprint"])
    timed("removed", lambda: until("its end", lambda: chain.invites(signer, X5U) == [403, 403, 403]))


def test_an_unknown_x5u_is_asked_about_once(chain: Chain) -> None:
    signer = chain.vzd.passport_signer(name="Nobody's")
    w = chain.proxies[0]
    before = w.daemon.metric("schleuse_regsvc_misses_total", kind="x5u", outcome="asked")
    w.federation["regsvc"]["miss_ttl"] = "1h"
    reload(w.daemon)
    for _ in range(3):
        assert chain.invites(signer, "https://nobody.example.org/x.pem")[0] == 403
    after = w.daemon.metric("schleuse_regsvc_misses_total", kind="x5u", outcome="asked")
    assert after == before + 1


# Others than our proxies


def test_the_list_as_a_homeserver_module_fetches_it(chain: Chain) -> None:
    """A plain GET of the raw JWS with a client certificate, nothing else said."""
    bravo = chain.clients[1]
    target = f"/v1/{bravo.subscription}/federation-list.jws"
    with chain.regsvcs[0].connect(bravo) as c:
        answer = c.ask("GET", target, {"Host": HOST, "Accept": "*/*"})
    assert answer.status == 200 and answer.get("content-type") == "application/jose"
    text = answer.body.split(b".")[1]
    payload = json.loads(base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4)))
    assert payload["version"] == chain.vzd.directory.version
    assert len(payload["domainList"]) == len(chain.members)
    with wire.Connection(chain.regsvcs[0].daemon.address(), chain.regsvcs[0].tls(), HOST) as c:
        assert c.ask("GET", target, {"Host": HOST}).status == 401
