-- Checks that a script defines run beside the built-in ones and are judged alike.

check.define{ name = "answer", doc = "The answer is known.", run = function(o)
  assert(o.thresholds.disk_warn == "10%", o.thresholds.disk_warn)
  return { status = "warn", message = "42", fix = "ask again", measure = { value = 42, unit = "" }, reference = 7 }
end }
check.define{ name = "several", doc = "Gives two findings.", run = function()
  return { { status = "pass", message = "one", subject = "a" }, { status = "pass", message = "two", subject = "b" } }
end }
check.define{ name = "breaks", doc = "Raises.", run = function() fail("io", "no disk") end }
check.define{ name = "throws", doc = "Raises text.", run = function() error("just text", 0) end }
check.define{ name = "hangs", doc = "Never ends.", timeout = "50ms", run = function() time.sleep("1h") end }
check.define{ name = "spins", doc = "Never waits.", timeout = "50ms", run = function() while true do end end }
check.define{ name = "lacks", doc = "Needs what is not there.", needs = { "program:no-such-thing" }, run = error }
check.define{ name = "garbled", doc = "Gives nonsense.", run = function() return { status = "good", message = "x" } end }
check.define{ name = "silent", doc = "Gives nothing.", run = function() end }
check.define{ name = "typo", doc = "Misspells.", run = function() return { status = "pass", mesage = "x" } end }

local found = check.run{ skip = { "spack", "configuration", "python", "git", "build_tools", "compilers",
  "externals", "database", "locks", "failures", "disk", "mirrors", "modules", "generations" } }
local by = {}
for _, finding in ipairs(found) do by[finding.check .. (finding.subject or "")] = finding end

assert(#found == 12, "findings: " .. #found)
assert(by.gpu and by.gpu.check == "gpu")
assert(by.answer.status == "warn" and by.answer.reference == "7" and by.answer.seconds < 5)
assert(by.severala.message == "one" and by.severalb.message == "two")
assert(by.breaks.status == "fail" and by.breaks.kind == "io" and by.breaks.message == "no disk")
assert(by.throws.status == "fail" and by.throws.message == "just text", by.throws.message)
assert(by.hangs.status == "fail" and by.hangs.kind == "timeout", by.hangs.message)
assert(by.spins.status == "fail" and by.spins.kind == "timeout", by.spins.message)
assert(by.lacks.status == "skipped")
assert(by.lacks.message == "needs program:no-such-thing: there is no no-such-thing on PATH", by.lacks.message)
assert(by.garbled.status == "fail" and by.garbled.message:find("known: pass, warn, fail, skipped", 1, true))
assert(by.silent.status == "fail" and by.silent.message == "gave a nil, not a finding", by.silent.message)
assert(by.typo.status == "fail" and by.typo.message:find("unknown field 'mesage'", 1, true))

-- Summary and history take them as they are.
local summary = check.summary(found)
assert(summary.exit == 2 and summary.word == "CRITICAL" and summary.failed == 7, summary.line)
assert(#check.record(found).changes == 0)
by.answer.status = "pass"
local changes = check.record(found).changes
assert(#changes == 1 and changes[1].check == "answer" and changes[1].from == "warn" and changes[1].to == "pass")
assert(check.history("answer", { limit = 1 })[1].status == "pass")

-- What is wrong is refused, with advice.
local function refused(text, f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok and tostring(e):find(text, 1, true), tostring(e))
  return e
end
assert(refused("check 'gitt' does not exist", check.run, { only = { "gitt" } }).hint == "did you mean 'git'?")
assert(refused("disk_wran", check.run, { only = { "gpu" }, thresholds = { disk_wran = 1 } }).hint
  == "did you mean 'disk_warn'?")
refused("unknown field 'onyl'", check.run, { onyl = { "git" } })
refused("'only' must be a table", check.run, { only = "git" })
refused("'doc' is missing", check.define, { name = "x", run = print })
refused("unknown field 'nme'", check.define, { nme = "x" })
refused("built-in check", check.define, { name = "git", doc = "", run = print })
refused("is not a name", check.define, { name = "My Check", doc = "", run = print })
refused("need 'spak' does not exist", check.unmet, { "spak" })
refused("'summery'", function() return check.summery end)

-- A cancel goes through a defined check.
local ok, e = pcall(task.timeout, "50ms", function()
  check.define{ name = "hangs", doc = "Never ends.", run = function() time.sleep("1h") end }
  check.run{ only = { "hangs" } }
end)
assert(not ok and e.kind == "timeout", tostring(e))
