-- The life of environments without building anything.
return workflow{
  name = "c_environments", doc = "Makes and unmakes environments.",
  options = { { name = "small", type = "string", doc = "A spec.", required = true }, { name = "big", type = "string", doc = "Another.", required = true } },
  run = function(o)
    env.create("c-one", { o.small })
    env.create("c-two")
    env.add("c-two", { o.big, o.small })
    env.remove("c-two", o.small)
    for _, known in ipairs(env.list()) do
      if known.name == "c-one" then env.delete(known.name) end
    end
    return #env.show("c-two").manifest.specs == 1 and 0 or 2
  end,
}
