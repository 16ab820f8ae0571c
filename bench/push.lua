-- SPDX-License-Identifier: Apache-2.0
-- Notifications as Synapse sends them (event_id_only), each of an event of its own, to FCM pushkeys.
-- BENCH_KEYS: how many pushkeys there are.  BENCH_RUN: the gateway may remember the events of another.

local keys = tonumber(os.getenv("BENCH_KEYS") or "10000")
local threads, sent = 0, 0
local run = os.getenv("BENCH_RUN") or "0" -- the events of each are others
local fixed = string.rep("A", 12) .. ":APA91b" .. string.rep("x", 134)

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

function init(_)
   head = '{"notification":{"counts":{"unread":1},"devices":[{"app_id":"org.bench.android","data":'
      .. '{"default_payload":{"aps":{"mutable-content":1}},"format":"event_id_only"},"pushkey":"' .. fixed
   path = "/_matrix/push/v1/notify"
   fields = { ["Content-Type"] = "application/json", ["User-Agent"] = "Synapse/1.160.0" }
end

function request()
   sent = sent + 1
   local key = string.format("%010d", (sent * 7919 + number) % keys)
   local event = string.format("$%s_%02d_%030d", run, number, sent)
   return wrk.format("POST", path, fields, head .. key .. '","pushkey_ts":1795302244}],"event_id":"' .. event
      .. '","prio":"high","room_id":"!OGEhHVWSdvArJzumhm:praxis.example"}}')
end

function done(summary, latency, _)
   local e = summary.errors
   io.write(string.format('\nRESULT {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, '
      .. '"bad_status": %d, "broken": %d}\n', summary.requests, summary.duration / 1e6,
      latency:percentile(50), latency:percentile(99), e.status, e.connect + e.read + e.write + e.timeout))
end
