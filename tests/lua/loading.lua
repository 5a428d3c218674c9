-- Texts only, from the folders that are allowed.
local function caught(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "nothing was raised")
  return e
end
assert(require("greeting").hello("you") == "hello you")
assert(require("greeting") == require("greeting"))
assert(require("nested.inner") == "inner")
for _, name in ipairs{ "../lua/smoke", "/etc/passwd", "greeting/x", "..", "" } do
  assert(caught(require, name).kind == "usage", name)
end
assert(caught(require, "nothing_like_it").kind == "unknown_name")
local e = caught(require, "circle")
assert(e.kind == "script" and e.message:find("requires itself", 1, true), tostring(e))

assert(string.dump == nil)
assert(load("return 1 + 1")() == 2 and load("return x", "c", "t", { x = 5 })() == 5)
assert(caught(load, "return 1", "c", "b").kind == "usage")
local chunk, why = load("\27Lua" .. string.rep("\0", 40))
assert(chunk == nil and tostring(why):find("binary chunk", 1, true), tostring(why))
local parts = { "\27Lua", string.rep("\0", 40) }
chunk, why = load(function() return table.remove(parts, 1) end)
assert(chunk == nil and tostring(why):find("binary chunk", 1, true), tostring(why))
