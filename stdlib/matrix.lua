--- Every combination of compilers, MPIs, targets or whatever else a site builds for, in an order that does not change.
---
--- `local matrix = require("matrix")`, then `matrix{ compiler = { "gcc@13", "oneapi" }, mpi = { "openmpi", "mpich" } }`.
--- Besides the axes the table may have `order`, `exclude`, `include` and `when`. A value is a text or number, `false` for
--- "without", or a table with `name`, `spec` and whatever the script wants to carry along.

---@class matrix.Entry one combination: the value of each axis by the axis' name
---@field name string of letters, digits, '_' and '-', the same in each run; good for environments and folders
---@field [string] any

---@class (exact) matrix.Failure
---@field name string
---@field entry matrix.Entry
---@field error any

---@class (exact) matrix.MapOptions
---@field limit? integer how many run at once; 8
---@field keep_going? boolean a failure does not stop the others

---@class (exact) matrix.SpecOptions
---@field parts? table<string, string> how the value of an axis stands in the spec, such as `{ blas = "^%s" }`

---@class matrix
---@overload fun(axes: table): matrix.Entry[]
local matrix = {}

---@type table<string, boolean>
local RESERVED = { order = true, exclude = true, include = true, when = true }
local FIELDS = { "order", "exclude", "include", "when" }
-- More is a mistake: an axis too many.
local MOST = 10000

-- How the well-known axes stand in a spec.
local PARTS = {
  version = "@%s", compiler = "%%%s", mpi = "^%s", blas = "^%s", lapack = "^%s", scalapack = "^%s", python = "^%s",
  target = "target=%s", os = "os=%s", platform = "platform=%s",
}

---@param message string
local function wrong(message)
  fail("usage", "matrix: " .. message)
end

---@param name any
---@param known string[]
---@param what string
local function unknown(what, name, known)
  local near = text.nearest(tostring(name), known)
  fail("unknown_name", "matrix: " .. what .. " '" .. tostring(name) .. "' does not exist"
    .. (near and ": did you mean '" .. near .. "'?" or "; known: " .. table.concat(known, ", ")))
end

---@param what string
---@param options table<string, any>
---@param known string[]
local function check_options(what, options, known)
  for key in pairs(options) do
    local found = false
    for _, name in ipairs(known) do found = found or name == key end
    if not found then unknown(what .. ": option", key, known) end
  end
end

-- What a value is called.
---@param axis string
---@param value any
---@return string
local function label(axis, value)
  if value == false then return "no-" .. axis end
  if type(value) == "table" then return tostring(value.name or value.spec) end
  return tostring(value)
end

---@param axis string
---@param value any
local function check_value(axis, value)
  local kind = type(value)
  if kind == "table" then
    if type(value.name or value.spec) ~= "string" then wrong("a value of '" .. axis .. "' has neither 'name' nor 'spec'") end
  elseif kind ~= "string" and kind ~= "number" and value ~= false then
    wrong("a value of '" .. axis .. "' must be a text, a number, a table with a name or false, not a " .. kind)
  end
end

---@param given table
---@return string[] names the axes in order
local function axes_of(given)
  local names = {}
  for axis, values in pairs(given) do
    if type(axis) ~= "string" then wrong("takes lists by name: matrix{ compiler = { … }, mpi = { … } }") end
    if axis == "name" then wrong("'name' is what each entry is called; call the axis otherwise") end
    if not RESERVED[axis] then
      local near = text.nearest(axis, FIELDS)
      if type(values) ~= "table" or (near and type(values) == "function") then
        wrong("'" .. axis .. "' must be a list of values" .. (near and "; did you mean '" .. near .. "'?" or ""))
      elseif #values == 0 then
        wrong("'" .. axis .. "' has no values" .. (near and "; did you mean '" .. near .. "'?" or ""))
      end
      local seen = {}
      for _, value in ipairs(values) do
        check_value(axis, value)
        local called = label(axis, value)
        if seen[called] then wrong("'" .. axis .. "' has '" .. called .. "' twice") end
        seen[called] = true
      end
      names[#names + 1] = axis
    end
  end
  if #names == 0 then wrong("there is no axis: matrix{ compiler = { … }, mpi = { … } }") end
  table.sort(names)
  return names
end

-- The axes in the order that `order` asks for; those it leaves out follow.
---@param names string[]
---@param order any
---@return string[]
local function ordered(names, order)
  if order == nil then return names end
  if type(order) ~= "table" then wrong("'order' must be a list of axes") end
  local known, out = {}, {}
  for _, name in ipairs(names) do known[name] = true end
  for _, name in ipairs(order) do
    if known[name] == nil then unknown("axis", name, names) end
    if known[name] then out[#out + 1] = name end
    known[name] = false
  end
  for _, name in ipairs(names) do
    if known[name] then out[#out + 1] = name end
  end
  return out
end

---@param axes string[]
---@param entry table
---@return string
local function name_of(axes, entry)
  local parts = {}
  for _, axis in ipairs(axes) do
    if entry[axis] ~= nil then parts[#parts + 1] = label(axis, entry[axis]) end
  end
  local name = table.concat(parts, "-"):gsub("[^%w_]+", "-"):gsub("^%-+", ""):gsub("%-+$", "")
  return name
end

-- "gcc" is also "gcc@13": a filter names what it means as a spec does.
---@param axis string
---@param value any
---@param wanted any
---@return boolean
local function same(axis, value, wanted)
  if value == wanted then return true end
  if type(wanted) == "table" and not wanted.name and not wanted.spec then
    for _, one in ipairs(wanted) do
      if same(axis, value, one) then return true end
    end
    return false
  end
  if value == nil or (value == false) ~= (wanted == false) then return false end
  local called, asked = label(axis, value), label(axis, wanted)
  if called == asked then return true end
  return called:sub(1, #asked) == asked and called:sub(#asked + 1, #asked + 1):find("^[@%%+~ ]") ~= nil
end

---@param filters any
---@param axes string[]
---@param key string
---@return table[]
local function tables(filters, axes, key)
  if filters == nil then return {} end
  if type(filters) ~= "table" or (next(filters) ~= nil and #filters == 0) then
    wrong("'" .. key .. "' must be a list: " .. key .. " = { { compiler = \"gcc\" }, … }")
  end
  local known = {}
  for _, axis in ipairs(axes) do known[axis] = true end
  for _, filter in ipairs(filters) do
    if type(filter) ~= "table" or next(filter) == nil then wrong("'" .. key .. "' has something that is not a table with axes") end
    for axis in pairs(filter) do
      if not known[axis] then unknown(key .. ": axis", axis, axes) end
    end
  end
  return filters
end

---@param given table
---@param axes string[]
---@return matrix.Entry[]
local function product(given, axes)
  local entries = { {} } ---@type any
  for _, axis in ipairs(axes) do
    local longer = {}
    if #entries * #given[axis] > MOST then wrong("has more than " .. MOST .. " combinations") end
    for _, entry in ipairs(entries) do
      for _, value in ipairs(given[axis]) do
        local copy = { [axis] = value }
        for key, one in pairs(entry) do copy[key] = one end
        longer[#longer + 1] = copy
      end
    end
    entries = longer
  end
  return entries
end

---@param entry table
---@param filter table
---@return boolean
local function matches(entry, filter)
  for axis, wanted in pairs(filter) do
    if not same(axis, entry[axis], wanted) then return false end
  end
  return true
end

---@param entries matrix.Entry[]
---@param filters table[]
---@return matrix.Entry[]
local function without(entries, filters)
  local kept, used = {}, {}
  for _, entry in ipairs(entries) do
    local out = false
    for at, filter in ipairs(filters) do
      if matches(entry, filter) then out, used[at] = true, true end
    end
    if not out then kept[#kept + 1] = entry end
  end
  for at in ipairs(filters) do
    -- It may be left over from a compiler that has gone; it may also be a misspelt one.
    if not used[at] then log.warn("matrix: number " .. at .. " of 'exclude' matches no combination") end
  end
  return kept
end

--- All combinations of the axes: the first axis changes slowest. Axes stand in the order of their names unless `order`
--- says otherwise. `exclude` is a list of combinations to leave out, each naming some axes (`{ compiler = "gcc" }` also
--- means `gcc@13`; a list means any of them); `when(entry)` keeps those that it gives true for; `include` adds
--- combinations in the end. `matrix{…}` is the same.
---@param axes table
---@return matrix.Entry[]
function matrix.new(axes)
  if type(axes) ~= "table" then wrong("takes one table") end
  local names = ordered(axes_of(axes), axes.order)
  if axes.when ~= nil and type(axes.when) ~= "function" then wrong("'when' must be a function") end
  local entries = without(product(axes, names), tables(axes.exclude, names, "exclude"))
  local out, taken = {}, {}
  local function add(entry, again)
    local known = taken[entry.name]
    if known and again and matches(known, entry) then return end
    if known then wrong("two combinations are called '" .. entry.name .. "'; give values names: { name = …, spec = … }") end
    taken[entry.name] = entry
    out[#out + 1] = entry
  end
  for _, entry in ipairs(entries) do
    entry.name = name_of(names, entry)
    if not axes.when or axes.when(entry) then add(entry, false) end
  end
  for _, entry in ipairs(tables(axes.include, names, "include")) do
    local copy = { name = name_of(names, entry) }
    for axis, value in pairs(entry) do
      check_value(axis, value)
      copy[axis] = value
    end
    add(copy, true)
  end
  return out
end

-- How a value stands in a spec: *(rank, text)*. What follows `%` or `^` belongs to that package, so what is said of the
-- root stands before.
---@param axis string
---@param value any
---@param parts table<string, string>
---@return integer rank
---@return string part
local function part(axis, value, parts)
  local spec = type(value) == "table" and tostring(value.spec or value.name) or tostring(value)
  local pattern = parts[axis] or PARTS[axis]
  -- A value that says itself what it is stays as it is.
  if spec:find("^[@+~%%^-]") or spec:find("^[%w_-]+==?") then
    pattern = "%s"
  elseif not pattern then
    fail("usage", "matrix.specs: it is not known how '" .. axis .. "' stands in a spec; say so: "
      .. "parts = { " .. axis .. " = \"^%s\" }, or write values such as \"+cuda\" or \"build_type=Release\"")
  end
  local made = pattern:gsub("%%([%%s])", function(c) return c == "s" and spec or "%" end)
  local first = made:sub(1, 1)
  return first == "@" and 1 or first == "%" and 4 or first == "^" and 5 or made:find("=", 1, true) and 3 or 2, made
end

---@param root string
---@param entry matrix.Entry
---@param parts table<string, string>
---@return string
local function spec_of(root, entry, parts)
  local rows = {}
  for axis, value in pairs(entry) do
    if axis ~= "name" and value ~= false then
      local rank, made = part(axis, value, parts)
      rows[#rows + 1] = { rank = rank, axis = axis, text = made }
    end
  end
  table.sort(rows, function(a, b)
    if a.rank ~= b.rank then return a.rank < b.rank end
    return a.axis < b.axis
  end)
  -- Its own dependencies come after everything that is said of the root itself, its compiler included.
  local own, dependencies = root:match("^([^%^%%]*[^%^%%%s])(.*)$")
  own, dependencies = own or root, text.trim(dependencies or "")
  local out = { own }
  for _, row in ipairs(rows) do
    if row.rank > 4 and dependencies ~= "" then
      out[#out + 1] = " " .. dependencies
      dependencies = ""
    end
    out[#out + 1] = (row.rank == 1 and "" or " ") .. row.text
  end
  if dependencies ~= "" then out[#out + 1] = " " .. dependencies end
  return table.concat(out)
end

--- The specs to install: each root with each combination, such as `hdf5+hl target=zen4 %gcc@13 ^openmpi`. How the axes
--- version, compiler, mpi, blas, lapack, scalapack, python, target, os and platform stand in a spec is known; for others
--- say it with `parts`, or write values that say it themselves (`"+cuda"`, `"build_type=Release"`).
---@param roots string|string[]
---@param entries matrix.Entry[]
---@param options? matrix.SpecOptions
---@return string[]
function matrix.specs(roots, entries, options)
  options = options or {}
  check_options("specs", options, { "parts" })
  local list = type(roots) == "string" and { roots } or roots ---@type any
  if type(list) ~= "table" or type(entries) ~= "table" then
    fail("usage", "matrix.specs takes a spec or a list of specs, and what matrix{…} gave")
  end
  local out = {}
  for _, root in ipairs(list) do
    for _, entry in ipairs(entries) do out[#out + 1] = spec_of(root, entry, options.parts or {}) end
  end
  return out
end

-- The error with the combination's name in front; what is not one of ours stays what it is.
---@param entry matrix.Entry
---@param e any
local function raise(entry, e)
  if type(e) == "string" then fail("script", entry.name .. ": " .. e, { entry = entry.name }) end
  if type(e) ~= "userdata" then error(e, 0) end
  local facts = { entry = entry.name, where = e.where, hint = e.hint }
  for key, value in pairs(e.facts) do facts[key] = value end
  fail(e.kind, entry.name .. ": " .. e.message, facts)
end

--- Calls `each(entry, index)` for each combination, several at a time, and gives the results by name (`true` where there
--- is none). The first failure cancels the others and is raised, with the combination's name in front; with `keep_going`
--- all run, and the second result lists the failures in order.
---@param entries matrix.Entry[]
---@param each fun(entry: matrix.Entry, index: integer): any
---@param options? matrix.MapOptions
---@return table<string, any> results
---@return matrix.Failure[] failures
function matrix.map(entries, each, options)
  options = options or {}
  check_options("map", options, { "limit", "keep_going" })
  if type(entries) ~= "table" or type(each) ~= "function" then
    fail("usage", "matrix.map takes what matrix{…} gave and a function")
  end
  local limit = { limit = options.limit }
  local results, failures = {}, {}
  local function keep(entry, value)
    if value == nil then value = true end
    results[entry.name] = value
  end
  if not options.keep_going then
    task.map(entries, function(entry, index)
      local ok, value = pcall(each, entry, index)
      if not ok then raise(entry, value) end
      keep(entry, value)
    end, limit)
    return results, failures
  end
  local settled = task.settle(entries, each, limit) ---@type any
  for index, entry in ipairs(entries) do
    local ended = settled[index]
    if ended.error ~= nil then
      failures[#failures + 1] = { name = entry.name, entry = entry, error = ended.error }
    else
      keep(entry, ended.ok)
    end
  end
  return results, failures
end

return setmetatable(matrix, { __call = function(_, axes) return matrix.new(axes) end })
