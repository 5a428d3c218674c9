//! What a spec says beyond another.

use crate::spack::spec::Spec;
use crate::spack::spec::version::list::VersionList;

/// The spec without what the other says in the same words.
pub fn minus(spec: &Spec, other: &Spec) -> Spec {
    let mut rest = spec.clone();
    for (own, others) in [
        (&mut rest.name, &other.name),
        (&mut rest.namespace, &other.namespace),
        (&mut rest.platform, &other.platform),
        (&mut rest.os, &other.os),
        (&mut rest.target, &other.target),
        (&mut rest.hash, &other.hash),
    ] {
        if own == others {
            *own = None;
        }
    }
    // What is left of the architecture, or was said of it without a word.
    rest.architecture &=
        !other.architecture || [&rest.platform, &rest.os, &rest.target].iter().any(|part| part.is_some());
    if rest.versions == other.versions {
        rest.versions = VersionList::default();
    }
    if rest.compiler == other.compiler {
        rest.compiler = None;
    }
    rest.variants.retain(|name, variant| other.variants.get(name) != Some(variant));
    rest.flags.retain(|name, flags| other.flags.get(name) != Some(flags));
    rest.dependencies.retain(|edge| !other.dependencies.contains(edge));
    rest
}
