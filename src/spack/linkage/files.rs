//! The files of a prefix that a loader could be asked to load: each once, whatever leads to it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::world::Eyes;
use crate::world::fs::eyes::FileKind;

/// Where programs and libraries are. The rest is data, which may hold anybody's programs.
const FOLDERS: &[&str] = &["bin", "sbin", "libexec", "lib", "lib64"];

/// Names that are never of programs or libraries: opening a file is what costs on a network file system.
const OTHERS: &[&str] = &[
    "a", "la", "o", "h", "hpp", "hxx", "mod", "pc", "cmake", "py", "pyc", "pyi", "pl", "pm", "pod", "tcl",
    "el", "lua", "r", "rb", "js", "css", "html", "htm", "xml", "json", "toml", "yaml", "yml", "md", "rst",
    "txt", "csv", "tex", "png", "svg", "gif", "jpg", "pdf", "gz", "bz2", "xz", "zip", "sh", "c", "cc", "cpp",
    "f90",
];

/// A link that leads on and on ends somewhere.
const LINKS: usize = 40;

pub struct Files<'e> {
    eyes: &'e dyn Eyes,
    seen: HashSet<(u64, u64)>,
}

/// What is in a prefix.
#[derive(Debug, Default)]
pub struct Held {
    /// Files that were not met before.
    pub files: Vec<PathBuf>,
    /// Libraries by their names, links to them as well.
    pub libraries: HashMap<String, PathBuf>,
    /// Folders that cannot be listed, by the message.
    pub troubles: Vec<String>,
}

impl<'e> Files<'e> {
    pub fn new(eyes: &'e dyn Eyes) -> Files<'e> {
        Files { eyes, seen: HashSet::new() }
    }

    pub fn of(&mut self, prefix: &Path) -> Held {
        let mut held = Held::default();
        let mut folders: Vec<PathBuf> = FOLDERS.iter().rev().map(|name| prefix.join(name)).collect();
        folders.retain(|folder| self.eyes.finds_folder(folder));
        while let Some(folder) = folders.pop() {
            let Ok(stat) = self.eyes.stat(&folder) else { continue };
            if !self.seen.insert((stat.device, stat.inode)) {
                continue;
            }
            let names = match self.eyes.list(&folder) {
                Ok(names) => names,
                Err(trouble) => {
                    held.troubles.push(trouble.message().to_owned());
                    continue;
                }
            };
            for name in names.into_iter().filter(|name| !is_other(name)) {
                let path = folder.join(&name);
                let Ok(stat) = self.eyes.lstat(&path) else { continue };
                if name.contains(".so") && stat.kind != FileKind::Folder {
                    held.libraries.entry(name).or_insert_with(|| path.clone());
                }
                match stat.kind {
                    FileKind::Folder => folders.push(path),
                    FileKind::Link => held.files.extend(self.behind(prefix, path)),
                    FileKind::File if self.seen.insert((stat.device, stat.inode)) => held.files.push(path),
                    FileKind::File | FileKind::Other => {}
                }
            }
        }
        held
    }

    /// The file that a link leads to, if it is one of the prefix that is met nowhere else.
    fn behind(&mut self, prefix: &Path, link: PathBuf) -> Option<PathBuf> {
        let mut path = link;
        for _ in 0..LINKS {
            let stat = self.eyes.lstat(&path).ok()?;
            match stat.kind {
                FileKind::Link => path = path.parent()?.join(self.eyes.read_link(&path).ok()?),
                FileKind::File => {
                    let path = crate::spack::config::paths::normal(&path);
                    let within = path.strip_prefix(prefix).ok()?;
                    // The walk comes to these by itself.
                    let walked = FOLDERS.iter().any(|folder| within.starts_with(folder));
                    return (!walked && self.seen.insert((stat.device, stat.inode))).then_some(path);
                }
                FileKind::Folder | FileKind::Other => return None,
            }
        }
        None
    }
}

fn is_other(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| OTHERS.iter().any(|other| end.eq_ignore_ascii_case(other)))
}
