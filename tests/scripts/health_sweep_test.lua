-- The sweep on a practice site that is well, and on sites where something is wrong.
local testing = require("testing")

local function sweep(...)
  return testing.run("health-sweep", { ... })
end

testing.case("a site that is well passes", function()
  local ran = sweep("--only", "spack,database,locks", "--json")
  testing.equal(ran.code, 0, ran.stderr)
  testing.equal(ran.json.summary.failed, 0)
  testing.same(ran.json.summary.word, "OK")
  for _, finding in ipairs(ran.json.findings) do testing.equal(finding.status, "pass", finding.message) end
end)

testing.case("a prefix that is gone is found", function()
  local zlib = spack.get("zlib@1.2.13")
  testing.truthy(zlib.prefix:sub(1, #testing.site().store) == testing.site().store, zlib.prefix)
  local aside = testing.site().root .. "/aside"
  fs.move(zlib.prefix, aside)
  local _ <close> = defer(function() fs.move(aside, zlib.prefix) end)
  local ran = sweep("--only", "database", "--json")
  testing.equal(ran.code, 2, ran.stdout)
  testing.contains(ran.stdout, "zlib")
  testing.equal(ran.json.findings[1].subject, "prefixes")
end)

testing.case("what is over is said", function()
  local ran = sweep("--only", "database")
  testing.equal(ran.code, 0, ran.stdout)
  testing.contains(ran.stdout, "over     database prefixes (was: FAIL)")
  testing.matches(ran.stdout, "OK: %d+ passed, 0 warned, 0 failed, 0 skipped in [%d.]+ s")
end)

testing.case("nothing is said when all is well and nobody wants to hear it", function()
  local ran = sweep("--only", "database", "--quiet")
  testing.equal(ran.code, 0)
  testing.equal(ran.stdout, "")
end)

testing.case("monitors get one line", function()
  local ran = sweep("--only", "database", "--nagios")
  testing.equal(ran.code, 0)
  testing.equal(#text.lines(ran.stdout), 1, ran.stdout)
  testing.matches(ran.stdout, "^OK %- 1 passed | ")
end)

testing.case("too little space is a warning with an advice", function()
  local ran = sweep("--only", "disk", "--disk-warn", "100%", "--disk-fail", "0%", "--json")
  testing.equal(ran.code, 1, ran.stdout)
  testing.equal(ran.json.findings[1].status, "warn")
  testing.truthy(ran.json.findings[1].fix)
end)

testing.case("a check that does not exist is refused", function()
  local ran = sweep("--only", "databse")
  testing.equal(ran.code, 3)
  testing.contains(ran.stderr, "did you mean 'database'?")
end)

testing.case("--json and --nagios exclude each other", function()
  testing.equal(sweep("--json", "--nagios").code, 3)
end)
