//! Builds specs from tokens. Contradictions and repetitions are errors with their column, and so is
//! everything that Spack reads and this build does not.
//!
//! ```text
//! edge ↔ mod ↔ node ↔ toolchain → arch
//! ```

mod arch;
mod edge;
mod node;
mod toolchain;

use super::lexer::{Assignment, Placed, Token, tokens, trouble_at};
use super::merge::merge;
use super::reading::Reading;
use super::{Dialect, Edge, Spec};
use crate::base::{Kind, Result, Trouble};

/// Old names of compilers and the packages that they are from 1.0 on.
pub const LEGACY_COMPILERS: [(&str, &str); 5] = [
    ("clang", "llvm"),
    ("oneapi", "intel-oneapi-compilers"),
    ("rocmcc", "llvm-amdgpu"),
    ("intel", "intel-oneapi-compilers-classic"),
    ("arm", "acfl"),
];

pub fn parse(text: &str, reading: Reading<'_>) -> Result<Vec<Spec>> {
    parse_within(text, reading, 0)
}

/// As part of so many toolchains, one within the other.
fn parse_within(text: &str, reading: Reading<'_>, depth: usize) -> Result<Vec<Spec>> {
    let tokens = tokens(text, reading.dialect)?;
    let mut parser = Parser { text, reading, tokens: &tokens, at: 0, depth };
    let mut specs = Vec::new();
    while parser.peek().is_some() {
        let before = parser.at;
        specs.push(parser.spec()?);
        if parser.at == before {
            return Err(parser.trouble(Kind::Usage, "this cannot begin a spec"));
        }
    }
    Ok(specs)
}

struct Parser<'a> {
    text: &'a str,
    reading: Reading<'a>,
    tokens: &'a [Placed<'a>],
    at: usize,
    depth: usize,
}

enum Part {
    Edge(Edge),
    Toolchain(Spec),
}

/// Where a `%` goes.
enum Current {
    Root,
    /// The last `^` dependency.
    Edge(usize),
    /// A dependency that was named before: what is said of it now was added to the first, and what follows it belongs
    /// to nothing.
    Merged(Box<Spec>),
}

impl<'a> Parser<'a> {
    fn dialect(&self) -> Dialect {
        self.reading.dialect
    }

    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at).map(|placed| &placed.token)
    }

    fn next(&mut self) -> Option<&'a Token<'a>> {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// An error about the next token.
    fn trouble(&self, kind: Kind, message: impl Into<String>) -> Trouble {
        let at = self.tokens.get(self.at).map_or(self.text.len(), |placed| placed.start);
        trouble_at(kind, self.text, at, message)
    }

    /// An error about the token just taken.
    fn trouble_here(&self, kind: Kind, message: impl Into<String>) -> Trouble {
        let at = self.tokens.get(self.at.wrapping_sub(1)).map_or(0, |placed| placed.start);
        trouble_at(kind, self.text, at, message)
    }

    fn spec(&mut self) -> Result<Spec> {
        let mut root = self.node(None)?;
        let mut current = Current::Root;
        while let Some(part) = self.part()? {
            let part = match part {
                Part::Edge(edge) if !edge.direct => {
                    current = self.attach(&mut root, edge)?;
                    continue;
                }
                other => other,
            };
            let parent = match &mut current {
                Current::Merged(spec) => &mut **spec,
                Current::Edge(at) => match root.dependencies.get_mut(*at) {
                    Some(edge) => &mut edge.spec,
                    None => &mut root,
                },
                Current::Root => &mut root,
            };
            match part {
                Part::Edge(edge) => drop(self.attach(parent, edge)?),
                Part::Toolchain(all) => merge(parent, all).map_err(|what| self.contradiction(&what))?,
            }
        }
        in_order(&mut root, self.dialect());
        Ok(root)
    }

    /// What follows a node: a dependency, or the dependencies that a toolchain stands for.
    fn part(&mut self) -> Result<Option<Part>> {
        let (mut edge, assignment) = match self.peek() {
            Some(Token::StartEdge { direct }) => {
                self.next();
                let (edge, assignment) = self.edge_attributes()?;
                (Edge { direct: *direct, ..edge }, assignment)
            }
            Some(Token::Dependency { direct, assignment }) => {
                self.next();
                if *direct && assignment.is_none() {
                    if let Some(toolchain) = self.toolchain()? {
                        return Ok(Some(Part::Toolchain(toolchain)));
                    }
                    if self.peek().is_none() {
                        return Err(self.trouble(Kind::Usage, "a dependency is missing after '%'"));
                    }
                }
                (Edge { direct: *direct, ..Edge::default() }, assignment.as_ref())
            }
            _ => return Ok(None),
        };
        if let Some(Assignment { virtuals, .. }) = assignment {
            edge.virtuals.extend(virtuals.split(',').map(str::to_owned));
        }
        edge.virtuals.sort();
        edge.virtuals.dedup();
        edge.spec = self.dependency(assignment.map(|a| a.package))?;
        if edge.direct {
            modernise(&mut edge.spec);
        }
        Ok(Some(Part::Edge(edge)))
    }

    fn dependency(&mut self, named: Option<&str>) -> Result<Spec> {
        let nothing = matches!(self.peek(), None | Some(Token::Dependency { .. }));
        if named.is_none() && nothing && self.dialect() == Dialect::Compiler {
            return Err(self.trouble(Kind::Usage, "a dependency is missing after its sign"));
        }
        self.node(named)
    }

    /// Adds an edge; a name that is there already gets what is said of it, where it is needed for the same.
    fn attach(&self, parent: &mut Spec, edge: Edge) -> Result<Current> {
        let same =
            |e: &Edge| e.spec.name == edge.spec.name && e.deptypes == edge.deptypes && e.when == edge.when;
        if edge.spec.name.is_some()
            && let Some(first) = parent.dependencies.iter_mut().find(|e| same(e))
        {
            let merged = Box::new(edge.spec.clone());
            merge(&mut first.spec, edge.spec).map_err(|what| self.contradiction(&what))?;
            first.virtuals.extend(edge.virtuals);
            first.virtuals.sort();
            first.virtuals.dedup();
            return Ok(Current::Merged(merged));
        }
        // Up to 0.23, one without a name may be any of the others.
        let may_be = |e: &Edge| match self.dialect() {
            Dialect::Compiler if edge.spec.name.is_none() => true,
            _ => e.spec.name == edge.spec.name && e.when == edge.when,
        };
        if !edge.deptypes.is_empty() && parent.dependencies.iter().any(|e| may_be(e) && !apart(e, &edge)) {
            let name = edge.spec.name.as_deref().unwrap_or("a dependency without a name");
            return Err(self.contradiction(&format!("{name} is needed twice for the same")));
        }
        parent.dependencies.push(edge);
        Ok(Current::Edge(parent.dependencies.len() - 1))
    }

    fn contradiction(&self, what: &str) -> Trouble {
        self.trouble_here(Kind::Usage, format!("the spec contradicts itself: {what}"))
    }
}

/// In the order in which Spack goes through dependencies: what it refuses only when it comes to it, such as a target that
/// nobody knows, must come to it here as well.
fn in_order(spec: &mut Spec, dialect: Dialect) {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    // Up to 0.23, two specs are others where dependencies that have only hashes are in another order.
    let hash = |spec: &Spec| if dialect == Dialect::Direct { text(&spec.hash) } else { String::new() };
    spec.dependencies.sort_by_cached_key(|edge| (text(&edge.spec.name), hash(&edge.spec)));
    spec.dependencies.iter_mut().for_each(|edge| in_order(&mut edge.spec, dialect));
}

/// Can a package be needed by both edges, each for itself? One may be for building only.
fn apart(a: &Edge, b: &Edge) -> bool {
    let shares = a.deptypes.iter().any(|deptype| b.deptypes.contains(deptype));
    let runs = |edge: &Edge| edge.deptypes.iter().any(|t| matches!(t.as_str(), "link" | "run"));
    !(shares || runs(a) && runs(b))
}

/// Compilers have the names of their packages from 1.0 on.
fn modernise(spec: &mut Spec) {
    let modern = |old: &str| LEGACY_COMPILERS.iter().find(|(known, _)| *known == old);
    if let Some((_, modern)) = spec.name.as_deref().and_then(modern) {
        spec.name = Some((*modern).to_owned());
    }
}
