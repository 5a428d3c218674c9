-- An upgrade of a shared stack, and everything that may go wrong with it: users stay, or are back.
local testing = require("testing")

local function upgrade(...)
  return testing.run("upgrade-with-snapshot", { ... })
end

local function current()
  for _, row in ipairs(generation.list("science")) do if row.current then return row.number end end
end

testing.case("the first upgrade adopts the environment and publishes the next generation", function()
  local before = fs.read(env.show("science").path .. "/spack.lock")
  local ran = upgrade("science", "openblas", "--try", "h5dump --version", "--json")
  testing.equal(ran.code, 0, ran.stderr)
  testing.equal(ran.json.number, 2)
  testing.equal(ran.json.before, 1)
  testing.equal(current(), 2)
  testing.equal(ran.json.changes[1].name, "openblas")
  testing.equal(fs.read(env.show("science").path .. "/spack.lock"), before, "the environment itself stays as it was")
  local first = generation.show("science", 1)
  testing.equal(fs.read(first.path .. "/spack.lock"), before)
  testing.truthy(fs.exists(first.link .. "/view/bin/h5dump"), "users find their programs")
end)

testing.case("a package that does not build leaves users where they are", function()
  local ran = upgrade("science", "practice-upgrade@2.0")
  testing.equal(ran.code, 2, ran.stdout)
  testing.contains(ran.stderr, "users stay on generation 2")
  testing.contains(ran.stderr, "practice-upgrade")
  testing.contains(ran.stderr, "log")
  testing.equal(current(), 2)
  testing.equal(generation.show("science", 3).progress, "broken")
  for _, row in ipairs(snapshot.list()) do testing.falsy(row.pinned, row.snapshot) end
end)

testing.case("a program that does not run is not published", function()
  local ran = upgrade("science", "practice-upgrade@2.1", "--try", "practice-upgrade")
  testing.equal(ran.code, 2, ran.stdout)
  testing.contains(ran.stderr, "does not run")
  testing.equal(current(), 2)
end)

testing.case("what is over the budget is refused and nothing is changed", function()
  local before = #generation.list("science")
  local ran = upgrade("science", "hdf5@1.12", "--max-rebuilds", "0")
  testing.equal(ran.code, 4, ran.stdout)
  testing.contains(ran.stderr, "built anew")
  local kept = upgrade("science", "hdf5@1.12", "--keep", "netcdf-c")
  testing.equal(kept.code, 4, kept.stdout)
  testing.contains(kept.stderr, "netcdf-c")
  testing.equal(#generation.list("science"), before)
  testing.equal(current(), 2)
end)

testing.case("nothing to upgrade is nothing done", function()
  local ran = upgrade("science", "openblas", "--json")
  testing.equal(ran.code, 0, ran.stderr)
  testing.falsy(ran.json.changed)
  testing.equal(current(), 2)
end)

testing.case("going back is one command, and is refused where the generation is not whole", function()
  local ran = testing.run("rollback", { "science", "--json" })
  testing.equal(ran.code, 0, ran.stderr)
  testing.equal(ran.json.number, 1)
  testing.equal(current(), 1)
  local broken = testing.run("rollback", { "science", "--to", "3" })
  testing.equal(broken.code, 4, broken.stdout)
  testing.equal(testing.run("rollback", { "science", "--to", "99" }).code, 2)
  testing.equal(current(), 1)
end)

testing.case("a plan of an upgrade says all of it and changes nothing", function()
  local before = fs.tree_digest(testing.site().root .. "/store")
  local ran = testing.moonstack{ "plan", "--check", "upgrade-with-snapshot", "science", "practice-upgrade@1.0" }
  testing.equal(ran.code, 6, ran.stderr)
  for _, word in ipairs{ "snapshot of", "spack.lock", "env track", "install", "point_link" } do
    testing.contains(ran.stdout, word)
  end
  testing.equal(fs.tree_digest(testing.site().root .. "/store"), before)
  testing.equal(current(), 1)
end)

testing.case("what waits for approval is gone on with", function()
  local ran = upgrade("science", "practice-upgrade@1.0", "--approve")
  testing.equal(ran.code, 1, ran.stderr)
  testing.contains(ran.stdout, "waits for approval")
  testing.equal(current(), 1)
  local number = tonumber(ran.stdout:match("%-%-number (%d+)"))
  local lock = fs.read(generation.show("science", number).path .. "/spack.lock")
  local approved = upgrade("science", "--number", tostring(number), "--json")
  testing.equal(approved.code, 0, approved.stderr)
  testing.equal(current(), number)
  testing.equal(fs.read(generation.show("science", number).path .. "/spack.lock"), lock, "exactly what was approved")
  testing.equal(upgrade("science", "zlib", "--number", "1").code, 3)
end)

testing.case("older generations go, but not those that were good", function()
  local ran = upgrade("science", "zlib@1.3", "--keep-generations", "2", "--json")
  testing.equal(ran.code, 0, ran.stderr)
  local there = {}
  for _, row in ipairs(generation.list("science")) do there[row.number] = row end
  testing.falsy(there[3], "nobody was ever on it")
  testing.truthy(there[1] and there[2], "users were on them")
  testing.truthy(there[1].left, "since when they are not")
  local kept = generation.prune("science", { keep = 1, dry_run = true }).kept
  testing.equal(kept[#kept].why, "it is one of the newest 1")
  generation.pin("science", 1)
  testing.truthy(generation.show("science", 1).pinned)
  testing.falsy(generation.unpin("science", 1).pinned)
end)

testing.case("in place, a failing upgrade is taken back by the snapshot", function()
  env.install("next")
  local path = env.show("next").path
  local manifest, lock = fs.read(path .. "/spack.yaml"), fs.read(path .. "/spack.lock")
  local failed = upgrade("next", "practice-upgrade@2.0", "--mode", "in-place")
  testing.equal(failed.code, 2, failed.stdout)
  testing.contains(failed.stderr, "is back as it was")
  testing.equal(fs.read(path .. "/spack.yaml"), manifest)
  testing.equal(fs.read(path .. "/spack.lock"), lock)
  local refused = upgrade("next", "practice-upgrade@1.1", "--mode", "in-place", "--keep", "practice-upgrade")
  testing.equal(refused.code, 4, refused.stdout)
  testing.equal(fs.read(path .. "/spack.lock"), lock)
  local ran = upgrade("next", "practice-upgrade@1.1", "--mode", "in-place")
  testing.equal(ran.code, 0, ran.stderr)
  testing.equal(#spack.find("practice-upgrade@1.1", { env = "next" }), 1)
  local back = testing.run("rollback", { "next", "--in-place", "--to", "1" })
  testing.equal(back.code, 0, back.stderr)
  testing.equal(fs.read(path .. "/spack.lock"), lock)
end)

testing.case("every night what has changed is kept", function()
  local first = testing.run("snapshot-nightly", { "--json" })
  testing.equal(first.code, 0, first.stdout .. first.stderr)
  local taken = 0
  for _, row in ipairs(first.json.environments) do if row.result == "taken" then taken = taken + 1 end end
  testing.truthy(taken > 0)
  for _, row in ipairs(testing.run("snapshot-nightly", { "--json" }).json.environments) do
    testing.equal(row.result, "unchanged", row.env)
    testing.equal(row.verdict, "installed", row.env)
  end
end)

testing.case("a request that says nothing is refused", function()
  testing.equal(upgrade("science").code, 3)
  testing.equal(upgrade("nowhere", "zlib").code, 2)
end)
