-- Upgrades a shared environment so that users stay on the old stack or get it back at once. The new state is built
-- beside the old one as a generation, proven, published by one rename, and looked at again where users see it.

local retry = require("retry") --[[@as fun(options: retry.Options, work: fun(attempt: integer): any): any]]

-- What may pass by itself.
local PASSES = { "fetch", "network", "timeout", "lock" }

-- Who cancels wants it to end, and not to be taken for a failure.
local function is_cancel(e)
  return type(e) == "userdata" and e.kind == "cancelled"
end

local function contains(list, name)
  for _, item in ipairs(list or {}) do if item == name then return true end end
  return false
end

-- Health checks that must not fail before anything is begun, or after something is done.
local function gate(names, when)
  if #names == 0 then return { checked = 0 } end
  local failed = {}
  for _, finding in ipairs(check.run{ only = names }) do
    if finding.status == "fail" then failed[#failed + 1] = finding.check .. ": " .. finding.message end
  end
  if #failed > 0 then fail("refused", when .. ": " .. table.concat(failed, "; "), { failed = failed }) end
  return { checked = #names }
end

-- One line for the package that failed, with its first error and its log.
local function reason(e)
  if type(e) ~= "userdata" then return tostring(e) end
  local first = ((e.facts or {}).failed or {})[1]
  if not first then return e.message end
  local line = (first.errors or {})[1]
  local log = first.log or (e.facts or {}).log
  return first.name .. (line and ": " .. text.trim(line) or " failed to build") .. (log and " (log: " .. log .. ")" or "")
end

local function kind_of(e) return type(e) == "userdata" and e.kind or "script" end

-- What would help: what the failure says itself, or else what may help where the solver found nothing.
local function advice(o, e)
  if type(e) ~= "userdata" then return nil end
  local log, known, words = (e.facts or {}).log, nil, {}
  for _, hint in ipairs(e.hints) do
    if log and hint:find(log, 1, true) then known = hint else words[#words + 1] = hint end
  end
  if #words == 0 and e.kind == "concretization" then
    words[1] = "what cannot be had together is named above"
    if not o.all then words[#words + 1] = "ask for other versions, or use --all to solve everything again" end
    if #o.remove == 0 then words[#words + 1] = "use --remove for what stands in the way" end
  end
  words[#words + 1] = known
  if #words > 0 then return table.concat(words, "; ") end
end

local function facts_of(e) return type(e) == "userdata" and e.facts or nil end

-- Runs programs of a view; one that does not run is found before users find it. A plan has no view yet.
local function try(o, view)
  if run.id() == 0 then return end
  for _, command in ipairs(o.try) do
    local argv = text.split(command)
    argv[1] = view .. "/bin/" .. argv[1]
    local ok, e = pcall(process.run, argv, { reads = true, timeout = "1m" })
    if not ok then
      if is_cancel(e) then error(e, 0) end
      fail("not_done", "'" .. command .. "' does not run: " .. reason(e), facts_of(e))
    end
  end
end

-- What the candidate may not do.
local function over_budget(o, solved)
  for _, row in ipairs(solved.changes) do
    if contains(o.keep, row.name) then return "it would touch " .. row.name .. ": " .. row.words end
  end
  if o.max_rebuilds and #solved.rebuilds > o.max_rebuilds then
    return #solved.rebuilds .. " packages would be built anew, more than " .. o.max_rebuilds .. ": "
      .. table.concat(solved.rebuilds, ", ")
  end
end

local function say(o, ...)
  if not (o.quiet or o.json) then print(...) end
end

local function lines_of(changes)
  local out, rebuilt = {}, {}
  for _, row in ipairs(changes) do
    if row.only_hash then
      rebuilt[#rebuilt + 1] = row.name
    else
      local sign = row.change == "added" and "+" or row.change == "removed" and "-" or "~"
      out[#out + 1] = "  " .. sign .. " " .. row.name .. "  " .. row.words .. (row.why and " (" .. row.why .. ")" or "")
    end
  end
  if #rebuilt > 0 then out[#out + 1] = "  = rebuilt as they are, on what changed: " .. table.concat(rebuilt, ", ") end
  return table.concat(out, "\n")
end

-- What is to be known of a solution before anything is built.
local function show(o, solved)
  say(o, lines_of(solved.changes))
  for _, what in ipairs(solved.gave_up or {}) do say(o, "  ! " .. what) end
  local names = {}
  for _, row in ipairs(solved.stays or {}) do names[#names + 1] = row.name .. " on " .. row.on end
  if #names > 0 then
    say(o, "  these stay as they are: " .. table.concat(names, ", ") .. (o.dependents and "" or "; --dependents takes them along"))
  end
end

-- In generations: build beside, prove, publish, look again.
local function by_generation(o)
  local line = o.name or generation.named(o.env)
  o.name = line
  ---@type integer?, integer?
  local users_on, begun = nil, nil
  for _, row in ipairs(generation.list()) do
    if row.name == line then
      if row.current then users_on = row.number end
      if row.progress ~= "begun" and row.progress ~= "broken" then begun = begun or row.number end
    end
  end
  run.step("adopt", { inputs = users_on == nil }, function()
    if users_on then return "adopted before" end
    -- An adoption that was cut short is gone on with.
    local made = begun and generation.build(line, { number = begun }) or generation.adopt(o.env, { name = line })
    local proof = generation.prove(line, { number = made.number })
    if not proof.ok then
      generation.remove(line, made.number, { keep_specs = true, force = true })
      fail("refused", o.env .. " is not whole as it is: " .. proof.problems[1] .. "; moonstack env status " .. o.env)
    end
    generation.publish(line, { number = made.number })
    generation.prove(line, { number = made.number })
    return "adopted"
  end)
  -- A run that goes on after publishing must come back to what users were on before, not to what they are on now.
  local current = run.step("begin", { needs = { "adopt" } }, function()
    local found = generation.show(line)
    return { number = found.number, path = found.path, link = found.link }
  end)
  local taken = run.step("snapshot", { needs = { "adopt" }, inputs = current.number }, function()
    return snapshot.create(current.path, { description = "before upgrade-with-snapshot", tags = { "before-upgrade" }, pin = true }).snapshot
  end)
  local stays = "users stay on generation " .. current.number .. " of " .. line
  local asked = { o.all, o.specs, o.remove, o.unask, o.dependents, o.number }
  local solved = run.step("solve", { needs = { "snapshot" }, inputs = asked }, function()
    if o.number then
      local approved = generation.show(line, o.number)
      if approved.current then fail("refused", "users are on generation " .. o.number .. " already") end
      return { number = o.number, path = approved.path, changed = true, changes = generation.diff(line, current.number, o.number) }
    end
    local ok, found = pcall(generation.solve, line, {
      all = o.all, specs = o.specs, remove = o.remove, unask = o.unask, dependents = o.dependents, description = o.description,
    })
    if not ok then
      if is_cancel(found) then error(found, 0) end
      snapshot.unpin(taken)
      local what = kind_of(found) == "concretization" and "; it cannot be solved: " or "; nothing was begun: "
      fail(kind_of(found), stays .. what .. reason(found), facts_of(found), advice(o, found))
    end
    local why = not found.changed and "nothing would change" or over_budget(o, found)
    if why then
      generation.remove(line, found.number)
      snapshot.unpin(taken)
      if found.changed then fail("refused", "the upgrade was refused and nothing was changed: " .. why, { changes = found.changes }) end
    end
    return found
  end)
  if not solved.changed then
    say(o, "nothing to upgrade in " .. o.env)
    return { changed = false, number = current.number }
  end
  show(o, solved)
  if o.approve then
    say(o, "generation " .. solved.number .. " waits for approval: moonstack run upgrade-with-snapshot " .. o.env .. " --number " .. solved.number)
    snapshot.unpin(taken)
    return { changed = true, waits = true, number = solved.number, changes = solved.changes }
  end
  local number, before = solved.number, current.number
  run.step("build", { needs = { "solve" }, inputs = number }, function()
    local ok, built = pcall(function()
      return retry({ max = o.attempts, base = "10s", on = PASSES, name = "build" }, function()
        return generation.build(line, { number = number, jobs = o.jobs, cache_only = o.cache_only })
      end)
    end)
    if ok then return { installed = #built.installed } end
    if is_cancel(built) then error(built, 0) end
    snapshot.unpin(taken)
    fail(kind_of(built), stays .. "; the upgrade failed: " .. reason(built), facts_of(built), advice(o, built))
  end)
  run.step("prove", { needs = { "build" }, inputs = number }, function()
    local ok, e = pcall(function()
      local proof = generation.prove(line, { number = number, deep = o.deep })
      if not proof.ok then fail("not_done", "it is not whole: " .. proof.problems[1], { problems = proof.problems }) end
      try(o, solved.path .. "/view")
      return proof.specs
    end)
    if ok then return e end
    if is_cancel(e) then error(e, 0) end
    snapshot.unpin(taken)
    fail(kind_of(e), stays .. "; generation " .. number .. " was not published: " .. reason(e), facts_of(e), advice(o, e))
  end)
  run.step("publish", { needs = { "prove" }, inputs = number }, function()
    return generation.publish(line, { number = number }).number
  end)
  run.step("look again", { needs = { "publish" }, inputs = { number, o.checks } }, function()
    local ok, e = pcall(function()
      local proof = generation.prove(line, { number = number })
      if not proof.ok then fail("not_done", "it is not whole: " .. proof.problems[1], { problems = proof.problems }) end
      gate(o.checks, "after publishing")
      try(o, current.link .. "/view")
    end)
    if ok then return true end
    if is_cancel(e) then error(e, 0) end
    generation.rollback(line, { to = before })
    snapshot.unpin(taken)
    fail("not_done", "users are back on generation " .. before .. " of " .. line .. "; generation " .. number .. " was published and failed: " .. reason(e), facts_of(e), advice(o, e))
  end)
  run.step("tidy", { needs = { "look again" }, inputs = o.keep_generations }, function()
    snapshot.unpin(taken)
    snapshot.prune(current.path)
    local removed = {}
    for _, row in ipairs(generation.prune(line, { keep = o.keep_generations }).removed) do removed[#removed + 1] = row.number end
    return removed
  end)
  return { changed = true, number = number, before = before, changes = solved.changes }
end

-- In place: the environment itself is changed, and put back by its snapshot when something fails.
local function in_place(o)
  -- Nobody else may meet it half changed.
  env.hold(o.env)
  local taken = run.step("snapshot", { inputs = { o.all, o.specs, o.remove, o.unask, o.dependents } }, function()
    return snapshot.create(o.env, { description = "before upgrade-with-snapshot", tags = { "before-upgrade" }, pin = true }).snapshot
  end)
  local function back(e)
    snapshot.restore(taken)
    snapshot.unpin(taken)
    fail(kind_of(e), o.env .. " is back as it was in " .. taken .. "; the upgrade failed: " .. reason(e), facts_of(e), advice(o, e))
  end
  local asked = { taken, o.all, o.specs, o.remove, o.unask, o.dependents }
  local done = run.step("upgrade", { needs = { "snapshot" }, inputs = asked }, function()
    local interrupted = true
    -- A run that is interrupted can be resumed, so nothing is put back.
    local _ <close> = defer(function()
      if not interrupted then return end
      log.warn(o.env .. " may be changed in part: `moonstack runs resume` goes on with it, `moonstack snapshot restore "
        .. taken .. "` takes it back")
    end)
    local ok, result = pcall(function()
      local found = env.upgrade(o.env, o.specs, {
        all = o.all, remove = o.remove, unask = o.unask, dependents = o.dependents,
      })
      show(o, found)
      local rebuilds = {}
      for _, row in ipairs(found.changes) do
        if row.change == "changed" then rebuilds[#rebuilds + 1] = row.name end
      end
      local why = over_budget(o, { changes = found.changes, rebuilds = rebuilds })
      if why then fail("refused", why, { changes = found.changes }) end
      env.install(o.env, nil, { only_concrete = true, jobs = o.jobs, cache_only = o.cache_only })
      env.refresh(o.env)
      local status = env.status(o.env)
      if not status.ok then fail("not_done", "not everything of " .. o.env .. " is installed") end
      gate(o.checks, "after the upgrade")
      local views = env.show(o.env).manifest.views
      if #views > 0 then try(o, views[1].root) end
      return { changed = found.changed, changes = found.changes }
    end)
    interrupted = false
    if not ok then back(result) end
    return result
  end)
  run.step("tidy", { needs = { "upgrade" } }, function()
    snapshot.create(o.env, { description = "after upgrade-with-snapshot", good = true })
    snapshot.unpin(taken)
    snapshot.prune(o.env)
    return true
  end)
  return done
end

return workflow{
  name = "upgrade-with-snapshot",
  doc = "Upgrades a shared environment; whatever goes wrong, users keep the old one or get it back at once.",
  lock = { "env", "name" },
  options = {
    { name = "env", type = "string", positional = true, required = true, doc = "The environment, or the name of its generations." },
    { name = "specs", type = "list", positional = true, doc = "What is asked for: a root newly, a version of a dependency, or a package that is not there; a name alone for its newest version." },
    { name = "all", type = "flag", doc = "Solve everything again, with the newest versions." },
    { name = "remove", type = "list", doc = "A package that is no longer asked for." },
    { name = "unask", type = "list", doc = "A dependency of which nothing is asked any more." },
    { name = "dependents", type = "flag", doc = "What needs the asked packages uses the new ones, too; always where unify is true." },
    { name = "mode", type = "string", choices = { "generation", "in-place" }, default = "generation", doc = "Beside the old one, or in its place." },
    { name = "name", type = "string", doc = "Name of the generations, if it is not the environment's." },
    { name = "max_rebuilds", type = "integer", doc = "Refuse when more packages than this would be built anew." },
    { name = "keep", type = "list", doc = "A package that must not change." },
    { name = "gate", type = "list", default = { "database", "locks" }, doc = "A check that must not fail before anything is begun." },
    { name = "checks", type = "list", doc = "A check that must not fail when users are on the new state." },
    { name = "try", type = "list", doc = "A program of the view that must run, with its arguments: \"gmx --version\"." },
    { name = "deep", type = "flag", doc = "Compare every installed file before publishing." },
    { name = "approve", type = "flag", doc = "Stop when it is known what would change." },
    { name = "number", type = "integer", doc = "Go on with a generation that was solved before, exactly as it was." },
    { name = "jobs", type = "integer", doc = "Processes of one build." },
    { name = "attempts", type = "integer", default = 2, doc = "How often what may pass by itself is tried." },
    { name = "cache_only", type = "flag", doc = "Only from build caches; never build." },
    { name = "keep_generations", type = "integer", default = 5, doc = "Older generations than so many go, as generation.prune says." },
    { name = "description", type = "string", doc = "What the upgrade is for." },
    { name = "json", type = "flag", doc = "Print the result as JSON." },
    { name = "quiet", type = "flag", doc = "Print only what went wrong." },
  },
  run = function(o)
    for _, name in ipairs{ "specs", "remove", "unask", "keep", "checks", "try", "gate" } do o[name] = o[name] or {} end
    local asks = o.all or #o.specs > 0 or #o.remove > 0 or #o.unask > 0
    if not asks and not o.number then
      fail("usage", "nothing to upgrade: give specs, --all, --remove, --unask or --number")
    end
    if o.number and (asks or o.approve or o.mode == "in-place") then
      fail("usage", "--number goes on with what was solved before; it takes nothing to solve, and needs generations")
    end
    gate(o.gate, "the site is not fit for an upgrade")
    local result
    if o.mode == "in-place" then result = in_place(o) else result = by_generation(o) end
    if o.json then
      result.changes = json.list(result.changes or {})
      print(json.encode(result))
    elseif result.before then
      say(o, "users are on generation " .. result.number .. " of " .. (o.name or o.env) .. "; generation " .. result.before .. " is kept")
    end
    return result.waits and 1 or 0
  end,
}
