-- Solving, and deciding by what came of it.
return workflow{
  name = "d_solve", doc = "Concretizes an environment.",
  options = {
    { name = "small", type = "string", doc = "A spec.", required = true }, { name = "big", type = "string", doc = "Another.", required = true },
    { name = "dir", type = "string", doc = "Where.", required = true },
  },
  run = function(o)
    env.create("d-solve", { o.big })
    local first = env.concretize("d-solve")
    env.add("d-solve", o.small)
    local second = env.concretize("d-solve")
    fs.write(o.dir .. "/solved", json.encode{ first = #first.roots, second = #second.roots, status = env.status("d-solve").stale })
  end,
}
