--- A report as one web page: no script, nothing from elsewhere, light and dark, good to print.

local parts = require("report.sections")

local page = {}

local STYLE = [[
:root{color-scheme:light dark;--fg:#1c2024;--soft:#60646c;--line:#dfe3e8;--bg:#fff;--card:#f6f8fa;--good:#1a7f37;--warn:#9a6700;
--bad:#cf222e;--plain:#4a72b0}
@media (prefers-color-scheme:dark){:root{--fg:#e6e8eb;--soft:#9ba1a6;--line:#333940;--bg:#15181b;--card:#1d2125;--good:#4ac26b;
--warn:#d4a72c;--bad:#ff7b72;--plain:#7aa2e0}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:2rem 1.25rem;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p.note{color:var(--soft);margin:.25rem 0 .5rem}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.75rem 1.5rem;margin:0;padding:1rem 1.25rem;
background:var(--card);border:1px solid var(--line);border-radius:8px}
dt{color:var(--soft);font-size:.8rem}dd{margin:0;overflow-wrap:anywhere}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem 1rem .35rem 0;border-bottom:1px solid var(--line);overflow-wrap:break-word}
th{color:var(--soft);font-weight:600;font-size:.8rem;white-space:nowrap}
.num{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.good{color:var(--good);font-weight:600}.warn{color:var(--warn);font-weight:600}.bad{color:var(--bad);font-weight:600}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem;overflow-x:auto;font-size:12.5px;line-height:1.45}
svg{display:block;width:100%;min-width:42rem;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--fg)}svg .soft{fill:var(--soft)}
svg line{stroke:var(--line)}rect{fill:var(--plain)}rect.good{fill:var(--good)}rect.warn{fill:var(--warn)}rect.bad{fill:var(--bad)}
footer{margin-top:2.5rem;color:var(--soft);font-size:.8rem}
@media print{:root{color-scheme:light;--fg:#000;--soft:#444;--line:#bbb;--bg:#fff;--card:#fff;--good:#1a7f37;--warn:#7a5200;
--bad:#b01020;--plain:#4a72b0}body{max-width:none;padding:0;font-size:11px}h2{break-after:avoid}tr,svg,dl{break-inside:avoid}
pre{white-space:pre-wrap}.wide{overflow:visible}svg{min-width:0}rect{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
]]

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

---@param value any
---@return string
local function esc(value)
  return (parts.shown(value):gsub("[&<>\"']", ESCAPES))
end

---@param value string
---@param most integer
---@return string
local function cut(value, most)
  if (utf8.len(value) or 0) <= most then return value end
  return value:sub(1, (utf8.offset(value, most) or 1) - 1) .. "…"
end

---@param facts { name: string, value: string, tone?: string }[]
---@return string
local function list(facts)
  local out = {}
  for at, fact in ipairs(facts) do
    local class = (fact.tone or "") ~= "" and ' class="' .. fact.tone .. '"' or ""
    out[at] = "<div><dt>" .. esc(fact.name) .. "</dt><dd" .. class .. ">" .. esc(fact.value) .. "</dd></div>"
  end
  return "<dl>\n" .. table.concat(out, "\n") .. "\n</dl>"
end

---@param rows table[]
---@param columns report.Column[]
---@return string
local function grid(rows, columns)
  local used = {}
  for _, column in ipairs(columns) do
    for _, row in ipairs(rows) do
      if parts.shown(row[column.key]) ~= "" then
        used[#used + 1] = column
        break
      end
    end
  end
  local function line(cell, text_of, class_of)
    local cells = {}
    for at, column in ipairs(used) do
      local class = class_of(column)
      cells[at] = "<" .. cell .. (class ~= "" and ' class="' .. class .. '"' or "") .. ">" .. esc(text_of(column)) .. "</"
        .. cell:match("^%a+") .. ">"
    end
    return "<tr>" .. table.concat(cells) .. "</tr>"
  end
  local out = { '<div class="wide"><table>\n<thead>' .. line('th scope="col"', function(column) return column.title end,
    function(column) return column.right and "num" or "" end) .. "</thead>\n<tbody>" }
  for _, row in ipairs(rows) do
    out[#out + 1] = line("td", function(column) return row[column.key] end, function(column)
      return column.key == "status" and parts.tone(row.status) or column.right and "num" or ""
    end)
  end
  return table.concat(out, "\n") .. "\n</tbody></table></div>"
end

local WIDTH, LEFT, RIGHT, ROW = 1000, 270, 90, 24

---@param bars { name: string, from: number, seconds: number, status?: string }[]
---@param title string
---@return string
local function chart(bars, title)
  local whole = parts.length(bars)
  local function x(seconds) return LEFT + seconds / whole * (WIDTH - LEFT - RIGHT) end
  local height = #bars * ROW + 26
  local out = { string.format('<div class="wide"><svg viewBox="0 0 %d %d" role="img" aria-label="%s">', WIDTH, height, esc(title)) }
  local function add(pattern, ...) out[#out + 1] = string.format(pattern, ...) end
  for quarter = 0, 4 do
    local at = x(whole * quarter / 4)
    add('<line x1="%.1f" x2="%.1f" y1="0" y2="%d"/>', at, at, height - 20)
    add('<text class="soft" x="%.1f" y="%d" text-anchor="middle">%s</text>', at, height - 5,
      esc(quarter == 0 and "0" or time.words(whole * quarter / 4)))
  end
  for at, bar in ipairs(bars) do
    local y = (at - 1) * ROW
    local tone = parts.tone(bar.status)
    local took = time.words(bar.seconds)
    add('<g><title>%s</title>', esc(bar.name .. ": " .. took .. (bar.status and ", " .. parts.shown(bar.status) or "")))
    add('<text x="%d" y="%d" text-anchor="end">%s</text>', LEFT - 10, y + 16, esc(cut(bar.name, 34)))
    add('<rect%s x="%.1f" y="%d" width="%.1f" height="%d" rx="3"/>', tone ~= "" and ' class="' .. tone .. '"' or "",
      x(bar.from), y + 4, math.max(2, x(bar.from + bar.seconds) - x(bar.from)), ROW - 8)
    add('<text class="soft" x="%.1f" y="%d">%s</text></g>', x(bar.from + bar.seconds) + 6, y + 16, esc(took))
  end
  out[#out + 1] = "</svg></div>"
  return table.concat(out, "\n")
end

--- The page of a title and sections.
---@param title string
---@param sections report.Section[]
---@return string
function page.of(title, sections)
  local out = {
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
      .. '<meta name="viewport" content="width=device-width, initial-scale=1">',
    "<title>" .. esc(title) .. "</title>\n<style>\n" .. STYLE .. "</style>\n</head>\n<body>\n<h1>" .. esc(title) .. "</h1>",
  }
  for _, section in ipairs(sections) do
    out[#out + 1] = "<section>"
    if section.title then out[#out + 1] = "<h2>" .. esc(section.title) .. "</h2>" end
    if section.note then out[#out + 1] = '<p class="note">' .. esc(section.note) .. "</p>" end
    if section.facts then out[#out + 1] = list(section.facts) end
    if section.rows and #section.rows > 0 then out[#out + 1] = grid(section.rows, section.columns or {}) end
    if section.bars then out[#out + 1] = chart(section.bars, section.title or title) end
    if section.lines then
      local lines = {}
      for at, line in ipairs(section.lines) do lines[at] = esc(line) end
      out[#out + 1] = "<pre>" .. table.concat(lines, "\n") .. "</pre>"
    end
    out[#out + 1] = "</section>"
  end
  out[#out + 1] = "<footer>Made by moonstack.</footer>\n</body>\n</html>\n"
  return table.concat(out, "\n")
end

return page
