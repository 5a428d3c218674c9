//! The programs behind users' `module` on this machine.

use std::path::PathBuf;

use crate::site::Cx;

/// Where Lmod is if nobody says it.
const LMOD: &[&str] = &["/usr/share/lmod/lmod", "/opt/apps/lmod/lmod", "/usr/local/lmod/lmod"];

/// A program of Lmod: in the folder that the site file names, else where Lmod's own variables say or in a usual place.
pub fn of_lmod(cx: &Cx, name: &str) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = if let Some(folder) = &cx.site.loaded.config.lmod {
        vec![folder.clone()]
    } else {
        let told = ["LMOD_PKG", "LMOD_DIR"].into_iter().filter_map(|name| cx.site.variables.get(name));
        told.map(PathBuf::from).chain(LMOD.iter().map(PathBuf::from)).collect()
    };
    let within =
        |folder: &PathBuf| ["libexec", "", "lmod/libexec"].map(|below| folder.join(below).join(name));
    folders.iter().flat_map(within).find(|path| cx.world.eyes.finds_file(path))
}

/// A module system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleSystem {
    Lmod,
    /// Which reads module files in Tcl only.
    EnvironmentModules,
}

impl ModuleSystem {
    pub const ALL: &'static [ModuleSystem] = &[ModuleSystem::Lmod, ModuleSystem::EnvironmentModules];

    pub fn name(self) -> &'static str {
        match self {
            ModuleSystem::Lmod => "Lmod",
            ModuleSystem::EnvironmentModules => "Environment Modules",
        }
    }

    /// The variable that its start-up sets.
    pub fn variable(self) -> &'static str {
        match self {
            ModuleSystem::Lmod => "LMOD_CMD",
            ModuleSystem::EnvironmentModules => "MODULES_CMD",
        }
    }

    /// Where packages put the program of Environment Modules.
    const PLACES: &'static [&'static str] = &[
        "/usr/share/Modules/libexec/modulecmd.tcl",
        "/usr/share/modules/libexec/modulecmd.tcl",
        "/usr/lib/x86_64-linux-gnu/modulecmd.tcl",
        "/usr/lib/aarch64-linux-gnu/modulecmd.tcl",
        "/usr/local/Modules/libexec/modulecmd.tcl",
        "/usr/libexec/environment-modules/modulecmd.tcl",
    ];

    /// What its variable names, whether it is there or not.
    pub fn named(self, cx: &Cx) -> Option<PathBuf> {
        cx.site.variables.get(self.variable()).filter(|v| !v.is_empty()).map(PathBuf::from)
    }

    /// The program in one of its places.
    pub fn placed(self, cx: &Cx) -> Option<PathBuf> {
        match self {
            ModuleSystem::Lmod => of_lmod(cx, "lmod"),
            ModuleSystem::EnvironmentModules => {
                Self::PLACES.iter().map(PathBuf::from).find(|path| cx.world.eyes.finds_file(path))
            }
        }
    }

    /// The program, as its variable names it or in one of its places.
    pub fn program(self, cx: &Cx) -> Option<PathBuf> {
        self.named(cx).filter(|path| cx.world.eyes.finds_file(path)).or_else(|| self.placed(cx))
    }
}
