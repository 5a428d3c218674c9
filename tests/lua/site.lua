local info = site.info()
assert(fs.exists(info.state) == false and info.practice == false and info.spack == nil and #info.files == 0)
assert(site.get("limits.spack").value == nil and site.get("limits").value ~= nil)
local ok, e = pcall(site.get, "limits.spak")
assert(not ok and e.kind == "unknown_name" and e.hint == "did you mean 'spack'?")
-- The first change opens the state database and is on record.
fs.mkdir(fs.temp_dir() .. "/x")
assert(fs.exists(info.state .. "/state.db"))
-- Policies: the default decides; facts are checked by name and type.
local facts = { attempt = 2, max = 3, kind = "fetch", message = "timed out", seconds = 4, name = "hdf5" }
assert(site.policy("retry", facts) == 4.0)
facts.attempt = 3
assert(site.policy("retry", facts) == false)
for change, message in pairs({ [{ atempt = 1 }] = "fact 'atempt' does not exist", [{ kind = "odd" }] = "no kind of error 'odd'" }) do
  local wrong = {}
  for k, v in pairs(facts) do wrong[k] = v end
  for k, v in pairs(change) do wrong[k] = v end
  ok, e = pcall(site.policy, "retry", wrong)
  assert(not ok and e.message:find(message, 1, true), e)
end
facts.max = nil
ok, e = pcall(site.policy, "retry", facts)
assert(not ok and e.message:find("missing field `max`", 1, true), e)
ok, e = pcall(site.policy, "retri", {})
assert(not ok and e.hint == "did you mean 'retry'?")
assert(site.get("policy.keep").value == nil)
ok, e = pcall(site.get, "policy.kep")
assert(not ok and e.hint == "did you mean 'keep'?")
