-- Unknown names are refused with the nearest, whatever they are names of.
local function caught(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "nothing was raised")
  return e
end
local function unknown(hint, f, ...)
  local e = caught(f, ...)
  assert(e.kind == "unknown_name", tostring(e.kind) .. ": " .. tostring(e))
  assert(e.hint == hint, tostring(e.hint))
end

unknown("did you mean 'read'?", function() return fs.raed end)
unknown("did you mean 'map'?", function() return task.mpa end)
unknown("did you mean 'mode'?", fs.write, "/nowhere/x", "y", { moed = "644" })
unknown("did you mean 'limit'?", task.map, {}, function() end, { limt = 3 })
unknown("did you mean 'json'?", function() return jsn end)
unknown("did you mean 'fs.walk'?", function() return walk end)
unknown("files are read and written with fs.*, programs run with process.run", function() return io end)
assert(caught(function() return os.execute end).kind == "unknown_name")
assert(caught(function() return os.remove end).kind == "unknown_name")
for _, name in ipairs{ "package", "debug", "dofile", "loadfile", "io" } do
  assert(caught(function() return _G[name] end).kind == "unknown_name", name)
end
assert(type(os.time()) == "number" and os.getenv("NO_SUCH_VARIABLE_HERE") == nil)

-- A script must say local; modules are read only.
local e = caught(function() surprise = 1 end)
assert(e.kind == "usage" and e.hint == "write: local surprise = …")
e = caught(function() fs.read = nil end)
assert(e.kind == "usage" and e.message:find("read only", 1, true))
assert(type(fs.read) == "function")
-- … also once a function was used, and those written in Lua; nor can the table behind be had.
for _, assign in ipairs{
  function() fs.read = nil end, function() fs.read = print end, function() fs.mine = 1 end,
  function() check.run = nil end, function() task.map = nil end, function() os.time = nil end,
} do
  e = caught(assign)
  assert(e.kind == "usage" and e.message:find("read only", 1, true), tostring(e))
end
assert(type(check.run) == "function" and type(task.map) == "function" and type(os.time) == "function")
assert(getmetatable(fs) == false and not pcall(setmetatable, fs, {}))
assert(fs.read == fs.read, "a function is made once")

-- Arguments: missing, too many, of the wrong kind, given twice.
e = caught(fs.read)
assert(e.kind == "usage" and e.message == "fs.read: 'path' is missing" and e.hint:find("The file", 1, true))
assert(caught(fs.read, "a", {}, 3).message:find("too many arguments", 1, true))
assert(caught(fs.read, "a", 3).message:find("must be a table of options", 1, true))
assert(caught(fs.read, "a", { path = "b" }).message:find("given twice", 1, true))
assert(caught(fs.read, { path = "/nowhere" }).kind == "not_found")
e = caught(process.run, { "true" }, { env = { CC = 1 } })
assert(e.kind == "usage" and e.message:find("env.CC", 1, true), tostring(e))
assert(caught(fs.read, function() end).message:find("cannot be a function", 1, true))

-- A table with names is no list, neither is a list with names in it.
e = caught(process.run, { argv = { program = "true" } })
assert(e.kind == "usage" and e.message:find("must be a list, not a table with names", 1, true))
assert(caught(process.run, { "true", cwd = "/" }).message:find("must be a list", 1, true))
assert(caught(text.version_sort, { "1", x = "2" }).message:find("must be a list", 1, true))
