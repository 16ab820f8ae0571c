# SPDX-License-Identifier: Apache-2.0
"""The compared proxies: certificates, configurations and command lines.

Each function writes a configuration and returns (command that stays in the foreground, version).
"""
import os
import pathlib
import subprocess
from dataclasses import dataclass

from sim import fedlist
from sim.pki import Pki
from signed import ORIGIN

SUITE = "TLS_AES_256_GCM_SHA384"  # one suite for all; every one of the three has it
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@dataclass
class Setting:
    """What all proxies share."""

    folder: pathlib.Path
    ca: pathlib.Path
    certificate: pathlib.Path  # with its chain
    key: pathlib.Path
    combined: pathlib.Path  # both in one file, as HAProxy wants them
    backend_port: int
    proxy: pathlib.Path  # the schleuse-proxy program
    pki: Pki


def make_setting(folder, backend_port, proxy):
    """One EC P-256 certificate for the proxies and for the origin's key server."""
    pki = Pki()
    certificate, key = pki.web.server("localhost", ORIGIN).write(folder / "leaf")
    ca, combined = folder / "ca.pem", folder / "combined.pem"
    ca.write_bytes(pki.web_root.pem)
    combined.write_bytes(certificate.read_bytes() + key.read_bytes())
    return Setting(folder, ca, certificate, key, combined, backend_port, proxy, pki)


def version_of(command):
    environment = dict(os.environ, PATH=PATH)
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return (done.stdout + done.stderr).splitlines()[0].split(" - ")[0].strip()


def nginx(setting, port, _origin):
    folder = setting.folder / "nginx.d"
    folder.mkdir()
    conf = folder / "nginx.conf"
    conf.write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr warn; {"user root;" if os.getuid() == 0 else ""}
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600; server_tokens off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream back {{ server 127.0.0.1:{setting.backend_port}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} ssl; server_name localhost;
    ssl_certificate {setting.certificate}; ssl_certificate_key {setting.key};
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {SUITE};
    client_body_buffer_size 64k;
    location / {{
      proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
    }}
  }}
}}
""")
    return ["env", f"PATH={PATH}", "nginx", "-c", conf, "-p", folder, "-e", "stderr"], version_of(["nginx", "-v"])


def haproxy(setting, port, _origin):
    conf = setting.folder / "haproxy.cfg"
    conf.write_text(f"""
global
  nbthread 1
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
  bind 127.0.0.1:{port} ssl crt {setting.combined} alpn http/1.1
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-For %[src]
  default_backend back
backend back
  server one 127.0.0.1:{setting.backend_port}
""")
    return ["env", f"PATH={PATH}", "haproxy", "-db", "-f", conf], version_of(["haproxy", "-v"])


def schleuse(setting, port, origin):
    """Verifies what nginx and HAProxy only relay: the origin is listed and has a key server."""
    folder = setting.folder / "schleuse.d"
    folder.mkdir()
    jws = fedlist.sign(fedlist.plain(1, ["localhost", origin]), setting.pki.list_signer)
    fedlist.write(folder / "list.jws", jws)
    (folder / "list-anchors.pem").write_bytes(setting.pki.list_root.pem)
    (folder / "passport-anchors.pem").write_bytes(setting.pki.passport_root.pem)
    (folder / "passport.pem").write_bytes(setting.pki.passport_signer.pem)
    conf = folder / "proxy.yaml"
    conf.write_text(f"""
listeners:
  - address: "127.0.0.1:{port}"
    serves: [clients, federation]
admin: "unix:{folder}/admin"
workers: 1
state_dir: {folder}
test_mode: true
log_level: warn
federations:
  - name: bench
    list:
      file: {folder}/list.jws
      anchors: [{folder}/list-anchors.pem]
    passport:
      anchors: [{folder}/passport-anchors.pem]
      certificates: [{{ file: {folder}/passport.pem }}]
services:
  - server_name: localhost
    certificate: {setting.certificate}
    key: {setting.key}
    default: true
    homeserver: "127.0.0.1:{setting.backend_port}"
    federation: bench
lookups:
  hosts: {{ {ORIGIN}: "127.0.0.1" }}
  ca_file: {setting.ca}
  private_addresses: true
""")
    return [setting.proxy, "--config", conf], version_of([setting.proxy, "--version"])
