# SPDX-License-Identifier: Apache-2.0
"""The compared proxies: certificates, configurations and command lines.

Each function writes a configuration and returns how the proxy is launched.  All three are set up as an
operator would who wants speed and knows his proxy; what is not set is left at the default on purpose.  What they have in common:

- one EC P-256 certificate without a chain, TLS 1.3 only, one cipher suite, tickets on (the default of all);
- HTTP/2 and HTTP/1.1 offered by ALPN, wherever the proxy has it; plain HTTP/1.1 kept alive upstream;
- no access log; idle connections are not closed during a measurement;
- X-Forwarded-For and X-Forwarded-Proto are set, as Synapse wants them.
"""
import os
import pathlib
import re
import subprocess
from dataclasses import dataclass
from typing import NamedTuple

from sim import fedlist
from sim.pki import Pki
from signed import ORIGIN

SUITE = "TLS_AES_256_GCM_SHA384"  # one suite for all; every one of the three has it
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@dataclass
class Setting:
    """What all proxies share."""

    folder: pathlib.Path  # for configurations and logs
    ca: pathlib.Path
    certificate: pathlib.Path  # with its chain
    key: pathlib.Path
    combined: pathlib.Path  # both in one file, as HAProxy wants them
    backend_port: int
    proxy: pathlib.Path  # the schleuse-proxy program
    pki: Pki


@dataclass(frozen=True)
class Variant:
    """What a work wants to be different."""

    workers: int = 1
    rules: str = "enforce"  # of display names
    federation_list: pathlib.Path | None = None  # instead of a small one of its own
    max_entries: int = 1000000


class Launch(NamedTuple):
    command: list  # stays in the foreground
    version: str
    folder: pathlib.Path


def make_setting(folder, backend_port, proxy):
    """One EC P-256 certificate for the proxies and for the origin's key server."""
    pki = Pki()
    certificate, key = pki.web.server("localhost", ORIGIN).write(folder / "leaf")
    ca, combined = folder / "ca.pem", folder / "combined.pem"
    ca.write_bytes(pki.web_root.pem)
    combined.write_bytes(certificate.read_bytes() + key.read_bytes())
    (folder / "list-anchors.pem").write_bytes(pki.list_root.pem)
    (folder / "passport-anchors.pem").write_bytes(pki.passport_root.pem)
    (folder / "passport.pem").write_bytes(pki.passport_signer.pem)
    return Setting(folder, ca, certificate, key, combined, backend_port, proxy, pki)


def version_of(command):
    environment = dict(os.environ, PATH=PATH)
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return (done.stdout + done.stderr).splitlines()[0].split(" - ")[0].strip()


def new_folder(setting, name):
    """A folder for one instance; works start several."""
    number = 1
    while (folder := setting.folder / f"{name}-{number}").exists():
        number += 1
    folder.mkdir()
    return folder


def nginx_listen(port, version):
    """The listen directive; HTTP/2 is a directive of its own from 1.25.1 on."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", version)
    own = found is not None and tuple(map(int, found.groups())) >= (1, 25, 1)
    return f"listen 127.0.0.1:{port} ssl{'' if own else ' http2'} reuseport;{' http2 on;' if own else ''}"


def nginx(setting, port, _origin, variant=Variant()):
    """reuseport: each worker has a queue of its own, as Schleuse's have.  client_body_buffer_size: requests
    of 2 KB never touch the disk.  Media: proxy_request_buffering off, else uploads go through a temporary
    file before the homeserver sees them; for downloads buffering stays on (nginx then reads ahead), but with
    larger buffers and no temporary file, which would be the disk's speed.  ssl_buffer_size stays at 16k, the
    largest TLS record, which is best for throughput."""
    version = version_of(["nginx", "-v"])
    folder = new_folder(setting, "nginx")
    conf = folder / "nginx.conf"
    proxy = """proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;"""
    conf.write_text(f"""
daemon off; worker_processes {variant.workers}; pid {folder}/pid; error_log stderr warn;
{"user root;" if os.getuid() == 0 else ""}
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600; server_tokens off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream back {{ server 127.0.0.1:{setting.backend_port}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    {nginx_listen(port, version)} server_name localhost;
    ssl_certificate {setting.certificate}; ssl_certificate_key {setting.key};
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {SUITE};
    client_body_buffer_size 64k; client_max_body_size 100m;
    location / {{
      {proxy}
    }}
    location /_matrix/media/ {{
      {proxy}
      proxy_request_buffering off; proxy_buffers 16 64k; proxy_busy_buffers_size 512k;
      proxy_max_temp_file_size 0;
    }}
  }}
}}
""")
    return Launch(["env", f"PATH={PATH}", "nginx", "-c", conf, "-p", folder, "-e", "stderr"], version, folder)


def haproxy(setting, port, _origin, variant=Variant()):
    """http-reuse always: any upstream connection serves any client, as with the other two.  Buffers (16 KB)
    and splicing stay at their defaults: a larger tune.bufsize costs memory per connection."""
    folder = new_folder(setting, "haproxy")
    conf = folder / "haproxy.cfg"
    conf.write_text(f"""
global
  nbthread {variant.workers}
  maxconn 4096
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-bind-ciphersuites {SUITE}
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  option http-keep-alive
  http-reuse always
frontend tls
  bind 127.0.0.1:{port} ssl crt {setting.combined} alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-For %[src]
  default_backend back
backend back
  server one 127.0.0.1:{setting.backend_port}
""")
    return Launch(["env", f"PATH={PATH}", "haproxy", "-db", "-f", conf], version_of(["haproxy", "-v"]), folder)


def schleuse(setting, port, origin, variant=Variant()):
    """Verifies what nginx and HAProxy only relay: the origin is listed and has a key server.  All rules are
    on unless the work says otherwise; everything else is at its default."""
    folder = new_folder(setting, "schleuse")
    listed = variant.federation_list
    if listed is None:
        listed = folder / "list.jws"
        fedlist.write(listed, fedlist.sign(fedlist.plain(1, ["localhost", origin]), setting.pki.list_signer))
    conf = folder / "proxy.yaml"
    conf.write_text(f"""
listeners:
  - address: "127.0.0.1:{port}"
    serves: [clients, federation]
admin: "unix:{folder}/admin"
workers: {variant.workers}
state_dir: {folder}
test_mode: true
log_level: warn
federations:
  - name: bench
    list:
      file: {listed}
      anchors: [{setting.folder}/list-anchors.pem]
      max_entries: {variant.max_entries}
    passport:
      anchors: [{setting.folder}/passport-anchors.pem]
      certificates: [{{ file: {setting.folder}/passport.pem }}]
services:
  - server_name: localhost
    certificate: {setting.certificate}
    key: {setting.key}
    default: true
    homeserver: "127.0.0.1:{setting.backend_port}"
    federation: bench
    display_names:
      rule: {variant.rules}
      org_admins: ["@bench:localhost"]
lookups:
  hosts: {{ {ORIGIN}: "127.0.0.1" }}
  ca_file: {setting.ca}
  private_addresses: true
""")
    return Launch([setting.proxy, "--config", conf], version_of([setting.proxy, "--version"]), folder)


PROXIES = {"nginx": nginx, "haproxy": haproxy, "schleuse": schleuse}
PEERS = ("nginx", "haproxy")
