//! Is there a module system for the modules that Spack writes?

use super::super::definition::{Check, CheckContext, Looking};
use super::super::finding::Finding;
use super::super::site_view::SiteView;
use crate::base::Result;
use crate::spack::read::module_system::ModuleSystem;

pub const CHECK: Check = Check {
    name: "modules",
    doc: "Lmod or Environment Modules is installed.",
    needs: &["real_spack"],
    timeout: super::QUICK,
    optional: true,
    run,
};

fn run(look: CheckContext) -> Looking {
    Box::pin(look.blocking(judge))
}

fn judge(look: &CheckContext) -> Result<Vec<Finding>> {
    for system in ModuleSystem::ALL {
        let (name, variable) = (system.name(), system.variable());
        if let Some(named) = system.named(&look.cx) {
            return Ok(vec![if look.cx.world.eyes.finds_file(&named) {
                Finding::pass(format!("{name} at {}", named.display()))
            } else {
                Finding::warn(format!("{variable} names {}, which does not exist", named.display()))
                    .fix(format!("install {name} again, or log in afresh"))
            }]);
        }
        if let Some(place) = system.placed(&look.cx) {
            return Ok(vec![Finding::pass(format!("{name} at {}", place.display()))]);
        }
    }
    Ok(vec![match SiteView::program(&look.cx, "modulecmd") {
        Some(program) => Finding::pass(format!("Environment Modules at {}", program.display())),
        None => Finding::skipped("no module system was found; none is needed unless users load modules"),
    }])
}
