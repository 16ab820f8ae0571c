# SPDX-License-Identifier: Apache-2.0
"""What is written about the program agrees with the program's source (ML-123616)."""
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
GENERATED = {"__pycache__", "configure", "aclocal.m4", "config.h.in", "Makefile.in", "autom4te.cache", "build-aux"}
DATA = {"corpus", "cases", "vectors"}
TEXTS = {".c", ".h", ".py", ".sh", ".mk", ".m4", ".ac", ".am", ".yaml", ".md", ".lua", ".in", ".5", ".8", ".supp"}


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def files():
    """The project's own files, in a clone as well as in an unpacked archive."""
    for folder, folders, names in os.walk(SOURCE):
        folders[:] = [f for f in folders if f not in GENERATED and not f.startswith((".", "_", "build"))
                      or f == ".ci"]
        for name in names:
            if name not in GENERATED and not name.endswith(("~", ".pyc")):
                yield Path(folder, name)


def is_text_of_ours(path):
    if DATA & set(path.relative_to(SOURCE).parts):
        return False
    return path.suffix in TEXTS or path.read_bytes()[:2] == b"#!"


def page(name):
    return (SOURCE / "doc" / name).read_text()


def section(text, name):
    return text.partition(f"<!-- {name}: begin")[2].partition(f"<!-- {name}: end")[0]


def test_every_reason_for_refusal_is_explained_to_operators():
    assert load(SOURCE / "doc" / "reasons.py").faults() == []


def metrics_of_the_source():
    names = set()
    for folder in ("proxy", "regsvc", "pushgw", "lib"):
        for path in SOURCE.glob(f"{folder}/**/*.[ch]"):
            names |= set(re.findall(r'"(schleuse_[a-z0-9_]+)"', path.read_text()))
    return names


def test_metrics_in_the_source_and_in_the_manual_are_the_same():
    source, manual = metrics_of_the_source(), section(page("operations.md"), "metrics")
    documented = set(re.findall(r"`(schleuse_[a-z0-9_]+)", manual))
    assert source, "no metrics found; has the way of declaring them changed?"
    assert sorted(source - documented) == [] and sorted(documented - source) == []


@pytest.mark.parametrize("text", ["README.md", "CONTRIBUTING.md", "SECURITY.md", *(
    f"doc/{p.name}" for p in sorted((SOURCE / "doc").glob("*.md")))])
def test_links_and_commands_lead_somewhere(text):
    path = SOURCE / text
    targets = re.findall(r"\]\(([^)#]+)\)", path.read_text())
    missing = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    commands = re.findall(r"(?:^|[\s`])\./([a-z-]+)", path.read_text())
    missing += [c for c in commands if c != "configure" and not os.access(SOURCE / c, os.X_OK)]
    assert missing == []


@pytest.mark.parametrize("text", ["conformance.md", "architecture.md", "operations.md", "deviations.md", "security.md"])
def test_named_files_exist(text):
    named = re.findall(r"`((?:lib|proxy|regsvc|pushgw|ctl|tests|etc|man|contrib|doc|bench)/[\w./-]+)`", page(text))
    missing = [n for n in named if not (SOURCE / n).exists() and not [*SOURCE.glob(n.rstrip("/") + ".*")]]
    assert missing == []


def requirements():
    ids = [f"FD-5.2.1.2-{n}" for n in range(1, 21)] + [f"FD-5.2.2-{n}" for n in range(7, 23)]
    ids += [f"ML-123615-{n}" for n in range(1, 5)] + ["ML-123621-1", "ML-123621-2"]
    ids += [f"ML-123622-{n}" for n in range(1, 4)]
    ids += ["B-5.6.1", "B-5.4-0", *(f"B-5.4.{n}" for n in range(1, 7)), "B-5.8.3", "B-5.8.5", "B-5.8.8"]
    ids += ["FD-5.1-1", "FD-5.1-2", "FD-5.1-3", "FD-5.1-6", "CP-3-1", "CP-3-5", "CP-3-6"]
    ids += [f"CP-1.2.1-{n}" for n in range(1, 7)] + [f"CP-1.2.1-C{n}" for n in range(1, 7)]
    ids += [f"CP-1.2.2-{n}" for n in range(1, 6)] + [f"CP-1.2.3-B{n}" for n in range(1, 4)]
    ids += [f"CP-1.2.3-O{n}" for n in range(1, 10)] + ["CP-1.2.4-1", "CP-2.2-1", "CP-2.2-2a"]
    ids += [f"FDS-2.6.4.1-{n}" for n in ("1", "2", "3", "3a", "3b", "4", "4a", "5")]
    ids += [f"FDS-2.6.4.2-{n}" for n in ("1", "2", "3", "4", "4a", "5", "6", "7")]
    ids += [f"FDS-2.6.5.1-{n}" for n in (5, 6, 8, 9, 10)] + [f"FDS-2.6.5.2-{n}" for n in range(1, 7)]
    ids += ["A_25632", "A_25635", *(f"A_27783-{n}" for n in range(1, 4))]
    ids += ["FD-5.2.3-1", "FD-5.2.3-2", *(f"ML-123618-{n}" for n in range(9))]
    ids += ["A_26182-01", "A_26183-01", "A_26184-02", "O-16", "O-18", "T-9"]
    return ids + [f"O-{n}" for n in range(3, 14)] + [f"T-{n}" for n in (2, 4, 5, 10, 12, 13)]


def conformance_rows():
    rows = [line.strip("| ").split(" | ") for line in page("conformance.md").splitlines()
            if line.startswith("| ") and not line.startswith("| ID ")]
    assert rows
    return [(row[0], "|".join(row[1:])) for row in rows]


def test_conformance_has_one_row_for_each_requirement():
    ids = [name for name, _ in conformance_rows()]
    assert [i for i in ids if not re.fullmatch(r"[A-Z]+[-_][\dA-Za-z.-]+", i)] == []  # one in each
    assert sorted(set(ids)) == sorted(ids)
    assert sorted(set(requirements()) - set(ids)) == []


def test_conformance_says_how_far_each_requirement_is_met():
    for name, rest in conformance_rows():
        status = re.search(r"\b(done|part|process|later)\b", rest)
        assert status, name
        if re.search(r"\|done\b", rest):
            assert re.search(r"`(tests|bench)/", rest), f"{name}: no test is named"


def test_every_file_names_its_licence():
    bare = [str(p.relative_to(SOURCE)) for p in files() if is_text_of_ours(p)
            and "SPDX-License-Identifier: Apache-2.0" not in p.read_text()[:400]]
    assert bare == []


def test_no_file_names_a_developers_machine():
    private = re.compile("|".join(["/" + "work/", "/" + "home/[a-z]", "/" + "root/", "/" + "tmp/[a-z]{2}/"]))
    named = [str(p.relative_to(SOURCE)) for p in files()
             if is_text_of_ours(p) and private.search(p.read_text())]
    assert named == []


@pytest.mark.parametrize("manual", sorted(p.name for p in (SOURCE / "man").glob("*.[58]")))
def test_manuals_are_sound(manual):
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    path = SOURCE / "man" / manual
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True)
    assert done.stdout == ""


def test_the_sample_homeserver_keeps_to_its_side():
    yaml = pytest.importorskip("yaml")
    sample = yaml.safe_load((SOURCE / "etc" / "synapse" / "homeserver.yaml").read_text())
    for listener in sample["listeners"]:
        assert listener["bind_addresses"] == ["127.0.0.1"]  # T-11
    assert sample["enable_registration"] is False and sample["allow_guest_access"] is False
    assert "de.gematik.ti-messenger.passport" in sample["room_prejoin_state"]["additional_event_types"]
    assert sample["push"] == {"include_content": False}  # ML-123618-6, and no delay of its own: T-9
    assert sample["trusted_key_servers"] == []
    kept = [sample["retention"]["default_policy"]["max_lifetime"], *sample["media_retention"].values()]
    assert all(int(k.removesuffix("d")) <= 181 for k in kept)  # ML-123617
    proxy = yaml.safe_load((SOURCE / "etc" / "proxy.yaml").read_text())
    ways_out = [f"unix:{i['path']}" for i in sample["instance_map"].values()]
    assert ways_out == [n["address"] for n in proxy["listeners"] if n["serves"] == ["outbound"]]
    assert [*sample["instance_map"]] == sample["outbound_federation_restricted_to"]  # FD-5.2.1.2-6
    limit = int(proxy["limits"]["client_body_max"].removesuffix("M"))
    assert int(sample["max_upload_size"].removesuffix("M")) <= limit


def test_the_configuration_in_the_readme_is_sound(tmp_path):
    import harness  # needs the program

    text = re.search(r"```yaml\n(.*?)```", (SOURCE / "README.md").read_text(), re.S).group(1)
    pki = harness.PKI
    pki.web.server("praxis.example.org", "matrix.praxis.example.org").write(tmp_path / "praxis")
    (tmp_path / "passport.pem").write_bytes(pki.passport_signer.pem)
    (tmp_path / "passport-anchors.pem").write_bytes(pki.passport_root.pem)
    (tmp_path / "list-anchors.pem").write_bytes(pki.list_root.pem)
    text = text.replace("/etc/schleuse", str(tmp_path)).replace("/var/lib/schleuse", str(tmp_path))
    (tmp_path / "proxy.yaml").write_text(text)
    done = harness.run_proxy("--config", str(tmp_path / "proxy.yaml"), "--check-config")
    assert done.returncode == 0, done.stderr
