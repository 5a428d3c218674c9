-- Installing outside of environments, marking and removing again.
return workflow{
  name = "e_install", doc = "Installs a spec.",
  options = { { name = "new", type = "string", doc = "A spec that is not installed.", required = true } },
  run = function(o)
    local result = spack.install(o.new)
    local name = result.installed[#result.installed].name
    local found = spack.get(o.new)
    if found.explicit then spack.mark(o.new, "implicit") end
    for _, spec in ipairs(spack.gc(nil, { dry_run = true }).specs) do
      if spec.name == name then spack.uninstall("/" .. spec.hash, { force = true }) end
    end
    if #spack.find(o.new) > 0 then fail("not_done", name .. " is still there") end
  end,
}
