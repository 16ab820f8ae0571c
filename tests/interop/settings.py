# SPDX-License-Identifier: Apache-2.0
"""The configuration of a Synapse here: the shipped one, but for what the place and the tests need.

Rules of the shipped file that users or other servers notice stay as they are, so that they are tried.
"""
from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).resolve().parents[2] / "etc" / "synapse" / "homeserver.yaml"
# of form A; an outlet says what there is here
WAY_OUT = ("instance_map", "outbound_federation_restricted_to")
PLENTY = {"per_second": 10000, "burst_count": 10000}


def shipped() -> dict[str, Any]:
    """The shipped settings that mean the same on every machine."""
    whole = yaml.safe_load(SHIPPED.read_text())
    return {k: v for k, v in whole.items() if k not in WAY_OUT and not k.endswith("_path")}


def of_place(name: str, inside: str, listener: dict[str, Any], registration_secret: str) -> dict[str, Any]:
    """Names, files and addresses; `inside` is the server's folder as it sees it."""
    listener = {
        **listener,
        "type": "http",
        "x_forwarded": True,
        "resources": [{"names": ["client", "federation"]}],
    }
    return {
        "server_name": name,
        "public_baseurl": f"https://{name}/",
        "listeners": [listener],
        "pid_file": f"{inside}/unused.pid",
        "database": {"name": "sqlite3", "args": {"database": f"{inside}/homeserver.db"}},
        "media_store_path": f"{inside}/media",
        "log_config": f"{inside}/log.yaml",
        "signing_key_path": f"{inside}/signing.key",
        "registration_shared_secret": registration_secret,
        "macaroon_secret_key": secrets.token_hex(16),
        "form_secret": secrets.token_hex(16),
        "federation_custom_ca_list": [f"{inside}/ca.pem"],
        "ip_range_blacklist": [],  # others are on loopback
    }


def of_tests() -> dict[str, Any]:
    """No limits of rates, recovery within seconds, rooms whose messages a test can read."""
    return {
        "bcrypt_rounds": 4,
        "encryption_enabled_by_default_for_room_type": "off",
        "federation": {
            "client_timeout": "20s",
            "max_short_retry_delay": "1s",
            "max_short_retries": 1,
            "max_long_retry_delay": "1s",
            "destination_min_retry_interval": "1s",
            "destination_retry_multiplier": 1,
            "destination_max_retry_interval": "2s",
        },
        "rc_message": PLENTY,
        "rc_room_creation": PLENTY,
        "rc_joins_per_room": PLENTY,
        "rc_key_requests": PLENTY,
        "rc_registration": PLENTY,
        "rc_joins": {"local": PLENTY, "remote": PLENTY},
        "rc_invites": {"per_room": PLENTY, "per_user": PLENTY, "per_issuer": PLENTY},
        "rc_login": {"address": PLENTY, "account": PLENTY, "failed_attempts": PLENTY},
        "rc_federation": {"sleep_limit": 10000, "reject_limit": 10000},
    }
