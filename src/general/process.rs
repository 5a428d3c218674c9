//! `process`: running programs that are not Spack.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::argument::{Size, Span};
use crate::base::{Kind, Result, Trouble, redact, words};
use crate::site::Cx;
use crate::world::proc::program::{Ended, Grace, Program, Ran, Stdin, Tail};
use crate::world::{Action, Effect};

/// How much of the standard error an error carries.
const SHOWN: usize = 2000;

/// Runs a program, without a shell, in a process group of its own, and waits until it ends. On a time limit or
/// a cancel it is ended with all that it has started, also with what has made a session of its own (`setsid`). The
/// same becomes of what it leaves behind if it fails. If it ends by itself with exit code 0, its process group is
/// ended, and what has a session of its own, as daemons have, is left running.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct RunArgs {
    /// The program and its arguments, each as it is: nothing is expanded.
    argv: Vec<String>,
    /// The folder to run it in.
    cwd: Option<PathBuf>,
    /// Environment variables to add or replace.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Give it only the variables in `env`, and the mark `MOONSTACK_PROGRAM`.
    #[serde(default)]
    clear_env: bool,
    /// What it reads; nothing by default.
    stdin: Option<String>,
    /// End it after this long: seconds or words such as `"10m"`; `limits.program` of the site file by default, 24 hours.
    timeout: Option<Span>,
    /// End it when it prints nothing for this long.
    silence: Option<Span>,
    /// How long it may take to end by itself after a limit or a cancel, before it is killed; `"10s"` by default.
    grace: Option<Span>,
    /// Append both streams to this file as they come.
    log: Option<PathBuf>,
    /// How much of each stream's end to keep in memory; 256 KiB by default.
    tail: Option<Size>,
    /// The program only looks: no record in the journal, and a plan may run it.
    #[serde(default)]
    reads: bool,
    /// Raise an error unless it ends with exit code 0 in time (the default).
    #[serde(default = "yes")]
    check: bool,
}

fn yes() -> bool {
    true
}

/// How a program ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RunResult {
    /// Ended by itself with exit code 0.
    ok: bool,
    /// Exit code; none when a signal ended it.
    code: Option<i32>,
    /// The signal that ended it.
    signal: Option<i32>,
    /// The end of its standard output. Bytes that are not UTF-8 are replaced; the log has them.
    stdout: String,
    /// The end of its standard error.
    stderr: String,
    /// Something that it printed is only in the log.
    truncated: bool,
    /// How long it ran.
    seconds: f64,
    /// `timeout` or `silence`, when a limit ended it.
    ended: Option<Ended>,
}

pub async fn run(cx: Cx, args: RunArgs) -> Result<RunResult> {
    let name = args.argv.first().cloned().unwrap_or_default();
    let program = Program {
        argv: args.argv,
        cwd: args.cwd,
        env: args.env,
        clear_env: args.clear_env,
        stdin: args.stdin.map_or(Stdin::Null, Stdin::Text),
        timeout: Some(args.timeout.map_or_else(|| cx.site.program_limit(), |s| s.0)),
        silence: args.silence.map(|s| s.0),
        grace: args.grace.map_or_else(Grace::default, |s| Grace(s.0)),
        log: args.log,
        tail: args.tail.map_or_else(Tail::default, |s| Tail(s.0 as usize)),
        ..Program::default()
    };
    let limits = (program.timeout, program.silence);
    let effect = if args.reads { Effect::Reads } else { Effect::Changes };
    let ran = cx.world.perform(Action::run(program, effect)).await?.ran();
    if args.check && !ran.ok() {
        let limit = match ran.ended {
            Some(Ended::Timeout) => limits.0,
            Some(Ended::Silence) => limits.1,
            None => None,
        };
        return Err(failed(&name, &ran, limit));
    }
    let ok = ran.ok();
    let Ran { code, signal, stdout, stderr, truncated, seconds, ended, .. } = ran;
    Ok(RunResult { ok, code, signal, stdout, stderr, truncated, seconds, ended })
}

/// The error for a program that did not end well.
fn failed(name: &str, ran: &Ran, limit: Option<std::time::Duration>) -> Trouble {
    let limit = limit.map(words::span).unwrap_or_default();
    let (kind, message) = match (ran.ended, ran.code, ran.signal) {
        (Some(Ended::Timeout), ..) => (Kind::Timeout, format!("'{name}' was not done within {limit}")),
        (Some(Ended::Silence), ..) => (Kind::Timeout, format!("'{name}' printed nothing for {limit}")),
        (None, Some(code), _) => (Kind::Program, format!("'{name}' ended with exit code {code}")),
        (None, None, signal) => {
            (Kind::Signal, format!("'{name}' was ended by signal {}", signal.unwrap_or_default()))
        }
    };
    let stderr = redact::redact(tail(&ran.stderr));
    let message = match stderr.lines().rev().find(|l| !l.trim().is_empty()) {
        Some(last) if ran.ended.is_none() => format!("{message}: {}", last.trim()),
        _ => message,
    };
    let number = |n: Option<i32>| n.map_or(Value::Null, Value::from);
    Trouble::new(kind, message)
        .fact("program", name)
        .fact("code", number(ran.code))
        .fact("signal", number(ran.signal))
        .fact("stderr", stderr)
        .fact("seconds", ran.seconds)
}

fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(SHOWN);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_exit_code_and_last_line() {
        let ran = Ran { code: Some(3), stderr: "one\ntoken=abc\n\n".into(), ..Ran::default() };
        let trouble = failed("make", &ran, None);
        assert_eq!(trouble.kind(), Kind::Program);
        assert_eq!(trouble.message(), "'make' ended with exit code 3: token=***");
        assert_eq!(trouble.facts()["code"], 3);
    }

    #[test]
    fn a_tail_begins_at_a_character() {
        let text = format!("{}{}", "ä".repeat(SHOWN), "x");
        assert!(tail(&text).len() <= SHOWN && tail(&text).ends_with("äx"));
    }
}
