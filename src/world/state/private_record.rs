//! What of a run only its user may read: who began it with which command, the digests of its script and modules, and
//! the values that the journal shows without their secrets. One file for each attempt, 0600, one line of JSON each.
//! Its owner is the kernel's word for who began the attempt, which no row of a shared database is.

use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{Kind, Result, Trouble, atomic};
use crate::world::fs::access::log_mode;

/// The folder below that of the state.
pub const FOLDER: &str = "private";

/// Who began an attempt of a run, and with what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Beginning {
    pub run: i64,
    pub attempt: i64,
    pub user: String,
    /// As it was given.
    pub command: Value,
    /// Of the script.
    pub digest: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    Began(Beginning),
    Module { name: String, digest: String },
    Value { name: String, text: String },
}

/// The file of the attempt that is under way.
#[derive(Debug)]
pub struct PrivateRecord {
    path: PathBuf,
    attempt: i64,
    open: Mutex<(File, u64)>,
}

impl PrivateRecord {
    pub fn begin(state: &Path, beginning: &Beginning) -> Result<PrivateRecord> {
        let path = place(state, beginning.run, beginning.attempt);
        if let Some(folder) = path.parent() {
            // Each admin of a shared site has files of his own in it.
            let mode = if log_mode() & 0o060 == 0 { 0o700 } else { 0o770 };
            let made = DirBuilder::new().recursive(true).mode(mode).create(folder);
            made.map_err(|e| Trouble::io("create", folder, e))?;
        }
        let fail = |e| Trouble::io("write", &path, e);
        // One that is there is of a run that had this number, and is not on record any more.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path).map_err(fail)?;
        let record = PrivateRecord { path, attempt: beginning.attempt, open: Mutex::new((file, 0)) };
        record.write(&Line::Began(beginning.clone()))?;
        Ok(record)
    }

    fn write(&self, line: &Line) -> Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        append(&mut open.0, line).map_err(|e| Trouble::io("write", &self.path, e))
    }

    /// A module that the run has loaded.
    pub fn module(&self, name: &str, digest: &str) -> Result<()> {
        self.write(&Line::Module { name: name.to_owned(), digest: digest.to_owned() })
    }

    /// Keeps a value and gives the name under which it is found again.
    pub fn keep(&self, text: String) -> Result<String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.1 += 1;
        let name = format!("{}.{}", self.attempt, open.1);
        append(&mut open.0, &Line::Value { name: name.clone(), text })
            .map_err(|e| Trouble::io("write", &self.path, e))?;
        Ok(name)
    }
}

fn append(file: &mut File, line: &Line) -> std::io::Result<()> {
    let mut text = serde_json::to_string(line).map_err(std::io::Error::other)?;
    text.push('\n');
    file.write_all(text.as_bytes())
}

fn place(state: &Path, run: i64, attempt: i64) -> PathBuf {
    state.join(FOLDER).join(format!("run-{run}.{attempt}.jsonl"))
}

/// The private records of a run, as far as this user may read them.
#[derive(Debug, Clone, Default)]
pub struct Recalled {
    /// Of the newest attempt.
    pub beginning: Option<Beginning>,
    /// Whose file that is.
    pub owner: Option<u32>,
    /// Digests by name.
    pub modules: BTreeMap<String, String>,
    values: HashMap<String, String>,
}

impl Recalled {
    /// Reads those of a run with so many attempts.
    pub fn read(state: &Path, run: i64, attempts: i64) -> Result<Recalled> {
        let mut all = Recalled::default();
        for attempt in 1..=attempts {
            let path = place(state, run, attempt);
            all.beginning = None;
            all.owner = None;
            let Some((owner, text)) = open(&path)? else { continue };
            all.owner = Some(owner);
            let Some(text) = text else { continue };
            all.modules.clear();
            // The last line may be cut off where the run was killed.
            for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
                match line {
                    Line::Began(began) if (began.run, began.attempt) == (run, attempt) => {
                        all.beginning = Some(began);
                    }
                    Line::Began(_) => {}
                    Line::Module { name, digest } => drop(all.modules.insert(name, digest)),
                    Line::Value { name, text } => drop(all.values.insert(name, text)),
                }
            }
        }
        Ok(all)
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }
}

/// Owner and text of a record; no text where it is not for this user's eyes. No link is followed.
fn open(path: &Path) -> Result<Option<(u32, Option<String>)>> {
    let fail = |e| Trouble::io("read", path, e);
    let stat = match std::fs::symlink_metadata(path) {
        Ok(stat) => stat,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let odd = |stat: &std::fs::Metadata| !stat.is_file() || stat.nlink() != 1 || stat.mode() & 0o022 != 0;
    if odd(&stat) {
        let message = format!("{} is not a file that only its owner writes", path.display());
        return Err(Trouble::new(Kind::Refused, message).hint("no moonstack made it so; look who did"));
    }
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let mut file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Ok(Some((stat.uid(), None)));
        }
        Err(error) => return Err(fail(error)),
    };
    let opened = file.metadata().map_err(fail)?;
    if odd(&opened) || (opened.dev(), opened.ino()) != (stat.dev(), stat.ino()) {
        return Err(Trouble::new(Kind::Refused, format!("{} was replaced meanwhile", path.display())));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(fail)?;
    Ok(Some((opened.uid(), Some(String::from_utf8_lossy(&text).into_owned()))))
}

/// The values of a run that nobody resumes any more go; how it was begun stays, for it may be begun anew.
pub fn drop_values(state: &Path, run: i64, attempts: i64) -> Result<()> {
    for attempt in 1..=attempts {
        let path = place(state, run, attempt);
        let Some((_, Some(text))) = open(&path)? else { continue };
        let kept: String =
            text.lines().filter(|l| !l.contains(r#""line":"value""#)).fold(String::new(), |mut all, line| {
                all.push_str(line);
                all.push('\n');
                all
            });
        if kept.len() < text.len() {
            atomic::write(&path, kept.as_bytes(), Some(0o600))?;
        }
    }
    Ok(())
}

/// The files of these runs.
pub fn files(state: &Path, runs: &[i64]) -> Vec<PathBuf> {
    let folder = state.join(FOLDER);
    let number = |name: &str| name.strip_prefix("run-")?.split('.').next()?.parse::<i64>().ok();
    let names = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names
        .filter(|name| number(&name.to_string_lossy()).is_some_and(|run| runs.contains(&run)))
        .map(|name| folder.join(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_found_again_by_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let begin = |attempt| {
            let beginning = Beginning { run: 7, attempt, user: "u".into(), ..Beginning::default() };
            PrivateRecord::begin(dir.path(), &beginning).unwrap()
        };
        let (first, second) = (begin(1), begin(2));
        let (a, b) = (first.keep("hush".into()).unwrap(), second.keep("more".into()).unwrap());
        second.module("m.lua", "d").unwrap();
        let path = place(dir.path(), 7, 1);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let recalled = Recalled::read(dir.path(), 7, 2).unwrap();
        assert_eq!((recalled.value(&a), recalled.value(&b)), (Some("hush"), Some("more")));
        assert_eq!(recalled.beginning.unwrap().attempt, 2);
        assert_eq!(recalled.modules["m.lua"], "d");
        assert!(Recalled::read(dir.path(), 7, 3).unwrap().beginning.is_none(), "of the newest there is none");
        drop_values(dir.path(), 7, 2).unwrap();
        let recalled = Recalled::read(dir.path(), 7, 2).unwrap();
        assert!(recalled.value(&a).is_none() && recalled.beginning.is_some());
        // The record of another run is not this one's.
        std::fs::copy(&path, place(dir.path(), 8, 1)).unwrap();
        assert!(Recalled::read(dir.path(), 8, 1).unwrap().beginning.is_none());
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(place(dir.path(), 7, 2), &path).unwrap();
        assert_eq!(Recalled::read(dir.path(), 7, 2).unwrap_err().kind(), Kind::Refused);
        assert_eq!(files(dir.path(), &[7]).len(), 2);
    }
}
