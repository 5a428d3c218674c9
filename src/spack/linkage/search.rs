//! Finds the file that answers a need, folder by folder. Folders are listed once and files read once, however many
//! programs lead to them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::elf::{self, Class, Object, Reading};
use super::system::{self, System};
use crate::base::Kind;
use crate::world::Eyes;
use crate::world::fs::eyes::FileKind;

pub const BLANK: &str = "it is empty, or overwritten with zeros";

/// What stands where a need leads.
#[derive(Debug, Clone)]
pub enum Answer {
    Library(PathBuf, Rc<Object>),
    /// The loader would take it and fail.
    Damaged(PathBuf, String),
    /// With what was met on the way and could not be taken.
    Nowhere(Option<(PathBuf, &'static str)>),
}

/// A file as it was read, or why it was not.
#[derive(Debug, Clone)]
pub enum Opened {
    Absent,
    Unreadable,
    Foreign { blank: bool },
    Apart,
    Damaged(Rc<str>),
    Object(Rc<Object>),
}

pub struct Search<'e> {
    pub eyes: &'e dyn Eyes,
    pub system: System,
    /// The kind of machine that this is.
    pub class: Option<Class>,
    folders: HashMap<PathBuf, Rc<HashSet<String>>>,
    /// By device and inode.
    files: HashMap<(u64, u64), Opened>,
    paths: HashMap<PathBuf, Opened>,
}

impl<'e> Search<'e> {
    pub fn new(eyes: &'e dyn Eyes, system: System) -> Search<'e> {
        let (folders, files, paths) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut search = Search { eyes, system, class: None, folders, files, paths };
        if let Opened::Object(own) = search.open(Path::new("/proc/self/exe")) {
            search.class = Some(own.class);
        }
        search
    }

    pub fn open(&mut self, path: &Path) -> Opened {
        if let Some(known) = self.paths.get(path) {
            return known.clone();
        }
        let opened = match self.eyes.stat(path) {
            Ok(stat) if stat.kind == FileKind::File => {
                let identity = (stat.device, stat.inode);
                if let Some(known) = self.files.get(&identity) {
                    known.clone()
                } else {
                    let opened = self.read(path);
                    self.files.insert(identity, opened.clone());
                    opened
                }
            }
            Err(trouble) if trouble.kind() == Kind::Permission => Opened::Unreadable,
            _ => Opened::Absent,
        };
        self.paths.insert(path.to_owned(), opened.clone());
        opened
    }

    fn read(&self, path: &Path) -> Opened {
        match self.eyes.open_parts(path).map(elf::read) {
            Ok(Reading::Foreign { blank }) => Opened::Foreign { blank },
            Ok(Reading::Apart) => Opened::Apart,
            Ok(Reading::Object(object)) => Opened::Object(Rc::new(*object)),
            Ok(Reading::Damaged(why)) => Opened::Damaged(why.into()),
            Err(trouble) if trouble.kind() == Kind::Permission => Opened::Unreadable,
            Err(trouble) => Opened::Damaged(trouble.message().into()),
        }
    }

    /// Whether a folder has a name; the loader asks for the same few names in the same few folders all the time.
    fn has(&mut self, folder: &Path, name: &str) -> bool {
        if let Some(names) = self.folders.get(folder) {
            return names.contains(name);
        }
        let names: HashSet<String> = self.eyes.list(folder).unwrap_or_default().into_iter().collect();
        let has = names.contains(name);
        self.folders.insert(folder.to_owned(), Rc::new(names));
        has
    }

    /// The first file that the loader would take. It goes on where a file is of another kind or may not be read, and
    /// fails on one that is damaged.
    pub fn first(
        &mut self,
        candidates: impl IntoIterator<Item = PathBuf>,
        class: Class,
        met: &mut Met,
    ) -> Option<Answer> {
        for path in candidates {
            let why = match self.open(&path) {
                Opened::Object(object) if object.class != class => "it is for another kind of machine",
                Opened::Object(object) if object.shared => return Some(Answer::Library(path, object)),
                Opened::Object(_) => return Some(Answer::Damaged(path, "it is no library".to_owned())),
                Opened::Damaged(why) => return Some(Answer::Damaged(path, why.to_string())),
                Opened::Foreign { blank: true } => {
                    return Some(Answer::Damaged(path, BLANK.to_owned()));
                }
                Opened::Foreign { blank: false } | Opened::Apart => {
                    return Some(Answer::Damaged(path, "it is no library".to_owned()));
                }
                Opened::Unreadable => "it may not be read",
                Opened::Absent => continue,
            };
            met.0.get_or_insert((path, why));
        }
        None
    }

    /// The same in folders.
    pub fn within(&mut self, folders: &[PathBuf], name: &str, class: Class, met: &mut Met) -> Option<Answer> {
        for folder in folders {
            if self.has(folder, name)
                && let Some(answer) = self.first([folder.join(name)], class, met)
            {
                return Some(answer);
            }
        }
        None
    }
}

/// What was passed over.
#[derive(Debug, Default)]
pub struct Met(pub Option<(PathBuf, &'static str)>);

/// The folders of a list as in a file, for what stands in `origin`. Those that are relative lead elsewhere in every
/// folder that a user stands in, and are left out.
pub fn folders(list: &str, origin: &Path) -> Vec<PathBuf> {
    let whole = list.split(':').flat_map(|part| expand(part, origin));
    whole.filter(|folder| folder.starts_with('/')).map(PathBuf::from).collect()
}

/// The variables that the loader knows. What one stands for differs from system to system, so there may be several.
pub fn expand(text: &str, origin: &Path) -> Vec<String> {
    if !text.contains('$') {
        return vec![text.to_owned()];
    }
    let triplet = format!("lib/{}", system::triplet());
    let machine = std::env::consts::ARCH;
    let mut out = vec![text.to_owned()];
    let origin = origin.display().to_string();
    for (variable, values) in [
        ("ORIGIN", vec![origin.as_str()]),
        ("LIB", vec![triplet.as_str(), "lib64", "lib"]),
        ("PLATFORM", vec![machine, "haswell", "xeon_phi"]),
    ] {
        let (braced, bare) = (format!("${{{variable}}}"), format!("${variable}"));
        out = out
            .iter()
            .flat_map(|text| {
                let found = text.contains(&braced) || text.contains(&bare);
                let values = if found { values.as_slice() } else { &values[..1] };
                values
                    .iter()
                    .map(|value| text.replace(&braced, value).replace(&bare, value))
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    out
}
