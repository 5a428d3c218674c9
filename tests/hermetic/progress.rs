//! Progress through the executable: bars on a terminal that is clean afterwards, plain lines where nobody can redraw,
//! events as JSON lines.

#![allow(clippy::unwrap_used, clippy::items_after_statements)]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use indicatif::{InMemoryTerm, TermLike as _};
use rexpect::session::{PtySession, spawn_command};
use serde_json::Value;

const BUILD: &str = r#"
run.step("toolchain", {}, function()
  task.all{
    function() spack.install("practice-slow seconds=2") end,
    function() for i = 1, 8 do print("said " .. i) time.sleep("200ms") end end,
  }
end)
log.warn("the end is near")
print("installed")
"#;

/// Every name that an event can have.
const NAMES: &[&str] = &[
    "line",
    "started",
    "finished",
    "step_started",
    "step_finished",
    "package_started",
    "package_phase",
    "package_from_cache",
    "package_finished",
    "package_present",
    "package_failed",
    "item_started",
    "item_progress",
    "item_finished",
    "check_started",
    "check_finished",
    "message",
    "error",
];

fn moonstack(home: &Path, script: &str) -> Command {
    let file = home.join("script.lua");
    std::fs::write(&file, script).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_moonstack"));
    command
        .arg(format!("--practice={}", home.join("site").display()))
        .env("HOME", home)
        .env("TERM", "xterm")
        .env("LANG", "C.UTF-8");
    for name in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "CLICOLOR_FORCE", "CLICOLOR", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

fn piped(options: &[&str], script: &str) -> Output {
    let home = tempfile::tempdir().unwrap();
    moonstack(home.path(), script)
        .args(options)
        .arg("run")
        .arg(home.path().join("script.lua"))
        .output()
        .unwrap()
}

/// On a terminal of that size.
fn typed(home: &Path, script: &str, (rows, columns): (u16, u16), set: &[(&str, &str)]) -> PtySession {
    let inner = moonstack(home, script);
    let mut shell = Command::new("sh");
    let line = format!(
        "stty rows {rows} cols {columns}; exec \"$0\" --practice={0}/site run {0}/script.lua",
        home.display()
    );
    shell.args(["-c", &line, env!("CARGO_BIN_EXE_moonstack")]);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.envs(set.iter().copied());
    spawn_command(shell, Some(60_000)).unwrap()
}

/// All that it sent until its end; each byte comes as a character of its own.
fn all(session: &mut PtySession) -> String {
    decoded(&session.exp_eof().unwrap())
}

fn decoded(sent: &str) -> String {
    let bytes: Vec<u8> = sent.chars().map(|c| u8::try_from(c).unwrap()).collect();
    String::from_utf8(bytes).unwrap()
}

/// What stood on the terminal, one moment after the other; the last is what is left.
fn moments(sent: &str, (rows, columns): (u16, u16)) -> Vec<String> {
    let terminal = InMemoryTerm::new(rows, columns);
    sent.split_inclusive('\r')
        .map(|piece| {
            terminal.write_str(piece).unwrap();
            terminal.contents()
        })
        .collect()
}

fn is_bar(line: &str) -> bool {
    line.contains(['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏', '█', '░'])
}

#[test]
fn a_slow_build_is_seen_and_leaves_a_clean_screen() {
    for (size, set) in
        [((24, 70), ("NO_COLOR", "1")), ((24, 70), ("LC_ALL", "C.UTF-8")), ((5, 20), ("NO_COLOR", "1"))]
    {
        let home = tempfile::tempdir().unwrap();
        let begin = Instant::now();
        let sent = all(&mut typed(home.path(), BUILD, size, &[set]));
        let seconds = begin.elapsed().as_secs() as usize;
        let moments = moments(&sent, size);
        let seen = |moment: &String| {
            let lines: Vec<&str> = moment.lines().collect();
            lines.iter().any(|l| is_bar(l) && l.contains("toolchain"))
                && (size.0 < 10 || lines.iter().any(|l| l.contains("  practice-slow: install")))
        };
        assert!(moments.iter().any(seen), "{sent:?}");
        let left = moments.last().unwrap();
        assert!(!left.lines().any(is_bar), "{left}");
        assert!(left.trim_end().ends_with("installed"), "{left}");
        if size.0 > 10 {
            for i in 1..=8 {
                assert!(left.lines().any(|l| l == format!("said {i}")), "{left}");
            }
        }
        assert!(!sent.contains("\u{1b}[?25"), "the cursor stays as it is");
        assert_eq!(sent.contains("\u{1b}[1m"), set.0 != "NO_COLOR", "{sent:?}");
        // At most ten drawings a second, of which each moves up over at least one line.
        let drawings = sent.matches("toolchain").count();
        assert!(drawings < 20 * (seconds + 1), "{drawings} in {seconds} seconds");
    }
}

#[test]
fn ctrl_c_leaves_a_clean_screen() {
    let home = tempfile::tempdir().unwrap();
    let script = "run.step('long', {}, function() spack.install('practice-slow seconds=120') end)";
    for times in [1, 2] {
        let mut session = typed(home.path(), script, (24, 80), &[("NO_COLOR", "1")]);
        let mut sent = decoded(&session.exp_string("practice-slow: install").unwrap());
        sent.push_str("practice-slow: install");
        for _ in 0..times {
            session.send_control('c').unwrap();
        }
        sent.push_str(&all(&mut session));
        let moments = moments(&sent, (24, 80));
        let left = moments.last().unwrap();
        assert!(moments.iter().any(|m| m.lines().any(is_bar)), "{sent:?}");
        assert!(!left.lines().any(is_bar), "{left}");
    }
}

#[test]
fn lines_with_times_where_nothing_can_be_redrawn() {
    let home = tempfile::tempdir().unwrap();
    let dumb = all(&mut typed(home.path(), BUILD, (24, 80), &[("TERM", "dumb")]));
    let output = piped(&[], BUILD);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(out.lines().last(), Some("installed"));
    for text in [dumb.as_str(), err.as_str()] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
        for wanted in
            ["step toolchain …", "practice-slow", "step toolchain: ok after", "warning: the end is near"]
        {
            let line =
                text.lines().find(|l| l.contains(wanted)).unwrap_or_else(|| panic!("{wanted}: {text}"));
            let time = line.get(..19).unwrap();
            assert!(jiff::civil::DateTime::strptime("%F %T", time).is_ok(), "{line}");
        }
    }
    let quiet = piped(&["-q"], BUILD);
    let said = String::from_utf8(quiet.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("warning: the end is near"));
}

#[test]
fn events_are_json_lines_of_known_names() {
    let script = format!(
        "check.define{{ name = 'own', doc = 'ours', run = function() return {{ status = 'warn', message = 'so' }} end }}\ncheck.run{{ only = {{ 'own', 'disk' }} }}\n{BUILD}\nerror('over')"
    );
    let output = piped(&["--events"], &script);
    let err = String::from_utf8(output.stderr).unwrap();
    let events: Vec<Value> = err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    let name = |event: &Value| event["event"].as_str().unwrap().to_owned();
    for event in &events {
        assert!(NAMES.contains(&name(event).as_str()), "{event}");
        assert!(event["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{event}");
    }
    for wanted in [
        "check_started",
        "check_finished",
        "step_started",
        "started",
        "line",
        "package_started",
        "package_phase",
        "package_finished",
        "finished",
        "step_finished",
        "message",
        "error",
    ] {
        assert!(events.iter().any(|e| name(e) == wanted), "{wanted}: {err}");
    }
    let phase = events.iter().find(|e| name(e) == "package_phase").unwrap();
    assert_eq!((&phase["step"], &phase["name"]), (&"toolchain".into(), &"practice-slow".into()));
    let own = events.iter().find(|e| name(e) == "check_finished" && e["name"] == "own").unwrap();
    assert_eq!(own["status"], "warn");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().last(), Some("installed"));
}
