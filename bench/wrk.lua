-- SPDX-License-Identifier: Apache-2.0
-- What wrk sends, and how it reports.  BENCH_REQUESTS names a file of prepared requests (see
-- signed.py and works/policy.py): blocks of method, target, Authorization and body, each on a line of its
-- own; an empty body is none.  Without it wrk repeats one GET of its URL.  Threads begin at different
-- places of the file.

local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

if (os.getenv("BENCH_REQUESTS") or "") ~= "" then
   local requests, at = {}, 0

   function init(_)
      local file = assert(io.open(os.getenv("BENCH_REQUESTS")))
      while true do
         local method, target = file:read("*l"), file:read("*l")
         local authorization, body = file:read("*l"), file:read("*l")
         if not body then break end
         local fields = { ["Authorization"] = authorization }
         if body == "" then
            body = nil
         else
            fields["Content-Type"] = "application/json"
         end
         requests[#requests + 1] = wrk.format(method, target, fields, body)
      end
      file:close()
      at = (number * 997) % #requests
   end

   function request()
      at = at % #requests + 1
      return requests[at]
   end
end

function done(summary, latency, _)
   local e, slow = summary.errors, 0
   for i = 1, #latency do
      local us, count = latency(i)
      if us > 10000 then slow = slow + count end
   end
   io.write(string.format('\nRESULT {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, '
      .. '"max_us": %d, "over_10ms": %d, "bad_status": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
      latency.max, slow, e.status, e.connect + e.read + e.write + e.timeout))
end
