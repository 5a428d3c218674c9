assert(time.span("2h 30m") == 9000 and time.span(1.5) == 1.5 and time.words(90) == "1m 30s")
local m = time.parse("2026-03-01T12:00:00Z", { zone = "Europe/Berlin" })
assert(m.rfc3339 == "2026-03-01T13:00:00+01:00" and m.seconds == 1772366400 and m.hour == 13 and m.weekday == 7)
assert(time.parse("2026-07-01 12:00", { zone = "Europe/Berlin" }).rfc3339 == "2026-07-01T12:00:00+02:00")
assert(time.parse("01.03.2026", { format = "%d.%m.%Y", zone = "UTC" }).seconds == 1772323200)
assert(time.parse("01.03.2026 12:00 +0100", { format = "%d.%m.%Y %H:%M %z", zone = "UTC" }).hour == 11)
assert(time.parse("2026-03-01", { zone = "UTC" }).seconds == 1772323200)
assert(time.format(1772366400, "%A %H:%M", { zone = "UTC" }) == "Sunday 12:00")
assert(time.format(0, { zone = "UTC" }):sub(1, 19) == "1970-01-01T00:00:00")
for _, wrong in ipairs{
  function() time.parse("soon") end, function() time.now{ zone = "Mars/Base" } end,
  function() time.format(1e300) end, function() time.format(0, "%!") end, function() time.span("10 parsecs") end,
} do
  local ok, e = pcall(wrong)
  assert(not ok and e.kind == "usage", tostring(e))
end
local before = time.now().seconds
time.sleep("20ms")
local passed = time.now().seconds - before
assert(passed >= 0.019 and passed < 5)
