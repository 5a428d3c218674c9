//! Whether what a generation installs can be loaded, told in the terms of who installs it: which package, which of
//! its files, what it needs, and where that was. What many files lack for one reason is told once.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde::Deserialize;

use crate::base::Result;
use crate::spack::config::Config;
use crate::spack::linkage::allowed::Allowed;
use crate::spack::linkage::{How, Lack, Linkage};
use crate::spack::store::row::SpecRow;
use crate::world::Eyes;

/// A package of the lock, and where it is.
pub struct Installed<'l> {
    pub row: &'l SpecRow,
    pub prefix: PathBuf,
}

impl Installed<'_> {
    pub fn title(&self) -> String {
        title(self.row)
    }

    /// It was built for this operating system, whose own libraries can then be what it needs.
    fn is_native(&self, config: &Config) -> bool {
        let (here, there) = (config.sub.host.os.as_ref(), self.row.arch.os.as_ref());
        here.zip(there).is_none_or(|(here, there)| here == there)
    }
}

pub fn title(row: &SpecRow) -> String {
    format!("{}@{}/{}", row.name, row.version, row.hash.get(..7).unwrap_or(&row.hash))
}

/// Files that were looked at, and what is wrong with them.
pub fn look(eyes: &dyn Eyes, config: &Config, installed: &[Installed<'_>]) -> Result<(usize, Vec<String>)> {
    let mut linkage = Linkage::new(eyes);
    let mut told = Told::default();
    for one in installed {
        let found = linkage.look(&one.prefix);
        told.lines.extend(found.troubles.into_iter().map(Line::new));
        if found.lacks.is_empty() {
            continue;
        }
        let allowed = Allowed::of(eyes, config, &one.row.name, &one.prefix)?;
        let native = one.is_native(config);
        for lack in found.lacks {
            told.add(eyes, installed, one, lack, &allowed, native);
        }
    }
    Ok((linkage.followed, told.lines.iter().filter(|line| line.matters).map(Line::text).collect()))
}

struct Line {
    text: String,
    /// How many more files need what this one needs.
    more: usize,
    /// An empty library may have been installed so, as by `spack install --fake`; it matters to who needs it.
    matters: bool,
}

impl Line {
    fn new(text: String) -> Line {
        Line { text, more: 0, matters: true }
    }

    fn text(&self) -> String {
        match self.more {
            0 => self.text.clone(),
            1 => format!("{}; another file needs it", self.text),
            more => format!("{}; {more} other files need it", self.text),
        }
    }
}

/// What the manifest says of a path, which is not asked here.
#[derive(Deserialize)]
struct Skipped {
    #[serde(default, rename = "mode")]
    _mode: Option<u32>,
}

/// What makes two troubles one.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Cause {
    Library(String),
    /// By device and inode.
    File(u64, u64),
    Version(PathBuf, String),
}

#[derive(Default)]
struct Told {
    lines: Vec<Line>,
    by: HashMap<Cause, usize>,
    /// Where each library was when its package was installed.
    was: Option<BTreeMap<String, PathBuf>>,
}

impl Told {
    fn add(
        &mut self,
        eyes: &dyn Eyes,
        installed: &[Installed<'_>],
        one: &Installed<'_>,
        lack: Lack,
        allowed: &Allowed,
        native: bool,
    ) {
        // A library of another package of the lock may be what lacks something.
        let owner = installed.iter().find(|other| lack.file.starts_with(&other.prefix)).unwrap_or(one);
        let file = lack.file.strip_prefix(&owner.prefix).unwrap_or(&lack.file).display();
        let whose = format!("{}: {file}", owner.title());
        let library = lack.needs.unwrap_or_default();
        let excused = lack.foreign || !native || allowed.has(&library);
        let needs = !library.is_empty();
        let mut matters = true;
        let (cause, words) = match lack.how {
            How::Damaged(path, why) => {
                let words = if needs {
                    format!("{whose} needs {library}, and {} is damaged: {why}", path.display())
                } else {
                    format!("{whose} is damaged: {why}")
                };
                let stat = eyes.stat(&path);
                matters = needs || stat.as_ref().is_ok_and(|stat| stat.size > 0);
                let cause = stat.map(|stat| Cause::File(stat.device, stat.inode));
                (cause.unwrap_or(Cause::Library(library.clone())), words)
            }
            How::Nowhere(met) => {
                let was = self
                    .was(eyes, installed)
                    .get(&library)
                    .filter(|path| eyes.is_file(path).is_ok_and(|there| !there));
                if excused && was.is_none() {
                    return;
                }
                let hint = match (was.and_then(|path| path.parent()), met) {
                    (Some(folder), _) => format!(" (it was in {})", folder.display()),
                    (None, Some((path, why))) => format!(" ({}: {why})", path.display()),
                    (None, None) => String::new(),
                };
                (
                    Cause::Library(library.clone()),
                    format!("{whose} needs {library}, which is found nowhere{hint}"),
                )
            }
            How::Version(..) | How::NoLoader if excused => return,
            How::Version(path, version) => {
                let words =
                    format!("{whose} needs {version} of {library}, which {} does not have", path.display());
                (Cause::Version(path, version), words)
            }
            How::NoLoader => {
                let words = format!("{whose} is started by {library}, which is not there");
                (Cause::Library(library.clone()), words)
            }
        };
        if let Some(line) = self.by.get(&cause).and_then(|at| self.lines.get_mut(*at)) {
            line.more += 1;
            line.matters |= matters;
            // What is damaged says more than what needs it.
            if !needs {
                line.text = words;
            }
        } else {
            self.by.insert(cause, self.lines.len());
            self.lines.push(Line { matters, ..Line::new(words) });
        }
    }

    fn was(&mut self, eyes: &dyn Eyes, installed: &[Installed<'_>]) -> &BTreeMap<String, PathBuf> {
        self.was.get_or_insert_with(|| {
            let mut out = BTreeMap::new();
            for one in installed {
                let Ok(text) = eyes.read(&one.prefix.join(crate::spack::store::prefix_manifest::FILE)) else {
                    continue;
                };
                let Ok(paths) = serde_json::from_slice::<HashMap<String, Skipped>>(&text) else {
                    continue;
                };
                for path in paths.into_keys().map(PathBuf::from) {
                    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    if name.contains(".so") {
                        out.entry(name).or_insert(path);
                    }
                }
            }
            out
        })
    }
}
