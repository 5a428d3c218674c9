local dir = fs.temp_dir()
-- One that has ended may wait for its parent still.
local function alive(pid)
  local there, stat = pcall(fs.read, "/proc/" .. pid .. "/stat")
  return there and not stat:match("^%d+ %(.*%) Z")
end

local r = process.run({ "sh", "-c", "echo out; echo err >&2; exit 3" }, { check = false })
assert(not r.ok and r.code == 3 and r.stdout == "out\n" and r.stderr == "err\n" and r.signal == nil and r.ended == nil)
local ok, e = pcall(process.run, { "sh", "-c", "echo broken >&2; exit 3" })
assert(not ok and e.kind == "program" and e.facts.code == 3 and e.facts.stderr == "broken\n")
assert(e.message == "'sh' ended with exit code 3: broken")
ok, e = pcall(process.run, { "sh", "-c", "kill -9 $$" })
assert(not ok and e.kind == "signal" and e.facts.signal == 9)
ok, e = pcall(process.run, { "no-such-program-anywhere" })
assert(not ok and e.kind == "not_found" and e.hint == "is it on PATH?")

-- No shell: nothing is expanded. Input, folder, environment, log and tail.
assert(process.run{ "echo", "$HOME", "*" }.stdout == "$HOME *\n")
assert(process.run({ "cat" }, { stdin = "given" }).stdout == "given")
assert(process.run{ "cat" }.stdout == "", "the standard input is not empty")
assert(process.run({ "pwd" }, { cwd = dir }).stdout == dir .. "\n")
r = process.run({ "/usr/bin/env" }, { env = { ONLY = "this" }, clear_env = true })
-- Beside them there is only the mark by which programs are found that a killed run has left behind.
local given = {}
for _, line in ipairs(text.lines(r.stdout)) do
  if not line:match("^MOONSTACK_PROGRAM=[%d.:]+$") then given[#given + 1] = line end
end
assert(#given == 1 and given[1] == "ONLY=this")
r = process.run({ "sh", "-c", "seq 1 5000; echo end" }, { log = dir .. "/log", tail = 100 })
assert(r.truncated and #r.stdout <= 100 and r.stdout:sub(-4) == "end\n")
assert(#text.lines(fs.read(dir .. "/log")) == 5001)

-- A limit ends the whole group: grandchildren that ignore the gentle signal, too.
local family = [[
  (trap "" TERM; echo $$ > /dev/null; sh -c 'echo $PPID > DIR/one; sleep 60' & wait) &
  sh -c 'echo $$ > DIR/two; exec sleep 60' &
  wait]]
local function group(options)
  local text_ = family:gsub("DIR", dir)
  return pcall(process.run, { "sh", "-c", text_ }, options)
end
local begin = os.time()
-- One of them ignores the gentle signal: after the grace it is killed.
ok, e = group{ timeout = "300ms", grace = "300ms" }
assert(not ok and e.kind == "timeout" and e.message == "'sh' was not done within 300ms", tostring(e))
for _, name in ipairs{ "one", "two" } do
  local pid = text.trim(fs.read(dir .. "/" .. name))
  assert(not alive(pid), name .. " is still running: " .. pid)
end
ok, e = group{ silence = "300ms", grace = "300ms" }
assert(not ok and e.kind == "timeout" and e.message == "'sh' printed nothing for 300ms")
r = process.run({ "sleep", "60" }, { timeout = "50ms", check = false })
assert(r.ended == "timeout" and not r.ok)

-- A cancel ends it as well.
ok, e = pcall(task.timeout, "300ms", function() group{ grace = "300ms" } end)
assert(not ok and e.kind == "timeout")
assert(not alive(text.trim(fs.read(dir .. "/two"))))
assert(os.time() - begin < 8)
