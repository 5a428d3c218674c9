-- Takes a snapshot of every environment that has changed since its last one, says which could be restored, and prunes
-- by the site's policy. Made for cron.

local report = require("report")

-- Who cancels wants it to end, and not to be taken for a failure.
local function is_cancel(e)
  return type(e) == "userdata" and e.kind == "cancelled"
end

local function wanted(o)
  local names = {}
  if #(o.envs or {}) > 0 then return o.envs end
  -- Generations do not change once they are built.
  local generations = {}
  for _, row in ipairs(generation.list()) do generations[row.name .. "-g" .. row.number] = true end
  for _, known in ipairs(env.list()) do
    if known.has_lock and not generations[known.name] then names[#names + 1] = known.name end
  end
  return names
end

-- Whether anything differs from the last snapshot.
local function has_changed(name)
  local ok, found = pcall(snapshot.diff, name .. "@last", name)
  return not ok or not found.same
end

local function one(name)
  local row = { env = name }
  local ok, e = pcall(function()
    if not has_changed(name) then
      row.result = "unchanged"
    else
      row.snapshot = snapshot.create(name, { description = "nightly", tags = { "nightly" }, partial = true }).snapshot
      row.result = "taken"
    end
    local found = snapshot.check(row.snapshot or name .. "@last")
    row.snapshot, row.verdict, row.ok = found.snapshot, found.verdict, found.ok
  end)
  if not ok then
    if is_cancel(e) then error(e, 0) end
    row.result, row.ok, row.why = "FAILED", false, type(e) == "userdata" and e.message or tostring(e)
  end
  return row
end

return workflow{
  name = "snapshot-nightly",
  doc = "Takes a snapshot of each environment that has changed, and prunes old ones.",
  on_fail = "keep_going",
  options = {
    { name = "envs", type = "list", positional = true, doc = "Only these environments; left out, all that have a lock." },
    { name = "keep", type = "integer", default = 7, doc = "Keep at least so many of each, whatever the policy says." },
    { name = "json", type = "flag", doc = "Print the result as JSON." },
    { name = "quiet", type = "flag", doc = "Print only what needs attention." },
  },
  run = function(o)
    local rows, attention = {}, 0
    for _, name in ipairs(wanted(o)) do
      local row = run.step(name, {}, function() return one(name) end)
      rows[#rows + 1] = row
      if not row.ok then attention = attention + 1 end
    end
    local pruned = run.step("prune", { always = true }, function()
      return snapshot.prune{ keep = o.keep }.snapshots
    end)
    if o.json then
      print(json.encode({ environments = json.list(rows), pruned = json.list(pruned) }))
    elseif not o.quiet or attention > 0 then
      print(report.table(rows, { { key = "env" }, { key = "result" }, { key = "snapshot" }, { key = "verdict" }, { key = "why" } }))
      if #pruned > 0 then print("pruned " .. table.concat(pruned, ", ")) end
    end
    return attention > 0 and 1 or 0
  end,
}
