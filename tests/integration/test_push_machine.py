# SPDX-License-Identifier: Apache-2.0
"""The machine fails the gateway: its files are removed, clients take all descriptors, a second one is started.

Each says what it is, refuses what cannot be kept, and loses nothing (FD-5.2.3-1).
"""
from __future__ import annotations

import shutil
import socket
import subprocess

from harness import environment, until
from pushworld import PushWorld, notification

CLIENTS = 120


def waiting(w: PushWorld, count: int = 3):
    """A phone whose provider is away, and events that wait for it."""
    for server in w.providers.all:
        server.down()
    phone = w.phone("unifiedpush")
    return phone, [w.tell(phone) for _ in range(count)]


def test_its_folder_is_removed(make_push):
    """Nothing is accepted into files that nobody will find again; what waits is written into new ones."""
    w = make_push(which=["unifiedpush"])
    w.start()
    phone, events = waiting(w)
    shutil.rmtree(w.folder / "state" / "queue")
    assert w.notify(notification(phone)).status == 503
    w.daemon.until_logged("was removed")
    until("that it takes again", lambda: w.daemon.metric("schleuse_push_queue_up") == 1)
    events.append(w.tell(phone))
    until("all on disk", lambda: sum(f.read_bytes().count(phone.pushkey.encode())
                                     for f in (w.folder / "state" / "queue").glob("*.pushes")) >= len(events))
    w.kill()
    w.start()
    w.providers.unifiedpush.up()
    phone.wait(*events)


def test_clients_take_no_descriptors_from_providers(make_push):
    """A quarter is kept from them; accepted pushes get out and new ones are written."""
    w = make_push(which=["unifiedpush"])
    w.daemon.descriptors = 80
    w.start()
    assert "80 descriptors allow 60 connections; raise LimitNOFILE" in w.daemon.log_text()
    phone, events = waiting(w)
    with w.connect() as link:
        clients = [socket.create_connection(w.daemon.address()) for _ in range(CLIENTS)]
        until("a crowd", lambda: w.daemon.metric("schleuse_connections_refused_total") > 0)
        w.providers.unifiedpush.up()
        phone.wait(*events)
        phone.wait(w.tell(phone, link=link))
        for c in clients:
            c.close()


def test_two_with_one_folder(make_push):
    w = make_push(which=["unifiedpush"])
    w.start()
    phone, events = waiting(w)
    second = subprocess.run([w.daemon.program, "-c", w.daemon.file], capture_output=True, text=True, timeout=60,
                            env=environment())
    assert second.returncode == 1
    assert "queue is in use by another process" in second.stderr
    w.providers.unifiedpush.up()
    phone.wait(*events)
