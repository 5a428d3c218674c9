-- Installs a list of specs, or an environment, and goes on when one fails. What is not installed at the end is named
-- with the reason and the log; a resumed run goes on with what is left.

local report = require("report")
local retry = require("retry") --[[@as fun(options: retry.Options, work: fun(attempt: integer): any): any]]

-- What may pass by itself. A package that does not build will not build a minute later.
local PASSES = { "fetch", "network", "timeout", "lock" }

-- Specs of a file: one a line, blank lines and comments left out.
local function read(path)
  local specs = {}
  for _, line in ipairs(text.lines(fs.read(path))) do
    local spec = text.trim((line:gsub("%s*#.*$", "")))
    if spec ~= "" then specs[#specs + 1] = spec end
  end
  return specs
end

-- Each spec once, in the order in which it was asked for.
local function wanted(o)
  local specs, seen = {}, {}
  local function add(list)
    for _, spec in ipairs(list) do
      if not seen[spec] then
        seen[spec] = true
        specs[#specs + 1] = spec
      end
    end
  end
  add(o.specs or {})
  if o.file then add(read(o.file)) end
  if o.env and #specs > 0 then fail("usage", "--env installs what the environment asks for; give no specs beside it") end
  if not o.env and #specs == 0 then fail("usage", "nothing to install: give specs, --file or --env") end
  return specs
end

local function options(o)
  return { jobs = o.jobs, fresh = o.fresh or nil, cache_only = o.cache_only, fail_fast = o.fail_fast or nil }
end

-- The packages of a result or of an error, as rows of the report.
local function packages(rows, what, result)
  for _, row in ipairs(result.installed or {}) do
    rows[#rows + 1] = {
      name = row.name .. "@" .. row.version, status = "installed", seconds = row.seconds,
      source = row.from_cache and "mirror" or "source", message = "for " .. what,
    }
  end
  for _, row in ipairs(result.failed or {}) do
    rows[#rows + 1] = { name = row.name, status = "failed", message = (row.errors or {})[1] or row.log }
  end
end

-- One line for each package that failed, or for the error as a whole.
local function reason(e)
  local first = ((e.facts or {}).failed or {})[1]
  if not first then return e.message or tostring(e) end
  local line = (first.errors or {})[1]
  return first.name .. (line and ": " .. text.trim(line) or " failed to build")
end

local function log_of(e)
  local facts = e.facts or {}
  local first = (facts.failed or {})[1]
  return first and first.log or facts.log
end

-- Runs one installation as a step and says how it went.
local function step(o, what, rows, install)
  ---@type table<string, any>
  local row = { spec = what, result = "installed" }
  local result = run.step(what, { inputs = { options(o), o.attempts } }, function()
    local ok, value = pcall(function()
      return retry({ max = o.attempts, base = "10s", on = PASSES, name = what }, install)
    end)
    if ok then return { installed = value.installed, seconds = value.seconds } end
    row.result, row.why, row.log = "FAILED", reason(value), log_of(value)
    packages(rows, what, value.facts or {})
    error(value, 0)
  end)
  if result then
    packages(rows, what, result)
    if #result.installed == 0 then row.result = "was there" else row.new = #result.installed end
    row.seconds = time.words(math.floor(result.seconds))
  elseif row.result ~= "FAILED" then
    row.result = "skipped"
  end
  return row
end

local function tell(o, table_rows, rows, failed)
  local summary = (#table_rows - failed) .. " of " .. #table_rows .. " installed"
  if o.json then
    print(json.encode({ specs = json.list(table_rows), packages = json.list(rows), failed = failed }))
  elseif not o.quiet or failed > 0 then
    print(report.table(table_rows, {
      { key = "result" }, { key = "spec" }, { key = "new" }, { key = "seconds" }, { key = "why" }, { key = "log" },
    }))
    print(summary)
  end
  if o.html then
    local page = report.html{
      title = "install-list", run = { name = "install-list", id = run.id(), status = failed > 0 and "failed" or "ok", message = summary },
      packages = rows,
    }
    fs.write(o.html, page, { varies = true })
  end
end

return workflow{
  name = "install-list",
  doc = "Installs a list of specs or an environment, and goes on when one fails.",
  on_fail = "keep_going",
  lock = { "env", "file", "specs" },
  options = {
    { name = "specs", type = "list", positional = true, doc = "Specs in Spack's syntax." },
    { name = "file", type = "string", doc = "A file with one spec a line; # begins a comment." },
    { name = "env", type = "string", doc = "Install this environment instead." },
    { name = "jobs", type = "integer", doc = "Processes of one build." },
    { name = "attempts", type = "integer", default = 2, doc = "How often a fetch that fails is tried." },
    { name = "fresh", type = "flag", doc = "Prefer new versions to what is installed." },
    { name = "cache_only", type = "flag", doc = "Only from build caches." },
    { name = "fail_fast", type = "flag", doc = "Stop a spec at its first package that fails." },
    { name = "html", type = "string", doc = "Write a page that shows what was installed." },
    { name = "json", type = "flag", doc = "Print the result as JSON." },
    { name = "quiet", type = "flag", doc = "Print only what failed." },
  },
  run = function(o)
    local table_rows, rows, failed = {}, {}, 0
    local specs = wanted(o)
    if o.env then
      table_rows[1] = step(o, "environment " .. o.env, rows, function() return env.install(o.env, nil, options(o)) end)
    end
    for _, spec in ipairs(specs) do
      table_rows[#table_rows + 1] = step(o, spec, rows, function() return spack.install(spec, options(o)) end)
    end
    for _, row in ipairs(table_rows) do
      if row.result == "FAILED" or row.result == "skipped" then failed = failed + 1 end
    end
    tell(o, table_rows, rows, failed)
    return failed > 0 and 2 or 0
  end,
}
