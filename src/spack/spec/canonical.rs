//! When two specs are one to Spack: the order in which dependencies were written does not count, that of flags does.

use super::print::quoted;
use super::{Dialect, Spec, VariantValue};

/// So much of a patch's digest is printed.
const SHOWN: usize = 7;

impl Spec {
    /// The same spec to Spack of this dialect?
    pub fn same_as(&self, other: &Spec, dialect: Dialect) -> bool {
        self.canonical(dialect) == other.canonical(dialect)
    }

    /// In the form in which equal specs are equal data. What Spack's order of edges does not tell apart stays as it was
    /// written.
    fn canonical(&self, dialect: Dialect) -> Spec {
        let mut dependencies = self.dependencies.clone();
        dependencies.sort_by_cached_key(|edge| {
            let (name, hash) = (edge.spec.name.clone(), edge.spec.hash.clone());
            let hash = hash.filter(|_| dialect == Dialect::Direct);
            let when = edge.when.as_ref().map(ToString::to_string);
            (name, hash, edge.deptypes.clone(), edge.virtuals.clone(), edge.direct, when)
        });
        for edge in &mut dependencies {
            edge.spec = edge.spec.canonical(dialect);
            edge.when = edge.when.as_ref().map(|when| Box::new(when.canonical(dialect)));
            if dialect == Dialect::Compiler {
                // Not compared.
                edge.virtuals.clear();
            }
        }
        Spec { dependencies, ..self.clone() }
    }

    /// What is left of it when Spack writes it down, as into a manifest or a lock, and reads it again: namespaces of
    /// what has a name are lost, flags that propagate come after those that do not, and a hash behind a value without
    /// quotes becomes a part of it.
    pub fn as_written(&self, dialect: Dialect) -> Spec {
        let mut written = self.clone();
        if written.name.is_some() {
            written.namespace = None;
        }
        if dialect == Dialect::Direct {
            written.architecture =
                [&written.platform, &written.os, &written.target].iter().any(|part| part.is_some());
        }
        for flags in written.flags.values_mut() {
            flags.sort_by_key(|flag| flag.propagate);
        }
        let patches = written.variants.get_mut("patches").filter(|patches| patches.exact);
        if let Some(VariantValue::Text(digests)) = patches.map(|patches| &mut patches.value) {
            for digest in digests {
                *digest = digest.chars().take(SHOWN).collect();
            }
        }
        written.hash = written.hash.take().and_then(|hash| swallow(&mut written, hash, dialect));
        for edge in &mut written.dependencies {
            edge.spec = edge.spec.as_written(dialect);
        }
        written
    }
}

/// Appends the hash to the value before it; gives it back where there is none, or one in quotes.
fn swallow(spec: &mut Spec, hash: String, dialect: Dialect) -> Option<String> {
    // As printed: variants, the namespace of what has no name, then the architecture, which has never quotes; up to 0.23
    // always as a whole.
    if dialect == Dialect::Compiler && spec.architecture {
        spec.target.get_or_insert_with(|| "None".to_owned());
    }
    let values = [&mut spec.target, &mut spec.os, &mut spec.platform, &mut spec.namespace];
    if let Some(last) = values.into_iter().find_map(Option::as_mut) {
        last.push_str(&format!("/{hash}"));
        return None;
    }
    let mut values = spec.variants.values_mut().map(|variant| &mut variant.value);
    let Some(VariantValue::Text(values)) = values.rfind(|value| !matches!(value, VariantValue::Bool(_)))
    else {
        return Some(hash);
    };
    if quoted(&values.join(",")) != values.join(",") {
        return Some(hash);
    }
    if let Some(last) = values.last_mut() {
        last.push_str(&format!("/{hash}"));
    }
    values.sort();
    None
}
