//! Are configured external packages still where they are said to be, and of the recorded version as far as
//! they can say it?

use futures_util::future::join_all;

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::program::{self, Answer, agrees};
use super::super::site_view::is_executable;
use super::compilers::recorded_version;
use crate::base::Result;
use crate::spack::config::compilers::External;

pub const CHECK: Check = Check {
    name: "externals",
    doc: "External packages of packages.yaml exist; those with a program of their name answer their recorded version.",
    needs: &["configuration", "real_spack"],
    timeout: super::SLOW,
    optional: true,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(judge(look))
}

async fn judge(look: CheckContext) -> Result<Vec<Finding>> {
    let config = look.view.config()?;
    // Their executables are the compilers' check.
    let compilers: Vec<String> = config.compilers()?.into_iter().map(|c| c.spec).collect();
    let all = config.externals()?;
    if all.is_empty() {
        return Ok(vec![Finding::skipped("no external package is configured")]);
    }
    let judged: Result<Vec<Option<Finding>>> =
        join_all(all.iter().map(|e| external(&look, e, compilers.contains(&e.spec))))
            .await
            .into_iter()
            .collect();
    let mut out: Vec<Finding> = judged?.into_iter().flatten().collect();
    if out.is_empty() {
        let modules = all.iter().filter(|e| e.prefix.is_none()).count();
        let rest = if modules > 0 {
            format!("; {modules} named by module only, not looked at")
        } else {
            String::new()
        };
        let count = all.len() - modules;
        out.push(
            Finding::pass(format!("{count} external packages exist{rest}")).measure(count as f64, "packages"),
        );
    }
    Ok(out)
}

async fn external(look: &CheckContext, external: &External, compiler: bool) -> Result<Option<Finding>> {
    let Some(prefix) = &external.prefix else { return Ok(None) };
    let (spec, shown) = (&external.spec, prefix.display());
    let fix = format!("correct or remove the entry at {}", external.origin);
    if !look.cx.world.eyes.is_folder(prefix) {
        let message = format!("the prefix {shown} of {spec} does not exist");
        return Ok(Some(Finding::fail(message).about(format!("{spec} {shown}")).fix(fix)));
    }
    let program = prefix.join("bin").join(&external.package);
    let recorded = recorded_version(spec).filter(|_| !compiler && is_executable(&look.cx, &program));
    let Some(recorded) = recorded else { return Ok(None) };
    // A program that answers otherwise than with a version says nothing about the package.
    let Answer::Versions(found) = program::version(&look.cx, &program, look.program_limit()).await? else {
        return Ok(None);
    };
    if agrees(recorded, &found) {
        return Ok(None);
    }
    let answered = found.first().map_or("", String::as_str);
    let message = format!("{} is version {answered}, but {spec} is recorded", program.display());
    Ok(Some(Finding::warn(message).about(format!("{spec} {shown}")).fix(fix).reference(recorded)))
}
