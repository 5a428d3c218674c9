//! Two constraints on one node, as one. Spack reads `^a@1: ^a+b` as `^a@1:+b`.

use super::{DEPTYPES, Edge, Flag, Spec, Variant, VariantValue, targets};

/// Adds to `a` what `b` says; the error names what they contradict each other in.
pub fn merge(a: &mut Spec, b: Spec) -> Result<(), String> {
    one(&mut a.name, b.name, "name")?;
    one(&mut a.namespace, b.namespace, "namespace")?;
    a.architecture |= b.architecture;
    one(&mut a.platform, b.platform, "platform")?;
    one(&mut a.os, b.os, "os")?;
    target(&mut a.target, b.target)?;
    hash(&mut a.hash, b.hash)?;
    let versions = a.versions.intersection(&b.versions);
    a.versions = versions.ok_or_else(|| format!("'@{}' and '@{}'", a.versions, b.versions))?;
    match (&mut a.compiler, b.compiler) {
        (Some(x), Some(y)) => {
            let both = (x.name == y.name).then(|| x.versions.intersection(&y.versions)).flatten();
            x.versions = both.ok_or_else(|| format!("'%{}' and '%{}'", x.name, y.name))?;
        }
        (x @ None, y) => *x = y,
        (Some(_), None) => {}
    }
    for (name, variant) in b.variants {
        match a.variants.get_mut(&name) {
            Some(before) => merge_variant(&name, before, variant)?,
            None => drop(a.variants.insert(name, variant)),
        }
    }
    for (name, flags) in b.flags {
        match a.flags.get_mut(&name) {
            Some(before) => merge_flags(before, flags),
            None => drop(a.flags.insert(name, flags)),
        }
    }
    b.dependencies.into_iter().try_for_each(|edge| merge_edge(a, edge))
}

/// What is new comes behind what is there, as often as it is given; of one that is there already, it is enough that one
/// of the two does not propagate it.
fn merge_flags(before: &mut Vec<Flag>, given: Vec<Flag>) {
    let (known, new): (Vec<Flag>, Vec<Flag>) =
        given.into_iter().partition(|flag| before.iter().any(|there| there.text == flag.text));
    for flag in known {
        if let Some(there) = before.iter_mut().find(|there| there.text == flag.text) {
            there.propagate &= flag.propagate;
        }
    }
    before.extend(new);
}

fn merge_edge(parent: &mut Spec, edge: Edge) -> Result<(), String> {
    let same = |e: &&mut Edge| e.spec.name.is_some() && e.spec.name == edge.spec.name && e.when == edge.when;
    if let Some(first) = parent.dependencies.iter_mut().find(same) {
        join(&mut first.virtuals, edge.virtuals);
        join(&mut first.deptypes, edge.deptypes);
        first.deptypes.sort_by_key(|name| DEPTYPES.iter().position(|known| known == name));
        first.direct |= edge.direct;
        merge(&mut first.spec, edge.spec)
    } else {
        parent.dependencies.push(edge);
        Ok(())
    }
}

fn join(a: &mut Vec<String>, b: Vec<String>) {
    a.extend(b);
    a.sort();
    a.dedup();
}

/// A range or list is narrowed to what both allow.
fn target(a: &mut Option<String>, b: Option<String>) -> Result<(), String> {
    let (Some(x), Some(y)) = (&a, &b) else {
        return one(a, b, "target");
    };
    let both = targets::common(x, y);
    *a = Some(both.ok_or_else(|| format!("target '{x}' and '{y}'"))?);
    Ok(())
}

fn one(a: &mut Option<String>, b: Option<String>, what: &str) -> Result<(), String> {
    match (&a, b) {
        (Some(x), Some(y)) if *x != y => Err(format!("{what} '{x}' and '{y}'")),
        (None, b) => {
            *a = b;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Of two beginnings of one hash, the longer.
fn hash(a: &mut Option<String>, b: Option<String>) -> Result<(), String> {
    match (&a, b) {
        (Some(x), Some(y)) if !x.starts_with(&y) && !y.starts_with(x.as_str()) => {
            Err(format!("hash '{x}' and '{y}'"))
        }
        (Some(x), Some(y)) if x.len() >= y.len() => Ok(()),
        (_, Some(y)) => {
            *a = Some(y);
            Ok(())
        }
        (_, None) => Ok(()),
    }
}

fn merge_variant(name: &str, a: &mut Variant, b: Variant) -> Result<(), String> {
    let clash = || Err(format!("the variant '{name}'"));
    match (&mut a.value, b.value) {
        (VariantValue::Bool(x), VariantValue::Bool(y)) if *x != y => return clash(),
        (VariantValue::Bool(_), VariantValue::Text(_)) | (VariantValue::Text(_), VariantValue::Bool(_)) => {
            return clash();
        }
        (VariantValue::Text(x), VariantValue::Text(y)) => {
            let within = |inner: &[String], outer: &[String]| inner.iter().all(|v| outer.contains(v));
            if (a.exact && !within(&y, x)) || (b.exact && !within(x, &y)) {
                return clash();
            }
            x.extend(y);
            x.sort();
            x.dedup();
        }
        (x @ VariantValue::Any, y) => *x = y,
        (_, VariantValue::Any) | (VariantValue::Bool(_), VariantValue::Bool(_)) => {}
    }
    a.exact |= b.exact;
    a.propagate &= b.propagate;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::spec::Dialect;

    #[test]
    fn flags_are_kept_as_often_as_they_are_given() {
        for (a, b, both) in [
            ("a", "a cflags='-g -g'", "a cflags='-g -g'"),
            ("a cflags='-g -g'", "a", "a cflags='-g -g'"),
            ("a cflags=-g", "a cflags='-g -O3 -O3'", "a cflags='-g -O3 -O3'"),
            ("a cflags==-g", "a cflags=-g", "a cflags=-g"),
        ] {
            let parse = |text: &str| Spec::parse(text, Dialect::Direct).unwrap();
            let mut merged = parse(a);
            merge(&mut merged, parse(b)).unwrap();
            assert_eq!(merged, parse(both), "{a} and {b}");
        }
    }
}
