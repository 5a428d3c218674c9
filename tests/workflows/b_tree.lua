-- Files that are written, moved, copied and removed, and looks at each stage.
return workflow{
  name = "b_tree", doc = "Changes a tree.", options = { { name = "dir", type = "string", doc = "Where.", required = true } },
  run = function(o)
    local temp = fs.temp_dir()
    fs.write(temp .. "/draft", "draft\n")
    fs.mkdir(o.dir .. "/tree/deep")
    for _, name in ipairs{ "a", "b", "c" } do fs.write(o.dir .. "/tree/" .. name, name) end
    fs.copy(temp .. "/draft", o.dir .. "/tree/deep/final")
    fs.move(o.dir .. "/tree/a", o.dir .. "/tree/deep/a")
    if not fs.exists(o.dir .. "/tree/a") and fs.read(o.dir .. "/tree/deep/a") == "a" then
      fs.remove(o.dir .. "/tree/b")
    end
    fs.write(o.dir .. "/tree/list", table.concat(fs.list(o.dir .. "/tree"), "\n"))
    fs.write(o.dir .. "/tree/digest", fs.tree_digest(o.dir .. "/tree/deep"))
    fs.remove(o.dir .. "/tree/deep", { recursive = true })
  end,
}
