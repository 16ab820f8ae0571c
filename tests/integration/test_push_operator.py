# SPDX-License-Identifier: Apache-2.0
"""What an operator reads when pushes do not arrive: what happened, where, and what to look at; and of no device."""
from __future__ import annotations

import pytest

from harness import until
from sim.pki import Pki
from sim.push import apns
from sim.push.server import Reply


def wrong_topic(w) -> None:
    w.app("apns")["apns"]["topic"] = "org.example.other"
    w.expected_faults = ["APNs: org.example.other (TopicDisallowed)"]


def wrong_pushkeys(w) -> None:
    w.providers.apns.rule = lambda r: apns.answer("BadDeviceToken")


def wrong_authority(w) -> None:
    (w.folder / "other-ca.pem").write_bytes(Pki().web_root.pem)
    w.config["lookups"]["ca_file"] = str(w.folder / "other-ca.pem")


def no_proxy(w) -> None:
    w.config["proxy"] = "127.0.0.1:9"


def no_address(w) -> None:
    w.config["lookups"]["private_addresses"] = False


def broken(w) -> None:
    w.providers.apns.rule = lambda r: Reply(503, b"{}")


def refused(w) -> None:
    w.providers.apns.rule = lambda r: apns.answer("PayloadTooLarge")


TROUBLES = [
    (wrong_topic, ["stopped: apns refuses the app (status 400, TopicDisallowed)", "topic", "then reload"]),
    (wrong_pushkeys, ["stopped: apns calls too many pushkeys wrong (status 400, BadDeviceToken)", "none is rejected",
                      "environment"]),
    (wrong_authority, ["apns is away (status 0, tls)", "lookups.ca_file"]),
    (no_proxy, ["apns is away (status 0, connect)", "the firewall", "proxy"]),
    (no_address, ["apns is away (status 0, address)", "lookups.private_addresses"]),
    (broken, ["apns is away (status 503, "]),
    (refused, ["apns refuses a push for what it is (status 413, PayloadTooLarge)", "schleuse_push_lost_total"]),
]


@pytest.mark.parametrize("trouble,words", TROUBLES, ids=lambda x: getattr(x, "__name__", ""))
def test_a_line_says_what_is_wrong(make_push, trouble, words):
    w = make_push(which=["apns"])
    trouble(w)
    w.start()
    phones = [w.phone("apns") for _ in range(30)]
    events = [w.tell(p) for p in phones]

    def said() -> list[str]:
        return [line for line in w.daemon.log_text().splitlines() if "apps: 'org.example.app': " in line]

    until("a line about the app", said)
    assert len(said()) == 1, "once, whatever the number of pushes"
    assert all(word in said()[0] for word in words), said()
    told = w.daemon.log_text()
    assert not [x for x in events + [p.pushkey for p in phones] if x in told]


def test_a_queue_that_does_not_work(make_push):
    """Where: the Redis, by its address."""
    w = make_push(which=["apns"])
    w.config["redis"] = {"address": "127.0.0.1:9", "timeout": "1s"}
    w.start(ready="/health")
    w.daemon.until_logged("queue: does not work: 127.0.0.1:9: connect")
    answer = w.daemon.admin("/ready")
    assert answer.status == 503 and answer.body.startswith(b"queue: ")
