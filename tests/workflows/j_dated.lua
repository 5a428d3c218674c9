-- The shape of a nightly deployment: old dated environments go, today's is made from a template, a job is handed over.
return workflow{
  name = "j_dated", doc = "Deploys a dated environment.", on_fail = "roll_back", lock = { "today" },
  options = {
    { name = "small", type = "string", doc = "A spec.", required = true }, { name = "big", type = "string", doc = "Another.", required = true },
    { name = "dir", type = "string", doc = "Where.", required = true },
    { name = "today", type = "string", doc = "The date.", default = "2026-11-21" },
  },
  run = function(o)
    run.step("template", { inputs = { o.small, o.big } }, function()
      fs.write(o.dir .. "/template.yaml", "spack:\n  specs: ['" .. o.big .. "', '" .. o.small .. "']\n  view: false\n")
      env.create("2026-10-01", { o.small })
      return true
    end)
    run.step("retire", { needs = { "template" } }, function()
      local gone = {}
      for _, known in ipairs(env.list()) do
        if known.name:match("^%d%d%d%d%-%d%d%-%d%d$") and known.name < "2026-11-01" then
          env.delete(known.name)
          gone[#gone + 1] = known.name
        end
      end
      return gone
    end)
    run.step("deploy", { needs = { "retire" }, files = { o.dir .. "/template.yaml" } }, function()
      env.create(o.today, nil, { from = o.dir .. "/template.yaml" })
      run.compensate(function() env.delete(o.today) end)
      env.concretize(o.today)
      return #env.install(o.today, nil, { jobs = 2 }).already
    end)
    run.step("submit", { needs = { "deploy" } }, function()
      process.run({ "sh", "-c", "echo job >> '" .. o.dir .. "/submitted'" })
      fs.write(o.dir .. "/report", "deployed at " .. time.now().rfc3339 .. "\n", { varies = true })
    end)
  end,
}
