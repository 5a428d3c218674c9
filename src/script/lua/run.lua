-- Steps of a run: each is on record with its inputs and its result, so that an interrupted run goes on where it was.
local host = ...
local type, tostring, pairs, ipairs, error, table, math = type, tostring, pairs, ipairs, error, table, math

-- By name: "is still running", "ok", "failed", "was skipped", "was undone".
local states, results, failures = {}, {}, {}
-- What was done can be taken back, in reverse order. A step that was kept has its body instead of compensations.
local undo_of, undo_order, kept, marked = {}, {}, {}, {}
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

-- The compensations of a step that was kept: its body is gone through with what is on record, and changes nothing.
local function recollect(name, problems)
  local body = kept[name]
  if not body then return #(undo_of[name] or {}) end
  kept[name], undo_of[name] = nil, {}
  local ok, failed = host.step_recall(name, body.fn)
  if #undo_of[name] < body.undo then
    local why = ok and "the step registers fewer now" or host.message(failed)
    problems[#problems + 1] = #undo_of[name] .. " of its " .. body.undo .. " compensations are known: " .. why
  end
  return math.max(#undo_of[name], body.undo)
end

-- Runs the compensations of a step, or of the run itself, newest first, although the scope may be cancelled. One that
-- fails does not stop the rest. Gives what went wrong, and how many there were.
local function undo(name)
  local problems = {}
  local count = recollect(name, problems)
  local list = undo_of[name] or {}
  if count > 0 and name ~= "" then host.step_undoing(name, count) end
  for i = #list, 1, -1 do
    local cleanup = table.remove(list, i)
    host.shield()
    local ok, failed = host.undo_run(name, i, cleanup)
    host.unshield()
    if not ok then problems[#problems + 1] = host.message(failed) end
  end
  for _, why in ipairs(problems) do
    host.warn((name == "" and "the run" or "step " .. name) .. " is not taken back as a whole: " .. why)
  end
  return problems, count
end

-- Takes back a step that has ended; `always` also where it has no compensations. Gives what went wrong.
local function take_back(name, always)
  local problems, count = undo(name)
  if #problems > 0 then return name .. ": " .. table.concat(problems, "; ") end
  if count > 0 or always then
    states[name] = "was undone"
    host.step_end(name, "undone")
  end
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

local function failed_step(name, failed)
  states[name] = "failed"
  local problems, count = undo(name)
  local state = (count > 0 or marked[name]) and "undone" or "failed"
  if #problems > 0 then
    state = "undoing"
    host.not_undone(name .. ": " .. table.concat(problems, "; "))
  end
  host.step_end(name, state, nil, failed, count)
  if on_fail == "keep_going" and not host.is_cancelled(failed) then
    failures[#failures + 1] = { name = name, failed = failed }
    return nil
  end
  host.step_failed(name, failed)
  error(failed, 0)
end

-- What an interrupted run had begun to take back is taken back to the end before the step runs again.
local function finish_undoing(name, count, fn)
  kept[name] = { fn = fn, undo = count }
  local wrong = take_back(name, true)
  if wrong then
    fail("not_done", "step " .. name .. " was being taken back when the run was interrupted, and cannot be: " .. wrong, nil,
      "take it back by hand, then run it anew: moonstack runs resume --fresh")
  end
end

-- A step that was done before, and is again as it was.
local function keep(name, known, fn)
  states[name], results[name] = "ok", known.result
  if known.undo > 0 then kept[name] = { fn = fn, undo = known.undo } end
  undo_order[#undo_order + 1] = name
  return known.result
end

-- A step within one that is gone through again.
local function recalled(name, digest, fn)
  if states[name] then return results[name] end
  local known = host.step_known(name, digest)
  if known == nil or known.undoing then fail("not_done", "what step " .. name .. " gave is not on record") end
  return keep(name, known, fn)
end

local function step(name, options, fn)
  if type(options) == "function" and fn == nil then options, fn = {}, options end
  if type(name) ~= "string" or name == "" then fail("usage", "run.step: the first argument is the step's name") end
  if type(options) ~= "table" or type(fn) ~= "function" then
    fail("usage", "run.step takes a name, options and a function")
  end
  checked("run.step", options, OPTIONS)
  if host.recalls() then return recalled(name, host.step_digest(options.inputs, options.files, fn), fn) end
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
  if known and known.undoing then
    finish_undoing(name, known.undo, fn)
  elseif known and (options.check == nil or options.check(known.result)) then
    host.step_kept(name)
    return keep(name, known, fn)
  end
  states[name] = "is still running"
  host.step_begin(name, digest)
  undo_of[name] = {}
  local ok, value = host.step_run(name, fn)
  if ok and options.check and not host.planning and not options.check(value) then
    ok, value = false, host.trouble("not_done", "step '" .. name .. "' has ended, but its check does not hold")
  end
  if not ok then return failed_step(name, value) end
  host.step_end(name, "ok", value, nil, #undo_of[name])
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

-- Takes back all steps that have ended well, or those of a list; newest first in either case. Gives what went wrong.
local function take_back_steps(wanted, always)
  local wrong, stay = {}, {}
  while #undo_order > 0 do
    local name = table.remove(undo_order)
    if wanted == nil or wanted[name] then
      wrong[#wrong + 1] = take_back(name, always)
    else
      table.insert(stay, 1, name)
    end
  end
  for _, name in ipairs(stay) do undo_order[#undo_order + 1] = name end
  return wrong
end

local function undo_steps(list)
  if type(list) ~= "table" then fail("usage", "run.undo takes a list of names of steps") end
  local wanted = {}
  for _, name in ipairs(list) do
    if states[name] == nil then host.unknown("run.undo: step", tostring(name), states) end
    wanted[name] = true
    -- The step that calls it has not ended: what it did is taken back, and it counts as undone when it fails.
    if states[name] == "is still running" then
      marked[name] = true
      local problems = undo(name)
      if #problems > 0 then fail("not_done", "step " .. name .. " is not taken back: " .. table.concat(problems, "; ")) end
    end
  end
  local wrong = take_back_steps(wanted, true)
  if #wrong > 0 then fail("not_done", "not taken back: " .. table.concat(wrong, "; ")) end
end

-- For the one who runs the workflow: what a failure means, and what is left to do at the end.
host.keep(function(mode) on_fail = mode end, function(ended_well)
  local wrong = {}
  if not ended_well or #failures > 0 then
    if on_fail == "roll_back" then
      wrong = take_back_steps()
      for _, name in ipairs(host.steps_done()) do
        if states[name] == nil then wrong[#wrong + 1] = name .. ": it was done before, and this attempt did not come to it" end
      end
    end
    if not ended_well and undo_of[""] then
      local problems = undo("")
      if #problems > 0 then wrong[#wrong + 1] = "the run: " .. table.concat(problems, "; ") end
    end
  end
  for _, text in ipairs(wrong) do host.not_undone(text) end
  return failures
end)

host.place("run.step", step)
host.place("run.steps", steps)
host.place("run.compensate", compensate)
host.place("run.undo", undo_steps)
host.place("run.id", host.run_id)
host.place("run.planned", function() return host.planning end)
