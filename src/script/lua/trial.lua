-- Runs one test file: loads it, then calls its cases one after the other and tells how each ended.
local context, chunk = ...
local pcall, tostring, type, ipairs = pcall, tostring, type, ipairs
local tell, seconds = context.tell, context.seconds

local testing = require("testing")
if type(testing) ~= "table" or type(testing._attach) ~= "function" then
  fail("usage", "a module 'testing' of the site hides the bundled one: name it otherwise")
end
local cases = testing._attach(context)

-- The limit of a case looks like any other time limit from within.
local function named(e, took)
  if type(e) == "userdata" and e.kind == "timeout" and took >= context.limit then
    return { kind = "timeout", message = "not done within " .. time.words(context.limit) .. ", the limit of a case" }
  end
  return e
end

local function one(name, f, written)
  tell("begin", name, 0)
  local began = seconds()
  local ok, e = pcall(task.timeout, context.limit, f)
  local took = seconds() - began
  if ok then tell("pass", name, took) else tell(testing._status(e), name, took, named(e, took), written) end
  return ok
end

-- Faults that a case asked for end with it; those that the file asks for stay.
local loaded = one(context.stem, function() testing._loading(chunk) end, chunk)
if loaded then
  for _, case in ipairs(cases) do
    if context.wanted(case.name) then
      one(case.name, case.run, case.run)
      local ok, e = pcall(testing._restore)
      if not ok then tell("error", case.name .. ": putting the faults back", 0, e) end
    end
  end
end
tell("end", tostring(#cases), 0)
