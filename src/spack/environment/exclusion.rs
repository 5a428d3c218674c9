//! Whether Spack takes a combination out of a matrix because it satisfies an exclusion. Spack looks at packages for
//! that, to tell virtual names and kinds of variants; where this decides, the answer is none.

use std::collections::BTreeSet;

use crate::base::Result;
use crate::spack::spec::{Dialect, Edge, Spec, Variant, VariantValue, targets};

/// How the lists of a manifest are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub dialect: Dialect,
    /// Names in exclusions that are packages, and no virtual ones.
    pub packages: BTreeSet<String>,
}

impl Reading {
    /// None where only Spack can tell.
    pub fn satisfies(&self, spec: &Spec, wanted: &str) -> Result<Option<bool>> {
        let wanted = Spec::parse(wanted, self.dialect)?;
        Ok(all([self.node(spec, &wanted), self.dependencies(spec, &wanted)]))
    }

    fn node(&self, spec: &Spec, wanted: &Spec) -> Option<bool> {
        // A hash stands for all that an installed spec is.
        if spec.hash.is_some() || wanted.hash.is_some() || wanted.namespace.is_some() {
            return None;
        }
        all([
            self.name(spec, wanted),
            Some(spec.versions.satisfies(&wanted.versions)),
            compiler(spec, wanted),
            self.variants(spec, wanted),
            flags(spec, wanted),
            plain(spec.platform.as_ref(), wanted.platform.as_ref()),
            plain(spec.os.as_ref(), wanted.os.as_ref()),
            target(spec.target.as_deref(), wanted.target.as_deref()),
        ])
    }

    fn name(&self, spec: &Spec, wanted: &Spec) -> Option<bool> {
        match (&spec.name, &wanted.name) {
            (Some(name), Some(wanted)) if name != wanted => self.packages.contains(wanted).then_some(false),
            _ => Some(true),
        }
    }

    fn variants(&self, spec: &Spec, wanted: &Spec) -> Option<bool> {
        all(wanted.variants.iter().map(|(name, wanted)| match spec.variants.get(name) {
            Some(variant) => self.variant(variant, wanted),
            None if wanted.propagate => None,
            None => Some(false),
        }))
    }

    fn variant(&self, variant: &Variant, wanted: &Variant) -> Option<bool> {
        if variant.propagate || wanted.propagate {
            return None;
        }
        match (&variant.value, &wanted.value) {
            (a, b) if a == b => (wanted.exact == variant.exact || !wanted.exact).then_some(true),
            (_, VariantValue::Any) => Some(true),
            (VariantValue::Bool(_), VariantValue::Bool(_)) => Some(false),
            (VariantValue::Text(has), VariantValue::Text(needs)) => {
                let covered = needs.iter().all(|value| has.contains(value));
                // Before 1.0, what its package leaves open satisfies every value.
                let open = self.dialect == Dialect::Compiler || (covered && wanted.exact);
                if covered && !wanted.exact { Some(true) } else { (!open).then_some(false) }
            }
            _ => None,
        }
    }

    fn dependencies(&self, spec: &Spec, wanted: &Spec) -> Option<bool> {
        all(wanted.dependencies.iter().map(|edge| self.dependency(spec, edge)))
    }

    fn dependency(&self, spec: &Spec, wanted: &Edge) -> Option<bool> {
        let simple = |edge: &Edge| edge.virtuals.is_empty() && edge.deptypes.is_empty();
        let name = wanted.spec.name.as_ref()?;
        if spec.dependencies.is_empty() && self.packages.contains(name) {
            return Some(false);
        }
        let same: Vec<&Edge> =
            spec.dependencies.iter().filter(|e| e.spec.name.as_ref() == Some(name)).collect();
        if same.is_empty() {
            let deeper =
                spec.dependencies.iter().any(|edge| !edge.spec.dependencies.is_empty() || !simple(edge));
            return (self.packages.contains(name) && !deeper).then_some(false);
        }
        let edge = same.first().filter(|edge| same.len() == 1 && edge.direct == wanted.direct)?;
        if !simple(edge) || !simple(wanted) || !wanted.spec.dependencies.is_empty() {
            return None;
        }
        self.node(&edge.spec, &wanted.spec)
    }
}

/// All of them; one that is not so decides, whatever the others are.
fn all(answers: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<Option<bool>> = answers.into_iter().collect();
    if answers.contains(&Some(false)) {
        Some(false)
    } else {
        answers.iter().all(Option::is_some).then_some(true)
    }
}

fn compiler(spec: &Spec, wanted: &Spec) -> Option<bool> {
    Some(match (&spec.compiler, &wanted.compiler) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(has), Some(needs)) => has.name == needs.name && has.versions.satisfies(&needs.versions),
    })
}

fn flags(spec: &Spec, wanted: &Spec) -> Option<bool> {
    all(wanted.flags.iter().map(|(name, needs)| match spec.flags.get(name) {
        None => Some(false),
        Some(has) if has == needs => Some(true),
        Some(_) => None,
    }))
}

fn plain(has: Option<&String>, needs: Option<&String>) -> Option<bool> {
    match (has, needs) {
        (_, None) => Some(true),
        (None, Some(_)) => Some(false),
        (Some(has), Some(needs)) if has == needs => Some(true),
        (Some(has), Some(needs)) => {
            // Words that stand for what the machine is.
            let word = |text: &str| {
                ["fe", "be", "frontend", "backend", "*"].contains(&text) || text.contains("default")
            };
            (!word(has) && !word(needs)).then_some(false)
        }
    }
}

fn target(has: Option<&str>, needs: Option<&str>) -> Option<bool> {
    let range = |text: &str| text.contains([':', ',']);
    match (has, needs) {
        (Some(has), Some(needs)) if has != needs && !range(has) && range(needs) => {
            targets::satisfies(has, needs).ok()
        }
        (Some(has), Some(needs)) if has != needs && range(has) => None,
        _ => plain(has.map(str::to_owned).as_ref(), needs.map(str::to_owned).as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::environment::combine::combined;

    /// Constraints, an exclusion, and what is said of it before and from 1.0.
    type Case<'a> = (&'a [&'a str], &'a str, Option<bool>, Option<bool>);

    #[test]
    fn exclusions_are_decided_where_names_and_words_decide_them() {
        let packages = ["zlib", "clang", "llvm", "hdf5", "gcc"].map(str::to_owned).into();
        let cases: &[Case<'_>] = &[
            (&["hdf5@1.12 ^zlib@1.2", "~mpi"], "hdf5~mpi", Some(true), Some(true)),
            (&["hdf5@1.12 ^zlib@1.2", "~mpi"], "hdf5 ^zlib@1.3", Some(false), Some(false)),
            (&["hdf5@1.12 ^zlib@1.2", "~mpi"], "@1.14:", Some(false), Some(false)),
            (&["hdf5", "%gcc@12"], "hdf5%gcc", Some(true), Some(true)),
            (&["hdf5", "%gcc@12"], "%clang", Some(false), Some(false)),
            (&["hdf5", "%gcc@12"], "%gcc@13", Some(false), Some(false)),
            (&["hdf5"], "zlib", Some(false), Some(false)),
            // It may be a virtual package that this one provides.
            (&["hdf5"], "storage", None, None),
            (&["hdf5", "api=v1"], "api=v2", None, Some(false)),
            (&["hdf5", "api=v1,v2"], "api=v2", Some(true), Some(true)),
            (&["hdf5", "target=zen2"], "target=zen:", Some(true), Some(true)),
            (&["hdf5", "target=zen2"], "target=zen3", Some(false), Some(false)),
            (&["hdf5"], "target=zen3", Some(false), Some(false)),
            (&["hdf5/abc"], "hdf5", None, None),
        ];
        for (parts, wanted, old, new) in cases {
            for (dialect, expected) in [(Dialect::Compiler, old), (Dialect::Direct, new)] {
                let reading = Reading { dialect, packages: BTreeSet::clone(&packages) };
                let spec = combined(parts, dialect).unwrap();
                assert_eq!(
                    &reading.satisfies(&spec, wanted).unwrap(),
                    expected,
                    "{spec}, {wanted}, {dialect:?}"
                );
            }
        }
    }
}
