# SPDX-License-Identifier: Apache-2.0
"""The federation list: verified, kept, renewed, and closed when there is none (FD-5.2.2-16)."""
import json
import os
import time
from typing import Any, Callable

import pytest

from harness import PKI, World, until
from sim import b64, fedlist
from sim.pki import ROLE_DIRECTORY

URI = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"


def federation(w: World, server=None) -> int:
    return w.peer(server or w.beta).ask("GET", URI).status


def payload(w: World, version: int = 50, *names: str) -> dict[str, Any]:
    return fedlist.plain(version, [w.NAME, w.beta.name, w.gamma.name, *names])


def tampered(w: World) -> bytes:
    head, _, sig = fedlist.sign(fedlist.plain(9, [w.NAME]), PKI.list_signer).split(b".")
    return b".".join((head, b64.url(b64.plain_json(payload(w))), sig))


def from_signer(**how: Any) -> Callable[[World], bytes]:
    authority = how.pop("authority", PKI.list_root)
    return lambda w: fedlist.sign(payload(w), authority.issue("Signer", **{"kind": "bp256", **how}))


def bare_key(w: World) -> bytes:
    """A public key where a certificate belongs, as once really published."""
    from cryptography.hazmat.primitives import serialization as ser

    public = PKI.list_signer.key.public_key()
    der = public.public_bytes(ser.Encoding.DER, ser.PublicFormat.SubjectPublicKeyInfo)
    return fedlist.sign(payload(w), PKI.list_signer, alg="ES256", x5c=[der])


REFUSED = "schleuse_federation_list_refused_total"

BAD: dict[str, Callable[[World], bytes]] = {
    "tampered": tampered,
    "foreign CA": from_signer(authority=PKI.foreign, role=ROLE_DIRECTORY),
    "expired signer": from_signer(starts=-100, days=50, role=ROLE_DIRECTORY),
    "signer not yet valid": from_signer(starts=5, role=ROLE_DIRECTORY),
    "signer without keyUsage": from_signer(usage=None, role=ROLE_DIRECTORY),
    "signer for encryption only": from_signer(usage="key_encipherment", role=ROLE_DIRECTORY),
    "signer without role": from_signer(),
    "signer with another role": from_signer(role="1.2.276.0.76.4.49"),
    "alg none": lambda w: fedlist.sign(payload(w), PKI.list_signer, header={"alg": "none"}),
    "alg of another curve": lambda w: fedlist.sign(payload(w), PKI.list_signer, alg="ES256"),
    "no x5c": lambda w: fedlist.sign(payload(w), PKI.list_signer, x5c=[]),
    "bare key": bare_key,
    "crit": lambda w: fedlist.sign(payload(w), PKI.list_signer, header={"crit": ["x"], "x": 1}),
    "lower version": lambda w: fedlist.sign(payload(w, 1), PKI.list_signer),
    "not a list": lambda w: fedlist.sign({"version": 60}, PKI.list_signer),
    "not JSON": lambda w: fedlist.sign(b"hello", PKI.list_signer),
    "unsigned": lambda w: json.dumps(payload(w)).encode(),
    "empty": lambda w: b"",
}


def test_bad_lists_change_nothing(make_world) -> None:
    w = make_world()
    w.version = 10
    w.federation["list"]["signer_role"] = ROLE_DIRECTORY
    w.publish()
    w.start()
    for name, make in BAD.items():
        before = w.daemon.metric(REFUSED)
        w.publish(make(w))
        w.daemon.reload()
        until(f"the list to be refused: {name}", lambda: w.daemon.metric(REFUSED) > before)
        assert federation(w) == 200, name
        assert federation(w, w.gamma) == 403, name
    w.publish(fedlist.sign(payload(w), PKI.list_signer))
    w.daemon.reload()
    until("the good list", lambda: federation(w, w.gamma) == 200)


def test_es256_with_a_chain(make_world) -> None:
    w = make_world()
    signer = PKI.list_root.intermediate("List sub-CA").issue("Signer", kind="p256")
    w.publish(fedlist.sign(payload(w), signer))
    w.start()
    assert federation(w) == 200


def test_a_change_of_the_file_is_noticed(make_world) -> None:
    """Without any signal, within the interval; a removed member is out from then on."""
    w = make_world()
    w.start()
    assert federation(w) == 200
    w.listed.remove(w.beta.name)
    w.publish()
    until("beta's removal", lambda: federation(w) == 403)
    w.listed.append(w.beta.name)
    w.publish()
    until("beta's return", lambda: federation(w) == 200)


def closed(w: World) -> None:
    a = w.peer(w.beta).ask("GET", URI)
    assert (a.status, a.errcode) == (503, "M_UNKNOWN")
    assert w.client("GET", "/_matrix/client/v3/account/whoami").status == 200
    ready = w.daemon.admin("/ready")
    assert ready.status == 503 and b"list" in ready.body
    assert w.daemon.admin("/health").status == 200


def test_without_a_list_federation_is_closed(make_world) -> None:
    w = make_world()
    (w.folder / "list.jws").unlink()
    w.start(ready="/health")
    closed(w)
    w.publish()
    until("the first list", lambda: federation(w) == 200)
    assert w.daemon.admin("/ready").status == 200


def test_an_outdated_list_closes_federation(make_world) -> None:
    w = make_world()
    w.federation["list"]["ttl"] = "72h"
    old = time.time() - 80 * 3600
    os.utime(w.folder / "list.jws", (old, old))
    w.start(ready="/health")
    closed(w)


def test_the_list_survives_a_restart(make_world) -> None:
    w = make_world()
    w.start()
    assert federation(w) == 200
    w.daemon.stop()
    (w.folder / "list.jws").unlink()
    w.start()
    assert federation(w) == 200


def test_a_lower_version_is_refused_after_a_restart_too(make_world) -> None:
    w = make_world()
    w.version = 20
    w.publish()
    w.start()
    w.daemon.stop()
    w.publish(fedlist.sign(payload(w, 3), PKI.list_signer))
    w.start()
    assert (federation(w), federation(w, w.gamma)) == (200, 403)


@pytest.mark.parametrize("claim, value", [("exp", -60), ("iat", 3600)])
def test_dates_inside_the_list(make_world, claim: str, value: int) -> None:
    w = make_world()
    dated = {**payload(w), claim: int(time.time()) + value}
    w.publish(fedlist.sign(dated, PKI.list_signer))
    w.start(ready="/health")
    closed(w)
