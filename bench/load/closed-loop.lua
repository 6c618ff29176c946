-- The closed loop of the bench: wrk -t1 -c32 -d5s -s closed-loop.lua URL -- PLAN
-- Sends the requests of a plan (plan.ts) in turn, and prints one line of JSON that wrk.ts reads.

local requests, seed, turn = {}, "", 0

function init(args)
  local plan = dofile(args[1])
  seed = plan.seed
  for index, planned in ipairs(plan.requests) do
    local text = wrk.format(planned.method, planned.path, planned.headers, planned.body)
    local from, to = string.find(text, "$KEY", 1, true)
    if from == nil then
      requests[index] = { text }
    else
      requests[index] = { string.sub(text, 1, from - 1), string.sub(text, to + 1) }
    end
  end
end

function request()
  turn = turn + 1
  local planned = requests[(turn - 1) % #requests + 1]
  if planned[2] == nil then return planned[1] end
  return planned[1] .. seed .. "-" .. turn .. planned[2]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'BENCH {"requests":%d,"refused":%d,"errors":%d,"seconds":%f,"p50Ms":%f,"p99Ms":%f}\n',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
