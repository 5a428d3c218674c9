//! Is there a module system for the modules that Spack writes?

use std::path::PathBuf;

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::site_view::SiteView;
use crate::base::Result;

pub const CHECK: Check = Check {
    name: "modules",
    doc: "Lmod or Environment Modules is installed.",
    needs: &["real_spack"],
    timeout: super::QUICK,
    optional: true,
    run,
};

/// Name, the variable that its start-up sets, and where packages put it.
const SYSTEMS: &[(&str, &str, &[&str])] = &[
    ("Lmod", "LMOD_CMD", &["/usr/share/lmod/lmod/libexec/lmod", "/opt/apps/lmod/lmod/libexec/lmod"]),
    (
        "Environment Modules",
        "MODULES_CMD",
        &[
            "/usr/share/Modules/libexec/modulecmd.tcl",
            "/usr/share/modules/libexec/modulecmd.tcl",
            "/usr/lib/x86_64-linux-gnu/modulecmd.tcl",
            "/usr/lib/aarch64-linux-gnu/modulecmd.tcl",
            "/usr/local/Modules/libexec/modulecmd.tcl",
            "/usr/libexec/environment-modules/modulecmd.tcl",
        ],
    ),
];

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(judge))
}

fn judge(look: &CheckContext) -> Result<Vec<Finding>> {
    let eyes = &look.cx.world.eyes;
    for (name, variable, places) in SYSTEMS {
        let named = look.cx.site.variables.get(*variable).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(named) = named {
            return Ok(vec![if eyes.is_file(&named) {
                Finding::pass(format!("{name} at {}", named.display()))
            } else {
                Finding::warn(format!("{variable} names {}, which does not exist", named.display()))
                    .fix(format!("install {name} again, or log in afresh"))
            }]);
        }
        if let Some(place) = places.iter().find(|p| eyes.is_file(p.as_ref())) {
            return Ok(vec![Finding::pass(format!("{name} at {place}"))]);
        }
    }
    Ok(vec![match SiteView::program(&look.cx, "modulecmd") {
        Some(program) => Finding::pass(format!("Environment Modules at {}", program.display())),
        None => Finding::skipped("no module system was found; none is needed unless users load modules"),
    }])
}
