# SPDX-License-Identifier: Apache-2.0
"""Commands for a running simulator: one place for what they do, a port of its own, and the asking.

A command goes as JSON over plain HTTP on loopback, with the key that only the owner of the
simulator's folder can read.
"""
from __future__ import annotations

import inspect
import json
import os
import secrets
import time
from pathlib import Path
from typing import Callable
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request as Outgoing, build_opener

from ..rawserver import RawRequest, RawServer, Reply
from . import message
from .faults import NAMES
from .simulator import Vzd

FILE = "vzd.json"


class Failed(Exception):
    """A command that cannot be done; the text is for a human."""


def quantity(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


class Commands:
    """Each method named do_<command> takes the words behind it and returns the text to show."""

    def __init__(self, vzd: Vzd) -> None:
        self.vzd = vzd

    def run(self, words: list[str]) -> str:
        name, *rest = words or ["status"]
        do: Callable[..., str] | None = getattr(self, "do_" + name.replace("-", "_"), None)
        if do is None:
            raise Failed(f"unknown command: {name}")
        try:
            inspect.signature(do).bind(*rest)
        except TypeError:
            raise Failed(f"{name}: wrong number of arguments; see --help") from None
        return do(*rest)

    def do_add_domain(self, name: str, kind: str = "") -> str:
        if name in self.vzd.directory.names():
            raise Failed(f"{name} is in the list already")
        if kind not in ("", "insurance"):
            raise Failed(f'"{kind}" is not "insurance"')
        version = self.vzd.add(name, isInsurance=kind != "")
        return f"{name} is in the federation now (list version {version})."

    def do_remove_domain(self, name: str) -> str:
        if name not in self.vzd.directory.names():
            raise Failed(f"{name} is not in the list")
        return f"{name} has left the federation (list version {self.vzd.remove(name)})."

    def do_fault(self, name: str, state: str) -> str:
        if name not in NAMES:
            raise Failed(f'there is no fault "{name}"; "faults" lists them')
        if state not in ("on", "off"):
            raise Failed(f'"{state}" is neither on nor off')
        (self.vzd.faults.on if state == "on" else self.vzd.faults.off)(name)
        return f"Fault {name} is {state}: {NAMES[name]}."

    def do_faults(self) -> str:
        width = max(len(n) for n in NAMES)
        return "\n".join(f"{n:{width}}  {text}" for n, text in NAMES.items())

    def do_clear_faults(self) -> str:
        self.vzd.faults.clear()
        return "No fault is on."

    def do_revoke_signer(self) -> str:
        self.vzd.revoke_signer()
        return "The certificate of the list signer is revoked (says OCSP from now on)."

    def do_renew_signer(self) -> str:
        self.vzd.renew_signer()
        version = self.vzd.directory.version
        return f"The list has a new signer certificate (list version {version})."

    def do_revoke_tokens(self) -> str:
        self.vzd.auth.revoke_all()
        return "Every token given out so far is refused from now on."

    def do_locate(self, mxid: str, place: str) -> str:
        try:
            self.vzd.localization.set(mxid, place)
        except ValueError:
            raise Failed("give @user:domain and one of org, pract, orgPract, none") from None
        return f"{mxid} is entered as {place}."

    def do_down(self) -> str:
        self.vzd.down()
        return "Nothing listens any more; connections are refused."

    def do_up(self) -> str:
        if self.vzd.listening:
            raise Failed("it is up already")
        self.vzd.up()
        return f"Listening again at {self.vzd.url}."

    def do_status(self) -> str:
        directory, records = self.vzd.directory, self.vzd.records
        lines = [] if self.vzd.listening else ["Nothing listens (down)."]
        lines += [
            f"Federation list version {directory.version}, "
            f"{quantity(len(directory.domains), 'domain')}:"
        ]
        for d in directory.domains:
            lines.append(f"  {d.domain}" + ("  (insurance)" if d.isInsurance else ""))
        for step, n in sorted(records.counts().items()):
            call = records.last(step)
            ago = time.time() - call.at if call else 0
            lines.append(f"{quantity(n, 'call')} of {step}, the last {ago:.0f} s ago")
        lines.append("Faults that are on: " + (", ".join(self.vzd.faults.active) or "none"))
        lines.append("Violations of the protocol: " + ("; ".join(records.violations) or "none"))
        return "\n".join(lines)


class Control:
    """Listens for commands; `key` has to come with each."""

    def __init__(self, vzd: Vzd) -> None:
        self.key = secrets.token_urlsafe(24)
        self._commands = Commands(vzd)
        self._server = RawServer(self._answer)
        self.port = self._server.port

    def close(self) -> None:
        self._server.close()

    def _answer(self, r: RawRequest) -> Reply:
        given = (r.get("Authorization") or "").encode()
        if not secrets.compare_digest(given, f"Bearer {self.key}".encode()):
            return message.json({"error": "the key is wrong"}, 403).wire()
        try:
            text = self._commands.run(list(json.loads(r.content)))
        except (Failed, ValueError) as e:
            return message.json({"error": str(e)}, 400).wire()
        return message.json({"text": text}).wire()


def write(folder: Path, vzd: Vzd, control: Control) -> None:
    """Everything somebody needs to use and to control this simulator, readable to us only."""
    files = vzd.write_trust(folder.resolve())
    about = {
        "pid": os.getpid(),
        "client_id": vzd.client,
        "client_secret_file": str(files["client-secret"]),
        "tls_ca_file": str(files["tls-ca.pem"]),
        "root_file": str(files["root.pem"]),
        "url": vzd.url,
        "token_url": vzd.token_url,
        "exchange_url": vzd.exchange_url,
        "one_step_url": vzd.one_step_url,
        "services_url": vzd.services_url,
        "list_url": vzd.list_url,
        "download_url": vzd.download_url,
        "ocsp_url": vzd.ocsp_url,
        "control": {"port": control.port, "key": control.key},
    }
    new = folder / (FILE + ".new")
    new.touch(0o600)
    new.write_text(json.dumps(about, indent=2) + "\n")
    new.replace(folder / FILE)


def ask(folder: Path, words: list[str]) -> str:
    """Has the simulator of this folder run a command; returns its text."""
    try:
        control = json.loads((folder / FILE).read_text())["control"]
    except (OSError, ValueError, KeyError):
        raise Failed(f"no simulator is running in {folder}") from None
    request = Outgoing(
        f"http://127.0.0.1:{control['port']}/",
        json.dumps(words).encode(),
        {"Authorization": f"Bearer {control['key']}", "Content-Type": message.JSON},
    )
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
            return str(json.loads(answer.read())["text"])
    except HTTPError as e:
        raise Failed(json.loads(e.read())["error"]) from None
    except (URLError, OSError):
        raise Failed(f"the simulator of {folder} does not answer") from None
