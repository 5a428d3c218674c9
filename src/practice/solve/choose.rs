//! One package under all constraints on it: version, variants, flags, compiler; and the refusal when there is no
//! such choice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::practice::model::catalogue::{LANGUAGES, Package, Variant};
use crate::practice::model::halt::Halt;
use crate::practice::model::query::{parse_one, variant_fits, version_fits};
use crate::spack::spec::{Spec, VariantValue};

/// One package as chosen.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    pub version: String,
    pub parameters: BTreeMap<String, Value>,
    pub flags: BTreeMap<String, Vec<Value>>,
    /// Dependency name to (types, virtuals).
    pub needs: BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)>,
    pub compiler: Option<Spec>,
}

/// Newest version and variants under all constraints.
pub fn choose(name: &str, package: &Package, wants: &[Spec], title: &str) -> Result<Choice, Halt> {
    let version = package.versions.iter().find(|v| wants.iter().all(|w| version_fits(v, &w.versions)));
    let Some(version) = version else {
        let mut reasons = Vec::new();
        for want in wants.iter().filter(|w| !w.versions.is_any()) {
            reasons.push(format!("Cannot satisfy '{name}@{}'", want.versions));
        }
        return Err(unsatisfiable(title, &reasons));
    };
    let mut choice = Choice { version: version.clone(), ..Choice::default() };
    choice.parameters.insert("build_system".to_owned(), Value::from(package.build_system.as_str()));
    for (variant, kind) in &package.variants {
        choice.parameters.insert(variant.clone(), value_of(name, variant, kind, wants, title)?);
    }
    for want in wants {
        for (flag, values) in &want.flags {
            let list = values.iter().map(|f| Value::from(f.text.as_str())).collect();
            choice.flags.insert(flag.clone(), list);
        }
        choice.compiler = choice.compiler.or_else(|| compiler_of(want));
    }
    for conflict in &package.conflicts {
        if applies(&conflict.when, &choice)? {
            let reason = format!("{name}: '{}' conflicts: {}", conflict.when, conflict.why);
            return Err(unsatisfiable(title, &[reason]));
        }
    }
    Ok(choice)
}

fn value_of(name: &str, variant: &str, kind: &Variant, wants: &[Spec], title: &str) -> Result<Value, Halt> {
    let asked: Vec<_> = wants.iter().filter_map(|w| w.variants.get(variant)).collect();
    let value = match kind {
        Variant::Bool(default) => {
            let first = asked.iter().find_map(|a| match &a.value {
                VariantValue::Bool(on) => Some(*on),
                _ => None,
            });
            Value::Bool(first.unwrap_or(*default))
        }
        Variant::Values { default, values, multi } => {
            let mut words: Vec<String> = Vec::new();
            for want in &asked {
                if let VariantValue::Text(list) = &want.value {
                    words.extend(list.iter().filter(|w| !words.contains(w)).cloned().collect::<Vec<_>>());
                }
            }
            if let Some(bad) = words.iter().find(|w| !values.contains(w)) {
                let reason = format!("{name}: invalid value '{bad}' for variant '{variant}'");
                return Err(unsatisfiable(title, &[reason]));
            }
            match (words.is_empty(), multi) {
                (true, false) => Value::from(default.as_str()),
                (false, false) => Value::from(words.swap_remove(0)),
                (true, true) => default.split(',').map(Value::from).collect(),
                (false, true) => {
                    words.sort();
                    words.into_iter().map(Value::from).collect()
                }
            }
        }
    };
    if asked.iter().all(|a| variant_fits(Some(&value), a)) {
        return Ok(value);
    }
    let reason = format!("{name}: variant '{variant}' cannot have two values at once");
    Err(unsatisfiable(title, &[reason]))
}

/// Whether an anonymous condition holds for what was chosen.
pub fn applies(when: &str, choice: &Choice) -> Result<bool, Halt> {
    if when.is_empty() {
        return Ok(true);
    }
    let condition = parse_one(when)?;
    Ok(version_fits(&choice.version, &condition.versions)
        && condition.variants.iter().all(|(name, wanted)| variant_fits(choice.parameters.get(name), wanted)))
}

pub fn unsatisfiable(title: &str, reasons: &[String]) -> Halt {
    let mut text = format!("failed to concretize `{title}` for the following reasons:");
    for (i, reason) in reasons.iter().enumerate() {
        text.push_str(&format!("\n     {}. {reason}", i + 1));
    }
    Halt::failed(text)
}

/// The `%gcc…` of a request.
pub fn compiler_of(spec: &Spec) -> Option<Spec> {
    let edge = spec.dependencies.iter().find(|e| {
        e.spec.name.as_deref().is_some_and(|n| n == "gcc" || e.direct && !LANGUAGES.contains(&n))
    })?;
    Some(edge.spec.clone())
}
