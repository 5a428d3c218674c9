//! What a script may not do to the process that runs it: take all memory or the whole stack, never end, put off its end.
//! Each is a clear error with its exit code, and never a panic or an abort.

use std::time::{Duration, Instant};

use crate::common::runs_bed::Bed;
use crate::programs::is_there;

/// A script, how it ends, and what is said of it.
struct Case {
    name: &'static str,
    code: i32,
    said: &'static str,
    script: &'static str,
}

const DEEP: &str = "local t = {} local x = t for i = 1, 100000 do x.a = {} x = x.a end ";
const WIDE: &str = "local t = {} for i = 1, 60 do t = { t, t } end ";

const CASES: &[Case] = &[
    Case {
        name: "a string that is too long",
        code: 2,
        said: "too large",
        script: "local s = string.rep('x', 200 * 1024 * 1024 * 1024) print(#s)",
    },
    Case {
        name: "many strings that are joined",
        code: 2,
        said: "limits.memory",
        script: "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1e7) end print(#table.concat(t))",
    },
    Case {
        name: "a table that grows without end",
        code: 2,
        said: "limits.memory",
        script: "local t = {} while true do t[#t + 1] = {} end",
    },
    Case {
        name: "the same in a task, taken for an error of the script's own",
        code: 2,
        said: "limits.memory",
        script: "task.all{ function() local t = {} while true do t[#t + 1] = { #t } end end }",
    },
    Case {
        name: "memory that is given back after an error",
        code: 0,
        said: "",
        script: "local function grow() local t = {} while true do t[#t + 1] = {} end end
            for _ = 1, 3 do assert(not pcall(grow)) end local t = {} for i = 1, 1e5 do t[i] = {} end",
    },
    Case {
        name: "a finalizer",
        code: 3,
        said: "__gc",
        script: "setmetatable({}, { __gc = function() while true do end end }) collectgarbage()",
    },
    Case {
        name: "what closes",
        code: 0,
        said: "closed",
        script: "do local x <close> = setmetatable({}, { __close = function() log.warn('closed') end }) end",
    },
    Case { name: "JSON that is too deep", code: 2, said: "nested more than 128 deep", script: "DEEP json.encode(t)" },
    Case { name: "TOML that is too deep", code: 2, said: "nested more than 128 deep", script: "DEEP toml.encode(t)" },
    Case { name: "a step's result", code: 2, said: "nested", script: "DEEP run.step('a', function() return t end)" },
    Case { name: "a step's inputs", code: 2, said: "nested", script: "DEEP run.step('a', { inputs = t }, function() end)" },
    Case { name: "the facts of an error", code: 2, said: "no", script: "DEEP error{ message = 'no', facts = t }" },
    Case { name: "the facts of a failure", code: 2, said: "no", script: "DEEP fail('build', 'no', t)" },
    Case { name: "fields of a message", code: 2, said: "nested", script: "DEEP log.info('x', t)" },
    Case { name: "JSON that is endless written out", code: 2, said: "so many places", script: "WIDE json.encode(t)" },
    Case { name: "a result that is endless written out", code: 2, said: "so many places", script: "WIDE run.step('a', function() return t end)" },
    Case { name: "JSON to be read that is too deep", code: 2, said: "nested too deep", script: "json.decode(('['):rep(100000) .. (']'):rep(100000))" },
    Case { name: "YAML to be read that is too deep", code: 2, said: "nested too deep", script: "yaml.decode(('['):rep(50000) .. (']'):rep(50000))" },
    Case { name: "TOML to be read that is too deep", code: 2, said: "nested too deep", script: "toml.decode('a = ' .. ('['):rep(20000) .. (']'):rep(20000))" },
    Case {
        name: "YAML whose aliases are endless written out",
        code: 2,
        said: "too large",
        script: "local s = 'a0: &a0 [x,x,x,x,x,x,x,x,x,x]\\n'
            for i = 1, 9 do s = s .. ('a%d: &a%d [%s]\\n'):format(i, i, (('*a' .. (i - 1) .. ','):rep(10))) end yaml.decode(s)",
    },
    Case { name: "an error that contains itself", code: 2, said: "without a message", script: "local t = {} t.t = t error(t)" },
    Case { name: "a result that contains itself", code: 2, said: "exit code", script: "local t = {} t.t = t return t" },
    Case { name: "no error", code: 2, said: "nil", script: "error(nil)" },
    Case {
        name: "an error that raises",
        code: 2,
        said: "",
        script: "error(setmetatable({}, { __tostring = function() error('x') end, __index = function() error('y') end }))",
    },
    Case { name: "a function without end", code: 2, said: "stack overflow", script: "local function f(n) return 1 + f(n + 1) end f(1)" },
    Case { name: "tasks within tasks without end", code: 2, said: "overflow", script: "local function f() return task.all{ f, f, f } end f()" },
    Case {
        name: "what all strings share",
        code: 0,
        said: "",
        script: "assert(getmetatable('') == false) assert(not pcall(setmetatable, fs, {}))",
    },
    Case { name: "a text for an exit code", code: 2, said: "the text \"2\"", script: "return '2'" },
    Case { name: "false for an exit code", code: 2, said: "returned false", script: "return false" },
    Case { name: "true for an exit code", code: 2, said: "returned true", script: "return true" },
    Case { name: "a fraction for an exit code", code: 2, said: "returned 2.5", script: "return 2.5" },
    Case { name: "a result for an exit code", code: 2, said: "returned a table", script: "return { ok = false }" },
    Case { name: "too large an exit code", code: 2, said: "returned 256", script: "return 256" },
    Case { name: "too small an exit code", code: 2, said: "returned -1", script: "return -1" },
    Case {
        name: "the same of a workflow",
        code: 2,
        said: "returned false",
        script: "return workflow{ name = 'w', doc = 'd', options = {}, run = function() return false end }",
    },
    Case {
        name: "a misspelt field of a row",
        code: 3,
        said: "did you mean 'version'?",
        script: "for _, row in ipairs(spack.find()) do print(row.versoin) end",
    },
    Case {
        name: "a misspelt field of a result",
        code: 3,
        said: "did you mean 'stdout'?",
        script: "print(process.run{ 'true' }.stdotu)",
    },
    Case {
        name: "a misspelt option of a workflow",
        code: 3,
        said: "did you mean 'jobs'?",
        script: "return workflow{ name = 'w', doc = 'd', options = { { name = 'jobs', type = 'integer' } }, run = function(o) print(o.jbos) end }",
    },
    Case {
        name: "fields that are there and not given",
        code: 0,
        said: "",
        script: "local r = process.run{ 'true' } assert(r.signal == nil and r.ended == nil and r[1] == nil) r.mine = 1 assert(r.mine == 1)
            for _, row in ipairs(spack.find()) do assert(row.name) end
            local n = 0 for _ in pairs(r) do n = n + 1 end assert(n > 3) assert(json.decode(json.encode(r)).mine == 1)",
    },
];

fn bed() -> Bed {
    let mut bed = Bed::practice();
    bed.use_site_file("[limits]\nmemory = \"64 MiB\"\n");
    bed
}

#[test]
fn what_a_script_may_not_do_is_a_clear_error() {
    let bed = bed();
    let mut wrong = Vec::new();
    for case in CASES {
        let text = case.script.replace("DEEP ", DEEP).replace("WIDE ", WIDE);
        let script = bed.script("s.lua", &text);
        let output = bed.run(&["--timeout", "60s", "run", &script]);
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(case.code) || !said.contains(case.said) || said.contains("panicked") {
            wrong.push(format!("{}: {}, not {}: {said}", case.name, output.status, case.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the hook of Lua never reaches.
const UNSTOPPABLE: &[(&str, &str)] = &[
    ("a pattern", "string.find(('a'):rep(200000), '.-.-.-.-b')"),
    (
        "a pattern within pcall in a loop",
        "while true do pcall(string.find, ('a'):rep(200000), '.-.-.-.-b') end",
    ),
];

#[test]
fn a_script_that_takes_no_notice_is_ended_with_its_programs_and_can_be_resumed() {
    let bed = bed();
    for (name, text) in UNSTOPPABLE {
        bed.renew();
        let id = bed.out().join("id");
        let script = bed.script(
            "s.lua",
            &format!(
                "run.step('a', function() fs.write('{0}/a', 'x') end)
                if fs.exists('{0}/again') then return end
                task.all{{ function() process.run{{ 'sh', '-c', 'setsid sh -c \"echo $$ > {0}/id; exec sleep 60\" & wait' }} end,
                function() while not fs.exists('{0}/id') do time.sleep('5ms') end {text} end }}",
                bed.out().display()
            ),
        );
        let output = bed.run(&["--timeout", "1s", "run", &script]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(said.contains("time limit") && said.contains("Lua's own library"), "{name}: {said}");
        let id = std::fs::read_to_string(id).unwrap();
        assert!(!is_there(id.trim().parse().unwrap()), "{name}: {id} is still there");
        let run = &bed.json(&["runs"])[0];
        assert!(run["state"] == "failed" && run["message"].to_string().contains("time limit"), "{run}");
        std::fs::write(bed.out().join("again"), "").unwrap();
        let number = run["id"].to_string();
        bed.ok(&["runs", "resume", &number]);
        let run = bed.json(&["runs", "show", &number]);
        assert_eq!((&run["state"], &run["steps"][0]["attempt"]), (&"ok".into(), &1.into()), "{name}: {run}");
    }
}

#[test]
fn a_script_that_takes_no_notice_of_a_signal_is_ended() {
    let bed = bed();
    let script = bed.script("s.lua", &format!("fs.mkdir('begun') {}", UNSTOPPABLE[0].1));
    let mut child = bed.start(&["run", &script]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !bed.root.join("begun").exists() {
        assert!(Instant::now() < deadline, "it does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn work_that_is_not_lua_may_take_its_time_after_the_limit() {
    let bed = bed();
    // Longer than a machine of Lua may be silent: what takes something back is no script that takes no notice.
    let script = bed.script(
        "s.lua",
        "local _ <close> = defer(function() process.run{ 'sh', '-c', 'sleep 4; echo x > undone' } end) time.sleep('1h')",
    );
    let output = bed.run(&["--timeout", "200ms", "run", &script]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(bed.root.join("undone").exists(), "{output:?}");
}
