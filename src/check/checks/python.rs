//! Does the Python that Spack will use run, and is it new enough?

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::program;
use crate::base::{Kind, Result};

pub const CHECK: Check = Check {
    name: "python",
    doc: "The Python that Spack uses runs and is at least 3.6.",
    needs: &["spack", "real_spack"],
    timeout: super::QUICK,
    optional: false,
    run,
};

const OLDEST: (u32, u32) = (3, 6);

/// States the version, and whether the solver can be imported without being bootstrapped.
const PROGRAM: &str = "import sys\nprint('%d.%d.%d' % sys.version_info[:3])\n\
try:\n  import clingo\n  print('clingo')\nexcept Exception:\n  pass\n";

fn run(look: CheckContext) -> Looking {
    Box::pin(judge(look))
}

async fn judge(look: CheckContext) -> Result<Vec<Finding>> {
    let advice = "install Python 3.6 or newer, or name one in the variable SPACK_PYTHON";
    let Some(python) = look.view.installation()?.python.clone() else {
        return Ok(vec![Finding::fail("there is no Python on PATH, and Spack is written in it").fix(advice)]);
    };
    let shown = python.display().to_string();
    let ran = match program::ask(&look.cx, &[&shown, "-c", PROGRAM], look.program_limit()).await {
        Err(t) if t.is(Kind::Cancelled) => return Err(t),
        Err(t) => return Ok(vec![Finding::fail(t.message()).fix(advice)]),
        Ok(ran) => ran,
    };
    if ran.ended.is_some() {
        return Ok(vec![Finding::fail(format!("{shown} does not answer")).kind(Kind::Timeout).fix(advice)]);
    }
    let mut lines = ran.stdout.lines();
    let version = lines.next().unwrap_or_default().trim().to_owned();
    let mut parts = version.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor)), true) = (parts.next(), parts.next(), ran.ok()) else {
        let said = ran.stderr.lines().last().unwrap_or("it says nothing").to_owned();
        return Ok(vec![Finding::fail(format!("{shown} does not run: {said}")).fix(advice)]);
    };
    let reference = format!("at least {}.{}", OLDEST.0, OLDEST.1);
    if (major, minor) < OLDEST {
        let message = format!("{shown} is Python {version}, which is too old for Spack");
        return Ok(vec![Finding::fail(message).fix(advice).reference(reference)]);
    }
    let solver = if lines.next() == Some("clingo") { "has clingo" } else { "clingo will be bootstrapped" };
    Ok(vec![Finding::pass(format!("{shown} is Python {version}, {solver}")).reference(reference)])
}
