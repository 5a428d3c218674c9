//! Are the tools there that Spack starts itself, or that almost every build starts?

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::site_view::SiteView;
use crate::base::Result;

pub const CHECK: Check = Check {
    name: "build_tools",
    doc: "The tools that Spack takes from the operating system are on PATH: make, patch, tar, …",
    needs: &["real_spack"],
    timeout: super::QUICK,
    optional: false,
    run,
};

/// Spack cannot fetch, unpack, patch or build without them.
const MANDATORY: &[&str] = &["bash", "make", "patch", "tar", "gzip", "bzip2", "xz", "unzip"];
/// Built by Spack when a recipe wants them, or needed by some features only.
const USEFUL: &[&str] = &["cmake", "zstd", "file", "gpg", "curl", "m4"];

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(judge))
}

fn judge(look: &CheckContext) -> Result<Vec<Finding>> {
    let missing = |names: &[&str]| -> Vec<String> {
        names.iter().filter(|n| SiteView::program(&look.cx, n).is_none()).map(|n| (*n).to_owned()).collect()
    };
    let (lacking, useful) = (missing(MANDATORY), missing(USEFUL));
    if !lacking.is_empty() {
        let names = lacking.join(", ");
        let finding = Finding::fail(format!("not on PATH: {names}"))
            .fix(format!("install from the operating system: {names}"))
            .measure(lacking.len() as f64, "tools");
        return Ok(vec![finding]);
    }
    let rest = if useful.is_empty() {
        String::new()
    } else {
        format!("; not there, and not always needed: {}", useful.join(", "))
    };
    Ok(vec![Finding::pass(format!("{} are there{rest}", MANDATORY.join(", ")))])
}
