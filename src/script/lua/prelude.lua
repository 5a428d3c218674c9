-- Makes Lua safe to cancel and strict about names. Runs once, before any script; gets what only it may keep.
local host = ...
local raw_pcall, raw_xpcall, raw_error = pcall, xpcall, error
local select, setmetatable, type, tostring = select, setmetatable, type, tostring
local co_create, co_resume, co_status = coroutine.create, coroutine.resume, coroutine.status
local co_yield = coroutine.yield
local pack, unpack = table.pack, table.unpack

-- A cancelled scope unwinds: nobody may swallow that error.
local function pass(ok, ...)
  if not ok and host.is_cancelled((...)) then raw_error((...), 0) end
  return ok, ...
end

function pcall(f, ...) return pass(raw_pcall(f, ...)) end

function xpcall(f, handler, ...)
  return pass(raw_xpcall(f, function(e)
    if host.is_cancelled(e) then return e end
    return handler(e)
  end, ...))
end

-- A primitive suspends by yielding a marker to the host. Within a script's own coroutine the marker must go
-- outward, or a generator that waits would hand it to its caller as a value.
local pending = host.pending
local function carry(thread, ok, first, ...)
  while ok and first == pending and co_status(thread) == "suspended" do
    return carry(thread, co_resume(thread, co_yield(pending)))
  end
  return pass(ok, first, ...)
end

function coroutine.resume(thread, ...) return carry(thread, co_resume(thread, ...)) end

local function give(ok, ...)
  if not ok then raw_error((...), 0) end
  return ...
end

-- Lua lets cleanup wait only while it unwinds to a protected call, so each coroutine has one of its own.
local function create(f)
  if type(f) ~= "function" then fail("usage", "a coroutine takes a function, not a " .. type(f)) end
  return co_create(function(...) return give(raw_pcall(f, ...)) end)
end
coroutine.create = create

function coroutine.wrap(f)
  local thread = create(f)
  return function(...) return give(carry(thread, co_resume(thread, ...))) end
end

-- The drivers are in Rust; a failure comes back as a value, so that an error table stays a table.
local function raising(f)
  return function(...) return give(f(...)) end
end
task = {}
for name, f in next, host.task do task[name] = raising(f) end
task.group = function(body)
  local group = host.group()
  local handle = { spawn = function(f) group:spawn(f) end }
  return give(group:run(function() return body(handle) end))
end
task = host.module("task", task)

-- A finalizer would run at any time, also where nothing may wait and nothing can stop it.
local rawget = rawget
_G.setmetatable = function(t, meta)
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then
    fail("usage", "setmetatable: a script cannot have __gc", nil,
      "local _ <close> = defer(function() … end) runs when the block ends")
  end
  return setmetatable(t, meta)
end

-- The clock and the process environment may be looked at; nothing else of `os` is here.
os = host.module("os", { time = os.time, date = os.date, clock = os.clock, getenv = os.getenv })

-- Modules come from the script's folder, the site's folders and the executable; nothing else.
local loaded, loading = {}, {}
function require(name)
  if loaded[name] ~= nil then return loaded[name] end
  if loading[name] then fail("script", "module '" .. tostring(name) .. "' requires itself") end
  local chunk = host.find_module(name)
  loading[name] = true
  local result = pack(pcall(chunk, name))
  loading[name] = nil
  local value = give(unpack(result, 1, result.n))
  if value == nil then value = true end
  loaded[name] = value
  return value
end

-- A declaration is checked by whoever runs it; here it is only marked, so that it is not mistaken for a result.
local declared = { __name = "workflow" }
function workflow(declaration)
  if type(declaration) ~= "table" then fail("usage", "workflow takes one table") end
  return setmetatable(declaration, declared)
end
host.declared(declared)

string.dump = nil
dofile, loadfile = nil, nil
local raw_load = load
function load(chunk, name, mode, env)
  if mode ~= nil and mode ~= "t" then fail("usage", "load reads text only: byte code can break the machine") end
  if env == nil then return raw_load(chunk, name, "t") end
  return raw_load(chunk, name, "t", env)
end

setmetatable(_G, {
  __index = function(_, name) host.unknown_global(name) end,
  __newindex = function(t, name, value)
    if host.may_assign(name) then rawset(t, name, value) end
  end,
})
