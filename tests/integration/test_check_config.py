# SPDX-License-Identifier: Apache-2.0
"""The command line and configuration faults with their place."""
import re
from typing import Any, Callable

import pytest
import yaml

from harness import SOURCE, World, run_proxy


def check(w: World) -> tuple[int, str]:
    w.daemon.write()
    done = run_proxy("--check-config", "-c", str(w.daemon.file))
    return done.returncode, done.stdout + done.stderr


def test_version_and_help() -> None:
    assert re.search(r"\d+\.\d+\.\d+", run_proxy("--version").stdout)
    assert "--check-config" in run_proxy("--help").stdout


def test_bad_options_fail() -> None:
    for args in (["--nonsense"], ["-c"], ["-c", "/nonexistent/proxy.yaml"]):
        done = run_proxy(*args)
        assert done.returncode != 0 and done.stderr


def test_ok(make_world) -> None:
    w = make_world()
    code, text = check(w)
    assert code == 0 and "configuration ok" in text


def test_a_federation_without_revocation_check_is_warned_about(make_world) -> None:
    """A_25632, A_25635."""
    w = make_world()
    assert "list.trust.revocation is off" in check(w)[1]
    w.federation["list"]["trust"] = {"revocation": "required"}
    assert "trust.revocation" not in check(w)[1]


def service(**change: Any) -> Callable[[dict], None]:
    return lambda c: c["services"][0].update(change)


def drop(*path: Any) -> Callable[[dict], None]:
    def change(c: Any) -> None:
        for p in path[:-1]:
            c = c[p]
        del c[path[-1]]

    return change


def listener(**one: Any) -> Callable[[dict], None]:
    return lambda c: c["listeners"].append(one)


FAULTS: dict[str, tuple[Callable[[dict], None], str]] = {
    # FD-5.2.1.2-4, ML-123615
    "outbound beyond loopback": (
        listener(address="0.0.0.0:3128", serves=["outbound"]), "other machines"),
    "outbound with others": (
        listener(address="127.0.0.1:3128", serves=["outbound", "federation"]), "stands alone"),
    "outbound for nobody": (
        listener(address="unix:out.sock", serves=["outbound"]), "no service has outbound.secret_file"),
    "a secret that is not there": (
        service(outbound={"secret_file": "/nonexistent"}), "/nonexistent cannot be read"),
    "allowed without a secret": (
        service(outbound={"allow": [{"host": "push.test"}]}), "allow"),
    "half a CA": (lambda c: c.update(outbound={"ca_key": "x"}), "ca_certificate"),
    "unknown option": (lambda c: c.update(lisseners=[]), "lisseners"),
    "unknown option inside": (service(hoomserver="x"), "hoomserver"),
    "size": (lambda c: c.update(limits={"head_max": "many"}), "head_max"),
    "client id too short": (lambda c: c["lookups"].update(client_id="ab"), "client_id"),
    "client id too long": (lambda c: c["lookups"].update(client_id="a" * 21), "client_id"),
    "client id with _": (lambda c: c["lookups"].update(client_id="a_b"), "client_id"),
    "trust: base_url": (
        lambda c: c["federations"][0]["list"].update(trust={"base_url": "ftp://x"}),
        "base_url",
    ),
    "trust: ocsp_max_age above an hour": (
        lambda c: c["federations"][0]["list"].update(trust={"ocsp_max_age": "61m"}),
        "ocsp_max_age",
    ),
    "well-known server": (service(well_known={"server": "https://a"}), "server:"),
    "well-known client": (service(well_known={"client": "http://a"}), "client:"),
    "well-known file": (
        service(well_known={"client": "https://a", "client_file": "/etc/passwd"}),
        "client_file",
    ),
    "well-known support": (service(well_known={"support": "serve"}), "support"),
    "well-known contact": (
        service(well_known={"support": "serve", "contacts": [{"email": "nobody"}]}),
        "email",
    ),
    "negative": (lambda c: c.update(limits={"head_max": -1}), "head_max"),
    "size out of range": (lambda c: c.update(limits={"head_max": "900G"}), "head_max"),
    "time": (lambda c: c.update(timeouts={"idle": "soon"}), "idle"),
    "boolean": (lambda c: c["lookups"].update(ca_system="perhaps"), "ca_system"),
    "choice": (service(admin_paths="maybe"), "admin_paths"),
    "address": (lambda c: c["listeners"][0].update(address="nowhere"), "address"),
    "port": (lambda c: c["listeners"][0].update(address="127.0.0.1:70000"), "address"),
    "kind of listener": (lambda c: c["listeners"][0].update(serves=["cats"]), "serves"),
    "no listener": (lambda c: c.update(listeners=[]), "listeners"),
    "server name": (service(server_name="a b"), "server_name"),
    "no server name": (drop("services", 0, "server_name"), "server_name"),
    "no homeserver": (drop("services", 0, "homeserver"), "homeserver"),
    "homeserver elsewhere in clear text": (service(homeserver="192.0.2.1:8008"), "homeserver"),
    "unknown federation": (service(federation="other"), "federation"),
    "certificate not there": (service(certificate="/nonexistent.pem"), "/nonexistent.pem"),
    "same service twice": (lambda c: c["services"].append(dict(c["services"][0])), "server_name"),
    "org admin of another server": (
        service(display_names={"org_admins": ["@a:other.test"]}),
        "org_admins",
    ),
    "list without source": (drop("federations", 0, "list", "file"), "list"),
    "anchors not there": (
        lambda c: c["federations"][0]["list"].update(anchors=["/nonexistent.pem"]),
        "/nonexistent.pem",
    ),
    "list URL in clear text": (
        lambda c: c["federations"][0]["list"].update(file="", url="http://x.test/l.jws"),
        "url",
    ),
    "sequence for a mapping": (lambda c: c.update(limits=[1]), "limits"),
}


@pytest.mark.parametrize("what", list(FAULTS))
def test_faults_have_a_place(make_world, what: str) -> None:
    change, word = FAULTS[what]
    w = make_world()
    change(w.config)
    code, text = check(w)
    assert code == 1
    faults = re.findall(r"proxy\.yaml:(\d+):(\d+): .*", text)
    assert faults and word in text, text


def test_every_fault_is_named_at_once(make_world) -> None:
    w = make_world()
    w.config["limits"] = {"head_max": "many", "fields_max": "few"}
    w.config["timeouts"] = {"idle": "soon"}
    code, text = check(w)
    assert code == 1 and all(n in text for n in ("head_max", "fields_max", "idle"))


def test_broken_yaml_has_its_line(make_world) -> None:
    w = make_world()
    w.daemon.write()
    good = w.daemon.file.read_text()
    w.daemon.file.write_text(good + "tls: {tls13: [\n")
    done = run_proxy("--check-config", "-c", str(w.daemon.file))
    assert done.returncode == 1
    assert re.search(r"proxy\.yaml:\d+:\d+:", done.stdout + done.stderr)


def test_the_place_is_right(make_world) -> None:
    w = make_world()
    w.config["timeouts"] = {"idle": "soon"}
    _, text = check(w)
    line = 1 + w.daemon.file.read_text().splitlines().index("  idle: soon")
    assert f"proxy.yaml:{line}:9:" in text


def test_the_sample_knows_every_option(make_world) -> None:
    """The sample's option names are accepted (its files do not exist, which is all that may be wrong)."""
    sample = yaml.safe_load((SOURCE / "etc" / "proxy.yaml").read_text())
    w = make_world()
    for part in ("outbound", "tls", "limits", "timeouts", "lookups", "invites"):
        w.config[part] = {**sample[part], **w.config.get(part, {})}
    for option, value in sample["services"][0].items():
        if option not in ("ocsp_file", "display_names"):
            w.main_service.setdefault(option, value)
    secret = w.folder / "out.secret"
    secret.touch(0o600)
    secret.write_text("0123456789abcdef\n")
    w.main_service["outbound"]["secret_file"] = str(secret)
    code, text = check(w)
    assert code == 0, text
