-- An environment from nothing to installed, in steps.
return workflow{
  name = "f_environment_install", doc = "Builds an environment.",
  options = { { name = "big", type = "string", doc = "A spec.", required = true }, { name = "dir", type = "string", doc = "Where.", required = true } },
  run = function(o)
    run.step("create", { inputs = o.big }, function() return env.create("f-built", { o.big }).name end)
    run.step("lock", { needs = { "create" } }, function() return env.concretize("f-built").specs end)
    local built = run.step("build", { needs = { "lock" } }, function()
      local r = env.install("f-built")
      return { new = #r.installed, old = #r.already }
    end)
    run.step("tell", { needs = { "build" }, inputs = built }, function()
      fs.write(o.dir .. "/built", "done\n")
      return env.status("f-built").ok
    end)
  end,
}
