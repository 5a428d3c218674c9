local function list(t) return table.concat(t, "|") end
assert(list(text.split("a,b,,c", ",")) == "a|b||c" and list(text.split("a,b,c", ",", { limit = 2 })) == "a|b,c")
assert(list(text.split("  a  b\nc ")) == "a|b|c" and list(text.split("a.b", ".")) == "a|b")
assert(list(text.lines("one\r\ntwo\n\nthree")) == "one|two||three" and text.trim("\t x \n") == "x")
assert(text.size("4 GiB") == 4294967296 and text.size_words(1536) == "1.5 KiB")
assert(text.table({ { "zlib", "1.3" }, { "hdf5-long", "1" } }, { header = { "name", "v" } })
  == "name       v\nzlib       1.3\nhdf5-long  1")
assert(text.nearest("instal", { "find", "install" }) == "install")

-- Versions in Spack's order.
for _, case in ipairs{ { "1.10", "1.9", 1 }, { "1.2", "1.2", 0 }, { "2.0rc1", "2.0", -1 }, { "develop", "99", 1 }, { "1.2", "1.2.0", -1 } } do
  assert(text.version_compare(case[1], case[2]) == case[3], case[1] .. " " .. case[2])
end
assert(list(text.version_sort{ "1.10", "main", "1.9", "1.10rc1" }) == "1.9|1.10rc1|1.10|main")
for _, case in ipairs{
  { "1.3", "1.2:1.4", true }, { "1.4.9", "1.2:1.4", true }, { "1.5", "1.2:1.4", false }, { "1.2.1", "=1.2", false },
  { "1.6", "1.2:1.4,=1.6", true }, { "1.2.1", "1.2", true }, { "develop", "1.2:", true }, { "1.1", ":1.0", false },
} do
  assert(text.version_satisfies(case[1], case[2]) == case[3], case[1] .. " " .. case[2])
end
local ok, e = pcall(text.version_satisfies, "1.2:", "1.2")
assert(not ok and e.kind == "usage")
ok, e = pcall(text.version_satisfies, "1.2", "1.4:1.2")
assert(not ok, "a range that holds nothing")
