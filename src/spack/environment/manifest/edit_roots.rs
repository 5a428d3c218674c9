//! Changes to what a manifest asks for: a root is replaced or dropped by editing the element that produces it,
//! wherever that stands, or it is refused with the edit that would do. No other root changes, and what came of it is
//! read again before it is handed out.

use std::collections::{BTreeMap, BTreeSet};

use super::elements::{reworded, with_specs, without};
use super::lists::{Lists, Roots, UserSpec};
use crate::base::trouble::Place;
use crate::base::{Kind, Result, Trouble};
use crate::spack::environment::combine::{combined, says};
use crate::spack::environment::minus::minus;
use crate::spack::environment::speclist::Element;
use crate::spack::spec::{Dialect, Spec};
use crate::spack::text::layout::layout;
use crate::spack::text::yaml::Mark;

/// One change to what is asked for. Roots are named by their text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A root becomes another. What a matrix adds to it stays, unless the spec says otherwise.
    Replace { root: String, by: String },
    /// A root is no longer asked for.
    Drop { root: String },
    /// A spec is asked for beside the others.
    Add { spec: String },
}

/// The text of a manifest, of which the lists were read, with changes to what it asks for.
pub fn edited(text: &str, lists: &Lists, changes: &[Change]) -> Result<String> {
    if changes.is_empty() {
        return Ok(text.to_owned());
    }
    let roots = lists.roots()?;
    let mut wishes = Wishes::of(changes, &roots, lists.reading().dialect)?;
    wishes.settle_doubles(&roots);
    let editor = Editor::new(lists, &roots, &wishes);
    let mut edits = editor.edits()?;
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.at));
    let mut out = text.to_owned();
    for edit in &edits {
        let changed = match &edit.word {
            Some(word) => reworded(&out, edit.at, word),
            None => without(&out, edit.at),
        };
        out = changed.ok_or_else(|| editor.unusual())?;
    }
    out = with_specs(&out, &wishes.added).ok_or_else(|| editor.unusual())?;
    if out != text && !out.ends_with('\n') {
        out.push('\n');
    }
    editor.check(text, &out)?;
    Ok(out)
}

/// The changes by which each spec takes the place of the roots of its name, or is added where there are none, and the
/// roots of other names go.
pub fn in_place_of_names(lists: &Lists, specs: &[String], remove: &[String]) -> Result<Vec<Change>> {
    let dialect = lists.reading().dialect;
    let name = |text: &str| Spec::parse(text, dialect).ok().and_then(|spec| spec.name);
    let roots = lists.roots()?;
    for name in specs.iter().chain(remove).filter_map(|spec| name(spec)) {
        is_certain(&roots, &name, dialect)?;
    }
    let mut changes: Vec<Change> = Vec::new();
    let mut placed: Vec<&String> = Vec::new();
    for root in &roots.specs {
        let of_root = name(&root.text);
        let same_name = |spec: &&String| of_root.is_some() && name(spec) == of_root;
        // Of several new ones for one name, each old one gets one, as long as there are any.
        let all: Vec<&String> = specs.iter().filter(same_name).collect();
        let next = all.iter().copied().find(|spec| !placed.contains(spec)).or_else(|| all.last().copied());
        if let Some(by) = next {
            placed.push(by);
            changes.push(Change::Replace { root: root.text.clone(), by: by.clone() });
        } else if remove.iter().any(|spec| same_name(&spec)) {
            changes.push(Change::Drop { root: root.text.clone() });
        }
    }
    let rest = specs.iter().filter(|spec| !placed.contains(spec));
    changes.extend(rest.map(|spec| Change::Add { spec: spec.clone() }));
    Ok(changes)
}

/// Refuses where only Spack can tell whether a package is asked for.
pub fn is_certain(roots: &Roots, name: &str, dialect: Dialect) -> Result<()> {
    let is_meant =
        |text: &str| Spec::parse(text, dialect).is_ok_and(|spec| spec.name.as_deref() == Some(name));
    for root in roots.specs.iter().filter(|root| leading_name(&root.text) == name) {
        Spec::parse(&root.text, dialect)?;
    }
    let Some(element) = roots.open.iter().find(|element| is_meant(&element.text)) else { return Ok(()) };
    let why = roots.not_understood.first().map_or("", String::as_str);
    Err(Trouble::new(
        Kind::Refused,
        format!("{}: only Spack can tell whether '{}' is asked for", element.mark, element.text),
    )
    .hint(format!("not understood: {why}")))
}

/// The package that a root asks for, also where the rest of it cannot be read.
fn leading_name(text: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let full = text.get(..end).unwrap_or_default();
    full.rsplit_once('.').map_or(full, |(_, name)| name)
}

/// Whether two texts ask for the same.
fn same(a: &str, b: &str, dialect: Dialect) -> bool {
    let parse = |text| Spec::parse(text, dialect).ok();
    a == b || parse(a).zip(parse(b)).is_some_and(|(a, b)| a.same_as(&b, dialect))
}

/// What is to become of roots, by their place in the list.
struct Wishes {
    /// None for a root that goes.
    of: BTreeMap<usize, Option<String>>,
    added: Vec<String>,
    dialect: Dialect,
}

impl Wishes {
    fn of(changes: &[Change], roots: &Roots, dialect: Dialect) -> Result<Wishes> {
        let mut wishes = Wishes { of: BTreeMap::new(), added: Vec::new(), dialect };
        for change in changes {
            let (root, wish) = match change {
                Change::Replace { root, by } => (root, Some(by.clone())),
                Change::Drop { root } => (root, None),
                Change::Add { spec } => {
                    wishes.added.push(spec.clone());
                    continue;
                }
            };
            let found = roots.specs.iter().enumerate().filter(|(_, spec)| same(&spec.text, root, dialect));
            let found: Vec<usize> = found.map(|(at, _)| at).collect();
            if found.is_empty() {
                return Err(Trouble::new(Kind::NotFound, format!("the manifest does not ask for '{root}'")));
            }
            wishes.of.extend(found.into_iter().map(|at| (at, wish.clone())));
        }
        Ok(wishes)
    }

    /// What is asked for already, or by an earlier change, is not asked for a second time.
    fn settle_doubles(&mut self, roots: &Roots) {
        let untouched = roots.specs.iter().enumerate().filter(|(at, _)| !self.of.contains_key(at));
        let mut asked: Vec<String> = untouched.map(|(_, spec)| spec.text.clone()).collect();
        let dialect = self.dialect;
        let mut is_new = |spec: &String| {
            let new = !asked.iter().any(|known| same(known, spec, dialect));
            asked.push(spec.clone());
            new
        };
        for (at, wish) in &mut self.of {
            // What comes from a matrix becomes more than the wish says.
            let alone = roots.specs.get(*at).is_some_and(|spec| spec.origin.matrix.is_none());
            if alone && wish.as_ref().is_some_and(|spec| !is_new(spec)) {
                *wish = None;
            }
        }
        self.added.retain(is_new);
    }
}

/// An element gets another word, or none and goes.
struct Edit {
    at: usize,
    word: Option<String>,
}

struct Editor<'a> {
    lists: &'a Lists,
    roots: &'a Roots,
    wishes: &'a Wishes,
    /// The roots that each element of the manifest has a part in.
    made: BTreeMap<usize, BTreeSet<usize>>,
    /// Elements in `specs` itself; others may be used where a condition is not understood.
    direct: BTreeSet<usize>,
}

impl<'a> Editor<'a> {
    fn new(lists: &'a Lists, roots: &'a Roots, wishes: &'a Wishes) -> Self {
        let mut made: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (number, root) in roots.specs.iter().enumerate() {
            for mark in marks(root).filter(|mark| mark.file == *lists.file()) {
                made.entry(mark.at).or_default().insert(number);
            }
        }
        Editor { lists, roots, wishes, made, direct: lists.places_in_specs() }
    }

    fn edits(&self) -> Result<Vec<Edit>> {
        let mut edits: Vec<Edit> = Vec::new();
        let mut done: BTreeSet<usize> = BTreeSet::new();
        for (number, wish) in &self.wishes.of {
            if done.contains(number) {
                continue;
            }
            let Some(root) = self.roots.specs.get(*number) else { continue };
            let edit = self.edit(root, wish.as_deref())?;
            done.extend(self.made.get(&edit.at).into_iter().flatten());
            edits.push(edit);
        }
        Ok(edits)
    }

    /// The one element whose change does what is wished and touches no other root.
    fn edit(&self, root: &UserSpec, wish: Option<&str>) -> Result<Edit> {
        let whole = root.origin.matrix.iter().filter(|_| wish.is_none() && root.group.is_none());
        if let Some(matrix) = whole.into_iter().find(|mark| self.is_free(mark)) {
            return Ok(Edit { at: matrix.at, word: None });
        }
        for element in self.by_preference(root) {
            if !self.is_free(&element.mark) {
                continue;
            }
            if wish.is_none() {
                return Ok(Edit { at: element.mark.at, word: None });
            }
            if let Some(word) = self.word(element) {
                return Ok(Edit { at: element.mark.at, word: Some(word) });
            }
        }
        Err(self.refusal(root, wish))
    }

    /// The element that names the package first.
    fn by_preference<'r>(&self, root: &'r UserSpec) -> Vec<&'r Element> {
        let mut all: Vec<&Element> = root.origin.parts.iter().flat_map(|part| &part.elements).collect();
        all.sort_by_key(|element| {
            !Spec::parse(&element.text, self.wishes.dialect).is_ok_and(|spec| spec.name.is_some())
        });
        all
    }

    /// Whether an element makes only roots that are to change in the same way.
    fn is_free(&self, mark: &Mark) -> bool {
        let here = mark.at > 0 && mark.file == *self.lists.file();
        let closed = !self.is_open(mark) && (self.direct.contains(&mark.at) || !self.roots.open_definitions);
        let mut kinds =
            self.made.get(&mark.at).into_iter().flatten().map(|number| self.wishes.of.get(number));
        let Some(Some(first)) = kinds.next() else { return false };
        here && closed && kinds.all(|wish| wish.is_some_and(|wish| wish.is_some() == first.is_some()))
    }

    fn is_open(&self, mark: &Mark) -> bool {
        self.roots.open.iter().any(|element| element.mark == *mark)
    }

    /// What an element has to say so that each of its roots becomes what is wished.
    fn word(&self, element: &Element) -> Option<String> {
        let mut words = BTreeSet::new();
        for number in self.made.get(&element.mark.at)? {
            let root = self.roots.specs.get(*number)?;
            words.insert(self.word_for(element, root, self.wishes.of.get(number)?.as_deref()?)?);
        }
        words.pop_first().filter(|_| words.is_empty())
    }

    fn word_for(&self, element: &Element, root: &UserSpec, wish: &str) -> Option<String> {
        let dialect = self.wishes.dialect;
        let own =
            root.origin.parts.iter().position(|part| part.elements.iter().any(|e| e.mark == element.mark))?;
        let part = root.origin.parts.get(own)?;
        if part.text != element.text {
            // It stands behind a sign, or among others in one text.
            return None;
        }
        if root.origin.parts.len() == 1 {
            return Some(wish.to_owned());
        }
        let mut texts: Vec<&str> = root.origin.parts.iter().map(|part| part.text.as_str()).collect();
        let mut others = texts.clone();
        others.remove(own);
        let wished = Spec::parse(wish, dialect).ok()?;
        let rest = minus(&wished, &combined(&others, dialect).ok()?);
        if rest.is_empty() {
            return None;
        }
        let word = if rest == wished { wish.to_owned() } else { rest.to_string() };
        *texts.get_mut(own)? = &word;
        let becomes = combined(&texts, dialect).ok()?;
        says(&becomes, &wished).then_some(word)
    }

    fn refusal(&self, root: &UserSpec, wish: Option<&str>) -> Trouble {
        let mark = self.by_preference(root).first().map(|element| element.mark.clone());
        let mark = mark.unwrap_or_else(|| Mark::internal(self.lists.file()));
        let text = &root.text;
        let others = self
            .made
            .get(&mark.at)
            .map_or(0, |made| made.iter().filter(|number| !self.wishes.of.contains_key(number)).count());
        let open = self.roots.open_definitions || self.is_open(&mark);
        let why = if mark.file != *self.lists.file() {
            "it is written outside of the manifest".to_owned()
        } else if others > 0 {
            format!("its line makes {others} other {}", if others == 1 { "root" } else { "roots" })
        } else if open {
            "only Spack can tell what else its line makes".to_owned()
        } else {
            "no single element there can be changed for it alone".to_owned()
        };
        let verb = if wish.is_some() { "replaced" } else { "removed" };
        let hint = match (&root.origin.matrix, wish) {
            (Some(matrix), Some(by)) => {
                format!("write `exclude: ['{text}']` into the matrix at {matrix}, and add '{by}' to `specs`")
            }
            (Some(matrix), None) => format!("write `exclude: ['{text}']` into the matrix at {matrix}"),
            (None, Some(by)) => format!("write '{by}' in the place of '{text}' at {mark}"),
            (None, None) => format!("take '{text}' out at {mark}"),
        };
        Trouble::new(Kind::Refused, format!("{mark}: '{text}' cannot be {verb}: {why}"))
            .fact("file", &*mark.file)
            .fact("line", mark.line)
            .fact("root", text.as_str())
            .at(Place { file: mark.file.to_string(), line: mark.line, column: 0 })
            .hint(hint)
    }

    fn unusual(&self) -> Trouble {
        let file = self.lists.file();
        Trouble::new(Kind::Refused, format!("what {file} asks for cannot be changed so that all else stays"))
            .hint("write `specs` and `definitions` as lists, one element a line")
    }

    /// What was made of the text says what is meant, and everything else as before.
    fn check(&self, before: &str, after: &str) -> Result<()> {
        let now = self.lists.with_text(after)?.roots()?;
        let mut left: Vec<&str> = now.specs.iter().map(|spec| spec.text.as_str()).collect();
        let mut take = |wanted: &dyn Fn(&str) -> bool| {
            left.iter().position(|text| wanted(text)).map(|at| left.remove(at)).is_some()
        };
        let dialect = self.wishes.dialect;
        let kept = self.roots.specs.iter().enumerate().filter(|(at, _)| !self.wishes.of.contains_key(at));
        let all_kept = kept.into_iter().all(|(_, spec)| take(&|text| text == spec.text));
        let wished = self.wishes.of.values().flatten().chain(&self.wishes.added);
        let all_there = wished.into_iter().all(|wish| {
            let wanted = Spec::parse(wish, dialect).ok();
            take(&|text| {
                let found = Spec::parse(text, dialect).ok();
                text == wish || wanted.as_ref().zip(found).is_some_and(|(wanted, found)| says(&found, wanted))
            })
        });
        let as_before = now.not_understood.len() == self.roots.not_understood.len();
        let rest = |text: &str| {
            let mut value: serde_json::Value = serde_saphyr::from_str(text).ok()?;
            let spack = value.get_mut("spack")?;
            if let Some(map) = spack.as_object_mut() {
                map.retain(|key, _| !["specs", "definitions", "definitions:"].contains(&key.as_str()));
                *spack = if map.is_empty() { serde_json::Value::Null } else { map.clone().into() };
            }
            Some(value)
        };
        let same_rest = rest(before).is_some_and(|value| Some(value) == rest(after));
        let whole = all_kept && all_there && left.is_empty() && as_before && same_rest;
        if whole && layout(after).is_some() { Ok(()) } else { Err(self.unusual()) }
    }
}

fn marks(root: &UserSpec) -> impl Iterator<Item = &Mark> {
    let elements = root.origin.parts.iter().flat_map(|part| &part.elements);
    elements.map(|element| &element.mark).chain(&root.origin.matrix)
}

#[cfg(test)]
mod tests;
