local testing = require("testing")

local function caught(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "nothing was raised")
  return e
end
-- The failure of an assertion: its text, and its kind for those who catch it.
local function refused(wanted, f, ...)
  local e = caught(f, ...)
  assert(e.facts.kind == "assertion", e.kind .. ": " .. e.message)
  assert(e.message == wanted, "got    " .. e.message .. "\nwanted " .. wanted)
  return e
end

-- What holds says nothing.
testing.equal(1, 1.0)
testing.equal(nil, nil)
testing.same({ 1, { a = { true } } }, { 1, { a = { true } } })
testing.same(0 / 0, 0 / 0)
testing.truthy(0)
testing.falsy(nil)
testing.contains("a.b", ".")
testing.contains({ 1, { x = 2 } }, { x = 2 })
testing.matches("zlib@1.3", "^zlib@%d")
testing.near(0.1 + 0.2, 0.3)
testing.near(10, 11, 1)

-- What does not says what was there and what was expected.
local e = refused('sum: got 3, expected "3"', testing.equal, 3, "3", "sum")
assert(e.facts.actual == "3" and e.facts.expected == '"3"' and e.where:find("tests/lua/testing.lua:4", 1, true), e.where)
refused("not the same table; testing.same compares what is in them", testing.equal, {}, {})
refused('a.b[2]: got "x", expected nil', testing.same, { a = { b = { 1, "x" } } }, { a = { b = { 1 } } })
refused("they differ:\n  [1]: got 1, expected 2\n  k: got nil, expected { y = 1 }", testing.same, { 1 }, { 2, k = { y = 1 } })
refused("the value: got 1, expected {}", testing.same, 1, {})
refused("got nil, expected something true", testing.truthy, nil)
refused("got 0, expected nil or false", testing.falsy, 0)
refused('"c" is not in { "a", "b" }', testing.contains, { "a", "b" }, "c")
refused('"zlib" does not match "^hdf5"', testing.matches, "zlib", "^hdf5")
refused("got 1.5, expected 1 ± 0.1", testing.near, 1.5, 1, 0.1)
refused("got nil, expected 1 ± 1", testing.near, nil, 1, 1)

-- Values are shown so that they can be read, whatever they are.
local loop = { 1 }
loop.again = loop
refused("got { 1, again = { itself } }, expected 2", testing.equal, loop, 2)
refused('got { "a\\nb", [-1] = 0, ["a b"] = true, x = {} }, expected 2', testing.equal,
  { "a\nb", [-1] = 0, ["a b"] = true, x = {} }, 2)
local long = caught(testing.equal, string.rep("ä", 1000), 2).message
assert(#long < 500 and utf8.len(long), long)
local deep = {}
for _ = 1, 20 do deep = { deep } end
assert(caught(testing.equal, deep, 2).message:find("{ … }", 1, true))
local other = { 1 }
other.again = other
testing.same(loop, other)

-- raises: the kind, also one of the script's own; the error comes back.
e = testing.raises("not_found", fs.read, "/nowhere/at/all")
assert(e.facts.path == "/nowhere/at/all")
testing.raises("mine", fail, "mine", "x")
testing.raises("mine", error, { kind = "mine" })
testing.raises(nil, error, "text")
refused("nothing was raised, expected busy", testing.raises, "busy", function() end)
refused("got an error of kind script, expected busy: text", testing.raises, "busy", error, "text")

-- Outside of `moonstack test` a case runs where it stands, and there is no site to spoil.
local ran = 0
testing.case("runs", function() ran = ran + 1 end)
assert(ran == 1)
assert(caught(testing.case, "fails", function() fail("busy", "x") end).kind == "busy")
assert(caught(testing.site).kind == "refused")
assert(caught(testing.faults, {}).kind == "refused")
assert(caught(testing.run, "health-sweep").kind == "refused")

-- What is wrong is refused.
assert(caught(testing.case, "runs", print).message:find("two cases 'runs'", 1, true))
assert(caught(testing.case, print).kind == "usage")
assert(caught(testing.contains, 5, 5).kind == "usage")
assert(caught(testing.raises, print).kind == "usage")
assert(caught(testing.faults, { pakage = {} }).message:find("did you mean 'package'?", 1, true))
assert(caught(testing.faults, { package = { x = { fial = "build" } } }).message:find("did you mean 'fail'?", 1, true))
assert(caught(testing.faults, { verb = { find = { code = "7" } } }).message:find("'code' must be a number", 1, true))
