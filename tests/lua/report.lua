local report = require("report")

local rows = { { name = "zlib", size = 12 }, { name = "größe", size = 3, note = "a\nb" } }
local columns = { { key = "name", title = "NAME" }, { key = "gone", title = "GONE" },
  { key = "size", title = "SIZE", right = true }, { key = "note" } }
local text_table = report.table(rows, columns)
assert(text_table == "NAME   SIZE\nzlib     12\ngröße     3  a b", text_table)
assert(report.table({}, columns) == "")
assert(report.table({ { a = 1 } }, { { key = "a" } }) == "1")

local function has(whole, part)
  assert(whole:find(part, 1, true), "no " .. part .. " in:\n" .. whole)
end
local function lacks(whole, part)
  assert(not whole:find(part, 1, true), part .. " is in:\n" .. whole)
end
local function caught(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "nothing was raised")
  return e
end

local EVIL = "<script>alert('x')</script> & \"q\" |`*_[l](u)"
local given = {
  title = "Nightly " .. EVIL,
  run = { name = "install-list", id = 17, status = "failed", exit = 2, message = EVIL, host = "login1", user = "spack",
    spack = "1.1.0", began = 1767225600, ended = "later", seconds = 754 },
  findings = { { check = "disk", status = "warn", message = EVIL, fix = "tidy up", seconds = 0.1, subject = "/scratch" } },
  steps = { { name = "solve", status = "ok", began = 100, seconds = 4 },
    { name = "install", status = "failed", began = 104, seconds = 750, message = "hdf5 failed" },
    { name = "never began", status = "skipped" } },
  plan = { changes = { { change = "add", spec = "zlib@1.3", source = "mirror", bytes = 2048, seconds = 3 },
    { change = "upgrade", spec = "hdf5@1.14", from = "hdf5@1.12", note = EVIL },
    { change = "add", spec = "b" } }, bytes = 4096, seconds = 60 },
  packages = { { name = "zlib@1.3", status = "ok", source = "mirror", seconds = 3 },
    { name = "hdf5 " .. EVIL, status = "failed", source = "source", seconds = 600, message = "\255bad\27[31m" } },
  log = "==> Error: \27[31mred\27[0m\ttab\n```\n" .. EVIL .. "\255\n",
}

-- The three forms show the same.
local html, markdown, plain = report.html(given), report.markdown(given), report.text(given)
for _, form in ipairs{ html, markdown, plain } do
  for _, part in ipairs{ "Findings", "Steps over time", "Plan", "2 add, 1 upgrade", "4.0 KiB to download", "about 1m 0s",
    "Packages over time", "login1", "never began", "hdf5 failed", "tidy up", "/scratch", "12m 34s", "10m 0s",
    "Error: red    tab" } do has(form, part) end
end

-- A web page that stands alone; nothing of the data becomes markup.
lacks(html, "<script")
lacks(html, "http")
lacks(html, "url(")
lacks(html, "\27")
assert(utf8.len(html), "not UTF-8")
has(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;q&quot;")
has(html, 'class="bad">failed')
has(html, "prefers-color-scheme:dark")
has(html, "@media print")
local opened, closed = 0, 0
for _ in html:gmatch("<rect") do opened = opened + 1 end
for _ in html:gmatch("<svg") do closed = closed + 1 end
assert(opened == 4 and closed == 2, opened .. " " .. closed)
-- The bar of a step begins where the one before it ended.
local first_x, first_width, second_x = html:match('<rect class="good" x="([%d.]+)" y="4" width="([%d.]+)".-<rect class="bad" x="([%d.]+)"')
assert(math.abs(first_x + first_width - second_x) < 0.2, first_x .. " " .. first_width .. " " .. second_x)

-- Markdown: data stay data, a fence is longer than what it holds.
has(markdown, "\\<script\\>")
has(markdown, "\\|\\`\\*\\_\\[l\\]")
has(markdown, "````\n==> Error")
for line in markdown:gmatch("[^\n]+") do
  if line:find("^| add") then assert(select(2, line:gsub("[^\\]|", "")) == 7, line) end
end

-- Every part may be missing.
for _, form in ipairs{ "html", "markdown", "text" } do
  has(report[form]{}, "Report")
  has(report[form]{ title = "T", run = {}, steps = {}, plan = {}, packages = {}, findings = {}, log = {} }, "no changes")
  has(report[form]{ run = { name = "w" } }, "w")
  has(report[form]{ steps = { { name = "s", seconds = 0 } } }, "Steps over time")
  has(report[form]{ steps = { { name = "s", seconds = 0 / 0, began = -1 } } }, "Steps")
end

-- Many packages: the table has all, the chart the longest; a long log its end.
local many, lines = {}, {}
for n = 1, 500 do many[n], lines[n] = { name = "p" .. n, seconds = n }, "line " .. n end
html = report.html{ packages = many, log = lines }
has(html, "the 40 longest of 500")
has(html, "<td>p1</td>")
has(html, "<title>p500: ")
lacks(html, "<title>p460: ")
has(html, "the last 200 of 500 lines")
lacks(html, "line 300\n")
assert(#report.text{ packages = many } > 500 * 10)

-- What is wrong is refused, with advice.
local function refused(wanted, report_given)
  local e = caught(report.html, report_given)
  assert(tostring(e):find(wanted, 1, true), tostring(e))
end
refused("did you mean 'findings'?", { findngs = {} })
refused("did you mean 'status'?", { run = { staus = "ok" } })
refused("number 1 of steps: 'secs' does not exist", { steps = { { name = "s", secs = 1 } } })
refused("steps must be a list", { steps = { name = "s" } })
refused("a report must be a table", "text")

-- What differs between two locks: what `env.diff` gives, or with roots and numbers.
local changed = {
  { name = "hdf5", change = "changed", words = "1.14.3 -> 1.14.5 " .. EVIL, version = { from = "1.14.3", to = "1.14.5" },
    build_only = false, roots = { "hdf5+mpi" } },
  { name = "netcdf-c", change = "changed", words = "^hdf5 1.14.3 -> 1.14.5", build_only = false, only_hash = false,
    dependencies = { { name = "hdf5", change = "changed" } } },
  { name = "cmake", change = "added", words = "3.30 /abcdefg", to = "cmake@3.30 /abcdefg", build_only = true },
  { name = "szip", change = "removed", words = "2.1 /hijklmn", from = "szip@2.1 /hijklmn", build_only = false },
}
local full = { packages = changed, summary = { added = 1, removed = 1, changed = 2, only_hash = 0, build_only = 1, same = 77 },
  roots = { added = { { spec = "zstd " .. EVIL, to = "zstd@1.5" } }, removed = {}, changed = {} } }
local CONFIG = "--- packages.yaml\n+++ packages.yaml\n@@ -1 +1 @@\n-\tmpi: [openmpi]\n+mpi: [mpich] <b>\n"
for _, form in ipairs{ "diff_html", "diff_markdown" } do
  local shown = report[form](full, { title = "next to " .. EVIL, config = CONFIG })
  for _, part in ipairs{ "77", "Roots", "zstd", "netcdf", "Packages that follow", "only to build", "Configuration",
    "2.1 /hijklmn", "-    mpi: [openmpi]" } do has(shown, part) end
  local listed = report[form](changed)
  for _, part in ipairs{ "What differs", "3.30 /abcdefg", "cmake" } do has(listed, part) end
  lacks(listed, "Roots")
  has(report[form]{}, "no differences")
  has(report[form]{ packages = {}, roots = { added = {} } }, "no differences")
  lacks(report[form]{ packages = {}, roots = full.roots }, "no differences")
end
html = report.diff_html(full, { title = EVIL, config = CONFIG })
lacks(html, "<script")
lacks(html, "<b>")
lacks(html, "http")
has(html, 'class="good">added')
has(html, 'class="bad">removed')
has(html, "&lt;b&gt;")
has(report.diff_markdown(full), "\\<script\\>")
-- As a comparison of snapshots gives it.
local sides = { from = "a@1", to = "a now " .. EVIL, packages = {}, manifest = CONFIG,
  configuration = { { path = "/etc/x.yaml" .. EVIL, diff = "+jobs: 3" } } }
html = report.diff_html(sides)
for _, part in ipairs{ "a@1 → a now", "Manifest", "/etc/x.yaml", "+jobs: 3" } do has(html, part) end
lacks(html, "<script")
lacks(html, "no differences")
for _, wrong in ipairs{ { "text" }, { full, { titel = "x" } }, { { package = 1 } } } do
  assert(caught(report.diff_html, table.unpack(wrong)).kind ~= nil)
end
