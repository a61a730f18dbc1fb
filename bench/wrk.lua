-- Sends the requests in the file $REQUESTS (NUL between them) in turn; says as JSON what came of it.
local requests = {}
local file = io.open(os.getenv("REQUESTS"), "rb")
for request in (file:read("*a") .. "\0"):gmatch("(%Z+)%z") do
  requests[#requests + 1] = request
end
file:close()

local at = 0
request = function()
  at = at % #requests + 1
  return requests[at]
end

done = function(summary, latency)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.stderr:write(string.format(
    '{"rate": %.1f, "p50": %.4f, "p99": %.4f, "failed": %d}\n',
    (summary.requests - errors.status) / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed
  ))
end
