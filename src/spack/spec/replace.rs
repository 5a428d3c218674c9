//! One request in the place of another: what the new one says counts, and of the old one stays what the new one says
//! nothing of. `hdf5@1.12+mpi` and `hdf5@1.14.3` make `hdf5@1.14.3+mpi`.

use super::merge::merge;
use super::version::list::VersionList;
use super::{Edge, Spec};

pub fn replaced(old: &Spec, new: &Spec) -> Spec {
    let or = |new: &Option<String>, old: &Option<String>| new.clone().or_else(|| old.clone());
    let mut out = Spec {
        name: or(&new.name, &old.name),
        namespace: or(&new.namespace, &old.namespace),
        versions: if new.versions.is_any() { old.versions.clone() } else { new.versions.clone() },
        compiler: new.compiler.clone().or_else(|| old.compiler.clone()),
        variants: old.variants.clone(),
        flags: old.flags.clone(),
        platform: or(&new.platform, &old.platform),
        os: or(&new.os, &old.os),
        target: or(&new.target, &old.target),
        architecture: new.architecture || old.architecture,
        // A hash says everything, and what is asked for newly is something else.
        hash: new.hash.clone(),
        dependencies: Vec::new(),
    };
    out.variants.extend(new.variants.clone());
    out.flags.extend(new.flags.clone());
    for edge in &old.dependencies {
        match new.dependencies.iter().find(|other| same_place(edge, other)) {
            None => out.dependencies.push(edge.clone()),
            Some(other) if edge.spec.name == other.spec.name => {
                out.dependencies.push(Edge { spec: replaced(&edge.spec, &other.spec), ..other.clone() });
            }
            Some(other) => out.dependencies.push(other.clone()),
        }
    }
    let placed = |other: &&Edge| !old.dependencies.iter().any(|edge| same_place(edge, other));
    out.dependencies.extend(new.dependencies.iter().filter(placed).cloned());
    out
}

/// The same dependency, or another for the same virtual.
fn same_place(a: &Edge, b: &Edge) -> bool {
    let shared = a.virtuals.iter().any(|name| b.virtuals.contains(name));
    let bare = |edge: &Edge| edge.direct && edge.virtuals.is_empty();
    a.spec.name.is_some() && a.spec.name == b.spec.name || shared || bare(a) && bare(b)
}

/// Whether both can be asked of one package, versions aside.
pub fn agree(a: &Spec, b: &Spec) -> bool {
    let without = |spec: &Spec| Spec { versions: VersionList::any(), ..spec.clone() };
    merge(&mut without(a), without(b)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::spec::Dialect;

    #[test]
    fn what_is_asked_newly_counts_and_the_rest_stays() {
        let cases = [
            ("hdf5@1.12.3+mpi", "hdf5@1.14.3", "hdf5@1.14.3+mpi"),
            ("hdf5@1.12.3+mpi cflags=-g", "hdf5@1.14.3~mpi", "hdf5@1.14.3~mpi cflags=-g"),
            ("hdf5@1.12.3 ^zlib@1.2 ^mpich", "hdf5 ^zlib@1.3", "hdf5@1.12.3 ^zlib@1.3 ^mpich"),
            ("hdf5 ^zlib@1.2+pic", "hdf5@1.14 ^zlib@1.3", "hdf5@1.14 ^zlib@1.3+pic"),
            ("hdf5@1 %gcc@12", "hdf5 %gcc@13", "hdf5@1 %gcc@13"),
            ("hdf5@1 %gcc@12", "hdf5 %clang", "hdf5@1 %clang"),
            ("hdf5@1 target=zen2", "hdf5@2 target=zen3", "hdf5@2 target=zen3"),
            ("hdf5/abcdef", "hdf5@1.14.3", "hdf5@1.14.3"),
        ];
        for dialect in [Dialect::Compiler, Dialect::Direct] {
            for (old, new, expected) in cases {
                let parse = |text| Spec::parse(text, dialect).unwrap();
                assert_eq!(replaced(&parse(old), &parse(new)), parse(expected), "{old} and {new}");
            }
        }
    }

    #[test]
    fn only_what_contradicts_does_not_agree() {
        let parse = |text| Spec::parse(text, Dialect::Direct).unwrap();
        assert!(agree(&parse("hdf5@1.12+mpi"), &parse("hdf5@1.14")));
        assert!(!agree(&parse("hdf5@1.12+mpi"), &parse("hdf5@1.14~mpi")));
    }
}
