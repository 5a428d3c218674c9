--- What differs between two locks as sections of a report.

local parts = require("report.sections")

---@class report.Diff what a comparison gives, `snapshot.diff` all of it: `packages` as `env.diff` gives them, and what
--- else is known
---@field packages PackageDiff[]
---@field from? string what was
---@field to? string what is
---@field manifest? string a unified diff
---@field configuration? table[] files that differ, each with `path` and `diff`
---@field roots? table `added`, `removed` and `changed`, each a list
---@field summary? table numbers by name

---@class (exact) report.DiffOptions
---@field title? string
---@field config? string what differs in configuration, as a unified diff

local difference = {}

-- What a package has that did not only follow what is below it.
local OWN = { "version", "variants", "compilers", "flags", "arch", "external", "namespace", "patches", "package_hash",
  "build_spec" }
local COUNTS = { "added", "removed", "changed", "only_hash", "build_only", "same" }
local SAID = { only_hash = "only the hash", build_only = "only to build", same = "the same" }

---@param row PackageDiff
---@return boolean
local function follows(row)
  for _, key in ipairs(OWN) do
    if row[key] ~= nil then return false end
  end
  return row.change == "changed"
end

---@param rows PackageDiff[]
---@return table<string, integer>
local function counted(rows)
  local counts = { added = 0, removed = 0, changed = 0, only_hash = 0, build_only = 0 }
  for _, row in ipairs(rows) do
    counts[row.change] = (counts[row.change] or 0) + 1
    if row.only_hash then counts.only_hash = counts.only_hash + 1 end
    if row.build_only then counts.build_only = counts.build_only + 1 end
  end
  return counts
end

---@param counts table<string, integer>
---@return report.Section
local function summary(counts)
  local facts = {}
  for _, name in ipairs(COUNTS) do
    if counts[name] ~= nil then facts[#facts + 1] = { name = SAID[name] or name, value = parts.shown(counts[name]) } end
  end
  return { facts = facts }
end

---@param roots table
---@return report.Section
local function asked(roots)
  local rows = {}
  for _, change in ipairs{ "added", "removed", "changed" } do
    for _, root in ipairs(roots[change] or {}) do
      rows[#rows + 1] = { status = change, spec = root.spec, from = root.from, to = root.to }
    end
  end
  return { title = "Roots", rows = rows, columns = {
    { key = "status", title = "Change" }, { key = "spec", title = "Asked for" }, { key = "from", title = "Before" },
    { key = "to", title = "After" },
  } }
end

---@param rows PackageDiff[]
---@param title string
---@param note? string
---@return report.Section
local function packages(rows, title, note)
  local out = {}
  for at, row in ipairs(rows) do
    out[at] = { status = row.change, name = row.name, words = row.words,
      asked = row.roots and #row.roots > 0 and table.concat(row.roots, ", ") or nil,
      note = row.build_only and "only to build" or nil }
  end
  return { title = title, note = note, rows = out, columns = {
    { key = "status", title = "Change" }, { key = "name", title = "Package" }, { key = "words", title = "What" },
    { key = "asked", title = "Root" }, { key = "note", title = "Note" },
  } }
end

-- Files that differ, each as a unified diff.
---@param whole table<string, any>
---@param config? string
---@return report.Section[]
local function texts(whole, config)
  local out = {}
  local function add(title, diff)
    if (diff or "") ~= "" then out[#out + 1] = { title = title, lines = parts.lines(diff) } end
  end
  add("Manifest", whole.manifest)
  for _, file in ipairs(whole.configuration or {}) do add(parts.shown(file.path), file.diff) end
  add("Configuration", config)
  return out
end

--- The title and the sections.
---@param diff report.Diff|PackageDiff[]
---@param options? report.DiffOptions
---@return string title
---@return report.Section[] sections
function difference.of(diff, options)
  if type(diff) ~= "table" then fail("usage", "report: a diff must be a table, not a " .. type(diff)) end
  local whole = diff --[[@as table<string, any>]]
  local given = options or {}
  parts.check_fields("the options of a diff", given, { "title", "config" })
  local rows = (whole.packages or whole) --[[@as PackageDiff[] ]]
  if next(rows) ~= nil and #rows == 0 then fail("usage", "report: a diff must have packages, or be a list of them") end
  local own, following, out = {}, {}, {}
  for _, row in ipairs(rows) do
    if follows(row) then following[#following + 1] = row else own[#own + 1] = row end
  end
  out[1] = summary(whole.summary or counted(rows))
  if whole.roots then
    local roots = asked(whole.roots)
    if #roots.rows > 0 then out[#out + 1] = roots end
  end
  local files = texts(whole, given.config)
  if #rows == 0 and #out == 1 and #files == 0 then out[#out + 1] = { note = "no differences" } end
  if #own > 0 then out[#out + 1] = packages(own, "Packages") end
  if #following > 0 then
    out[#out + 1] = packages(following, "Packages that follow", "Nothing of their own differs: only what is below them.")
  end
  table.move(files, 1, #files, #out + 1, out)
  local sides = whole.from and whole.to and parts.shown(whole.from) .. " → " .. parts.shown(whole.to)
  return parts.shown(given.title or sides or "What differs"), out
end

return difference
