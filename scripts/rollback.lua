-- Sends users back to an older generation of a stack, or puts an environment back to a snapshot, and looks whether it
-- is whole.

return workflow{
  name = "rollback",
  doc = "Goes back: to a generation by one rename, or to a snapshot in place.",
  lock = { "name" },
  options = {
    { name = "name", type = "string", positional = true, required = true, doc = "Name of the generations, or of an environment with snapshots." },
    { name = "to", type = "string", doc = "Number of the generation, or the snapshot; left out, the last good one." },
    { name = "in_place", type = "flag", doc = "Put the environment back to a snapshot." },
    { name = "configuration", type = "flag", doc = "With --in-place: the site's configuration files as well." },
    { name = "json", type = "flag", doc = "Print the result as JSON." },
    { name = "quiet", type = "flag", doc = "Print only what went wrong." },
  },
  run = function(o)
    local result, line
    if o.in_place then
      local wanted = o.to and (o.to:find("@", 1, true) and o.to or o.name .. "@" .. o.to) or o.name .. "@good"
      result = run.step("restore", { inputs = wanted }, function()
        return snapshot.restore(wanted, { configuration = o.configuration })
      end)
      line = o.name .. " is as it was in " .. result.snapshot
    else
      local number = o.to and math.tointeger(tonumber(o.to))
      if o.to and not number then fail("usage", "--to takes the number of a generation; --in-place takes a snapshot") end
      result = run.step("go back", { inputs = number }, function() return generation.rollback(o.name, { to = number }) end)
      line = "users are on generation " .. result.number .. " of " .. o.name
    end
    if o.json then print(json.encode(result)) elseif not o.quiet then print(line) end
    return 0
  end,
}
