//! Runs that are killed at any instant and resumed end as if nothing had happened; runs that are asked to end do so
//! in order. `MOONSTACK_KILLS=200 cargo test --test hermetic killed:: -- --nocapture` is the long proof,
//! `MOONSTACK_SEED` another sequence of instants.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::dice::{Dice, share};
use crate::common::runs_bed::Bed;

/// Workflows with steps, side by side work and programs that must not run twice.
const SUBJECTS: &[&str] = &[
    "c_environments",
    "e_install",
    "f_environment_install",
    "g_side_by_side",
    "h_graph",
    "i_when_changed",
    "j_dated",
];

fn with<'a>(first: &[&'a str], rest: &'a [String]) -> Vec<&'a str> {
    first.iter().copied().chain(rest.iter().map(String::as_str)).collect()
}

/// An undisturbed run: how it ends and how long it takes.
struct Model {
    outcome: Value,
    submitted: Vec<String>,
    took: Duration,
}

fn model(bed: &Bed, name: &str) -> Model {
    bed.renew();
    let begin = Instant::now();
    bed.ok(&with(&["-q", "run"], &bed.words(name)));
    let took = begin.elapsed();
    Model { outcome: bed.outcome(), submitted: bed.submitted(), took }
}

fn signal(pid: u32, signal: &str) {
    let _ = Command::new("kill").args([signal, &pid.to_string()]).status();
}

/// Programs that were started below the site and still run.
fn still_running(bed: &Bed) -> Vec<String> {
    let root = bed.root.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let text = String::from_utf8_lossy(&command).replace('\0', " ");
        if text.contains(&root) {
            found.push(text);
        }
    }
    found
}

#[test]
fn a_run_that_is_killed_at_any_instant_is_resumed_to_the_same_end() {
    let bed = Bed::practice();
    let models: BTreeMap<&str, Model> = SUBJECTS.iter().map(|name| (*name, model(&bed, name))).collect();
    let (mut dice, kills) = (Dice::new(), share("MOONSTACK_KILLS", 14));
    let (mut hit, mut early, mut late, mut twice) = (0, 0, 0, 0);
    for number in 0..kills {
        let name = SUBJECTS[number % SUBJECTS.len()];
        let model = &models[name];
        bed.renew();
        // Up to three kills in a row: also a resumed run may be killed.
        let mut left = 1 + dice.below(3);
        let mut child = bed.start(&with(&["-q", "run"], &bed.words(name)));
        let case = format!("case {number}: {name}");
        let mut resumed = 0;
        loop {
            let instant = Duration::from_micros(dice.below(model.took.as_micros() as u64 * 11 / 10));
            if left > 0 {
                std::thread::sleep(instant);
                signal(child.id(), "-KILL");
            }
            let status = child.wait().unwrap();
            left = left.saturating_sub(1);
            let runs = bed.json(&["runs"]);
            let Some(run) = runs.as_array().unwrap().first().cloned() else {
                // Killed before it was on record: nothing was done.
                early += 1;
                child = bed.start(&with(&["-q", "run"], &bed.words(name)));
                left = 0;
                continue;
            };
            assert_eq!(runs.as_array().unwrap().len(), 1, "{case}: {runs}");
            if run["state"] == "ok" {
                late += usize::from(resumed == 0);
                assert!(status.success() || run["ended"].is_number(), "{case}");
                break;
            }
            assert_ne!(run["state"], "failed", "{case}: {}", bed.ok(&["runs", "show", "1"]));
            hit += 1;
            resumed += 1;
            assert!(
                resumed < 10,
                "{case} does not come to an end\n{}\n{}",
                bed.said(),
                bed.ok(&["runs", "show", "1"])
            );
            child = bed.start(&["-q", "runs", "resume", &run["id"].to_string()]);
        }
        assert_eq!(bed.outcome(), model.outcome, "{case}\n{}", bed.ok(&["runs", "show", "1"]));
        let detail = bed.last_run();
        twice += once_only(&bed, model, &detail, &case);
        assert!(still_running(&bed).is_empty(), "{case}: {:?}", still_running(&bed));
    }
    println!(
        "killed {kills} runs: {hit} kills hit a run under way, {early} came before it was on record, {late} after its end; \
         every one was resumed to the undisturbed end; {twice} programs were killed between their effect and their record"
    );
    assert!(hit > 0, "no kill hit anything");
}

/// What is on record as done was not done again; a program that was killed before its end was on record may have been.
fn once_only(bed: &Bed, model: &Model, detail: &Value, case: &str) -> usize {
    let journal = detail["journal"].as_array().unwrap();
    let mut done: BTreeMap<String, usize> = BTreeMap::new();
    let mut begun = 0;
    for action in journal.iter().filter(|a| a["action"] == "run_program" && !is_spack(a)) {
        let key = format!("{} {} {}", action["step"], action["strand"], action["what"]);
        if action["outcome"].is_string() {
            *done.entry(key).or_default() += 1;
        } else {
            begun += 1;
        }
    }
    for (what, times) in &done {
        assert_eq!(*times, 1, "{case}: {what} was done {times} times");
    }
    let submitted = bed.submitted();
    let mut once = submitted.clone();
    once.dedup();
    assert_eq!(
        once,
        {
            let mut m = model.submitted.clone();
            m.dedup();
            m
        },
        "{case}"
    );
    assert!(submitted.len() <= model.submitted.len() + begun, "{case}: {submitted:?}");
    submitted.len() - model.submitted.len()
}

fn is_spack(action: &Value) -> bool {
    action["what"].as_str().unwrap_or_default().starts_with("spack ")
}

const ENDLESS: &str = r"
return workflow{ name = 'endless', doc = 'Works for a long time.', on_fail = 'roll_back', options = {}, run = function()
  run.step('first', function()
    run.compensate(function() time.sleep('20ms') fs.write(DIR .. '/first-undone', '1') end)
    fs.write(DIR .. '/first', '1')
  end)
  run.step('second', function()
    run.compensate(function() fs.write(DIR .. '/second-undone', '1') end)
    fs.write(DIR .. '/second', '1')
    task.all{
      function() process.run({ 'sh', '-c', '(sleep 600; touch DONE) & sleep 600; touch DONE' }) end,
      function() for i = 1, 1000 do env.add('science', 'zlib-ng@1.' .. i) end end,
      function() while true do time.sleep('1ms') end end,
    }
  end)
end }
";

fn endless(bed: &Bed) -> String {
    let out = bed.out().display().to_string();
    ENDLESS.replace("DIR", &format!("'{out}'")).replace("DONE", &format!("{out}/done"))
}

#[test]
fn a_run_that_is_asked_to_end_takes_back_what_it_did_and_leaves_nothing_running() {
    let bed = Bed::practice();
    let script = bed.script("endless.lua", &endless(&bed));
    let (mut dice, rounds) = (Dice::new(), share("MOONSTACK_TERMS", 5));
    for round in 0..rounds {
        bed.renew();
        let mut child = bed.start(&["-q", "run", &script]);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !bed.out().join("second").exists() {
            assert!(Instant::now() < deadline, "round {round}: the run does not begin");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(dice.below(430)));
        signal(child.id(), if round % 2 == 0 { "-TERM" } else { "-INT" });
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(130), "round {round}");
        assert!(!bed.out().join("done").exists(), "round {round}: it was waited for");
        assert!(bed.out().join("first-undone").exists(), "round {round}: {}", bed.said());
        assert!(bed.out().join("second-undone").exists(), "round {round}: {}", bed.said());
        assert!(still_running(&bed).is_empty(), "round {round}: {:?}", still_running(&bed));
        let run = bed.last_run();
        assert_eq!(run["state"], "cancelled", "round {round}");
        let states: Vec<&str> =
            run["steps"].as_array().unwrap().iter().map(|s| s["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["undone", "undone"], "round {round}");
    }
    println!("asked {rounds} runs to end");
}
