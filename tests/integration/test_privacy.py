# SPDX-License-Identifier: Apache-2.0
"""Logs and metrics name nobody (ML-123620; T-7; CP-1.2.1-6)."""
import re

import pytest

from harness import PKI, World, invite_v2, member_event, transaction
from sim import passport
from sim.xmatrix import path

ANNA = "@anna:alpha.test"
ROOM = "!s3cretroom:beta.test"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}([+-]\d\d:\d\d|Z) ")


def traffic(w: World) -> list[str]:
    """Every kind of request, let through and refused; returns what must not be found."""
    bob = f"@bobby:{w.beta.name}"
    token = passport.issue(PKI.passport_signer, bob, ANNA)
    peer = w.peer(w.beta)
    for value in (token, None):
        uri = "/_matrix/federation/v2/invite" + path(ROOM, "$s3cretevent")
        peer.ask("PUT", uri, invite_v2(bob, ANNA, value, room=ROOM))
    event = member_event(bob, ANNA, "!unknownroom:beta.test")
    peer.ask("PUT", "/_matrix/federation/v1/send/s3crettxn", transaction(w.beta.name, event))
    peer.ask("GET", f"/_matrix/federation/v1/query/profile?user_id={ANNA}")
    peer.send("GET", "/_matrix/federation/v1/version", None, "X-Matrix broken s3cretsig")
    w.peer(w.gamma).ask("GET", "/_matrix/federation/v1/query/profile?user_id=@s3cretuser:alpha.test")
    w.client("GET", f"/_matrix/client/v3/profile/{ANNA}")
    w.client("PUT", f"/_matrix/client/v3/profile/{ANNA}/displayname", {"displayname": "S3cretname"})
    w.client("GET", "/_matrix/client/v3/sync?timeout=0&access_token=s3cretquery", token="s3crettoken")
    w.client("PUT", f"/_matrix/client/v3/rooms/{ROOM}/send/m.room.message/1", {"body": "S3crettext"})
    w.client("GET", "/nowhere/s3cretpath", X_S3cret="s3cretheader")
    w.client("POST", "/_matrix/client/v3/login", {"user": "anna", "password": "s3cretpassword"})
    with w.connect() as c:
        c.send(b"GET /s3cretbroken HTTP/1.1\r\ns3cret broken\r\n\r\n")
        c.read()
    return [w.token, token, "anna", "bobby", "s3cret", "unknownroom", "127.0.0.1:%d" % w.address[1]]


@pytest.mark.parametrize("level", ["info", "warn"])
def test_logs_and_metrics_name_nobody(make_world, level: str) -> None:
    w = make_world()
    w.config["log_level"] = level
    w.start()
    start = len(w.daemon.log_text())
    forbidden = traffic(w)
    metrics = w.daemon.admin("/metrics").body.decode()
    w.daemon.stop()
    log = w.daemon.log_text()[start:]
    for text in (log, metrics):
        low = text.lower()
        for word in forbidden[:-1]:
            assert word.lower() not in low, f"{word!r} in {low[max(0, low.find(word.lower()) - 80):][:200]}"
    assert not re.search(r"\b127\.0\.0\.1:\d", log), "an address of a peer"
    assert not re.search(r"[@!$#][\w.=/-]+:[\w.-]+\.test", log + metrics)
    assert "origin=" not in metrics and "beta.test" not in metrics


def test_one_line_per_exchange(make_world) -> None:
    w = make_world()
    w.start()
    start = len(w.daemon.log_text().splitlines())
    w.client("GET", "/_matrix/client/versions")
    w.peer(w.beta).ask("GET", "/_matrix/federation/v1/query/profile?user_id=x")
    w.client("PUT", f"/_matrix/client/v3/profile/{ANNA}/displayname", {"displayname": "x"})
    w.daemon.stop()
    lines = w.daemon.log_text().splitlines()[start:]
    ended = [line for line in lines if "status=" in line]
    assert len(ended) == 3
    assert [re.search(r"status=(\d+)", line)[1] for line in ended] == ["200", "404", "403"]
    assert "displayname" in ended[2]
    for line in lines:
        assert LINE.match(line), line
