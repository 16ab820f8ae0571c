# SPDX-License-Identifier: Apache-2.0
"""The proxies under test: ours with the limits the cases assume, nginx and HAProxy with the nearest."""
from __future__ import annotations

import os
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Callable, Iterator

from conformance.backend import Backend
from conformance.cases import HOST
from conformance.play import Target
from harness import PKI, World, open_world, until
from sim import wire

PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
LIMITS = {
    "head_max": "8k",
    "target_max": "4k",
    "fields_max": 50,
    "client_body_max": "64k",
    "inspect_body_max": "64k",
}
SHORT = {"head": "1s", "body": "1s", "write": "1s", "upstream": "2s", "upstream_slow": "2s", "upstream_body": "2s"}


def configure(w: World, times: str, backend: Backend) -> None:
    w.config["workers"] = 1
    w.config["limits"] = dict(LIMITS)
    w.main_service["homeserver"] = f"127.0.0.1:{backend.port}"
    if times == "short":
        w.config["timeouts"].update(SHORT)


@contextmanager
def schleuse(times: str) -> Iterator[tuple[World, Target]]:
    backend = Backend()
    with open_world(lambda w: (configure(w, times, backend), w.start())) as w:
        yield w, Target(w.address, w.tls, backend)
    backend.close()


def _nginx(folder: Path, port: int, back: int, seconds: int) -> list[str]:
    cert, key = PKI.web.server(HOST).write(folder / "leaf")
    user = "user root;" if os.getuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log info; {user}
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_header_timeout {seconds}; client_body_timeout {seconds}; send_timeout {seconds};
  large_client_header_buffers 2 4k; client_max_body_size 64k;
  upstream back {{ server 127.0.0.1:{back}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{port} ssl; server_name {HOST};
    ssl_certificate {cert}; ssl_certificate_key {key};
    location / {{
      proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
      proxy_read_timeout {seconds}; proxy_request_buffering off; proxy_buffering off;
    }}
  }}
}}
""")
    return ["nginx", "-c", str(conf), "-p", str(folder), "-e", "stderr"]


def _haproxy(folder: Path, port: int, back: int, seconds: int) -> list[str]:
    cert, key = PKI.web.server(HOST).write(folder / "leaf")
    (folder / "both.pem").write_bytes(cert.read_bytes() + key.read_bytes())
    conf = folder / "haproxy.cfg"
    conf.write_text(f"""
global
  nbthread 1
  maxconn 256
defaults
  mode http
  timeout connect 5s
  timeout http-request {seconds}s
  timeout client {seconds}s
  timeout server {seconds}s
  option http-keep-alive
frontend tls
  bind 127.0.0.1:{port} ssl crt {folder}/both.pem alpn http/1.1
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-For %[src]
  default_backend back
backend back
  server one 127.0.0.1:{back}
""")
    return ["haproxy", "-db", "-f", str(conf)]


OTHERS: dict[str, Callable[[Path, int, int, int], list[str]]] = {"nginx": _nginx, "HAProxy": _haproxy}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as s:
        return int(s.getsockname()[1])


def _answers(port: int, tls) -> bool:
    try:
        with wire.Connection(("127.0.0.1", port), tls, HOST):
            return True
    except OSError:
        return False


@contextmanager
def other(name: str, times: str, folder: Path) -> Iterator[Target]:
    """nginx or HAProxy before a back end of its own."""
    folder.mkdir()
    with ExitStack() as stack:
        backend = Backend()
        stack.callback(backend.close)
        port, tls = _free_port(), wire.tls_context(PKI.web_root.pem)
        command = OTHERS[name](folder, port, backend.port, 1 if times == "short" else 15)
        log = stack.enter_context((folder / "output").open("wb"))
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ, PATH=PATH))
        stack.callback(process.wait)
        stack.callback(process.terminate)
        until(f"{name} accepts connections", lambda: _answers(port, tls))
        yield Target(("127.0.0.1", port), tls, backend, 3.0 if times == "short" else 1.0)


def version(name: str) -> str:
    command = ["nginx", "-v"] if name == "nginx" else ["haproxy", "-v"]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, PATH=PATH))
    words = (done.stdout + done.stderr).splitlines()[0].replace("nginx/", "nginx ").split()
    return next(w for w in words if w[0].isdigit())
