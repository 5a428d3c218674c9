-- A list of specs that is installed as far as it goes, and is gone on with.
local testing = require("testing")

local function install(...)
  return testing.run("install-list", { ... })
end

testing.case("what is there is said to be there", function()
  local ran = install("cmake", "fftw", "cmake", "--json")
  testing.equal(ran.code, 0, ran.stderr)
  testing.equal(#ran.json.specs, 2, "each spec counts once")
  for _, row in ipairs(ran.json.specs) do testing.equal(row.result, "was there", row.spec) end
  testing.equal(#ran.json.packages, 0)
end)

testing.case("a failing package does not stop the others and is named with its reason", function()
  testing.faults{ package = { ["openblas"] = { fail = "build" } } }
  local list = testing.site().root .. "/list.txt"
  fs.write(list, "# wanted\nopenblas   # breaks\n\npython@3.13 \n")
  local ran = install("--file", list, "--json")
  testing.equal(ran.code, 2, ran.stderr)
  testing.equal(ran.json.failed, 1)
  local first = ran.json.specs[1]
  testing.equal(first.result, "FAILED")
  testing.contains(first.why, "openblas")
  testing.truthy(first.log and fs.exists(first.log), "the build log is named")
  testing.falsy(ran.json.specs[2].result == "FAILED", "the second spec was not tried")
end)

testing.case("a run that failed is gone on with where it failed", function()
  local last = testing.moonstack{ "--json", "runs", "-n", "1" }.json[1]
  testing.equal(last.state, "failed")
  local ran = testing.moonstack{ "--json", "runs", "resume", tostring(last.id) }
  testing.equal(ran.code, 0, ran.stderr)
  testing.equal(#spack.find("openblas"), 1)
end)

testing.case("an environment is installed as a whole", function()
  env.create("listed", { "gromacs" })
  local ran = install("--env", "listed", "--json")
  testing.equal(ran.code, 0, ran.stderr)
  testing.truthy(env.status("listed").ok)
end)

testing.case("nothing to install and too much to install are refused", function()
  testing.equal(install().code, 3)
  testing.equal(install("zlib", "--env", "science").code, 3)
  testing.equal(install("--file", "/nowhere").code, 2)
end)

testing.case("a plan of it changes nothing", function()
  local before = fs.tree_digest(testing.site().store)
  local ran = testing.moonstack{ "plan", "--check", "install-list", "cmake@3.30" }
  testing.equal(ran.code, 6, ran.stdout .. ran.stderr)
  testing.equal(fs.tree_digest(testing.site().store), before)
end)
