//! What a manifest asks for before references are followed and matrices multiplied out, and the roots that come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::{Kind, Result, Trouble};
use crate::spack::config::release::Release;
use crate::spack::config::{Config, when};
use crate::spack::environment::combine::{combined, dialect};
use crate::spack::environment::exclusion::Reading;
use crate::spack::environment::speclist::{self, Definitions, Element, Expanded, Item};
use crate::spack::spec::Spec;
use crate::spack::text::yaml::{self, Value, Yaml};

/// A spec as the user asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserSpec {
    /// The whole spec in one text.
    pub text: String,
    /// What it was put together from; one part unless it comes from a matrix.
    pub constraints: Vec<String>,
    /// The group that it stands in (1.2).
    pub group: Option<String>,
    /// Line of the manifest, or of the file with the definition.
    pub line: u32,
    /// The elements that it comes from.
    #[serde(skip)]
    pub origin: Expanded,
}

/// The lists of a manifest, with those that the configuration around it defines.
#[derive(Debug, Clone, PartialEq)]
pub struct Lists {
    file: Arc<str>,
    release: Release,
    reading: Reading,
    definitions: Vec<Definition>,
    specs: Yaml,
}

#[derive(Debug, Clone, PartialEq)]
struct Definition {
    name: String,
    list: Yaml,
    /// Its condition holds; else why that could not be told.
    applies: std::result::Result<bool, String>,
}

/// What the lists come to.
#[derive(Debug, Default)]
pub struct Roots {
    pub specs: Vec<UserSpec>,
    /// What only Spack can decide; then `specs` is not complete.
    pub not_understood: Vec<String>,
    /// The elements of what is not understood: they may make roots, or further ones.
    pub open: Vec<Element>,
    /// A whole definition is not understood, so that any of them may.
    pub open_definitions: bool,
}

impl Lists {
    /// Of the manifest's tree. `is_package` tells whether a repository has a package of that name.
    pub fn read(tree: &Yaml, config: &Config, is_package: impl Fn(&str) -> bool) -> Result<Lists> {
        let mut lists = Lists {
            file: tree.mark.file.clone(),
            release: config.release,
            reading: Reading { dialect: dialect(config.release), packages: BTreeSet::new() },
            definitions: Vec::new(),
            specs: specs_of(tree)?,
        };
        for entry in config.section("definitions")?.list() {
            lists.definitions.push(definition(entry, config)?);
        }
        let mut names = BTreeSet::new();
        for list in lists.definitions.iter().map(|d| &d.list).chain([&lists.specs]) {
            excluded_names(list, &lists.reading, &mut names);
        }
        names.retain(|name| is_package(name));
        lists.reading.packages = names;
        Ok(lists)
    }

    /// Of a manifest that stands by itself, with these packages in its repositories.
    #[cfg(test)]
    pub fn of_text(text: &str, release: &str, packages: &[&str]) -> Lists {
        let tree = yaml::parse_named(text, "spack.yaml").unwrap();
        let own =
            tree.get("spack").and_then(|spack| spack.get("definitions")).map(Yaml::list).unwrap_or_default();
        let release = Release::parse(release).unwrap();
        let definitions = own.iter().map(|entry| {
            let (key, list) = entry.entries().iter().find(|(key, _)| key.name != "when").unwrap();
            let applies = match entry.get("when").and_then(Yaml::text) {
                None | Some("True") => Ok(true),
                Some("False") => Ok(false),
                Some(other) => Err(other.to_owned()),
            };
            Definition { name: key.name.clone(), list: list.clone(), applies }
        });
        let packages = packages.iter().map(|name| (*name).to_owned()).collect();
        Lists {
            file: tree.mark.file.clone(),
            release,
            reading: Reading { dialect: dialect(release), packages },
            definitions: definitions.collect(),
            specs: specs_of(&tree).unwrap(),
        }
    }

    /// The same with another text of the manifest, which has the same definitions.
    pub fn with_text(&self, text: &str) -> Result<Lists> {
        let tree = yaml::parse_named(text, &self.file)?;
        let own =
            tree.get("spack").and_then(|spack| spack.get("definitions")).map(Yaml::list).unwrap_or_default();
        let mut own = own.iter();
        let mut lists = Lists { specs: specs_of(&tree)?, ..self.clone() };
        for definition in lists.definitions.iter_mut().filter(|d| d.list.mark.file == self.file) {
            let list = own.next().and_then(|entry| entry.get(&definition.name));
            definition.list = list.cloned().ok_or_else(|| tree.wrong("the definitions are other ones"))?;
        }
        Ok(lists)
    }

    /// The manifest's name in messages and marks.
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Where the elements of `specs` itself stand, and of the matrices there.
    pub fn places_in_specs(&self) -> BTreeSet<usize> {
        let mut out = BTreeSet::new();
        let mut queue = vec![&self.specs];
        while let Some(next) = queue.pop() {
            out.insert(next.mark.at);
            queue.extend(next.list());
            queue.extend(next.entries().iter().map(|(_, value)| value));
        }
        out
    }

    /// Every root that the manifest comes to.
    pub fn roots(&self) -> Result<Roots> {
        let mut roots = Roots::default();
        let known = self.known(&mut roots)?;
        for entry in self.specs.list() {
            let one = Yaml::new(Value::List(vec![entry.clone()]), entry.mark.clone());
            let (group, part) = match entry.get("group") {
                None => (None, one),
                Some(_) if !self.release.abilities().spec_groups => {
                    return Err(entry.wrong("groups of specs need Spack 1.2 or newer"));
                }
                Some(name) => (name.scalar_text(), group_list(entry)),
            };
            for item in speclist::items(&part, &known)? {
                match self.of_item(&item, group.as_deref()) {
                    Ok(specs) => roots.specs.extend(specs),
                    Err(trouble) if trouble.is(Kind::Unsupported) => {
                        roots.not_understood.push(trouble.message().to_owned());
                        roots.open.extend(item.elements());
                    }
                    Err(trouble) => return Err(trouble),
                }
            }
        }
        Ok(roots)
    }

    fn of_item(&self, item: &Item, group: Option<&str>) -> Result<Vec<UserSpec>> {
        let all = speclist::expand(std::slice::from_ref(item), &self.reading)?;
        all.into_iter()
            .map(|one| {
                let mark = one.matrix.as_ref().or_else(|| Some(&one.parts.first()?.elements.first()?.mark));
                Ok(UserSpec {
                    text: self.text(&one)?,
                    constraints: one.constraints(),
                    group: group.map(str::to_owned),
                    line: mark.map_or(0, |mark| mark.line),
                    origin: one,
                })
            })
            .collect()
    }

    /// A root in one text. What is written in one is taken as it is.
    fn text(&self, one: &Expanded) -> Result<String> {
        if let [part] = one.parts.as_slice() {
            return Ok(part.text.clone());
        }
        let texts: Vec<&str> = one.parts.iter().map(|part| part.text.as_str()).collect();
        match combined(&texts, self.reading.dialect) {
            Ok(spec) => Ok(spec.to_string()),
            Err(trouble) => {
                let place = one.matrix.as_ref().map(ToString::to_string).unwrap_or_default();
                Err(Trouble::new(Kind::Unsupported, format!("{place}: {}", trouble.message())))
            }
        }
    }

    /// The named lists. Whatever is said of a name is one list, also where it is extended after it was used.
    fn known(&self, roots: &mut Roots) -> Result<Definitions> {
        let names_first = self.release.abilities().scopes_from_include;
        let mut parts: Vec<Named<'_>> = Vec::new();
        for (at, definition) in self.definitions.iter().enumerate() {
            let known = parts.iter().position(|named| named.name == definition.name);
            match (&definition.applies, known) {
                (Err(why), _) => {
                    roots.not_understood.push(why.clone());
                    roots.open.extend(elements(&definition.list));
                    roots.open_definitions = true;
                }
                // Later releases define the name even when no part of it applies.
                (Ok(false), None) if names_first => {
                    parts.push(Named { name: &definition.name, lists: Vec::new(), first: at, last: at });
                }
                (Ok(false), _) => {}
                (Ok(true), Some(known)) => {
                    let Some(named) = parts.get_mut(known) else { continue };
                    named.lists.push(&definition.list);
                    named.last = at;
                }
                (Ok(true), None) => {
                    let lists = vec![&definition.list];
                    parts.push(Named { name: &definition.name, lists, first: at, last: at });
                }
            }
        }
        let mut resolver =
            Resolver { parts: &parts, names_first, done: Definitions::new(), open: Vec::new() };
        for named in &parts {
            match resolver.resolve(named) {
                // What is not defined may be so where a condition is not understood.
                Err(trouble) if roots.open_definitions => {
                    roots.not_understood.push(trouble.message().to_owned());
                    resolver.done.insert(named.name.to_owned(), Vec::new());
                }
                other => other?,
            }
        }
        Ok(resolver.done)
    }
}

/// Everything that is said of one name.
struct Named<'a> {
    name: &'a str,
    lists: Vec<&'a Yaml>,
    first: usize,
    last: usize,
}

struct Resolver<'a> {
    parts: &'a [Named<'a>],
    names_first: bool,
    done: Definitions,
    open: Vec<&'a str>,
}

impl<'a> Resolver<'a> {
    /// A list may use names that were given before it: later releases look at the first part of each, earlier ones
    /// at the last part of the list that uses them.
    fn resolve(&mut self, named: &Named<'a>) -> Result<()> {
        if self.done.contains_key(named.name) {
            return Ok(());
        }
        self.open.push(named.name);
        let before = if self.names_first { named.first } else { named.last };
        let mut usable = BTreeMap::new();
        for list in &named.lists {
            for (entry, name) in references(list) {
                let Some(other) = self.parts.iter().find(|other| other.name == name && other.first < before)
                else {
                    continue;
                };
                if self.open.contains(&other.name) {
                    return Err(entry.wrong(format!("the list '{name}' is made of itself")));
                }
                self.resolve(other)?;
                if let Some(items) = self.done.get(name) {
                    usable.insert(name.to_owned(), items.clone());
                }
            }
        }
        let mut all = Vec::new();
        for list in &named.lists {
            all.extend(speclist::items(list, &usable)?);
        }
        self.open.pop();
        self.done.insert(named.name.to_owned(), all);
        Ok(())
    }
}

/// The names that a list uses, in its matrices as well.
fn references(list: &Yaml) -> Vec<(&Yaml, &str)> {
    let mut out = Vec::new();
    for entry in list.list() {
        if let Some((_, name)) = entry.text().and_then(speclist::reference) {
            out.push((entry, name));
        }
        for row in entry.get("matrix").map(Yaml::list).unwrap_or_default() {
            out.extend(references(row));
        }
    }
    out
}

/// What is written in a list, references left out.
fn elements(list: &Yaml) -> Vec<Element> {
    let mut out = Vec::new();
    for entry in list.list() {
        if let Some(text) = entry.scalar_text().filter(|text| speclist::reference(text).is_none()) {
            out.push(Element { mark: entry.mark.clone(), text });
        }
        out.extend(entry.get("matrix").map(Yaml::list).unwrap_or_default().iter().flat_map(elements));
    }
    out
}

fn specs_of(tree: &Yaml) -> Result<Yaml> {
    let empty = || Yaml::new(Value::Null, tree.mark.clone());
    let specs = tree.get("spack").and_then(|spack| spack.get("specs")).cloned().unwrap_or_else(empty);
    if specs.is_list() || specs.is_null() { Ok(specs) } else { Err(specs.wrong("'specs' must be a list")) }
}

fn definition(entry: &Yaml, config: &Config) -> Result<Definition> {
    let mut names = entry.entries().iter().filter(|(key, _)| key.name != "when");
    let (Some((key, list)), None) = (names.next(), names.next()) else {
        return Err(entry.wrong("a definition has one name (and maybe 'when')"));
    };
    let applies = match entry.get("when").and_then(Yaml::scalar_text) {
        None => Ok(true),
        Some(condition) => when::holds(&condition, &config.sub.host, &config.sub.vars)
            .map_err(|trouble| format!("{}: {}", entry.mark, trouble.message())),
    };
    Ok(Definition { name: key.name.clone(), list: list.clone(), applies })
}

/// Every name of a package or dependency in the exclusions of a list.
fn excluded_names(list: &Yaml, reading: &Reading, out: &mut BTreeSet<String>) {
    for entry in list.list() {
        for row in entry.get("matrix").map(Yaml::list).unwrap_or_default() {
            excluded_names(row, reading, out);
        }
        if let Some(grouped) = entry.get("specs") {
            excluded_names(grouped, reading, out);
        }
        for text in entry.get("exclude").map(Yaml::texts).unwrap_or_default() {
            if let Ok(spec) = Spec::parse(&text, reading.dialect) {
                out.extend(spec.nodes().into_iter().filter_map(|node| node.name.clone()));
            }
        }
    }
}

/// The list of a group: `specs`, or a matrix beside the name.
fn group_list(entry: &Yaml) -> Yaml {
    if let Some(list) = entry.get("specs") {
        return list.clone();
    }
    let mut matrix = entry.clone();
    if let Value::Map(entries) = &mut matrix.value {
        entries.retain(|(key, _)| matches!(key.name.as_str(), "matrix" | "exclude"));
        if entries.is_empty() {
            return Yaml::new(Value::Null, matrix.mark);
        }
    }
    // The matrix is no element by itself that could be taken out.
    matrix.mark.at = 0;
    let mark = matrix.mark.clone();
    Yaml::new(Value::List(vec![matrix]), mark)
}
