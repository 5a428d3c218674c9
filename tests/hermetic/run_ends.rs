//! How runs end, in a plan and for real: steps that fail, a plan that is departed from, a journal that cannot be
//! written, a terminal that goes away.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use moonstack::world::proc::process;
use moonstack::world::proc::program::Program;
use serde_json::Value;

use crate::common::runs_bed::Bed;

fn scripted(bed: &Bed, text: &str) -> String {
    bed.script("s.lua", &text.replace("DIR", &format!("'{}'", bed.out().display())))
}

/// Exit code and what was said.
fn ends(bed: &Bed, args: &[&str]) -> (i32, String) {
    let output = bed.run(args);
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!text.contains("panicked"), "{text}");
    (output.status.code().unwrap(), text)
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("{value}"))
}

const KEEPS_GOING: &str = r"
return workflow{ name = 'w', doc = 'd', on_fail = 'keep_going', options = { { name = 'bad', type = 'string', doc = 'd', default = 'refused' } }, run = function(o)
  for _, name in ipairs{ 'a', 'b', 'c', 'd' } do
    run.step(name, function() fail(name == 'd' and o.bad or 'refused', name .. ' is not allowed', { log = '/logs/' .. name }, 'ask for ' .. name) end)
  end
  run.step('e', function() fs.mkdir(DIR .. '/made') end)
end }
";

#[test]
fn each_failed_step_keeps_what_is_known_of_it() {
    let bed = Bed::practice();
    let script = scripted(&bed, KEEPS_GOING);
    let report = bed.root.join("report").display().to_string();
    let (code, said) = ends(&bed, &["--summary", "--report", &report, "run", &script]);
    assert_eq!(code, 4, "four refusals are a refusal: {said}");
    assert!(said.contains("REFUSED (exit 4): 4 steps failed: a: a is not allowed; b: b is"), "{said}");
    assert!(bed.out().join("made").exists(), "the others went on");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    for steps in [&report["steps"], &bed.last_run()["steps"]] {
        let failed: Vec<&Value> = list(steps).iter().filter(|step| step["state"] == "failed").collect();
        assert_eq!(failed.len(), 4);
        for step in failed {
            let (name, error) = (step["name"].as_str().unwrap(), &step["error"]);
            assert_eq!(error["kind"], "refused", "{step}");
            assert_eq!(error["hints"][0], format!("ask for {name}"), "{step}");
            assert_eq!(error["facts"]["log"], format!("/logs/{name}"), "{step}");
        }
    }
    let shown = bed.ok(&["runs", "show", "1"]);
    for text in ["a is not allowed  (refused)", "hint: ask for c", "log: /logs/d"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    // Another kind of failure among them decides.
    assert_eq!(ends(&bed, &["run", &script, "--bad", "build"]).0, 2);
}

#[test]
fn a_plan_shows_what_would_fail_and_plans_the_rest() {
    let bed = Bed::practice();
    let script = scripted(&bed, KEEPS_GOING);
    let (code, said) = ends(&bed, &["plan", &script]);
    assert_eq!(code, 4, "as the run: {said}");
    assert!(said.contains("make_folder"), "the other actions are planned: {said}");
    for text in ["would fail (step a): a is not allowed", "hint: ask for b", "would fail (step d)"] {
        assert!(said.contains(text), "{text}: {said}");
    }
    let plan: Value = serde_json::from_slice(&bed.run(&["--json", "plan", &script]).stdout).unwrap();
    assert_eq!((list(&plan["failures"]).len(), &plan["exit"]), (4, &Value::from(4)), "{plan}");
    assert_eq!(plan["failures"][3]["kind"], "refused");
    let stops = scripted(
        &bed,
        "fs.mkdir(DIR .. '/x') run.step('first', function() fail('build', 'it broke', nil, 'mend it') end)",
    );
    let (code, said) = ends(&bed, &["plan", &stops]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("would fail (step first): it broke") && said.contains("make_folder"), "{said}");
    for text in ["return 2", "fail('not_done', 'no')"] {
        let script = scripted(&bed, text);
        for args in [&["plan", script.as_str()][..], &["plan", "--check", script.as_str()]] {
            let (code, said) = ends(&bed, args);
            assert_eq!(code, 2, "{text}: {said}");
        }
    }
    assert!(!bed.out().join("x").exists());
}

fn plan(bed: &Bed, script: &str) -> String {
    let plan = bed.root.join("s.plan").display().to_string();
    bed.ok(&["plan", "-o", &plan, script]);
    plan
}

#[test]
fn a_run_that_departs_from_its_plan_ends_with_4_and_takes_back_what_it_did() {
    let bed = Bed::practice();
    // Whatever a script makes of the refusal, nothing further is done.
    let script = scripted(
        &bed,
        "local name = os.getenv('OTHER') or 'planned'\n\
         pcall(fs.write, DIR .. '/' .. name, 'x') fs.write(DIR .. '/last', 'x') return 0",
    );
    let stored = plan(&bed, &script);
    let output = bed.command(&["apply", &stored]).env("OTHER", "elsewhere").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert_eq!(std::fs::read_dir(bed.out()).unwrap().count(), 0);
    for mode in ["keep_going", "roll_back"] {
        bed.renew();
        let script = scripted(
            &bed,
            &"return workflow{ name = 'w', doc = 'd', on_fail = 'MODE', options = {}, run = function()\n\
              run.step('one', function() fs.write(DIR .. '/one', 'x') run.compensate(function() fs.remove(DIR .. '/one') end) end)\n\
              run.step('two', function() fs.write(DIR .. '/' .. (os.getenv('OTHER') or 'two'), 'x') end) end }"
                .replace("MODE", mode),
        );
        let stored = plan(&bed, &script);
        let output = bed.command(&["apply", &stored]).env("OTHER", "elsewhere").output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{mode}: {output:?}");
        assert!(!bed.out().join("elsewhere").exists(), "{mode}");
        assert_eq!(bed.out().join("one").exists(), mode == "keep_going", "{mode}: {output:?}");
    }
}

#[test]
fn the_number_of_the_run_may_stand_in_what_it_does() {
    let bed = Bed::practice();
    let script = scripted(
        &bed,
        "fs.write(DIR .. '/run-' .. run.id(), 'run ' .. run.id() .. '\\n') process.run({ 'touch', DIR .. '/p' .. run.id() })\n\
         if run.planned() then log.info('planned') else fs.read(DIR .. '/p' .. run.id()) end",
    );
    let stored = plan(&bed, &script);
    let text = bed.ok(&["plan", &script]);
    assert!(text.contains("/run-{run}"), "{text}");
    // Another run comes between.
    bed.ok(&["run", &bed.script("other.lua", "fs.mkdir('other')")]);
    bed.ok(&["apply", &stored]);
    assert_eq!(std::fs::read_to_string(bed.out().join("run-2")).unwrap(), "run 2\n");
    // A content that is another one apart from the number is one that was not planned.
    let text = std::fs::read_to_string(&script).unwrap();
    std::fs::write(&script, text.replace("'run '", "(os.getenv('OTHER') or 'run ')")).unwrap();
    let stored = plan(&bed, &script);
    let output = bed.command(&["apply", &stored]).env("OTHER", "ran ").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
}

#[test]
fn a_journal_that_cannot_be_written_is_told_at_once_and_by_the_exit_code() {
    let bed = Bed::practice();
    let script = scripted(&bed, "fs.mkdir(DIR .. '/a') print('then') fs.mkdir(DIR .. '/b')");
    bed.ok(&["eval", "fs.mkdir('first')"]);
    let database = rusqlite::Connection::open(bed.state().join("state.db")).unwrap();
    // Outcomes cannot be written, intents can.
    database
        .execute_batch(
            "CREATE TRIGGER t BEFORE UPDATE ON actions BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
        )
        .unwrap();
    for args in [&["run", script.as_str()][..], &["eval", "fs.mkdir('second')"]] {
        let path = bed.root.join("both");
        let both = std::fs::File::create(&path).unwrap();
        let mut command = bed.command(args);
        let code = command.stdout(both.try_clone().unwrap()).stderr(both).status().unwrap().code();
        let said = std::fs::read_to_string(&path).unwrap();
        assert_eq!(code, Some(1), "{said}");
        let told = said.find("the journal cannot be written").unwrap_or_else(|| panic!("{said}"));
        assert!(said.find("then").is_none_or(|then| told < then), "it is told late: {said}");
    }
    assert!(bed.root.join("second").exists());
    database.execute_batch("DROP TRIGGER t; CREATE TRIGGER t BEFORE INSERT ON actions BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END").unwrap();
    let (code, said) = ends(&bed, &["eval", "fs.mkdir('third')"]);
    assert!(code == 2 && !bed.root.join("third").exists(), "nothing is done without an intent: {said}");
}

#[test]
fn a_log_that_is_full_ends_no_program() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let done = folder.path().join("done").display().to_string();
    let program = Program {
        argv: ["sh", "-c", "echo begins; sleep 0.1; echo goes on; touch \"$1\"", "sh", &done]
            .map(String::from)
            .to_vec(),
        log: Some("/dev/full".into()),
        ..Program::default()
    };
    let ran = runtime.block_on(process::run(program)).unwrap();
    assert!(ran.ok() && std::path::Path::new(&done).exists(), "{ran:?}");
    assert!(ran.unlogged.unwrap().contains("/dev/full"));
    assert!(ran.stdout.contains("goes on"), "{}", ran.stdout);
}

#[test]
fn a_run_under_nohup_outlives_its_terminal() {
    let bed = Bed::practice();
    let script = scripted(&bed, "fs.mkdir(DIR .. '/begun') time.sleep('300ms') fs.mkdir(DIR .. '/ended')");
    for (trap, code) in [("trap '' HUP", Some(0)), (":", Some(130))] {
        // A shell cannot undo what it was started with: the tests may run under nohup themselves.
        if code != Some(0) && moonstack::world::who::ignores(1) {
            continue;
        }
        bed.renew();
        let moonstack = bed.command(&["run", &script]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{trap}; exec \"$@\""), "sh"]).arg(moonstack.get_program());
        command.args(moonstack.get_args()).current_dir(&bed.root).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !bed.out().join("begun").exists() {
            assert!(Instant::now() < deadline, "{trap}");
            std::thread::sleep(Duration::from_millis(2));
        }
        Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), code, "{trap}");
        assert_eq!(bed.out().join("ended").exists(), code == Some(0));
    }
}

#[test]
fn a_clock_that_is_wrong_prunes_no_more_than_a_few() {
    let bed = Bed::practice();
    let script = scripted(&bed, "fs.mkdir(DIR .. '/a')");
    bed.ok(&["run", &script]);
    let database = rusqlite::Connection::open(bed.state().join("state.db")).unwrap();
    let columns = "kind, script, options, user, host, pid, version, started, ended, exit";
    database
        .execute_batch(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             INSERT INTO runs ({columns}) SELECT 'run', 'x.lua', '{{}}', 'u', 'h', 1, '0', i, i, 0 FROM n;"
        ))
        .unwrap();
    let count = || {
        database
            .query_row("SELECT count(*) FROM runs WHERE script = 'x.lua'", [], |r| r.get::<_, i64>(0))
            .unwrap()
    };
    let mark = bed.state().join("logs/.pruned");
    // The mark of the last time is from a future that has not come.
    let future = std::time::SystemTime::now() + Duration::from_hours(240);
    std::fs::File::create(&mark).unwrap().set_modified(future).unwrap();
    let (code, said) = ends(&bed, &["run", &script]);
    assert_eq!((code, count()), (0, 150), "{said}");
    assert!(said.contains("moonstack runs prune"), "{said}");
    let oldest: f64 = database.query_row("SELECT min(started) FROM runs", [], |r| r.get(0)).unwrap();
    assert!((oldest - 51.0).abs() < 0.1, "the oldest go first");
    bed.ok(&["runs", "prune"]);
    assert_eq!(count(), 20);
}
