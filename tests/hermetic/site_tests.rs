//! `moonstack test` through the executable: what passes, fails, breaks, hangs, and what is not there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder with test files.
struct Bed(tempfile::TempDir);

impl Bed {
    fn new(files: &[(&str, &str)]) -> Bed {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Bed(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moonstack"));
        command.current_dir(self.path()).args(words);
        for variable in ["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            command.env(variable, self.path().join("home"));
        }
        command
    }

    fn test(&self, words: &[&str]) -> Output {
        self.command(&[&["test"], words].concat()).output().unwrap()
    }

    /// *(exit code, document)*.
    fn json(&self, words: &[&str]) -> (i32, Value) {
        let output = self.test(&[words, &["--json"]].concat());
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        (output.status.code().unwrap(), document)
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn case<'a>(document: &'a Value, name: &str) -> &'a Value {
    let cases = document["cases"].as_array().unwrap();
    cases.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no case {name} in {document}"))
}

const GOOD: &str = r#"
local testing = require("testing")
testing.case("adds", function() testing.equal(1 + 1, 2) end)
testing.case("has a store", function()
  testing.contains(testing.site().store, "/store")
  testing.equal(#spack.find("hdf5"), 1)
end)
testing.case("has no gpu", function() testing.skip("no gpu here") end)
"#;

const BAD: &str = r#"
local testing = require("testing")
print("loading")
testing.case("sum", function()
  testing.equal(1 + 1, 3, "the sum")
end)
testing.case("deep", function() testing.same({ a = { { x = 1 } } }, { a = { { x = 2 } } }) end)
testing.case("kind", function() testing.raises("busy", fs.read, "/nowhere/at/all") end)
testing.case("breaks", function() local x = nil; return x.y end)
testing.case("raises", function() fs.read("/nowhere/at/all") end)
testing.case("table", function() error({ code = 7 }) end)
testing.case("after", function() end)
"#;

#[test]
fn files_are_found_and_what_passes_is_said() {
    let bed = Bed::new(&[
        ("b/good_test.lua", GOOD),
        ("a_test.lua", "assert(spack.get('zlib@1.2.13'))"),
        ("helper.lua", "error('not a test')"),
        (".hidden/x_test.lua", "error('hidden')"),
    ]);
    let output = bed.test(&["."]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let cases: Vec<&str> = text.lines().map(|l| l.split(" (").next().unwrap()).collect();
    assert_eq!(
        cases[..4],
        [
            "ok      a_test.lua: a_test",
            "ok      b/good_test.lua: adds",
            "ok      b/good_test.lua: has a store",
            "skipped b/good_test.lua: has no gpu: no gpu here",
        ]
    );
    assert!(cases[4].starts_with("OK: 3 passed, 0 failed, 0 with errors, 1 skipped in "), "{text}");
    // Quiet: the summary only.
    assert_eq!(out(&bed.test(&[".", "--quiet"])).lines().count(), 1);
}

#[test]
fn failures_say_where_and_what_was_expected() {
    let bed = Bed::new(&[("bad_test.lua", BAD), ("good_test.lua", GOOD)]);
    let output = bed.test(&[]);
    let text = out(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for line in [
        "FAIL    bad_test.lua: sum (",
        "        bad_test.lua:5: the sum: got 2, expected 3",
        "        bad_test.lua:7: a[1].x: got 1, expected 2",
        "        bad_test.lua:8: got an error of kind not_found, expected busy: cannot look at /nowhere/at/all",
        "        bad_test.lua:9: script: attempt to index a nil value (local 'x')",
        "        bad_test.lua:10: not_found: cannot look at /nowhere/at/all",
        "        bad_test.lua:11: script: a table was raised: {\"code\":7}",
        "        printed: loading",
        "ok      bad_test.lua: after (",
        "FAILED: 3 passed, 3 failed, 3 with errors, 1 skipped in ",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    let (code, document) = bed.json(&[]);
    assert_eq!((code, &document["summary"]["failed"]), (2, &Value::from(3)));
    let sum = case(&document, "sum");
    assert_eq!((&sum["status"], &sum["error"]["where"]), (&"fail".into(), &"bad_test.lua:5".into()));
    assert_eq!(
        (&sum["error"]["facts"]["actual"], &sum["error"]["facts"]["expected"]),
        (&"2".into(), &"3".into())
    );
    assert_eq!(case(&document, "raises")["error"]["kind"], "not_found");
}

#[test]
fn each_file_has_a_site_of_its_own_and_faults_end_with_their_case() {
    let spoil = r#"
        local testing = require("testing")
        testing.faults{ verb = { arch = { code = 5 } } }
        local function code(verb) return spack.exec({ verb }, { check = false }).code end
        testing.case("spoils", function()
          testing.faults{ verb = { find = { code = 7, message = "not today" } }, package = { fftw = { fail = "build" } } }
          testing.equal(code("find"), 7)
          testing.equal(code("arch"), 0)
        end)
        testing.case("is whole again", function()
          testing.equal(code("find"), 0)
          testing.equal(code("arch"), 5)
          fs.remove(testing.site().store, { recursive = true })
        end)
        testing.case("misspells", function()
          local e = testing.raises("unknown_name", testing.faults, { verb = { find = { cod = 7 } } })
          testing.contains(e.message, "did you mean 'code'?")
        end)
    "#;
    let look = "assert(fs.exists(require('testing').site().store)); assert(#spack.find('zlib') > 0)";
    let bed = Bed::new(&[("a_test.lua", spoil), ("b_test.lua", look)]);
    let output = bed.test(&["--jobs", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
}

#[test]
fn what_hangs_is_ended_and_the_rest_goes_on() {
    let hang = r#"
        local testing = require("testing")
        testing.case("sleeps", function() time.sleep("1h") end)
        testing.case("spins", function() while true do end end)
        testing.case("swallows", function() while true do pcall(time.sleep, "1h") end end)
        testing.case("spack hangs", function()
          testing.faults{ verb = { find = { hang = true } } }
          spack.exec({ "find" })
        end)
        testing.case("after", function() testing.equal(#spack.find("hdf5"), 1) end)
    "#;
    let bed = Bed::new(&[("hang_test.lua", hang), ("endless_test.lua", "while true do end")]);
    let (code, document) = bed.json(&["--limit", "500ms"]);
    assert_eq!(code, 2);
    for name in ["sleeps", "spins", "swallows", "spack hangs", "endless_test"] {
        let case = case(&document, name);
        assert_eq!((&case["status"], &case["error"]["kind"]), (&"error".into(), &"timeout".into()), "{case}");
    }
    assert_eq!(case(&document, "spins")["error"]["where"], "hang_test.lua:4");
    assert_eq!(case(&document, "after")["status"], "pass");
}

#[test]
fn a_file_that_cannot_be_loaded_is_an_error_of_its_own() {
    let late = "require('testing').case('one', function() end)\nerror('late')";
    let bed = Bed::new(&[
        ("bytes_test.lua", "\u{1b}Lua"),
        ("good_test.lua", GOOD),
        ("late_test.lua", late),
        ("module_test.lua", "require('tesing')"),
        ("syntax_test.lua", "local ok = 1\nlocal x = = 3"),
    ]);
    let (code, document) = bed.json(&[]);
    assert_eq!(code, 2);
    assert_eq!(document["summary"]["passed"], 2);
    assert_eq!(document["summary"]["errors"], 4, "{document}");
    assert_eq!(case(&document, "syntax_test")["error"]["where"], "syntax_test.lua:2");
    assert_eq!(case(&document, "late_test")["error"]["message"], "late");
    assert_eq!(case(&document, "module_test")["error"]["hints"][0], "did you mean 'testing'?");
}

#[test]
fn where_there_is_nothing_to_test_it_is_said() {
    let bed = Bed::new(&[("good_test.lua", GOOD), ("empty/readme.txt", "")]);
    for (words, wanted) in [
        (vec!["empty"], "no tests found in empty"),
        (vec!["gone"], "there is no file or folder gone"),
        (vec!["--filter", "zzz"], "no case matches 'zzz'"),
        (vec!["--practice"], "each file gets a practice site of its own"),
        (vec!["--jobs", "0"], "invalid value '0'"),
    ] {
        let output = bed.test(&words);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{words:?}: {text}");
        assert!(text.contains(wanted), "{words:?}: {text}");
    }
}

#[test]
fn a_flood_of_output_hides_no_failure() {
    let flood = r#"
        local testing = require("testing")
        local much = string.rep("ä\1", 1000000)
        testing.case("prints", function() print(much) end)
        testing.case("fails", function() testing.equal(1, 2, much) end)
        testing.case("raises", function() fail("busy", much, { much = much }) end)
        testing.case("tables", function() error({ much }) end)
        testing.case("last", function() end)
    "#;
    let bed = Bed::new(&[("flood_test.lua", flood)]);
    let (code, document) = bed.json(&[]);
    assert_eq!(code, 2);
    for (name, status) in
        [("prints", "pass"), ("fails", "fail"), ("raises", "error"), ("tables", "error"), ("last", "pass")]
    {
        assert_eq!(case(&document, name)["status"], status);
    }
    let printed = document["cases"][1]["printed"].as_array().unwrap();
    assert!(printed.iter().map(|t| t.as_str().unwrap().len()).sum::<usize>() >= 3_000_000);
}

#[test]
fn a_filter_chooses_cases() {
    let bed = Bed::new(&[("bad_test.lua", BAD), ("good_test.lua", GOOD)]);
    let (code, document) = bed.json(&["--filter", "bad_test.lua sum"]);
    assert_eq!((code, document["summary"]["failed"].as_u64()), (2, Some(1)), "{document}");
    let (code, document) = bed.json(&["good_test.lua", "bad_test.lua", "--filter", "adds"]);
    assert_eq!((code, document["cases"].as_array().unwrap().len()), (0, 1), "{document}");
}

#[test]
fn a_test_runs_the_scripts_of_the_site() {
    let script = r#"
        return workflow{ name = "greet", doc = "Greets.", options = { { name = "whom", required = true } },
          run = function(o) print(json.encode({ hello = o.whom, specs = #spack.find() })) return 1 end }
    "#;
    let test = r#"
        local testing = require("testing")
        local words = require("lib.words")
        testing.case("greets", function()
          local ran = testing.run("../greet.lua", { "--whom", words.whom })
          testing.equal(ran.code, 1)
          testing.equal(ran.json.hello, "world")
          testing.equal(ran.json.specs, #spack.find())
        end)
        testing.case("refuses", function()
          local ran = testing.run("../greet.lua")
          testing.equal(ran.code, 3)
          testing.contains(ran.stderr, "--whom")
        end)
    "#;
    let bed = Bed::new(&[
        ("site/greet.lua", script),
        ("site/lib/words.lua", "return { whom = 'world' }"),
        ("site/tests/greet_test.lua", test),
    ]);
    let output = bed.test(&["site"]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
}

#[test]
fn nothing_is_left_behind() {
    let bed = Bed::new(&[("a_test.lua", "print(require('testing').site().root) error('x')")]);
    let (_, document) = bed.json(&[]);
    let root = document["cases"][0]["printed"][0].as_str().unwrap().to_owned();
    assert!(root.contains("moonstack-practice-"), "{root}");
    assert!(!PathBuf::from(&root).exists(), "{root} is still there");
}

#[test]
fn an_interrupt_ends_it() {
    let bed = Bed::new(&[(
        "a_test.lua",
        "fs.write('began', require('testing').site().root) process.run({ 'sleep', '3600' })",
    )]);
    let child = bed.command(&["test"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let began = bed.path().join("began");
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::read_to_string(&began).unwrap_or_default().is_empty() {
        assert!(Instant::now() < deadline, "the test file never began");
        std::thread::sleep(Duration::from_millis(5));
    }
    let root = std::fs::read_to_string(&began).unwrap();
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(!Path::new(&root).exists(), "{root} is still there");
}

/// What the check of a type cannot see: the page is whole, well-formed and asks for nothing from elsewhere.
#[test]
fn a_report_is_a_page_that_stands_alone() {
    let script = r#"
        local evil = [=[<script>alert('x')</script> & "q" ]]> ]=] .. string.char(255, 27) .. "[31m"
        local item = { name = evil, status = evil, seconds = 3, began = 1, message = evil }
        print(require("report").html{
          title = evil, run = { name = evil, status = "ok", began = 0, seconds = 9 }, steps = { item, item },
          packages = { item }, plan = { changes = { { change = evil, spec = evil } }, note = evil },
          findings = { { check = evil, status = evil, message = evil, fix = evil } }, log = { evil, evil },
        })
    "#;
    let bed = Bed::new(&[("page.lua", script)]);
    let output = bed.command(&["run", "./page.lua"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = String::from_utf8(output.stdout).unwrap();
    // Everything but the three void elements of the head is written as XML wants it.
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.as_str();
    while let Some((before, tag)) = rest.split_once('<') {
        assert!(!before.contains('>') || open.last() == Some(&"style"), "a bare '>' in {before:?}");
        let (tag, after) = tag.split_once('>').unwrap();
        rest = after;
        let name = tag.split([' ', '/']).find(|n| !n.is_empty()).unwrap();
        assert!(!matches!(name, "script" | "link" | "img" | "iframe" | "object"), "{tag}");
        assert!(!tag.contains("href") && !tag.contains("src="), "{tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{page}");
        } else if !tag.ends_with('/') && !matches!(name, "!DOCTYPE" | "meta") {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert!(!page.contains("@import") && !page.contains("url(") && !page.contains("alert('"));
}

/// The workflows that come with the executable are tested as a site's own are.
#[test]
fn the_bundled_workflows_pass_their_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let bed = Bed::new(&[]);
    let output = bed.test(&[folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
}
