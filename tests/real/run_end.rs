//! The end of a run, as cron, a monitor and people get to see it: one line or none, a report, metrics, messages.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::Value;

use crate::common::trial::{program, trial};
use crate::common::unattended::{Site, ask, taken};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("run_end::nothing_is_said_where_nothing_happened", None, quiet),
        trial("run_end::one_line_says_what_happened", None, summary),
        trial("run_end::the_report_is_the_run", None, report),
        trial("run_end::promtool_takes_the_metrics", program("promtool"), metrics),
        trial("run_end::a_change_of_state_is_told", None, told),
        trial("run_end::a_resumed_run_recovers", None, resumed),
        trial("run_end::a_second_start_leaves_everything_alone", None, busy),
        trial("run_end::a_start_that_fails_is_not_lost", None, late),
        trial("run_end::a_run_that_is_ended_is_told_as_such", None, interrupted),
        trial("run_end::findings_are_in_all_of_it", None, findings),
        trial("run_end::old_runs_go_once_a_day", None, pruned),
    ]
}

fn quiet() {
    let site = Site::new("");
    for args in [
        &["-q", "run", "nightly"] as &[&str],
        &["--summary", "run", "nightly"],
        &["run", "nightly", "--summary"],
        &["--summary", "check", "--only", "database"],
        &["-q", "run", "nightly", "--mode", "work", "--file", &site.word("x")],
    ] {
        assert_eq!(site.run(args), (0, String::new(), String::new()), "{args:?}");
    }
    // Asking for help is no run.
    let (code, out, _) = site.run(&["--summary", "run", "nightly", "--help"]);
    assert!(code == 0 && out.contains("--mode") && !out.contains("nightly: "), "{out}");
}

fn summary() {
    let site = Site::new("");
    let file = site.word("x");
    let (code, out, err) = site.run(&["run", "nightly", "--mode", "work", "--file", &file, "--summary"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("nightly: ok, 1 action, 1 step in ") && out.ends_with(" (run 1)\n"), "{out}");
    let (code, out, err) = site.run(&["--summary", "run", "nightly", "--mode", "fail"]);
    let start = "nightly: FAILED (exit 2): hdf5 failed to build (run 2, log ";
    assert!(code == 2 && out.starts_with(start) && out.lines().count() == 1, "{out}{err}");
    assert!(err.starts_with("error: hdf5 failed to build"), "{err}");
    let (code, out, err) = site.run(&["--summary", "run", "nightly", "--mode", "attention"]);
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(out.starts_with("nightly: needs attention (exit 1), 0 actions in "), "{out}");
    let (_, out, _) = site.run(&["--json", "--summary", "run", "nightly", "--mode", "attention"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["exit"], &json["run"]), (&1.into(), &4.into()));
}

fn report() {
    let site = Site::new("");
    let (file, written) = (site.word("report.json"), site.word("x"));
    let how = site.word("how");
    let run = |mode: &str| {
        site.write("how", mode);
        site.run(&["--report", &file, "run", "nightly", "--of", &how, "--file", &written]).0
    };
    let read = || serde_json::from_str::<Value>(&site.read("report.json")).unwrap();
    assert_eq!(run("work"), 0);
    let told = read();
    let shown = site.json(&["runs", "show", "1"]);
    for (key, value) in shown.as_object().unwrap() {
        assert_eq!(&told[key], value, "{key}");
    }
    assert!(told["summary"].as_str().unwrap().starts_with("nightly: ok, 1 action"), "{told}");
    assert_eq!((&told["previous_exit"], &told["journal"][0]["outcome"]), (&Value::Null, &"done".into()));
    assert_eq!(run("fail"), 2);
    let told = read();
    assert_eq!(
        (&told["previous_exit"], &told["exit"], &told["steps"][0]["state"]),
        (&0.into(), &2.into(), &"failed".into())
    );
    assert_eq!(run("calm"), 0);
    assert_eq!((&read()["summary"], &read()["previous_exit"]), (&Value::Null, &2.into()));
    // Where it cannot be written the run is as it was, but does not end with 0.
    let lost = site.word("nowhere/report.json");
    for (mode, code) in [("calm", 1), ("attention", 1), ("fail", 2)] {
        let (got, _, err) = site.run(&["--report", &lost, "run", "nightly", "--mode", mode]);
        assert!(got == code && err.contains("warning: the report was not written"), "{mode}: {got}\n{err}");
    }
    let runs = site.json(&["runs", "-n", "3"]);
    let exits: Vec<i64> = runs.as_array().unwrap().iter().map(|r| r["exit"].as_i64().unwrap()).collect();
    assert_eq!(exits, [2, 1, 1], "what is on record is what it ended with");
}

/// The value of a series of the metrics.
fn shown<'a>(text: &'a str, series: &str) -> &'a str {
    let line = text.lines().find_map(|l| l.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}"))
}

fn value(text: &str, series: &str) -> f64 {
    shown(text, series).parse().unwrap()
}

fn metrics() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new("");
    let (file, written) = (site.word("out/m.prom"), site.word("x"));
    std::fs::create_dir(site.path("out")).unwrap();
    let of = |name: &str| format!("moonstack_run_{name}{{workflow=\"nightly\"}}");
    let run = |mode: &str| {
        let args = ["--metrics", &file, "run", "nightly", "--mode", mode, "--file", &written];
        let code = site.run(&args).0;
        let (ok, said) = ask("promtool", &["check", "metrics"], Some(&site.path("out/m.prom")));
        assert_eq!(ok, 0, "{said}");
        let text = site.read("out/m.prom");
        assert_eq!(shown(&text, &of("exit_code")), code.to_string(), "{text}");
        text
    };
    let first = run("work");
    assert_eq!((shown(&first, &of("success")), shown(&first, &of("actions"))), ("1", "1"));
    assert_eq!(shown(&first, "moonstack_run_steps{workflow=\"nightly\",state=\"ok\"}"), "1");
    let good = value(&first, &of("last_success_time_seconds"));
    assert_eq!(shown(&first, &of("last_success_time_seconds")), shown(&first, &of("end_time_seconds")));
    let second = run("fail");
    assert_eq!((shown(&second, &of("success")), shown(&second, &of("actions"))), ("0", "0"));
    assert_eq!(shown(&second, "moonstack_run_steps{workflow=\"nightly\",state=\"failed\"}"), "1");
    // The time of the last success, to the moment that the journal has.
    assert!((value(&second, &of("last_success_time_seconds")) - good).abs() < 0.5, "{second}");
    assert!(value(&second, &of("start_time_seconds")) >= good);
    assert_eq!(shown(&run("attention"), &of("success")), "1");
    let args = ["--metrics", &file, "check", "--only", "disk,git,locks"];
    site.run(&args);
    let text = site.read("out/m.prom");
    assert_eq!(ask("promtool", &["check", "metrics"], Some(&site.path("out/m.prom"))).0, 0);
    assert!(text.contains("moonstack_check_status{check=\"disk\",subject=\""), "{text}");
    assert!(value(&text, "moonstack_check_duration_seconds{check=\"disk\"}") > 0.0);
    // Nothing but the file is there, and others may read it.
    let names: Vec<_> =
        std::fs::read_dir(site.path("out")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["m.prom"]);
    let mode = std::fs::metadata(site.path("out/m.prom")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

fn told() {
    let site = Site::telling("");
    let how = site.word("how");
    let run = |mode: &str| {
        site.write("how", mode);
        site.run(&["run", "nightly", "--of", &how]).0
    };
    let mut wanted: Vec<&str> = Vec::new();
    for (mode, code, news) in [
        ("calm", 0, None),
        ("fail", 2, Some("nightly failed")),
        ("fail", 2, None),
        ("calm", 0, Some("nightly recovered")),
        ("calm", 0, None),
        ("attention", 1, Some("nightly needs attention")),
        ("attention", 1, None),
        ("fail", 2, Some("nightly failed")),
    ] {
        assert_eq!(run(mode), code);
        wanted.extend(news);
        assert_eq!(site.told(), wanted, "after {mode}");
    }
    let text = site.read("told");
    assert!(
        text.contains("step build failed: hdf5 failed to build") && text.contains("/logs/run-8.log"),
        "{text}"
    );
    // The packages are named.
    let fault = ("MOONSTACK_PRACTICE_FAULTS", "package.zlib.fail = 'build'");
    assert_eq!(run("calm"), 0);
    site.write("how", "install");
    let install = ["run", "nightly", "--of", &how];
    let output = site.command(&install).env(fault.0, fault.1).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    wanted.extend(["nightly recovered", "nightly failed"]);
    let text = site.read("told");
    assert!(text.contains("\\nzlib") && text.contains("spack-build-out.txt"), "{text}");
    // Looks and plans tell nobody.
    site.run(&["plan", "nightly", "--mode", "calm"]);
    site.run(&["eval", "1 + 1"]);
    site.run(&["runs"]);
    assert_eq!(site.told(), wanted);
}

fn resumed() {
    let site = Site::telling("");
    let mode = site.word("mode");
    site.write("mode", "fail");
    assert_eq!(site.run(&["run", "nightly", "--mode", "told", "--file", &mode]).0, 2);
    site.write("mode", "fine");
    let (code, _, err) = site.run(&["runs", "resume", "1"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(site.told(), ["nightly failed", "nightly recovered"]);
    // A plan that is applied tells as well, and its messages are no departure from it.
    let plan = site.word("plan.json");
    site.write("site.toml", &format!("{}on = 'always'\n", site.read("site.toml")));
    site.write("mode", "fine");
    site.fine(&["plan", "-o", &plan, "nightly", "--mode", "told", "--file", &mode]);
    let (code, _, err) = site.run(&["--summary", "apply", &plan]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(site.told().last().map(String::as_str), Some("nightly went well"));
}

/// A run that waits, once it does.
fn held(site: &Site, asked: &[&str]) -> Child {
    let file = site.word("held");
    let mut command = site.command(&[asked, &["run", "nightly", "--mode", "hold", "--file", &file]].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !site.path("held").exists() {
        assert!(Instant::now() < end, "it does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn interrupted() {
    let site = Site::telling("");
    let metrics = site.word("m.prom");
    let child = held(&site, &["--summary", "--metrics", &metrics]);
    assert_eq!(ask("kill", &["-TERM", &child.id().to_string()], None).0, 0);
    let (code, out, err) = taken(&child.wait_with_output().unwrap());
    assert_eq!(code, 130, "{out}{err}");
    assert!(out.starts_with("nightly: INTERRUPTED (exit 130): ") && out.lines().count() == 1, "{out}");
    assert_eq!(shown(&site.read("m.prom"), "moonstack_run_exit_code{workflow=\"nightly\"}"), "130");
    assert_eq!(site.told(), ["nightly was interrupted"]);
}

fn busy() {
    let site = Site::telling("");
    let (metrics, report) = (site.word("m.prom"), site.word("r.json"));
    let mut first = held(&site, &[]);
    site.write("m.prom", "before");
    site.write("r.json", "before");
    let asked = ["--summary", "--metrics", &metrics, "--report", &report, "run", "nightly"];
    let (code, out, err) = site.run(&asked);
    // Its own process: nothing else is ended here.
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(code, 5, "{out}{err}");
    assert_eq!(out, "nightly: not started (exit 5): nightly is running already\n");
    assert_eq!((site.read("m.prom"), site.read("r.json")), ("before".into(), "before".into()));
    assert_eq!(site.told(), Vec::<String>::new());
    assert_eq!(site.json(&["runs"]).as_array().unwrap().len(), 1);
}

fn late() {
    let site = Site::telling("");
    let metrics = site.word("m.prom");
    // Somebody sits there.
    assert_eq!(site.run(&["run", "nightli"]).0, 3);
    assert_eq!(site.run(&["run", "nightly", "--mod", "x"]).0, 3);
    assert_eq!((site.json(&["runs"]), site.told()), (Value::Array(vec![]), vec![]));
    // Nobody does.
    let asked = ["--summary", "--metrics", &metrics, "run", "nightly", "--mod", "x"];
    let (code, out, _) = site.run(&asked);
    assert_eq!(code, 3);
    assert!(
        out.starts_with("nightly: COULD NOT TELL OR START (exit 3): unexpected argument '--mod'"),
        "{out}"
    );
    assert_eq!(shown(&site.read("m.prom"), "moonstack_run_exit_code{workflow=\"nightly\"}"), "3");
    assert_eq!(site.told(), ["nightly could not tell or could not start"]);
    assert_eq!(site.run(&asked).0, 3);
    assert_eq!(site.told().len(), 1, "it is known by now");
    let (code, out, _) = site.run(&["--summary", "run", "nightli"]);
    assert!(code == 3 && out.starts_with("nightli: COULD NOT"), "{out}");
    let runs = site.json(&["runs"]);
    assert_eq!(
        (&runs[0]["script"], &runs[0]["exit"], &runs[2]["exit"]),
        (&"nightli".into(), &3.into(), &3.into())
    );
}

fn findings() {
    let site = Site::telling("");
    let file = site.word("report.json");
    let run = |warn: &str| {
        site.run(&["--report", &file, "--summary", "check", "--only", "disk", "--disk-warn", warn])
    };
    assert_eq!(run("0%").0, 0);
    let (code, out, _) = run("100%");
    assert_eq!(code, 1, "{out}");
    let last = out.lines().last().unwrap();
    assert!(last.starts_with("health-sweep: needs attention (exit 1): disk "), "{out}");
    let report: Value = serde_json::from_str(&site.read("report.json")).unwrap();
    assert_eq!(
        (&report["changes"][0]["from"], &report["changes"][0]["to"]),
        (&"pass".into(), &"warn".into())
    );
    assert!(report["findings"].as_array().unwrap().iter().any(|f| f["status"] == "warn"));
    assert_eq!(site.told(), ["health-sweep needs attention"]);
    assert!(site.read("told").contains(": pass -> warn"), "{}", site.read("told"));
    assert_eq!(run("100%").0, 1);
    assert_eq!(site.told().len(), 1);
}

fn pruned() {
    let site = Site::new("policy.keep = 'rank < 2'\n");
    let count = || site.json(&["runs"]).as_array().unwrap().len();
    for _ in 0..4 {
        site.fine(&["run", "nightly"]);
    }
    // The first run of the day has looked, and what came later stays for the next.
    assert_eq!(count(), 4);
    let mark = std::fs::File::options().append(true).open(site.path("practice/state/logs/.pruned")).unwrap();
    mark.set_modified(std::time::SystemTime::now() - Duration::from_hours(25)).unwrap();
    site.fine(&["run", "nightly"]);
    assert_eq!(count(), 2);
    let logs = std::fs::read_dir(site.path("practice/state/logs")).unwrap();
    let logs = logs.filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("run-")).count();
    assert_eq!(logs, 2);
}
