//! Is git there and does it run?

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::program::{self, Answer};
use super::super::site_view::SiteView;
use crate::base::{Kind, Result};

pub const CHECK: Check = Check {
    name: "git",
    doc: "git is on PATH and runs: Spack fetches recipes and sources with it.",
    needs: &["real_spack"],
    timeout: super::QUICK,
    optional: false,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(judge(look))
}

async fn judge(look: CheckContext) -> Result<Vec<Finding>> {
    let advice = "install git from the operating system";
    let Some(git) = SiteView::program(&look.cx, "git") else {
        return Ok(vec![Finding::fail("there is no git on PATH").fix(advice)]);
    };
    let shown = git.display();
    Ok(vec![match program::version(&look.cx, &git, look.program_limit()).await? {
        Answer::Versions(found) => {
            Finding::pass(format!("{shown} is git {}", found.first().map_or("", String::as_str)))
        }
        Answer::Nothing => Finding::warn(format!("{shown} does not state its version")).fix(advice),
        Answer::Hangs => Finding::fail(format!("{shown} does not answer")).kind(Kind::Timeout).fix(advice),
        Answer::Fails(how) => Finding::fail(format!("{shown} does not run: {how}")).fix(advice),
    }])
}
