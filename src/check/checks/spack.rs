//! Is there a Spack, and is it one whose files are known?

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::site_view::is_executable;
use crate::base::Result;

pub const CHECK: Check = Check {
    name: "spack",
    doc: "Spack is found and its release is supported.",
    needs: &[],
    timeout: super::QUICK,
    optional: false,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(judge))
}

fn judge(look: &CheckContext) -> Result<Vec<Finding>> {
    let found = look.view.installation()?;
    if !is_executable(&look.cx, &found.spack_exe) {
        return Ok(vec![
            Finding::fail(format!("{} cannot be executed", found.spack_exe.display()))
                .fix(format!("chmod a+x {}", found.spack_exe.display())),
        ]);
    }
    let commit = found.commit.as_deref().and_then(|c| c.get(..10));
    let commit = commit.map_or_else(String::new, |c| format!(", commit {c}"));
    Ok(vec![Finding::pass(format!("Spack {}{commit} at {}", found.version_text, found.root.display()))])
}
