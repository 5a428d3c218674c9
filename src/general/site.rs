//! `site`: what this process knows of the site that it works on.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::argument::Plain;
use crate::base::{Kind, Result, Trouble};
use crate::policy::slot;
use crate::site::Cx;

/// Tells where this site's files are.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct InfoArgs {}

/// One site.
#[derive(Debug, Serialize, JsonSchema)]
pub struct InfoResult {
    /// Folder of moonstack's own state.
    state: String,
    /// The site files that were read, later ones win.
    files: Vec<String>,
    /// Root of Spack, where the command line or a site file names one.
    spack: Option<String>,
    /// This is a practice site.
    practice: bool,
}

pub async fn info(cx: Cx, _args: InfoArgs) -> Result<InfoResult> {
    let site = &cx.site;
    let spack = site.spack.as_ref().or(site.loaded.config.spack.as_ref());
    Ok(InfoResult {
        state: site.state.display().to_string(),
        files: site.loaded.files.iter().map(|f| f.display().to_string()).collect(),
        spack: spack.map(|p| p.display().to_string()),
        practice: site.practice.is_some(),
    })
}

/// Gives a value of the site file and where it came from.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct GetArgs {
    /// Dotted name, such as `limits.spack`.
    key: String,
}

/// A configured value.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GetResult {
    /// The value; none if no file sets it.
    value: Option<Plain>,
    /// The file that it, or each name below it, came from.
    origins: BTreeMap<String, String>,
}

pub async fn get(cx: Cx, args: GetArgs) -> Result<GetResult> {
    let loaded = &cx.site.loaded;
    let whole = serde_json::to_value(&loaded.config)
        .map_err(|e| Trouble::new(Kind::Internal, format!("site file: {e}")))?;
    let mut value = &whole;
    let mut above = "";
    for part in args.key.split('.') {
        let Value::Object(map) = value else {
            return Err(Trouble::unknown("site key", &args.key, []));
        };
        value = match map.get(part) {
            Some(value) => value,
            // Names of thresholds are free.
            None if above == "thresholds" => &Value::Null,
            None if above == "policy" => {
                slot(part)?;
                &Value::Null
            }
            None => {
                return Err(Trouble::unknown("site key", part, map.keys().map(String::as_str)));
            }
        };
        above = part;
    }
    let below = format!("{}.", args.key);
    let origins = loaded.origins.iter().filter(|(key, _)| **key == args.key || key.starts_with(&below));
    Ok(GetResult {
        value: Some(value.clone()).filter(|v| !v.is_null()).map(Plain),
        origins: origins.map(|(k, v)| (k.clone(), v.clone())).collect(),
    })
}

/// Asks a policy: what the site's expression says of some facts, or the default one where the site has none or it
/// fails.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PolicyArgs {
    /// Name of the policy, such as `keep`.
    name: String,
    /// All its facts; `help("policy.NAME")` lists them.
    facts: BTreeMap<String, Plain>,
}

/// What a policy says: true or false, a number, a word.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Said(Value);

impl JsonSchema for Said {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Said".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "number", "string"] })
    }
}

pub async fn policy(cx: Cx, args: PolicyArgs) -> Result<Said> {
    let facts = args.facts.into_iter().map(|(name, Plain(value))| (name, value)).collect();
    cx.ask_named(&args.name, facts).map(Said)
}
