-- SPDX-License-Identifier: Apache-2.0
-- What wrk sends, and how it reports.  BENCH_REQUESTS names a file of prepared requests (see
-- signed.py): blocks of method, target, Authorization and body, each on a line of its own.  Without it
-- wrk repeats one GET of its URL.  Threads begin at different places of the file.

local threads = 0

function setup(thread)
   thread:set("number", threads)
   threads = threads + 1
end

if os.getenv("BENCH_REQUESTS") then
   local requests, at = {}, 0

   function init(_)
      local file = assert(io.open(os.getenv("BENCH_REQUESTS")))
      while true do
         local method, target = file:read("*l"), file:read("*l")
         local authorization, body = file:read("*l"), file:read("*l")
         if not body then break end
         requests[#requests + 1] = wrk.format(method, target,
            { ["Authorization"] = authorization, ["Content-Type"] = "application/json" }, body)
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
   local e = summary.errors
   io.write(string.format('\nRESULT {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, '
      .. '"bad_status": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
      e.status, e.connect + e.read + e.write + e.timeout))
end
