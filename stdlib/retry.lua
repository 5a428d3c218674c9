--- Tries again what may pass by itself: a network that was away, a lock that was held, a server that was busy.
---
--- `local retry = require("retry")`, then `retry({ max = 5, base = "2s" }, function(attempt) … end)`.

---@class (exact) retry.Attempt
---@field number integer the attempt, from 1
---@field kind string the kind of its error
---@field message string what the error says
---@field seconds number how long it took
---@field waited number seconds that were waited after it

---@class (exact) retry.Question: retry.Attempt
---@field name string what is tried
---@field max integer how many attempts there may be
---@field retryable boolean the error says itself that trying again may help
---@field elapsed number seconds since the first attempt began
---@field wait number|false what would be done without `decide`
---@field error any the error itself

---@class (exact) retry.Options
---@field max? integer most attempts, the first included; 3
---@field base? string|number the first wait; `"1s"`
---@field factor? number each wait is so many times the one before; 2
---@field jitter? number share by which a wait is longer or shorter by chance, so that many do not come back at once; 0.1
---@field cap? string|number the longest wait; `"5m"`
---@field within? string|number no attempt begins later than this after the first; no limit
---@field on? string[] kinds of errors to try again after; `network`, `timeout`, `lock`, `fetch` and errors with `e.retry`
---@field name? string what is tried, for the log; `"work"`
---@field decide? fun(question: retry.Question): number|boolean|nil asked after each failure: seconds to wait, `false` for no more, `nil` or `true` for the rules above; without it and `on`, the site's policy `retry` if it has one

---@class retry
---@overload fun(options: retry.Options, work: fun(attempt: integer): any): any
local retry = {}

-- The kinds that errors have; a test compares them with those of the executable.
local KINDS = {
  "usage", "unknown_name", "configuration", "no_spack", "unknown_format", "corrupt", "unsupported", "script",
  "not_found", "ambiguous", "exists", "refused", "busy", "cancelled", "timeout", "limit", "fetch", "concretization",
  "build", "lock", "disk", "permission", "signal", "program", "network", "io", "not_done", "internal",
}
local OPTIONS = { "max", "base", "factor", "jitter", "cap", "within", "on", "name", "decide" }
local DEFAULT = { network = true, timeout = true, lock = true, fetch = true }

---@param list string[]
---@return table<string, boolean>
local function set(list)
  local out = {}
  for _, name in ipairs(list) do out[name] = true end
  return out
end
local is_kind, is_option = set(KINDS), set(OPTIONS)

---@param what string
---@param name any
---@param known string[]
local function unknown(what, name, known)
  local near = text.nearest(tostring(name), known)
  local advice = near and ": did you mean '" .. near .. "'?" or "; known: " .. table.concat(known, ", ")
  fail("unknown_name", "retry: " .. what .. " '" .. tostring(name) .. "' does not exist" .. advice,
    { name = tostring(name), nearest = near })
end

---@param options table
---@param key string
---@param default number
---@param least number
---@param most? number
---@return number
local function number(options, key, default, least, most)
  local value = options[key]
  if value == nil then return default end
  if type(value) ~= "number" or value ~= value or value < least or (most and value > most) then
    local upper = most and " and at most " .. most or ""
    fail("usage", "retry: '" .. key .. "' must be a number of at least " .. least .. upper)
  end
  return value
end

---@param options table
---@param key string
---@param default? number
---@return number?
local function seconds(options, key, default)
  local value = options[key]
  if value == nil then return default end
  if type(value) ~= "string" and type(value) ~= "number" then
    fail("usage", "retry: '" .. key .. "' must be a duration such as \"10s\", or seconds")
  end
  return time.span(value)
end

---@param list any
---@return table<string, boolean>?
local function kinds(list)
  if list == nil then return nil end
  if type(list) ~= "table" or (next(list) ~= nil and #list == 0) then
    fail("usage", "retry: 'on' must be a list of error kinds")
  end
  for _, kind in ipairs(list) do
    if not is_kind[kind] then unknown("error kind", kind, KINDS) end
    if kind == "cancelled" then fail("usage", "retry: what was cancelled is never tried again") end
  end
  return set(list)
end

-- A site that has a policy for it decides where the script does not say when to try again.
---@param options table
---@return (fun(question: retry.Question): number|boolean)?
local function by_policy(options)
  if options.on or site.get("policy.retry").value == nil then return nil end
  return function(question)
    return site.policy("retry", {
      attempt = question.number, max = question.max, kind = question.kind, message = question.message,
      seconds = question.elapsed, name = question.name,
    })
  end
end

---@param options any
---@return table
local function checked(options)
  if type(options) ~= "table" then fail("usage", "retry takes a table of options and a function") end
  for key in pairs(options) do
    if not is_option[key] then unknown("option", key, OPTIONS) end
  end
  local max = number(options, "max", 3, 1)
  if math.type(max) ~= "integer" then fail("usage", "retry: 'max' must be a whole number") end
  if options.decide ~= nil and type(options.decide) ~= "function" then
    fail("usage", "retry: 'decide' must be a function")
  end
  return {
    max = max, base = seconds(options, "base", 1), factor = number(options, "factor", 2, 1),
    jitter = number(options, "jitter", 0.1, 0, 1), cap = seconds(options, "cap", 300),
    within = seconds(options, "within"), on = kinds(options.on), name = tostring(options.name or "work"),
    decide = options.decide or by_policy(options),
  }
end

-- Kind, message and whether it may pass, of whatever was raised.
---@param e any
---@return string kind
---@return string message
---@return boolean retryable
local function look(e)
  if type(e) ~= "table" and type(e) ~= "userdata" then return "script", tostring(e), false end
  return is_kind[e.kind] and e.kind or "script", tostring(e.message or e), e.retry == true
end

---@param e any
---@param key string
---@return any
local function field(e, key)
  if type(e) == "table" or type(e) == "userdata" then return e[key] end
end

-- By chance longer or shorter. Lua seeds its generator anew in each process.
---@param o table
---@param attempt integer
---@return number
local function wait_after(o, attempt)
  local wait = math.min(o.base * o.factor ^ (attempt - 1), o.cap)
  local share = o.jitter * (2 * math.random() - 1)
  return math.max(0, wait * (1 + share))
end

-- Seconds to wait before the next attempt, or false.
---@param o table
---@param attempt retry.Attempt
---@param e any
---@param elapsed number
---@return number|false
local function decision(o, attempt, e, elapsed)
  local retryable = select(3, look(e))
  local wait = false ---@type number|false
  local chosen = o.on or DEFAULT
  if chosen[attempt.kind] or (o.on == nil and retryable) then wait = wait_after(o, attempt.number) end
  if o.decide and attempt.kind ~= "cancelled" then
    local question = { name = o.name, max = o.max, retryable = retryable, elapsed = elapsed, wait = wait, error = e }
    for key, value in pairs(attempt) do question[key] = value end
    local answer = o.decide(question)
    if answer == false then return false end
    if type(answer) == "number" then
      if answer ~= answer or answer < 0 then fail("usage", "retry: 'decide' gave " .. answer .. " seconds") end
      return answer
    elseif answer ~= nil and answer ~= true then
      fail("usage", "retry: 'decide' must give seconds, a boolean or nil, not a " .. type(answer))
    end
  end
  return wait
end

---@param o table
---@param attempts retry.Attempt[]
---@param e any
---@param elapsed number
local function exhausted(o, attempts, e, elapsed)
  local last = attempts[#attempts]
  local facts = {}
  local of_error = field(e, "facts")
  if type(of_error) == "table" then
    for key, value in pairs(of_error) do facts[key] = value end
  end
  facts.attempts, facts.seconds, facts.hint = attempts, elapsed, field(e, "hint")
  local times = #attempts == 1 and "1 attempt" or #attempts .. " attempts"
  fail(last.kind, string.format("%s: gave up after %s over %s: %s", o.name, times, time.words(elapsed), last.message),
    facts)
end

---@return number
local function now()
  return time.now({ zone = "UTC" }).seconds
end

--- Calls `work(attempt)` until it raises nothing, and gives its results; `retry(options, work)` is the same. After an
--- error that may pass it waits and tries again; any other error goes through as it is. When there are no attempts
--- left an error of the last one's kind is raised, and `e.facts.attempts` lists them all. What was cancelled is never
--- tried again.
---@param options retry.Options
---@param work fun(attempt: integer): any
---@return any
function retry.run(options, work)
  local o = checked(options)
  if type(work) ~= "function" then fail("usage", "retry takes a table of options and a function") end
  local attempts, begin = {}, now()
  while true do
    local began = now()
    local result = table.pack(pcall(work, #attempts + 1)) ---@type table
    if result[1] then return table.unpack(result, 2, result.n) end
    local e, ended = result[2], now()
    local kind, message = look(e)
    ---@type retry.Attempt
    local attempt = {
      number = #attempts + 1, kind = kind, message = message, seconds = math.max(0, ended - began), waited = 0,
    }
    attempts[attempt.number] = attempt
    local elapsed = math.max(0, ended - begin)
    local wait = decision(o, attempt, e, elapsed)
    local first = attempt.number == 1
    -- An error that is not to be tried again is the caller's, untouched.
    if not wait and (first or kind == "cancelled") then error(e, 0) end
    local late = o.within and wait and elapsed + wait > o.within
    local ends = not wait or late or attempt.number >= o.max
    log.warn(string.format("%s: attempt %d of %d failed (%s): %s%s", o.name, attempt.number, o.max, kind, message,
      ends and "" or "; again in " .. time.words(wait or 0)), { attempt = attempt.number, kind = kind })
    if not wait then error(e, 0) end
    if ends then exhausted(o, attempts, e, elapsed) end
    attempt.waited = wait
    time.sleep(wait)
  end
end

return setmetatable(retry, { __call = function(_, options, work) return retry.run(options, work) end })
