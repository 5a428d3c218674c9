//! The module files of a generation: the folders that stand in the MODULEPATH of its users, also those of a store that
//! it is chained to; what of it is there; and whether it loads from where a user would load it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use crate::base::{Kind, Result};
use crate::generation::series::place::Place;
use crate::site::Cx;
use crate::spack::config::Config;
use crate::spack::lock::contents::LockContents;
use crate::spack::read::module_system::ModuleSystem;
use crate::spack::text::yaml::{self, Yaml};
use crate::world::proc::program::Program;
use crate::world::{Action, Eyes};

/// What Spack writes beside its module files: which hash has which file.
const INDEX: &str = "module-index.yaml";
/// So long one module may take to load.
const PATIENCE: Duration = Duration::from_mins(1);

static AUTOLOAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?m)^\s*(?:(?:depends-on|module\s+load|always-load)\s+(\S+)|(?:depends_on|load|always_load)\(\s*"([^"]+)"\s*\))"#)
        .ok()
});

/// Folders that stand in MODULEPATH once somebody has entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFolders {
    pub root: PathBuf,
    /// Each folder below the root is one, as Spack makes them by architecture.
    pub each_below: bool,
    /// Module files in Lua stand one level deeper.
    pub core: bool,
}

impl ModuleFolders {
    /// Those that are there now.
    pub fn now(&self, eyes: &dyn Eyes) -> Vec<PathBuf> {
        let mut folders = vec![self.root.clone()];
        if self.each_below {
            let names = eyes.list(&self.root).unwrap_or_default();
            folders = names.into_iter().map(|name| self.root.join(name)).collect();
        }
        let deeper = folders.into_iter().map(|folder| if self.core { folder.join("Core") } else { folder });
        deeper.filter(|folder| eyes.finds_folder(folder)).collect()
    }
}

/// All of one kind, in the order in which users look into them: the generation's own first.
pub fn folders(eyes: &dyn Eyes, config: &Config, kind: &str) -> Result<Vec<ModuleFolders>> {
    let mut out = Vec::new();
    for set in config.module_sets()? {
        out.extend(set.placed().filter(|(own, _)| *own == kind).map(|(kind, root)| ModuleFolders {
            root: root.to_owned(),
            each_below: set.arch_folder,
            core: kind == "lmod",
        }));
    }
    if out.is_empty() {
        return Ok(out);
    }
    for upstream in config.upstreams()? {
        for (_, root) in upstream.modules.iter().filter(|(own, _)| own == kind) {
            let folders: BTreeSet<PathBuf> =
                index(eyes, root)?.into_values().filter_map(|m| m.folder()).collect();
            // Of a hierarchy, the others are found from its core.
            let reached = folders.into_iter().filter(|folder| kind != "lmod" || folder.ends_with("Core"));
            out.extend(reached.map(|root| ModuleFolders { root, each_below: false, core: false }));
        }
    }
    Ok(out)
}

/// A module file, and how users call it.
#[derive(Debug, Clone)]
struct ModuleFile {
    path: PathBuf,
    name: String,
}

impl ModuleFile {
    /// The folder that has to be in MODULEPATH for it.
    fn folder(&self) -> Option<PathBuf> {
        let path = self.path.to_str()?;
        let path = path.strip_suffix(".lua").unwrap_or(path);
        path.strip_suffix(&self.name)?.strip_suffix('/').map(PathBuf::from)
    }
}

/// By hash. None, where Spack wrote no index.
fn index(eyes: &dyn Eyes, root: &Path) -> Result<BTreeMap<String, ModuleFile>> {
    let file = root.join(INDEX);
    let text = match eyes.read_text(&file) {
        Err(trouble) if trouble.is(Kind::NotFound) => return Ok(BTreeMap::new()),
        other => other?,
    };
    let tree = yaml::parse(&text, &file)?;
    let entries = tree.get("module_index").map(Yaml::entries).unwrap_or_default();
    let text = |entry: &Yaml, key: &str| entry.get(key).and_then(Yaml::scalar_text);
    Ok(entries
        .iter()
        .filter_map(|(hash, entry)| {
            let (path, name) = (text(entry, "path")?, text(entry, "use_name")?);
            Some((hash.name.clone(), ModuleFile { path: PathBuf::from(path), name }))
        })
        .collect())
}

/// A module to try: of which kind, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub kind: String,
    pub name: String,
}

/// What was found in the files.
#[derive(Debug, Default)]
pub struct ModulesLook {
    pub problems: Vec<String>,
    /// One of each kind and set: that of a root which takes most others with it.
    pub trials: Vec<Trial>,
}

/// Looks at the module files of the lock's hashes, and for every module that they load by themselves.
pub fn look(eyes: &dyn Eyes, config: &Config, lock: &LockContents) -> Result<ModulesLook> {
    let mut out = ModulesLook::default();
    let roots = lock.root_hashes();
    for set in config.module_sets()? {
        for (kind, root) in set.placed() {
            if !lock.specs.is_empty() && !eyes.is_folder(root)? {
                let place = root.display();
                out.problems.push(format!("the {kind} modules of '{}' are not in {place}", set.name));
                continue;
            }
            let known = known(eyes, config, kind)?;
            let own: Vec<(String, ModuleFile)> =
                index(eyes, root)?.into_iter().filter(|(hash, _)| lock.specs.contains_key(hash)).collect();
            let mut best: Option<(bool, usize, String)> = None;
            for (hash, file) in own {
                let Ok(text) = eyes.read_text(&file.path) else {
                    out.problems.push(format!(
                        "the {kind} module {} is not at {}",
                        file.name,
                        file.path.display()
                    ));
                    continue;
                };
                let loads = autoloads(&text);
                for name in loads.iter().filter(|name| !known.has(eyes, name)) {
                    out.problems.push(format!(
                        "the {kind} module {} loads {name}, which is in no folder that users look into (those of \
                         an upstream are named by its `modules` in upstreams.yaml, others by MODULEPATH under \
                         [variables] of the site file)",
                        file.name
                    ));
                }
                // Deeper in a hierarchy a module is loaded after the compiler or the MPI that leads to it.
                if !file.folder().is_some_and(|folder| known.folders.contains(&folder)) {
                    continue;
                }
                let is_root = roots.contains(&hash);
                let rank = (is_root, loads.len(), file.name);
                best = best.max(Some(rank));
            }
            out.trials.extend(best.map(|(_, _, name)| Trial { kind: kind.to_owned(), name }));
        }
    }
    out.problems.dedup();
    Ok(out)
}

/// Names that users can load.
struct Known {
    names: BTreeSet<String>,
    folders: Vec<PathBuf>,
}

impl Known {
    fn has(&self, eyes: &dyn Eyes, name: &str) -> bool {
        let is_file = |folder: &PathBuf| {
            let path = folder.join(name);
            let lua = PathBuf::from(format!("{}.lua", path.display()));
            // Where it cannot be told, loading it will tell.
            [path, lua].iter().any(|path| eyes.exists(path).unwrap_or(true))
        };
        self.names.contains(name) || self.folders.iter().any(is_file)
    }
}

fn known(eyes: &dyn Eyes, config: &Config, kind: &str) -> Result<Known> {
    let mut names = BTreeSet::new();
    for set in config.module_sets()? {
        for (_, root) in set.placed().filter(|(own, _)| *own == kind) {
            // An index goes on with files that are gone.
            let there =
                index(eyes, root)?.into_values().filter(|file| eyes.exists(&file.path).unwrap_or(true));
            names.extend(there.map(|file| file.name));
        }
    }
    let mut all: Vec<PathBuf> = folders(eyes, config, kind)?.iter().flat_map(|f| f.now(eyes)).collect();
    all.extend(std::env::split_paths(others(&config.sub.vars)));
    Ok(Known { names, folders: all })
}

/// What users have in MODULEPATH before they enter, as far as this process or the site file says it.
fn others(variables: &BTreeMap<String, String>) -> &str {
    variables.get("MODULEPATH").map_or("", String::as_str)
}

fn autoloads(text: &str) -> Vec<String> {
    let found = AUTOLOAD.as_ref().into_iter().flat_map(|re| re.captures_iter(text));
    let names: BTreeSet<String> =
        found.filter_map(|c| c.get(1).or_else(|| c.get(2))).map(|name| name.as_str().to_owned()).collect();
    names.into_iter().collect()
}

/// Loads the modules as a user does who has entered the generation, with the module systems of this machine. What does
/// not load, and why.
pub async fn load(cx: &Cx, place: &Place, number: u64, trials: &[Trial]) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for trial in trials {
        let systems: &[ModuleSystem] = match trial.kind.as_str() {
            "lmod" => &[ModuleSystem::Lmod],
            // Within Lmod the entering module leads to the modules for Lmod, if there are any.
            _ if trials.iter().any(|other| other.kind == "lmod") => &[ModuleSystem::EnvironmentModules],
            _ => &[ModuleSystem::EnvironmentModules, ModuleSystem::Lmod],
        };
        let Some((system, program)) = systems.iter().find_map(|s| Some((*s, s.program(cx)?))) else {
            continue;
        };
        if system == ModuleSystem::Lmod && is_hidden_from_root(cx, place, number) {
            continue;
        }
        if let Some(why) = fails(cx, &program, place, number, trial).await? {
            problems.push(format!(
                "the {} module {} does not load in {}: {why}",
                trial.kind,
                trial.name,
                system.name()
            ));
        }
    }
    Ok(problems)
}

/// Run by root, Lmod takes module files for none that not everybody may read.
fn is_hidden_from_root(cx: &Cx, place: &Place, number: u64) -> bool {
    let entering = place.generation(number).join("modulefiles").join(&place.name);
    let for_all = cx.world.eyes.stat(&entering).is_ok_and(|stat| stat.mode & 0o004 != 0);
    nix::unistd::geteuid().is_root() && !for_all
}

/// Variables of a shell that say how its `module` works, and nothing of what is loaded in it.
const PASSED: &[&str] = &["HOME", "LANG", "LMOD_DIR", "LMOD_PKG", "LMOD_ROOT", "MODULESHOME", "PATH", "USER"];

async fn fails(cx: &Cx, program: &Path, place: &Place, number: u64, trial: &Trial) -> Result<Option<String>> {
    let passed = PASSED.iter().filter_map(|n| Some(((*n).to_owned(), cx.site.variables.get(*n)?.clone())));
    let mut env: BTreeMap<String, String> = passed.collect();
    let entering = place.generation(number).join("modulefiles");
    let mut path = entering.display().to_string();
    if let Some(others) = Some(others(&cx.site.variables)).filter(|others| !others.is_empty()) {
        path.push_str(&format!(":{others}"));
    }
    env.insert("MODULEPATH".to_owned(), path);
    let argv = [&program.display().to_string(), "bash", "load", &place.name, &trial.name].map(str::to_owned);
    let program =
        Program { argv: argv.to_vec(), env, clear_env: true, timeout: Some(PATIENCE), ..Program::default() };
    let ran = cx.world.perform(Action::look(program)).await?.ran();
    let said = ran.stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let told: Vec<&str> = said.filter(|line| line.to_lowercase().contains("error")).take(1).collect();
    if ran.ok() && told.is_empty() {
        return Ok(None);
    }
    let all = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = all.chars().take(300).collect();
    Ok(Some(if shown.is_empty() { String::from("it says nothing") } else { shown }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_loads_by_itself_is_read_in_both_languages() {
        let tcl = "conflict a\nif {![info exists ::env(LMOD_VERSION_MAJOR)]} {\n    module load zlib/1.3-x\n} else {\n    depends-on zlib/1.3-x\n}\nprepend-path PATH /x\n";
        assert_eq!(autoloads(tcl), ["zlib/1.3-x"]);
        let lua = "depends_on(\"zlib/1.3\")\n-- load(\"comment/1\")\nload(\"b/2\")\nprepend_path(\"PATH\", \"/x\")\n";
        assert_eq!(autoloads(lua), ["b/2", "zlib/1.3"]);
    }

    #[test]
    fn the_folder_of_a_module_is_where_its_name_begins() {
        let file = |path: &str, name: &str| ModuleFile { path: path.into(), name: name.to_owned() }.folder();
        assert_eq!(file("/m/linux-a/zlib/1.3", "zlib/1.3"), Some("/m/linux-a".into()));
        assert_eq!(file("/m/linux/Core/zlib/1.3.lua", "zlib/1.3"), Some("/m/linux/Core".into()));
        assert_eq!(file("/m/other", "zlib/1.3"), None);
    }
}
