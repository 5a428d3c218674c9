//! The programs behind users' `module`: Environment Modules, and Lmod, where this machine has them.

use std::path::PathBuf;
use std::process::Command;

use super::trial::Lack;

pub struct ModuleProgram {
    path: PathBuf,
    /// What it wants to know beside MODULEPATH.
    env: Vec<(&'static str, PathBuf)>,
}

/// Debian's `environment-modules`.
pub fn environment_modules() -> Option<ModuleProgram> {
    let path = which("modulecmd")?;
    Some(ModuleProgram { path, env: Vec::new() })
}

/// The folder of Lmod where its variables say, or in its usual place. Debian does not install it beside Environment
/// Modules.
pub fn lmod_package() -> Option<PathBuf> {
    let told = ["LMOD_PKG", "LMOD_DIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    let usual = ["/usr/share/lmod/lmod", "/opt/apps/lmod/lmod"].map(PathBuf::from);
    let with_parents = told.flat_map(|folder| [folder.join(".."), folder]).chain(usual);
    with_parents.into_iter().find(|f| f.join("libexec/update_lmod_system_cache_files").is_file())
}

pub fn no_lmod() -> Lack {
    lmod_package().is_none().then(|| "no Lmod; LMOD_PKG names its folder".to_owned())
}

pub fn lmod() -> Option<ModuleProgram> {
    let folder = lmod_package()?.join("libexec");
    Some(ModuleProgram { path: folder.join("lmod"), env: vec![("LMOD_DIR", folder)] })
}

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

impl ModuleProgram {
    /// A shell of somebody who has `module` and this MODULEPATH; `script` may say `module`.
    fn shell(&self, script: &str, module_path: &str) -> Command {
        let mut command = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["MODULE", "LMOD", "_LMFILES", "LOADEDMODULES", "BASH_ENV"].iter().any(|p| text.starts_with(p))
            {
                command.env_remove(&name);
            }
        }
        let script =
            format!("set -e\nmodule() {{ eval \"$('{}' bash \"$@\")\"; }}\n{script}", self.path.display());
        command.args(["-c", &script]).env("MODULEPATH", module_path);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What the script makes `module` say; it says everything for people, on standard error.
    pub fn says(&self, script: &str, module_path: &str) -> Result<String, String> {
        let output = self.shell(script, module_path).output().map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() && !text.to_lowercase().contains("error") {
            return Ok(text);
        }
        Err(format!("{}: {text}{}", output.status, String::from_utf8_lossy(&output.stdout)))
    }
}
