//! A spec as text that parses to the same spec again.

use std::fmt;

use super::lexer::git_version;
use super::{Compiler, Edge, Flag, Spec, Variant, VariantValue};

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        node(self, &mut out);
        // A `%` after a `^` would belong to that dependency, so the direct ones come first.
        let (direct, other): (Vec<&Edge>, Vec<&Edge>) = self.dependencies.iter().partition(|e| e.direct);
        for edge in direct.into_iter().chain(other) {
            dependency(edge, &mut out);
        }
        // What asks for nothing needs a text as well.
        f.write_str(if out.trim().is_empty() { "@:" } else { out.trim() })
    }
}

fn dependency(edge: &Edge, out: &mut String) {
    out.push_str(if edge.direct { " %" } else { " ^" });
    if !edge.virtuals.is_empty() || !edge.deptypes.is_empty() || edge.when.is_some() {
        let mut attributes = Vec::new();
        if let Some(when) = &edge.when {
            attributes.push(format!("when={}", quoted(&when.to_string())));
        }
        if !edge.deptypes.is_empty() {
            attributes.push(format!("deptypes={}", edge.deptypes.join(",")));
        }
        if !edge.virtuals.is_empty() {
            attributes.push(format!("virtuals={}", edge.virtuals.join(",")));
        }
        out.push_str(&format!("[{}] ", attributes.join(" ")));
    }
    let text = edge.spec.to_string();
    // `^c=gcc` names a package for a virtual; a variant of a nameless dependency must not look like it.
    if edge.spec.name.is_none() && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        out.push_str("@: ");
    }
    out.push_str(&text);
}

fn node(spec: &Spec, out: &mut String) {
    let plain = |text: &&String| !text.split('.').any(|part| !is_identifier(part));
    let before = spec.namespace.as_ref().filter(plain).filter(|_| spec.name.is_some());
    if let Some(name) = &spec.name {
        if let Some(namespace) = before {
            out.push_str(&format!("{namespace}."));
        }
        out.push_str(name);
    }
    if !spec.versions.is_any() {
        let versions = spec.versions.to_string();
        // `@git.a` is a git version to its end; what only begins like one stands apart.
        let apart = git_version(&versions).is_some_and(|length| length < versions.len());
        out.push_str(&format!("@{}{versions}", if apart { " " } else { "" }));
    }
    if let Some(Compiler { name, versions }) = &spec.compiler {
        out.push_str(&format!("%{name}"));
        if !versions.is_any() {
            out.push_str(&format!("@{versions}"));
        }
    }
    for (name, Variant { value, propagate, .. }) in &spec.variants {
        if let VariantValue::Bool(on) = value {
            let sigil = if *on { "+" } else { "~" };
            out.push_str(&format!(" {}{name}", sigil.repeat(if *propagate { 2 } else { 1 })));
        }
    }
    for (name, Variant { value, exact, propagate }) in &spec.variants {
        let text = match value {
            VariantValue::Bool(_) => continue,
            VariantValue::Any => "*".to_owned(),
            VariantValue::Text(values) => quoted(&values.join(",")),
        };
        let (colon, equals) = (if *exact { ":" } else { "" }, if *propagate { "==" } else { "=" });
        out.push_str(&format!(" {name}{colon}{equals}{text}"));
    }
    for (name, flags) in &spec.flags {
        // A word without a dash would belong to the flag before it, as in '-I path'.
        let together = |a: &Flag, b: &Flag| a.propagate == b.propagate && b.text.starts_with('-');
        for run in flags.chunk_by(together) {
            let text: Vec<&str> = run.iter().map(|flag: &Flag| flag.text.as_str()).collect();
            let equals = if run.iter().any(|flag| flag.propagate) { "==" } else { "=" };
            out.push_str(&format!(" {name}{equals}{}", quoted(&text.join(" "))));
        }
    }
    if let (None, Some(namespace)) = (before, &spec.namespace) {
        out.push_str(&format!(" namespace={}", quoted(namespace)));
    }
    let parts = [("platform", &spec.platform), ("os", &spec.os), ("target", &spec.target)];
    for (name, value) in parts {
        if let Some(value) = value {
            let text = if value == "*" { value.clone() } else { quoted(value) };
            out.push_str(&format!(" {name}={text}"));
        }
    }
    if spec.architecture && parts.iter().all(|(_, value)| value.is_none()) {
        out.push_str(" target=''");
    }
    if let Some(hash) = &spec.hash {
        out.push_str(&format!(" /{hash}"));
    }
}

pub(in crate::spack) fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The value, in quotes where it needs them.
pub fn quoted(value: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || ",/_.-:\\".contains(c);
    if !value.is_empty() && value.chars().all(bare) {
        value.to_owned()
    } else if value.contains('\'') {
        format!("\"{}\"", value.replace('"', "\\\""))
    } else {
        format!("'{value}'")
    }
}
