//! What is required of a package that is no root: `packages:NAME:require` of a manifest.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::base::Result;
use crate::spack::config::Config;
use crate::spack::environment::manifest::setting::get;
use crate::spack::spec::merge::merge;
use crate::spack::spec::replace::replaced;
use crate::spack::spec::{Dialect, Spec};
use crate::spack::store::row::SpecRow;
use crate::spack::text::yaml::Yaml;

/// What the manifest itself requires of a package.
pub fn required(text: &str, name: &str) -> Option<Value> {
    let manifest: Value = serde_saphyr::from_str(text).ok()?;
    get(&manifest, &["packages", name, "require"]).cloned()
}

/// The same as a list.
pub fn own(text: &str, name: &str) -> Vec<Value> {
    match required(text, name) {
        None => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    }
}

/// What is required of the package from now on: what the manifest requires already as far as it can stay, and what is
/// asked. A requirement of its own takes a package out of what `packages:all` requires, so that is said again.
pub fn requirement(
    spec: &Spec,
    row: &SpecRow,
    manifest: &str,
    config: &Config,
    dialect: Dialect,
) -> Result<Vec<Value>> {
    let name = row.name.as_str();
    // Its namespace is that of the package in any case; what requires it is not satisfied by a name without it.
    let namespace = spec.namespace.clone().filter(|namespace| row.namespace.as_ref() != Some(namespace));
    let asked = Spec { name: None, namespace, ..spec.clone() };
    let mut out = Vec::new();
    let mut is_said = false;
    for item in own(manifest, name) {
        let Some(old) = item.as_str().and_then(|text| Spec::parse(text, dialect).ok()) else {
            out.push(item);
            continue;
        };
        if merge(&mut asked.clone(), old.clone()).is_ok() {
            out.push(item);
        } else if !is_said {
            out.push(replaced(&old, &asked).to_string().into());
            is_said = true;
        }
    }
    if asked == Spec::default() {
        return Ok(out);
    }
    if !is_said {
        let text = Value::from(asked.to_string());
        if !out.contains(&text) {
            out.insert(0, text);
        }
    }
    if config.get(&format!("packages:{name}:require"))?.is_none() {
        out.extend(of_all(config, "require", row, dialect)?);
    }
    Ok(out)
}

/// What `packages:all` says under this key, as far as it can be said of the package.
pub fn of_all(config: &Config, key: &str, row: &SpecRow, dialect: Dialect) -> Result<Vec<Value>> {
    let list = match config.get(&format!("packages:all:{key}"))?.map(Yaml::to_json) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    let variants: BTreeSet<&str> = row.variants.iter().map(|(name, _)| name.as_str()).collect();
    let fits = |text: &str| {
        let spec = Spec::parse(text, dialect);
        spec.is_ok_and(|spec| spec.variants.keys().all(|name| variants.contains(name.as_str())))
    };
    let texts = |item: &Value| -> Vec<String> {
        let several = ["one_of", "any_of"].iter().find_map(|key| item.get(key)?.as_array().cloned());
        let one = item.as_str().or_else(|| item.get("spec")?.as_str()).map(|text| vec![Value::from(text)]);
        let all = several.or(one).unwrap_or_default();
        all.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    Ok(list.into_iter().filter(|item| texts(item).iter().any(|text| fits(text))).collect())
}
