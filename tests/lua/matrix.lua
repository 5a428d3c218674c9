local matrix = require("matrix")

local function caught(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "nothing was raised")
  return e
end
local function names(entries)
  local out = {}
  for at, entry in ipairs(entries) do out[at] = entry.name end
  return table.concat(out, " ")
end
local function is(got, wanted)
  assert(got == wanted, "got " .. tostring(got) .. "\nwanted " .. tostring(wanted))
end

-- The first axis changes slowest; names are good for environments.
local m = matrix{ mpi = { "openmpi@4.1", "mpich" }, compiler = { "gcc@13.2", "oneapi" } }
is(names(m), "gcc-13-2-openmpi-4-1 gcc-13-2-mpich oneapi-openmpi-4-1 oneapi-mpich")
assert(m[1].compiler == "gcc@13.2" and m[1].mpi == "openmpi@4.1")
is(names(matrix{ mpi = { "m", "n" }, compiler = { "g", "h" }, order = { "mpi" } }), "m-g m-h n-g n-h")
for _ = 1, 20 do
  is(names(matrix{ d = { 1, 2 }, b = { "x" }, c = { "y", false }, a = { "p", "q" } }),
    "p-x-y-1 p-x-y-2 p-x-no-c-1 p-x-no-c-2 q-x-y-1 q-x-y-2 q-x-no-c-1 q-x-no-c-2")
end

-- Filters: a name also means its versions, a list any of them.
local axes = { compiler = { "gcc@12", "gcc@13", "gcc-toolset" }, target = { "zen3", "zen4" } }
axes.exclude = { { compiler = "gcc", target = "zen4" } }
is(names(matrix(axes)), "gcc-12-zen3 gcc-13-zen3 gcc-toolset-zen3 gcc-toolset-zen4")
axes.exclude = { { compiler = { "gcc@12", "gcc-toolset" } } }
is(names(matrix(axes)), "gcc-13-zen3 gcc-13-zen4")
axes.when = function(entry) return entry.target == "zen4" end
is(names(matrix(axes)), "gcc-13-zen4")
axes.include = { { compiler = "nvhpc", target = "zen3" }, { compiler = "gcc@13", target = "zen4" }, { compiler = "clang" } }
is(names(matrix(axes)), "gcc-13-zen4 nvhpc-zen3 clang")
is(names(matrix{ mpi = { "openmpi", false }, gpu = { "cuda", false }, exclude = { { mpi = false, gpu = false } } }),
  "cuda-openmpi cuda-no-mpi no-gpu-openmpi")

-- Values that carry something along.
m = matrix{ compiler = { { name = "gnu", spec = "gcc@13.2.0", modules = { "gcc/13" } } }, mpi = { "openmpi", false } }
is(names(m), "gnu-openmpi gnu-no-mpi")
assert(m[1].compiler.modules[1] == "gcc/13")

-- Specs: what is said of the root stands before compiler and dependencies.
is(table.concat(matrix.specs("hdf5+hl", m), "; "), "hdf5+hl %gcc@13.2.0 ^openmpi; hdf5+hl %gcc@13.2.0")
is(matrix.specs({ "a", "b" }, matrix{ target = { "zen3" }, version = { "1.2" }, mpi = { "mpich" }, compiler = { "gcc" } })[2],
  "b@1.2 target=zen3 %gcc ^mpich")
is(matrix.specs("a ^zlib@1.3 +x", matrix{ gpu = { "+cuda cuda_arch=80" }, compiler = { "gcc" } })[1],
  "a +cuda cuda_arch=80 %gcc ^zlib@1.3 +x")
is(matrix.specs("a", matrix{ build = { "build_type=Release" }, blas = { "openblas" }, fft = { "fftw" } },
  { parts = { fft = "^%s" } })[1], "a build_type=Release ^openblas ^fftw")
assert(caught(matrix.specs, "a", matrix{ fft = { "fftw" } }).message:find("parts = { fft", 1, true))

-- map: results by name; the first failure says which; keep_going lists them all.
m = matrix{ a = { "x", "y", "z" } }
local results, failures = matrix.map(m, function(entry, index)
  time.sleep("1ms")
  if entry.a == "z" then return nil end
  return entry.a .. index
end, { limit = 2 })
assert(results.x == "x1" and results.y == "y2" and results.z == true and #failures == 0)
local function picky(entry)
  if entry.a ~= "x" then fail("build", "no " .. entry.a, { log = "/l" }) end
  return "fine"
end
local e = caught(matrix.map, m, picky, { limit = 1 })
assert(e.kind == "build" and e.message == "y: no y" and e.facts.log == "/l" and e.facts.entry == "y", e.message)
results, failures = matrix.map(m, picky, { keep_going = true })
assert(results.x == "fine" and results.y == nil and #failures == 2)
assert(failures[1].name == "y" and failures[2].entry.a == "z" and failures[2].error.message == "no z")
local thrown = {}
assert(caught(matrix.map, m, function() error(thrown) end) == thrown)
assert(caught(task.timeout, "20ms", function() matrix.map(m, function() time.sleep("1h") end) end).kind == "timeout")

-- What is wrong is refused, with advice.
local function refused(wanted, given)
  local wrong = caught(matrix, given)
  assert(tostring(wrong):find(wanted, 1, true), tostring(wrong))
end
refused("no axis", {})
refused("takes lists by name", { { "gcc" } })
refused("'compiler' has no values", { compiler = {} })
refused("'compiler' has 'gcc' twice", { compiler = { "gcc", "gcc" } })
refused("must be a list of values", { compiler = "gcc" })
refused("did you mean 'exclude'?", { compiler = { "gcc" }, exclud = {} })
refused("did you mean 'when'?", { compiler = { "gcc" }, wen = print })
refused("did you mean 'compiler'?", { compiler = { "gcc" }, exclude = { { compiller = "gcc" } } })
refused("did you mean 'mpi'?", { mpi = { "x" }, order = { "mpy" } })
refused("'exclude' must be a list", { mpi = { "x" }, exclude = { mpi = "x" } })
refused("two combinations are called 'a-b'", { x = { "a.b", "a-b" } })
refused("call the axis otherwise", { name = { "x" } })
refused("neither 'name' nor 'spec'", { x = { {} } })
local many = {}
for n = 1, 101 do many[n] = n end
refused("more than 10000", { a = many, b = many })
