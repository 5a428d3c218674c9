-- Several things at once, each in an order of its own.
return workflow{
  name = "g_side_by_side", doc = "Works side by side.",
  options = { { name = "small", type = "string", doc = "A spec.", required = true }, { name = "dir", type = "string", doc = "Where.", required = true } },
  run = function(o)
    task.map({ "g1", "g2", "g3" }, function(name)
      env.create(name)
      fs.write(o.dir .. "/" .. name, name)
      env.add(name, o.small)
      process.run({ "sh", "-c", "echo " .. name .. " >> '" .. o.dir .. "/submitted'" })
      fs.move(o.dir .. "/" .. name, o.dir .. "/" .. name .. ".done")
    end, { limit = 2 })
  end,
}
