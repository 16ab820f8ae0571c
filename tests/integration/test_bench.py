# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says: its requests are sound, its arithmetic is right."""
import importlib.machinery
import importlib.util
import sys
from pathlib import Path

import pytest
from harness import PROXY, run_proxy
from sim import xmatrix

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import proxies  # noqa: E402
import signed  # noqa: E402


@pytest.fixture
def run():
    loader = importlib.machinery.SourceFileLoader("bench_run", str(BENCH / "run"))
    spec = importlib.util.spec_from_loader("bench_run", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_prepared_requests_are_properly_signed_and_all_different(tmp_path, monkeypatch):
    monkeypatch.setattr(signed, "COUNT", 5)
    key = xmatrix.SigningKey()
    signed.prepare(tmp_path / "requests", signed.ORIGIN, key)
    lines = (tmp_path / "requests").read_text().splitlines()
    blocks = [lines[i:i + 4] for i in range(0, len(lines), 4)]
    for method, target, authorization, body in blocks:
        assert len(body) == signed.BODY_BYTES
        assert xmatrix.verified_origin([authorization], method, target, body.encode(), signed.DESTINATION,
                                       {signed.ORIGIN: [key.public]}) == signed.ORIGIN
    assert len({block[2] for block in blocks}) == 5


def test_our_configuration_in_the_benchmark_is_sound(tmp_path):
    setting = proxies.make_setting(tmp_path, 1, PROXY)
    proxies.schleuse(setting, 8443, signed.ORIGIN)
    done = run_proxy("--config", str(tmp_path / "schleuse.d" / "proxy.yaml"), "--check-config")
    assert done.returncode == 0, done.stderr


def test_the_ratio_is_the_median_of_the_rounds_to_the_faster_peer(run):
    def rounds(*rates):
        same = {"p99_us": 1000, "stolen_percent": 0, "foreign_percent": 0, "bad_status": 0, "broken": 0}
        return [{"per_second": r, **same} for r in rates]

    rows = run.summary({"nginx": rounds(100, 50, 100), "haproxy": rounds(80, 100, 80),
                        "schleuse": rounds(150, 110, 130)})
    assert rows["schleuse"]["ratio"] == 1.3 and rows["schleuse"]["per_second"] == 130
    assert rows["nginx"]["ratio"] == 1.0
