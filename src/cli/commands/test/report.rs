//! What `moonstack test` says: a line a case, what went wrong below it, a summary in the end; or one JSON document.

use std::time::Duration;

use anstyle::AnsiColor;
use serde_json::{Value, json};

use crate::base::Result;
use crate::script::trial::{Case, Status};
use crate::term::plain::plain;
use crate::term::printer::{Detail, Printer};

/// How much of what a failed file printed is shown.
const SHOWN: usize = 20;
/// … and of each of its lines.
const WIDTH: usize = 300;

/// One file that has run.
pub struct FileResult {
    pub file: String,
    pub cases: Vec<Case>,
    pub printed: Vec<String>,
    pub stderr: String,
}

impl FileResult {
    fn failed(&self) -> bool {
        self.cases.iter().any(|c| matches!(c.status, Status::Fail | Status::Error))
    }
}

/// Says how the cases of a file ended, as soon as it has.
pub fn file(printer: &Printer, result: &FileResult) -> Result<()> {
    if printer.json {
        return Ok(());
    }
    for case in &result.cases {
        let (word, colour) = match case.status {
            Status::Pass => ("ok     ", AnsiColor::Green),
            Status::Fail => ("FAIL   ", AnsiColor::Red),
            Status::Error => ("ERROR  ", AnsiColor::Red),
            Status::Skipped => ("skipped", AnsiColor::Yellow),
        };
        let bad = matches!(case.status, Status::Fail | Status::Error);
        if printer.detail == Detail::Quiet && !bad {
            continue;
        }
        let reason = match case.status {
            Status::Skipped => format!(": {}", text(case, "message")),
            _ => String::new(),
        };
        let word = printer.paint(word, colour);
        let rest = format!("{}: {}{reason} ({:.2} s)", result.file, case.name, case.seconds);
        printer.styled(&format!("{word} {}", plain(&rest)))?;
        if bad {
            printer.result(&failure(case))?;
        }
    }
    if result.failed() {
        for (title, lines) in [
            ("printed", result.printed.clone()),
            ("stderr", result.stderr.lines().map(str::to_owned).collect()),
        ] {
            said(printer, title, &lines)?;
        }
    }
    Ok(())
}

fn said(printer: &Printer, title: &str, lines: &[String]) -> Result<()> {
    let last = lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default();
    for line in last {
        let (line, more) = line.split_at(line.floor_char_boundary(WIDTH));
        let more = if more.is_empty() { "" } else { "…" };
        printer.result(&format!("        {title}: {line}{more}"))?;
    }
    Ok(())
}

fn text(case: &Case, field: &str) -> String {
    let value = case.error.as_ref().and_then(|e| e.get(field));
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What went wrong and where, indented below the case.
fn failure(case: &Case) -> String {
    let (place, message) = (text(case, "where"), text(case, "message"));
    let place = if place.is_empty() { place } else { format!("{place}: ") };
    let kind = match case.status {
        Status::Error => format!("{}: ", text(case, "kind")),
        _ => String::new(),
    };
    let mut out = String::new();
    for line in format!("{place}{kind}{message}").lines() {
        out.push_str(&format!("        {line}\n"));
    }
    let hints = case.error.as_ref().and_then(|e| e.get("hints")).and_then(Value::as_array);
    for hint in hints.into_iter().flatten().filter_map(Value::as_str) {
        out.push_str(&format!("        hint: {hint}\n"));
    }
    out
}

/// The last word, and the exit code that follows.
pub fn summary(printer: &Printer, results: &[FileResult], took: Duration) -> Result<u8> {
    let count = |status: Status| results.iter().flat_map(|r| &r.cases).filter(|c| c.status == status).count();
    let (passed, failed, errors, skipped) =
        (count(Status::Pass), count(Status::Fail), count(Status::Error), count(Status::Skipped));
    let code = if failed + errors == 0 { 0 } else { 2 };
    let seconds = took.as_secs_f64();
    if printer.json {
        let cases: Vec<Value> = results.iter().flat_map(rows).collect();
        printer.json(&json!({
            "summary": {
                "exit": code, "files": results.len(), "passed": passed, "failed": failed, "errors": errors,
                "skipped": skipped, "seconds": seconds,
            },
            "cases": cases,
        }))?;
        return Ok(code);
    }
    let word = if code == 0 { "OK" } else { "FAILED" };
    printer.result(&format!(
        "{word}: {passed} passed, {failed} failed, {errors} with errors, {skipped} skipped in {seconds:.1} s"
    ))?;
    Ok(code)
}

/// The cases of a file as JSON; what a failed file printed stands with its failures.
fn rows(result: &FileResult) -> Vec<Value> {
    let row = |case: &Case| {
        let mut row = json!({
            "file": result.file, "name": case.name, "status": case.status, "seconds": case.seconds,
        });
        if let Some(error) = &case.error {
            row["error"] = error.clone();
        }
        if matches!(case.status, Status::Fail | Status::Error) {
            row["printed"] = result.printed.clone().into();
            row["stderr"] = result.stderr.clone().into();
        }
        row
    };
    result.cases.iter().map(row).collect()
}
