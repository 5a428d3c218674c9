//! Where this system's loader looks when nothing else is said: its cache, or what its cache is made from, and the
//! folders it has built in. `LD_LIBRARY_PATH` is left out, since users' sessions are not the one that looks here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::spack::config::paths::normal;
use crate::world::Eyes;

const CONFIGURATION: &str = "/etc/ld.so.conf";
const CACHE: &str = "/etc/ld.so.cache";
const CACHE_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// Files that include each other end somewhere.
const DEPTH: usize = 8;

/// What the loader knows of the machine.
#[derive(Debug, Default, Clone)]
pub struct System {
    /// Files by the name that is needed, as in the cache.
    pub cached: BTreeMap<String, Vec<PathBuf>>,
    /// Folders of its configuration, where there is no cache that can be read.
    pub configured: Vec<PathBuf>,
    /// Folders that are built in.
    pub built_in: Vec<PathBuf>,
}

impl System {
    pub fn read(eyes: &dyn Eyes) -> System {
        System::at(eyes, Path::new(CACHE), Path::new(CONFIGURATION))
    }

    pub fn at(eyes: &dyn Eyes, cache: &Path, configuration: &Path) -> System {
        let cached = eyes.read(cache).ok().and_then(|bytes| cache_of(&bytes));
        let mut configured = Vec::new();
        if cached.is_none() {
            include(eyes, configuration, DEPTH, &mut BTreeSet::new(), &mut configured);
        }
        System { cached: cached.unwrap_or_default(), configured, built_in: built_in() }
    }

    /// What a loader uses that is not the system's own, as that of a C library which Spack has built.
    pub fn of_loader(folder: &Path) -> System {
        System { built_in: vec![folder.to_owned()], ..System::default() }
    }

    pub fn is_built_in(&self, folder: &Path) -> bool {
        self.built_in.iter().any(|known| known == folder)
    }
}

/// The name of this machine in folders of libraries.
pub fn triplet() -> String {
    let machine = match std::env::consts::ARCH {
        "powerpc64" if cfg!(target_endian = "little") => "powerpc64le",
        other => other,
    };
    format!("{machine}-linux-gnu")
}

/// Distributions differ in what is built in; what is of another kind is never taken for an answer.
fn built_in() -> Vec<PathBuf> {
    let triplet = triplet();
    let names = [format!("lib/{triplet}"), "lib64".to_owned(), "lib".to_owned()];
    let both = names.iter().flat_map(|name| [format!("/{name}"), format!("/usr/{name}")]);
    both.map(PathBuf::from).collect()
}

/// The folders of a configuration file and of those that it includes.
fn include(eyes: &dyn Eyes, file: &Path, depth: usize, seen: &mut BTreeSet<PathBuf>, out: &mut Vec<PathBuf>) {
    if depth == 0 || !seen.insert(normal(file)) {
        return;
    }
    let Ok(bytes) = eyes.read(file) else { return };
    for line in String::from_utf8_lossy(&bytes).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line.split_whitespace();
        match words.next() {
            None | Some("hwcap") => {}
            Some("include") => {
                for pattern in words {
                    for file in fitting(eyes, &file.with_file_name(""), pattern) {
                        include(eyes, &file, depth - 1, seen, out);
                    }
                }
            }
            Some(_) => {
                // Several may stand on one line; an old way to say more comes behind '='.
                let folders = line.split([',', ':', ' ', '\t']).filter_map(|word| word.split('=').next());
                out.extend(folders.filter(|folder| folder.starts_with('/')).map(PathBuf::from));
            }
        }
    }
}

/// The files that a pattern of `include` names, in the order of their names. Only the last part may be a pattern.
fn fitting(eyes: &dyn Eyes, beside: &Path, pattern: &str) -> Vec<PathBuf> {
    let whole = beside.join(pattern);
    let (Some(folder), Some(last)) = (whole.parent(), whole.file_name()) else { return Vec::new() };
    let last = last.to_string_lossy();
    if !last.contains(['*', '?']) {
        return vec![whole];
    }
    let names = eyes.list(folder).unwrap_or_default().into_iter();
    names.filter(|name| !name.starts_with('.') && fits(&last, name)).map(|name| folder.join(name)).collect()
}

/// Whether a name fits a pattern of `*` and `?`.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, in_name));
                at += 1;
            }
            Some(c) if *c == '?' || name.get(in_name) == Some(c) => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((before, taken)) = star else { return false };
                star = Some((before, taken + 1));
                at = before + 1;
                in_name = taken + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|c| *c == '*')
}

/// Names and files of the loader's cache; nothing if it is in a form that is not known.
fn cache_of(bytes: &[u8]) -> Option<BTreeMap<String, Vec<PathBuf>>> {
    // An old table may stand before the one that is used.
    let start = bytes.windows(CACHE_MAGIC.len()).position(|part| part == CACHE_MAGIC)?;
    let table = bytes.get(start..)?;
    let number = |at: usize| -> Option<usize> {
        let four: [u8; 4] = table.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_ne_bytes(four)).ok()
    };
    let text = |at: usize| -> Option<String> {
        let rest = table.get(at..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
    };
    let mut out: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in 0..number(20)? {
        let at = entry.checked_mul(24)?.checked_add(48)?;
        let (name, path) = (text(number(at + 4)?)?, text(number(at + 8)?)?);
        if path.starts_with('/') {
            out.entry(name).or_default().push(PathBuf::from(path));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn configuration_files_include_others() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir(root.join("conf.d")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.join(name), text).unwrap();
        write(
            "ld.so.conf",
            "# first\ninclude conf.d/*.conf\n/opt/one  # behind\n\n/opt/two,/opt/three=libc5\nhwcap 0 x\n",
        );
        write("conf.d/b.conf", "/opt/b\ninclude ../ld.so.conf\n");
        write("conf.d/a.conf", "/opt/a\nrelative\n");
        write("conf.d/c.off", "/opt/c\n");
        let found = System::at(&LiveEyes, &root.join("none"), &root.join("ld.so.conf"));
        let expected = ["/opt/a", "/opt/b", "/opt/one", "/opt/two", "/opt/three"];
        assert_eq!(found.configured, expected.map(PathBuf::from));
        assert!(found.cached.is_empty());
    }

    #[test]
    fn the_cache_is_what_ldconfig_says_it_is() {
        let Ok(said) = std::process::Command::new("/sbin/ldconfig").arg("-p").output() else { return };
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let mut expected: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for line in said.lines() {
            let Some((name, path)) =
                line.trim().split_once(" (").zip(line.split_once(" => ")).map(|(a, b)| (a.0, b.1))
            else {
                continue;
            };
            expected.entry(name.to_owned()).or_default().push(PathBuf::from(path));
        }
        assert_eq!(System::read(&LiveEyes).cached, expected);
        for damaged in [&b""[..], b"glibc-ld.so.cache1.1", &[0xff; 100]] {
            assert!(cache_of(damaged).is_none());
        }
        let mut bytes = CACHE_MAGIC.to_vec();
        bytes.extend([0xff; 60]);
        assert!(cache_of(&bytes).is_none(), "more entries than there are");
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("libcuda.so.*", "libcuda.so.1", true),
            ("libcuda.so.*", "libcudart.so.1", false),
            ("lib*.so*", "libomp.so.5", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?.so", "a.so", true),
            ("?.so", ".so", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
