# SPDX-License-Identifier: Apache-2.0
"""matrix-js-sdk, what browsers run, works through the proxy over HTTP/1.1 and HTTP/2 (FD-5.1-1, -2)."""
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from synapse import ADDRESSES

HERE = Path(__file__).resolve().parent
DEADLINE = 180


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """The script beside the packages it imports."""
    done = subprocess.run([HERE / "bootstrap-js"], stdout=subprocess.PIPE, text=True, check=True)
    folder = tmp_path_factory.mktemp("js")
    (folder / "node_modules").symlink_to(Path(done.stdout.strip()) / "node_modules")
    return Path(shutil.copy(HERE / "js" / "person.mjs", folder))


@pytest.mark.parametrize("protocol", ["h1", "h2"])
def test_what_a_client_does_all_day(federation, program, protocol):
    site = federation["alpha.test"]
    localpart = f"clara-{protocol}"
    before = site.proxy.metric("schleuse_connections_total", protocol=protocol)
    how = {
        "url": site.url,
        "address": ADDRESSES[site.name],
        "user": site.synapse.register(localpart, "correct horse"),
        "password": "correct horse",
        "ca": federation.pki.web_root.pem.decode(),
        "http2": protocol == "h2",
    }
    done = subprocess.run(["node", program], input=json.dumps(how), capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout) == {
        "media": {"status": 200, "same": True},
        "display_name": "403 M_FORBIDDEN",  # FD-5.2.1.2-19, -20
        "unknown_room": "403 M_FORBIDDEN",
        "whoami": 1,
    }
    assert site.proxy.metric("schleuse_connections_total", protocol=protocol) > before
