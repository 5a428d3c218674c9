//! A notice on the standard input of a program.

use std::time::Duration;

use crate::base::{Kind, Result, Trouble, redact, words};
use crate::world::net::deliver::message::Failure;
use crate::world::proc::process;
use crate::world::proc::program::{Grace, Program, Stdin};

/// `EX_TEMPFAIL` of sysexits.h: try again later. Any other exit code is the program's last word.
const LATER: i32 = 75;

pub fn check(argv: &[String]) -> Result<()> {
    if argv.first().is_none_or(String::is_empty) {
        return Err(Trouble::usage("the argument list of the program is empty")
            .hint("give at least the program: { \"/usr/local/bin/tell\" }"));
    }
    Ok(())
}

pub async fn feed(argv: &[String], stdin: &str, limit: Duration) -> Result<(), Failure> {
    let name = argv.first().map_or("", String::as_str);
    let program = Program {
        argv: argv.to_vec(),
        stdin: Stdin::Text(stdin.to_owned()),
        timeout: Some(limit),
        grace: Grace(Duration::from_secs(2)),
        ..Program::default()
    };
    let ran = process::run(program).await.map_err(|t| match t.kind() {
        Kind::Io => Failure::for_now(t.message()),
        _ => Failure::for_good(t.message()),
    })?;
    if ran.ok() {
        return Ok(());
    }
    if ran.ended.is_some() {
        return Err(Failure::for_now(format!("'{name}' was not done within {}", words::span(limit))));
    }
    let mut text = match (ran.code, ran.signal) {
        (Some(code), _) => format!("'{name}' ended with exit code {code}"),
        (None, signal) => format!("'{name}' was ended by signal {}", signal.unwrap_or_default()),
    };
    if let Some(last) = ran.stderr.lines().rev().find(|l| !l.trim().is_empty()) {
        text.push_str(&format!(": {}", redact::redact(last.trim())));
    }
    Err(if ran.code == Some(LATER) { Failure::for_now(text) } else { Failure::for_good(text) })
}
