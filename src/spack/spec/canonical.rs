//! When two specs are one to Spack: the order in which dependencies were written does not count, that of flags does.

use super::{Dialect, Edge, Spec};

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
    /// what has a name are lost, and flags that propagate come after those that do not.
    pub fn as_written(&self) -> Spec {
        let mut written = self.clone();
        if written.name.is_some() {
            written.namespace = None;
        }
        for flags in written.flags.values_mut() {
            flags.sort_by_key(|flag| flag.propagate);
        }
        for edge in &mut written.dependencies {
            edge.spec = edge.spec.as_written();
        }
        written
    }
}
