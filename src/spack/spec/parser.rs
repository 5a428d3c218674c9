//! Builds specs from tokens. Contradictions and repetitions are errors with their column, and so is
//! everything that Spack reads and this build does not.

use crate::base::{Kind, Result, Trouble};

use super::lexer::{Assignment, Placed, Token, tokens, trouble_at};
use super::print::is_identifier;
use super::{Compiler, Dialect, Edge, FLAG_NAMES, Flag, Spec, Variant, VariantValue};
use crate::spack::spec::version::list::VersionList;

/// Old names of compilers and the packages that they are from 1.0 on.
pub const LEGACY_COMPILERS: [(&str, &str); 5] = [
    ("clang", "llvm"),
    ("oneapi", "intel-oneapi-compilers"),
    ("rocmcc", "llvm-amdgpu"),
    ("intel", "intel-oneapi-compilers-classic"),
    ("arm", "acfl"),
];

const DEPTYPES: [&str; 4] = ["build", "link", "run", "test"];
/// Words that mean "of this machine".
const RESERVED_TARGETS: [&str; 5] = ["default_target", "frontend", "fe", "backend", "be"];
const RESERVED_SYSTEMS: [&str; 5] = ["default_os", "frontend", "fe", "backend", "be"];

pub fn parse(text: &str, dialect: Dialect) -> Result<Vec<Spec>> {
    let tokens = tokens(text, dialect)?;
    let mut parser = Parser { text, dialect, tokens: &tokens, at: 0 };
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
    dialect: Dialect,
    tokens: &'a [Placed<'a>],
    at: usize,
}

impl<'a> Parser<'a> {
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
        // Where a `%` goes: the last `^` dependency, or the root.
        let mut current: Option<usize> = None;
        loop {
            let (direct, mut edge, assignment) = match self.peek() {
                Some(Token::StartEdge { direct }) => {
                    self.next();
                    let (edge, assignment) = self.edge_attributes()?;
                    (*direct, edge, assignment)
                }
                Some(Token::Dependency { direct, assignment }) => {
                    self.next();
                    (*direct, Edge::default(), assignment.as_ref())
                }
                _ => return Ok(root),
            };
            edge.direct = direct;
            if let Some(Assignment { virtuals, .. }) = assignment {
                edge.virtuals.extend(virtuals.split(',').map(str::to_owned));
            }
            edge.virtuals.sort();
            edge.virtuals.dedup();
            edge.spec = self.node(assignment.map(|a| a.package))?;
            if edge.spec == Spec::default() {
                return Err(self.trouble(Kind::Usage, "a dependency is missing after its sign"));
            }
            if edge.spec.name.is_none() && self.dialect == Dialect::Compiler {
                return Err(
                    self.trouble_here(Kind::Unsupported, "a dependency without a name is not supported")
                );
            }
            if direct {
                modernise(&mut edge.spec);
                let parent = match current.and_then(|at| root.dependencies.get_mut(at)) {
                    Some(edge) => &mut edge.spec,
                    None => &mut root,
                };
                self.attach(parent, edge)?;
            } else {
                current = Some(self.attach(&mut root, edge)?);
            }
        }
    }

    /// Adds an edge; a name that is there already gets the virtuals, where both say the same.
    fn attach(&self, parent: &mut Spec, edge: Edge) -> Result<usize> {
        let same =
            |e: &Edge| e.spec.name.is_some() && e.spec.name == edge.spec.name && e.deptypes == edge.deptypes;
        if let Some(at) = parent.dependencies.iter().position(same) {
            if let Some(first) = parent.dependencies.get_mut(at) {
                if let Err(what) = super::merge::merge(&mut first.spec, edge.spec) {
                    return Err(
                        self.trouble_here(Kind::Usage, format!("the spec contradicts itself: {what}"))
                    );
                }
                first.virtuals.extend(edge.virtuals);
                first.virtuals.sort();
                first.virtuals.dedup();
            }
            return Ok(at);
        }
        parent.dependencies.push(edge);
        Ok(parent.dependencies.len() - 1)
    }

    fn edge_attributes(&mut self) -> Result<(Edge, Option<&'a Assignment<'a>>)> {
        let mut edge = Edge::default();
        loop {
            match self.next() {
                Some(Token::KeyValue { propagate: true, .. } | Token::KeyValue { exact: true, .. }) => {
                    return Err(
                        self.trouble_here(Kind::Usage, "a property of a dependency is written 'name=value'")
                    );
                }
                Some(Token::KeyValue { name, value, .. }) => {
                    let values = value.trim_matches(['\'', '"', ' ']).split(',').map(str::to_owned);
                    match *name {
                        "virtuals" => edge.virtuals.extend(self.virtuals(values.collect())?),
                        "deptypes" => edge.deptypes = self.deptypes(values.collect())?,
                        "when" => {
                            return Err(self.trouble_here(
                                Kind::Unsupported,
                                "conditions on dependencies ('when=') are not supported",
                            ));
                        }
                        other => {
                            return Err(self
                                .trouble_here(Kind::Usage, format!("a dependency has no property '{other}'"))
                                .hint("known: virtuals, deptypes"));
                        }
                    }
                }
                Some(Token::EndEdge(assignment)) => return Ok((edge, assignment.as_ref())),
                _ => {
                    self.at = self.at.saturating_sub(1);
                    return Err(self.trouble(Kind::Usage, "a property of the dependency or ']' is expected"));
                }
            }
        }
    }

    fn virtuals(&self, names: Vec<String>) -> Result<Vec<String>> {
        match names.iter().find(|name| !is_identifier(name)) {
            Some(bad) => {
                Err(self.trouble_here(Kind::Usage, format!("'{bad}' is not the name of a virtual package")))
            }
            None => Ok(names),
        }
    }

    fn deptypes(&self, names: Vec<String>) -> Result<Vec<String>> {
        if names == ["all"] {
            return Ok(DEPTYPES.map(str::to_owned).to_vec());
        }
        if let Some(name) = names.iter().find(|name| !DEPTYPES.contains(&name.as_str())) {
            Err(self
                .trouble_here(Kind::Usage, format!("'{name}' is not a type of dependency"))
                .hint("known: build, link, run, test"))
        } else {
            let known = DEPTYPES.iter().filter(|known| names.iter().any(|name| name == *known));
            Ok(known.map(|known| (*known).to_owned()).collect())
        }
    }

    /// One node; `named` comes from an assignment such as `c=gcc`.
    fn node(&mut self, named: Option<&str>) -> Result<Spec> {
        let mut spec = Spec::default();
        match (named, self.peek()) {
            (Some(name), _) => set_name(&mut spec, name),
            (None, Some(Token::Name(name))) => {
                self.next();
                set_name(&mut spec, name);
            }
            (None, Some(Token::Star)) => {
                self.next();
            }
            _ => {}
        }
        let mut has_version = false;
        while let Some(token) = self.peek() {
            match token {
                Token::Version(_) if has_version => {
                    return Err(self
                        .trouble(Kind::Usage, "a spec has one '@', not two")
                        .hint("write '@1.2,1.4'"));
                }
                Token::Version(versions) => {
                    has_version = true;
                    spec.versions = self.versions(versions)?;
                }
                Token::Compiler { .. } if spec.compiler.is_some() => {
                    return Err(self.trouble(Kind::Usage, "a spec has one compiler, not two"));
                }
                Token::Compiler { name, versions } => {
                    let versions = versions.map_or(Ok(VersionList::any()), |v| self.versions(v))?;
                    spec.compiler = Some(Compiler { name: (*name).to_owned(), versions });
                }
                Token::Bool { name, on, propagate } => {
                    let value = VariantValue::Bool(*on);
                    self.variant(&mut spec, name, Variant { value, exact: false, propagate: *propagate })?;
                }
                Token::KeyValue { name, value, exact, propagate } => {
                    self.key_value(&mut spec, name, value, *exact, *propagate)?;
                }
                Token::Hash(hash) if spec.hash.is_none() => spec.hash = Some((*hash).to_owned()),
                _ => break,
            }
            self.next();
        }
        Ok(spec)
    }

    fn versions(&self, text: &str) -> Result<VersionList> {
        VersionList::parse(text).map_err(|t| {
            let hinted = self.trouble(t.kind(), t.message());
            t.hints().iter().fold(hinted, Trouble::hint)
        })
    }

    fn variant(&self, spec: &mut Spec, name: &str, variant: Variant) -> Result<()> {
        if variant.propagate && matches!(name, "patches" | "dev_path") {
            return Err(self.trouble(Kind::Usage, format!("'{name}' cannot be propagated")));
        }
        match spec.variants.get(name) {
            Some(before) if *before != variant => {
                Err(self.trouble(Kind::Usage, format!("the variant '{name}' is given twice")))
            }
            _ => {
                spec.variants.insert(name.to_owned(), variant);
                Ok(())
            }
        }
    }

    fn key_value(
        &self,
        spec: &mut Spec,
        name: &str,
        value: &str,
        exact: bool,
        propagate: bool,
    ) -> Result<()> {
        let reserved = ["arch", "architecture", "platform", "os", "operating_system", "target", "namespace"];
        if exact && self.dialect == Dialect::Compiler {
            return Err(self.trouble(Kind::Usage, "':=' is read by Spack 1.0 and later only"));
        }
        if (propagate || exact) && reserved.contains(&name) {
            return Err(self.trouble(Kind::Usage, format!("'{name}' takes '=' only")));
        }
        match name {
            "arch" | "architecture" => {
                let parts: Vec<&str> = value.split('-').collect();
                let (platform, os, target) = match parts.as_slice() {
                    [platform, os, target] => (Some(*platform), Some(*os), *target),
                    _ => (None, None, value),
                };
                self.once(&mut spec.platform, "platform", platform)?;
                self.once(&mut spec.os, "os", os)?;
                self.once(&mut spec.target, "target", Some(target))
            }
            "platform" => self.once(&mut spec.platform, "platform", Some(value)),
            "os" | "operating_system" => self.once(&mut spec.os, "os", Some(value)),
            "target" => self.once(&mut spec.target, "target", Some(value)),
            "namespace" => self.once(&mut spec.namespace, "namespace", Some(value)),
            flags if FLAG_NAMES.contains(&flags) => {
                // No flags ask for nothing, and have no name of their own.
                let given = flags_of(value, propagate);
                if !given.is_empty() {
                    spec.flags.entry(flags.to_owned()).or_default().extend(given);
                }
                Ok(())
            }
            variant => {
                let value = self.variant_value(variant, value)?;
                let exact = exact && matches!(value, VariantValue::Text(_));
                self.variant(spec, variant, Variant { value, exact, propagate })
            }
        }
    }

    fn once(&self, field: &mut Option<String>, name: &str, value: Option<&str>) -> Result<()> {
        let Some(value) = value.filter(|v| *v != "None") else { return Ok(()) };
        let reserved = match name {
            "os" => RESERVED_SYSTEMS.contains(&value),
            "target" => RESERVED_TARGETS.contains(&value),
            _ => false,
        };
        if reserved {
            return Err(self
                .trouble(
                    Kind::Unsupported,
                    format!("'{name}={value}' (what this machine is) is not supported"),
                )
                .hint(format!("name the {name}")));
        }
        if field.as_deref().is_some_and(|before| before != value) {
            return Err(self.trouble(Kind::Usage, format!("'{name}' is given twice")));
        }
        *field = Some(value.to_owned());
        Ok(())
    }

    fn variant_value(&self, name: &str, value: &str) -> Result<VariantValue> {
        if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
            return Ok(VariantValue::Bool(value.eq_ignore_ascii_case("true")));
        }
        if value == "*" {
            return Ok(VariantValue::Any);
        }
        let part =
            |v: &str| if self.dialect == Dialect::Compiler { v.trim().to_owned() } else { v.to_owned() };
        let mut values: Vec<String> = value.split(',').map(part).collect();
        values.sort();
        values.dedup();
        let alone = |v: &String| v == "*" || (v == "none" && self.dialect == Dialect::Compiler);
        if values.len() > 1 && values.iter().any(alone) {
            return Err(self.trouble(Kind::Usage, format!("'*' and 'none' stand alone in '{name}={value}'")));
        }
        Ok(VariantValue::Text(values))
    }
}

/// Compilers have the names of their packages from 1.0 on.
fn modernise(spec: &mut Spec) {
    let modern = |old: &str| LEGACY_COMPILERS.iter().find(|(known, _)| *known == old);
    if let Some((_, modern)) = spec.name.as_deref().and_then(modern) {
        spec.name = Some((*modern).to_owned());
    }
}

fn set_name(spec: &mut Spec, text: &str) {
    match text.rsplit_once('.') {
        Some((namespace, name)) => {
            spec.namespace = Some(namespace.to_owned());
            spec.name = Some(name.to_owned());
        }
        None => spec.name = Some(text.to_owned()),
    }
}

/// Splits `-O3 -isystem dir`: a word without `-` belongs to the flag before it.
pub fn flags_of(text: &str, propagate: bool) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    for word in text.split_whitespace() {
        match flags.last_mut() {
            Some(flag) if !word.starts_with('-') => {
                flag.text.push(' ');
                flag.text.push_str(word);
            }
            _ => flags.push(Flag { text: word.to_owned(), propagate }),
        }
    }
    flags
}
