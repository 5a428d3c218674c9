//! The programs behind users' `module` on this machine.

use std::path::PathBuf;

use crate::site::Cx;

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

    /// Where packages put its program.
    fn places(self) -> &'static [&'static str] {
        match self {
            ModuleSystem::Lmod => &["/usr/share/lmod/lmod/libexec/lmod", "/opt/apps/lmod/lmod/libexec/lmod"],
            ModuleSystem::EnvironmentModules => &[
                "/usr/share/Modules/libexec/modulecmd.tcl",
                "/usr/share/modules/libexec/modulecmd.tcl",
                "/usr/lib/x86_64-linux-gnu/modulecmd.tcl",
                "/usr/lib/aarch64-linux-gnu/modulecmd.tcl",
                "/usr/local/Modules/libexec/modulecmd.tcl",
                "/usr/libexec/environment-modules/modulecmd.tcl",
            ],
        }
    }

    /// What its variable names, whether it is there or not.
    pub fn named(self, cx: &Cx) -> Option<PathBuf> {
        cx.site.variables.get(self.variable()).filter(|v| !v.is_empty()).map(PathBuf::from)
    }

    /// The program in one of its places.
    pub fn placed(self, cx: &Cx) -> Option<PathBuf> {
        self.places().iter().map(PathBuf::from).find(|path| cx.world.eyes.is_file(path))
    }

    /// The program, as its variable names it or in one of its places.
    pub fn program(self, cx: &Cx) -> Option<PathBuf> {
        self.named(cx).filter(|path| cx.world.eyes.is_file(path)).or_else(|| self.placed(cx))
    }
}
