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

-- A program of an environment's views. `at` is how users come to the environment.
local function program(views, name, folder, at)
  for _, view in ipairs(views) do
    local root = view.root
    if root:sub(1, #folder) == folder then root = at .. root:sub(#folder + 1) end
    if fs.exists(root .. "/bin/" .. name) then return root .. "/bin/" .. name end
  end
  fail("not_done", "'" .. name .. "' is in the bin of no view")
end

-- Runs programs of the views; one that does not run is found before users find it. A plan has no views yet.
local function try(o, folder, at)
  if #o.try == 0 or run.planned() then return end
  local views = env.show(folder).manifest.views
  for _, command in ipairs(o.try) do
    local argv = text.split(command)
    argv[1] = program(views, argv[1], folder, at or folder)
    local ok, e = pcall(process.run, argv, { reads = true, timeout = "1m" })
    if not ok then
      if is_cancel(e) then error(e, 0) end
      fail("not_done", "'" .. command .. "' does not run: " .. reason(e), facts_of(e))
    end
  end
end

-- The packages of an environment, by name. One that was never concretized has none.
local function known_in(at)
  local names = {}
  if not env.show(at).lock then return names end
  for _, row in ipairs(env.specs(at)) do names[row.name] = true end
  return names
end

-- What guards nothing is a mistake, found before anything is begun.
local function check_guards(o, at)
  local known = known_in(at)
  for _, spec in ipairs(o.specs) do known[spec:match("^[%w_][%w_-]*") or ""] = true end
  for _, name in ipairs(o.keep) do
    if not known[name] then fail("usage", "--keep " .. name .. ": there is no package of that name in " .. o.env) end
  end
  if #o.checks > 0 then
    local ok, e = pcall(check.select, { only = o.checks })
    if not ok then fail("usage", "--checks: " .. reason(e), nil, advice(o, e)) end
  end
  if #o.try > 0 and #env.show(at).manifest.views == 0 then fail("usage", "--try: " .. o.env .. " has no view") end
end

-- The packages that were there before and are not installed as they are now.
local function to_build(at, known)
  local names, seen = {}, {}
  for _, row in ipairs(env.specs(at)) do
    if known[row.name] and not (row.installed or row.external or seen[row.name]) then
      seen[row.name] = true
      names[#names + 1] = row.name
    end
  end
  table.sort(names)
  return names
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
  say(o, #solved.changes > 0 and lines_of(solved.changes) or "only the manifest changes")
  for _, what in ipairs(solved.gave_up or {}) do say(o, "  ! " .. what) end
  local names = {}
  for _, row in ipairs(solved.stays or {}) do names[#names + 1] = row.name .. " on " .. row.on end
  if #names > 0 then
    say(o, "  these stay as they are: " .. table.concat(names, ", ") .. (o.dependents and "" or "; --dependents takes them along"))
  end
end

-- Users have moved on from what a candidate was solved from.
local function outdated(o, number, base, now)
  if o.force then return end
  fail("refused", "generation " .. number .. " was solved from generation " .. base .. ", and users are on " .. now
    .. " now: what came between would be taken back", nil, "ask for the upgrade again, or say --force")
end

-- In generations: build beside, prove, publish, look again.
local function by_generation(o)
  local line = o.name or generation.named(o.env)
  o.name = line
  ---@type integer?, integer?
  local users_on, begun = nil, nil
  local known, good = 0, false
  for _, row in ipairs(generation.list()) do
    if row.name == line then
      known = known + 1
      if row.current then users_on, good = row.number, row.good end
      if row.progress ~= "begun" and row.progress ~= "broken" then begun = begun or row.number end
    end
  end
  run.step("adopt", { inputs = users_on == nil }, function()
    -- One that was cut short after publishing has not been looked at where users are.
    if users_on and known == 1 and not good then generation.prove(line, { number = users_on }) end
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
  local current = run.step("begin", { needs = { "adopt" }, inputs = o.number }, function()
    local found = generation.show(line)
    check_guards(o, found.path)
    if o.number then
      local approved = generation.show(line, o.number)
      if approved.current then fail("refused", "users are on generation " .. o.number .. " already") end
      local base = math.tointeger(approved.from:match("/(%d+)$"))
      if base and base ~= found.number then outdated(o, o.number, base, found.number) end
    end
    return { number = found.number, path = found.path, link = found.link }
  end)
  local taken = run.step("snapshot", { needs = { "adopt" }, inputs = current.number }, function()
    return snapshot.create(current.path, { description = "before upgrade-with-snapshot", tags = { "before-upgrade" }, pin = true }).snapshot
  end)
  local stays = "users stay on generation " .. current.number .. " of " .. line
  local asked = { o.all, o.specs, o.remove, o.unask, o.dependents, o.number }
  local solved = run.step("solve", { needs = { "snapshot" }, inputs = asked }, function()
    if o.number then
      local found = {
        number = o.number, path = generation.show(line, o.number).path, changed = true,
        changes = generation.diff(line, current.number, o.number),
      }
      found.rebuilds = to_build(found.path, known_in(current.path))
      local why = over_budget(o, found)
      if why then
        snapshot.unpin(taken)
        fail("refused", "the upgrade was refused and nothing was changed: " .. why, { changes = found.changes })
      end
      return found
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
      try(o, solved.path)
      return proof.specs
    end)
    if ok then return e end
    if is_cancel(e) then error(e, 0) end
    snapshot.unpin(taken)
    fail(kind_of(e), stays .. "; generation " .. number .. " was not published: " .. reason(e), facts_of(e), advice(o, e))
  end)
  run.step("publish", { needs = { "prove" }, inputs = number }, function()
    -- A run that goes on later may meet a newer upgrade.
    local now = generation.show(line).number
    if now ~= before and now ~= number then outdated(o, number, before, now) end
    return generation.publish(line, { number = number }).number
  end)
  run.step("look again", { needs = { "publish" }, inputs = { number, o.checks } }, function()
    local ok, e = pcall(function()
      local proof = generation.prove(line, { number = number })
      if not proof.ok then fail("not_done", "it is not whole: " .. proof.problems[1], { problems = proof.problems }) end
      gate(o.checks, "after publishing")
      try(o, solved.path, current.link)
    end)
    if ok then return true end
    if is_cancel(e) then error(e, 0) end
    local back, why = pcall(generation.rollback, line, { to = before })
    snapshot.unpin(taken)
    if not back then
      fail("not_done", "generation " .. number .. " of " .. line .. " was published and failed: " .. reason(e)
        .. "; users are still on it, for they could not be sent back: " .. reason(why), facts_of(e),
        "moonstack generation rollback " .. line .. " --to " .. before .. " --force")
    end
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
  check_guards(o, o.env)
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
    -- Users are on this environment: a run that is interrupted leaves it as it was.
    local _ <close> = defer(function()
      if not interrupted then return end
      local ok, e = pcall(snapshot.restore, taken)
      if ok then
        log.warn(o.env .. " is back as it was in " .. taken .. "; `moonstack runs resume` upgrades it again")
      else
        log.warn(o.env .. " may be changed in part, and could not be put back: " .. reason(e) .. "; `moonstack snapshot restore "
          .. taken .. "` tries it again, `moonstack runs resume` goes on with the upgrade")
      end
    end, "30m")
    local ok, result = pcall(function()
      local known = known_in(o.env)
      local found = env.upgrade(o.env, o.specs, {
        all = o.all, remove = o.remove, unask = o.unask, dependents = o.dependents,
      })
      if found.changed then show(o, found) else say(o, "nothing to upgrade in " .. o.env) end
      local why = over_budget(o, { changes = found.changes, rebuilds = to_build(o.env, known) })
      if why then fail("refused", why, { changes = found.changes }) end
      env.install(o.env, nil, { only_concrete = true, jobs = o.jobs, cache_only = o.cache_only })
      env.refresh(o.env)
      local status = env.status(o.env)
      if status.installed < status.locked then fail("not_done", "not everything of " .. o.env .. " is installed") end
      gate(o.checks, "after the upgrade")
      try(o, env.show(o.env).path)
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
    { name = "force", type = "flag", doc = "Publish what was solved from an older generation than users are on." },
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
    if o.mode == "in-place" and o.approve then fail("usage", "--approve needs generations: moonstack plan upgrade-with-snapshot shows what an upgrade in place would change") end
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
