//! `plan` and `apply`: what a script would do, and exactly that done.

use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use super::run;
use crate::base::{Kind, Result, Trouble};
use crate::cli::session::Session;
use crate::plan::file::{By, Plan, PlannedFailure};
use crate::term::plan as drawn;
use crate::world::fs::eyes::LiveEyes;
use crate::world::fs::replace::replaces_only;
use crate::world::seam::live::LiveHands;
use crate::world::{Action, Hands as _, who};

/// The exit code of `--check` when there is something to do.
const CHANGES: u8 = 6;

/// What ends planning itself, and says nothing of the run.
const ENDS: &[Kind] = &[Kind::Cancelled, Kind::Timeout, Kind::Internal];

/// Plans a script, shows the plan and stores it if asked.
pub async fn plan(session: &Session, words: &[OsString]) -> Result<u8> {
    let begin = Instant::now();
    let ended = run::words(session, words).await;
    let Some(planning) = &session.planning else {
        return Err(Trouble::new(Kind::Internal, "a plan without hands"));
    };
    let stored = session.ran.borrow().clone();
    if stored.words.is_empty() {
        // Only help was asked for.
        return ended;
    }
    let code = match ended {
        Ok(code) => code,
        // What would fail is part of the plan; what keeps it from being made is not.
        Err(trouble) if session.has_begun.get() && !ENDS.contains(&trouble.kind()) => {
            trouble.kind().exit_code()
        }
        Err(trouble) => return Err(trouble),
    };
    let report = planning.report();
    let mut inputs = session.given_now()?;
    inputs.extend(report.inputs);
    let by = By { user: who::user(), host: who::host(), at: session.cx.world.clock.now().to_string() };
    let mut plan = Plan::new(by, stored, inputs, report.actions, report.guards);
    plan.failures =
        session.failed.borrow().iter().map(|(step, trouble)| PlannedFailure::of(step, trouble)).collect();
    plan.exit = code;
    let rounded = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
    plan.program_seconds = rounded(report.program_seconds);
    plan.seconds = rounded(begin.elapsed().as_secs_f64());
    let plan = plan.sealed();
    let options = session.options.borrow().clone();
    if let Some(file) = &options.output {
        let is_plan = |there: &[u8]| Plan::is_one(there);
        replaces_only(&LiveEyes, file, "no plan", &is_plan)?;
        let action = Action::output(file.clone(), plan.to_text().into_bytes());
        LiveHands::new(None).keep(&session.cx.world, action).await?;
    }
    if session.printer.json {
        session.printer.json(&plan)?;
    } else {
        session.printer.styled(&drawn::text(&plan, &session.printer))?;
        if let Some(file) = &options.output {
            session.printer.note(&format!("stored; `moonstack apply {}` does exactly this", file.display()));
        }
    }
    if code > 1 {
        session.printer.warn(&format!("as planned, the script would end with exit code {code}"));
        return Ok(code);
    }
    Ok(if options.check && !plan.actions.is_empty() { CHANGES } else { 0 })
}

/// Reads a plan for `apply`.
pub fn read(path: &Path) -> Result<Plan> {
    Plan::read(&LiveEyes, path)
}
