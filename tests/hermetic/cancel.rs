//! Every shape of script unwinds at its cancel, with cleanup that waits completed, however the script tries to go on.
//! By itself none of them comes to an end.

use std::time::Duration;

use moonstack::base::Kind;
use moonstack::world::scope::cancel::Cancel;

use crate::common::Bench;
use crate::effort::effort;

const AFTER: Duration = Duration::from_millis(60);
/// How much work there may be between the limit and the end.
const NOTICED: Duration = Duration::from_millis(100);

/// What the script does until it is cancelled. Each `guard()` must have been cleaned up by then.
const SHAPES: &[(&str, usize, &str)] = &[
    ("a long sleep", 1, "local _ <close> = guard() time.sleep('1h')"),
    ("a loop of pcall", 1, "local _ <close> = guard() while true do pcall(time.sleep, 3600) end"),
    (
        "nested task.map",
        7,
        "local _ <close> = guard()
         task.map({ 1, 2 }, function()
           local _ <close> = guard()
           task.map({ 1, 2 }, function() local _ <close> = guard() time.sleep('1h') end)
         end)",
    ),
    ("a busy loop of pcall", 1, "local _ <close> = guard() while true do pcall(function() end) end"),
    (
        "a busy loop within pcall",
        1,
        "local _ <close> = guard() while true do pcall(function() while true do end end) end",
    ),
    (
        "a coroutine in a coroutine",
        3,
        "local _ <close> = guard()
         coroutine.wrap(function()
           local _ <close> = guard()
           coroutine.wrap(function() local _ <close> = guard() time.sleep('1h') end)()
         end)()",
    ),
    (
        "a coroutine that is resumed again and again",
        1,
        "local _ <close> = guard()
         while true do coroutine.resume(coroutine.create(function() time.sleep('1h') end)) end",
    ),
    (
        "a handler of xpcall",
        1,
        "local _ <close> = guard() while true do xpcall(time.sleep, function() return 1 end, 3600) end",
    ),
    (
        "a group",
        3,
        "local _ <close> = guard() task.group(function(g) for _ = 1, 2 do g.spawn(function() local _ <close> = guard() time.sleep('1h') end) end end)",
    ),
    (
        "settle",
        2,
        "local _ <close> = guard() task.settle({ 1 }, function() local _ <close> = guard() time.sleep('1h') end)",
    ),
    (
        "a race",
        2,
        "local _ <close> = guard() task.race{ function() local _ <close> = guard() time.sleep('1h') end }",
    ),
    (
        "a timeout",
        2,
        "local _ <close> = guard() task.timeout('2h', function() local _ <close> = guard() time.sleep('1h') end)",
    ),
    ("an endless loop", 1, "local _ <close> = guard() while true do end"),
    (
        "an endless loop in a task, a coroutine and a callback",
        4,
        "local _ <close> = guard()
         task.map({ 1 }, function()
           local _ <close> = guard()
           coroutine.wrap(function()
             local _ <close> = guard()
             string.gsub('x', 'x', function() local _ <close> = guard() while true do end end)
           end)()
         end)",
    ),
    (
        "several cleanups of an endless loop",
        3,
        "local _ <close> = guard() local _ <close> = guard()
         do local _ <close> = guard() local n = 0 while true do n = n + 1 end end",
    ),
    (
        "a loop of cleanups",
        1,
        "local _ <close> = guard() while true do local _ <close> = defer(function() end) end",
    ),
    (
        "a sort",
        1,
        "local _ <close> = guard() local t = {} for i = 1, 1e4 do t[i] = i % 97 end while true do table.sort(t, function(a, b) return a > b end) end",
    ),
    (
        "error in the cleanup of another",
        1,
        "local _ <close> = guard() local _ <close> = defer(function() error('x') end) time.sleep('1h')",
    ),
];

/// Cleanup that waits, as releasing something does.
const GUARD: &str =
    "local function guard() return defer(function() time.sleep('10ms') print('cleaned') end) end ";

#[test]
fn every_shape_unwinds_at_a_time_limit() {
    for (name, guards, text) in SHAPES {
        let bench = Bench::new(&[]);
        let scope = Cancel::root(Some(AFTER));
        let (ended, work) = effort(|| bench.run_in(&scope, "shape", &[GUARD, text].concat()));
        assert_eq!(ended.unwrap_err().kind(), Kind::Timeout, "{name}");
        assert_eq!(bench.printed.borrow().len(), *guards, "{name}: cleanups");
        // Before the limit it cannot have worked longer than that; what is beyond is how late it was noticed.
        assert!(work < AFTER + NOTICED, "{name}: worked {work:?}");
    }
}

#[test]
fn every_shape_unwinds_when_somebody_else_cancels() {
    for (name, guards, text) in SHAPES {
        let bench = Bench::new(&[]);
        let scope = Cancel::root(None);
        let outside = scope.clone();
        let signal = std::thread::spawn(move || {
            std::thread::sleep(AFTER);
            outside.cancel();
        });
        let (ended, work) = effort(|| bench.run_in(&scope, "shape", &[GUARD, text].concat()));
        signal.join().unwrap();
        assert!(work < AFTER + NOTICED, "{name}: worked {work:?}");
        assert_eq!(ended.unwrap_err().kind(), Kind::Cancelled, "{name}");
        assert_eq!(bench.printed.borrow().len(), *guards, "{name}: cleanups");
    }
}

#[test]
fn the_machine_is_usable_after_a_cancel() {
    let bench = Bench::new(&[]);
    for (name, _, text) in SHAPES {
        let scope = Cancel::root(Some(Duration::from_millis(20)));
        assert!(bench.run_in(&scope, "shape", &[GUARD, text].concat()).is_err(), "{name}");
        let sum =
            "local r = task.map({ 1, 2 }, function(n) time.sleep('1ms') return n end) return r[1] + r[2]";
        assert_eq!(bench.run("after", sum).unwrap()[0].as_integer(), Some(3), "after {name}");
    }
}

#[test]
fn a_temporary_folder_is_gone_with_the_machine() {
    let bench = Bench::new(&[]);
    let made = bench.run("t", "local d = fs.temp_dir() fs.write(d .. '/x', 'y') return d").unwrap();
    let path = made[0].to_string().unwrap();
    assert!(std::path::Path::new(&path).join("x").is_file());
    drop((made, bench));
    assert!(!std::path::Path::new(&path).exists(), "{path}");
}

#[test]
fn messages_arrive_with_their_fields() {
    use moonstack::world::Event;
    use moonstack::world::scope::event::Level;
    let bench = Bench::new(&[]);
    bench.run("t", "log.warn('slow', { seconds = 90 }) log.info('begun')").unwrap();
    let told = bench.ears.0.lock().unwrap();
    let Event::Message { level, text, fields } = &told[0] else { panic!("{told:?}") };
    assert_eq!((*level, text.as_str(), fields["seconds"].as_i64()), (Level::Warn, "slow", Some(90)));
    assert_eq!(told.len(), 2);
}

#[test]
fn a_script_is_stopped_wherever_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("moonstack/endless.lua");
    std::fs::create_dir(script.parent().unwrap()).unwrap();
    std::fs::write(&script, "while true do end\n").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_moonstack"))
        .arg(format!("--practice={}", folder.path().join("site").display()))
        .args(["run", "--timeout", "500ms", "moonstack/endless.lua"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("time limit"), "{told}");
}
