//! What the words of a spec mean at this site: its toolchains, and what this machine is.

use crate::base::{Kind, Result, Trouble};
use crate::spack::config::Config;
use crate::spack::spec::reading::{SiteWords, ToolchainPart};
use crate::spack::text::yaml::Yaml;

pub struct ConfiguredWords<'s> {
    pub config: &'s Config,
}

impl SiteWords for ConfiguredWords<'_> {
    fn platform(&self) -> &str {
        &self.config.sub.host.platform
    }

    fn os(&self) -> Option<String> {
        self.config.sub.host.os.clone()
    }

    fn target(&self) -> Option<String> {
        self.config.sub.target()
    }

    fn toolchain(&self, name: &str) -> Result<Option<Vec<ToolchainPart>>> {
        if !self.config.release.abilities().compilers_are_nodes {
            return Ok(None);
        }
        let section = self.config.section("toolchains")?;
        section.get(name).map(|entry| parts(name, entry)).transpose()
    }
}

/// One spec, or a list of specs with conditions.
fn parts(name: &str, entry: &Yaml) -> Result<Vec<ToolchainPart>> {
    if let Some(text) = entry.text() {
        return Ok(vec![ToolchainPart { spec: text.to_owned(), when: None }]);
    }
    let part = |item: &Yaml| {
        let spec = item.get("spec").and_then(Yaml::text).ok_or_else(|| {
            Trouble::new(
                Kind::Configuration,
                format!("{}: an entry of the toolchain '{name}' has no spec", item.mark),
            )
        })?;
        let when = item.get("when").and_then(Yaml::text).filter(|when| !when.trim().is_empty());
        Ok(ToolchainPart { spec: spec.to_owned(), when: when.map(str::to_owned) })
    };
    entry.list().iter().map(part).collect()
}
