-- Looks at the whole site once and says what needs attention. Made for cron and for monitors: bounded in time, quiet
-- when asked, one line for Nagios, JSON for programs, exit codes that mean something.

local report = require("report")

-- Options that are thresholds; check.run refuses a name that it does not know.
local THRESHOLDS = {
  "disk_warn", "disk_fail", "inodes_warn", "inodes_fail", "failures_warn", "mirror_slow", "program_limit",
}

local WORDS = { pass = "ok", warn = "WARN", fail = "FAIL", skipped = "skipped" }

-- The thresholds that were given; the others are the site file's, or the defaults.
local function thresholds(o)
  local given = {}
  for _, name in ipairs(THRESHOLDS) do given[name] = o[name] end
  return given
end

-- Keeps the findings. A full disk may be what the sweep has found, so failing to keep them is a finding itself.
local function keep(findings)
  local ok, kept = pcall(check.record, findings)
  if ok then return kept.changes end
  findings[#findings + 1] = {
    check = "state", status = "warn", message = "the findings could not be kept: " .. kept.message,
    fix = kept.hint, seconds = 0,
  }
  return {}
end

-- What a finding was before, for those that have changed.
local function changes_by_finding(changes)
  local before = {}
  for _, change in ipairs(changes) do
    before[change.check .. "\0" .. (change.subject or "")] = change
  end
  return function(finding) return before[finding.check .. "\0" .. (finding.subject or "")] end
end

local function print_for_people(findings, changes, summary, o, seconds)
  local changed = changes_by_finding(changes)
  local rows, notes = {}, {}
  for _, finding in ipairs(findings) do
    if not o.quiet or finding.status == "warn" or finding.status == "fail" then
      local change = changed(finding)
      local was = change and " (was: " .. (WORDS[change.from] or change.from) .. ")" or ""
      rows[#rows + 1] = { status = WORDS[finding.status], check = finding.check, message = finding.message .. was }
      if finding.fix and finding.status ~= "pass" then
        notes[#rows] = finding.fix
      end
    end
  end
  -- The lines of the table are the rows in order; each advice goes below its own.
  local at = 0
  if #rows > 0 then
    local text = report.table(rows, { { key = "status" }, { key = "check" }, { key = "message" } })
    for line in (text .. "\n"):gmatch("(.-)\n") do
      at = at + 1
      print(line)
      if notes[at] then print("         fix: " .. notes[at]) end
    end
  end
  for _, change in ipairs(changes) do
    if change.to == "gone" and not o.quiet then
      local subject = change.subject and " " .. change.subject or ""
      print("over     " .. change.check .. subject .. " (was: " .. WORDS[change.from] .. ")")
    end
  end
  if not o.quiet or #rows > 0 then
    print(string.format(
      "%s: %d passed, %d warned, %d failed, %d skipped in %.1f s",
      summary.word, summary.passed, summary.warned, summary.failed, summary.skipped, seconds))
  end
end

return workflow{
  name = "health-sweep",
  doc = "Runs all checks of the site's health side by side and says what needs attention. "
    .. "Exit code: 0 fine, 1 warnings, 2 failures, 3 could not tell.",
  options = {
    { name = "only", type = "list", doc = "Only these checks (`check.list()` names them)." },
    { name = "skip", type = "list", doc = "All but these checks." },
    { name = "check_timeout", type = "duration", doc = "Time limit of each check, in place of its own." },
    { name = "disk_warn", type = "string", doc = "Warn when less space is free: a share (10%) or a size (50GiB)." },
    { name = "disk_fail", type = "string", doc = "Fail when less space is free." },
    { name = "inodes_warn", type = "string", doc = "Warn when fewer inodes are free: a share or a number." },
    { name = "inodes_fail", type = "string", doc = "Fail when fewer inodes are free." },
    { name = "failures_warn", type = "integer", doc = "Warn from this many failure marks on." },
    { name = "mirror_slow", type = "duration", doc = "Warn when a mirror takes longer to answer." },
    { name = "program_limit", type = "duration", doc = "How long a compiler may take to state its version." },
    { name = "json", type = "flag", doc = "Print findings, changes and summary as JSON." },
    { name = "nagios", type = "flag", doc = "Print one line with figures, as Nagios reads it." },
    { name = "quiet", type = "flag", doc = "Print only what needs attention." },
  },
  -- It only looks: a person may ask while cron does.
  lock = false,
  run = function(o)
    if o.json and o.nagios then fail("usage", "--json and --nagios exclude each other") end
    local findings = check.run{ only = o.only, skip = o.skip, timeout = o.check_timeout, thresholds = thresholds(o) }
    local changes = keep(findings)
    local summary = check.summary(findings)
    -- The checks run side by side, so the slowest is the sweep.
    local seconds = 0
    for _, finding in ipairs(findings) do seconds = math.max(seconds, finding.seconds) end
    if o.json then
      print(json.encode({ summary = summary, findings = findings, changes = changes }))
    elseif o.nagios then
      print(summary.line)
    else
      print_for_people(findings, changes, summary, o, seconds)
    end
    return summary.exit
  end,
}
