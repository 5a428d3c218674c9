-- Steps of a run: each is on record with its inputs and its result, so that an interrupted run goes on where it was.
local host = ...
local type, tostring, pairs, ipairs, error, table = type, tostring, pairs, ipairs, error, table

-- By name: "running", "ok", "failed", "skipped". What was done can be undone in reverse order.
local states, results, failures = {}, {}, {}
local undo_of, undo_order = {}, {}
local on_fail = "stop"

local OPTIONS = { needs = "table", inputs = "any", files = "table", check = "function", always = "boolean" }
local STEP = { name = "string", run = "function" }
for key, kind in pairs(OPTIONS) do STEP[key] = kind end

local function checked(what, t, known)
  for key, value in pairs(t) do
    local kind = known[key]
    if kind == nil then host.unknown(what .. ": option", tostring(key), known) end
    if kind ~= "any" and type(value) ~= kind then
      fail("usage", what .. ": '" .. key .. "' must be a " .. kind .. ", not a " .. type(value))
    end
  end
end

-- Runs cleanup functions, newest first, although the scope may be cancelled. One that fails does not stop the rest.
local function undo(list)
  local undone = #list > 0
  for i = #list, 1, -1 do
    local cleanup = table.remove(list, i)
    host.shield()
    local ok, failed = host.raw_pcall(cleanup)
    host.unshield()
    if not ok then host.warn("a compensation failed: " .. host.message(failed)) end
  end
  return undone
end

-- What stands in the way of a step, or nil.
local function blocked(name, options)
  for _, need in ipairs(options.needs or {}) do
    local state = states[need]
    if state == nil then
      host.unknown("step '" .. name .. "' needs a step that has not run:", tostring(need), states)
    end
    if state ~= "ok" and not options.always then return "needs " .. need .. ", which " .. state end
  end
end

local function failed_step(name, failed, list)
  local state = undo(list) and "undone" or "failed"
  states[name] = "failed"
  host.step_end(name, state, nil, failed)
  if on_fail == "keep_going" and not host.is_cancelled(failed) then
    failures[#failures + 1] = name .. ": " .. host.message(failed)
    return nil
  end
  error(failed, 0)
end

local function step(name, options, fn)
  if type(options) == "function" and fn == nil then options, fn = {}, options end
  if type(name) ~= "string" or name == "" then fail("usage", "run.step: the first argument is the step's name") end
  if type(options) ~= "table" or type(fn) ~= "function" then
    fail("usage", "run.step takes a name, options and a function")
  end
  checked("run.step", options, OPTIONS)
  if states[name] then fail("usage", "run.step: there is a step '" .. name .. "' already") end
  local why = blocked(name, options)
  if why then
    states[name] = "was skipped"
    host.step_end(name, "skipped", nil, why)
    return nil
  end
  states[name] = "is still running"
  local digest = host.step_digest(options.inputs, options.files, fn)
  local known = host.step_known(name, digest)
  if known and (options.check == nil or options.check(known.result)) then
    states[name], results[name] = "ok", known.result
    host.step_kept(name)
    return known.result
  end
  host.step_begin(name, digest)
  local list = {}
  undo_of[name] = list
  local ok, value = host.step_run(name, fn)
  if ok and options.check and not host.planning and not options.check(value) then
    ok, value = false, host.trouble("not_done", "step '" .. name .. "' has ended, but its check does not hold")
  end
  if not ok then return failed_step(name, value, list) end
  host.step_end(name, "ok", value)
  states[name], results[name] = "ok", value
  undo_order[#undo_order + 1] = name
  return value
end

-- Starts what no longer waits for anything; a step that has ended starts the next ones.
local function launch(group, waiting, limit, running)
  for i, one in ipairs(waiting.list) do
    if not waiting.begun[i] and running.count < limit then
      local free = true
      for _, need in ipairs(one.needs or {}) do
        local state = states[need]
        if waiting.names[need] and (state == nil or state == "is still running") then free = false end
      end
      if free then
        waiting.begun[i] = true
        running.count = running.count + 1
        group.spawn(function()
          local options = {}
          for key in pairs(OPTIONS) do options[key] = one[key] end
          step(one.name, options, function() return one.run(results) end)
          running.count = running.count - 1
          launch(group, waiting, limit, running)
        end)
      end
    end
  end
end

local function steps(list, options)
  options = options or {}
  if type(list) ~= "table" then fail("usage", "run.steps takes a list of steps") end
  checked("run.steps", options, { limit = "number" })
  local waiting = { list = list, names = {}, begun = {} }
  for i, one in ipairs(list) do
    if type(one) ~= "table" then fail("usage", "run.steps: item " .. i .. " is not a table") end
    checked("run.steps: item " .. i, one, STEP)
    if not one.name or not one.run then fail("usage", "run.steps: item " .. i .. " needs 'name' and 'run'") end
    if waiting.names[one.name] then fail("usage", "run.steps: there are two steps '" .. one.name .. "'") end
    waiting.names[one.name] = true
  end
  for _, one in ipairs(list) do
    for _, need in ipairs(one.needs or {}) do
      if not waiting.names[need] and not states[need] then
        host.unknown("step '" .. one.name .. "' needs", tostring(need), waiting.names)
      end
    end
  end
  task.group(function(group) launch(group, waiting, options.limit or 8, { count = 0 }) end)
  local circle = {}
  for i, one in ipairs(list) do
    if not waiting.begun[i] then circle[#circle + 1] = one.name end
  end
  if #circle > 0 then fail("usage", "run.steps: these steps wait for each other: " .. table.concat(circle, ", ")) end
  local given = {}
  for _, one in ipairs(list) do given[one.name] = results[one.name] end
  return given
end

local function compensate(fn)
  if type(fn) ~= "function" then fail("usage", "run.compensate takes a function") end
  local name = host.current_step()
  if name == nil then
    undo_of[""] = undo_of[""] or {}
    name = ""
  end
  local list = undo_of[name]
  list[#list + 1] = fn
end

-- For the one who runs the workflow: what a failure means, and what is left to do at the end.
host.keep(function(mode) on_fail = mode end, function(ended_well)
  if not ended_well or #failures > 0 then
    if on_fail == "roll_back" then
      for i = #undo_order, 1, -1 do
        local name = undo_order[i]
        if undo(undo_of[name]) then host.step_end(name, "undone") end
      end
    end
    if not ended_well and undo_of[""] then undo(undo_of[""]) end
  end
  return failures
end)

host.place("run.step", step)
host.place("run.steps", steps)
host.place("run.compensate", compensate)
host.place("run.id", host.run_id)
