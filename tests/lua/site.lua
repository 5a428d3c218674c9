local info = site.info()
assert(fs.exists(info.state) == false and info.practice == false and info.spack == nil and #info.files == 0)
assert(site.get("limits.spack").value == nil and site.get("limits").value ~= nil)
local ok, e = pcall(site.get, "limits.spak")
assert(not ok and e.kind == "unknown_name" and e.hint == "did you mean 'spack'?")
-- The first change opens the state database and is on record.
fs.mkdir(fs.temp_dir() .. "/x")
assert(fs.exists(info.state .. "/state.db"))
