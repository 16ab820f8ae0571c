# SPDX-License-Identifier: Apache-2.0
"""The way out: the three proxies as forward proxies of a homeserver, and what stands around them.

Around them: one nginx, which is the other servers (TLS, a small JSON text for every request, as many names as one
likes) and our homeserver, whose keys it publishes.  nginx and HAProxy do the nearest thing to it that they can: plain
HTTP in on the same kinds of socket, TLS that is kept alive to one target out, and they verify nothing.  All get the
same bytes: they too understand a target in absolute form.
"""
import dataclasses
import json
import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass

import machine
import signed
from daemons import PATIENCE, Daemons, Failed
from proxies import PATH, SUITE, Launch, new_folder, version_of
from sim import fedlist
from sim.pki import Authority
from sim.xmatrix import SigningKey
from signedjson.sign import sign_json
from stage import Running

HOME = "home.bench.test"  # whose requests are verified
EASY = "easy.bench.test"  # whose requests are not
SECRET = "0123456789abcdef0123456789abcdef"
EASY_SECRET = "fedcba9876543210fedcba9876543210"
FAR = "far%04d.bench.test"
SMALL = '{"displayname":"Bench","avatar_url":"mxc://bench.test/SEsfnsuifSDFSSEF"}'
PROFILE = "/_matrix/federation/v1/query/profile?user_id=%40u{number}%3A{name}"


@dataclass(frozen=True)
class World:
    """Where the target and the homeserver listen, and how many servers the target is."""

    target_port: int
    homeserver_port: int
    names: list

    @property
    def listed(self):
        return [HOME, EASY, *self.names]


def world(count):
    ports = machine.free_port(), machine.free_port()
    names = [f"{FAR % i}:{ports[0]}" for i in range(count)]
    return World(*ports, names)


# What is around


def published_keys(name, key):
    """The text of a server's key/v2/server."""
    document = {
        "server_name": name,
        "valid_until_ts": int(time.time() * 1000) + 24 * 3600 * 1000,
        "verify_keys": {key.id: {"key": key.public_base64}},
        "old_verify_keys": {},
    }
    return json.dumps(sign_json(document, name, key.key))


def nginx_head(folder):
    return f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr warn;
{"user root;" if os.getuid() == 0 else ""}
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600; server_tokens off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; default_type application/json;
  client_body_buffer_size 64k; client_max_body_size 100m;"""


def surroundings(setting, around, key):
    """The target and the homeserver in one nginx."""
    folder = new_folder(setting, "around")
    certificate, private = setting.pki.web.server("*.bench.test").write(folder / "leaf")
    conf = folder / "nginx.conf"
    conf.write_text(f"""{nginx_head(folder)}
  server {{
    listen 127.0.0.1:{around.target_port} ssl backlog=4096; server_name bench.test;
    ssl_certificate {certificate}; ssl_certificate_key {private};
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {SUITE};
    location / {{ return 200 '{SMALL}'; }}
  }}
  server {{
    listen 127.0.0.1:{around.homeserver_port}; server_name home;
    location /_matrix/key/v2/server {{ return 200 '{published_keys(HOME, key)}'; }}
  }}
}}
""")
    return Launch(["env", f"PATH={PATH}", "nginx", "-c", conf, "-p", folder, "-e", "stderr"], "", folder)


# The proxies


def nginx(setting, port, tls_port, around):
    """TLS to the target is kept alive; nothing is verified.  The last server ends TLS itself and refuses, for
    comparison with tunnels."""
    version = version_of(["nginx", "-v"])
    folder = new_folder(setting, "nginx")
    conf = folder / "nginx.conf"
    conf.write_text(f"""{nginx_head(folder)}
  upstream target {{ server 127.0.0.1:{around.target_port}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen unix:{folder}/out.sock backlog=1024; listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass https://target; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header Proxy-Authorization "";
      proxy_ssl_server_name on; proxy_ssl_name {FAR % 0}; proxy_ssl_protocols TLSv1.3;
    }}
  }}
  server {{
    listen 127.0.0.1:{tls_port} ssl backlog=1024;
    ssl_certificate {setting.certificate}; ssl_certificate_key {setting.key};
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {SUITE}; ssl_session_tickets off;
    location / {{ return 403 '{SMALL}'; }}
  }}
}}
""")
    return Launch(["env", f"PATH={PATH}", "nginx", "-c", conf, "-p", folder, "-e", "stderr"], version, folder)


def haproxy(setting, port, tls_port, around):
    folder = new_folder(setting, "haproxy")
    conf = folder / "haproxy.cfg"
    conf.write_text(f"""
global
  nbthread 1
  maxconn 4096
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
  ssl-default-bind-ciphersuites {SUITE}
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  option http-keep-alive
  http-reuse always
frontend out
  bind unix@{folder}/out.sock
  bind 127.0.0.1:{port}
  http-request del-header Proxy-Authorization
  default_backend target
backend target
  server one 127.0.0.1:{around.target_port} ssl verify none sni str({FAR % 0}) ssl-min-ver TLSv1.3
frontend tls
  bind 127.0.0.1:{tls_port} ssl crt {setting.combined} alpn http/1.1
  http-request return status 403 content-type application/json string {json.dumps(SMALL)}
""")
    return Launch(["env", f"PATH={PATH}", "haproxy", "-db", "-f", conf], version_of(["haproxy", "-v"]), folder)


def secret_file(folder, name, secret):
    path = folder / name
    path.write_text(secret + "\n")
    path.chmod(0o600)
    return path


def schleuse(setting, port, tls_port, around):
    """All rules are on for HOME; for EASY those are off that can be.  connections_max and idle_max as many as the
    load generator has connections, for the whole load goes to one server."""
    folder = new_folder(setting, "schleuse")
    fedlist.write(folder / "list.jws", fedlist.sign(fedlist.plain(1, around.listed), setting.pki.list_signer))
    certificate, key = setting.pki.web.server(HOME, EASY).write(folder / "leaf")
    ca, ca_key = Authority.interceptor("Bench way out", ["bench.test"], []).issued.write(folder / "ca")
    hosts = ", ".join(f'{name.partition(":")[0]}: "127.0.0.1"' for name in around.names)
    conf = folder / "proxy.yaml"
    conf.write_text(f"""
listeners:
  - address: "127.0.0.1:{tls_port}"
    serves: [clients, federation]
  - address: "127.0.0.1:{port}"
    serves: [outbound]
  - address: "unix:{folder}/out.sock"
    serves: [outbound]
admin: "unix:{folder}/admin"
workers: 1
state_dir: {folder}
test_mode: true
log_level: warn
federations:
  - name: bench
    list: {{ file: {folder}/list.jws, anchors: [{setting.folder}/list-anchors.pem] }}
    passport:
      anchors: [{setting.folder}/passport-anchors.pem]
      certificates: [{{ file: {setting.folder}/passport.pem }}]
services:
  - server_name: {HOME}
    certificate: {certificate}
    key: {key}
    default: true
    homeserver: "127.0.0.1:{around.homeserver_port}"
    federation: bench
    outbound: {{ secret_file: {secret_file(folder, "home.secret", SECRET)} }}
  - server_name: {EASY}
    certificate: {certificate}
    key: {key}
    homeserver: "127.0.0.1:{around.homeserver_port}"
    federation: bench
    outbound:
      secret_file: {secret_file(folder, "easy.secret", EASY_SECRET)}
      signature: off
      invites: off
      domains: off
outbound:
  ca_certificate: {ca}
  ca_key: {ca_key}
  connections_max: 256
  idle_max: 256
  idle_total_max: 4000
limits:
  connections_per_address: 10000
lookups:
  hosts: {{ {hosts} }}
  ca_file: {setting.ca}
  private_addresses: true
""")
    return Launch([setting.proxy, "--config", conf], version_of([setting.proxy, "--version"]), folder)


WAYS = {"nginx": nginx, "haproxy": haproxy, "schleuse": schleuse}


# The requests


@dataclass(frozen=True)
class Prepared:
    """Files of the same requests, as clients/outbound.c and clients/verify.c read them."""

    requests: object
    objects: object
    public_hex: str


class Homeserver:
    """Signs in the name of `origin`, with one key for all."""

    def __init__(self, origin):
        self.origin, self.key = origin, SigningKey()

    def _one(self, method, target, to, content, out):
        what = signed.Asked(self.origin, to, method, target, content)
        authorization = what.authorization(self.key)
        text = "" if content is None else signed.canonical(content)
        out[0].write(f"{method}\nmatrix-federation://{to}{target}\n{authorization}\n{text}\n")
        out[1].write(what.line(authorization))

    def prepare(self, stem, asked):
        """`asked`: (method, target, destination, content) of each."""
        made = Prepared(stem.with_suffix(".requests"), stem.with_suffix(".objects"), self.key.public.encode().hex())
        with made.requests.open("w") as requests, made.objects.open("w") as objects:
            for method, target, to, content in asked:
                self._one(method, target, to, content, (requests, objects))
        return made


def transactions(origin, to):
    for number in range(signed.COUNT):
        yield "PUT", f"/_matrix/federation/v1/send/{1700000000000 + number}", to, signed.body_of_size(origin, number)


def profiles(names):
    """One of each name."""
    for number, name in enumerate(names):
        yield "GET", PROFILE.format(number=number, name=name.replace(":", "%3A")), name, None


# All of it


def wait_until_ready(admin):
    """Its federation list is in force."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(admin))
            s.sendall(b"GET /ready HTTP/1.1\r\nHost: admin\r\n\r\n")
            if s.recv(100).split(b" ", 2)[1] == b"200":
                return
        time.sleep(0.05)
    raise Failed("is not ready")


def launch(daemons, setting, name, around, layout):
    port, tls_port = machine.free_port(), machine.free_port()
    how = WAYS[name](setting, port, tls_port, around)
    process = daemons.start(how.folder / "log", layout.proxy, how.command, port)
    if name == "schleuse":
        wait_until_ready(how.folder / "admin")
    one = Running(name, port, process, layout, how.folder, "", None)
    return dataclasses.replace(one, socket=how.folder / "out.sock", tls_port=tls_port), how.version


@contextmanager
def leaving(stage, failures, key, around, names=None):
    """{name: Running} of the proxies as ways out to a world, in which `key` is that of our homeserver."""
    started, layout = {}, machine.one_core()
    with Daemons() as daemons:
        target = surroundings(stage.setting, around, key)
        daemons.start(target.folder / "log", layout.backend, target.command, around.target_port)
        for name in names or stage.options.proxies:
            try:
                started[name], stage.versions[name] = launch(daemons, stage.setting, name, around, layout)
            except (Failed, OSError) as why:
                failures[name] = f"does not start: {why}"
        stage.occupy(started, daemons)
        yield started
