-- The shape of a site that builds every environment whose inputs have changed, and releases only what is whole.
return workflow{
  name = "i_when_changed", doc = "Builds what has changed and releases it.", on_fail = "keep_going",
  options = {
    { name = "small", type = "string", doc = "A spec.", required = true }, { name = "big", type = "string", doc = "Another.", required = true },
    { name = "dir", type = "string", doc = "Where releases go.", required = true },
  },
  run = function(o)
    local wanted = { ["i-base"] = { o.small }, ["i-app"] = { o.big } }
    fs.mkdir(o.dir .. "/releases")
    for _, name in ipairs{ "i-base", "i-app" } do
      local specs = wanted[name]
      run.step("make " .. name, { inputs = specs }, function()
        local known = false
        for _, e in ipairs(env.list()) do known = known or e.name == name end
        if known then env.add(name, specs) else env.create(name, specs) end
      end)
      local mark = o.dir .. "/releases/" .. name
      local now = fs.digest(env.show(name).path .. "/spack.yaml")
      local before = fs.exists(mark) and fs.read(mark) or ""
      if now ~= before then
        run.step("build " .. name, { inputs = { now, before }, needs = { "make " .. name } }, function()
          env.concretize(name)
          return #env.install(name).already
        end)
        run.step("release " .. name, { needs = { "build " .. name } }, function()
          fs.write(mark .. ".new", now)
          fs.move(mark .. ".new", mark, { replace = true })
          process.run({ "sh", "-c", "echo " .. name .. " >> '" .. o.dir .. "/submitted'" })
        end)
      end
    end
  end,
}
