//! A toolchain: a configured name for compilers, which `%name` stands for.

use super::Parser;
use crate::base::{Kind, Result, Trouble};
use crate::spack::spec::lexer::Token;
use crate::spack::spec::merge::merge;
use crate::spack::spec::reading::ToolchainPart;
use crate::spack::spec::{Edge, Spec};

/// Toolchains may name others, though hardly so many.
const DEPTH: usize = 8;

impl Parser<'_> {
    /// What the next token stands for, if it is the name of a toolchain; then it is taken.
    pub(super) fn toolchain(&mut self) -> Result<Option<Spec>> {
        let (Some(Token::Name(name)), Some(site)) = (self.peek(), self.reading.site) else { return Ok(None) };
        let Some(parts) = site.toolchain(name)? else { return Ok(None) };
        self.next();
        if self.depth >= DEPTH {
            return Err(self.trouble_here(Kind::Usage, format!("the toolchain '{name}' names itself")));
        }
        let wrong = |what: &str| self.trouble_here(Kind::Usage, format!("in the toolchain '{name}': {what}"));
        let mut all = Spec::default();
        for part in parts {
            let spec = self.toolchain_part(&part).map_err(|t| wrong(t.message()))?;
            merge(&mut all, spec).map_err(|what| wrong(&what))?;
        }
        Ok(Some(all))
    }

    fn toolchain_part(&self, part: &ToolchainPart) -> Result<Spec> {
        let mut specs = super::parse_within(&part.spec, self.reading, self.depth + 1)?;
        let (Some(mut spec), true) = (specs.pop(), specs.is_empty()) else {
            return Err(Trouble::usage(format!("'{}' is no single spec", part.spec)));
        };
        if let Some(text) = part.when.as_deref()
            && let Some(when) = self.condition(text)?
        {
            spec.dependencies.iter_mut().try_for_each(|edge| restrict(edge, &when))?;
        }
        if spec.nodes().iter().any(|node| node.dependencies.iter().any(|edge| !edge.direct)) {
            return Err(Trouble::usage(format!("'{}' has '^', which a toolchain cannot have", part.spec)));
        }
        match spec.nodes().iter().skip(1).find(|node| node.name.is_none()) {
            Some(node) => Err(Trouble::usage(format!("'%{node}' names nothing"))),
            None => Ok(spec),
        }
    }
}

fn restrict(edge: &mut Edge, when: &Spec) -> Result<()> {
    match &mut edge.when {
        Some(before) => merge(before, when.clone()).map_err(Trouble::usage)?,
        before @ None => *before = Some(Box::new(when.clone())),
    }
    edge.spec.dependencies.iter_mut().try_for_each(|edge| restrict(edge, when))
}
