//! Runs that are gone on with: what they are given, who may do it, what they take back. `killed` has the instants at
//! random; here each has its place.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::runs_bed::Bed;

/// A bed with a script, in which `DIR` is the folder for what it writes.
fn with(text: &str) -> (Bed, String) {
    let bed = Bed::practice();
    let script = scripted(&bed, text);
    (bed, script)
}

fn scripted(bed: &Bed, text: &str) -> String {
    bed.script("s.lua", &text.replace("DIR", &format!("'{}'", bed.out().display())))
}

fn put(bed: &Bed, name: &str) {
    std::fs::write(bed.out().join(name), "").unwrap();
}

fn is_there(bed: &Bed, name: &str) -> bool {
    bed.out().join(name).exists()
}

fn wait_for(bed: &Bed, name: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_there(bed, name) {
        assert!(Instant::now() < deadline, "{name} does not come: {}", bed.said());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Starts a run, waits until it has written a file, and kills it.
fn killed_at(bed: &Bed, args: &[&str], name: &str) {
    let mut child = bed.start(args);
    wait_for(bed, name);
    kill(&mut child);
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn database(bed: &Bed) -> rusqlite::Connection {
    rusqlite::Connection::open(bed.state().join("state.db")).unwrap()
}

fn sql(bed: &Bed, text: &str) {
    database(bed).execute_batch(text).unwrap();
}

/// Everything on record of a run, as the database has it.
fn on_record(bed: &Bed) -> Vec<String> {
    let database = database(bed);
    let mut all = Vec::new();
    for table in ["runs", "steps", "calls", "actions"] {
        let mut rows = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap()));
            all.push(format!("{table}: {}", values.collect::<Vec<_>>().join(", ")));
        }
    }
    all
}

/// Exit code and what was said.
fn ends(bed: &Bed, args: &[&str]) -> (i32, String) {
    let output = bed.run(args);
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code().unwrap(), text)
}

const SECRETS: &str = r#"
local secret = fs.read(DIR .. '/secret')
fs.write(DIR .. '/first', 'x')
local ran = process.run({ 'sh', '-c', 'echo once >> "$1"/submitted; cat "$1"/secret', 'sh', DIR })
local kept = run.step('read', function() return { text = fs.read(DIR .. '/secret'), password = 'a "b" c', gone = nil } end)
local odd = run.step('odd', function() return { text = 'a\xffb', [3] = 'gap' } end)
fs.write(DIR .. '/second', 'y')
if not fs.exists(DIR .. '/go') then time.sleep('60s') end
fs.write(DIR .. '/look', secret)
fs.write(DIR .. '/call', ran.stdout)
fs.write(DIR .. '/step', kept.text)
fs.write(DIR .. '/password', kept.password)
assert(odd.text == 'a\xffb' and odd[3] == 'gap')
"#;

#[test]
fn a_resumed_run_is_given_what_was_there_and_the_journal_shows_no_secret() {
    let (bed, script) = with(SECRETS);
    let secret =
        "url: https://reader:pw12345@mirror.site.org/x\naccess_token: abcdef\nnote: \"token: keep this\"\n";
    std::fs::write(bed.out().join("secret"), secret).unwrap();
    let steps = |bed: &Bed| bed.last_run()["steps"].clone();
    killed_at(&bed, &["run", &script], "second");
    let read = |name: &str| std::fs::read_to_string(bed.out().join(name)).unwrap();
    for bytes in ["state/state.db", "state/state.db-wal"] {
        let bytes = std::fs::read(bed.root.join("site").join(bytes)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for word in ["pw12345", "abcdef", "a \\\"b\\\" c"] {
            assert!(!text.contains(word), "{word} is in the journal");
        }
    }
    // What people see is whole, and hides what is to be hidden.
    assert_eq!(steps(&bed)[0]["result"]["password"], "***");
    assert!(steps(&bed)[0]["result"]["text"].as_str().unwrap().contains("access_token: ***"));
    put(&bed, "go");
    bed.ok(&["runs", "resume", "1"]);
    for name in ["look", "call", "step"] {
        assert_eq!(read(name), secret, "{name}");
    }
    assert_eq!(read("password"), "a \"b\" c");
    assert_eq!(read("submitted"), "once\n", "a program ran twice");
    // What could be needed again is readable for its user alone, and goes when it is not needed any more.
    for entry in std::fs::read_dir(bed.state().join("private")).unwrap().flatten() {
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600);
    }
    assert!(!std::fs::read_to_string(bed.state().join("private/run-1.2.jsonl")).unwrap().contains("abcdef"));
}

#[test]
fn what_is_not_kept_any_more_is_done_again() {
    let (bed, script) = with(SECRETS);
    std::fs::write(bed.out().join("secret"), "token: abcdef\n").unwrap();
    killed_at(&bed, &["run", &script], "second");
    // The values of the first attempt are lost, and with them what the journal only shows.
    let private = bed.state().join("private/run-1.1.jsonl");
    let text = std::fs::read_to_string(&private).unwrap();
    std::fs::write(&private, text.lines().next().unwrap()).unwrap();
    put(&bed, "go");
    bed.ok(&["runs", "resume", "1"]);
    assert_eq!(std::fs::read_to_string(bed.out().join("step")).unwrap(), "token: abcdef\n");
    assert_eq!(std::fs::read_to_string(bed.out().join("call")).unwrap(), "token: abcdef\n");
}

const WAITS: &str = r"
fs.write(DIR .. '/begun', 'x')
if not fs.exists(DIR .. '/go') then time.sleep('60s') end
fs.write(DIR .. '/ended-' .. math.random(1 << 60), 'x')
";

fn endings(bed: &Bed) -> usize {
    let entries = std::fs::read_dir(bed.out()).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("ended-")).count()
}

#[test]
fn a_number_that_somebody_else_has_and_a_lost_host_are_no_running_run() {
    let (bed, script) = with(WAITS);
    let state = |bed: &Bed| bed.json(&["runs", "-n", "1"])[0]["state"].clone();
    for change in [
        // After a reboot another process has it.
        "UPDATE runs SET pid = 1",
        "UPDATE runs SET pid = 999999, host = 'renamed'",
        "UPDATE runs SET pid = 1, boot = 'another', began = 1",
        // As older builds have written it, on a machine that is gone.
        "UPDATE runs SET pid = 1, boot = NULL, began = NULL, host = 'gone'",
    ] {
        bed.renew();
        let mut child = bed.start(&["run", &script]);
        wait_for(&bed, "begun");
        assert_eq!(state(&bed), "running", "{change}");
        assert_eq!(ends(&bed, &["runs", "resume", "1"]).0, 5, "{change}");
        sql(&bed, change);
        assert_eq!(state(&bed), "running", "{change}: it is under way, whatever its row says");
        kill(&mut child);
        assert_eq!(state(&bed), "interrupted", "{change}");
        put(&bed, "go");
        bed.ok(&["runs", "resume", "1"]);
        assert_eq!((state(&bed), endings(&bed)), ("ok".into(), 1), "{change}");
    }
}

#[test]
fn of_ten_resumes_at_once_one_runs() {
    let (bed, script) = with(WAITS);
    killed_at(&bed, &["run", &script], "begun");
    let resume = || bed.command(&["runs", "resume", "1"]).stderr(Stdio::null()).spawn().unwrap();
    let mut children: Vec<Child> = (0..10).map(|_| resume()).collect();
    // All but the one that has it have been refused before it goes on.
    let mut codes = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    while codes.len() < 9 {
        assert!(Instant::now() < deadline, "{codes:?}");
        children.retain_mut(|child| match child.try_wait().unwrap() {
            Some(status) => {
                codes.push(status.code());
                false
            }
            None => true,
        });
        std::thread::sleep(Duration::from_millis(5));
    }
    // The one goes on; it had looked for the file when it began, and sleeps.
    let attempt =
        || database(&bed).query_row("SELECT attempt FROM runs", [], |row| row.get::<_, i64>(0)).unwrap();
    while attempt() < 2 {
        assert!(Instant::now() < deadline, "none of them goes on");
        std::thread::sleep(Duration::from_millis(5));
    }
    for mut child in children {
        kill(&mut child);
    }
    put(&bed, "go");
    assert_eq!(codes, [Some(5); 9]);
    assert_eq!(bed.last_run()["attempt"], 2);
    bed.ok(&["runs", "resume", "1"]);
    assert_eq!(endings(&bed), 1);
}

#[test]
fn a_resume_by_another_user_or_with_another_script_is_refused_and_leaves_the_record_as_it_was() {
    let (bed, script) = with(&format!("require('helper')\n{WAITS}"));
    let helper = bed.script("helper.lua", "return 1\n");
    killed_at(&bed, &["run", &script], "begun");
    let private = bed.state().join("private/run-1.1.jsonl");
    let (own, text) = (std::fs::read_to_string(&private).unwrap(), std::fs::read_to_string(&script).unwrap());
    put(&bed, "go");
    let refused = |what: &str, code: i32, words: &[&str]| {
        let before = on_record(&bed);
        for args in [&["runs", "resume", "1"][..], &["--summary", "runs", "resume", "1"]] {
            let (ended, said) = ends(&bed, args);
            assert_eq!(ended, code, "{what}: {said}");
            assert!(words.iter().all(|word| said.contains(word)), "{what}: {said}");
        }
        assert_eq!(on_record(&bed), before, "{what}: the record is another one");
        assert_eq!(endings(&bed), 0, "{what}: it went on");
    };
    std::fs::write(&script, format!("{text}-- more\n")).unwrap();
    refused("another script", 4, &["the script", "has changed", "--changed"]);
    std::fs::write(&script, &text).unwrap();
    std::fs::write(&helper, "return 2\n").unwrap();
    refused("another module", 4, &["helper.lua has changed", "--changed"]);
    std::fs::write(&helper, "return 1\n").unwrap();
    let user = serde_json::from_str::<Value>(own.lines().next().unwrap()).unwrap()["user"].to_string();
    std::fs::write(&private, own.replacen(&user, "\"mallory\"", 1)).unwrap();
    refused("another user", 4, &["was begun by mallory", "--other-user"]);
    std::fs::remove_file(&private).unwrap();
    refused("nobody's word", 4, &["no proof", "--other-user"]);
    std::fs::write(&private, &own).unwrap();
    // Another instance of it is at work.
    let script_of_other = scripted(&bed, &format!("require('helper')\n{WAITS}"));
    std::fs::remove_file(bed.out().join("begun")).unwrap();
    std::fs::remove_file(bed.out().join("go")).unwrap();
    let mut other = bed.start(&["run", &script_of_other]);
    wait_for(&bed, "begun");
    let of_one = |bed: &Bed| {
        let all = on_record(bed);
        all.into_iter().filter(|row| row.starts_with("runs: Integer(1)")).collect::<Vec<_>>()
    };
    let before = of_one(&bed);
    assert_eq!(ends(&bed, &["runs", "resume", "1"]).0, 5);
    assert_eq!(of_one(&bed), before);
    kill(&mut other);
    put(&bed, "go");
    // Said with an option each goes.
    std::fs::write(&helper, "return 2\n").unwrap();
    std::fs::write(&private, own.replacen(&user, "\"mallory\"", 1)).unwrap();
    assert_eq!(ends(&bed, &["runs", "resume", "1", "--changed"]).0, 4);
    assert_eq!(ends(&bed, &["runs", "resume", "1", "--other-user"]).0, 4);
    bed.ok(&["runs", "resume", "1", "--changed", "--other-user"]);
    assert_eq!(endings(&bed), 1);
}

#[test]
fn the_command_of_a_resumed_run_is_the_one_that_its_user_gave() {
    let (bed, script) = with(WAITS);
    killed_at(&bed, &["run", &script], "begun");
    put(&bed, "go");
    let evil = bed.script("evil.lua", &format!("fs.write('{}/evil', 'x')", bed.out().display()));
    sql(
        &bed,
        &format!("UPDATE runs SET script = '{evil}', command = replace(command, '{script}', '{evil}')"),
    );
    bed.ok(&["runs", "resume", "1"]);
    assert!(!is_there(&bed, "evil") && endings(&bed) == 1);
    // A record that somebody else could have written is none.
    let private = bed.state().join("private/run-1.2.jsonl");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(&private, mode).unwrap();
    assert_eq!(ends(&bed, &["runs", "resume", "1", "--fresh"]).0, 4);
}

const ROLLS_BACK: &str = r"
return workflow{ name = 'w', doc = 'd', on_fail = 'roll_back', options = {}, run = function()
  local note = DIR .. '/one'
  run.step('one', function()
    fs.mkdir(DIR .. '/there before')
    fs.write(note, '1')
    run.compensate(function() fs.remove(note) end)
    print('said once')
    return note
  end)
  run.step('two', function()
    local more = DIR .. '/two'
    fs.write(more, '2')
    run.compensate(function() fs.remove(more) end)
    run.compensate(function()
      fs.write(DIR .. '/undoing', 'x')
      if not fs.exists(DIR .. '/go') then time.sleep('60s') end
    end)
  end)
  run.step('three', function()
    fs.write(DIR .. '/three', '3')
    if fs.exists(DIR .. '/hang') then time.sleep('60s') end
    fail('refused', 'not today')
  end)
end }
";

fn states(bed: &Bed) -> Vec<String> {
    let steps = bed.last_run()["steps"].clone();
    let steps = steps.as_array().unwrap().iter();
    steps.map(|s| format!("{} {}", s["name"].as_str().unwrap(), s["state"].as_str().unwrap())).collect()
}

#[test]
fn what_a_resume_kept_is_taken_back_too() {
    let (bed, script) = with(ROLLS_BACK);
    std::fs::create_dir_all(bed.out().join("there before")).unwrap();
    for name in ["hang", "go"] {
        put(&bed, name);
    }
    killed_at(&bed, &["run", &script], "three");
    assert_eq!(states(&bed), ["one ok", "two ok", "three running"]);
    std::fs::remove_file(bed.out().join("hang")).unwrap();
    let (code, said) = ends(&bed, &["runs", "resume", "1"]);
    assert_eq!(code, 4, "{said}");
    assert!(!said.contains("said once"), "a step that was kept ran again: {said}");
    assert!(!is_there(&bed, "one") && !is_there(&bed, "two"), "{said}");
    assert_eq!(states(&bed), ["one undone", "two undone", "three failed"]);
}

#[test]
fn an_undoing_that_was_cut_short_is_gone_on_with() {
    let (bed, script) = with(ROLLS_BACK);
    killed_at(&bed, &["run", &script], "undoing");
    assert_eq!(states(&bed), ["one ok", "two undoing", "three failed"]);
    assert!(is_there(&bed, "one") && is_there(&bed, "two"));
    put(&bed, "go");
    let (code, said) = ends(&bed, &["runs", "resume", "1"]);
    assert_eq!(code, 4, "{said}");
    assert!(!is_there(&bed, "one") && !is_there(&bed, "two"), "{said}");
    assert_eq!(states(&bed), ["one undone", "two undone", "three failed"]);
}

#[test]
fn what_cannot_be_taken_back_is_told_and_is_no_refusal() {
    let (bed, script) = with(ROLLS_BACK);
    for name in ["hang", "go"] {
        put(&bed, name);
    }
    killed_at(&bed, &["run", &script], "three");
    std::fs::remove_file(bed.out().join("hang")).unwrap();
    // Of one compensation there is no word any more.
    sql(&bed, "UPDATE steps SET undo = 2 WHERE name = 'one'");
    let (code, said) = ends(&bed, &["runs", "resume", "1"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("not everything is taken back") && said.contains("one: 1 of its 2"), "{said}");
    assert!(!is_there(&bed, "two"), "the rest is not taken back: {said}");
    assert_eq!(states(&bed), ["one undoing", "two undone", "three failed"]);
}

const UNDOES: &str = r"
return workflow{ name = 'w', doc = 'd', options = {}, run = function()
  run.step('write', function() fs.write(DIR .. '/file', 'x') run.compensate(function() fs.write(DIR .. '/taken', 'x') end) end)
  local ok = pcall(run.step, 'change', function()
    fs.write(DIR .. '/log', (fs.exists(DIR .. '/log') and fs.read(DIR .. '/log') or '') .. 'x')
    if not fs.exists(DIR .. '/go') then run.undo{ 'change', 'write' } fs.remove(DIR .. '/file') fail('build', 'no') end
  end)
  if not ok then fail('build', 'all is as it was') end
end }
";

#[test]
fn what_a_script_takes_back_by_itself_is_done_again() {
    let (bed, script) = with(UNDOES);
    let (code, said) = ends(&bed, &["run", &script]);
    assert_eq!(code, 2, "{said}");
    assert!(is_there(&bed, "taken") && !is_there(&bed, "file"));
    assert_eq!(states(&bed), ["write undone", "change undone"]);
    put(&bed, "go");
    let (code, said) = ends(&bed, &["runs", "resume", "1"]);
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("kept"), "{said}");
    assert!(is_there(&bed, "file"));
    assert_eq!(std::fs::read_to_string(bed.out().join("log")).unwrap(), "xx");
    let (code, said) = ends(&bed, &["eval", "run.undo{ 'nosuch' }"]);
    assert!(code == 3 && said.contains("nosuch"), "{said}");
}

#[test]
fn an_option_may_decide_what_a_failure_means() {
    let (bed, script) = with(
        "return workflow{ name = 'w', doc = 'd', options = { { name = 'then', type = 'string', doc = 'd', default = 'stop' } },\n\
         on_fail = function(o) return o['then'] end, run = function()\n\
         run.step('a', function() fs.write(DIR .. '/a', 'x') run.compensate(function() fs.remove(DIR .. '/a') end) end)\n\
         run.step('b', function() fail('build', 'no') end) run.step('c', function() fs.write(DIR .. '/c', 'x') end) end }",
    );
    for (then, code, a, c) in
        [("stop", 2, true, false), ("keep_going", 2, true, true), ("roll_back", 2, false, false)]
    {
        bed.renew();
        let (ended, said) = ends(&bed, &["run", &script, "--then", then]);
        assert_eq!((ended, is_there(&bed, "a"), is_there(&bed, "c")), (code, a, c), "{then}: {said}");
    }
    let (code, said) = ends(&bed, &["run", &script, "--then", "roll_bakc"]);
    assert!(code == 3 && said.contains("did you mean 'roll_back'?"), "{said}");
}

#[test]
fn an_adoption_that_was_cut_short_after_publishing_is_proven() {
    let bed = Bed::practice();
    let begin = ["-q", "run", "upgrade-with-snapshot", "science", "hdf5@1.12"];
    let link = bed.state().join("current/science");
    let mut child = bed.start(&begin);
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::symlink_metadata(&link).is_err() {
        assert!(Instant::now() < deadline, "{}", bed.said());
        std::thread::yield_now();
    }
    kill(&mut child);
    let good = |number: u64| {
        let rows = bed.json(&["generation", "list"]);
        let mut rows = rows.as_array().unwrap().iter();
        rows.find(|row| row["number"] == number).is_some_and(|row| row["good"] == true)
    };
    if bed.json(&["runs"])[0]["state"] == "interrupted" {
        bed.ok(&["-q", "runs", "resume", "1"]);
    }
    assert!(good(1) && good(2), "{}", bed.ok(&["generation", "list"]));
}
