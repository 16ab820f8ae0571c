# SPDX-License-Identifier: Apache-2.0
"""Firebase Cloud Messaging, HTTP v1, with Google's token endpoint.

After "Send messages using FCM HTTP v1", the REST reference of projects.messages, "FCM error codes" and
"Using OAuth 2.0 for server to server applications".
"""
from __future__ import annotations

import json
import re
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from . import jose
from .server import Action, Reply, Request, Server

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_LIFE, CLOCK_SKEW = 3600, 60  # seconds
DATA_MAX = 4096
TTL_MAX = 2419200
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
ERRORS = {  # by FCM's errorCode: HTTP status, canonical status, message
    "UNREGISTERED": (404, "NOT_FOUND", "Requested entity was not found."),
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED", "SenderId mismatch"),
    "QUOTA_EXCEEDED": (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Messages sent'."),
    "THIRD_PARTY_AUTH_ERROR": (401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service"),
    "INTERNAL": (500, "INTERNAL", "Internal error encountered."),
    "UNAVAILABLE": (503, "UNAVAILABLE", "The service is currently unavailable."),
}
MESSAGE = {"name", "data", "notification", "android", "webpush", "apns", "fcm_options", "token", "topic",
           "condition"}
ANDROID = {"collapse_key", "priority", "ttl", "restricted_package_name", "data", "notification",
           "fcm_options", "direct_boot_ok", "bandwidth_constrained_ok", "restricted_satellite_ok"}
FORBIDDEN = re.compile(r"from|message_type|(google|gcm).*")


class Refuse(Exception):
    """A message that breaks the interface: field and what is wrong with it."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def error(code: int, status: str, message: str, details: list[Any] | None = None, **how: Any) -> Reply:
    body: dict[str, Any] = {"code": code, "message": message, "status": status}
    if details:
        body["details"] = details
    return Reply(code, (json.dumps({"error": body}, indent=2) + "\n").encode(),
                 [("content-type", "application/json; charset=UTF-8"), *how.pop("fields", ())], **how)


def fcm_error(name: str, retry_after: int | None = None, **how: Any) -> Reply:
    """FCM's answer with that errorCode."""
    code, status, message = ERRORS[name]
    fields = [] if retry_after is None else [("retry-after", str(retry_after))]
    return error(code, status, message, [{"@type": FCM_ERROR, "errorCode": name}], fields=fields, **how)


def wrong_field(field: str, message: str) -> Reply:
    violation = {"field": field, "description": message}
    return error(400, "INVALID_ARGUMENT", message, [
        {"@type": BAD_REQUEST, "fieldViolations": [violation]},
        {"@type": FCM_ERROR, "errorCode": "INVALID_ARGUMENT"},
    ])


def permission_denied(project: str) -> Reply:
    text = f"Permission 'cloudmessaging.messages.create' denied on resource '//cloudresourcemanager.googleapis.com/projects/{project}'"
    return error(403, "PERMISSION_DENIED", text)


UNAUTHENTICATED = error(
    401, "UNAUTHENTICATED",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
    "other valid authentication credential.",
    [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_EXPIRED",
      "domain": "googleapis.com"}],
    fields=[("www-authenticate", 'Bearer realm="https://accounts.google.com/", error="invalid_token"')],
)
NO_PAGE = Reply(404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>",
                [("content-type", "text/html; charset=UTF-8")])


class Fcm(Server):
    """One project with a service account; both endpoints on one port."""

    def __init__(self, files: tuple[Path, Path], *, project: str = "example-project", **how: Any) -> None:
        self.project = project
        self.email = f"pushgw@{project}.iam.gserviceaccount.com"
        self.keys: dict[str, rsa.RSAPrivateKey] = {}
        self.key_id = self.new_key()
        self.token_life = 3599  # seconds, as told to the client
        self.bearers: dict[str, float] = {}  # access tokens and when they end (monotonic)
        self.token_requests: list[Request] = []
        self.token_script: list[Action] = []  # the next answers of the token endpoint
        self.gone: set[str] = set()  # registration tokens by what is wrong with them
        self.invalid: set[str] = set()
        self.foreign: set[str] = set()
        super().__init__(files, **how)

    @property
    def token_uri(self) -> str:
        return f"{self.url}/token"

    def new_key(self) -> str:
        """Another key of the service account; its ID."""
        key_id = secrets.token_hex(20)
        self.keys[key_id] = rsa.generate_private_key(65537, 2048)
        return key_id

    def account(self, key_id: str = "") -> bytes:
        """The service account's JSON file, as the console makes it."""
        key_id = key_id or self.key_id
        pem = self.keys[key_id].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps({
            "type": "service_account", "project_id": self.project, "private_key_id": key_id,
            "private_key": pem.decode(), "client_email": self.email, "client_id": "1" * 21,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "token_uri": self.token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": "https://www.googleapis.com/robot/v1/metadata/x509/x",
            "universe_domain": "googleapis.com",
        }, indent=2).encode()

    def expire_bearers(self) -> None:
        """No access token given out so far is worth anything."""
        self.bearers.clear()

    # Answering

    def handle(self, r: Request, answer: Any) -> None:
        if r.path != "/token":
            super().handle(r, answer)
            return
        r.action = self.token_script.pop(0) if self.token_script else self._token(r)
        with self._changed:
            self.token_requests.append(r)
            self._changed.notify_all()
        answer(r.action)

    def _token(self, r: Request) -> Reply:
        def refuse(code: str, why: str) -> Reply:
            return self.refused(f"token request: {why}", Reply(400, {"error": code, "error_description": why}))

        if r.method != "POST" or r.get("content-type") != "application/x-www-form-urlencoded":
            return refuse("invalid_request", f"{r.method}, {r.get('content-type')}")
        try:
            pairs = parse_qsl(r.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        except ValueError:
            return refuse("invalid_request", "the form")
        form = dict(pairs)
        if set(form) != {"grant_type", "assertion"} or len(pairs) != 2:
            return refuse("invalid_request", f"parameters {[n for n, _ in pairs]}")
        if form["grant_type"] != GRANT:
            return refuse("unsupported_grant_type", f"Invalid grant_type: {form['grant_type']}")
        try:
            self._check_assertion(form["assertion"])
        except jose.Bad as e:
            return refuse("invalid_grant", f"Invalid JWT: {e}")
        bearer = "ya29." + secrets.token_urlsafe(96)
        self.bearers[bearer] = time.monotonic() + self.token_life
        return Reply(200, {"access_token": bearer, "expires_in": self.token_life, "token_type": "Bearer"})

    def _check_assertion(self, token: str) -> None:
        header, claims, signed, signature = jose.parse(token)
        if header.get("alg") != "RS256" or header.get("typ") != "JWT" or header.get("kid") not in self.keys:
            raise jose.Bad(f"the header {header}")
        if claims.get("iss") != self.email or claims.get("sub", self.email) != self.email:
            raise jose.Bad(f"iss {claims.get('iss')!r}")
        if claims.get("aud") != self.token_uri:
            raise jose.Bad(f"aud {claims.get('aud')!r}")
        if claims.get("scope") != SCOPE:
            raise jose.Bad(f"scope {claims.get('scope')!r}")
        iat, exp, now = jose.seconds(claims, "iat"), jose.seconds(claims, "exp"), time.time()
        if iat > now + CLOCK_SKEW or exp <= now - CLOCK_SKEW or not iat < exp <= iat + ASSERTION_LIFE:
            raise jose.Bad("a short-lived token within an hour is wanted; check iat and exp")
        jose.check_rs256(self.keys[header["kid"]].public_key(), signed, signature)

    def judge(self, r: Request) -> Action:
        if r.path != f"/v1/projects/{self.project}/messages:send":
            return self.refused(f"no such method: {r.method} {r.path.partition('?')[0]}", NO_PAGE)
        if r.method != "POST":
            return self.refused(r.method, NO_PAGE)
        scheme, _, bearer = (r.get("authorization") or "").partition(" ")
        if scheme != "Bearer" or self.bearers.get(bearer, 0) < time.monotonic():
            return UNAUTHENTICATED
        if (r.get("content-type") or "").partition(";")[0] != "application/json":
            return self.refused(f"Content-Type {r.get('content-type')}", wrong_field("", "not JSON"))
        try:
            token = self._message(r.body)
        except Refuse as e:
            return self.refused(str(e), wrong_field(e.field, str(e)))
        for tokens, name in ((self.gone, "UNREGISTERED"), (self.invalid, "INVALID_ARGUMENT"),
                             (self.foreign, "SENDER_ID_MISMATCH")):
            if token in tokens:
                return fcm_error(name)
        return Reply(200, {"name": f"projects/{self.project}/messages/0:{secrets.randbits(60)}%{secrets.token_hex(8)}"})

    def _message(self, body: bytes) -> str:
        """Checks a message; its registration token."""
        try:
            whole = jose.strict_json(body)
        except ValueError as e:
            raise Refuse("", f"Invalid JSON payload received. {e}") from None
        if not isinstance(whole, dict) or set(whole) - {"validate_only"} != {"message"}:
            raise Refuse("", "Invalid JSON payload received. Unknown name or no message")
        message = whole["message"]
        self._members(message, MESSAGE, "message")
        token = message.get("token")
        if not isinstance(token, str) or not token or {"topic", "condition"} & set(message):
            raise Refuse("message.token", "Recipient of the message is not set, or twice.")
        self._data(message.get("data", {}), "message.data")
        if "android" in message:
            self._android(message["android"])
        if "apns" in message:
            self._apns(message["apns"])
        return token

    @staticmethod
    def _members(value: Any, known: set[str], field: str) -> None:
        if not isinstance(value, dict):
            raise Refuse(field, f"Invalid value at '{field}': an object is wanted")
        if unknown := sorted(set(value) - known):
            raise Refuse(field, f"Invalid JSON payload received. Unknown name \"{unknown[0]}\" at '{field}': Cannot find field.")

    @staticmethod
    def _data(data: Any, field: str) -> None:
        if not isinstance(data, dict):
            raise Refuse(field, f"Invalid value at '{field}': an object is wanted")
        for n, (key, value) in enumerate(data.items()):
            if not isinstance(value, str):
                raise Refuse(f"{field}[{n}].value", f"Invalid value at '{field}[{n}].value' (TYPE_STRING), {value}")
            if not key or FORBIDDEN.fullmatch(key):
                raise Refuse(field, f"Invalid data payload key: {key}")
        if sum(len(k.encode()) + len(v.encode()) for k, v in data.items()) > DATA_MAX:
            raise Refuse(field, "Message is too big: the data payload exceeds 4096 bytes")

    def _android(self, android: Any) -> None:
        self._members(android, ANDROID, "message.android")
        if android.get("priority", "NORMAL").upper() not in ("NORMAL", "HIGH"):
            raise Refuse("message.android.priority", f"Invalid value (type.googleapis.com/AndroidMessagePriority), {android['priority']}")
        ttl = android.get("ttl", "0s")
        match = re.fullmatch(r"(\d+)(\.\d{1,9})?s", ttl) if isinstance(ttl, str) else None
        if match is None or float(ttl[:-1]) > TTL_MAX:
            raise Refuse("message.android.ttl", f"Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), {ttl}")
        if not isinstance(android.get("collapse_key", ""), str):
            raise Refuse("message.android.collapse_key", "Invalid value (TYPE_STRING)")
        if not isinstance(android.get("direct_boot_ok", False), bool):
            raise Refuse("message.android.direct_boot_ok", "Invalid value (TYPE_BOOL)")
        self._data(android.get("data", {}), "message.android.data")

    def _apns(self, apns: Any) -> None:
        self._members(apns, {"headers", "payload", "fcm_options", "live_activity_token"}, "message.apns")
        self._data(apns.get("headers", {}), "message.apns.headers")
        if not isinstance(apns.get("payload", {}), dict):
            raise Refuse("message.apns.payload", "Invalid value")


def message_of(r: Request) -> dict[str, Any]:
    return dict(r.json()["message"])
