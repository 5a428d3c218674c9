--- What a run did, for people: aligned tables, and one report as text, Markdown or a web page that stands alone.
---
--- The functions give text; a script writes it: `fs.write("run.html", report.html{ title = "Nightly", run = … })`. The
--- parts of a report, each optional, are described in `report.Report`; `report.text`, `report.markdown` and
--- `report.html` show the same.

---@class (exact) report.Run the run as a whole
---@field name? string the workflow
---@field id? string|integer
---@field status? string `ok`, `warn`, `failed` … the word is shown as it is
---@field exit? integer exit code
---@field message? string one line that says how it went
---@field host? string
---@field user? string
---@field spack? string release or commit
---@field began? number|string seconds since 1970, or text
---@field ended? number|string
---@field seconds? number how long it took

---@class (exact) report.Step a step of the run
---@field name string
---@field status? string
---@field began? number seconds since 1970, or since the run began
---@field seconds? number
---@field message? string

---@class (exact) report.Package a package that was installed, or was to be
---@field name string name or spec
---@field status? string
---@field source? string where it came from: `store`, a mirror's name, `source`
---@field began? number
---@field seconds? number
---@field bytes? number
---@field message? string

---@class (exact) report.Change a change of the plan
---@field change string `add`, `remove`, `rebuild`, `upgrade`, `reuse` …
---@field spec string
---@field from? string what it replaces
---@field source? string where it would come from
---@field bytes? number
---@field seconds? number expected
---@field note? string

---@class (exact) report.Plan
---@field changes? report.Change[]
---@field bytes? number to download
---@field seconds? number expected in all
---@field note? string

---@class (exact) report.Finding a finding of a check, as `check.run` gives it
---@field check string
---@field status string
---@field message string
---@field subject? string
---@field fix? string
---@field measure? table
---@field reference? any
---@field kind? string
---@field seconds? number

---@class (exact) report.Report
---@field title? string
---@field run? report.Run
---@field steps? report.Step[]
---@field plan? report.Plan
---@field packages? report.Package[]
---@field findings? report.Finding[]
---@field log? string|string[] the part of the log that matters

local parts = require("report.sections")
local page = require("report.page")
local difference = require("report.difference")

local report = {}
local shown, length = parts.shown, parts.length

---@class report.Column
---@field key string the row's field that stands in this column
---@field title? string
---@field right? boolean align to the right, as numbers are

---@param text string
---@return integer
local function width(text)
  return utf8.len(text) or #text
end

--- An aligned table, one line a row, without trailing blanks. Columns that are empty in every row are left out.
---@param rows table[]
---@param columns report.Column[]
---@return string
function report.table(rows, columns)
  local used, widths, titled = {}, {}, false
  for _, column in ipairs(columns) do
    local most = 0
    for _, row in ipairs(rows) do most = math.max(most, width(shown(row[column.key]))) end
    if most > 0 then
      used[#used + 1] = column
      widths[#used] = math.max(most, width(column.title or ""))
      titled = titled or column.title ~= nil
    end
  end
  local lines = {}
  local function add(text_of)
    local cells = {}
    for at, column in ipairs(used) do
      local text = text_of(column)
      local blanks = string.rep(" ", widths[at] - width(text))
      cells[at] = column.right and blanks .. text or text .. blanks
    end
    lines[#lines + 1] = (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  if titled then add(function(column) return column.title or "" end) end
  for _, row in ipairs(rows) do
    add(function(column) return shown(row[column.key]) end)
  end
  return table.concat(lines, "\n")
end

---@param bars table[]
---@return string
local function drawn(bars)
  local rows, whole = {}, length(bars)
  for at, bar in ipairs(bars) do
    local from = math.floor(bar.from / whole * 40)
    local blocks = math.max(1, math.floor(bar.seconds / whole * 40 + 0.5))
    rows[at] = { name = bar.name, bar = "|" .. string.rep("·", from) .. string.rep("#", blocks), took = time.words(bar.seconds) }
  end
  return report.table(rows, { { key = "name" }, { key = "took", right = true }, { key = "bar" } })
end

--- The report as text for a terminal or a mail.
---@param given report.Report
---@return string
function report.text(given)
  local title, sections = parts.of(given)
  local out = { title, string.rep("=", width(title)), "" }
  local function add(line) out[#out + 1] = line end
  for _, section in ipairs(sections) do
    if section.title then
      add(section.title)
      add(string.rep("-", width(section.title)))
    end
    if section.note then add(section.note) end
    if section.facts then add(report.table(section.facts, { { key = "name" }, { key = "value" } })) end
    if section.rows and #section.rows > 0 then add(report.table(section.rows, section.columns or {})) end
    if section.bars then add(drawn(section.bars)) end
    for _, line in ipairs(section.lines or {}) do add("  " .. line) end
    add("")
  end
  return table.concat(out, "\n")
end

---@param value any
---@return string
local function md(value)
  return (shown(value):gsub("[\\`*_%[%]<>|#~]", "\\%0"))
end

---@param rows table[]
---@param columns report.Column[]
---@return string
local function md_table(rows, columns)
  local heads, rules, lines = {}, {}, {}
  local used = {}
  for _, column in ipairs(columns) do
    for _, row in ipairs(rows) do
      if shown(row[column.key]) ~= "" then
        used[#used + 1] = column
        break
      end
    end
  end
  for at, column in ipairs(used) do heads[at], rules[at] = md(column.title or ""), column.right and "--:" or "---" end
  lines[1] = "| " .. table.concat(heads, " | ") .. " |"
  lines[2] = "|" .. table.concat(rules, "|") .. "|"
  for _, row in ipairs(rows) do
    local cells = {}
    for at, column in ipairs(used) do cells[at] = md(row[column.key]) end
    lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
  end
  return table.concat(lines, "\n")
end

-- Longer than any run of backticks in it.
---@param body string
---@return string
local function fenced(body)
  local fence = "```"
  for ticks in body:gmatch("`+") do
    if #ticks >= #fence then fence = ticks .. "`" end
  end
  return fence .. "\n" .. body .. "\n" .. fence
end

---@param title string
---@param sections report.Section[]
---@return string
local function md_of(title, sections)
  local out = { "# " .. md(title) }
  local function add(block) out[#out + 1] = block end
  for _, section in ipairs(sections) do
    if section.title then add("## " .. md(section.title)) end
    if section.note then add(md(section.note)) end
    if section.facts then
      add(md_table(section.facts, { { key = "name" }, { key = "value" } }))
    end
    if section.rows and #section.rows > 0 then add(md_table(section.rows, section.columns or {})) end
    if section.bars then add(fenced(drawn(section.bars))) end
    if section.lines then add(fenced(table.concat(section.lines, "\n"))) end
  end
  return table.concat(out, "\n\n") .. "\n"
end

--- The report as Markdown, for a wiki, an issue or a merge request.
---@param given report.Report
---@return string
function report.markdown(given)
  return md_of(parts.of(given))
end

--- The report as one web page that needs nothing else: summary, findings, steps, plan, packages, times as charts, log.
--- It follows the reader's choice of light or dark, and can be printed.
---@param given report.Report
---@return string
function report.html(given)
  return page.of(parts.of(given))
end

--- What differs between two locks, as one web page like that of `report.html`.
---@param diff report.Diff|PackageDiff[] what `env.diff` gives, or more
---@param options? report.DiffOptions
---@return string
function report.diff_html(diff, options)
  return page.of(difference.of(diff, options))
end

--- What differs between two locks, as Markdown.
---@param diff report.Diff|PackageDiff[]
---@param options? report.DiffOptions
---@return string
function report.diff_markdown(diff, options)
  return md_of(difference.of(diff, options))
end

return report
