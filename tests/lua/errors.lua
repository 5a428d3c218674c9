-- One error object, whichever way it goes.
local function caught(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "nothing was raised")
  return e
end

local e = caught(fs.read, "/nowhere/at/all")
assert(e.kind == "not_found" and e.message:find("/nowhere/at/all", 1, true))
assert(e.facts.path == "/nowhere/at/all" and e.retry == false)
assert(tostring(e):find("cannot", 1, true))

-- Lua → Rust → Lua: through a nursery, a timeout and a rethrow the same object comes back.
local again = caught(function()
  task.all{ function()
    task.timeout("10s", function()
      local ok, inner = pcall(fs.read, "/nowhere/at/all")
      error(inner)
    end)
  end }
end)
assert(again.kind == "not_found" and again.facts.path == "/nowhere/at/all" and again.message == e.message)

-- What fail raises.
e = caught(fail, "refused", "not today", { day = "Sunday", tries = 3 })
assert(e.kind == "refused" and e.message == "not today" and e.facts.day == "Sunday" and e.facts.tries == 3)
assert(e.hint == nil and #e.hints == 0)
e = caught(fail, "my_own_kind", "hm")
assert(e.kind == "script" and e.facts.kind == "my_own_kind")

-- Error tables stay tables, also through tasks and coroutines.
local thrown = { kind = "mine", detail = { 1, 2 } }
assert(caught(error, thrown) == thrown)
assert(caught(task.all, { function() error(thrown) end }) == thrown)
assert(caught(task.map, { 1 }, function() time.sleep("1ms") error(thrown) end) == thrown)
assert(caught(task.timeout, "5s", function() error(thrown) end) == thrown)
assert(caught(task.race, { function() error(thrown) end }) == thrown)
assert(caught(task.group, function(g) g.spawn(function() error(thrown) end) end) == thrown)
assert(caught(coroutine.wrap(function() error(thrown) end)) == thrown)

-- A misspelt field of an error is refused too.
e = caught(function() return again.knid end)
assert(e.kind == "unknown_name" and e.hint == "did you mean 'kind'?")

-- Texts stay texts, nil stays nil, and a handler is called where the error is.
assert(caught(error, "plain", 0) == "plain")
assert(select(2, xpcall(error, function(x) return "handled " .. x end, "it", 0)) == "handled it")
