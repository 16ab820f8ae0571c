# SPDX-License-Identifier: Apache-2.0
"""The origin of the measured federation traffic: its keys, and requests signed before the measurement.

The requests are transactions of 2 KB as a homeserver sends them: one message event in canonical JSON.
All proxies get the same bytes.  wrk cycles through them; each is signed on its own, so that no proxy can
know a signature from before within one cycle.
"""
import base64
import json
import os
import pathlib
import re
import secrets
import time
from dataclasses import dataclass

from sim import xmatrix
from sim.keyserver import KeyServer

ORIGIN = "origin.bench.test"
DESTINATION = "localhost"
COUNT = 3000
BODY_BYTES = 2048


def canonical(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def key_server(pki):
    """Publishes the origin's key on loopback, in a thread of this process."""
    return KeyServer(ORIGIN, (pki.certificate, pki.key))


def event_id():
    return "$" + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def transaction(origin, number, text):
    return {
        "origin": origin,
        "origin_server_ts": 1700000000000 + number,
        "edus": [],
        "pdus": [{
            "auth_events": [event_id(), event_id(), event_id()],
            "content": {
                "algorithm": "m.megolm.v1.aes-sha2",
                "ciphertext": text,
                "device_id": "BENCHDEVICE",
                "sender_key": base64.b64encode(secrets.token_bytes(32)).rstrip(b"=").decode(),
                "session_id": base64.b64encode(secrets.token_bytes(32)).rstrip(b"=").decode(),
            },
            "depth": 100 + number,
            "hashes": {"sha256": base64.b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()},
            "origin_server_ts": int(time.time() * 1000),
            "prev_events": [event_id()],
            "room_id": "!bench:" + origin,
            "sender": "@bench:" + origin,
            "signatures": {origin: {"ed25519:a_test": base64.b64encode(os.urandom(64)).decode().rstrip("=")}},
            "type": "m.room.encrypted",
            "unsigned": {"age": 11},
        }],
    }


def body_of_size(origin, number):
    """A transaction whose canonical text is BODY_BYTES long."""
    bare = len(canonical(transaction(origin, number, "")))
    filler = base64.b64encode(os.urandom(BODY_BYTES)).decode()[: BODY_BYTES - bare]
    return transaction(origin, number, filler)


@dataclass(frozen=True)
class Prepared:
    """Files made of the same transactions."""

    signed: pathlib.Path  # requests as bench/wrk.lua reads them
    unsigned: pathlib.Path  # the same bytes, to a client path that asks for no signature
    objects: pathlib.Path  # what was signed, as bench/clients/verify.c reads it
    public_hex: str


def request(target, authorization, text):
    return f"PUT\n{target}\n{authorization}\n{text}\n"


@dataclass(frozen=True)
class Asked:
    """One request, and what is signed of it."""

    origin: str
    destination: str
    method: str
    target: str
    content: dict | None

    def authorization(self, key):
        signature = xmatrix.Signed(self.origin, self.destination, self.method, self.target, self.content).signature(key)
        return xmatrix.header(self.origin, key.id, signature, self.destination)

    def line(self, authorization):
        """For verify.c: the signature in hex and the canonical text it is of."""
        signature = re.search(r'sig="([^"]+)"', authorization)[1]
        raw = base64.b64decode(signature + "=" * (-len(signature) % 4))
        whole = {"method": self.method, "uri": self.target, "origin": self.origin, "destination": self.destination}
        if self.content is not None:
            whole["content"] = self.content
        return f"{raw.hex()} {canonical(whole)}\n"


def prepare(folder, origin, key):
    """Writes COUNT requests and what goes with them."""
    made = Prepared(folder / "requests.signed", folder / "requests.unsigned", folder / "objects",
                    key.public.encode().hex())
    with made.signed.open("w") as signed, made.unsigned.open("w") as unsigned, made.objects.open("w") as objects:
        for number in range(COUNT):
            target = f"/_matrix/federation/v1/send/{1700000000000 + number}"
            content = body_of_size(origin, number)
            asked = Asked(origin, DESTINATION, "PUT", target, content)
            header = asked.authorization(key)
            signed.write(request(target, header, canonical(content)))
            plain = f"/_matrix/client/v3/rooms/!b:localhost/send/m/{1700000000000 + number}"
            unsigned.write(request(plain, header, canonical(content)))
            objects.write(asked.line(header))
    return made
