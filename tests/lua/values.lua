-- None is nil, an empty list stays a list, bytes stay bytes, and JSON says what Lua has.
local dir = fs.temp_dir()
assert(fs.stat(dir).target == nil and not fs.stat(dir).target)
assert(text.nearest("qqqq", { "install" }) == nil)
assert(fs.exists(dir) == true and fs.exists(dir .. "/x") == false and fs.exists("/etc/passwd/x") == false)

local none = fs.list(dir)
assert(#none == 0 and json.encode(none) == "[]" and json.encode({ none = none }) == '{"none":[]}')
assert(json.encode({}) == "{}" and json.encode(json.list({})) == "[]")
assert(json.encode(json.decode('{"a":[],"b":{}}')) == '{"a":[],"b":{}}')
assert(json.encode({ b = 1, a = { 1, 2.5, true, "ä" } }) == '{"a":[1,2.5,true,"ä"],"b":1}')
assert(json.encode({ value = 1 }) == '{"value":1}' and json.encode({ value = 1, pretty = 2 }) == '{"pretty":2,"value":1}')
assert(json.encode({ 1 }, { pretty = true }) == "[\n  1\n]")
assert(json.encode("x") == '"x"' and json.encode(3) == "3" and json.encode(false) == "false")
assert(json.decode("null") == nil and json.decode('{"a":null,"b":1}').a == nil)
assert(json.decode("9007199254740993") == 9007199254740993)

local function refused(kind, part, f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok and e.kind == kind and e.message:find(part, 1, true), tostring(e))
  return e
end
refused("usage", "cannot say", json.encode, { 0 / 0 })
refused("usage", "names or gaps", json.encode, { a = { 1, x = 2 } })
refused("usage", "must be a list", json.encode, { [10] = 2 })
refused("usage", "not UTF-8", json.encode, { "\xff" })
local loop = {}
loop.loop = loop
refused("limit", "contains itself", json.encode, loop)
local e = refused("corrupt", "line 2, column 3", json.decode, '{\n  nope }')
assert(e.facts.line == 2 and e.facts.column == 3)

local y = yaml.decode("spack:\n  specs: [zlib, hdf5@1.12]\n  view: true\n  none:\n")
assert(y.spack.specs[2] == "hdf5@1.12" and y.spack.view == true and y.spack.none == nil)
e = refused("corrupt", "line 2", yaml.decode, "a: 1\nb: [1, 2\n")
local t = toml.decode('when = 2026-03-01\n[limits]\nspack = "2h"\nlist = [1, 2]\n')
assert(t.when == "2026-03-01" and t.limits.spack == "2h" and t.limits.list[2] == 2)
e = refused("corrupt", "line 2, column 5", toml.decode, 'a = 1\nb = \n')
assert(toml.decode(toml.encode({ a = { b = { 1, 2 } }, c = "x" })).a.b[2] == 2)
refused("usage", "table with names", toml.encode, { 1, 2 })

-- Bytes: all 256, invalid as UTF-8.
local all = {}
for i = 0, 255 do all[#all + 1] = string.char(i) end
all = table.concat(all)
fs.write(dir .. "/bytes", all)
assert(fs.read(dir .. "/bytes") == all and fs.stat(dir .. "/bytes").size == 256)

-- An empty table is an empty list where a list is wanted, also among options that several primitives share: there is
-- no Spack here, and that is all that is wrong.
refused("no_spack", "no Spack", spack.install, "zlib", { variables = {} })
