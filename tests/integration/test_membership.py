# SPDX-License-Identifier: Apache-2.0
"""Who is a member: by server name, in every form of list (FD-5.2.1.2-11/-12, FD-5.2.2-18, O-4)."""
from typing import Any, Callable

import pytest

from harness import PKI, World, until
from sim import fedlist

URI = "/_matrix/federation/v1/query/profile?user_id=%40anna%3Aalpha.test"
FORMS: dict[str, Callable[[int, list[str]], dict[str, Any]]] = {
    "plain objects": fedlist.plain,
    "hex objects": lambda v, n: fedlist.hashed(v, n, "hex"),
    "upper-case hex objects": lambda v, n: fedlist.hashed(v, n, "HEX"),
    "base64 objects": lambda v, n: fedlist.hashed(v, n, "base64"),
    "base64url objects": lambda v, n: fedlist.hashed(v, n, "base64url"),
    "hex strings": lambda v, n: fedlist.strings(v, n, "hex"),
    "base64 strings": lambda v, n: fedlist.strings(v, n, "base64"),
    "plain strings": lambda v, n: fedlist.strings(v, n, "plain"),
}


def test_every_form_of_list(world: World) -> None:
    """One proxy is given all forms in turn; each admits beta and not gamma, then the reverse."""
    version = 100
    for form, make in FORMS.items():
        for inside, outside in ((world.beta, world.gamma), (world.gamma, world.beta)):
            version += 1
            payload = make(version, [world.NAME, inside.name])
            world.publish(fedlist.sign(payload, PKI.list_signer))
            world.daemon.reload()
            until(form, lambda: world.peer(inside).ask("GET", URI).status == 200)
            a = world.peer(outside).ask("GET", URI)
            assert (a.status, a.errcode) == (403, "M_FORBIDDEN"), form


@pytest.mark.parametrize("ports, admitted", [("exact", False), ("any", True)])
def test_a_port_not_in_the_list(make_world, ports: str, admitted: bool) -> None:
    w = make_world()
    w.federation["list"]["ports"] = ports
    w.listed = [w.NAME, "beta.test"]
    w.publish()
    w.start()
    a = w.peer(w.beta).ask("GET", URI)
    assert a.status == (200 if admitted else 403)
    assert w.peer(w.gamma).ask("GET", URI).status == 403


def test_spelling_of_names(make_world) -> None:
    """Case and a trailing dot make no difference to membership."""
    w = make_world()
    w.listed = [w.NAME, w.beta.name.upper().replace("TEST", "Test.")]
    w.publish()
    w.start()
    assert w.peer(w.beta).ask("GET", URI).status == 200


@pytest.mark.parametrize(
    "name", ["test", "evil.beta.test", "beta.test.evil.test", "beta.tes", "xbeta.test", "beta.test:1"]
)
def test_similar_names_are_no_members(world: World, name: str) -> None:
    a = world.peer(world.gamma, name=name).ask("GET", URI)
    assert (a.status, a.errcode) == (403, "M_FORBIDDEN")
    world.not_forwarded()


def test_the_name_counts_and_not_the_address(world: World) -> None:
    """FD-5.2.1.2-12: beta's host under a name that is not listed is a stranger."""
    a = world.peer(world.beta, name=f"gamma.test:{world.beta.server.port}").ask("GET", URI)
    assert a.status == 403


def test_a_service_that_is_not_listed_itself_does_not_federate(make_world) -> None:
    w = make_world()
    w.listed = [w.beta.name]
    w.publish()
    w.start()
    a = w.peer(w.beta).ask("GET", URI)
    assert (a.status, a.errcode) == (403, "M_FORBIDDEN")
    assert w.client("GET", "/_matrix/client/versions").status == 200
