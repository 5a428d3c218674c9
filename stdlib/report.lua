--- Text for people: aligned tables.

local report = {}

---@class report.Column
---@field key string the row's field that stands in this column
---@field title? string
---@field right? boolean align to the right, as numbers are

---@param text string
---@return integer
local function width(text)
  return utf8.len(text) or #text
end

---@param value any
---@return string
local function shown(value)
  if value == nil then return "" end
  return (tostring(value):gsub("[%c]+", " "))
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

return report
