# SPDX-License-Identifier: Apache-2.0
"""What closes the federation at the proxies, or shuts one of them out at the registration service, and
how it opens again (FD-5.2.2-16, -18, B-5.4.3, FDS-2.6.4.2-3, CP-1.2.3)."""
from __future__ import annotations

from pathlib import Path

from chain import Chain, missing, reload, version_of
from harness import World, until


def client_traffic(w: World) -> int:
    return w.client("GET", "/_matrix/client/versions").status


def test_an_outdated_list_closes_the_federation_but_not_for_clients(chain: Chain) -> None:
    """Outdated at both services, until the directory is back."""
    for r in chain.regsvcs:
        r.config["list"]["ttl"] = "3s"
        reload(r.daemon)
    assert chain.statuses() == [200, 200, 200]
    chain.vzd.down()
    chain.all_say(503)
    for r in chain.regsvcs:
        assert r.daemon.metric("schleuse_federation_list_status") == 2
        assert "outdated" in missing(r.daemon)
    for w in chain.proxies:
        assert client_traffic(w) == 200
        assert "outdated at the registration service" in missing(w.daemon)
        assert w.daemon.metric("schleuse_regsvc_outdated") == 1
    chain.vzd.up()
    chain.all_say(200)
    for d in chain.daemons:
        until("it is ready", lambda: missing(d) == "")


def test_a_revoked_signer_counts_nowhere(chain: Chain) -> None:
    """Whoever of them hears it first; the next list has a new signer."""
    version = chain.vzd.directory.version
    chain.vzd.revoke_signer()
    chain.all_say(503)
    for d in chain.daemons:
        until("the reason", lambda: "IS REVOKED" in d.log_text())
        until("it is not ready", lambda: missing(d) != "")
    chain.vzd.add(chain.gamma.name)
    assert chain.statuses(chain.gamma) == [503, 503, 503], "nor what it signs from now on"
    chain.vzd.renew_signer()
    chain.all_say(200)
    chain.all_say(200, chain.gamma)
    assert all(version_of(d) > version for d in chain.daemons)


def test_a_list_refused_for_want_of_ocsp_is_taken_once_it_answers(chain: Chain) -> None:
    """B-5.4.3: without waiting for the next look, which is in an hour."""
    for r in chain.regsvcs:
        r.config["list"]["interval"] = "1h"
        reload(r.daemon)
    chain.vzd.faults.on("ocsp:503")
    told = {d: d.log_text().count("no good word") for d in chain.daemons}
    for d in chain.daemons:
        until("it has no word", lambda: d.log_text().count("no good word") > told[d] + 1)
    before = [r.daemon.metric("schleuse_federation_list_refused_total") for r in chain.regsvcs]
    chain.vzd.remove(chain.beta.name)
    assert chain.statuses(chain.gamma) == [403, 403, 403], "each asks"
    for r, n in zip(chain.regsvcs, before):
        refused = lambda: r.daemon.metric("schleuse_federation_list_refused_total") > n
        until("it is refused", refused)
    assert chain.statuses() == [200, 200, 200], "with the list held"
    chain.vzd.faults.clear()
    chain.all_say(403)


def secret_file(w: World) -> Path:
    return Path(w.federation["regsvc"]["password_file"])


def test_a_new_secret_counts_after_a_reload_and_the_old_one_for_the_grace(chain: Chain) -> None:
    w, client = chain.proxies[0], chain.clients[0]
    again = chain.regsvcs[1].ctl("client", "rotate", client.name, "--grace", "1h")
    chain.vzd.remove(chain.beta.name)
    chain.all_say(403)
    secret_file(w).write_text(again["secret"] + "\n")
    reload(w.daemon)
    third = chain.regsvcs[0].ctl("client", "rotate", client.name, "--grace", "0")
    until("it is shut out", lambda: denied(w))
    secret_file(w).write_text(third["secret"] + "\n")
    reload(w.daemon)
    until("it is let in", lambda: w.daemon.metric("schleuse_regsvc_up") == 1)
    chain.vzd.add(chain.beta.name)
    chain.all_say(200)


def denied(w: World) -> bool:
    return w.daemon.metric("schleuse_regsvc_up") == 0 and "does not know these credentials" in w.daemon.log_text()


def test_a_revoked_client_keeps_its_list_and_is_told(chain: Chain) -> None:
    """Only that one is shut out, with each method; another client lets it in again."""
    for n, w in enumerate(chain.proxies):
        chain.regsvcs[n % 2].ctl("client", "revoke", chain.clients[n].name)
        chain.vzd.directory.bump()
        until("it is shut out", lambda: denied(w))
        assert chain.statuses() == [200, 200, 200], "with the list it has"
        assert w.daemon.metric("schleuse_regsvc_requests_total", outcome="denied") > 0
        chain.introduce(n)
        reload(w.daemon)
        until("it is let in", lambda: w.daemon.metric("schleuse_regsvc_up") == 1)
        chain.settle()
