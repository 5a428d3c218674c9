local report = require("report")

local rows = { { name = "zlib", size = 12 }, { name = "größe", size = 3, note = "a\nb" } }
local columns = { { key = "name", title = "NAME" }, { key = "gone", title = "GONE" },
  { key = "size", title = "SIZE", right = true }, { key = "note" } }
local text = report.table(rows, columns)
assert(text == "NAME   SIZE\nzlib     12\ngröße     3  a b", text)
assert(report.table({}, columns) == "")
assert(report.table({ { a = 1 } }, { { key = "a" } }) == "1")
