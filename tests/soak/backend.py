# SPDX-License-Identifier: Apache-2.0
"""The homeserver of the soak: answers that can be checked byte by byte.  Prints its port.  Arguments: its
name and the seed of its signing key.

  PUT  .../echo      length and SHA-256 of the body
  GET  .../pattern/N N bytes of a pattern, in chunks or with a length (N odd or even)
  GET  .../sync      after the `timeout` of the query, in pieces
  GET  .../v2/server its signing key
  any other          a small JSON object
"""
import asyncio
import hashlib
import logging
import pathlib
import sys
import time

from aiohttp import web
from signedjson.sign import sign_json

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]
from sim.xmatrix import SigningKey  # noqa: E402

PIECE = bytes(range(256)) * 256
SMALL = {"versions": ["v1.11", "v1.12"], "unstable_features": {}}


def pattern(n: int) -> bytes:
    """The first n bytes of the pattern."""
    return PIECE * (n // len(PIECE)) + PIECE[: n % len(PIECE)]


async def echo(request: web.Request) -> web.Response:
    digest, n = hashlib.sha256(), 0
    async for piece in request.content.iter_chunked(65536):
        digest.update(piece)
        n += len(piece)
    return web.json_response({"bytes": n, "sha256": digest.hexdigest()})


async def download(request: web.Request) -> web.StreamResponse:
    n = int(request.match_info["n"])
    response = web.StreamResponse()
    if n % 2 == 0:
        response.content_length = n
    else:
        response.enable_chunked_encoding()
    await response.prepare(request)
    for at in range(0, n, len(PIECE)):
        await response.write(PIECE[: n - at])
    await response.write_eof()
    return response


async def sync(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(b'{"next_batch":')
    await asyncio.sleep(int(request.query["timeout"]) / 1000)
    await response.write(b'"s1"}')
    await response.write_eof()
    return response


async def keys(_: web.Request) -> web.Response:
    name, key = sys.argv[1], SigningKey("a_test", sys.argv[2])
    document = {
        "server_name": name,
        "valid_until_ts": int(time.time() * 1000) + 3600_000,
        "verify_keys": {key.id: {"key": key.public_base64}},
        "old_verify_keys": {},
    }
    return web.json_response(sign_json(document, name, key.key))


async def small(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response(SMALL)


async def main() -> None:
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)  # clients that leave are part of it
    app = web.Application(client_max_size=1 << 30)
    app.router.add_put("/{_:.*}/echo", echo)
    app.router.add_get("/{_:.*}/pattern/{n}", download)
    app.router.add_get("/{_:.*}/sync", sync)
    app.router.add_get("/_matrix/key/v2/server", keys)
    app.router.add_route("*", "/{_:.*}", small)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
