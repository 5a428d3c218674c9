//! Which spec of one lock became which of the other, where both hold several of one package. The same whichever lock
//! comes first, and in every run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::side::{LANGUAGES, Side, Spec};
use crate::base::Result;
use crate::spack::store::node::{Dependency, Node};

/// So many pairs of a package are weighed; more are taken as they stand, sorted by what they are.
const MOST_WEIGHED: usize = 400;

/// What became of a spec: one side alone, or both.
pub type Pair<'s> = (Option<Spec<'s>>, Option<Spec<'s>>);

/// Pairs by name.
pub fn pairs<'s>(
    before: &Side<'s, '_>,
    after: &Side<'s, '_>,
    gone: Vec<Spec<'s>>,
    new: Vec<Spec<'s>>,
) -> Result<Vec<Pair<'s>>> {
    let mut groups: BTreeMap<&str, (Vec<Spec<'s>>, Vec<Spec<'s>>)> = BTreeMap::new();
    for spec in gone {
        groups.entry(&spec.node.name).or_default().0.push(spec);
    }
    for spec in new {
        groups.entry(&spec.node.name).or_default().1.push(spec);
    }
    let mut out = Vec::new();
    for (mut old, mut new) in groups.into_values() {
        old.sort_unstable_by_key(|spec| spec.hash);
        new.sort_unstable_by_key(|spec| spec.hash);
        let begin = out.len();
        if old.len() > 1 || new.len() > 1 {
            if !old.is_empty() && !new.is_empty() {
                equal(&mut out, &mut old, &mut new, before, after, Sketch::dependencies)?;
                equal(&mut out, &mut old, &mut new, before, after, Sketch::itself)?;
            }
            nearest(&mut out, &mut old, &mut new, before, after)?;
        }
        let mut new = new.into_iter();
        let both: Vec<Pair<'s>> = old.into_iter().map(|spec| (Some(spec), new.next())).collect();
        out.extend(both);
        out.extend(new.map(|spec| (None, Some(spec))));
        if let Some(group) = out.get_mut(begin..) {
            group.sort_unstable_by(|a, b| first_hash(a).cmp(&first_hash(b)));
        }
    }
    Ok(out)
}

fn first_hash<'s>(pair: &Pair<'s>) -> Option<&'s str> {
    pair.0.iter().chain(&pair.1).map(|spec| spec.hash).min()
}

/// What a spec is, in words that can be compared.
struct Sketch {
    /// Version, compilers, flags, variants, architecture.
    itself: String,
    /// The same, with the names and versions of its dependencies, and who asks for it.
    dependencies: String,
}

impl Sketch {
    fn of(side: &Side<'_, '_>, spec: &Spec<'_>) -> Result<Sketch> {
        let mut itself = spec.words.rsplit_once(" /").map_or("", |(words, _)| words).to_owned();
        for language in LANGUAGES {
            // Writing to a `String` cannot fail.
            if let Some(compiler) = side.compiler(spec.node, language)? {
                let _ = write!(itself, " %{language}={compiler}");
            }
        }
        let mut edges = Vec::with_capacity(spec.node.dependencies.len());
        for edge in &spec.node.dependencies {
            edges.push(format!("{}@{}", edge.name, side.version(&edge.hash)?.unwrap_or_default()));
        }
        edges.sort_unstable();
        let dependencies = format!("{itself} ^{} {}", edges.join(" ^"), spec.roots.join(" "));
        Ok(Sketch { itself, dependencies })
    }

    fn itself(self) -> String {
        self.itself
    }

    fn dependencies(self) -> String {
        self.dependencies
    }
}

/// Pairs those whose sketches are equal; both lists are sorted by hash and stay so.
fn equal<'s>(
    out: &mut Vec<Pair<'s>>,
    old: &mut Vec<Spec<'s>>,
    new: &mut Vec<Spec<'s>>,
    before: &Side<'_, '_>,
    after: &Side<'_, '_>,
    key: fn(Sketch) -> String,
) -> Result<()> {
    let mut waiting: BTreeMap<String, Vec<Spec<'s>>> = BTreeMap::new();
    for spec in new.drain(..).rev() {
        waiting.entry(key(Sketch::of(after, &spec)?)).or_default().push(spec);
    }
    let mut left = Vec::new();
    for spec in old.drain(..) {
        match waiting.get_mut(&key(Sketch::of(before, &spec)?)).and_then(Vec::pop) {
            Some(other) => out.push((Some(spec), Some(other))),
            None => left.push(spec),
        }
    }
    *old = left;
    new.extend(waiting.into_values().flatten());
    new.sort_unstable_by_key(|spec| spec.hash);
    Ok(())
}

/// Pairs the most alike first. Leaves what only one side has, or, where there are too many, all sorted by what they are.
fn nearest<'s>(
    out: &mut Vec<Pair<'s>>,
    old: &mut Vec<Spec<'s>>,
    new: &mut Vec<Spec<'s>>,
    before: &Side<'_, '_>,
    after: &Side<'_, '_>,
) -> Result<()> {
    if old.len().saturating_mul(new.len()) > MOST_WEIGHED {
        let by_words = |a: &Spec<'_>, b: &Spec<'_>| (&a.words, a.hash).cmp(&(&b.words, b.hash));
        old.sort_unstable_by(by_words);
        new.sort_unstable_by(by_words);
        return Ok(());
    }
    let mut weighed = Vec::with_capacity(old.len() * new.len());
    for (i, a) in old.iter().enumerate() {
        for (j, b) in new.iter().enumerate() {
            let hashes = (a.hash.min(b.hash), a.hash.max(b.hash));
            weighed.push((likeness(before, after, a, b)?, hashes, i, j));
        }
    }
    weighed.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut old_left: Vec<Option<Spec<'s>>> = old.drain(..).map(Some).collect();
    let mut new_left: Vec<Option<Spec<'s>>> = new.drain(..).map(Some).collect();
    for (_, _, i, j) in weighed {
        if let (Some(a @ Some(_)), Some(b @ Some(_))) = (old_left.get_mut(i), new_left.get_mut(j)) {
            out.push((a.take(), b.take()));
        }
    }
    old.extend(old_left.into_iter().flatten());
    new.extend(new_left.into_iter().flatten());
    Ok(())
}

/// How alike two specs of one package are. The version counts most, then who asks for it and what compiles it.
fn likeness(before: &Side<'_, '_>, after: &Side<'_, '_>, a: &Spec<'_>, b: &Spec<'_>) -> Result<usize> {
    let (x, y) = (a.node, b.node);
    let mut sum = 0;
    let mut add = |same: bool, weight: usize| sum += if same { weight } else { 0 };
    add(x.version == y.version, 640);
    let major = |version: &str| version.split(['.', '-', '_']).next().map(str::to_owned);
    add(major(&x.version) == major(&y.version), 80);
    add(a.roots.iter().any(|root| b.roots.contains(root)), 320);
    add(a.build_only == b.build_only, 120);
    add(x.external.is_some() == y.external.is_some(), 120);
    add(x.arch.target.as_deref() == y.arch.target.as_deref(), 80);
    add(x.arch.os.as_deref() == y.arch.os.as_deref(), 80);
    let own = |node: &Node<'_>| node.compiler.as_ref().map(|c| (c.name.to_string(), c.version.to_string()));
    add(own(x) == own(y), 160);
    for language in LANGUAGES {
        add(before.compiler(x, language)? == after.compiler(y, language)?, 80);
    }
    let all = x.parameters.len().max(y.parameters.len()).max(1);
    let alike = x.parameters.iter().filter(|parameter| y.parameters.contains(parameter)).count();
    sum += 240 * alike / all;
    let all = x.dependencies.len().max(y.dependencies.len()).max(1);
    for (at, edge) in x.dependencies.iter().enumerate() {
        let named = |other: &Dependency<'_>| other.name == edge.name;
        let Some(other) = y.dependencies.iter().find(|other| named(other)) else { continue };
        // The first of each name, so that it is the same from both sides.
        if x.dependencies.iter().take(at).any(named) {
            continue;
        }
        sum += 160 / all;
        if before.version(&edge.hash)? == after.version(&other.hash)? {
            sum += 160 / all;
        }
    }
    Ok(sum)
}
