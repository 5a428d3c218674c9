//! Finding the Spack installation and reading what can be known of it from its files: version, commit, the
//! Python that it will use. Nothing is executed.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::release::Release;
use crate::base::{Kind, Result, Trouble};
use crate::world::Eyes;
use crate::world::fs::real::real_path;

/// What may point at an installation, strongest first.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// `--spack`: a root folder or its `bin/spack`.
    pub explicit: Option<PathBuf>,
    /// `SPACK_ROOT`.
    pub spack_root: Option<PathBuf>,
    /// What the site file names.
    pub site: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<String>,
    /// `SPACK_PYTHON`.
    pub spack_python: Option<PathBuf>,
}

impl Search {
    /// Takes the environment's part of the search from a lookup of variables.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Search {
        let full = |name: &str| variable(name).filter(|v| !v.is_empty());
        Search {
            spack_root: full("SPACK_ROOT").map(PathBuf::from),
            path: full("PATH"),
            spack_python: full("SPACK_PYTHON").map(PathBuf::from),
            ..Search::default()
        }
    }
}

/// What led to the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    Option,
    SpackRoot,
    SiteFile,
    Path,
}

/// A Spack installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Installation {
    /// The folder that holds `bin/spack`.
    pub root: PathBuf,
    /// `bin/spack` itself.
    pub spack_exe: PathBuf,
    pub release: Release,
    /// The version as Spack states it, such as `1.2.0.dev0`.
    pub version_text: String,
    /// The commit of a git checkout.
    pub commit: Option<String>,
    /// The interpreter that `bin/spack` will pick.
    pub python: Option<PathBuf>,
    pub found_by: FoundBy,
}

/// Finds the installation, or says how to point at one.
pub fn locate(eyes: &dyn Eyes, search: &Search) -> Result<Installation> {
    let named = [
        (FoundBy::Option, &search.explicit),
        (FoundBy::SpackRoot, &search.spack_root),
        (FoundBy::SiteFile, &search.site),
    ];
    for (found_by, path) in named {
        if let Some(path) = path {
            let root = root_of(eyes, path).ok_or_else(|| not_one(path, found_by))?;
            return open(eyes, &root, found_by, search);
        }
    }
    if let Some(root) = on_path(eyes, search.path.as_deref().unwrap_or_default()) {
        return open(eyes, &root, FoundBy::Path, search);
    }
    Err(Trouble::new(Kind::NoSpack, "no Spack installation was found")
        .hint("point at one with --spack DIR, the variable SPACK_ROOT, or 'spack = \"DIR\"' in the site file")
        .hint("to try things out without Spack, add --practice"))
}

fn not_one(path: &Path, found_by: FoundBy) -> Trouble {
    let source = match found_by {
        FoundBy::Option => "--spack",
        FoundBy::SpackRoot => "the variable SPACK_ROOT",
        FoundBy::SiteFile => "the site file",
        FoundBy::Path => "PATH",
    };
    Trouble::new(Kind::NoSpack, format!("{} is not a Spack installation (named by {source})", path.display()))
        .hint("it must hold bin/spack and lib/spack/spack/__init__.py")
        .hint("point at one with --spack DIR, the variable SPACK_ROOT, or the site file; or add --practice")
        .fact("path", path.display().to_string())
}

/// The root that a path means: the folder itself, or two above its `bin/spack`.
fn root_of(eyes: &dyn Eyes, path: &Path) -> Option<PathBuf> {
    let path = absolute(path);
    if is_root(eyes, &path) {
        return Some(path);
    }
    let script = real_path(eyes, &path);
    let root = script.parent()?.parent()?.to_owned();
    (eyes.finds_file(&script) && script.ends_with("bin/spack") && is_root(eyes, &root)).then_some(root)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn is_root(eyes: &dyn Eyes, path: &Path) -> bool {
    eyes.finds_file(&path.join("bin/spack")) && eyes.finds_file(&path.join(VERSION_FILE))
}

const VERSION_FILE: &str = "lib/spack/spack/__init__.py";

/// The root of the first `spack` on PATH that belongs to an installation. Wrappers are passed over.
fn on_path(eyes: &dyn Eyes, path: &str) -> Option<PathBuf> {
    path.split(':')
        .filter(|dir| dir.starts_with('/'))
        .find_map(|dir| root_of(eyes, &Path::new(dir).join("spack")))
}

fn open(eyes: &dyn Eyes, root: &Path, found_by: FoundBy, search: &Search) -> Result<Installation> {
    let file = root.join(VERSION_FILE);
    let version_text = version_in(&eyes.read_text(&file)?).ok_or_else(|| {
        Trouble::new(Kind::UnknownFormat, format!("{} states no version of Spack", file.display()))
            .hint("is the installation complete? It may also be older than 0.22")
    })?;
    let release = Release::parse(&version_text).map_err(|t| t.fact("root", root.display().to_string()))?;
    Ok(Installation {
        root: root.to_owned(),
        spack_exe: root.join("bin/spack"),
        release,
        version_text,
        commit: commit(eyes, root),
        python: python(eyes, search),
        found_by,
    })
}

/// The value of `__version__ = "…"` or, in older releases, of `spack_version = "…"`.
fn version_in(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix("__version__").or_else(|| line.strip_prefix("spack_version"))?;
        let value = rest.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value[1..].split(quote).next().map(str::to_owned)
    })
}

/// The commit of a checkout: `.git/HEAD`, the reference that it names, packed references, and the `.git`
/// file of a work tree.
/// The commit of the repository that a folder is in.
pub fn commit_of(eyes: &dyn Eyes, folder: &Path) -> Option<String> {
    folder.ancestors().find_map(|at| commit(eyes, at))
}

pub(in crate::spack) fn commit(eyes: &dyn Eyes, root: &Path) -> Option<String> {
    let mut git = root.join(".git");
    if eyes.finds_file(&git) {
        let text = eyes.read_text(&git).ok()?;
        git = root.join(text.strip_prefix("gitdir:")?.trim());
    }
    let head = eyes.read_text(&git.join("HEAD")).ok()?;
    let Some(reference) = head.trim().strip_prefix("ref:").map(str::trim) else {
        return hash(head.trim());
    };
    let common = match eyes.read_text(&git.join("commondir")) {
        Ok(text) => git.join(text.trim()),
        Err(_) => git.clone(),
    };
    for folder in [&git, &common] {
        if let Some(found) = eyes.read_text(&folder.join(reference)).ok().and_then(|t| hash(t.trim())) {
            return Some(found);
        }
    }
    eyes.read_text(&common.join("packed-refs")).ok()?.lines().find_map(|line| {
        line.strip_suffix(reference).filter(|rest| rest.ends_with(' ')).and_then(|h| hash(h.trim()))
    })
}

fn hash(text: &str) -> Option<String> {
    (text.len() >= 40 && text.chars().all(|c| c.is_ascii_hexdigit())).then(|| text.to_owned())
}

/// The interpreter that the script would choose.
fn python(eyes: &dyn Eyes, search: &Search) -> Option<PathBuf> {
    if let Some(chosen) = &search.spack_python {
        return Some(chosen.clone());
    }
    let runs = |path: &Path| eyes.finds_file(path) && eyes.stat(path).is_ok_and(|s| s.mode & 0o111 != 0);
    let dirs: Vec<&str> =
        search.path.as_deref().unwrap_or_default().split(':').filter(|d| !d.is_empty()).collect();
    ["python3", "python", "python2"]
        .iter()
        .flat_map(|name| dirs.iter().map(move |dir| Path::new(dir).join(name)))
        .chain([PathBuf::from("/usr/libexec/platform-python")])
        .find(|candidate| runs(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    fn install(root: &Path, version: &str) {
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::create_dir_all(root.join("lib/spack/spack")).unwrap();
        std::fs::write(root.join("bin/spack"), "#!/bin/sh\n").unwrap();
        std::fs::write(root.join(VERSION_FILE), format!("import re\n\n__version__ = \"{version}\"\n"))
            .unwrap();
    }

    #[test]
    fn the_strongest_source_wins() {
        let tmp = tempfile::tempdir().unwrap();
        for (name, version) in [("a", "1.2.0.dev0"), ("b", "0.23.1"), ("c", "1.0.2"), ("d", "1.1.0")] {
            install(&tmp.path().join(name), version);
        }
        let links = tmp.path().join("links");
        std::fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink("../d/bin/spack", links.join("spack")).unwrap();
        let at = |name: &str| Some(tmp.path().join(name));
        let mut search = Search {
            explicit: at("a/bin/spack"),
            spack_root: at("b"),
            site: at("c"),
            path: Some(format!("/nowhere:{}", links.display())),
            spack_python: None,
        };
        let found = |s: &Search| locate(&LiveEyes, s).map(|i| (i.version_text, i.found_by)).unwrap();
        assert_eq!(found(&search), ("1.2.0.dev0".to_owned(), FoundBy::Option));
        search.explicit = None;
        assert_eq!(found(&search), ("0.23.1".to_owned(), FoundBy::SpackRoot));
        search.spack_root = None;
        assert_eq!(found(&search), ("1.0.2".to_owned(), FoundBy::SiteFile));
        search.site = None;
        assert_eq!(found(&search), ("1.1.0".to_owned(), FoundBy::Path));
        search.path = None;
        let trouble = locate(&LiveEyes, &search).unwrap_err();
        assert_eq!((trouble.kind(), trouble.kind().exit_code()), (Kind::NoSpack, 3));
        assert!(trouble.hints().iter().any(|h| h.contains("--practice")));
        search.explicit = at("links");
        assert_eq!(locate(&LiveEyes, &search).unwrap_err().kind(), Kind::NoSpack);
    }

    #[test]
    fn commits_loose_packed_and_detached() {
        let tmp = tempfile::tempdir().unwrap();
        let git = tmp.path().join(".git");
        std::fs::create_dir_all(git.join("refs/heads")).unwrap();
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        std::fs::write(git.join("HEAD"), format!("{a}\n")).unwrap();
        assert_eq!(commit(&LiveEyes, tmp.path()), Some(a));
        std::fs::write(git.join("HEAD"), "ref: refs/heads/x/develop\n").unwrap();
        std::fs::write(
            git.join("packed-refs"),
            format!("# pack-refs\n{c} refs/heads/develop\n{b} refs/heads/x/develop\n"),
        )
        .unwrap();
        assert_eq!(commit(&LiveEyes, tmp.path()), Some(b));
        std::fs::create_dir_all(git.join("refs/heads/x")).unwrap();
        std::fs::write(git.join("refs/heads/x/develop"), format!("{c}\n")).unwrap();
        assert_eq!(commit(&LiveEyes, tmp.path()), Some(c));
    }

    #[test]
    fn an_unsupported_release_is_not_guessed() {
        let tmp = tempfile::tempdir().unwrap();
        install(tmp.path(), "3.0.0");
        let search = Search { explicit: Some(tmp.path().to_owned()), ..Search::default() };
        assert_eq!(locate(&LiveEyes, &search).unwrap_err().kind(), Kind::UnknownFormat);
    }
}
