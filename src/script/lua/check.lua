-- Checks that scripts define, and the sweep that runs them beside the built-in ones.
local host = ...
local pcall, type, tostring, ipairs, pairs = pcall, type, tostring, ipairs, pairs

-- In the order of definition; a name defined again is replaced, so that a line at the prompt can be repeated.
local defined, order = {}, {}

local DEFINITION = { name = "string", doc = "string", needs = "table", timeout = "any", run = "function" }
local OPTIONS = { only = "table", skip = "table", thresholds = "table", timeout = "any" }
local FINDING = {
  status = "string", message = "string", subject = "string", fix = "string",
  measure = "table", reference = "any", kind = "string",
}
local STATUS = { pass = true, warn = true, fail = true, skipped = true }

-- What is wrong with the fields of a table, or nil.
local function wrong(t, known)
  for key, value in pairs(t) do
    local kind = known[key]
    if kind == nil then return "unknown field '" .. tostring(key) .. "'" end
    if kind ~= "any" and type(value) ~= kind then
      return "'" .. key .. "' must be a " .. kind .. ", not a " .. type(value)
    end
  end
end

local function define(definition)
  if type(definition) ~= "table" then fail("usage", "check.define takes one table") end
  local why = wrong(definition, DEFINITION)
  if why then fail("usage", "check.define: " .. why) end
  for _, key in ipairs{ "name", "doc", "run" } do
    if definition[key] == nil then fail("usage", "check.define: '" .. key .. "' is missing") end
  end
  if not definition.name:match("^[a-z][a-z0-9_%-]*$") then
    fail("usage", "check.define: '" .. definition.name .. "' is not a name: lower-case letters, digits, '_' and '-'")
  end
  for _, known in ipairs(check.list()) do
    if known.name == definition.name then
      fail("usage", "check.define: '" .. definition.name .. "' is a built-in check; name yours otherwise")
    end
  end
  if not defined[definition.name] then order[#order + 1] = definition.name end
  defined[definition.name] = definition
end

-- A finding of a defined check as a built-in one would give it.
local function checked(finding)
  if type(finding) ~= "table" then return nil, "gave a " .. type(finding) .. ", not a finding" end
  local why = wrong(finding, FINDING)
  if why then return nil, "gave a finding with an error: " .. why end
  if not STATUS[finding.status] then
    return nil, "gave the status " .. tostring(finding.status) .. "; known: pass, warn, fail, skipped"
  end
  if not finding.message then return nil, "gave a finding without a message" end
  local copy = {}
  for key, value in pairs(finding) do copy[key] = value end
  if copy.reference ~= nil then copy.reference = tostring(copy.reference) end
  local measure = copy.measure
  if measure and (type(measure.value) ~= "number" or type(measure.unit) ~= "string") then
    return nil, "gave a measure without value and unit"
  end
  return copy
end

local function judged(result)
  if type(result) ~= "table" then
    return { { status = "fail", kind = "script", message = "gave a " .. type(result) .. ", not a finding" } }
  elseif result.status == nil then
    if #result == 0 then return { { status = "fail", kind = "script", message = "gave no finding" } } end
  else
    result = { result }
  end
  local out = {}
  for _, finding in ipairs(result) do
    local good, why = checked(finding)
    out[#out + 1] = good or { status = "fail", kind = "script", message = why }
  end
  return out
end

local function failed(e, limit)
  if type(e) == "string" then return { status = "fail", kind = "script", message = e } end
  local kind, message = e.kind, e.message
  if kind == "timeout" then
    return {
      status = "fail", kind = kind, message = "not done within " .. tostring(limit) .. " s", reference = limit .. " s",
      fix = "find out what hangs, or give more time with --timeout",
    }
  end
  return { status = "fail", kind = kind or "script", message = tostring(message or e) }
end

local function worst(findings)
  local rank = { pass = 1, skipped = 2, warn = 3, fail = 4 }
  local status = "pass"
  for _, finding in ipairs(findings) do
    if rank[finding.status] > rank[status] then status = finding.status end
  end
  return status
end

local function one(definition, chosen)
  local begin = host.seconds()
  local limit = chosen.timeout or definition.timeout or 30
  local findings
  host.check_begun(definition.name)
  local ok, result = pcall(function()
    local missing = definition.needs and #definition.needs > 0 and check.unmet(definition.needs)
    if missing then
      return { status = "skipped", message = "needs " .. missing.need .. ": " .. missing.reason }
    end
    return task.timeout(limit, function() return definition.run{ thresholds = chosen.thresholds } end)
  end)
  if ok then findings = judged(result) else findings = { failed(result, limit) } end
  for _, finding in ipairs(findings) do
    finding.check, finding.seconds = definition.name, host.seconds() - begin
  end
  host.check_ended(definition.name, worst(findings), host.seconds() - begin)
  return findings
end

local function run(options)
  options = options or {}
  if type(options) ~= "table" then fail("usage", "check.run takes one table of options") end
  local why = wrong(options, OPTIONS)
  if why then fail("usage", "check.run: " .. why) end
  local chosen = check.select{
    only = options.only, skip = options.skip, thresholds = options.thresholds, timeout = options.timeout,
    defined = order,
  }
  local work = {}
  if #chosen.builtin > 0 then
    work[1] = function()
      return check.builtin{
        only = chosen.builtin, thresholds = options.thresholds, timeout = options.timeout,
      }
    end
  end
  for _, name in ipairs(chosen.defined) do
    work[#work + 1] = function() return one(defined[name], chosen) end
  end
  local out = {}
  for _, findings in ipairs(task.all(work)) do
    for _, finding in ipairs(findings) do out[#out + 1] = finding end
  end
  for _, name in ipairs(chosen.refused) do
    out[#out + 1] = {
      check = name, status = "skipped", message = "the site file skips it ('check.skip')", seconds = 0,
    }
  end
  return out
end

host.place("check.define", define)
host.place("check.run", run)
