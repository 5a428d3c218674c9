-- defer: last in, first out; also after an error; may wait; its own failure is not lost.
local order = {}
local function note(text) order[#order + 1] = text end
pcall(function()
  local _ <close> = defer(function() time.sleep("1ms") note("first") end)
  local _ <close> = defer(function() note("second") end)
  note("body")
  error("x")
end)
do
  local _ <close> = defer(function() note("block") end)
end
assert(table.concat(order, " ") == "body second first block", table.concat(order, " "))

local ok, e = pcall(function()
  local _ <close> = defer(function() fail("busy", "cleanup") end)
end)
assert(not ok and e.kind == "busy")
-- The first error is the one that counts; that of the cleanup is told.
ok, e = pcall(function()
  local _ <close> = defer(function() fail("busy", "cleanup") end)
  fail("refused", "work")
end)
assert(not ok and e.kind == "refused")

-- Cleanup of a cancelled task may wait and may start tasks of its own.
local steps = {}
pcall(task.timeout, "10ms", function()
  local _ <close> = defer(function()
    steps = task.map({ 1, 2 }, function(n) time.sleep("5ms") return n end)
    steps[3] = task.timeout("1s", function() time.sleep("5ms") return 3 end)
  end)
  time.sleep("10s")
end)
assert(table.concat(steps, " ") == "1 2 3")

-- pcall, xpcall and coroutines do not swallow a cancel.
local after = {}
for name, attempt in pairs{
  pcall = function() pcall(time.sleep, 10) end,
  xpcall = function() xpcall(time.sleep, function() return 1 end, 10) end,
  resume = function() coroutine.resume(coroutine.create(function() time.sleep(10) end)) end,
  settle = function() task.settle({ 1 }, function() time.sleep(10) end) end,
} do
  local kind = select(2, pcall(task.timeout, "10ms", function() attempt() after[#after + 1] = name end)).kind
  assert(kind == "timeout", name)
end
assert(#after == 0, table.concat(after, " ") .. " swallowed the cancel")

-- However long a cancelled task cleans up, those that wait for it wait, and then clean up themselves.
local ended, undone = false, false
local in_time = pcall(task.timeout, "5ms", function()
  run.step("patient", function()
    run.compensate(function() time.sleep("1ms") undone = true end)
    task.all{ function()
      local _ <close> = defer(function()
        for _ = 1, 3000 do time.sleep("0.1ms") end
        ended = true
      end)
      time.sleep("10s")
    end }
  end)
end)
assert(not in_time and ended and undone, tostring(ended) .. " " .. tostring(undone))
-- A loop that never waits ends with its scope nevertheless.
assert(not pcall(task.timeout, "5ms", function() while true do end end))
-- Wherever in such a loop it is stopped, each cleanup that was asked for has run.
for round = 1, 200 do
  local asked, cleaned = 0, 0
  assert(not pcall(task.timeout, "1ms", function()
    while true do
      pcall(function()
        local _ <close> = defer(function() cleaned = cleaned + 1 end)
        asked = asked + 1
        for _ = 1, round do end
        error("x")
      end)
    end
  end))
  assert(asked > 0 and cleaned >= asked, asked .. " asked, " .. cleaned .. " cleaned")
end
