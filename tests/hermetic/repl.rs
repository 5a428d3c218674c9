//! The session on a terminal: prompt, Tab, several lines, Ctrl-C while a statement runs, Ctrl-D.

#![allow(clippy::unwrap_used, clippy::items_after_statements)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use rexpect::session::{PtySession, spawn_command};

const PROMPT: &str = "moonstack> ";

/// A session in a home of its own.
fn start(home: &std::path::Path) -> PtySession {
    let mut session = spawn_command(command(home), Some(20_000)).unwrap();
    session.exp_string(PROMPT).unwrap();
    session
}

fn command(home: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moonstack"));
    command.arg("repl").env("HOME", home).env("NO_COLOR", "1").env("TERM", "xterm");
    command.env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME").env_remove("CLICOLOR_FORCE");
    command
}

/// Sends keys as they are, without a line break.
fn keys(session: &mut PtySession, keys: &str) {
    session.send(keys).unwrap();
    session.flush().unwrap();
}

#[test]
fn statements_results_and_errors() {
    let home = tempfile::tempdir().unwrap();
    let mut s = start(home.path());
    s.send_line("kept = 20 + 1").unwrap();
    s.exp_string(PROMPT).unwrap();
    s.send_line("kept * 2").unwrap();
    s.exp_string("42").unwrap();
    s.exp_string(PROMPT).unwrap();
    s.send_line("{ { name = 'zlib', n = 1 }, { name = 'hdf5', n = 2 } }").unwrap();
    s.exp_regex("hdf5 +2").unwrap();
    s.exp_string(PROMPT).unwrap();
    s.send_line("task.mapp()").unwrap();
    s.exp_string("did you mean 'map'?").unwrap();
    s.exp_string(PROMPT).unwrap();
    s.send_line("help(task.map)").unwrap();
    s.exp_string("task.map(items, each, options?)").unwrap();
    s.exp_string(PROMPT).unwrap();
    s.send_line("quit").unwrap();
    s.exp_string("Ctrl-D ends the session").unwrap();
    s.exp_string(PROMPT).unwrap();
    s.send_control('d').unwrap();
    s.exp_eof().unwrap();
}

#[test]
fn a_statement_may_take_several_lines() {
    let home = tempfile::tempdir().unwrap();
    let mut s = start(home.path());
    s.send_line("for i = 1, 2 do").unwrap();
    s.send_line("print('round ' .. i * 100)").unwrap();
    s.send_line("end").unwrap();
    s.exp_string("round 100").unwrap();
    s.exp_string("round 200").unwrap();
    s.exp_string(PROMPT).unwrap();
}

#[test]
fn tab_completes() {
    let home = tempfile::tempdir().unwrap();
    let mut s = start(home.path());
    keys(&mut s, "task.set\t");
    s.exp_string("task.settle").unwrap();
    keys(&mut s, "\u{15}");
    keys(&mut s, "task.map({}, print, { l\t");
    s.exp_string("limit = ").unwrap();
    s.send_control('c').unwrap();
    s.exp_string(PROMPT).unwrap();
    s.send_line("'still ' .. 'here'").unwrap();
    s.exp_string("still here").unwrap();
}

#[test]
fn ctrl_c_ends_the_statement_and_keeps_the_session() {
    let home = tempfile::tempdir().unwrap();
    let mut s = start(home.path());
    for statement in ["print('go' .. 1) while true do end", "print('go' .. 1) time.sleep('1h')"] {
        s.send_line("before = 'kept'").unwrap();
        s.exp_string(PROMPT).unwrap();
        s.send_line(statement).unwrap();
        s.exp_string("go1").unwrap();
        s.send_control('c').unwrap();
        s.exp_string("error: cancelled").unwrap();
        s.exp_string(PROMPT).unwrap();
        s.send_line("before .. '!'").unwrap();
        s.exp_string("kept!").unwrap();
        s.exp_string(PROMPT).unwrap();
    }
    s.send_control('d').unwrap();
    s.exp_eof().unwrap();
}

#[test]
fn the_history_outlives_the_session() {
    let home = tempfile::tempdir().unwrap();
    let mut s = start(home.path());
    s.send_line("'first' .. 'session'").unwrap();
    s.exp_string("firstsession").unwrap();
    s.exp_string(PROMPT).unwrap();
    s.send_control('d').unwrap();
    s.exp_eof().unwrap();
    let mut s = start(home.path());
    keys(&mut s, "\u{1b}[A");
    s.exp_string("'first' .. 'session'").unwrap();
}

/// The editor sits in its read when the signal comes, and cannot tidy up by itself.
#[test]
fn a_session_that_is_told_to_end_leaves_the_terminal_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    // It waits for a line first: until then the terminal is still being set up from the other side.
    let inner = r#"read go; echo before=$(stty -g).; sh -c 'echo pid=$$.; exec "$0" repl' "$0"; echo code=$?; echo after=$(stty -g)."#;
    shell.args(["-c", inner, env!("CARGO_BIN_EXE_moonstack")]);
    shell.env("HOME", home.path()).env("NO_COLOR", "1").env("TERM", "xterm").env_remove("XDG_STATE_HOME");
    let mut s = spawn_command(shell, Some(20_000)).unwrap();
    s.send_line("go").unwrap();
    s.exp_string("before=").unwrap();
    let before = s.exp_string(".").unwrap();
    s.exp_string("pid=").unwrap();
    let pid: i32 = s.exp_string(".").unwrap().trim().parse().unwrap();
    s.exp_string(PROMPT).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM).unwrap();
    s.exp_string("code=130").unwrap();
    s.exp_string("after=").unwrap();
    assert_eq!(s.exp_string(".").unwrap(), before);
}

/// Runs statements from a pipe: output, error output, exit code.
fn piped(text: &str) -> (String, String, i32) {
    let home = tempfile::tempdir().unwrap();
    let mut child = command(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

#[test]
fn a_pipe_is_read_like_a_script() {
    let (out, err, code) = piped("x = {\n  1, 2 }\n#x\n'last'");
    assert_eq!((out.as_str(), code), ("2\nlast\n", 0), "{err}");
    let (out, err, code) = piped("1\nfail('refused', 'not today')\n2\n");
    assert_eq!((out.as_str(), code), ("1\n", 4), "{err}");
    assert!(err.contains("not today") && !err.contains(PROMPT), "{err}");
    let (_, err, code) = piped("while true do\n");
    assert_eq!(code, 2, "{err}");
}
