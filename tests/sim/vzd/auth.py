# SPDX-License-Identifier: Apache-2.0
"""The three steps to a provider token: Keycloak's token endpoint, the exchange, and the check.

`authenticate` is the single step of the interface of 2021.  Tokens are looked up, not parsed: a
client must treat them as opaque, and any change makes them foreign.
"""
from __future__ import annotations

import base64
import binascii
import secrets
import time
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable
from urllib.parse import unquote_plus

from .. import b64
from ..pki import Issued, new_key
from .message import FORM, Answer, Refused, Request, json, media_type, wrong

KEYCLOAK, PROVIDER = "keycloak", "provider"
TOKEN_PATH = "/auth/realms/TI-Provider/protocol/openid-connect/token"
NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))
FORM_FIELDS = ("grant_type", "client_id", "client_secret", "scope")
LEEWAY = 2.0  # seconds behind its end before the use of a token is the client's fault


@lru_cache(maxsize=1)
def realm_key() -> Any:
    """Keycloak's RSA key; made at the first use, it takes a moment."""
    return new_key("rsa2048")


@dataclass
class Token:
    """One token; `client` is the provider it belongs to."""

    text: str
    kind: str
    client: str
    ends: float  # wall clock
    revoked: bool = False


def oauth_error(status: int, error: str, text: str, violation: bool) -> Refused:
    """An error as Keycloak gives it."""
    answer = json({"error": error, "error_description": text}, status, *NO_STORE)
    return Refused(answer, f"{error}: {text}" if violation else "")


def _http_error(status: int, text: str, *fields: tuple[str, str]) -> Refused:
    return Refused(json({"error": f"HTTP {status} {text}"}, status, *fields), text)


class Auth:
    """Clients with their secrets, and every token ever given out."""

    def __init__(
        self, urls: Callable[[], tuple[str, str]], signers: Callable[[str], Issued]
    ) -> None:
        self.clients: dict[str, str] = {}
        self.wrong_secret = "unauthorized_client"  # invalid_client in older versions
        self.keycloak_lifetime = 300
        self.lifetime = 86400
        self.one_step_lifetime = 1800
        self.field = "access_token"  # "jwt" in 2022
        self.token_type = "Bearer"  # "bearer" in older versions
        self.alg = "BP256R1"  # ES256 in older versions
        self._urls = urls  # of the authorization server and the directory
        self._signers = signers
        self._tokens: dict[str, Token] = {}

    def add_client(self, name: str, secret: str = "") -> str:
        """Registers a provider (again); returns its secret."""
        self.clients[name] = secret or secrets.token_urlsafe(24)
        return self.clients[name]

    def revoke_all(self) -> None:
        """Every token given out so far is refused from now on."""
        for token in list(self._tokens.values()):
            token.revoked = True

    def expire_all(self) -> None:
        """Every token's time is over, without the client's fault."""
        for token in list(self._tokens.values()):
            token.ends = min(token.ends, time.time())

    def secrets(self) -> set[str]:
        """What must not be seen in a URL."""
        return {*list(self._tokens), *self.clients.values()}

    # Step 1

    def token(self, request: Request) -> Answer:
        """POST …/openid-connect/token with client credentials."""
        client = self._client_credentials(request)
        text = self._keycloak_jwt(client)
        self._keep(text, KEYCLOAK, client, self.keycloak_lifetime)
        refresh = b64.compact(b'{"alg":"RS256","typ":"JWT"}', b'{"typ":"Refresh"}', realm_key())
        return json(
            {
                "access_token": text,
                "expires_in": self.keycloak_lifetime,
                "refresh_expires_in": 1800,
                "refresh_token": refresh.decode(),
                "token_type": self.token_type,
                "not-before-policy": 0,
                "session_state": str(uuid.uuid4()),
                "scope": "profile email ti-provider",
            },
            200,
            *NO_STORE,
        )

    def one_step(self, request: Request) -> Answer:
        """POST /authenticate, the single step of 2021."""
        client = self._client_credentials(request)
        claims = {"sub": client, "scope": "tim-provider-services"}
        text = self._provider_jwt(claims, "/authenticate", self.one_step_lifetime)
        self._keep(text, PROVIDER, client, self.one_step_lifetime)
        out = {"access_token": text, "token_type": self.token_type, "scope": claims["scope"]}
        return json({**out, "expires_in": self.one_step_lifetime}, 200, *NO_STORE)

    def _client_credentials(self, request: Request) -> str:
        if request.method != "POST":
            raise _http_error(405, "Method Not Allowed", ("Allow", "POST"))
        if media_type(request.get("Content-Type")) != FORM:
            raise _http_error(415, "Unsupported Media Type")
        if request.query:
            raise oauth_error(400, "invalid_request", "parameters in the URL", True)
        try:
            form = request.form(*FORM_FIELDS)
        except Refused as e:
            raise oauth_error(400, "invalid_request", e.violation, True) from None
        client = self._client(request, form)
        if "grant_type" not in form:
            raise oauth_error(400, "invalid_request", "Missing form parameter: grant_type", True)
        if form["grant_type"] != "client_credentials":
            raise oauth_error(400, "unsupported_grant_type", "Unsupported grant_type", True)
        return client

    def _client(self, request: Request, form: dict[str, str]) -> str:
        field = request.get("Authorization")
        if field is not None and ("client_id" in form or "client_secret" in form):
            raise oauth_error(400, "invalid_request", "two client authentications at once", True)
        if field is not None:
            client, secret = _basic(field)
        else:
            client, secret = form.get("client_id", ""), form.get("client_secret", "")
            if not client or not secret:
                text = "Invalid client or Invalid client credentials"
                raise oauth_error(401, "invalid_client", text, True)
        known = self.clients.get(client)
        if known is None or not secrets.compare_digest(known.encode(), secret.encode()):
            error = "invalid_client" if known is None else self.wrong_secret
            text = "Invalid client or Invalid client credentials"
            raise oauth_error(401, error, text, False)
        return client

    def _keycloak_jwt(self, client: str) -> str:
        base, _ = self._urls()
        now = int(time.time())
        claims = {
            "exp": now + self.keycloak_lifetime,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "iss": f"{base}/auth/realms/TI-Provider",
            "aud": "account",
            "sub": str(uuid.uuid5(uuid.NAMESPACE_DNS, client)),
            "typ": "Bearer",
            "azp": client,
            "acr": "1",
            "scope": "profile email ti-provider",
            "clientId": client,
            "preferred_username": f"service-account-{client}",
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": "simulator"}
        return b64.compact(b64.plain_json(header), b64.plain_json(claims), realm_key()).decode()

    # Step 2

    def exchange(self, request: Request) -> Answer:
        """GET /ti-provider-authenticate with the token of step 1."""
        if request.method != "GET":
            raise wrong(405, "only GET is allowed", "", ("Allow", "GET"))
        client = self.require(request, KEYCLOAK).client
        request.parameters()
        claims = {"sub": client, "clientId": client}
        text = self._provider_jwt(claims, "/ti-provider-authenticate", self.lifetime)
        self._keep(text, PROVIDER, client, self.lifetime)
        out = {self.field: text, "client_id": client, "token_type": self.token_type}
        return json({**out, "expires_in": self.lifetime}, 200, *NO_STORE)

    def _provider_jwt(self, claims: dict[str, Any], issuer: str, lifetime: int) -> str:
        _, base = self._urls()
        now = int(time.time())
        full = {
            "iss": f"{base}{issuer}",
            "aud": f"{base}/tim-provider-services",
            **claims,
            "iat": now,
            "exp": now + lifetime,
            "jti": str(uuid.uuid4()),
        }
        signer = self._signers(self.alg)
        x5c = [base64.b64encode(signer.der).decode()]
        header = {"alg": self.alg, "typ": "JWT", "x5c": x5c}
        return b64.compact(b64.plain_json(header), b64.plain_json(full), signer.key).decode()

    # Step 3

    def require(self, request: Request, kind: str) -> Token:
        """The token of a request; a missing, foreign or long expired one is the client's fault."""
        field = request.get("Authorization")
        if field is None:
            raise wrong(401, "no token")
        scheme, _, text = field.partition(" ")
        if scheme != "Bearer":
            raise wrong(401, f"the scheme is not Bearer but {scheme[:20]!r}")
        token = self._tokens.get(text)
        if token is None:
            raise wrong(401, "a token that was not given out here")
        if token.kind != kind:
            raise wrong(401, "a token of another step")
        late = time.time() - token.ends
        if token.revoked or late > 0:
            refused = wrong(401, "the token has expired")
            if token.revoked or late < LEEWAY:
                refused.violation = ""
            raise refused
        return token

    def _keep(self, text: str, kind: str, client: str, lifetime: int) -> None:
        self._tokens[text] = Token(text, kind, client, time.time() + lifetime)


def _basic(field: str) -> tuple[str, str]:
    """Name and secret of HTTP Basic, each form-encoded as RFC 6749 section 2.3.1 wants."""
    scheme, _, value = field.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        client, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
        if not colon:
            raise ValueError("no colon")
    except (ValueError, binascii.Error):
        text = "Invalid client or Invalid client credentials"
        raise oauth_error(401, "invalid_client", text, True) from None
    return unquote_plus(client), unquote_plus(secret)
