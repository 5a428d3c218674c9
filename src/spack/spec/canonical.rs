//! When two specs are one to Spack: the order in which dependencies were written does not count, that of flags does.

use super::print::quoted;
use super::{Dialect, Edge, Spec, VariantValue};

impl Spec {
    /// The same spec to Spack of this dialect?
    pub fn same_as(&self, other: &Spec, dialect: Dialect) -> bool {
        self.canonical(dialect) == other.canonical(dialect)
    }

    /// In the form in which equal specs are equal data.
    fn canonical(&self, dialect: Dialect) -> Spec {
        let edge = |edge: &Edge| {
            let spec = edge.spec.canonical(dialect);
            match dialect {
                // Virtuals are not compared.
                Dialect::Compiler => Edge { spec, deptypes: edge.deptypes.clone(), ..Edge::default() },
                Dialect::Direct => Edge {
                    spec,
                    when: edge.when.as_ref().map(|when| Box::new(when.canonical(dialect))),
                    ..edge.clone()
                },
            }
        };
        let mut dependencies: Vec<Edge> = self.dependencies.iter().map(edge).collect();
        dependencies.sort_by_cached_key(|edge| {
            let when = edge.when.as_ref().map(ToString::to_string);
            let spec = &edge.spec;
            let (name, hash) = (spec.name.clone(), spec.hash.clone());
            (name, hash, edge.deptypes.clone(), edge.virtuals.clone(), edge.direct, when, spec.to_string())
        });
        Spec { dependencies, ..self.clone() }
    }

    /// What is left of it when Spack writes it down, as into a manifest or a lock, and reads it again: namespaces of
    /// what has a name are lost, flags that propagate come after those that do not, and a hash behind a value without
    /// quotes becomes a part of it.
    pub fn as_written(&self) -> Spec {
        let mut written = self.clone();
        if written.name.is_some() {
            written.namespace = None;
        }
        written.architecture = [&written.platform, &written.os, &written.target].iter().any(|p| p.is_some());
        for flags in written.flags.values_mut() {
            flags.sort_by_key(|flag| flag.propagate);
        }
        written.hash = written.hash.take().and_then(|hash| swallow(&mut written, hash));
        for edge in &mut written.dependencies {
            edge.spec = edge.spec.as_written();
        }
        written
    }
}

/// Appends the hash to the value before it; gives it back where there is none, or one in quotes.
fn swallow(spec: &mut Spec, hash: String) -> Option<String> {
    let behind = |value: &mut String, quotes: bool| {
        if quotes && quoted(value) != *value {
            return Some(hash.clone());
        }
        value.push('/');
        value.push_str(&hash);
        None
    };
    // As printed: variants, the namespace of what has no name, then the architecture, which has never quotes.
    let architecture = [spec.target.as_mut(), spec.os.as_mut(), spec.platform.as_mut()];
    if let Some(last) = architecture.into_iter().flatten().next() {
        return behind(last, false);
    }
    if let Some(namespace) = spec.namespace.as_mut() {
        return behind(namespace, false);
    }
    let texts = spec.variants.values_mut().filter_map(|variant| match &mut variant.value {
        VariantValue::Text(values) => Some(values),
        VariantValue::Any | VariantValue::Bool(_) => None,
    });
    let Some(values) = texts.last() else { return Some(hash) };
    if quoted(&values.join(",")) != values.join(",") {
        return Some(hash);
    }
    if let Some(last) = values.last_mut() {
        last.push_str(&format!("/{hash}"));
    }
    values.sort();
    None
}
