-- Steps that wait for each other, one that may fail, and what is taken back.
return workflow{
  name = "h_graph", doc = "Runs a graph of steps.", on_fail = "keep_going",
  options = { { name = "dir", type = "string", doc = "Where.", required = true } },
  run = function(o)
    local function write(name) return function() fs.write(o.dir .. "/" .. name, name) return name end end
    local results = run.steps{
      { name = "lock", run = write("lock") },
      { name = "sources", needs = { "lock" }, run = write("sources") },
      { name = "build", needs = { "lock" }, run = write("build") },
      { name = "test", needs = { "build" }, run = function()
        fs.write(o.dir .. "/half", "half")
        run.compensate(function() fs.remove(o.dir .. "/half") end)
        if fs.exists(o.dir .. "/lock") then return "tested" end
        fail("not_done", "no lock")
      end },
      { name = "push", needs = { "build", "sources" }, run = function(r)
        process.run({ "sh", "-c", "echo push >> '" .. o.dir .. "/submitted'" })
        return r.build .. r.sources
      end },
    }
    run.step("end", { inputs = results }, function() fs.write(o.dir .. "/end", json.encode(results)) end)
  end,
}
