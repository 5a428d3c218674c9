//! Concretizes without installing: what Spack would build, and what of it is there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::failure;
use crate::spack::drive::installed::{self, Store};
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::invoke::{self, Answer, not_json};
use crate::spack::drive::session::{Scope, scope};
use crate::spack::store::node::Node;
use crate::spack::store::query::slashed;
use crate::spack::store::row::{SpecRow, languages};

/// One spec or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Specs {
    One(String),
    Many(Vec<String>),
}

impl Specs {
    /// Each as one word of a command line, checked not to be an option.
    pub fn words(&self) -> Result<Vec<String>> {
        let all = match self {
            Specs::One(one) => std::slice::from_ref(one),
            Specs::Many(many) => many,
        };
        all.iter().map(|text| word(text)).collect()
    }
}

/// A spec as an argument: never empty, never an option.
pub fn word(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Trouble::usage("a spec is empty"));
    }
    if text.starts_with('-') {
        return Err(Trouble::usage(format!("'{text}' is no spec: it begins like an option"))
            .hint("options of the command are fields of the table after the spec"));
    }
    Ok(slashed(text))
}

/// Concretizes a spec without installing it and tells what is there already.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct SpecArgs {
    /// The spec, or a list of them.
    pub spec: Specs,
    /// Inside this environment: a name or folder.
    #[serde(default)]
    pub env: Option<String>,
    /// Ignore what is installed or in mirrors (`true`), or prefer it (`false`); without it as configured.
    #[serde(default)]
    pub fresh: Option<bool>,
}

/// A concretized request.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Concretized {
    /// The hashes of what was asked for, in order.
    pub roots: Vec<String>,
    /// Every spec of it; `installed` tells whether it is there.
    pub specs: Vec<SpecRow>,
    /// How many would have to be installed. Build dependencies count as well.
    pub to_install: usize,
}

/// What `spack spec --json` gave, one document a root.
pub struct Solved {
    pub roots: Vec<String>,
    pub specs: BTreeMap<String, SpecRow>,
    /// The documents, for `spack install FILE`.
    pub documents: Vec<String>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    spec: Body<'a>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    nodes: Vec<&'a RawValue>,
}

pub async fn spec(cx: Cx, args: SpecArgs) -> Result<Concretized> {
    let scope = scope(&cx, args.env.clone()).await?;
    let solved = solve(&cx, &scope, &args.spec.words()?, reuse_option(args.fresh)).await?;
    let store = installed::now(&cx, &scope).await?;
    let specs: Vec<SpecRow> = solved.specs.into_values().map(|row| with_record(row, &store)).collect();
    let to_install = specs.iter().filter(|s| !s.installed && s.external.is_none()).count();
    Ok(Concretized { roots: solved.roots, specs, to_install })
}

/// Spack's option for `fresh`.
pub fn reuse_option(fresh: Option<bool>) -> Option<&'static str> {
    fresh.map(|fresh| if fresh { "--fresh" } else { "--reuse" })
}

/// Adds what the store knows of a spec.
pub fn with_record(mut row: SpecRow, store: &Store) -> SpecRow {
    if let Some(held) = store.get(&row.hash) {
        row.installed = held.installed;
        row.explicit = held.explicit;
        row.prefix.clone_from(&held.prefix);
        row.installed_at = held.installed_at;
    }
    row
}

/// Asks Spack's solver.
pub async fn solve(cx: &Cx, scope: &Scope, specs: &[String], reuse: Option<&str>) -> Result<Solved> {
    if specs.is_empty() {
        return Err(Trouble::usage("no spec was given"));
    }
    let mut words = vec!["spec".to_owned(), "--json".to_owned()];
    words.extend(reuse.map(str::to_owned));
    words.extend(specs.iter().cloned());
    let answer = invoke::run(cx, scope, Invocation::reads(words)).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    let solved = documents(&answer)?;
    if solved.roots.len() < specs.len() {
        return Err(answer.about(Trouble::new(
            Kind::Program,
            format!("{} gave {} results for {} specs", answer.title, solved.roots.len(), specs.len()),
        )));
    }
    Ok(solved)
}

fn documents(answer: &Answer) -> Result<Solved> {
    parse(&answer.ran.stdout, |e| not_json(answer, e))
}

/// Reads documents that this build wrote.
pub fn documents_of(text: &str) -> Result<Solved> {
    parse(text, |e| Trouble::new(Kind::Corrupt, format!("a concrete spec cannot be read: {e}")))
}

fn parse(text: &str, wrong: impl Fn(&serde_json::Error) -> Trouble) -> Result<Solved> {
    let begin = text.find('{').unwrap_or(0);
    let mut solved = Solved { roots: Vec::new(), specs: BTreeMap::new(), documents: Vec::new() };
    let stream = serde_json::Deserializer::from_str(text.get(begin..).unwrap_or_default());
    for document in stream.into_iter::<&RawValue>() {
        let document = document.map_err(|e| wrong(&e))?;
        let parsed: Document<'_> = serde_json::from_str(document.get()).map_err(|e| wrong(&e))?;
        let nodes: Vec<Node<'_>> = parsed
            .spec
            .nodes
            .iter()
            .map(|raw| Node::from_json(raw.get()).map_err(|e| wrong(&e)))
            .collect::<Result<_>>()?;
        let hash_of = |node: &Node<'_>| node.hash.as_ref().map(ToString::to_string).unwrap_or_default();
        let version = |hash: &str| {
            nodes.iter().find(|n| n.hash.as_deref() == Some(hash)).map(|n| n.version.to_string())
        };
        solved.roots.extend(nodes.first().map(&hash_of));
        for node in &nodes {
            let hash = hash_of(node);
            let row = SpecRow::of_node(node, &hash, languages(node, &version));
            solved.specs.entry(hash).or_insert(row);
        }
        solved.documents.push(document.get().to_owned());
    }
    Ok(solved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::proc::program::Ran;

    fn answer(stdout: &str) -> Answer {
        let ran = Ran { code: Some(0), stdout: stdout.to_owned(), ..Ran::default() };
        Answer {
            title: "spack spec".to_owned(),
            ran,
            log: None,
            progress: crate::spack::drive::events::Progress::default(),
        }
    }

    #[test]
    fn garbage_is_one_clear_error() {
        for text in ["{\"spec\": 1}", "{\"x\":", "{\"spec\":{\"nodes\":[7]}}"] {
            let error = documents(&answer(text)).err().unwrap();
            assert_eq!(error.kind(), Kind::Program, "{text}");
            assert!(error.message().contains("not JSON"), "{error}");
        }
        assert!(
            documents(&answer("hello")).is_ok_and(|s| s.roots.is_empty())
                || documents(&answer("hello")).is_err()
        );
    }

    #[test]
    fn what_begins_like_an_option_is_no_spec() {
        assert_eq!(word("--all").unwrap_err().kind(), Kind::Usage);
        assert_eq!(word(" ").unwrap_err().kind(), Kind::Usage);
        assert_eq!(word("abcdefghijklmnopqrstuvwxyz234567").unwrap(), "/abcdefghijklmnopqrstuvwxyz234567");
    }
}
