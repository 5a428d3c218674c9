//! `[shared]` of the site file: the group that the site belongs to, who reads and who writes, in the words of Spack's
//! `packages:all:permissions`.

use serde::{Deserialize, Serialize};

use super::config::configuration;
use crate::base::{Result, Trouble};
use crate::world::fs::access::SharedPermissions;

/// Whom the site belongs to and who may use it.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedConfig {
    /// The group that everything is given to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    pub read: Readers,
    pub write: Writers,
}

/// Who reads what is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Readers {
    #[default]
    World,
    Group,
}

/// Who changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Writers {
    #[default]
    User,
    Group,
}

impl SharedConfig {
    pub(super) fn check(&self) -> Result<()> {
        let named = self.group.as_ref().is_some_and(|group| !group.is_empty());
        if !named && (self.group.is_some() || self.read == Readers::Group || self.write == Writers::Group) {
            let missing = Trouble::usage("which group is not said").hint("group = \"NAME\" in [shared]");
            return Err(configuration("shared", &missing));
        }
        Ok(())
    }

    pub fn wish(&self) -> SharedPermissions {
        SharedPermissions {
            group: self.group.clone(),
            world_reads: self.read == Readers::World,
            group_writes: self.write == Writers::Group,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::Kind;
    use crate::site::config::Loaded;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn what_a_site_file_may_say() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("site.toml");
        for (text, wanted) in [
            ("", ""),
            ("read = 'world'", ""),
            ("group = 'g'\nread = 'group'\nwrite = 'group'", ""),
            ("write = 'group'", "shared: which group"),
            ("read = 'group'", "shared: which group"),
            ("group = ''", "shared: which group"),
            ("group = 'g'\nwrite = 'world'", "unknown variant `world`"),
            ("grop = 'g'", "unknown field"),
            ("mode = '2775'", "unknown field"),
        ] {
            std::fs::write(&file, format!("[shared]\n{text}\n")).unwrap();
            match Loaded::read(&LiveEyes, Some(&file), None) {
                Ok(loaded) => {
                    assert!(wanted.is_empty(), "{text}");
                    assert!(loaded.config.shared.is_some());
                }
                Err(trouble) => {
                    assert_eq!(trouble.kind(), Kind::Configuration, "{text}");
                    assert!(!wanted.is_empty() && trouble.message().contains(wanted), "{text}: {trouble}");
                }
            }
        }
    }
}
