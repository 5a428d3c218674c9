//! The primitives of checks. `check.define` and `check.run` take functions and are declared by hand.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Registry;
use crate::base::{Result, Trouble};
use crate::check::checks::ALL;
use crate::check::definition::{Unmet, unmet};
use crate::check::finding::Finding;
use crate::check::history::{self, KeptFinding, Recorded};
use crate::check::selection::{Selection, Wanted};
use crate::check::site_view::SiteView;
use crate::check::summary::Summary;
use crate::check::sweep;
use crate::check::thresholds::{KNOWN, Known};
use crate::site::Cx;
use crate::world::Effect::{Changes, Reads};

/// Declares them.
pub fn declare(registry: &mut Registry) {
    registry.add(
        "check.list",
        Reads,
        &[],
        "for _, c in ipairs(check.list()) do print(c.name, c.doc) end",
        list,
    );
    registry.add("check.thresholds", Reads, &[], "print(check.thresholds()[1].name)", thresholds);
    registry.add("check.select", Reads, &[], "check.select{ only = { \"spack\" } }", select);
    registry.add("check.builtin", Reads, &[], "check.builtin{ only = { \"spack\", \"gpu\" } }", builtin);
    registry.add("check.unmet", Reads, &["needs"], "check.unmet{ \"spack\", \"program:make\" }", unmet_needs);
    registry.add(
        "check.summary",
        Reads,
        &["findings"],
        "print(check.summary(check.run{ only = { \"spack\" } }).line)",
        summary,
    );
    registry.add(
        "check.record",
        Changes,
        &["findings"],
        "check.record(check.run{ only = { \"spack\" } })",
        record,
    );
    registry.add("check.history", Reads, &["check"], "check.history(\"disk\", { limit = 5 })", past);
}

/// Lists the built-in checks.
#[derive(Deserialize, JsonSchema)]
struct ListArgs {}

/// A check as it is documented.
#[derive(Serialize, JsonSchema)]
struct Listed {
    name: &'static str,
    doc: &'static str,
    /// What it cannot do without; it is skipped where that is missing.
    needs: Vec<&'static str>,
    /// Time limit in seconds, unless another is set.
    timeout: f64,
    /// Skips itself where there is nothing to check.
    optional: bool,
}

async fn list(_: Cx, _: ListArgs) -> Result<Vec<Listed>> {
    let listed = |c: &crate::check::Check| Listed {
        name: c.name,
        doc: c.doc,
        needs: c.needs.to_vec(),
        timeout: c.timeout.as_secs_f64(),
        optional: c.optional,
    };
    Ok(ALL.iter().map(listed).collect())
}

/// Lists the thresholds that checks compare with.
#[derive(Deserialize, JsonSchema)]
struct ThresholdsArgs {}

async fn thresholds(_: Cx, _: ThresholdsArgs) -> Result<&'static [Known]> {
    Ok(KNOWN)
}

/// Says which checks would run, on what limits: the options over the site file.
#[derive(Deserialize, JsonSchema)]
struct SelectArgs {
    /// Only these checks.
    #[serde(default)]
    only: Vec<String>,
    /// All but these checks.
    #[serde(default)]
    skip: Vec<String>,
    /// Thresholds by name; see `check.thresholds`.
    #[serde(default)]
    thresholds: BTreeMap<String, Value>,
    /// Time limit of each check, such as "30s".
    timeout: Option<Value>,
    /// Names of checks that scripts have defined.
    #[serde(default)]
    defined: Vec<String>,
}

/// What would run.
#[derive(Serialize, JsonSchema)]
struct Selected {
    /// Built-in checks.
    builtin: Vec<String>,
    /// Checks that scripts have defined.
    defined: Vec<String>,
    /// Asked for by name, but the site file skips them.
    refused: Vec<String>,
    /// All thresholds, by name.
    thresholds: BTreeMap<&'static str, String>,
    /// Seconds for every check, in place of its own limit.
    timeout: Option<f64>,
}

async fn select(cx: Cx, args: SelectArgs) -> Result<Selected> {
    let SelectArgs { only, skip, thresholds, timeout, defined } = args;
    if let Some(taken) = defined.iter().find(|d| ALL.iter().any(|c| c.name == d.as_str())) {
        return Err(Trouble::usage(format!("'{taken}' is a built-in check; name yours otherwise")));
    }
    let selection = Selection::of(&cx, &Wanted { only, skip, thresholds, timeout, defined })?;
    let is_builtin = |name: &String| ALL.iter().any(|c| c.name == name);
    let (builtin, defined) = selection.names.into_iter().partition(is_builtin);
    Ok(Selected {
        builtin,
        defined,
        refused: selection.refused,
        thresholds: selection.thresholds.shown(),
        timeout: selection.timeout.map(|t| t.as_secs_f64()),
    })
}

/// Runs built-in checks side by side and gives their findings. `check.run` also runs defined ones.
#[derive(Deserialize, JsonSchema)]
struct BuiltinArgs {
    /// Only these checks.
    #[serde(default)]
    only: Vec<String>,
    /// All but these checks.
    #[serde(default)]
    skip: Vec<String>,
    /// Thresholds by name; see `check.thresholds`.
    #[serde(default)]
    thresholds: BTreeMap<String, Value>,
    /// Time limit of each check, such as "30s".
    timeout: Option<Value>,
}

async fn builtin(cx: Cx, args: BuiltinArgs) -> Result<Vec<Finding>> {
    let BuiltinArgs { only, skip, thresholds, timeout } = args;
    sweep::run(&cx, &Wanted { only, skip, thresholds, timeout, defined: Vec::new() }).await
}

/// Gives the first need that is not met, with the reason, or nothing.
#[derive(Deserialize, JsonSchema)]
struct UnmetArgs {
    /// `spack`, `real_spack`, `configuration`, `store`, or `program:NAME`.
    needs: Vec<String>,
}

async fn unmet_needs(cx: Cx, args: UnmetArgs) -> Result<Option<Unmet>> {
    cx.blocking(move |cx| unmet(&cx, &SiteView::read(&cx), &args.needs)).await
}

/// Counts findings and gives the exit code and the line for monitors.
#[derive(Deserialize, JsonSchema)]
struct SummaryArgs {
    /// As `check.run` gives them.
    findings: Vec<Finding>,
}

async fn summary(_: Cx, args: SummaryArgs) -> Result<Summary> {
    Ok(Summary::of(&args.findings))
}

/// Keeps the findings of a sweep in the state database and says what is not as it was.
#[derive(Deserialize, JsonSchema)]
struct RecordArgs {
    /// As `check.run` gives them.
    findings: Vec<Finding>,
}

async fn record(cx: Cx, args: RecordArgs) -> Result<Recorded> {
    cx.blocking(move |cx| history::record(&cx, &args.findings)).await
}

/// Gives kept findings, the latest first, each with the time since when it is so.
#[derive(Deserialize, JsonSchema)]
struct HistoryArgs {
    /// Only of this check.
    check: Option<String>,
    /// At most so many; 100 by default.
    limit: Option<u32>,
}

async fn past(cx: Cx, args: HistoryArgs) -> Result<Vec<KeptFinding>> {
    cx.blocking(move |cx| history::list(&cx, args.check.as_deref(), args.limit.unwrap_or(100))).await
}
