//! One node: a name and what is said of it, without its dependencies.

use super::Parser;
use super::arch::{self, Refusal};
use crate::base::{Kind, Result, Trouble};
use crate::spack::spec::lexer::Token;
use crate::spack::spec::version::list::VersionList;
use crate::spack::spec::{Compiler, Dialect, FLAG_NAMES, Flag, Spec, Variant, VariantValue};

const ARCHITECTURE: [&str; 6] = ["arch", "architecture", "platform", "os", "operating_system", "target"];
/// What cannot be propagated; more from 1.0 on.
const UNPROPAGATED: [&str; 3] = ["namespace", "patches", "dev_path"];
const UNPROPAGATED_FROM_1_0: [&str; 4] = ["branch", "commit", "ref", "tag"];

impl Parser<'_> {
    /// One node; `named` comes from an assignment such as `c=gcc`.
    pub(super) fn node(&mut self, named: Option<&str>) -> Result<Spec> {
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
        VersionList::parse(text, self.dialect()).map_err(|t| {
            let hinted = self.trouble(t.kind(), t.message());
            t.hints().iter().fold(hinted, Trouble::hint)
        })
    }

    fn variant(&self, spec: &mut Spec, name: &str, variant: Variant) -> Result<()> {
        if variant.propagate && self.never_propagates(name) {
            return Err(self.trouble(Kind::Usage, format!("'{name}' cannot be propagated")));
        }
        if spec.variants.insert(name.to_owned(), variant).is_some() {
            return Err(self.trouble(Kind::Usage, format!("the variant '{name}' is given twice")));
        }
        Ok(())
    }

    fn never_propagates(&self, name: &str) -> bool {
        let modern = self.dialect() == Dialect::Direct && UNPROPAGATED_FROM_1_0.contains(&name);
        UNPROPAGATED.contains(&name) || ARCHITECTURE.contains(&name) || modern
    }

    fn key_value(
        &self,
        spec: &mut Spec,
        name: &str,
        value: &str,
        exact: bool,
        propagate: bool,
    ) -> Result<()> {
        if exact && self.dialect() == Dialect::Compiler {
            return Err(self.trouble(Kind::Usage, "':=' is read by Spack 1.0 and later only"));
        }
        if propagate && self.never_propagates(name) {
            return Err(self.trouble(Kind::Usage, format!("'{name}' takes '=' only")));
        }
        match name {
            name if ARCHITECTURE.contains(&name) => {
                arch::set(spec, name, value, self.reading).map_err(|refusal| match refusal {
                    Refusal::Wrong(what) => self.trouble(Kind::Usage, what),
                    Refusal::Unknown(what) => {
                        self.trouble(Kind::Unsupported, what).hint(format!("name the {name}"))
                    }
                })
            }
            "namespace" => {
                spec.namespace = Some(value.to_owned());
                Ok(())
            }
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

    fn variant_value(&self, name: &str, value: &str) -> Result<VariantValue> {
        if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
            return Ok(VariantValue::Bool(value.eq_ignore_ascii_case("true")));
        }
        if value == "*" {
            return Ok(VariantValue::Any);
        }
        let part =
            |v: &str| if self.dialect() == Dialect::Compiler { v.trim().to_owned() } else { v.to_owned() };
        let mut values: Vec<String> = value.split(',').map(part).collect();
        values.sort();
        values.dedup();
        let alone = |v: &String| v == "*" || (v == "none" && self.dialect() == Dialect::Compiler);
        if values.len() > 1 && values.iter().any(alone) {
            return Err(self.trouble(Kind::Usage, format!("'*' and 'none' stand alone in '{name}={value}'")));
        }
        Ok(VariantValue::Text(values))
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
fn flags_of(text: &str, propagate: bool) -> Vec<Flag> {
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
