local function caught(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "nothing was raised")
  return e
end

-- all and map: results in order, however long each takes.
local r = task.all{ function() time.sleep("20ms") return "slow" end, function() return "quick" end }
assert(r[1] == "slow" and r[2] == "quick")
r = task.map({ 30, 10, 20 }, function(ms, index) time.sleep(ms / 1000) return index .. ":" .. ms end)
assert(table.concat(r, " ") == "1:30 2:10 3:20")
assert(#task.all{} == 0 and #task.map({}, function() end) == 0)

-- limit: never more at once, and everything runs.
local now, most, done = 0, 0, 0
task.map({ 1, 2, 3, 4, 5, 6, 7 }, function()
  now = now + 1
  most = math.max(most, now)
  time.sleep("5ms")
  now, done = now - 1, done + 1
end, { limit = 3 })
assert(most == 3 and done == 7)
assert(caught(task.map, {}, function() end, { limit = 0 }).kind == "usage")

-- A failure cancels the others, waits for their cleanup, and is the one that is raised.
local cleaned = 0
local e = caught(task.all, {
  function()
    local _ <close> = defer(function() time.sleep("20ms") cleaned = cleaned + 1 end)
    time.sleep("10s")
  end,
  function() time.sleep("5ms") fail("refused", "first") end,
  function() time.sleep("8ms") fail("refused", "second") end,
})
assert(e.message == "first" and cleaned == 1)

-- race: the first success; the last failure if there is none.
assert(task.race{ function() time.sleep("5s") return "slow" end, function() error("bad") end,
  function() time.sleep("5ms") return "quick" end } == "quick")
assert(caught(task.race, { function() fail("busy", "a") end, function() time.sleep("5ms") fail("busy", "b") end }).message == "b")

-- timeout: its own error, and nobody else's.
e = caught(task.timeout, "20ms", function() time.sleep("10s") end)
assert(e.kind == "timeout" and e.facts.seconds == 0.02)
assert(task.timeout(5, function() return "in time" end) == "in time")
assert(caught(task.timeout, "5s", function() fail("busy", "x") end).kind == "busy")

-- group: ends when all have ended; tasks may start tasks.
local log = {}
local value = task.group(function(g)
  g.spawn(function()
    time.sleep("10ms")
    g.spawn(function() time.sleep("5ms") log[#log + 1] = "grandchild" end)
    log[#log + 1] = "child"
  end)
  log[#log + 1] = "body"
  return 42
end)
assert(value == 42 and table.concat(log, " ") == "body child grandchild")

-- settle: never fails.
local thrown = {}
r = task.settle({ 1, 2, 3 }, function(n)
  if n == 2 then error(thrown) end
  return n * 10
end)
assert(r[1].ok == 10 and r[2].error == thrown and r[2].ok == nil and r[3].ok == 30)

-- Fifty levels fit.
local function deep(n)
  if n == 0 then time.sleep("1ms") return 1 end
  return task.map({ n }, function() return deep(n - 1) end)[1]
end
assert(deep(50) == 1)

-- Generators that call primitives.
local generator = coroutine.wrap(function()
  for i = 1, 3 do
    time.sleep("1ms")
    coroutine.yield(i)
  end
end)
local sum = 0
for i in generator do sum = sum + i end
assert(sum == 6)
local thread = coroutine.create(function(a)
  time.sleep("1ms")
  local b = coroutine.yield(a + 1)
  local inner = coroutine.wrap(function() time.sleep("1ms") coroutine.yield(b + 1) end)
  return inner()
end)
assert(select(2, coroutine.resume(thread, 1)) == 2)
local ok, last = coroutine.resume(thread, 5)
assert(ok and last == 6 and coroutine.status(thread) == "dead")
