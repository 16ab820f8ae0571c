# SPDX-License-Identifier: Apache-2.0
"""OCSP responses are fetched, judged, stapled, and never stapled when they do not hold."""
import os
import re
import subprocess
import time
from typing import Any, Callable, Iterator

import pytest

from harness import PKI, World, run_proxy, until
from sim.ocsp import Responder
from sim.pki import Issued, ocsp_good


@pytest.fixture
def responder() -> Iterator[Responder]:
    r = Responder()
    yield r
    r.close()


def staple(w: World, host: str = "matrix.alpha.test") -> str:
    """What a client that asks for a staple is told about it."""
    cmd = ["openssl", "s_client", "-connect", "%s:%d" % w.address, "-servername", host, "-status"]
    done = subprocess.run(cmd, input="", capture_output=True, text=True, timeout=20)
    assert "BEGIN CERTIFICATE" in done.stdout, done.stdout + done.stderr
    return done.stdout


def stapled(w: World) -> bool:
    text = staple(w)
    assert ("Cert Status: good" in text) != ("OCSP response: no response sent" in text)
    return "Cert Status: good" in text


def failures(w: World) -> float:
    return w.daemon.metric("schleuse_ocsp_failures_total")


def valid_until(w: World) -> float:
    return w.daemon.metric("schleuse_ocsp_valid_until_seconds")


def fetching(make_world: Callable[..., World], r: Responder, *, aia: bool = True) -> World:
    w = make_world()
    w.certificate = PKI.web.server(
        "matrix.alpha.test", "alpha.test", ocsp_url=r.url if aia else ""
    )
    w.config["services"] = [
        w.service(w.NAME, w.homeserver.where, w.certificate, default=True, ocsp="fetch")
    ]
    if not aia:
        w.main_service["ocsp_url"] = r.url
    w.config["lookups"] |= {"negative_ttl": "100ms", "negative_ttl_max": "200ms"}
    return w


@pytest.mark.parametrize("aia", [True, False], ids=["certificate", "ocsp_url"])
def test_fetches_and_staples(make_world, responder, aia: bool) -> None:
    w = fetching(make_world, responder, aia=aia)
    responder.answer = ocsp_good(w.certificate, PKI.web)
    w.start()
    until("it is stapled", lambda: stapled(w))
    assert responder.serials == [w.certificate.cert.serial_number]
    assert responder.types == ["application/ocsp-request"]
    assert valid_until(w) > time.time() and failures(w) == 0


@pytest.mark.parametrize("client_id", ["", "SIM-PROXY-1"])
def test_says_who_asks(make_world, responder, client_id: str) -> None:
    """A_27783-1, if there is a client id."""
    w = fetching(make_world, responder)
    w.config["lookups"]["client_id"] = client_id
    responder.answer = ocsp_good(w.certificate, PKI.web)
    w.start()
    until("it is stapled", lambda: stapled(w))
    if client_id:
        assert responder.agents[0] is not None
        assert re.fullmatch(client_id + r"/[0-9.-]{5,15}", responder.agents[0])
    else:
        assert responder.agents[0] is None


def test_a_delegated_responder_counts(make_world, responder) -> None:
    w = fetching(make_world, responder)
    signer = PKI.web.issue("Test OCSP responder", responder=True)
    responder.answer = ocsp_good(w.certificate, PKI.web, signer=signer)
    w.start()
    until("it is stapled", lambda: stapled(w))


def bad_answers(cert: Issued) -> dict[str, bytes]:
    other = PKI.web.server("matrix.alpha.test")
    usual = PKI.web.issue("Test without the usage")
    foreign = PKI.foreign.issue("Foreign responder", responder=True)
    sibling = PKI.web_root.issue("Responder of another authority", responder=True)
    return {
        "ocsp_syntax": b"\x30\x03\x0a\x01\x06",  # unauthorized
        "ocsp_signature usage": ocsp_good(cert, PKI.web, signer=usual),
        "ocsp_signature foreign": ocsp_good(cert, PKI.web, signer=foreign),
        "ocsp_signature root": ocsp_good(cert, PKI.web, signer=sibling),
        "ocsp_signature bytes": ocsp_good(cert, PKI.web)[:-1] + b"\0",
        "ocsp_subject": ocsp_good(other, PKI.web),
        "ocsp_dates old": ocsp_good(cert, PKI.web, starts=-7200, lasts=3600),
        "ocsp_dates future": ocsp_good(cert, PKI.web, starts=3600),
        "ocsp_dates none": ocsp_good(cert, PKI.web, lasts=None),
        "ocsp_unknown": ocsp_good(cert, PKI.web, status="unknown"),
    }


@pytest.mark.parametrize("fault", list(bad_answers(PKI.web.server("x.test"))))
def test_what_does_not_hold_is_not_stapled(make_world, responder, fault: str) -> None:
    w = fetching(make_world, responder)
    responder.answer = bad_answers(w.certificate)[fault]
    w.start()
    until("it is refused", lambda: f"reason={fault.split()[0]}" in w.daemon.log_text())
    assert not stapled(w) and failures(w) > 0 and valid_until(w) == 0
    responder.answer = ocsp_good(w.certificate, PKI.web)
    until("it asks again", lambda: stapled(w))


def test_http_errors_count_as_failures(make_world, responder) -> None:
    w = fetching(make_world, responder)
    responder.answer, responder.status = ocsp_good(w.certificate, PKI.web), 500
    w.start()
    until("it is refused", lambda: "reason=http_answer" in w.daemon.log_text())
    assert not stapled(w)


def test_a_revoked_certificate_is_said_aloud(make_world, responder) -> None:
    w = fetching(make_world, responder)
    responder.answer = ocsp_good(w.certificate, PKI.web, starts=-60, lasts=100)
    w.start()
    until("it is stapled", lambda: stapled(w))
    responder.answer = ocsp_good(w.certificate, PKI.web, status="revoked")
    until("it is noticed", lambda: w.daemon.metric("schleuse_ocsp_revoked") == 1)
    until("what was stapled is withdrawn", lambda: not stapled(w))
    assert re.search(r" error .*IS REVOKED", w.daemon.log_text())


def test_is_not_stapled_past_its_end(make_world, responder) -> None:
    w = fetching(make_world, responder)
    responder.status = 503
    w.start()
    until("it asks", lambda: responder.serials)
    responder.answer = ocsp_good(w.certificate, PKI.web, starts=-1, lasts=6)
    responder.status = 200
    until("it is stapled", lambda: stapled(w))
    responder.status = 503
    until("it is no longer stapled", lambda: not stapled(w))
    until("the metrics say so", lambda: valid_until(w) == 0)


def test_a_responder_with_old_answers_is_left_alone(make_world, responder) -> None:
    w = fetching(make_world, responder)
    w.config["lookups"] |= {"negative_ttl": "10m", "negative_ttl_max": "10m"}
    responder.answer = ocsp_good(w.certificate, PKI.web, starts=-80, lasts=100)
    w.start()
    until("it is stapled", lambda: stapled(w))
    for _ in range(20):
        assert stapled(w)
    assert len(responder.serials) == 1


def test_is_refreshed_at_half_its_time(make_world, responder) -> None:
    w = fetching(make_world, responder)
    responder.answer = ocsp_good(w.certificate, PKI.web, starts=-3598, lasts=7200)
    w.start()
    until("it is stapled", lambda: stapled(w))
    first = valid_until(w)
    responder.answer = ocsp_good(w.certificate, PKI.web)
    until("there is a newer one", lambda: valid_until(w) > first)


def test_outlives_a_restart_without_the_responder(make_world, responder) -> None:
    w = fetching(make_world, responder)
    responder.answer = ocsp_good(w.certificate, PKI.web)
    w.start()
    until("it is stapled", lambda: stapled(w))
    w.daemon.stop()
    responder.status = 500
    w.start()
    assert stapled(w), "from the first connection on"


def test_a_kept_response_of_another_certificate_is_not_used(make_world, responder) -> None:
    w = fetching(make_world, responder)
    responder.answer = ocsp_good(w.certificate, PKI.web)
    w.start()
    until("it is stapled", lambda: stapled(w))
    w.daemon.stop()
    PKI.web.server("matrix.alpha.test", "alpha.test", ocsp_url=responder.url).write(
        w.folder / "service-alpha.test"
    )
    w.start()
    until("the answer does not fit any more", lambda: failures(w) > 0)
    assert not stapled(w)


def test_private_addresses_are_off_limits(make_world, responder) -> None:
    w = fetching(make_world, responder)
    w.config["lookups"]["private_addresses"] = False
    w.start()
    until("it is refused", lambda: "reason=address" in w.daemon.log_text())
    assert responder.serials == []


def test_a_reload_keeps_the_staple(make_world, responder) -> None:
    w = fetching(make_world, responder)
    responder.answer = ocsp_good(w.certificate, PKI.web)
    w.start()
    until("it is stapled", lambda: stapled(w))
    responder.status = 500
    w.daemon.reload()
    until("the reload", lambda: w.daemon.metric("schleuse_reloads_total", outcome="adopted") == 1)
    assert stapled(w)
    w.main_service["ocsp"] = "off"
    w.daemon.reload()
    until("it is switched off", lambda: not stapled(w))


# ocsp_file


def test_a_file_is_read_again_when_it_changes(make_world) -> None:
    w = make_world()
    file = w.folder / "ocsp.der"
    file.write_bytes(ocsp_good(w.certificate, PKI.web, starts=-7200, lasts=3600))
    w.main_service["ocsp_file"] = str(file)
    w.start()
    assert not stapled(w) and "reason=ocsp_dates" in w.daemon.log_text()
    new = w.folder / "ocsp.new"
    new.write_bytes(ocsp_good(w.certificate, PKI.web))
    os.replace(new, file)
    until("the new one is stapled", lambda: stapled(w))


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no responder": (lambda s: s.update(ocsp="fetch"), "names no OCSP responder"),
    "url without fetch": (lambda s: s.update(ocsp_url="http://a/"), "needs ocsp: fetch"),
    "url": (lambda s: s.update(ocsp="fetch", ocsp_url="ftp://a/"), "ocsp_url: must be"),
    "url with user": (lambda s: s.update(ocsp="fetch", ocsp_url="http://u@a/"), "ocsp_url: must"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_faults_of_the_configuration(make_world, what: str) -> None:
    w = make_world()
    change, text = FAULTS[what]
    change(w.main_service)
    w.daemon.write()
    done = run_proxy("--check-config", "-c", str(w.daemon.file))
    assert done.returncode == 1 and text in done.stderr + done.stdout


@pytest.mark.parametrize("fault", ["ocsp_syntax", "ocsp_signature foreign", "ocsp_subject"])
def test_a_file_that_can_never_do_is_a_fault(make_world, fault: str) -> None:
    w = make_world()
    (w.folder / "ocsp.der").write_bytes(bad_answers(w.certificate)[fault])
    w.main_service["ocsp_file"] = str(w.folder / "ocsp.der")
    w.daemon.write()
    done = run_proxy("--check-config", "-c", str(w.daemon.file))
    assert done.returncode == 1 and "ocsp_file" in done.stderr + done.stdout
