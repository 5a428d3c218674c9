//! A difference in one line, as people would say it: `1.14.3 -> 1.14.5, +fortran, ^openmpi 4.1 -> 5.0`.

use super::rows::{
    ArchDiff, CompilerDiff, DependencyChange, DependencyDiff, DependencyEnd, ExternalDiff, FlagsDiff,
    PackageDiff, ValueDiff, VariantDiff,
};
use super::side::Spec;
use crate::spack::store::query::short;
use crate::spack::store::row::{ExternalRow, VariantRow};

/// More dependencies than these are counted; the rows have all.
const MOST_DEPENDENCIES: usize = 6;

/// Of a spec that only one side has.
pub fn of_one(spec: &Spec<'_>) -> String {
    format!("{} /{}", spec.node.version, short(spec.hash))
}

/// Of a spec that changed.
pub fn of_changed(row: &PackageDiff) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(row.version.as_ref().map(arrow));
    parts.extend(row.external.as_ref().map(external));
    parts.extend(row.variants.iter().map(variant));
    compilers(&mut parts, &row.compilers);
    parts.extend(row.flags.iter().map(flags));
    parts.extend(row.arch.iter().map(arch));
    parts.extend(row.namespace.as_ref().map(|namespace| format!("namespace {}", arrow(namespace))));
    if let Some(patches) = &row.patches {
        parts.extend(patches.added.iter().map(|patch| format!("+patch {}", short(patch))));
        parts.extend(patches.removed.iter().map(|patch| format!("-patch {}", short(patch))));
    }
    parts.extend(row.build_spec.as_ref().map(splice));
    parts.extend(row.dependencies.iter().take(MOST_DEPENDENCIES).map(dependency));
    if row.dependencies.len() > MOST_DEPENDENCIES {
        parts.push(format!("and {} more dependencies", row.dependencies.len() - MOST_DEPENDENCIES));
    }
    // A new version has another recipe's text more often than not.
    if row.package_hash.is_some() && row.version.is_none() {
        parts.push(String::from("other recipe"));
    }
    if parts.is_empty() { String::from("only the hash") } else { parts.join(", ") }
}

fn arrow(value: &ValueDiff) -> String {
    let end = |text: &Option<String>| text.clone().unwrap_or_else(|| String::from("none"));
    format!("{} -> {}", end(&value.from), end(&value.to))
}

fn variant(variant: &VariantDiff) -> String {
    let name = &variant.name;
    let value = |value: &VariantRow<String>| match value {
        VariantRow::Flag(on) => on.to_string(),
        VariantRow::One(one) => one.clone(),
        VariantRow::Many(items) => items.join(","),
    };
    match (&variant.from, &variant.to) {
        (Some(VariantRow::Flag(_)), Some(VariantRow::Flag(on))) => {
            format!("{}{name}", if *on { '+' } else { '~' })
        }
        (None, Some(VariantRow::Flag(on))) => format!("{}{name} (new)", if *on { '+' } else { '~' }),
        (None, Some(to)) => format!("{name}={} (new)", value(to)),
        (Some(from), Some(to)) => format!("{name}={} -> {}", value(from), value(to)),
        (_, None) => format!("{name} (gone)"),
    }
}

/// A change that several languages share is told once.
fn compilers(parts: &mut Vec<String>, all: &[CompilerDiff]) {
    let mut told: Vec<(&CompilerDiff, Vec<&str>)> = Vec::new();
    for compiler in all {
        let language = compiler.language.as_deref();
        match told.iter_mut().find(|(seen, _)| seen.from == compiler.from && seen.to == compiler.to) {
            Some((_, languages)) => languages.extend(language),
            None => told.push((compiler, language.into_iter().collect())),
        }
    }
    let several = told.len() > 1;
    for (compiler, languages) in told {
        let change = match (&compiler.from, &compiler.to) {
            (Some(from), Some(to)) => match (from.split_once('@'), to.split_once('@')) {
                (Some((name, from)), Some((other, to))) if name == other => format!("{name} {from} -> {to}"),
                _ => format!("{from} -> {to}"),
            },
            (from, to) => arrow(&ValueDiff { from: from.clone(), to: to.clone() }),
        };
        let which = if several { format!("{}=", languages.join(",")) } else { String::new() };
        parts.push(format!("%{which}{change}"));
    }
}

fn flags(flags: &FlagsDiff) -> String {
    let text = |flags: &[String]| format!("\"{}\"", flags.join(" "));
    format!("{}={} -> {}", flags.name, text(&flags.from), text(&flags.to))
}

fn arch(arch: &ArchDiff) -> String {
    format!("{} {}", arch.name, arrow(&ValueDiff { from: arch.from.clone(), to: arch.to.clone() }))
}

fn external(external: &ExternalDiff) -> String {
    let place = |row: &ExternalRow<String>| match &row.path {
        Some(path) => path.clone(),
        None => row.modules.join(","),
    };
    match (&external.from, &external.to) {
        (None, Some(to)) => format!("external now: {}", place(to)),
        (Some(_), None) => String::from("not external any more"),
        (Some(from), Some(to)) if from.path == to.path => {
            format!("external modules {} -> {}", from.modules.join(","), to.modules.join(","))
        }
        (from, to) => arrow(&ValueDiff { from: from.as_ref().map(place), to: to.as_ref().map(place) }),
    }
}

fn splice(splice: &ValueDiff) -> String {
    match &splice.to {
        Some(hash) => format!("spliced from /{}", short(hash)),
        None => String::from("not spliced any more"),
    }
}

fn dependency(dependency: &DependencyDiff) -> String {
    let with = |end: &DependencyEnd| match &end.version {
        Some(version) => format!("^{} {version}", end.name),
        None => format!("^{}", end.name),
    };
    match (dependency.change, &dependency.from, &dependency.to) {
        (DependencyChange::Replaced, Some(from), Some(to)) => {
            format!("{} -> {} ({})", with(from), with(to), dependency.name)
        }
        (_, Some(from), Some(to)) if from.version != to.version => {
            let version = |end: &DependencyEnd| end.version.clone();
            let change = ValueDiff { from: version(from), to: version(to) };
            format!("^{} {}", dependency.name, arrow(&change))
        }
        (_, Some(from), Some(to)) if from.types != to.types => {
            let types = |end: &DependencyEnd| end.types.names().collect::<Vec<_>>().join(",");
            format!("^{} {} -> {}", dependency.name, types(from), types(to))
        }
        (_, Some(from), Some(to)) => {
            let virtuals = |end: &DependencyEnd| end.virtuals.join(",");
            format!("^{} as {} -> {}", dependency.name, virtuals(from), virtuals(to))
        }
        (_, None, Some(to)) => format!("+{}", with(to)),
        (_, Some(from), None) => format!("-{}", with(from)),
        (_, None, None) => String::new(),
    }
}
