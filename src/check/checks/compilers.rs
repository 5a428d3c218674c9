//! Do the executables of the configured compilers exist, run, and answer the version that is recorded?

use std::path::{Path, PathBuf};

use futures_util::future::join_all;

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::program::{self, Answer, agrees};
use super::super::site_view::is_executable;
use super::externals::as_written;
use crate::base::{Kind, Result};
use crate::spack::config::compilers::Compiler;
use crate::spack::store::database::DatabaseText;
use crate::world::fs::real::is_within;

pub const CHECK: Check = Check {
    name: "compilers",
    doc: "The executables of configured compilers exist and answer their recorded version.",
    needs: &["configuration", "real_spack"],
    timeout: super::SLOW,
    optional: false,
    run,
};

/// Packages that a build may take as compiler when Spack has installed them itself.
const PACKAGES: &[&str] = &["gcc", "llvm", "intel-oneapi-compilers", "nvhpc", "aocc", "llvm-amdgpu", "acfl"];

fn run(look: CheckContext) -> Looking {
    Box::pin(judge(look))
}

async fn judge(look: CheckContext) -> Result<Vec<Finding>> {
    let config = look.view.config()?;
    let all = config.compilers()?;
    let here = |c: &&Compiler| match (&c.operating_system, &config.sub.host.os) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => true,
    };
    let (ours, others): (Vec<&Compiler>, Vec<&Compiler>) = all.iter().partition(here);
    if ours.is_empty() {
        return Ok(vec![none_configured(&look, others.len())]);
    }
    let pairs: Vec<(&Compiler, &PathBuf)> =
        ours.iter().flat_map(|c| c.paths.iter().map(move |(_, path)| (*c, path))).collect();
    let judged: Result<Vec<Option<Finding>>> =
        join_all(pairs.iter().map(|(c, path)| executable(&look, c, path))).await.into_iter().collect();
    let mut out: Vec<Finding> = judged?.into_iter().flatten().collect();
    out.extend(ours.iter().filter_map(|compiler| elsewhere(&look, compiler)));
    if out.is_empty() {
        let skipped = match others.len() {
            0 => String::new(),
            n => format!("; {n} of another operating system not looked at"),
        };
        let message = format!(
            "{} executables of {} compilers exist and answer their recorded version{skipped}",
            pairs.len(),
            ours.len()
        );
        out.push(Finding::pass(message).measure(ours.len() as f64, "compilers"));
    }
    Ok(out)
}

fn none_configured(look: &CheckContext, others: usize) -> Finding {
    let store = look.view.store().and_then(|s| DatabaseText::read_unlocked(&*look.cx.world.eyes, &s));
    let installed = store.as_ref().ok().and_then(|text| text.parse().ok()).map_or(0, |database| {
        database.records().iter().filter(|r| r.installed && PACKAGES.contains(&&*r.name)).count()
    });
    if installed > 0 {
        return Finding::pass(format!("none is configured; {installed} installed by Spack"));
    }
    let others = if others > 0 { " for this operating system" } else { "" };
    Finding::warn(format!("no compiler is configured{others}")).fix("spack compiler find")
}

/// A prefix without the compiler in it: what Spack takes from the prefix, above all the run-time libraries, is not that
/// compiler's. Whether it does exist is the externals' check.
fn elsewhere(look: &CheckContext, compiler: &Compiler) -> Option<Finding> {
    let eyes = &*look.cx.world.eyes;
    let prefix = compiler.prefix.as_ref().filter(|prefix| eyes.finds_folder(prefix))?;
    // The executable itself may be a link to elsewhere.
    let holds = |path: &Path| {
        is_within(eyes, path, prefix) || path.parent().is_some_and(|p| is_within(eyes, p, prefix))
    };
    let (_, path) = compiler.paths.iter().find(|(_, path)| !holds(path))?;
    let (spec, prefix, path) = (&compiler.spec, prefix.display(), path.display());
    Some(
        Finding::warn(format!("the prefix {prefix} of {spec} does not hold it: its executable is {path}"))
            .about(format!("{spec} {prefix}"))
            .fix(format!("correct the prefix at {}, so that {path} is below it", compiler.origin)),
    )
}

async fn executable(look: &CheckContext, compiler: &Compiler, path: &Path) -> Result<Option<Finding>> {
    let shown = path.display();
    let spec = compiler.spec.as_str();
    let subject = format!("{spec} {shown}");
    let remove =
        format!("correct {} (or: spack compiler remove {spec}; spack compiler find)", compiler.origin);
    let told = |finding: Finding| Ok(Some(finding.about(&subject)));
    if !is_executable(&look.cx, path) {
        let how = if look.cx.world.eyes.exists(path)? { "cannot be executed" } else { "does not exist" };
        return told(Finding::fail(format!("{shown} of {spec} {how}{}", as_written(path))).fix(remove));
    }
    let recorded = recorded_version(spec);
    let version = program::version(&look.cx, path, look.program_limit()).await?;
    match version {
        Answer::Versions(found) if recorded.is_none_or(|recorded| agrees(recorded, &found)) => Ok(None),
        Answer::Versions(found) => {
            let answered = found.first().map_or("", String::as_str);
            let message = format!("{shown} is version {answered}, but {spec} is recorded");
            told(Finding::fail(message).fix(remove).reference(recorded.unwrap_or_default()))
        }
        Answer::Nothing => told(Finding::warn(format!("{shown} of {spec} does not state its version"))),
        Answer::Hangs => {
            let fix = "run it by hand: a licence server or file server may not answer";
            told(Finding::fail(format!("{shown} of {spec} does not answer")).kind(Kind::Timeout).fix(fix))
        }
        // Started without its modules it may well fail; that is not Spack's case.
        Answer::Fails(how) if !compiler.modules.is_empty() => {
            let modules = compiler.modules.join(", ");
            let message = format!("{shown} of {spec} does not run outside its modules ({how})");
            told(Finding::warn(message).fix(format!("try it with the modules loaded: {modules}")))
        }
        Answer::Fails(how) => {
            let fix = format!("run '{shown} --version' by hand; {remove}");
            told(Finding::fail(format!("{shown} of {spec} does not run: {how}")).fix(fix))
        }
    }
}

/// `13.2.0` of `gcc@=13.2.0 languages=c`.
pub fn recorded_version(spec: &str) -> Option<&str> {
    let (_, rest) = spec.split_once('@')?;
    let end = rest.find(|c: char| c.is_whitespace() || "+~%^:,/".contains(c)).unwrap_or(rest.len());
    rest.get(..end).map(|v| v.trim_start_matches('=')).filter(|v| !v.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_version_is_taken_out_of_the_spec() {
        for (spec, wanted) in [
            ("gcc@=13.2.0", Some("13.2.0")),
            ("gcc@13.2.0 languages:='c,c++'", Some("13.2.0")),
            ("llvm@17.0.6+clang~flang", Some("17.0.6")),
            ("gcc", None),
            ("gcc@", None),
        ] {
            assert_eq!(recorded_version(spec), wanted, "{spec}");
        }
    }
}
