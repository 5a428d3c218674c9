//! Mirrors in every form that the supported releases accept. Secrets never leave this module: a result says
//! how a mirror is entered and whether a secret stands in clear, not what the secret is.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::Config;
use super::paths;
use crate::base::Result;
use crate::base::redact::redact;
use crate::spack::text::yaml::{Value, Yaml};

/// A mirror as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mirror {
    pub name: String,
    /// For reading.
    pub fetch: Connection,
    /// For writing.
    pub push: Connection,
    /// Holds sources.
    pub source: bool,
    /// Holds binaries.
    pub binary: bool,
    /// Binaries are signed and signatures checked.
    pub signed: bool,
    /// Each source build is pushed at once.
    pub autopush: bool,
    pub origin: String,
}

/// One direction of a mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Connection {
    /// The URL, user information replaced by `***`. Paths become `file://`.
    pub url: String,
    /// A user name or password stood in the URL.
    pub url_had_credentials: bool,
    /// Variable that holds the access key's name.
    pub id_variable: Option<String>,
    /// Variable that holds the access key's secret.
    pub secret_variable: Option<String>,
    /// Variable that holds a token.
    pub access_token_variable: Option<String>,
    /// Profile of the AWS configuration.
    pub profile: Option<String>,
    pub endpoint_url: Option<String>,
    /// View of the index.
    pub view: Option<String>,
    /// A secret stands in the configuration in clear.
    pub secret_in_clear: bool,
}

impl Config {
    /// All mirrors, highest precedence first.
    pub fn mirrors(&self) -> Result<Vec<Mirror>> {
        let section = self.section("mirrors")?;
        section.entries().iter().map(|(name, entry)| self.mirror(&name.name, entry)).collect()
    }

    fn mirror(&self, name: &str, entry: &Yaml) -> Result<Mirror> {
        let fetch = self.connection(name, entry, "fetch")?;
        let push = self.connection(name, entry, "push")?;
        let flag = |key: &str, default| entry.get(key).and_then(Yaml::bool).unwrap_or(default);
        let oci = fetch.url.starts_with("oci:") || fetch.url.starts_with("oci+http:");
        Ok(Mirror {
            name: name.to_owned(),
            source: flag("source", true),
            binary: flag("binary", true),
            signed: !(oci && self.release.abilities().images_unsigned) && flag("signed", true),
            autopush: flag("autopush", false),
            origin: entry.mark.to_string(),
            fetch,
            push,
        })
    }

    fn connection(&self, name: &str, entry: &Yaml, direction: &str) -> Result<Connection> {
        let side = entry.get(direction);
        let url = side
            .and_then(|s| if s.is_map() { s.get("url") } else { Some(s) })
            .or_else(|| if entry.is_map() { entry.get("url") } else { Some(entry) })
            .filter(|url| url.text().is_some_and(|t| !t.is_empty()));
        let Some(url) = url else {
            return Err(entry.wrong(format!("the mirror '{name}' has no URL to {direction}")));
        };
        // Of each attribute, the one in `fetch:` or `push:` counts first, else the mirror's own.
        let value =
            |key: &str| side.filter(|s| s.is_map()).and_then(|s| s.get(key)).or_else(|| entry.get(key));
        let text = |key: &str| value(key).and_then(Yaml::scalar_text);
        let pair = value("access_pair");
        let of_pair = |key: &str| pair.and_then(|p| p.get(key)).and_then(Yaml::scalar_text);
        let full = self.url(url)?;
        let shown = redact(&full);
        Ok(Connection {
            url_had_credentials: shown != full,
            url: shown,
            id_variable: of_pair("id_variable"),
            secret_variable: of_pair("secret_variable"),
            access_token_variable: text("access_token_variable"),
            profile: text("profile"),
            endpoint_url: text("endpoint_url").map(|url| redact(&url)),
            view: text("view"),
            secret_in_clear: pair.is_some_and(|p| match &p.value {
                Value::List(items) => items.iter().any(|item| !item.is_null()),
                _ => p.get("secret").is_some_and(|secret| !secret.is_null()),
            }) || value("access_token").is_some_and(|t| !t.is_null()),
        })
    }

    /// The URL as Spack uses it: what is no URL is a path.
    fn url(&self, written: &Yaml) -> Result<String> {
        let text = written.text().unwrap_or_default();
        if paths::scheme(text).is_some_and(|scheme| paths::MIRROR_SCHEMES.contains(&scheme)) {
            return Ok(text.to_owned());
        }
        Ok(file_url(&self.sub.resolve(written)?))
    }
}

/// A path as `file://` URL, with the escapes that Python writes.
pub fn file_url(path: &Path) -> String {
    let mut out = String::from("file://");
    for byte in path.display().to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b"/_.-~!$&'()*+,;=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
