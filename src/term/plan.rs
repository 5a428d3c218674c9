//! A plan for people: what happens to specs first, then the actions one by one, short enough for five and counted
//! where there are five hundred.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anstyle::AnsiColor;

use super::plain::plain_value;
use super::printer::{Detail, Printer};
use crate::base::words;
use crate::plan::file::Plan;
use crate::world::seam::predicted::{Effect, Origin, SpecEffect};
use crate::world::seam::scene::Planned;

/// More than these are counted, unless everything is asked for.
const MOST: usize = 25;

pub fn text(plan: &Plan, printer: &Printer) -> String {
    let plan = &*plain_value(plan);
    let mut out = String::new();
    if plan.actions.is_empty() {
        out.push_str(if plan.failures.is_empty() { "nothing to do\n" } else { "nothing would be done\n" });
    } else {
        specs(&mut out, plan, printer);
        sums(&mut out, plan);
        touched(&mut out, plan);
        actions(&mut out, plan, printer);
    }
    for failure in &plan.failures {
        let of = if failure.step.is_empty() {
            String::from("the script")
        } else {
            format!("step {}", failure.step)
        };
        let word = printer.paint("would fail", AnsiColor::Red);
        let _ = writeln!(out, "{word} ({of}): {}", failure.message);
        for hint in &failure.hints {
            let _ = writeln!(out, "  hint: {hint}");
        }
    }
    for guard in &plan.guards {
        let (word, colour) =
            if guard.stops { ("would stop", AnsiColor::Red) } else { ("note", AnsiColor::Yellow) };
        let _ = writeln!(out, "{} ({}): {}", printer.paint(word, colour), guard.name, guard.message);
    }
    out
}

const EFFECTS: &[(Effect, &str, char, AnsiColor)] = &[
    (Effect::Removed, "removed", '-', AnsiColor::Red),
    (Effect::Upgraded, "upgraded", '^', AnsiColor::Yellow),
    (Effect::Rebuilt, "rebuilt", '~', AnsiColor::Yellow),
    (Effect::Added, "added", '+', AnsiColor::Green),
];

fn specs(out: &mut String, plan: &Plan, printer: &Printer) {
    let all = &plan.specs;
    if all.specs.is_empty() {
        return;
    }
    let counts: Vec<String> = EFFECTS
        .iter()
        .map(|(effect, word, ..)| (all.count(*effect), *word))
        .chain([(all.count(Effect::Reused), "reused")])
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let _ = writeln!(out, "specs: {}", counts.join(", "));
    let wanted = printer.detail == Detail::Verbose;
    for (effect, _, mark, colour) in EFFECTS {
        let of: Vec<&SpecEffect> = all.specs.iter().filter(|s| s.effect == *effect).collect();
        let shown = if wanted { of.len() } else { of.len().min(MOST) };
        for spec in of.iter().take(shown) {
            let _ = writeln!(out, "  {} {}", printer.paint(&mark.to_string(), *colour), spec_line(spec));
        }
        if shown < of.len() {
            let _ = writeln!(out, "  {mark} … and {} more (-v shows all)", of.len() - shown);
        }
    }
}

fn spec_line(spec: &SpecEffect) -> String {
    let short = spec.hash.get(..7).unwrap_or(&spec.hash);
    let mut line = match (spec.effect, spec.replaces.as_slice()) {
        (Effect::Upgraded, [_, ..]) => {
            format!("{} {} -> {}", spec.name, spec.replaces.join(", "), spec.version)
        }
        _ => format!("{}@{}", spec.name, spec.version),
    };
    let _ = write!(line, " /{short}");
    let mut notes = Vec::new();
    if let Some(env) = &spec.env {
        notes.push(format!("in {env}"));
    }
    if spec.is_new() {
        notes.push(match &spec.origin {
            Origin::Mirror { name } => format!("from mirror {name}"),
            _ => String::from("from source"),
        });
        if let Some([_, likely, _]) = spec.seconds {
            notes.push(format!("about {}", span(likely)));
        }
    } else if !spec.installs && spec.effect != Effect::Removed {
        match spec.origin {
            Origin::Store => notes.push(String::from("installed already")),
            Origin::External => {}
            _ => notes.push(String::from("not installed by this")),
        }
    }
    if !notes.is_empty() {
        let _ = write!(line, "  ({})", notes.join(", "));
    }
    line
}

fn sums(out: &mut String, plan: &Plan) {
    let all = &plan.specs;
    let new = all.specs.iter().filter(|s| s.is_new()).count();
    if new == 0 {
        return;
    }
    let mut parts = Vec::new();
    if all.download > 0 {
        parts.push(format!("{} to download", words::size(all.download)));
    }
    if all.unknown_sizes < new {
        let unknown = if all.unknown_sizes > 0 {
            format!(" and {} specs of unknown size", all.unknown_sizes)
        } else {
            String::new()
        };
        parts.push(format!("{} of disk{unknown}", words::size(all.disk)));
    }
    if let Some([least, likely, most]) = all.seconds {
        let unknown = if all.unknown_times > 0 {
            format!(", {} specs were never timed", all.unknown_times)
        } else {
            String::new()
        };
        parts.push(format!(
            "about {} one after the other ({} to {}{unknown})",
            span(likely),
            span(least),
            span(most)
        ));
    }
    if !parts.is_empty() {
        let _ = writeln!(out, "needs: {}", parts.join("; "));
    }
}

fn span(seconds: f64) -> String {
    words::span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

fn touched(out: &mut String, plan: &Plan) {
    for touched in &plan.specs.environments {
        let mut parts = touched.changed.clone();
        parts.extend(touched.views.iter().map(|v| format!("view {v}")));
        parts.extend(touched.modules.iter().map(|m| format!("modules in {m}")));
        if !parts.is_empty() {
            let name = if touched.name.is_empty() { "outside of environments" } else { &touched.name };
            let _ = writeln!(out, "touches {name}: {}", parts.join(", "));
        }
    }
}

fn actions(out: &mut String, plan: &Plan, printer: &Printer) {
    let count = plan.actions.len();
    let _ = writeln!(out, "{count} {}:", if count == 1 { "action" } else { "actions" });
    let all = printer.detail == Detail::Verbose || count <= 2 * MOST;
    if all {
        for (number, action) in plan.actions.iter().enumerate() {
            line(out, number + 1, action, printer);
        }
        return;
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for action in &plan.actions {
        *kinds.entry(&action.identity.action).or_default() += 1;
    }
    for (number, action) in plan.actions.iter().enumerate().take(MOST) {
        line(out, number + 1, action, printer);
    }
    let counts: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let _ = writeln!(out, "  … {} more (-v shows all); together {}", count - MOST, counts.join(", "));
}

fn line(out: &mut String, number: usize, action: &Planned, printer: &Printer) {
    let identity = &action.identity;
    let step = identity.step.as_ref().map(|s| format!("[{s}] ")).unwrap_or_default();
    let _ = writeln!(out, "{number:>4}  {step}{} {}", identity.action, identity.what);
    for assumed in &action.assumed {
        let _ = writeln!(out, "      {}: {assumed}", printer.paint("assumed", AnsiColor::Yellow));
    }
}
