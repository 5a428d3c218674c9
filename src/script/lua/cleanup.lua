-- Cleanup that runs when a block ends, and may wait although its scope is cancelled. A text of its own, for it is
-- never stopped: between the end of the block and the shield the cleanup would be lost.
local host = ...
local error, setmetatable, tostring, type = error, setmetatable, tostring, type

local cleanup = {
  __close = function(self, failed)
    host.shield(self.limit)
    local ok, trouble = host.raw_pcall(self.run)
    host.unshield()
    if not ok then
      if failed ~= nil then host.warn("cleanup failed: " .. tostring(trouble)) else error(trouble, 0) end
    end
    if failed == nil then host.look() end
  end,
}

function defer(f, limit)
  if type(f) ~= "function" then fail("usage", "defer takes a function") end
  if limit ~= nil and type(limit) ~= "string" then fail("usage", 'the limit of defer is a span such as "5m"') end
  return setmetatable({ run = f, limit = limit }, cleanup)
end
