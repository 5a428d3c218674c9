local retry = require("retry")

local function caught(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "nothing was raised")
  return e
end
local QUICK = { base = "1ms", jitter = 0 }
local function quick(more)
  local o = {}
  for k, v in pairs(QUICK) do o[k] = v end
  for k, v in pairs(more or {}) do o[k] = v end
  return o
end

-- The first success ends it; all results come back, and the number of the attempt goes in.
local seen = {}
local a, b, c = retry(quick(), function(n)
  seen[#seen + 1] = n
  if n < 3 then fail("network", "away") end
  return n, nil, "third"
end)
assert(a == 3 and b == nil and c == "third" and table.concat(seen, " ") == "1 2 3")

-- Exhaustion: kind of the last, every attempt, the last error's own facts.
local e = caught(retry, quick{ max = 3, name = "fetch zlib" }, function(n)
  fail(n == 3 and "fetch" or "timeout", "no " .. n, { url = "https://x/" .. n })
end)
assert(e.kind == "fetch", e.kind)
assert(e.message:find("^fetch zlib: gave up after 3 attempts over .+: no 3$"), e.message)
assert(e.facts.url == "https://x/3" and #e.facts.attempts == 3)
local second = e.facts.attempts[2]
assert(second.number == 2 and second.kind == "timeout" and second.message == "no 2" and second.seconds >= 0)
assert(math.abs(second.waited - 0.002) < 1e-9 and e.facts.attempts[3].waited == 0, second.waited)
assert(e.where:find("tests/lua/retry.lua", 1, true), e.where)

-- Other kinds pass at once, as the same object; error tables and texts too.
local calls = 0
local thrown = { kind = "mine" }
assert(caught(retry, quick(), function() calls = calls + 1 error(thrown) end) == thrown and calls == 1)
assert(caught(retry, quick(), function() error("text", 0) end) == "text")
e = caught(retry, quick(), function() fs.read("/nowhere/at/all") end)
assert(e.kind == "not_found" and e.message:find("^cannot"), e.message)

-- … also when it comes after one that was tried again.
calls = 0
e = caught(retry, quick(), function(n) calls = n fail(n == 1 and "lock" or "build", "at " .. n) end)
assert(e.kind == "build" and e.message == "at 2" and calls == 2)

-- `on` says which; an error that says itself that it may pass counts only without it.
calls = 0
caught(retry, quick{ on = { "build" }, max = 2 }, function() calls = calls + 1 fail("build", "x") end)
assert(calls == 2)
calls = 0
caught(retry, quick{ on = { "build" } }, function() calls = calls + 1 fail("network", "x") end)
assert(calls == 1)
calls = 0
caught(retry, quick{ max = 2 }, function() calls = calls + 1 error{ kind = "io", message = "x", retry = true } end)
assert(calls == 2)

-- `decide` has the last word.
local questions = {}
calls = 0
e = caught(retry, quick{ max = 9, decide = function(q)
  questions[#questions + 1] = q
  if q.number < 3 then return 0.001 end
  return false
end }, function() calls = calls + 1 fail("build", "x") end)
assert(calls == 3 and e.kind == "build" and e.message == "x")
assert(questions[1].wait == false and questions[1].kind == "build" and questions[2].number == 2)
calls = 0
caught(retry, quick{ max = 2, decide = function() end }, function() calls = calls + 1 fail("lock", "x") end)
assert(calls == 2)
assert(caught(retry, quick{ decide = function() return "soon" end }, function() fail("lock", "x") end).kind == "usage")

-- `within` bounds the whole, `cap` each wait, the jitter stays in its share.
e = caught(retry, { max = 9, base = "1h", within = "1s" }, function() fail("network", "x") end)
assert(#e.facts.attempts == 1 and e.message:find("after 1 attempt over", 1, true), e.message)
local waits = {}
caught(retry, { max = 200, base = "2ms", cap = "2ms", jitter = 0.5, decide = function(q)
  waits[#waits + 1] = q.wait
  return q.number < 100 and 0 or false
end }, function() fail("network", "x") end)
local least, most = math.huge, 0
for _, w in ipairs(waits) do least, most = math.min(least, w), math.max(most, w) end
assert(#waits == 100 and least >= 0.001 and most <= 0.003 and most - least > 0.0005, least .. " " .. most)

-- A cancel goes through a wait and is never tried again.
calls = 0
e = caught(task.timeout, "30ms", function()
  retry({ base = "1h" }, function() calls = calls + 1 fail("network", "x") end)
end)
assert(e.kind == "timeout" and calls == 1)

-- What is wrong is refused, with advice.
local function refused(wanted, ...)
  local wrong = caught(retry, ...)
  assert(tostring(wrong):find(wanted, 1, true), tostring(wrong))
end
refused("did you mean 'network'?", { on = { "netwrk" } }, print)
refused("did you mean 'factor'?", { facter = 2 }, print)
refused("is never tried again", { on = { "cancelled" } }, print)
refused("'on' must be a list", { on = { network = true } }, print)
refused("'max' must be a whole number", { max = 1.5 }, print)
refused("at least 1", { max = 0 }, print)
refused("at most 1", { jitter = 2 }, print)
refused("a table of options and a function", {}, nil)
refused("a table of options and a function", print)
