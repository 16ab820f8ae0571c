# SPDX-License-Identifier: Apache-2.0
"""What operators copy works: the first daemons of the README, the samples; and the archive has it all."""
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from harness import BUILD, DEADLINE, PKI, Daemon, environment, until
from pushworld import NOTIFY
from regsvcworld import RegsvcWorld
from sim.redisd import Redis
from test_docs import metrics_of_the_source

SOURCE = Path(__file__).resolve().parents[2]
README = (SOURCE / "README.md").read_text()


def block(word):
    """The YAML in the README that has this word, as it is written."""
    return yaml.safe_load(next(t for t in re.findall(r"```yaml\n(.*?)```", README, re.S) if word in t))


def test_every_file_is_in_the_release_archive():
    if not (SOURCE / ".git").exists():
        pytest.skip("this is an unpacked archive")
    listed = subprocess.run(["git", "ls-files"], cwd=SOURCE, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("git does not work here")
    makes = [SOURCE / "Makefile.am", *SOURCE.glob("**/local.mk")]
    words = {w for m in makes for w in m.read_text().replace("\\\n", " ").split()}
    words |= {".gitignore", ".gitattributes"}  # not for an archive
    words |= {"Makefile.am", "configure.ac", "check"}  # by automake itself, by dist-hook
    folders = words & {"tests/conformance/cases", "tests/fuzz/corpus", "tests/unit/cases"}
    missing = [n for n in listed.stdout.split()
               if n not in words and not folders & set(map(str, Path(n).parents))]
    assert missing == []


def packages(name):
    steps = (SOURCE / "contrib/steps.sh").read_text()
    return set(re.search(rf'\b{name}="([^"]*)"', steps).group(1).split()) - {"$packages_synapse"}


def test_packages_are_named_everywhere_alike():
    build = packages("packages_build") | {"libcriterion-dev"}
    readme = re.search(r"^apt-get install ((?:.*\\\n)*.*)$", README, re.M).group(1)
    assert set(readme.replace("\\", " ").split()) == build
    reasons = (SOURCE / "doc/dependencies.md").read_text()
    tests = packages("packages_check") | packages("packages_demo") | packages("packages_interop")
    plain = {"python3", "openssl", "ca-certificates", "libcriterion-dev", "debian-archive-keyring"}
    assert sorted(n for n in tests - plain if not re.search(rf"(?<![\w-]){n}(?![\w-])", reasons)) == []
    configure = (SOURCE / "configure.ac").read_text()
    libraries = re.findall(r"^\| [^|]+ \| ([\d.]+) \|", reasons, re.M)
    demanded = re.findall(r">= ([\d.]+)", configure.partition("PKG_CHECK_MODULES([DEPS]")[2])
    assert sorted(demanded) == sorted(libraries)


def test_alerts_name_metrics_that_exist():
    rules = yaml.safe_load((SOURCE / "contrib/prometheus/schleuse.rules.yaml").read_text())
    alerts = [r for g in rules["groups"] for r in g["rules"]]
    assert len({r["alert"] for r in alerts}) == len(alerts) > 20
    known = metrics_of_the_source()
    for rule in alerts:
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"]
        named = metrics_of(rule["expr"])
        assert named or rule["expr"].startswith("up{"), rule["alert"]
        assert named <= known, rule["alert"]


def metrics_of(expression):
    """Without what a histogram adds to its name."""
    return {re.sub(r"_(bucket|sum|count)$", "", n) for n in re.findall(r"\bschleuse_\w+", expression)}


def test_dashboard_shows_metrics_that_exist():
    board = json.loads((SOURCE / "contrib/grafana/schleuse-pushgw.json").read_text())
    known, places = metrics_of_the_source(), set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        places.add((place["x"], place["y"]))
        for target in panel["targets"]:
            named = metrics_of(target["expr"])
            assert named and named <= known, panel["title"]
    assert len(places) == len(board["panels"]) == len({p["id"] for p in board["panels"]}) >= 10
    assert all(metrics_of(v["query"]) <= known for v in board["templating"]["list"])


@pytest.mark.parametrize("name", ["proxy", "regsvc", "pushgw"])
def test_units_fit_the_samples(name):
    """CP-3-1: each daemon has a user and a state directory of its own, the same in unit and sample."""
    unit = (SOURCE / f"contrib/systemd/schleuse-{name}.service.in").read_text()
    said = dict(re.findall(r"^(\w+)=(.*)$", unit, re.M))
    assert said["User"] == said["Group"] == f"schleuse-{name}"
    for sample in (f"{name}.yaml", f"{name}-minimal.yaml"):
        conf = yaml.safe_load((SOURCE / "etc" / sample).read_text())
        assert conf["state_dir"] == "/var/lib/" + said["StateDirectory"]
    assert f"{name}.yaml --check-config" in said["ExecStartPre"]
    if name == "regsvc":
        usage = subprocess.run([BUILD / "schleusectl", "--help"], capture_output=True, text=True).stdout
        assert f"/lib/{said['StateDirectory']}/control.sock)" in usage


def test_redis_takes_the_sample(tmp_path):
    (tmp_path / "redis-acl.conf").write_text((SOURCE / "etc/redis-acl.conf").read_text())
    sample = (SOURCE / "contrib/redis/redis.conf").read_text()
    sample = re.sub(r"^(supervised|dir) .*\n", "", sample, flags=re.M)
    for place in ("/etc/schleuse", "/run/redis"):
        sample = sample.replace(place, str(tmp_path))
    redis = Redis(tmp_path, settings=sample).start()
    try:
        until("Redis", (tmp_path / "redis-server.sock").exists)
        assert b"NOAUTH" in redis.ask("PING") or b"NOPERM" in redis.ask("PING")
    finally:
        redis.stop()


# The README's first registration service (CP-1.2.4-1, FD-5.2.1.2-13, -16).


def of_this_machine(world):
    """The README's configuration, with files of ours and the addresses of a simulated VZD."""
    conf, ours = block("services_url"), world.config
    for section in ("listeners", "admin", "state_dir", "addresses_file"):
        conf[section] = ours[section]
    certificate, key = PKI.web.server(*conf["tls"]["hosts"]).write(world.folder / "readme")
    conf["tls"].update(certificate=str(certificate), key=str(key))
    assert set(conf["vzd"]) < set(ours["vzd"]) | {"client_id"}
    conf["vzd"] = ours["vzd"]
    conf["lookups"].update(ours["lookups"])
    for section in ("list", "passport"):
        conf[section].update(anchors=ours[section]["anchors"], trust=ours[section]["trust"])
    return conf


def of_a_proxy(world, added):
    """The README's section for proxies in its proxy's configuration, with the client just made."""
    conf, federation = block("services:"), block("source: regsvc")["federations"][0]
    regsvc, secret = federation["regsvc"], world.folder / "regsvc.secret"
    assert regsvc["client_id"] == added["client"]["id"] and regsvc["auth"] == added["client"]["method"]
    secret.touch(0o600)
    secret.write_text(added["secret"] + "\n")
    (world.folder / "regsvc-ca.pem").write_bytes(PKI.web_root.pem)
    host = regsvc["url"].removeprefix("https://").partition(":")[0]
    regsvc.update(
        url=f"https://{host}:{world.daemon.address()[1]}", password_file=str(secret),
        subscription=added["client"]["subscription_id"], ca_file=str(world.folder / "regsvc-ca.pem"))
    for section in ("list", "passport"):
        federation[section].update(anchors=world.config[section]["anchors"], trust=world.config[section]["trust"])
    service = conf["services"][0]
    certificate, key = PKI.web.server(service["server_name"], *service["hosts"]).write(world.folder / "praxis")
    service.update(certificate=str(certificate), key=str(key))
    (world.folder / "state-proxy").mkdir()
    return {
        "listeners": [{"address": "127.0.0.1:0"}], "admin": "127.0.0.1:0", "services": [service],
        "state_dir": str(world.folder / "state-proxy"),
        "addresses_file": str(world.folder / "proxy-addresses.json"), "federations": [federation],
        "lookups": {**world.config["lookups"], "hosts": {host: "127.0.0.1", "localhost": "127.0.0.1"}},
    }


def command(world, start):
    """Runs the README's command that starts so, at this service; JSON."""
    words = shlex.split(re.search(rf"^(?:sudo )?({start}.*)$", README, re.M).group(1))
    socket = str(world.folder / "state" / "control.sock")
    done = subprocess.run([BUILD / words[0], "-j", "-s", socket, *words[1:]], capture_output=True,
                          text=True, env=environment(), timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_first_registration_service_of_the_readme(tmp_path):
    world = RegsvcWorld(tmp_path, ["praxis.example.org"])
    proxy = None
    try:
        conf = of_this_machine(world)
        world.config.clear()
        world.config.update(conf)
        world.start()
        until("certificates", lambda: world.daemon.metric("schleuse_passport_certificates") == 1)
        proxy = Daemon(tmp_path, of_a_proxy(world, command(world, "schleusectl client add")))
        proxy.start()
        until("certificates", lambda: proxy.metric("schleuse_regsvc_certificates") == 1)
        assert proxy.metric("schleuse_federation_list_entries") == 1
        told = command(world, "schleusectl status")
        assert told["list"]["status"] == "aktuell" and told["clients"] == 1 and told["missing"] == ""
    finally:
        if proxy is not None:
            proxy.stop()
        world.stop()


# The README's first push gateway (FD-5.2.3-1).


def test_the_first_push_gateway_of_the_readme(make_push):
    """Its apps with simulated providers; what it leaves out has its default, the delay excepted."""
    w = make_push(which=["apns", "fcm"])
    conf, ours, apns = block("service_account_file"), w.variant(), w.providers.apns
    assert set(conf) == {"listeners", "admin", "state_dir", "tls", "apps"}
    for section in set(ours) - {"tls", "apps", "limits", "timeouts", "delivery"}:
        conf[section] = ours[section]
    certificate, key = PKI.web.server(*conf["tls"]["hosts"]).write(w.folder / "readme")
    conf["tls"].update(certificate=str(certificate), key=str(key))
    ios, android = conf["apps"]
    apns.topics.add(ios["apns"]["topic"])
    ios["apns"].update(w.app("apns")["apns"] | {"topic": ios["apns"]["topic"]})
    android["fcm"].update(w.app("fcm")["fcm"])
    w.config.clear()
    w.config.update(conf)
    w.name = conf["tls"]["hosts"][0]
    w.start()
    for phone, app in ((w.phone("apns"), ios), (w.phone("fcm"), android)):
        phone.app_id = app["id"]
        phone.wait(w.tell(phone))
    assert apns.requests[-1].get("apns-topic") == "org.example.messenger"
    path = re.search(r"`https://push\.example\.org:8443(/\S+)`", README).group(1)
    assert path == NOTIFY
