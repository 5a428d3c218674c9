//! The way into one whole generation: a module file for Environment Modules and Lmod, and a script for shells. Who
//! walks through `current/NAME` may meet two generations when it is switched meanwhile; who enters by these stays
//! within the one that was current then, for as long as the session or job lasts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::base::Result;
use crate::generation::series::place::Place;
use crate::generation::tree::modules::{self, ModuleFolders};
use crate::site::Cx;
use crate::spack::change::around::view::view_roots;
use crate::spack::config::Config;
use crate::spack::drive::session::Scope;
use crate::spack::text::yaml::Yaml;
use crate::world::Action;

/// What Spack looks for in a view where its configuration does not say.
const INSPECTIONS: &[(&str, &str)] = &[
    ("bin", "PATH"),
    ("man", "MANPATH"),
    ("share/man", "MANPATH"),
    ("share/aclocal", "ACLOCAL_PATH"),
    ("lib/pkgconfig", "PKG_CONFIG_PATH"),
    ("lib64/pkgconfig", "PKG_CONFIG_PATH"),
    ("share/pkgconfig", "PKG_CONFIG_PATH"),
    ("", "CMAKE_PREFIX_PATH"),
];
/// Says which generation a session is in.
const VARIABLE: &str = "MOONSTACK_GENERATION";

/// What a session needs of a generation.
#[derive(Debug, PartialEq)]
struct Entrance {
    title: String,
    /// Variable and folder, counted where the folder is there.
    paths: Vec<(String, PathBuf)>,
    tcl: Vec<ModuleFolders>,
    lmod: Vec<ModuleFolders>,
}

/// Writes `modulefiles/NAME`, the same for Lmod, and `activate.sh` into a generation.
pub async fn write(cx: &Cx, scope: &Scope, place: &Place, number: u64) -> Result<()> {
    let entrance = Entrance::of(cx, scope, place, number)?;
    let folder = place.generation(number);
    let modulefiles = folder.join("modulefiles");
    let named = |suffix: &str| modulefiles.join(format!("{}{suffix}", place.name));
    if !cx.world.eyes.is_folder(&modulefiles)? {
        cx.world.perform(Action::MakeFolder { path: modulefiles.clone() }).await?;
    }
    for (path, text) in [
        (named(""), entrance.tcl()),
        (named(".lua"), entrance.lua()),
        (folder.join("activate.sh"), entrance.shell()),
    ] {
        if !cx.world.eyes.read(&path).is_ok_and(|now| now == text.as_bytes()) {
            cx.world.perform(Action::write(path, text.into_bytes())).await?;
        }
    }
    Ok(())
}

impl Entrance {
    fn of(cx: &Cx, scope: &Scope, place: &Place, number: u64) -> Result<Entrance> {
        let eyes = &*cx.world.eyes;
        let mut out = Entrance {
            title: format!("{}/{number}", place.name),
            paths: Vec::new(),
            tcl: modules::folders(eyes, &scope.config, "tcl")?,
            lmod: modules::folders(eyes, &scope.config, "lmod")?,
        };
        let inspected = inspections(&scope.config)?;
        for root in view_roots(cx, scope)? {
            let found = inspected.iter().map(|(below, variable)| (variable.clone(), join(&root, below)));
            out.paths.extend(found);
        }
        Ok(out)
    }

    fn tcl(&self) -> String {
        let mut out = format!("#%Module1.0\nmodule-whatis {{generation {}}}\n", self.title);
        let _ = writeln!(out, "setenv {VARIABLE} {}", self.title);
        for (variable, path) in self.paths.iter().rev() {
            let path = tcl_word(path);
            let _ = writeln!(out, "if {{[file isdirectory {path}]}} {{ prepend-path {variable} {path} }}");
        }
        for folders in self.tcl.iter().rev() {
            let root = tcl_word(&folders.root);
            let _ = if folders.each_below {
                writeln!(
                    out,
                    "foreach folder [lsort [glob -nocomplain -type d -directory {root} *]] {{ prepend-path MODULEPATH $folder }}"
                )
            } else {
                writeln!(out, "if {{[file isdirectory {root}]}} {{ prepend-path MODULEPATH {root} }}")
            };
        }
        out
    }

    fn lua(&self) -> String {
        let mut out = format!("whatis(\"generation {}\")\nsetenv(\"{VARIABLE}\", \"{0}\")\n", self.title);
        for (variable, path) in self.paths.iter().rev() {
            let path = lua_word(path);
            let _ = writeln!(out, "if isDir({path}) then prepend_path(\"{variable}\", {path}) end");
        }
        // Lmod reads module files in Tcl as well.
        let all = if self.lmod.is_empty() { &self.tcl } else { &self.lmod };
        for folders in all.iter().rev() {
            let core = if folders.core { "/Core" } else { "" };
            if !folders.each_below {
                let root = lua_word(&folders.root.join(core.trim_start_matches('/')));
                let _ = writeln!(out, "if isDir({root}) then prepend_path(\"MODULEPATH\", {root}) end");
                continue;
            }
            let root = lua_word(&folders.root);
            let _ = write!(
                out,
                "if isDir({root}) then\n  local names = {{}}\n  for name in lfs.dir({root}) do names[#names + 1] = name \
                 end\n  table.sort(names)\n  for _, name in ipairs(names) do\n    local folder = {root} .. \"/\" .. name \
                 .. \"{core}\"\n    if name:sub(1, 1) ~= \".\" and isDir(folder) then prepend_path(\"MODULEPATH\", folder) \
                 end\n  end\nend\n"
            );
        }
        out
    }

    fn shell(&self) -> String {
        let mut out = format!("# Enters generation {0}.\nexport {VARIABLE}={0}\n", self.title);
        for (variable, path) in self.paths.iter().rev() {
            let path = shell_word(path);
            let _ = writeln!(out, "[ -d {path} ] && export {variable}={path}${{{variable}:+:${variable}}}");
        }
        for (test, all) in [("-z", &self.tcl), ("-n", &self.lmod)] {
            for folders in all.iter().rev() {
                let root = shell_word(&folders.root);
                let each = if folders.each_below { "/*" } else { "" };
                let core = if folders.core { "/Core" } else { "/" };
                let _ = writeln!(
                    out,
                    "[ {test} \"${{LMOD_CMD:-}}\" ] && for folder in {root}{each}{core}; do\n  [ -d \"$folder\" ] && export \
                     MODULEPATH=\"${{folder%/}}${{MODULEPATH:+:$MODULEPATH}}\"\ndone"
                );
            }
        }
        // The last test may have said no, and that is no failure of who reads this.
        out.push_str("unset folder\n:\n");
        out
    }
}

fn inspections(config: &Config) -> Result<Vec<(String, String)>> {
    let own = |(below, variable): &(&str, &str)| ((*below).to_owned(), (*variable).to_owned());
    let Some(said) = config.get("modules:prefix_inspections")?.filter(|said| said.is_map()) else {
        return Ok(INSPECTIONS.iter().map(own).collect());
    };
    let entries = said.entries().iter();
    Ok(entries.flat_map(|(key, list)| variables(&key.name, list)).collect())
}

fn variables(below: &str, list: &Yaml) -> Vec<(String, String)> {
    let below = below.trim_start_matches("./").trim_matches('/');
    let word =
        |name: &String| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
    list.texts().into_iter().filter(word).map(|name| (below.to_owned(), name)).collect()
}

fn join(root: &Path, below: &str) -> PathBuf {
    if below.is_empty() || below == "." { root.to_owned() } else { root.join(below) }
}

/// A word of Tcl: everything that means something to it is escaped.
fn tcl_word(path: &Path) -> String {
    let mut out = String::from("\"");
    for c in path.display().to_string().chars() {
        if "\\\"$[]{}".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out + "\""
}

fn lua_word(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

fn shell_word(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The names of folders are what a hostile or careless person may choose.
    const NAMES: &[&str] =
        &["plain", "with blank", "quo'te", "dou\"ble", "dollar$HOME", "brace{}", "[bracket]", "back\\slash"];

    fn folders(root: PathBuf, each_below: bool, core: bool) -> ModuleFolders {
        ModuleFolders { root, each_below, core }
    }

    #[test]
    fn a_shell_enters_and_nothing_in_a_path_is_taken_for_a_command() {
        let dir = tempfile::tempdir().unwrap();
        for name in NAMES {
            let root = dir.path().join(name);
            std::fs::create_dir_all(root.join("view/bin")).unwrap();
            std::fs::create_dir_all(root.join("tcl/linux-a")).unwrap();
            std::fs::create_dir_all(root.join("lmod/linux-a/Core")).unwrap();
            let entrance = Entrance {
                title: "science/2".into(),
                paths: vec![
                    ("PATH".into(), root.join("view/bin")),
                    ("MANPATH".into(), root.join("view/man")),
                ],
                tcl: vec![folders(root.join("tcl"), true, false)],
                lmod: vec![folders(root.join("lmod"), true, true)],
            };
            let flat = Entrance {
                tcl: vec![folders(root.join("tcl"), false, false)],
                lmod: vec![folders(root.join("lmod/linux-a"), false, true)],
                title: entrance.title.clone(),
                paths: entrance.paths.clone(),
            };
            let script = root.join("activate.sh");
            for (entrance, lmod, modules) in [
                (&entrance, "", root.join("tcl/linux-a")),
                (&entrance, "yes", root.join("lmod/linux-a/Core")),
                (&flat, "", root.join("tcl")),
                (&flat, "yes", root.join("lmod/linux-a/Core")),
            ] {
                std::fs::write(&script, entrance.shell()).unwrap();
                let words = [
                    "-euc",
                    r#"PATH=/usr/bin:/bin; . "$1"; printf '%s\n' "$PATH" "${MANPATH:-none}" "$MODULEPATH" "$MOONSTACK_GENERATION""#,
                    "sh",
                ];
                let mut shell = Command::new("sh");
                shell
                    .args(words)
                    .arg(&script)
                    .env("MODULEPATH", "/old")
                    .env("LMOD_CMD", lmod)
                    .env_remove("MANPATH");
                let output = shell.output().unwrap();
                let expected = format!(
                    "{}:/usr/bin:/bin\nnone\n{}:/old\nscience/2\n",
                    root.join("view/bin").display(),
                    modules.display()
                );
                assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{name}: {output:?}");
            }
        }
    }
}
