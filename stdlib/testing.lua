--- Tests for the scripts of a site: `moonstack test DIR` runs every `*_test.lua`, each on a practice site of its own.
---
--- `local testing = require("testing")`, then `testing.case("finds zlib", function() … end)` for each case. A file
--- without cases is a case itself.

---@class (exact) testing.Site where the practice site's parts are
---@field root string the folder that holds it all
---@field spack string root of the stand-in for Spack
---@field store string
---@field environments string
---@field mirror string
---@field config string
---@field stage string

---@class (exact) testing.PackageFault
---@field fail? "build"|"fetch" what goes wrong
---@field seconds? number its build lasts so long
---@field kill? boolean Spack is killed in the middle of its build

---@class (exact) testing.VerbFault
---@field garbage? boolean prints nonsense
---@field hang? boolean prints nothing and never ends
---@field flood? integer prints that many lines first
---@field code? integer fails at once with this exit code
---@field message? string … and this message

---@class (exact) testing.Faults
---@field ["package"]? table<string, testing.PackageFault> by name
---@field verb? table<string, testing.VerbFault> by Spack's command, such as `find`

---@class (exact) testing.SiteOptions
---@field faults? testing.Faults

---@class (exact) testing.RunOptions
---@field timeout? string|number ended after this long; `"50s"`
---@field cwd? string the folder to run it in; the test file's own
---@field env? table<string, string> further environment variables

---@class (exact) testing.Ran
---@field code? integer exit code; none when a signal ended it
---@field stdout string
---@field stderr string
---@field json any what the standard output is as JSON, if it is
---@field ended? string `timeout`, when it was ended

local testing = {}

-- What the runner gives, and what it is told.
local attached ---@type any
local cases = {} ---@type { name: string, run: function }[]
local loading = false
local faults = { now = {}, file = {} } ---@type { now: table, file: table }

local DEPTH, LENGTH = 6, 400
local PACKAGE = { fail = "string", seconds = "number", kill = "boolean" } ---@type table<string, string>
---@type table<string, string>
local VERB = { garbage = "boolean", hang = "boolean", flood = "number", code = "number", message = "string" }

---@param a any
---@param b any
---@return boolean
local function before(a, b)
  local x, y = type(a), type(b)
  if x ~= y then return x < y end
  if x == "number" or x == "string" then return a < b end
  return tostring(a) < tostring(b)
end

---@param t table
---@return any[]
local function keys_of(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys, before)
  return keys
end

---@param value any
---@param depth integer
---@param seen table<any, boolean>
---@return string
local function render(value, depth, seen)
  if type(value) == "string" then return (string.format("%q", value):gsub("\\\n", "\\n")) end
  if type(value) ~= "table" then return tostring(value) end
  if seen[value] then return "{ itself }" end
  if depth > DEPTH then return "{ … }" end
  seen[value] = true
  local parts = {}
  for at = 1, #value do parts[at] = render(value[at], depth + 1, seen) end
  for _, key in ipairs(keys_of(value)) do
    if math.type(key) ~= "integer" or key < 1 or key > #value then
      local name = type(key) == "string" and key:find("^[%a_][%w_]*$") and key or "[" .. render(key, depth + 1, seen) .. "]"
      parts[#parts + 1] = name .. " = " .. render(value[key], depth + 1, seen)
    end
  end
  seen[value] = nil
  return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

---@param value any
---@return string
local function shown(value)
  local text = render(value, 1, {})
  if #text <= LENGTH then return text end
  local cut = utf8.offset(text, 0, LENGTH) or LENGTH
  return text:sub(1, cut - 1) .. "…"
end

---@param note string?
---@param message string
---@param facts table
local function refuse(note, message, facts)
  facts.kind = "assertion"
  fail("assertion", note and tostring(note) .. ": " .. message or message, facts)
end

-- Where two values differ, up to eight places.
---@param a any
---@param b any
---@param path string
---@param out string[]
---@param seen table<any, any>
local function differ(a, b, path, out, seen)
  if a == b or (a ~= a and b ~= b) or #out >= 8 then return end
  if type(a) ~= "table" or type(b) ~= "table" then
    out[#out + 1] = (path == "" and "the value" or path) .. ": got " .. shown(a) .. ", expected " .. shown(b)
    return
  end
  if seen[a] == b then return end
  seen[a] = b
  local both = {}
  for key in pairs(a) do both[key] = true end
  for key in pairs(b) do both[key] = true end
  for _, key in ipairs(keys_of(both)) do
    local step = math.type(key) == "integer" and "[" .. key .. "]" or "." .. tostring(key)
    if path == "" then step = step:gsub("^%.", "") end
    differ(a[key], b[key], path .. step, out, seen)
  end
end

--- Fails unless both are the same value. Tables are compared by `testing.same`.
---@param actual any
---@param expected any
---@param note? string said in front of the failure
function testing.equal(actual, expected, note)
  if actual == expected then return end
  if type(actual) == "table" and type(expected) == "table" then
    refuse(note, "not the same table; testing.same compares what is in them", {})
  end
  refuse(note, "got " .. shown(actual) .. ", expected " .. shown(expected),
    { actual = shown(actual), expected = shown(expected) })
end

--- Fails unless both hold the same, all the way down; says where they differ.
---@param actual any
---@param expected any
---@param note? string
function testing.same(actual, expected, note)
  local out = {}
  differ(actual, expected, "", out, {})
  if #out == 0 then return end
  refuse(note, #out == 1 and out[1] or "they differ:\n  " .. table.concat(out, "\n  "),
    { actual = shown(actual), expected = shown(expected), differences = out })
end

--- Fails if the value is nil or false.
---@param value any
---@param note? string
function testing.truthy(value, note)
  if value then return end
  refuse(note, "got " .. shown(value) .. ", expected something true", { actual = shown(value) })
end

--- Fails unless the value is nil or false.
---@param value any
---@param note? string
function testing.falsy(value, note)
  if not value then return end
  refuse(note, "got " .. shown(value) .. ", expected nil or false", { actual = shown(value) })
end

--- Fails unless a text has the part (taken literally), or a list an element that is the same all the way down.
---@param whole string|any[]
---@param part any
---@param note? string
function testing.contains(whole, part, note)
  if type(whole) == "string" then
    if whole:find(tostring(part), 1, true) then return end
  elseif type(whole) == "table" then
    for _, element in ipairs(whole) do
      local out = {}
      differ(element, part, "", out, {})
      if #out == 0 then return end
    end
  else
    fail("usage", "testing.contains takes a text or a list, not a " .. type(whole))
  end
  refuse(note, shown(part) .. " is not in " .. shown(whole), { actual = shown(whole), expected = shown(part) })
end

--- Fails unless the text matches the Lua pattern.
---@param subject string
---@param pattern string
---@param note? string
function testing.matches(subject, pattern, note)
  if type(subject) ~= "string" then fail("usage", "testing.matches takes a text, not a " .. type(subject)) end
  if subject:find(pattern) then return end
  refuse(note, shown(subject) .. " does not match " .. shown(pattern), { actual = shown(subject), expected = pattern })
end

--- Fails unless the numbers differ by no more than the tolerance (a billionth of the expected one by default).
---@param actual number
---@param expected number
---@param tolerance? number
---@param note? string
function testing.near(actual, expected, tolerance, note)
  tolerance = tolerance or math.max(math.abs(expected) * 1e-9, 1e-12)
  if type(actual) == "number" and math.abs(actual - expected) <= tolerance then return end
  refuse(note, "got " .. shown(actual) .. ", expected " .. expected .. " ± " .. tolerance,
    { actual = shown(actual), expected = expected, tolerance = tolerance })
end

-- The kind that a script meant, also one of its own.
---@param e any
---@return string
local function kind_of(e)
  if type(e) ~= "userdata" and type(e) ~= "table" then return "script" end
  if type(e) == "userdata" and e.kind == "script" and e.facts.kind then return e.facts.kind end
  return tostring(e.kind)
end

--- Calls a function and fails unless it raises an error of that kind (`nil`: of any). Gives the error.
---@param kind string?
---@param f function
---@param ... any
---@return any error
function testing.raises(kind, f, ...)
  if type(f) ~= "function" then fail("usage", "testing.raises takes a kind (or nil) and a function") end
  local ok, e = pcall(f, ...)
  local wanted = kind or "any error"
  if ok then refuse(nil, "nothing was raised, expected " .. wanted, { expected = wanted }) end
  if kind and kind_of(e) ~= kind then
    local message = (type(e) == "userdata" or type(e) == "table") and e.message or e
    refuse(nil, "got an error of kind " .. kind_of(e) .. ", expected " .. kind .. ": " .. tostring(message),
      { actual = kind_of(e), expected = kind })
  end
  return e
end

--- Ends the case without a verdict.
---@param reason string
function testing.skip(reason)
  fail("skipped", tostring(reason))
end

--- Adds a case: a name and a function that raises if something is wrong. Cases run in order once the file is loaded.
---@param name string
---@param run fun()
function testing.case(name, run)
  if type(name) ~= "string" or name == "" or type(run) ~= "function" then
    fail("usage", "testing.case takes a name and a function")
  elseif #name > 200 then
    fail("usage", "testing.case: a name has at most 200 bytes")
  end
  for _, case in ipairs(cases) do
    if case.name == name then fail("usage", "testing.case: there are two cases '" .. name .. "'") end
  end
  if attached and not loading then fail("usage", "testing.case: a case cannot add cases") end
  cases[#cases + 1] = { name = name, run = run }
  -- Without a runner, as in a session, a case runs where it stands.
  if not attached then run() end
end

---@param what string
---@param given any
---@param known table<string, string>
local function check_fields(what, given, known)
  if type(given) ~= "table" then fail("usage", what .. " must be a table") end
  for key, value in pairs(given) do
    if not known[key] then
      local near = text.nearest(tostring(key), keys_of(known))
      fail("unknown_name", what .. ": '" .. tostring(key) .. "' does not exist; "
        .. (near and "did you mean '" .. near .. "'?" or "known: " .. table.concat(keys_of(known), ", ")))
    elseif known[key] ~= "any" and type(value) ~= known[key] then
      fail("usage", what .. ": '" .. key .. "' must be a " .. known[key])
    end
  end
end

---@return string
local function root()
  local info = site.info()
  local spack_root = info.practice and info.spack
  if not spack_root then
    fail("refused", "this is not a practice site; `moonstack test FILE` gives each test file one")
  end
  return (tostring(spack_root):gsub("/+spack/*$", ""))
end

--- Where the parts of the practice site are. It is made anew for each test file. `faults` is as for `testing.faults`.
---@param options? testing.SiteOptions
---@return testing.Site
function testing.site(options)
  local folder = root()
  check_fields("testing.site: options", options or {}, { faults = "table" })
  if options and options.faults then testing.faults(options.faults) end
  return {
    root = folder, spack = folder .. "/spack", store = folder .. "/store", environments = folder .. "/environments",
    mirror = folder .. "/mirror", config = folder .. "/config", stage = folder .. "/stage",
  }
end

---@param wanted table
local function write(wanted)
  if os.getenv("MOONSTACK_PRACTICE_FAULTS") then
    fail("refused", "the variable MOONSTACK_PRACTICE_FAULTS is set and wins over testing.faults; unset it")
  end
  fs.write(root() .. "/faults.toml", toml.encode(wanted))
  faults.now = wanted
end

--- Lets things go wrong from now on, in place of what was asked for before: packages that cannot be built or fetched,
--- and commands of Spack that fail, hang or print nonsense. What a case asks for ends with the case.
---@param wanted testing.Faults
function testing.faults(wanted)
  check_fields("testing.faults", wanted, { package = "table", verb = "table" })
  for name, fault in pairs(wanted.package or {}) do check_fields("testing.faults: package." .. name, fault, PACKAGE) end
  for name, fault in pairs(wanted.verb or {}) do check_fields("testing.faults: verb." .. name, fault, VERB) end
  write(wanted)
  if loading then faults.file = wanted end
end

--- Runs a workflow or script on this practice site, as `moonstack run NAME ARGS…` does, and gives how it ended. A path is
--- relative to the test file's folder.
---@param name string
---@param args? string[]
---@param options? testing.RunOptions
---@return testing.Ran
function testing.run(name, args, options)
  local given = { "run", name }
  for _, word in ipairs(args or {}) do given[#given + 1] = word end
  return testing.moonstack(given, options)
end

--- Runs moonstack itself on this practice site, such as `testing.moonstack{ "find", "zlib", "--json" }`.
---@param words string[]
---@param options? testing.RunOptions
---@return testing.Ran
function testing.moonstack(words, options)
  if not attached then fail("refused", "testing.run works within `moonstack test` only") end
  options = options or {}
  check_fields("testing.run: options", options, { timeout = "any", cwd = "string", env = "table" })
  local argv = { attached.executable, "--practice=" .. root() }
  for _, word in ipairs(words) do argv[#argv + 1] = tostring(word) end
  local ran = process.run(argv, {
    cwd = options.cwd or attached.folder, env = options.env or {}, timeout = options.timeout or "50s", check = false,
    tail = "4 MiB",
  })
  local ok, decoded = pcall(json.decode, ran.stdout)
  return {
    code = ran.code, stdout = ran.stdout, stderr = ran.stderr, ended = ran.ended, json = ok and decoded or nil,
  }
end

-- For the runner: takes what it knows and gives the list that cases are put into.
---@param context table
---@return { name: string, run: function }[]
function testing._attach(context)
  attached = context
  return cases
end

---@param chunk function
function testing._loading(chunk)
  loading = true
  local _ <close> = defer(function() loading = false end)
  chunk()
end

-- Puts back the faults that the file asked for.
function testing._restore()
  if faults.now ~= faults.file then write(faults.file) end
end

-- What an error makes of a case.
---@param e any
---@return string
function testing._status(e)
  local kind = kind_of(e)
  return kind == "assertion" and "fail" or kind == "skipped" and "skipped" or "error"
end

return testing
