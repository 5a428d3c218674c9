//! What stands in the brackets of a dependency: `^[virtuals=mpi deptypes=link]`.

use super::Parser;
use crate::base::{Kind, Result};
use crate::spack::spec::lexer::{Assignment, Token};
use crate::spack::spec::print::is_identifier;
use crate::spack::spec::{DEPTYPES, Dialect, Edge, Spec};

impl<'a> Parser<'a> {
    /// From behind the opening bracket; with the assignment that may follow the closing one.
    pub(super) fn edge_attributes(&mut self) -> Result<(Edge, Option<&'a Assignment<'a>>)> {
        let mut edge = Edge::default();
        loop {
            match self.next() {
                Some(Token::KeyValue { propagate: true, .. }) => {
                    return Err(
                        self.trouble_here(Kind::Usage, "a property of a dependency is written 'name=value'")
                    );
                }
                Some(Token::KeyValue { name, value, .. }) => self.attribute(&mut edge, name, value)?,
                Some(Token::EndEdge(assignment)) => return Ok((edge, assignment.as_ref())),
                _ => {
                    self.at = self.at.saturating_sub(1);
                    return Err(self.trouble(Kind::Usage, "a property of the dependency or ']' is expected"));
                }
            }
        }
    }

    /// Of a property that is given twice, the last counts.
    fn attribute(&self, edge: &mut Edge, name: &str, value: &str) -> Result<()> {
        let value = value.trim_matches(['\'', '"', ' ']);
        let split = || value.split(',').map(str::to_owned).collect::<Vec<String>>();
        match name {
            "virtuals" => edge.virtuals = self.virtuals(split())?,
            "deptypes" => edge.deptypes = self.deptypes(&split())?,
            "when" if self.dialect() == Dialect::Direct => {
                // Spack cuts at the comma and looks at the first piece alone.
                let condition = value.split(',').next().unwrap_or_default();
                edge.when = self.condition(condition)?.map(Box::new);
            }
            other => {
                return Err(self
                    .trouble_here(Kind::Usage, format!("a dependency has no property '{other}'"))
                    .hint("known: virtuals, deptypes"));
            }
        }
        Ok(())
    }

    /// When a dependency holds; none where it always does.
    pub(super) fn condition(&self, text: &str) -> Result<Option<Spec>> {
        let mut specs = super::parse_within(text, self.reading, self.depth + 1)
            .map_err(|t| self.trouble_here(t.kind(), format!("in 'when={text}': {}", t.message())))?;
        match (specs.pop(), specs.is_empty()) {
            (Some(spec), true) => Ok(Some(spec).filter(|spec| !spec.is_empty())),
            _ => Err(self.trouble_here(Kind::Usage, format!("'when={text}' holds no single spec"))),
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

    fn deptypes(&self, names: &[String]) -> Result<Vec<String>> {
        if let Some(name) = names.iter().find(|name| !DEPTYPES.contains(&name.as_str())) {
            return Err(self
                .trouble_here(Kind::Usage, format!("'{name}' is not a type of dependency"))
                .hint("known: build, link, run, test"));
        }
        let known = DEPTYPES.iter().filter(|known| names.iter().any(|name| name == *known));
        Ok(known.map(|known| (*known).to_owned()).collect())
    }
}
