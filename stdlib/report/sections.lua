--- What the forms of a report have in common: the parts of the given table, checked and put into words.

---@class report.Section
---@field title? string
---@field facts? { name: string, value: string, tone?: string }[]
---@field rows? table[]
---@field columns? report.Column[]
---@field bars? { name: string, from: number, seconds: number, status?: string }[]
---@field note? string
---@field lines? string[]

local parts = {}

-- What terminals are coloured with.
local COLOUR = "\27%[[%d;?]*%a"

-- Bytes that are not UTF-8 become the replacement character.
---@param value string
---@return string
local function valid(value)
  if utf8.len(value) then return value end
  local out, at = {}, 1
  while at <= #value do
    local _, bad = utf8.len(value, at)
    if not bad then
      out[#out + 1] = value:sub(at)
      break
    end
    out[#out + 1] = value:sub(at, bad - 1) .. "\u{FFFD}"
    at = bad + 1
  end
  return table.concat(out)
end

--- A value on one line, in UTF-8.
---@param value any
---@return string
function parts.shown(value)
  if value == nil then return "" end
  return (valid(tostring(value)):gsub(COLOUR, ""):gsub("[%c]+", " "))
end

local PARTS = { "title", "run", "steps", "plan", "packages", "findings", "log" }
local RUN = { "name", "id", "status", "exit", "message", "host", "user", "spack", "began", "ended", "seconds" }
---@type table<string, string[]>
local ROWS = {
  steps = { "name", "status", "began", "seconds", "message" },
  packages = { "name", "status", "source", "began", "seconds", "bytes", "message" },
  findings = { "check", "status", "message", "subject", "fix", "measure", "reference", "kind", "seconds" },
  changes = { "change", "spec", "from", "source", "bytes", "seconds", "note" },
}
-- Longer charts and logs hide what matters.
local MOST_BARS, MOST_LINES = 40, 200

local GOOD = { ok = true, pass = true, passed = true, done = true, finished = true, installed = true, fine = true,
  added = true }
local BAD = { fail = true, failed = true, error = true, critical = true, killed = true, timeout = true,
  removed = true }
local WARN = { warn = true, warning = true, warned = true, partial = true, refused = true, interrupted = true,
  changed = true }

--- What a status means: "good", "warn", "bad" or "".
---@param status any
---@return string
function parts.tone(status)
  local word = tostring(status or ""):lower()
  return GOOD[word] and "good" or BAD[word] and "bad" or WARN[word] and "warn" or ""
end

---@param seconds any
---@return string?
local function span(seconds)
  if type(seconds) == "number" and seconds >= 0 and seconds < math.huge then return time.words(seconds) end
end

---@param bytes any
---@return string?
local function size(bytes)
  if type(bytes) == "number" and bytes >= 0 then return text.size_words(math.floor(bytes)) end
end

---@param when any
---@return string?
local function moment(when)
  if type(when) == "number" then return time.format(when, "%Y-%m-%d %H:%M:%S %Z") end
  return when
end

--- Refuses what is no table, and fields that nobody would look at.
---@param what string
---@param given table
---@param known string[]
function parts.check_fields(what, given, known)
  if type(given) ~= "table" then fail("usage", "report: " .. what .. " must be a table, not a " .. type(given)) end
  for key in pairs(given) do
    local found = false
    for _, name in ipairs(known) do found = found or name == key end
    if not found then
      local near = text.nearest(tostring(key), known)
      fail("unknown_name", "report: " .. what .. ": '" .. tostring(key) .. "' does not exist; "
        .. (near and "did you mean '" .. near .. "'?" or "known: " .. table.concat(known, ", ")))
    end
  end
end

---@param run report.Run
---@return report.Section
local function summary(run)
  parts.check_fields("run", run, RUN)
  local facts = {}
  local function add(name, value, its_tone)
    if value ~= nil then facts[#facts + 1] = { name = name, value = parts.shown(value), tone = its_tone } end
  end
  add("status", run.status, parts.tone(run.status))
  add("workflow", run.name)
  add("run", run.id)
  add("result", run.message)
  add("exit code", run.exit)
  add("host", run.host)
  add("user", run.user)
  add("Spack", run.spack)
  add("began", moment(run.began))
  add("ended", moment(run.ended))
  add("took", span(run.seconds))
  return { facts = facts }
end

-- Rows with durations and sizes in words.
---@param what string
---@param items table[]
---@return table[]
local function worded(what, items)
  if type(items) ~= "table" or (next(items) ~= nil and #items == 0) then fail("usage", "report: " .. what .. " must be a list") end
  local rows = {}
  for at, item in ipairs(items) do
    parts.check_fields("number " .. at .. " of " .. what, item, ROWS[what] or {})
    local row = {}
    for key, value in pairs(item) do row[key] = value end
    row.took, row.size = span(item.seconds), size(item.bytes)
    rows[at] = row
  end
  return rows
end

-- Bars over time where it is known when things began, else side by side; the longest if there are too many.
---@param title string
---@param items table[]
---@return report.Section?
local function chart(title, items)
  local bars, timed, first = {}, true, math.huge
  for _, item in ipairs(items) do
    if type(item.seconds) == "number" and item.seconds >= 0 and item.seconds < math.huge then
      bars[#bars + 1] = { name = parts.shown(item.name), from = item.began, seconds = item.seconds, status = item.status, at = #bars }
      timed = timed and type(item.began) == "number"
      if timed then first = math.min(first, item.began) end
    end
  end
  if #bars == 0 then return nil end
  local note
  if #bars > MOST_BARS then
    note = "the " .. MOST_BARS .. " longest of " .. #bars
    table.sort(bars, function(a, b) return a.seconds > b.seconds or (a.seconds == b.seconds and a.at < b.at) end)
    bars = table.move(bars, 1, MOST_BARS, 1, {})
    table.sort(bars, function(a, b) return a.at < b.at end)
  end
  for _, bar in ipairs(bars) do bar.from = timed and bar.from - first or 0 end
  return { title = title, bars = bars, note = note }
end

---@param plan report.Plan
---@return report.Section
local function planned(plan)
  parts.check_fields("plan", plan, { "changes", "bytes", "seconds", "note" })
  local changes = plan.changes or {}
  local counts, order, said = {}, {}, {}
  for _, change in ipairs(changes) do
    local word = tostring(change.change)
    if not counts[word] then order[#order + 1] = word end
    counts[word] = (counts[word] or 0) + 1
  end
  for _, word in ipairs(order) do said[#said + 1] = counts[word] .. " " .. word end
  if #said == 0 then said[1] = "no changes" end
  if plan.bytes then said[#said + 1] = tostring(size(plan.bytes)) .. " to download" end
  if plan.seconds then said[#said + 1] = "about " .. tostring(span(plan.seconds)) end
  local note = table.concat(said, ", ") .. (plan.note and ". " .. parts.shown(plan.note) or "")
  return { title = "Plan", note = note, rows = worded("changes", changes), columns = {
    { key = "change", title = "Change" }, { key = "spec", title = "Spec" }, { key = "from", title = "Replaces" },
    { key = "source", title = "From" }, { key = "size", title = "Size", right = true },
    { key = "took", title = "Expected", right = true }, { key = "note", title = "Note" },
  } }
end

--- Lines as they can be shown: without colours and control characters, in UTF-8.
---@param given string|string[]
---@return string[]
function parts.lines(given)
  local out = {}
  local function add(line)
    out[#out + 1] = valid((tostring(line):gsub(COLOUR, ""):gsub("\t", "    "):gsub("[%c]", "")))
  end
  if type(given) == "table" then
    for _, line in ipairs(given) do add(line) end
  else
    for line in (tostring(given):gsub("\n$", "") .. "\n"):gmatch("(.-)\r?\n") do add(line) end
  end
  return out
end

---@param log string|string[]
---@return report.Section
local function excerpt(log)
  local lines = parts.lines(log)
  local from = math.max(1, #lines - MOST_LINES + 1)
  return { title = "Log", lines = table.move(lines, from, #lines, 1, {}),
    note = from > 1 and "the last " .. MOST_LINES .. " of " .. #lines .. " lines" or nil }
end

--- The title and the sections of a report.
---@param given report.Report
---@return string title
---@return report.Section[] sections
function parts.of(given)
  parts.check_fields("a report", given, PARTS)
  local out = {}
  local function add(section) out[#out + 1] = section end
  local function rows(title, items, columns)
    local in_words = worded(title:lower(), items)
    if #in_words > 0 then add{ title = title, rows = in_words, columns = columns } end
  end
  if given.run then add(summary(given.run)) end
  if given.findings then
    rows("Findings", given.findings, {
      { key = "status", title = "Status" }, { key = "check", title = "Check" }, { key = "subject", title = "Subject" },
      { key = "message", title = "Message" }, { key = "fix", title = "What helps" },
    })
  end
  if given.steps then
    rows("Steps", given.steps, {
      { key = "status", title = "Status" }, { key = "name", title = "Step" },
      { key = "took", title = "Took", right = true }, { key = "message", title = "Message" },
    })
    add(chart("Steps over time", given.steps))
  end
  if given.plan then add(planned(given.plan)) end
  if given.packages then
    rows("Packages", given.packages, {
      { key = "status", title = "Status" }, { key = "name", title = "Package" }, { key = "source", title = "From" },
      { key = "size", title = "Size", right = true }, { key = "took", title = "Took", right = true },
      { key = "message", title = "Message" },
    })
    add(chart("Packages over time", given.packages))
  end
  if given.log then add(excerpt(given.log)) end
  local run = given.run or {}
  return parts.shown(given.title or run.name or "Report"), out
end

--- Where the last bar ends; above zero.
---@param bars table[]
---@return number
function parts.length(bars)
  local most = 0.0 ---@type number
  for _, bar in ipairs(bars) do most = math.max(most, bar.from + bar.seconds) end
  return most > 0 and most or 1
end

return parts
