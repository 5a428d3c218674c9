//! What configuration asks of packages: `packages:NAME:require`, which must hold, and `prefer`, which holds where it
//! can. Only single specs are known here; groups of alternatives are refused.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::practice::model::catalogue::Package;
use crate::practice::model::halt::Halt;
use crate::practice::model::query::parse_one;
use crate::spack::spec::Spec;

#[derive(Debug, Clone, Default)]
pub struct Wishes {
    require: BTreeMap<String, Vec<Spec>>,
    prefer: BTreeMap<String, Vec<Spec>>,
}

impl Wishes {
    /// Of the section `packages`.
    pub fn read(packages: &Value) -> Result<Wishes, Halt> {
        let mut wishes = Wishes::default();
        for (name, settings) in packages.as_object().into_iter().flatten() {
            for (key, into) in [("require", &mut wishes.require), ("prefer", &mut wishes.prefer)] {
                let list = match settings.get(key) {
                    None | Some(Value::Null) => continue,
                    Some(Value::Array(list)) => list.clone(),
                    Some(one) => vec![one.clone()],
                };
                into.insert(name.clone(), list.iter().map(single).collect::<Result<_, _>>()?);
            }
        }
        Ok(wishes)
    }

    /// What must hold for a package.
    pub fn required(&self, name: &str, package: &Package) -> Vec<Spec> {
        of(&self.require, name, package)
    }

    /// What is to hold for it where it can.
    pub fn preferred(&self, name: &str, package: &Package) -> Vec<Spec> {
        of(&self.prefer, name, package)
    }

    /// The package that is to provide a virtual one, and whether it must.
    pub fn provider<'a>(&'a self, name: &str) -> Option<(&'a str, bool)> {
        let first = |map: &'a BTreeMap<String, Vec<Spec>>| map.get(name)?.first()?.name.as_deref();
        first(&self.require)
            .map(|name| (name, true))
            .or_else(|| first(&self.prefer).map(|name| (name, false)))
    }
}

/// A package's own take the place of those of `all`, of which only what it can have counts.
fn of(map: &BTreeMap<String, Vec<Spec>>, name: &str, package: &Package) -> Vec<Spec> {
    if let Some(own) = map.get(name) {
        return own.clone();
    }
    let can = |spec: &&Spec| spec.variants.keys().all(|name| package.variants.contains_key(name));
    map.get("all").into_iter().flatten().filter(can).cloned().collect()
}

fn single(item: &Value) -> Result<Spec, Halt> {
    let text = item.as_str().or_else(|| {
        let plain = item.as_object().is_some_and(|map| map.len() == 1);
        item.get("spec").filter(|_| plain)?.as_str()
    });
    match text {
        Some(text) => parse_one(text),
        None => Err(Halt::failed(format!(
            "the practice site only knows single specs as requirements, not {item}"
        ))),
    }
}
