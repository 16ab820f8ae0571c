# SPDX-License-Identifier: Apache-2.0
"""A user with a real client: matrix-nio, driven step by step from synchronous tests."""
from __future__ import annotations

import asyncio
import io
import json
import ssl
import time
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, TypeVar
from urllib.parse import quote

import nio

from synapse import PASSPORT_EVENT

DEADLINE = 30.0
# In the rooms of the Matrix specification nobody may set a state event whose state key is another
# user's ID, so there a PASSporT cannot be sent with the invited user as its state key.  This
# version, which Synapse knows, lets somebody of higher power level do it (MSC3757).
OWNED_STATE = "org.matrix.msc3757.11"
T = TypeVar("T")
_loop = asyncio.new_event_loop()


def run(work: Awaitable[T]) -> T:
    """Does asynchronous work to its end."""
    return _loop.run_until_complete(work)


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status: int, errcode: str, error: str) -> None:
        super().__init__(f"{status} {errcode}: {error}")
        self.status, self.errcode, self.error = status, errcode, error


@dataclass(frozen=True)
class Text:
    """A text message as a client shows it."""

    room: str
    sender: str
    body: str


class Person:
    """An account, logged in through its server's proxy."""

    def __init__(self, url: str, mxid: str, password: str, tls: ssl.SSLContext, store: str = "") -> None:
        self.mxid = mxid
        self.texts: list[Text] = []
        config = nio.AsyncClientConfig(
            encryption_enabled=bool(store), max_timeouts=1, max_limit_exceeded=1, request_timeout=60
        )
        self.client = nio.AsyncClient(url, mxid, store_path=store, config=config, ssl=tls)
        self.client.add_event_callback(self._on_text, nio.RoomMessageText)
        self.got(self.client.login(password, device_name="interop"))
        self.sync()

    async def _on_text(self, room: nio.MatrixRoom, event: nio.RoomMessageText) -> None:
        self.texts.append(Text(room.room_id, event.sender, event.body))

    def got(self, work: Awaitable[Any]) -> Any:
        """The client's answer; an error answer is raised."""
        return self._good(run(work))

    @staticmethod
    def _good(answer: Any) -> Any:
        if isinstance(answer, nio.ErrorResponse):
            raw = answer.transport_response
            raise Refused(raw.status if raw is not None else 0, answer.status_code, answer.message)
        return answer

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """A request the library has no call for; status and body."""

        async def work() -> tuple[int, bytes]:
            answer = await self.client.send(
                method,
                path,
                None if body is None else json.dumps(body),
                {"Authorization": f"Bearer {self.client.access_token}", "Content-Type": "application/json"},
            )
            return answer.status, await answer.read()

        return run(work())

    def sync(self, wait_ms: int = 0) -> Any:
        """One sync, and what end-to-end encryption wants done after it."""
        answer = self.got(self.client.sync(timeout=wait_ms))
        if self.client.should_upload_keys:
            self.got(self.client.keys_upload())
        if self.client.should_query_keys:
            self.got(self.client.keys_query())
        return answer

    def until(self, what: str, probe: Callable[[], T], deadline: float = DEADLINE) -> T:
        """Syncs until the probe's answer is true."""
        end = time.monotonic() + deadline
        while not (answer := probe()):
            if time.monotonic() > end:
                raise AssertionError(f"{self.mxid}: not within {deadline:.0f} s: {what}")
            self.sync(1000)
        return answer

    # Rooms

    def create_room(self, **how: Any) -> str:
        how.setdefault("room_version", OWNED_STATE)
        return self._seen(str(self.got(self.client.room_create(**how)).room_id))

    def _seen(self, room: str) -> str:
        """The room, once the client knows it from a sync."""
        self.until(f"the room {room}", lambda: room in self.client.rooms)
        return room

    def send_passport(self, room: str, invited: str, token: str, state_key: str | None = None) -> None:
        """The state event that carries the PASSporT to the invited user's proxy."""
        key = invited if state_key is None else state_key
        self.got(self.client.room_put_state(room, PASSPORT_EVENT, {"token": token}, key))

    def invite(self, room: str, invited: str) -> None:
        self.got(self.client.room_invite(room, invited))

    def is_invited(self, room: str) -> bool:
        return room in self.client.invited_rooms

    def join(self, room: str) -> str:
        return self._seen(str(self.got(self.client.join(room)).room_id))

    def say(self, room: str, text: str) -> None:
        content = {"msgtype": "m.text", "body": text}
        self.got(self.client.room_send(room, "m.room.message", content, ignore_unverified_devices=True))

    def reads(self, room: str, sender: "Person", text: str) -> None:
        """Syncs until the message is there."""
        message = Text(room, sender.mxid, text)
        self.until(f"the message of {sender.mxid}", lambda: message in self.texts)

    def room_name_of(self, room: str, mxid: str) -> str | None:
        return self.client.rooms[room].user_name(mxid)

    # Media

    def upload(self, data: bytes) -> str:
        kind = "application/octet-stream"
        answer, _ = run(self.client.upload(lambda *_: io.BytesIO(data), kind, "file", filesize=len(data)))
        return str(self._good(answer).content_uri)

    def download(self, mxc: str) -> tuple[int, bytes]:
        server, _, media = mxc.removeprefix("mxc://").partition("/")
        return self.ask("GET", f"/_matrix/client/v1/media/download/{quote(server)}/{quote(media)}")

    def close(self) -> None:
        run(self.client.close())
