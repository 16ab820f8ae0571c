# SPDX-License-Identifier: Apache-2.0
"""What a server certificate must be before the proxy serves with it (CP-1.2.1-C1 … -C6)."""
from typing import Callable

import pytest

from harness import PKI, World, run_proxy
from sim.pki import Issued, self_signed

NAMES = ("matrix.alpha.test", "alpha.test")


def check(w: World, certificate: Issued) -> tuple[int, str]:
    certificate.write(w.folder / "service-alpha.test")
    w.daemon.write()
    done = run_proxy("--check-config", "-c", str(w.daemon.file))
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "make",
    [
        lambda: self_signed(*NAMES),
        lambda: PKI.web.server(*NAMES, digest="sha1"),
        lambda: PKI.web.server(*NAMES, kind="rsa1024"),
        lambda: PKI.web.server(*NAMES, starts=-100, days=50),
        lambda: PKI.web.server(*NAMES, starts=10),
    ],
    ids=["self-signed", "sha1", "rsa1024", "expired", "not-yet-valid"],
)
@pytest.mark.filterwarnings("ignore")
def test_refuses(make_world: Callable[..., World], make: Callable[[], Issued]) -> None:
    w = make_world()
    code, text = check(w, make())
    assert code == 1
    assert "proxy.yaml:" in text and "service-alpha.test.pem" in text


def test_self_signed_passes_in_test_mode(make_world: Callable[..., World]) -> None:
    w = make_world()
    w.config["test_mode"] = True
    assert check(w, self_signed(*NAMES))[0] == 0


def test_longer_than_12_months_only_warns(make_world: Callable[..., World]) -> None:
    code, text = check(make_world(), PKI.web.server(*NAMES, days=730))
    assert code == 0
    assert "month" in text or "days" in text


def test_key_of_another_certificate_is_refused(make_world: Callable[..., World]) -> None:
    w = make_world()
    w.main_service["key"] = str(PKI.web.server(*NAMES).write(w.folder / "other")[1])
    code, text = check(w, PKI.web.server(*NAMES))
    assert code == 1 and "other.key" in text


def test_an_expired_certificate_stops_the_start(make_world: Callable[..., World]) -> None:
    w = make_world()
    PKI.web.server(*NAMES, starts=-100, days=50).write(w.folder / "service-alpha.test")
    w.daemon.write()
    done = run_proxy("-c", str(w.daemon.file))
    assert done.returncode == 1 and "service-alpha.test.pem" in done.stderr
