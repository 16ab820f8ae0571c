# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says: requests are sound, generators count rightly, the arithmetic is right.

Nothing here judges a speed.
"""
import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest
from harness import BUILD, PROXY, run_proxy
from sim import xmatrix

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import loads  # noqa: E402
import machine  # noqa: E402
import outbound  # noqa: E402
import plot  # noqa: E402
import proxies  # noqa: E402
import report  # noqa: E402
import rounds  # noqa: E402
import signed  # noqa: E402
import works  # noqa: E402
from daemons import Daemons, Failed  # noqa: E402
from listing import NAME, Listing  # noqa: E402
from stage import Stage  # noqa: E402
from works import federation, idle, policy, put, scale, tunnels  # noqa: E402
from works import outbound as way_out  # noqa: E402

H2LOAD = """
finished in 2.00s, 40386.50 req/s, 15.12MB/s
requests: 80773 total, 80837 started, 80773 done, 80770 succeeded, 3 failed, 2 errored, 1 timeout
status codes: 80769 2xx, 0 3xx, 1 4xx, 1 5xx
traffic: 30.24MB (31709061) total, 1.62MB (1696233) headers (space savings 72.73%), 22.57MB data
"""


def samples(*values, **more):
    return [{"value": v, "p99_ms": 1.0, "errors": 0, **more} for v in values]


# What is sent


def test_prepared_requests_are_properly_signed_and_all_different(tmp_path, monkeypatch):
    monkeypatch.setattr(signed, "COUNT", 5)
    key = xmatrix.SigningKey()
    made = signed.prepare(tmp_path, signed.ORIGIN, key)
    lines = made.signed.read_text().splitlines()
    blocks = [lines[i:i + 4] for i in range(0, len(lines), 4)]
    for method, target, authorization, body in blocks:
        assert len(body) == signed.BODY_BYTES
        assert xmatrix.verified_origin([authorization], method, target, body.encode(), signed.DESTINATION,
                                       {signed.ORIGIN: [key.public]}) == signed.ORIGIN
    assert len({block[2] for block in blocks}) == 5
    plain = made.unsigned.read_text().splitlines()
    assert plain[3::4] == lines[3::4] and all(t.startswith("/_matrix/client/") for t in plain[1::4])


@pytest.mark.parametrize("right", [True, False])
def test_verify_counts_good_and_bad_signatures(tmp_path, monkeypatch, right):
    monkeypatch.setattr(signed, "COUNT", 5)
    made = signed.prepare(tmp_path, signed.ORIGIN, xmatrix.SigningKey())
    public = made.public_hex if right else xmatrix.SigningKey().public.encode().hex()
    command = [BUILD / "bench" / "clients" / "verify", public, made.objects, "1"]
    result = loads.result_line(subprocess.check_output(command, text=True))
    assert result["requests"] > 0 and result["bad_status"] == (0 if right else result["requests"])


def test_the_mixed_stream_of_clients_has_the_shares_it_names(tmp_path):
    lines = policy.write_requests(tmp_path / "mixed").read_text().splitlines()
    assert sum(row[0] for row in policy.MIX) == 100 and len(lines) == 4 * 100 * policy.CYCLES
    assert lines[0::4].count("GET") == (35 + 5 + 2) * policy.CYCLES
    assert "" in lines[3::4]


def test_nginx_is_told_about_http2_in_the_words_of_its_version():
    assert proxies.nginx_listen(1, "nginx version: nginx/1.22.1").endswith("ssl http2 reuseport;")
    assert proxies.nginx_listen(1, "nginx version: nginx/1.26.3").endswith("ssl reuseport; http2 on;")


@pytest.mark.parametrize("variant", [proxies.Variant(), proxies.Variant(workers=2, rules="off", max_entries=9)])
def test_our_configuration_in_the_benchmark_is_sound(tmp_path, variant):
    setting = proxies.make_setting(tmp_path, 1, PROXY)
    launch = proxies.schleuse(setting, 8443, signed.ORIGIN, variant)
    done = run_proxy("--config", str(launch.folder / "proxy.yaml"), "--check-config")
    assert done.returncode == 0, done.stderr


# What is read


def test_h2load_is_understood_and_its_errors_count():
    sample = loads.sample_of(loads.parse_h2load(H2LOAD))
    assert sample["value"] == 80770 / 2.0
    assert sample["errors"] == 2 + 3
    with pytest.raises(Failed):
        loads.parse_h2load("connect: Connection refused")


def test_a_result_line_becomes_a_sample():
    text = 'x\nRESULT {"requests": 30, "seconds": 2.0, "bytes": 50, "p99_us": 1500, "bad_status": 1, "broken": 2}\n'
    result = loads.result_line(text)
    sample = loads.sample_of(result)
    assert (sample["value"], sample["errors"], sample["p99_ms"]) == (15.0, 3, 1.5)
    assert loads.sample_of(result, per="bytes")["value"] == 25.0
    with pytest.raises(Failed):
        loads.result_line("nothing")


def test_a_load_generator_that_fails_or_is_missing_is_a_failure_of_the_measurement():
    with pytest.raises(Failed):
        loads.run((0,), ["false"], 1)
    with pytest.raises(Failed):
        loads.run((0,), ["no-such-program"], 1)


# Cores, time, memory


def test_cores_are_as_far_apart_as_there_are_any():
    assert machine.one_core((0, 1, 2, 3)) == machine.Layout((1,), (2,), (0, 3))
    assert machine.one_core((0, 1)) == machine.Layout((1,), (0,), (0,))
    assert machine.one_core((5,)) == machine.Layout((5,), (5,), (5,))
    one, two = (machine.several_cores(n, (0, 1, 2, 3)) for n in (1, 2))
    assert (one.proxy, two.proxy) == ((1,), (1, 2))
    assert one.load == two.load == one.backend == two.backend == (0, 3)
    assert machine.several_cores(2, (0, 1)).proxy == (0, 1)


def test_processes_are_found_with_their_children_and_their_memory():
    with subprocess.Popen(["sleep", "60"]) as child:
        assert set(machine.with_children({os.getpid()})) >= {os.getpid(), child.pid}
        child.terminate()
    assert machine.pss_bytes([os.getpid()]) > 1 << 20
    assert machine.ticks_of(child.pid) == 0  # it has ended


# Rounds


def test_rounds_turn_the_order_round_and_drop_who_fails():
    calls, failures = [], {}

    def contestant(name, fails=False):
        def measure():
            calls.append(name)
            if fails and calls.count(name) == 2:
                raise Failed("gone")
            return {"value": 1}
        return measure

    got = rounds.interleave("t", {"a": contestant("a"), "b": contestant("b", True), "c": contestant("c")}, 3, failures)
    assert calls == ["a", "b", "c", "c", "b", "a", "a", "c"]
    assert failures == {"b": "gone"} and {k: len(v) for k, v in got.items()} == {"a": 3, "c": 3}


def test_who_answers_wrongly_does_not_take_part():
    failures = {}
    good = rounds.warmed({
        "a": (lambda: {"value": 1, "errors": 0}, "measure a"),
        "b": (lambda: {"value": 1, "errors": 7}, "measure b"),
    }, failures)
    assert good == {"a": "measure a"} and list(failures) == ["b"]


def test_the_ratio_is_the_median_of_the_rounds_to_the_better_peer():
    results = {"nginx": samples(100, 50, 100), "haproxy": samples(80, 100, 80), "schleuse": samples(150, 110, 130)}
    rows = rounds.summary(results)
    assert rows["schleuse"]["ratio"] == 1.3 and rows["schleuse"]["value"] == 130
    assert rows["nginx"]["ratio"] == 1.0
    assert rounds.summary(results, smaller=True)["schleuse"]["ratio"] == 150 / 80
    assert rounds.summary({"schleuse": samples(1)})["schleuse"]["ratio"] is None


def test_the_proxys_cpu_time_is_told_per_unit():
    row = rounds.summary({"a": samples(1000, 3000, seconds=2.0, proxy_cpu_s=1.0)})["a"]
    assert row["cpu_us"] == pytest.approx((500 + 1e6 / 6000) / 2)
    assert rounds.summary({"a": samples(1)})["a"]["cpu_us"] is None


def test_latency_is_compared_with_the_peer_that_is_faster():
    results = {"nginx": samples(100, p99_ms=4.0), "haproxy": samples(90, p99_ms=1.0),
               "schleuse": samples(150, p99_ms=2.0)}
    assert rounds.p99_ratio(results) == 0.5
    assert rounds.p99_ratio({"schleuse": samples(1)}) is None


def test_verdicts():
    at_least, at_most = rounds.Check("x", 1.2, 1.0), rounds.Check("x", 1.2, 1.0, at_least=False)
    assert (at_least.verdict, at_least.score) == ("met", 1.2)
    assert (at_most.verdict, at_most.score) == ("missed", 1.0 / 1.2)
    assert rounds.Check("x", 1.0, 1.0, at_least=False).verdict == "met"
    assert rounds.Check("x", 0.5, 1.0, limited=True).verdict == "not judged"
    assert rounds.Check("x", None, 1.0).verdict == "no figure"


# Works


def test_the_share_of_what_verification_allows():
    results = {put.OURS: samples(60), put.UNSIGNED: samples(200), put.BARE: samples(100)}
    assert put.shares(results) == [pytest.approx(0.9)]
    assert put.shares({put.OURS: samples(60)}) == []


def test_the_cost_of_rules_in_percent():
    assert policy.costs({"rules on": samples(98, 90), "rules off": samples(100, 100)}) == pytest.approx([2, 10])
    assert policy.costs({"rules on": samples(98)}) == []


def test_growth_is_judged_only_where_the_proxy_was_the_limit():
    outcome = rounds.Outcome("requests/s")
    for busy, verdict in ((99, "missed"), (60, "not judged")):
        outcome.rounds = {"s, 1 core": samples(10, 10), "s, 2 cores": samples(16, 17, busy_percent=busy)}
        outcome.rows = rounds.summary(outcome.rounds)
        check = scale.check(outcome, "t", "s")
        assert (check.value, check.verdict) == (1.65, verdict)
    assert scale.check(outcome, "t", "other").value is None


def test_a_swap_is_compared_with_the_run_without_in_the_same_round():
    results = {"no swap": samples(1, max_us=2000, over_10ms=0), "swap": samples(1, max_us=9000, over_10ms=3, swap_s=2.0)}
    assert federation.slower_ms(results) == 7.0
    assert "3 over 10 ms, in force after 2.0 s" in federation.swap_notes(results)[1]


def test_every_work_has_a_title_and_a_name_of_its_own():
    table = works.table()
    assert list(table) == [
        "get", "h2", "full", "resumed", "down", "up", "idle", "scale", "put", "policy", "list",
        "out", "outways", "minted", "far"]
    assert len({work.title for work in table.values()}) == len(table)


def test_the_share_of_what_the_better_peer_could_do_if_it_verified_too():
    results = {"nginx": samples(100, 50), "haproxy": samples(50, 100), "schleuse": samples(40, 60),
               way_out.BARE: samples(100, 100)}
    assert way_out.bounds(results, ["nginx", "haproxy"], way_out.BARE) == [50, 50]
    check = way_out.share_check(results, 0.75)
    assert check.value == pytest.approx(1.0) and "50/s" in check.note
    del results["nginx"], results["haproxy"]
    assert way_out.share_check(results, 0.75).verdict == "no figure"


# The report


def outcome_of_get():
    outcome = rounds.Outcome("requests/s", failures={"haproxy": "does not start"}, notes=["64 connections"])
    outcome.rounds = {"nginx": samples(100, 100), "schleuse": samples(130, 110, errors=1)}
    outcome.rows = rounds.summary(outcome.rounds)
    outcome.checks = [rounds.against_peers(outcome, "requests/s", 1.1), rounds.against_peers(outcome, "other", 1.3),
                      rounds.Check("p99", None, 1.0, note="none")]
    return outcome


def test_the_table_names_figures_targets_and_failures():
    text = report.table(works.table()["get"], outcome_of_get())
    assert "haproxy: no figures: does not start" in text
    assert "target: requests/s: 1.200, >= 1.1: met" in text and "1.200, >= 1.3: missed (rounds 1.10 to 1.30)" in text
    line = next(x for x in text.splitlines() if x.startswith("  schleuse"))
    assert line.split()[1:4] == ["120", "1.20", "1.00"] and line.split()[-1] == "2"
    assert report.tally({"get": outcome_of_get()}).startswith("1 of 3 targets met, the others:\n  get: other: 1.200")


def test_a_run_on_a_busy_machine_says_so():
    outcome = outcome_of_get()
    assert report.disturbances({"get": outcome}) == []
    outcome.rounds["nginx"][0]["foreign_percent"] = 30
    outcome.rows = rounds.summary(outcome.rounds)
    assert "up to 30 % of it (get)" in report.disturbances({"get": outcome})[0]


def test_the_plot_shows_every_figure(tmp_path):
    data = report.record(["head"], works.table(), {"get": outcome_of_get()})
    assert plot.ratio_lines(data) == ['"get" 1.0000 ? 1.2000']
    assert [line.split('"')[1] for line in plot.target_lines(data)] == ["get: other", "get: requests/s"]
    text = plot.script(plot.ratio_lines(data), plot.target_lines(data), "plot.svg")
    assert 'set output "plot.svg"' in text and text.count('\nplot "') == 2
    report.write(tmp_path, "text", data)
    assert (tmp_path / "results.json").exists()


# The back end


@pytest.fixture
def backend(tmp_path):
    port = machine.free_port()
    with Daemons() as daemons:
        daemons.start(tmp_path / "log", machine.available(), [BUILD / "bench" / "backend", port], port)
        yield "127.0.0.1", port


def ask(where, method, target, body=b""):
    """The body of the back end's answer."""
    connection = http.client.HTTPConnection(*where, timeout=20)
    connection.request(method, target, body)
    answer = connection.getresponse()
    assert answer.status == 200
    return answer.read()


def test_the_back_end_survives_who_leaves_in_the_middle_of_a_download(backend):
    with socket.create_connection(backend) as s:
        s.sendall(b"GET /_matrix/media/v3/download/x/100000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(1000).startswith(b"HTTP/1.1 200 OK")
        s.shutdown(socket.SHUT_WR)  # a FIN before the reset: then writing raises SIGPIPE
    assert ask(backend, "GET", "/_matrix/client/versions").startswith(b'{"versions":')


def test_the_back_end_answers_by_path_and_swallows_bodies(backend):
    assert len(ask(backend, "GET", "/_matrix/media/v3/download/x/3000000")) == 3000000
    assert json.loads(ask(backend, "POST", "/_matrix/client/v3/join/x", b"x" * 3000000))["versions"]
    assert json.loads(ask(backend, "GET", "/_matrix/client/v3/account/whoami"))["user_id"] == policy.USER
    chunks = (b"x" * n for n in (1, 200, 30000))
    assert ask(backend, "PUT", "/_matrix/client/v3/profile/x/displayname", chunks) == b'{"displayname":"Bench"}'


def test_a_figure_with_many_errors_is_none():
    class Proxy:
        ours, pids, layout, folder = [], [], machine.one_core((0,)), "folder"

    assert loads.measured(Proxy, lambda: {"errors": 1, "requests": 100})["errors"] == 1
    with pytest.raises(Failed):
        loads.measured(Proxy, lambda: {"errors": 2, "requests": 100})


# The programs of clients/, with the benchmark's back end and our proxy


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    made = Stage(Namespace(folder=folder, build=BUILD, proxy=PROXY, proxies=["schleuse"], idle=3))
    yield made
    made.close()


@pytest.fixture(scope="module")
def proxy(stage):
    failures = {}
    with stage.serving(failures) as running:
        assert not failures
        yield running["schleuse"]


@pytest.mark.parametrize("kind", ["full", "resumed"])
def test_handshakes_are_full_or_resumed_as_asked(stage, proxy, kind):
    sample = loads.client(proxy, stage.program("clients/handshakes"), 1, 2, kind, "X25519:P-256")
    assert sample["errors"] == 0 and sample["requests"] > 0
    assert sample["resumed"] == (sample["requests"] if kind == "resumed" else 0)


@pytest.mark.parametrize("direction", ["down", "up"])
def test_transfers_carry_whole_bodies(stage, proxy, direction):
    size = 300000
    sample = loads.client(proxy, stage.program("clients/transfers"), 1, 2, direction, size, per="bytes")
    assert sample["errors"] == 0 and sample["requests"] > 0
    assert sample["requests"] * size <= sample["bytes"] <= (sample["requests"] + 2) * size


def test_idle_connections_have_each_made_a_request(stage, proxy):
    result, memory = idle.hold(stage, proxy)
    assert (result["requests"], result["broken"]) == (3, 0) and memory > 0


def test_a_proxy_that_does_not_start_is_a_failure_not_an_end(stage):
    failures = {}
    with stage.serving(failures, variant=proxies.Variant(rules="nonsense")) as running:
        assert running == {}
    assert "does not start" in failures["schleuse"]


# The way out


def where(*programs):
    """Benchmarks stand beside other proxies; where those are not installed there is no such test."""
    have = all(shutil.which(p, path=proxies.PATH) for p in programs)
    return lambda test: test if have else None


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A stage for the works of the way out; ours alone, but the target is an nginx."""
    options = Namespace(folder=tmp_path_factory.mktemp("out"), build=BUILD, proxy=PROXY, proxies=["schleuse"],
                        connections=4, rounds=1, seconds=1, work="out")
    made = Stage(options)
    yield made
    made.close()


def test_what_goes_out_is_properly_signed_for_its_destination(tmp_path):
    home = outbound.Homeserver(outbound.HOME)
    asked = [("PUT", "/_matrix/federation/v1/send/1", "far.bench.test:8448", {"a": 1}),
             *outbound.profiles(["far.bench.test:8448"])]
    made = home.prepare(tmp_path / "stem", asked)
    lines = made.requests.read_text().splitlines()
    for method, target, authorization, body in (lines[:4], lines[4:]):
        prefix = "matrix-federation://far.bench.test:8448"
        assert target.startswith(prefix + "/")
        assert xmatrix.verified_origin([authorization], method, target.removeprefix(prefix), body.encode(),
                                       "far.bench.test:8448", {home.origin: [home.key.public]}) == home.origin
    command = [BUILD / "bench" / "clients" / "verify", made.public_hex, made.objects, "1"]
    assert loads.result_line(subprocess.check_output(command, text=True))["bad_status"] == 0


@where("nginx")
@pytest.mark.parametrize("how", ["close", "keep"])
@pytest.mark.parametrize("tcp", [True, False])
def test_requests_go_out_by_either_socket_and_refusals_count(outside, how, tcp):
    load = way_out.loads_of(outside)
    good, bad = load.gets(load.around.names * 20), outbound.Homeserver(outbound.HOME)
    unsigned = bad.prepare(outside.folder / f"bad-{how}-{tcp}", outbound.profiles(load.around.names))
    with load.leaving({}) as running:
        proxy = running["schleuse"]
        sample = load.send(proxy, 1, good, how, tcp)
        once = load.send(proxy, 0, good, how, tcp)
        with pytest.raises(Failed):  # signed with another key
            load.send(proxy, 0, unsigned, how, tcp)
        with pytest.raises(Failed):  # another service's secret
            load.send(proxy, 0, good, how, tcp, secret=outbound.EASY_SECRET)
    assert sample["errors"] == 0 and sample["requests"] > 0
    assert (once["requests"], once["errors"]) == (20, 0)


@where("nginx")
@pytest.mark.parametrize("how", ["same", "new"])
def test_tunnels_shake_hands_and_are_refused_inside(outside, how):
    load = way_out.loads_of(outside)
    with load.leaving({}) as running:
        sample = tunnels.shake(outside, running["schleuse"], 1, how)
        minted = metric(running["schleuse"].folder / "admin", "schleuse_tunnel_certificates_total")
    assert sample["errors"] == 0 and sample["requests"] > 0
    assert minted == 1 if how == "same" else minted >= sample["requests"]


def metric(admin, name):
    """One number of the proxy's metrics."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(admin))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    return next(float(x.split()[1]) for x in text.splitlines() if x.startswith(name + " "))


@where("nginx", "haproxy")
def test_peers_do_the_same_on_the_way_out(outside, monkeypatch):
    monkeypatch.setattr(outside.options, "proxies", ["nginx", "haproxy"])
    load, failures = way_out.loads_of(outside), {}
    made = load.gets(load.around.names * 20)
    with load.leaving(failures) as running:
        for proxy in running.values():
            assert load.send(proxy, 0, made)["errors"] == 0
            assert load.send(proxy, 0, made, "keep", True)["requests"] == 20
            assert tunnels.shake(outside, proxy, 1, "direct")["errors"] == 0
    assert failures == {}


@where("nginx")
def test_every_destination_has_a_connection_of_its_own(outside, monkeypatch):
    monkeypatch.setattr(way_out, "DESTINATIONS", 8)
    outcome = way_out.far(outside)
    assert outcome.failures == {} and outcome.rows["schleuse"]["value"] > 0
    assert "8 destinations" in outcome.notes[0]


def test_a_list_is_loaded_and_asked(stage):
    listing = Listing(500, stage.setting.pki.list_signer)
    path = stage.folder / "list.jws"
    assert listing.write(path, 1) == len(listing.payload(1))
    assert base64.urlsafe_b64decode(path.read_bytes().split(b".")[1] + b"==").count(b"messenger.bench.test") == 500
    result = federation.load_once(stage, path, 500)
    assert result["entries"] == 500 and result["load_s"] > 0
    assert all(result[key] > 0 for key in ("peak_bytes", "member_ns", "stranger_ns"))
    assert NAME % 1 in listing.payload(1).decode()
