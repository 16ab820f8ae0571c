# SPDX-License-Identifier: Apache-2.0
"""One work's surroundings: a back end and proxies on their cores, for as long as a block lasts."""
import dataclasses
import pathlib
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field

import machine
import proxies
import signed
from daemons import Daemons, Failed, negotiated


@dataclass
class Running:
    """A proxy that serves."""

    name: str
    port: int
    process: subprocess.Popen
    layout: machine.Layout
    folder: pathlib.Path  # its configuration, state and so on
    tls: str
    alpn: str | None
    socket: pathlib.Path | None = None  # where it takes what is to go out; then
    tls_port: int = 0  # where it ends TLS itself
    pids: list = field(default_factory=list)  # with its children
    ours: list = field(default_factory=list)  # of everything on the stage


class Stage:
    """What all works share: options, certificates, the origin's key server."""

    def __init__(self, options):
        self.options = options
        self.folder = options.folder
        self.setting = proxies.make_setting(options.folder, 0, options.proxy)
        self.keys = signed.key_server(self.setting)
        self.versions = {}
        self._prepared = None

    def close(self):
        self.keys.close()

    @property
    def prepared(self):
        """The signed requests; made when first needed."""
        if self._prepared is None:
            self._prepared = signed.prepare(self.folder, self.keys.name, self.keys.key)
        return self._prepared

    def program(self, name):
        """A program of the build's bench folder."""
        return self.options.build / "bench" / name

    def _start(self, daemons, setting, name, layout, variant):
        port = machine.free_port()
        launch = proxies.PROXIES[name](setting, port, self.keys.name, variant)
        process = daemons.start(launch.folder / "log", layout.proxy, launch.command, port)
        tls, alpn = negotiated(port, setting.ca)
        self.versions[name] = f"{launch.version}, {tls}" + (", HTTP/2" if alpn == "h2" else "")
        return Running(name, port, process, layout, launch.folder, tls, alpn)

    @staticmethod
    def occupy(started, daemons):
        """Whose CPU time counts as whose."""
        ours = machine.with_children({process.pid for process in daemons.running})
        for one in started.values():
            one.pids = machine.with_children({one.process.pid})
            one.ours = ours

    @contextmanager
    def serving(self, failures, names=None, layout=None, variant=proxies.Variant()):
        """{name: Running} of those that started; why the others did not goes into `failures`."""
        layout = layout or machine.one_core()
        started = {}
        with Daemons() as daemons:
            port = machine.free_port()
            log = self.folder / "backend.log"
            daemons.start(log, layout.backend, [self.program("backend"), port], port)
            setting = dataclasses.replace(self.setting, backend_port=port)
            for name in names or self.options.proxies:
                try:
                    started[name] = self._start(daemons, setting, name, layout, variant)
                except (Failed, OSError) as why:
                    failures[name] = f"does not start: {why}"
            self.occupy(started, daemons)
            yield started
