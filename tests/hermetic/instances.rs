//! One at a time: instances of a workflow, writers to a store, and locks that their holders could not give back.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::common::runs_bed::Bed;

const SLOW: &str = r"
return workflow{ name = 'slow', doc = 'Takes a while.', lock = { 'env' },
  options = { { name = 'env', type = 'string', doc = 'Which.', default = 'a' }, { name = 'seconds', type = 'number', doc = 'How long.', default = 1.5 } },
  run = function(o)
    fs.write(DIR .. '/begun-' .. run.id(), o.env)
    time.sleep(o.seconds)
    fs.write(DIR .. '/ended-' .. run.id(), o.env)
  end }
";

fn slow(bed: &Bed) -> String {
    bed.script("slow.lua", &SLOW.replace("DIR", &format!("'{}'", bed.out().display())))
}

fn start(bed: &Bed, args: &[&str]) -> Child {
    bed.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn begun(bed: &Bed) -> usize {
    let entries = std::fs::read_dir(bed.out()).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("begun-")).count()
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ready() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_twenty_starts_at_the_same_moment_one_runs() {
    let bed = Bed::practice();
    let script = slow(&bed);
    let children: Vec<Child> = (0..20).map(|_| start(&bed, &["run", &script, "--seconds", "4"])).collect();
    let outputs: Vec<_> = children.into_iter().map(|c| c.wait_with_output().unwrap()).collect();
    let codes: Vec<Option<i32>> = outputs.iter().map(|o| o.status.code()).collect();
    assert_eq!(codes.iter().filter(|c| **c == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|c| **c == Some(5)).count(), 19, "{codes:?}");
    assert_eq!(begun(&bed), 1);
    let refused = outputs.iter().find(|o| o.status.code() == Some(5)).unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("slow is running already") && text.contains("process "), "{text}");
    // Those that were refused changed nothing, and are no runs.
    assert_eq!(bed.json(&["runs"]).as_array().unwrap().len(), 1);
}

#[test]
fn other_options_are_another_instance_and_a_second_start_may_wait() {
    let bed = Bed::practice();
    let script = slow(&bed);
    let mut first = start(&bed, &["run", &script, "--seconds", "2"]);
    wait_for("the first does not begin", || begun(&bed) == 1);
    assert_eq!(bed.run(&["run", &script, "--env", "b", "--seconds", "0"]).status.code(), Some(0));
    assert_eq!(bed.run(&["run", &script, "--seconds", "0"]).status.code(), Some(5));
    assert_eq!(bed.run(&["run", &script, "--seconds", "0", "--wait", "1m"]).status.code(), Some(0));
    assert!(bed.out().join("ended-1").exists(), "it did not wait");
    assert!(first.wait().unwrap().success());
    let mut again = start(&bed, &["run", &script, "--seconds", "5"]);
    wait_for("the next does not begin", || begun(&bed) == 4);
    assert_eq!(bed.run(&["--wait", "300ms", "run", &script]).status.code(), Some(5));
    again.kill().unwrap();
    again.wait().unwrap();
}

#[test]
fn a_plain_script_has_one_instance_too() {
    let bed = Bed::practice();
    let script = bed.script("plain.lua", "fs.mkdir('begun') time.sleep('1500ms')\n");
    let mut first = start(&bed, &["run", &script]);
    wait_for("the first does not begin", || bed.root.join("begun").exists());
    assert_eq!(bed.run(&["run", &script]).status.code(), Some(5));
    assert!(first.wait().unwrap().success());
    assert_eq!(bed.run(&["run", &script]).status.code(), Some(0));
}

#[test]
fn a_lock_of_a_dead_process_is_taken_over_and_one_of_another_machine_is_believed_while_it_gives_signs() {
    let bed = Bed::practice();
    let script = slow(&bed);
    bed.ok(&["run", &script, "--seconds", "0"]);
    let lock = std::fs::read_dir(bed.state().join("locks")).unwrap().flatten().next().unwrap().path();
    let set_time = |at: SystemTime| {
        std::fs::File::options().write(true).open(&lock).unwrap().set_modified(at).unwrap();
    };
    let leave = |host: &str| {
        let holder =
            serde_json::json!({ "pid": 4_194_000, "host": host, "what": "slow", "since": 1.0, "pulse": 0.1 });
        std::fs::write(&lock, holder.to_string()).unwrap();
    };
    let run = || bed.run(&["run", &script, "--seconds", "0"]);
    let ended = |output: std::process::Output, code: i32, words: &str| {
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(words), "{text}");
    };
    leave(bed.last_run()["host"].as_str().unwrap());
    ended(run(), 0, "ended without saying so");
    // No two clocks are compared: one of the other machine may be years before or after ours.
    let (now, years) = (SystemTime::now(), Duration::from_hours(70 * 365 * 24));
    for at in [now - Duration::from_mins(15), now, now + years] {
        leave("login2.example");
        set_time(at);
        ended(run(), 0, "login2.example");
    }
    leave("login2.example");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut at = SystemTime::UNIX_EPOCH;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                at += Duration::from_secs(1);
                set_time(at);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let output = run();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        output
    });
    ended(output, 5, "process 4194000 on login2.example");
}

#[test]
fn two_workflows_that_write_to_one_store_take_turns_and_readers_never_wait() {
    let bed = Bed::practice();
    let install = |name: &str, spec: &str| {
        let text = format!(
            "return workflow{{ name = '{name}', doc = 'd', options = {{}}, run = function() spack.install('{spec}') end }}\n"
        );
        bed.script(&format!("{name}.lua"), &text)
    };
    let (one, two) = (install("one", "openblas"), install("two", "gromacs"));
    let slow = |args: &[&str]| {
        let mut command = bed.command(args);
        command.env(
            "MOONSTACK_PRACTICE_FAULTS",
            "[package.openblas]\nseconds = 3\n[package.gromacs]\nseconds = 3\n",
        );
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = [slow(&["run", &one]), slow(&["run", &two])];
    wait_for("no build begins", || !bed.builds().is_empty());
    let building = bed.builds();
    bed.ok(&["find"]);
    assert_eq!(bed.builds(), building, "the reader waited for the end of a build");
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let spans: Vec<(f64, f64)> = ["1", "2"]
        .iter()
        .map(|id| {
            let run = bed.json(&["runs", "show", id]);
            let action = &run["journal"].as_array().unwrap()[0];
            (action["started"].as_f64().unwrap(), action["ended"].as_f64().unwrap())
        })
        .collect();
    let apart = spans[0].1 <= spans[1].0 || spans[1].1 <= spans[0].0;
    assert!(apart, "the two installations overlap: {spans:?}");
}
