//! Constraints that make up one spec, put together as Spack does: each is read by itself and applied to the root, so
//! that what follows a dependency in the list still belongs to the root. Exclusions of matrices are compared with it.

use crate::base::{Kind, Result, Trouble};
use crate::spack::config::release::Release;
use crate::spack::spec::merge::merge;
use crate::spack::spec::{Dialect, Spec};

/// How a release reads `%`.
pub fn dialect(release: Release) -> Dialect {
    if release.abilities().compilers_are_nodes { Dialect::Direct } else { Dialect::Compiler }
}

/// One spec of all its constraints.
pub fn combined(constraints: &[&str], dialect: Dialect) -> Result<Spec> {
    let mut whole = Spec::default();
    for (at, text) in constraints.iter().enumerate() {
        let part = Spec::parse(text, dialect)?;
        if at == 0 {
            whole = part;
            continue;
        }
        constrain(&mut whole, part).map_err(|what| {
            let message = format!("'{}' contradicts itself in {what}", constraints.join(" "));
            Trouble::new(Kind::Configuration, message)
        })?;
    }
    Ok(whole)
}

/// Adds to a spec what another says; the error names what they contradict each other in.
pub fn constrain(spec: &mut Spec, part: Spec) -> Result<(), String> {
    match (&spec.name, &part.name) {
        (Some(a), Some(b)) if a != b => return Err(format!("the names '{a}' and '{b}'")),
        (None, Some(_)) => spec.name.clone_from(&part.name),
        _ => {}
    }
    merge(spec, part)
}

/// Whether a spec says all that another says, in names and words: what packages make of them is not looked at.
pub fn says(spec: &Spec, other: &Spec) -> bool {
    let mut both = spec.clone();
    (other.name.is_none() || spec.name == other.name)
        && constrain(&mut both, other.clone()).is_ok()
        && both == *spec
}
