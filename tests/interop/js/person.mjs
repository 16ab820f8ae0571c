// SPDX-License-Identifier: Apache-2.0
// A user with a real browser client's library (matrix-js-sdk), over HTTP/1.1 or HTTP/2.
//
// Reads one JSON object from standard input: url, address (where the host names lead), user, password, ca (PEM),
// http2 (true or false).  Does what a client does all day and writes what it saw as one JSON object to standard output; an
// exception ends it with status 1.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent, fetch } from "undici";
import loglevel from "loglevel";
import sdk from "matrix-js-sdk";

const { createClient, ClientEvent, RoomEvent, EventType, MsgType } = sdk;
loglevel.getLogger("matrix").setLevel("silent");
const how = JSON.parse(readFileSync(0, "utf8"));
const dispatcher = new Agent({
    allowH2: how.http2,
    connect: {
        ca: how.ca,
        lookup: (host, options, done) =>
            options.all ? done(null, [{ address: how.address, family: 4 }]) : done(null, how.address, 4),
    },
});
const fetchFn = (url, options = {}) => fetch(url, { ...options, dispatcher });

function within(seconds, what, promise) {
    const late = new Promise((_, no) => setTimeout(() => no(new Error(`not within ${seconds} s: ${what}`)), seconds * 1000).unref());
    return Promise.race([promise, late]);
}

function event(emitter, name, wanted = () => true) {
    return new Promise((yes) => {
        const listener = (...args) => {
            if (!wanted(...args)) return;
            emitter.off(name, listener);
            yes(args);
        };
        emitter.on(name, listener);
    });
}

async function login() {
    const guest = createClient({ baseUrl: how.url, fetchFn });
    const answer = await guest.login("m.login.password", {
        identifier: { type: "m.id.user", user: how.user },
        password: how.password,
    });
    return createClient({ baseUrl: how.url, fetchFn, accessToken: answer.access_token, userId: answer.user_id, deviceId: answer.device_id });
}

// A message comes back through a sync that was waiting for it.
async function converse(client) {
    const { room_id: room } = await client.createRoom({ name: "interop" });
    const text = `hello ${randomBytes(8).toString("hex")}`;
    const seen = event(client, RoomEvent.Timeline, (e) => e.getRoomId() === room && e.getContent().body === text);
    await client.sendMessage(room, { msgtype: MsgType.Text, body: text });
    await within(30, "the message in a sync", seen);
    return room;
}

async function media(client) {
    const data = randomBytes(3_000_000);
    const { content_uri: uri } = await client.uploadContent(new Blob([data]), { type: "application/octet-stream" });
    const path = uri.replace("mxc://", "/_matrix/client/v1/media/download/");
    const answer = await fetchFn(how.url + path, { headers: { Authorization: `Bearer ${client.getAccessToken()}` } });
    const got = Buffer.from(await answer.arrayBuffer());
    const sum = (b) => createHash("sha256").update(b).digest("hex");
    return { status: answer.status, same: sum(got) === sum(data) };
}

async function refused(work) {
    try {
        await work;
        return "not refused";
    } catch (e) {
        return `${e.httpStatus} ${e.errcode}`;
    }
}

const client = await login();
const prepared = event(client, ClientEvent.Sync, (state) => state === "PREPARED");
await client.startClient({ pollTimeout: 20000 });
await within(60, "the first sync", prepared);
const room = await converse(client);
const result = {
    media: await media(client),
    display_name: await refused(client.setDisplayName("Dr. Evil")),
    unknown_room: await refused(client.getStateEvent("!nowhere:alpha.test", EventType.RoomName, "")),
    // Many at once, beside the sync that waits: what a browser wants HTTP/2 for.
    whoami: new Set((await Promise.all(Array.from({ length: 40 }, () => client.whoami()))).map((w) => w.user_id)).size,
};
await converse(client);
await client.leave(room);
client.stopClient();
await client.logout(true);
await dispatcher.destroy();
process.stdout.write(JSON.stringify(result) + "\n");
process.exit(0);
