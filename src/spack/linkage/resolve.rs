//! The loader's own walk from a program to all that it loads: breadth first, what is loaded under a name answers every
//! later need for it, and the folders of those who asked for the asking one are searched before its own. A library is
//! looked at by itself, for its own needs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::elf::Object;
use super::search::{Answer, Met, Search, expand, folders};
use super::system::System;

/// What a file lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The file whose need it is.
    pub file: PathBuf,
    /// The library that it needs; nothing where the file itself is damaged.
    pub needs: Option<String>,
    pub how: How,
    /// The file is for another kind of machine than this one, whose own libraries say nothing about it.
    pub foreign: bool,
}

/// How a file comes to be loaded.
#[derive(Clone, Copy)]
pub enum Role<'f> {
    Started,
    /// By a program that has found its folder, and so finds what is beside it; such a program may also have loaded
    /// before what it needs of its own package: files by their names.
    LoadedWith(&'f HashMap<String, PathBuf>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// With a file of that name that could not be taken.
    Nowhere(Option<(PathBuf, &'static str)>),
    Damaged(PathBuf, String),
    /// The library is there without a version of its symbols.
    Version(PathBuf, String),
    /// The loader that the program names is not there.
    NoLoader,
}

/// The kernel's own, which is no file.
const KERNEL: &[&str] = &["linux-vdso.so.1", "linux-gate.so.1", "linux-vdso32.so.1", "linux-vdso64.so.1"];

struct Loaded {
    /// Where it stands: `$ORIGIN`.
    origin: PathBuf,
    path: PathBuf,
    object: Rc<Object>,
    /// Who asked for it first.
    by: Option<usize>,
}

struct Load<'s, 'e, 'f> {
    search: &'s mut Search<'e>,
    loaded: Vec<Loaded>,
    /// By every name under which it was asked for; nothing for what is not there or not a file.
    names: HashMap<String, Option<usize>>,
    lacks: Vec<Lack>,
    /// What this program's loader uses, where that is not the system's.
    own: Option<System>,
    role: Role<'f>,
}

/// What is missing when a file is started, or loaded first.
pub fn lacks(search: &mut Search<'_>, path: &Path, object: &Rc<Object>, role: Role<'_>) -> Vec<Lack> {
    let mut load = Load {
        search,
        loaded: Vec::new(),
        names: KERNEL.iter().map(|name| ((*name).to_owned(), None)).collect(),
        lacks: Vec::new(),
        own: None,
        role,
    };
    load.begin(path, object);
    let mut at = 0;
    while let Some(asking) = load.loaded.get(at).map(|loaded| Rc::clone(&loaded.object)) {
        for name in &asking.needed {
            if !load.names.contains_key(name) {
                load.need(at, name);
            }
        }
        at += 1;
        if matches!(role, Role::LoadedWith(_)) {
            break;
        }
    }
    load.versions(at);
    load.lacks
}

impl Load<'_, '_, '_> {
    fn begin(&mut self, path: &Path, object: &Rc<Object>) {
        self.add(path.to_owned(), Rc::clone(object), None);
        let Some(loader) = object.interpreter.as_deref().map(Path::new) else { return };
        match self.search.first([loader.to_owned()], object.class, &mut Met::default()) {
            Some(Answer::Library(path, itself)) => {
                let folder = loader.parent().unwrap_or(loader);
                if !self.search.system.is_built_in(folder) && !folder.starts_with("/lib") {
                    self.own = Some(System::of_loader(folder));
                }
                // It is loaded before anything is looked for, and has its own needs met.
                for name in itself.soname.iter().cloned().chain([file_name(&path)]) {
                    self.names.insert(name, None);
                }
            }
            Some(Answer::Damaged(path, why)) => {
                self.lack(0, &loader.to_string_lossy(), How::Damaged(path, why));
            }
            Some(Answer::Nowhere(_)) | None => self.lack(0, &loader.to_string_lossy(), How::NoLoader),
        }
    }

    fn lack(&mut self, at: usize, name: &str, how: How) {
        let Some(asking) = self.loaded.get(at) else { return };
        let foreign = self.search.class.is_some_and(|own| own != asking.object.class);
        self.lacks.push(Lack { file: asking.path.clone(), needs: Some(name.to_owned()), how, foreign });
    }

    fn add(&mut self, path: PathBuf, object: Rc<Object>, by: Option<usize>) -> usize {
        let number = self.loaded.len();
        if let Some(soname) = &object.soname {
            self.names.entry(soname.clone()).or_insert(Some(number));
        }
        let origin = path.parent().map(Path::to_owned).unwrap_or_default();
        self.loaded.push(Loaded { origin, path, object, by });
        number
    }

    fn need(&mut self, at: usize, name: &str) {
        let number = match self.find(at, name) {
            Answer::Library(path, object) => {
                let same = self.loaded.iter().position(|loaded| Rc::ptr_eq(&loaded.object, &object));
                Some(same.unwrap_or_else(|| self.add(path, object, Some(at))))
            }
            Answer::Damaged(path, why) => {
                self.lack(at, name, How::Damaged(path, why));
                None
            }
            Answer::Nowhere(met) => {
                self.lack(at, name, How::Nowhere(met));
                None
            }
        };
        self.names.insert(name.to_owned(), number);
    }

    fn find(&mut self, at: usize, name: &str) -> Answer {
        let mut met = Met::default();
        let Some(asking) = self.loaded.get(at) else { return Answer::Nowhere(None) };
        let (object, origin) = (Rc::clone(&asking.object), asking.origin.clone());
        let class = object.class;
        let found = if name.contains('/') {
            let whole = expand(name, &origin).into_iter().filter(|path| path.starts_with('/'));
            self.search.first(whole.map(PathBuf::from), class, &mut met)
        } else {
            let mut own = self.inherited(at);
            own.extend(object.runpath.iter().flat_map(|list| folders(list, &origin)));
            let package = match self.role {
                Role::Started => None,
                Role::LoadedWith(files) => {
                    own.push(origin);
                    files.get(name).cloned()
                }
            };
            self.search
                .within(&own, name, class, &mut met)
                .or_else(|| self.by_default(name, &object, &mut met))
                .or_else(|| self.search.first(package, class, &mut met))
        };
        found.unwrap_or(Answer::Nowhere(met.0))
    }

    /// `RPATH`s from the asking one up to the program; its own `RUNPATH` makes them all count for nothing.
    fn inherited(&self, at: usize) -> Vec<PathBuf> {
        let mut out = Vec::new();
        let mut next = self.loaded.get(at).filter(|asking| asking.object.runpath.is_none());
        while let Some(loaded) = next {
            out.extend(loaded.object.rpath.iter().flat_map(|list| folders(list, &loaded.origin)));
            next = loaded.by.and_then(|by| self.loaded.get(by));
        }
        out
    }

    fn by_default(&mut self, name: &str, object: &Object, met: &mut Met) -> Option<Answer> {
        if let Some(own) = &self.own {
            let folders = own.built_in.clone();
            return self.search.within(&folders, name, object.class, met);
        }
        let cached = self.search.system.cached.get(name).cloned().unwrap_or_default();
        let fine = |path: &PathBuf| {
            !(object.no_default && path.parent().is_some_and(|folder| self.search.system.is_built_in(folder)))
        };
        let cached: Vec<PathBuf> = cached.into_iter().filter(fine).collect();
        if let Some(answer) = self.search.first(cached, object.class, met) {
            return Some(answer);
        }
        let mut folders = self.search.system.configured.clone();
        if !object.no_default {
            folders.extend(self.search.system.built_in.iter().cloned());
        }
        self.search.within(&folders, name, object.class, met)
    }

    /// Each version that the first so many need is defined where the need led. A library that defines none answers
    /// for all.
    fn versions(&mut self, count: usize) {
        let mut found = Vec::new();
        for (at, asking) in self.loaded.iter().enumerate().take(count) {
            for need in &asking.object.needs_versions {
                let Some(Some(number)) = self.names.get(&need.library) else { continue };
                let Some(answer) = self.loaded.get(*number) else { continue };
                let defined = &answer.object.defines_versions;
                let lacking = need.versions.iter().find(|version| !defined.contains(version));
                if let Some(version) = lacking.filter(|_| !defined.is_empty()) {
                    found.push((
                        at,
                        need.library.clone(),
                        How::Version(answer.path.clone(), version.clone()),
                    ));
                }
            }
        }
        for (at, library, how) in found {
            self.lack(at, &library, how);
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
