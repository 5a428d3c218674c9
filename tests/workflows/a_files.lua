-- One folder, one file.
return workflow{
  name = "a_files", doc = "Writes a file.", options = { { name = "dir", type = "string", doc = "Where.", required = true } },
  run = function(o)
    fs.mkdir(o.dir .. "/a")
    fs.write(o.dir .. "/a/one", "1\n", { mode = "640" })
  end,
}
