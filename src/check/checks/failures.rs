//! Which builds failed and have not been tried again?

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::{Finding, some};
use crate::base::{Kind, Result, words};

pub const CHECK: Check = Check {
    name: "failures",
    doc: "Marks that failed builds left in the database's folder.",
    needs: &["configuration", "store"],
    timeout: super::QUICK,
    optional: false,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(judge))
}

fn judge(look: &CheckContext) -> Result<Vec<Finding>> {
    let folder = look.view.store()?.join(".spack-db/failures");
    let marks = match look.cx.world.eyes.list(&folder) {
        Ok(marks) => marks,
        Err(t) if t.is(Kind::NotFound) => Vec::new(),
        Err(t) => return Err(t),
    };
    let names: Vec<String> = marks.iter().filter(|m| !m.starts_with('.')).map(|m| shown(m)).collect();
    let count = names.len() as u64;
    let reference = format!("warn from {} on", look.thresholds.failures_warn);
    if names.is_empty() {
        return Ok(vec![
            Finding::pass("no failed build is marked").measure(0.0, "marks").reference(reference),
        ]);
    }
    let message = format!("{} marked: {}", words::count(names.len(), "failed build"), some(&names));
    let finding = if count >= look.thresholds.failures_warn {
        Finding::warn(message).fix("see why, install again, or forget them: spack clean --failures")
    } else {
        Finding::pass(message)
    };
    Ok(vec![finding.measure(count as f64, "marks").reference(reference)])
}

/// `hdf5/abcdefg` of `hdf5-abcdefg…`.
fn shown(mark: &str) -> String {
    match mark.rsplit_once('-') {
        Some((name, hash)) => format!("{name}/{}", hash.get(..7).unwrap_or(hash)),
        None => mark.to_owned(),
    }
}
