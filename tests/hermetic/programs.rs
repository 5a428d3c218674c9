//! A program that is ended is ended with everything that it has started, however that has tried to get away, and
//! whoever ends it: its own limit, the run's, a signal, an error elsewhere in the script.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::common::runs_bed::Bed;

/// Each writes its process id into a file of its name. The first stays where it was put, and ignores what asks it to
/// end; the others leave the group, the environment, and the parent.
const KINDS: &[(&str, &str)] = &[
    ("deaf", "sh -c 'trap \"\" TERM INT; echo $$ > DIR/deaf; while :; do sleep 0.1; done' &"),
    ("session", "setsid sh -c 'echo $$ > DIR/session; exec sleep 60' &"),
    (
        "deaf-session",
        "setsid sh -c 'trap \"\" TERM; echo $$ > DIR/deaf-session; while :; do sleep 0.1; done' &",
    ),
    ("bare", "setsid env -i PATH=\"$PATH\" sh -c 'echo $$ > DIR/bare; exec sleep 60' &"),
    ("orphan", "(setsid sh -c 'echo $$ > DIR/orphan; exec sleep 60' &)"),
    ("bare-orphan", "(setsid env -i PATH=\"$PATH\" sh -c 'echo $$ > DIR/bare-orphan; exec sleep 60' &)"),
];

/// A program that starts one of each kind, prints nothing, and then does what `end` says.
fn family(bed: &Bed, end: &str) -> String {
    let dir = bed.out();
    let starts: Vec<&str> = KINDS.iter().map(|(_, start)| *start).collect();
    let text = format!("exec >/dev/null 2>&1 </dev/null; {}\n{end}", starts.join("\n"));
    text.replace("DIR", dir.to_str().unwrap())
}

/// Waits in the shell until all are there.
fn all_there(bed: &Bed) -> String {
    let wait = |name: &str| format!("while [ ! -s {}/{name} ]; do sleep 0.01; done;", bed.out().display());
    KINDS.iter().map(|(name, _)| wait(name)).collect()
}

fn started(bed: &Bed) -> Vec<(&'static str, Option<i32>)> {
    let id = |name: &str| std::fs::read_to_string(bed.out().join(name)).ok()?.trim().parse().ok();
    KINDS.iter().map(|(name, _)| (*name, id(name))).collect()
}

/// Whether a process is there and has not ended.
pub fn is_there(id: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Those that run although their program was ended.
fn escaped(bed: &Bed) -> Vec<&'static str> {
    let all = started(bed);
    let found = all.iter().filter(|(_, id)| id.is_some_and(is_there)).map(|(name, _)| *name).collect();
    for id in all.iter().filter_map(|(_, id)| *id) {
        let _ = Command::new("kill")
            .args(["-KILL", &id.to_string()])
            .stderr(std::process::Stdio::null())
            .status();
    }
    found
}

fn wait_for(what: &str, is: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A script that runs the family.
fn script(bed: &Bed, end: &str, options: &str, rest: &str) -> String {
    let text = format!(
        "local text = [==[{}]==]\nlocal function family() return process.run({{ 'sh', '-c', text }}, {{ grace = '300ms', {options} }}) end\n{rest}\n",
        family(bed, end)
    );
    bed.script("family.lua", &text)
}

fn kill(child: &Child, signal: &str) {
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
}

#[test]
fn a_limit_ends_what_a_program_has_started() {
    let bed = Bed::practice();
    for (what, args) in
        [("timeout", &["run"][..]), ("silence", &["run"]), ("run", &["--timeout", "LIMIT", "run"])]
    {
        // Where the machine is so busy that not all are there in time, there is more time.
        let mut limit = 1;
        loop {
            bed.renew();
            let option = if what == "run" { String::new() } else { format!("{what} = '{limit}s'") };
            let script = script(&bed, "wait", &option, "family()");
            let limit_word = format!("{limit}s");
            let mut args: Vec<&str> =
                args.iter().map(|arg| if *arg == "LIMIT" { limit_word.as_str() } else { arg }).collect();
            args.push(&script);
            let output = bed.run(&args);
            assert_eq!(output.status.code(), Some(2), "{what}: {output:?}");
            let all = started(&bed).iter().all(|(_, id)| id.is_some());
            assert_eq!(escaped(&bed), [""; 0], "{what}");
            if all {
                break;
            }
            limit *= 3;
            assert!(limit < 60, "they do not begin");
        }
    }
}

#[test]
fn a_signal_ends_what_programs_have_started() {
    let bed = Bed::practice();
    // The second signal does not wait for what the first has asked for.
    for (signals, options) in [(1, ""), (2, "grace = '60s', ")] {
        bed.renew();
        let text = script(&bed, "trap '' TERM; while :; do sleep 0.1; done", "", "family()");
        if signals == 2 {
            let path = bed.root.join("family.lua");
            let longer = std::fs::read_to_string(&path).unwrap().replace("grace = '300ms', ", options);
            std::fs::write(&path, longer).unwrap();
        }
        let mut child = bed.start(&["run", &text]);
        wait_for("they do not begin", || started(&bed).iter().all(|(_, id)| id.is_some()));
        for _ in 0..signals {
            kill(&child, "-TERM");
            std::thread::sleep(Duration::from_millis(200));
        }
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert_eq!(escaped(&bed), [""; 0], "{signals} signals");
    }
}

#[test]
fn an_error_elsewhere_in_the_script_ends_what_programs_have_started() {
    let bed = Bed::practice();
    let begun = all_there(&bed);
    let rest = format!(
        "task.all{{ family, function() process.run{{ 'sh', '-c', [==[{begun}]==] }} error('broken') end }}"
    );
    let output = bed.run(&["run", &script(&bed, "wait", "", &rest)]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("broken"), "{output:?}");
    assert!(started(&bed).iter().all(|(_, id)| id.is_some()));
    assert_eq!(escaped(&bed), [""; 0]);
}

#[test]
fn a_program_that_fails_leaves_nothing_and_one_that_ends_well_leaves_its_daemons() {
    let bed = Bed::practice();
    for (code, daemons) in [(1, &[][..]), (0, &["session", "deaf-session", "bare", "orphan", "bare-orphan"])]
    {
        bed.renew();
        let end = format!("{} exit {code}", all_there(&bed));
        let output = bed.run(&["run", &script(&bed, &end, "check = false", "family()")]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(escaped(&bed), daemons, "{code}");
    }
}

#[test]
fn a_daemon_of_a_program_that_ended_well_outlives_the_failure_of_another() {
    let bed = Bed::practice();
    let end = format!("{} exit 0", all_there(&bed));
    let rest = "family() process.run({ 'sh', '-c', 'sleep 60 & wait' }, { timeout = '200ms' })";
    let output = bed.run(&["run", &script(&bed, &end, "", rest)]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(escaped(&bed), ["session", "deaf-session", "bare", "orphan", "bare-orphan"]);
}

#[test]
fn what_cannot_be_ended_is_named_and_the_run_has_not_ended_well() {
    // A program that becomes another user's can be made by root alone.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let helper: PathBuf = folder.path().join("setpriv");
    let made = nix::unistd::geteuid().is_root()
        && Command::new("sh")
            .args(["-c", "cp \"$(command -v setpriv)\" \"$0\" && chmod 4755 \"$0\" && chmod 755 \"${0%/*}\" && setpriv --reuid=nobody --clear-groups true"])
            .arg(&helper)
            .status()
            .is_ok_and(|status| status.success());
    if !made {
        eprintln!("not tried: it needs root and setpriv");
        return;
    }
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let executable = folder.path().join("moonstack");
    std::fs::copy(env!("CARGO_BIN_EXE_moonstack"), &executable).unwrap();
    let text = format!(
        "process.run({{ 'sh', '-c', '{} --reuid=0 --regid=0 --clear-groups sh -c \"echo \\\\$\\\\$ > {}/id; exec sleep 60\" >/dev/null 2>&1 & wait' }}, {{ timeout = '1s', grace = '100ms', check = false }})",
        helper.display(),
        state.display()
    );
    let script = folder.path().join("s.lua");
    std::fs::write(&script, text).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
        .arg(&executable)
        .arg("run")
        .arg(&script)
        .env("HOME", &state)
        .env("XDG_STATE_HOME", &state)
        .current_dir(&state)
        .output()
        .unwrap();
    let id = std::fs::read_to_string(state.join("id")).unwrap_or_default();
    let _ = Command::new("kill").args(["-KILL", id.trim()]).status();
    let told = String::from_utf8_lossy(&output.stderr);
    if id.is_empty() {
        eprintln!("not tried: the helper may not become root here: {told}");
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(told.contains(&format!("sleep (process {})", id.trim())), "{told}");
}
