//! `require`: the script's folder, the site's folders, the executable. Nothing else, so that a stray file in
//! the working folder or below `/usr/local` cannot become part of a workflow.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::chunk_names;
use crate::base::{Kind, Result, Trouble, digest};
use crate::world::Eyes;

/// A Lua text that is part of the executable.
pub struct Bundled {
    pub name: &'static str,
    pub text: &'static str,
}

/// Modules for `require`. A test compares the list with the folder.
pub const MODULES: &[Bundled] = &[
    Bundled { name: "matrix", text: include_str!("../../stdlib/matrix.lua") },
    Bundled { name: "report", text: include_str!("../../stdlib/report.lua") },
    Bundled { name: "report.difference", text: include_str!("../../stdlib/report/difference.lua") },
    Bundled { name: "report.page", text: include_str!("../../stdlib/report/page.lua") },
    Bundled { name: "report.sections", text: include_str!("../../stdlib/report/sections.lua") },
    Bundled { name: "retry", text: include_str!("../../stdlib/retry.lua") },
    Bundled { name: "testing", text: include_str!("../../stdlib/testing.lua") },
];

/// The modules with a page of their own in the reference. One with a dot in its name is a part of another.
pub fn documented() -> impl Iterator<Item = &'static Bundled> {
    MODULES.iter().filter(|m| !m.name.contains('.'))
}

/// Workflows for `moonstack run NAME`. A test compares the list with the folder.
pub const SCRIPTS: &[Bundled] = &[
    Bundled { name: "health-sweep", text: include_str!("../../scripts/health-sweep.lua") },
    Bundled { name: "install-list", text: include_str!("../../scripts/install-list.lua") },
    Bundled { name: "rollback", text: include_str!("../../scripts/rollback.lua") },
    Bundled { name: "snapshot-nightly", text: include_str!("../../scripts/snapshot-nightly.lua") },
    Bundled { name: "upgrade-with-snapshot", text: include_str!("../../scripts/upgrade-with-snapshot.lua") },
];

/// Finds modules and named scripts.
#[derive(Clone)]
pub struct Loader {
    pub eyes: Arc<dyn Eyes>,
    /// Folders in order: the script's own, then the site's.
    pub folders: Vec<PathBuf>,
    /// The modules that were asked for, with the digests of their texts.
    pub taken: Rc<RefCell<BTreeMap<String, String>>>,
}

/// A text and the name that errors show.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub text: Vec<u8>,
}

impl Loader {
    pub fn module(&self, name: &str) -> Result<Source> {
        let source = self.find_module(name)?;
        self.taken.borrow_mut().insert(source.name.clone(), digest::bytes(&source.text));
        Ok(source)
    }

    fn find_module(&self, name: &str) -> Result<Source> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || !name.chars().all(good) || name.starts_with('.') || name.contains("..") {
            return Err(Trouble::usage(format!("'{name}' is not a module name"))
                .hint("module names have letters, digits, '_', '-' and '.' between folders"));
        }
        let relative = PathBuf::from(name.replace('.', "/")).with_extension("lua");
        for folder in &self.folders {
            let path = folder.join(&relative);
            if self.eyes.finds_file(&path) {
                return Ok(Source { name: path.display().to_string(), text: self.eyes.read(&path)? });
            }
        }
        if let Some(found) = MODULES.iter().find(|m| m.name == name) {
            return Ok(Source { name: chunk_names::file(name), text: found.text.into() });
        }
        let folders: Vec<String> = self.folders.iter().map(|f| f.display().to_string()).collect();
        Err(Trouble::unknown("module", name, MODULES.iter().map(|m| m.name)).fact("folders", folders))
    }

    /// A script by name (the site's before the bundled), or by path.
    pub fn script(&self, name: &str) -> Result<Source> {
        let path = PathBuf::from(name);
        if name.contains('/') || path.extension().is_some_and(|e| e == "lua") {
            return Ok(Source { name: name.to_owned(), text: self.eyes.read(&path)? });
        }
        for folder in &self.folders {
            let path = folder.join(name).with_extension("lua");
            if self.eyes.finds_file(&path) {
                return Ok(Source { name: path.display().to_string(), text: self.eyes.read(&path)? });
            }
        }
        if let Some(found) = SCRIPTS.iter().find(|s| s.name == name) {
            return Ok(Source { name: format!("{name}.lua"), text: found.text.into() });
        }
        let names = self.names();
        let trouble = Trouble::unknown("workflow", name, names.iter().map(String::as_str)).hint(
            "`moonstack workflows` lists them; a script file is given with its path or ending: ./NAME.lua",
        );
        Err(if path.exists() {
            trouble.hint(format!("to run the file: moonstack run ./{name}"))
        } else {
            trouble
        })
    }

    /// The text of a chunk by the name that errors show, if it can still be read.
    pub fn text_of(&self, chunk: &str) -> Option<String> {
        if chunk_names::is_ours(chunk) {
            return MODULES.iter().find(|m| chunk_names::file(m.name) == chunk).map(|m| m.text.to_owned());
        }
        let path = PathBuf::from(chunk);
        if self.eyes.finds_file(&path) {
            return self.eyes.read(&path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        }
        let name = chunk.strip_suffix(".lua")?;
        SCRIPTS.iter().find(|s| s.name == name).map(|s| s.text.to_owned())
    }

    /// Names of the modules that are part of the executable.
    pub fn module_names(&self) -> Vec<String> {
        MODULES.iter().map(|m| m.name.to_owned()).collect()
    }

    /// Names of all workflows, the site's first.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for folder in &self.folders {
            for file in self.eyes.list(folder).unwrap_or_default() {
                if let Some(name) = file.strip_suffix(".lua") {
                    names.push(name.to_owned());
                }
            }
        }
        names.extend(SCRIPTS.iter().map(|s| s.name.to_owned()));
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|n| seen.insert(n.clone()));
        names
    }
}

/// The text of a script; byte code is refused, because it can break the machine.
pub fn check_text(source: &Source) -> Result<()> {
    if source.text.first() == Some(&0x1b) {
        return Err(Trouble::new(Kind::Script, format!("{} is byte code; only text is run", source.name)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundled(folder: &str) -> Vec<String> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut names: Vec<String> = std::fs::read_dir(path)
            .unwrap()
            .filter_map(|e| e.unwrap().file_name().to_str()?.strip_suffix(".lua").map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_lists_and_the_folders_agree() {
        let mut modules: Vec<&str> = MODULES.iter().map(|m| m.name).collect();
        modules.sort_unstable();
        let parts = bundled("stdlib/report").into_iter().map(|name| format!("report.{name}"));
        let mut files: Vec<String> = bundled("stdlib").into_iter().chain(parts).collect();
        files.sort();
        assert_eq!(files, modules);
        let mut scripts: Vec<&str> = SCRIPTS.iter().map(|m| m.name).collect();
        scripts.sort_unstable();
        assert_eq!(bundled("scripts"), scripts);
    }

    #[test]
    fn retry_knows_every_kind() {
        let text = MODULES.iter().find(|m| m.name == "retry").unwrap().text;
        let list = text.split_once("local KINDS = {").unwrap().1.split_once('}').unwrap().0;
        let named: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        let kinds: Vec<&str> = Kind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(named, kinds);
    }

    #[test]
    fn a_module_name_cannot_leave_the_folders() {
        let loader = Loader {
            eyes: Arc::new(crate::world::fs::eyes::LiveEyes),
            folders: vec!["/tmp".into()],
            taken: Rc::default(),
        };
        for name in ["../etc/passwd", "a/b", "..", ".hidden", ""] {
            assert_eq!(loader.module(name).unwrap_err().kind(), Kind::Usage, "{name}");
        }
    }
}
