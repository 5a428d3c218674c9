local dir = fs.temp_dir()
local function refused(kind, f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok and e.kind == kind, tostring(e))
  return e
end
assert(fs.stat(dir).mode == "700" and fs.stat(dir).kind == "folder")

fs.write(dir .. "/a", "one", { mode = "640" })
assert(fs.stat(dir .. "/a").mode == "640")
fs.write(dir .. "/a", "two")
assert(fs.stat(dir .. "/a").mode == "640" and fs.read(dir .. "/a") == "two")
assert(#fs.list(dir) == 1, "a temporary file stayed")
refused("not_found", fs.write, dir .. "/no/such/folder", "x")
refused("usage", fs.write, dir .. "/a", "x", { mode = "rw" })
assert(fs.read(dir .. "/a") == "two")
refused("refused", fs.read, dir .. "/a", { limit = 2 })

assert(fs.digest(dir .. "/a") == "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3")
fs.mkdir(dir .. "/deep/er")
fs.mkdir(dir .. "/deep/er")
local before = fs.tree_digest(dir)
fs.copy(dir .. "/a", dir .. "/deep/b")
assert(fs.tree_digest(dir) ~= before and fs.stat(dir .. "/deep/b").mode == "640")
refused("exists", fs.copy, dir .. "/a", dir .. "/deep/b")
refused("usage", fs.copy, dir .. "/deep", dir .. "/deeper")
refused("exists", fs.move, dir .. "/a", dir .. "/deep/b")
fs.move(dir .. "/a", dir .. "/deep/b", { replace = true })
assert(not fs.exists(dir .. "/a"))

local seen = {}
for _, entry in ipairs(fs.walk(dir)) do seen[#seen + 1] = entry.kind .. " " .. entry.path end
assert(table.concat(seen, ",") == "folder deep,file deep/b,folder deep/er")
assert(#fs.walk(dir, { depth = 1 }) == 1)

local e = refused("refused", fs.remove, dir .. "/deep")
assert(e.hint:find("recursive", 1, true) and fs.exists(dir .. "/deep/b"))
refused("refused", fs.remove, "/", { recursive = true })
refused("not_found", fs.remove, dir .. "/gone")
fs.remove(dir .. "/gone", { missing_ok = true })

-- A link is removed itself.
process.run{ "ln", "-s", dir .. "/deep", dir .. "/link" }
assert(fs.stat(dir .. "/link").kind == "folder")
assert(fs.stat(dir .. "/link", { follow = false }).target == dir .. "/deep")
fs.remove(dir .. "/link", { recursive = true })
assert(fs.exists(dir .. "/deep/b") and not fs.exists(dir .. "/link"))
fs.remove(dir .. "/deep/er")
fs.remove(dir .. "/deep", { recursive = true })
assert(#fs.list(dir) == 0)
