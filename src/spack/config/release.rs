//! Releases of Spack and what each of them can do. The rest of the crate asks for an ability by name and
//! never compares version numbers itself.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::{Kind, Result, Trouble};

/// A release of Spack, as far as behaviour depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Release {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
    /// A development version, whose behaviour may be that of the release after it.
    pub dev: bool,
}

/// The oldest and newest series whose files and output are known.
const OLDEST: (u32, u32) = (0, 22);
const NEWEST: (u32, u32) = (1, 2);

impl Release {
    /// Reads `0.23.1`, `1.2.0.dev0`, `1.2.0.dev0 (39d31af…)`. Anything that is not a supported release is
    /// refused, because its formats can only be guessed.
    pub fn parse(text: &str) -> Result<Release> {
        let word = text.split_whitespace().next().unwrap_or_default();
        let release = Self::read(word).ok_or_else(|| {
            Trouble::new(Kind::UnknownFormat, format!("'{word}' is not a version of Spack"))
                .hint("expected something like 0.23.1 or 1.2.0.dev0")
        })?;
        let series = (release.major, release.minor);
        if series == (0, 24) {
            // What was called 0.24 in development became 1.0.
            return Ok(Release { major: 1, minor: 0, patch: 0, dev: true });
        }
        if series < OLDEST || series > NEWEST || (series > (0, 23) && release.major == 0) {
            let advice = if series < OLDEST { "use Spack 0.22 or newer" } else { "use a newer moonstack" };
            return Err(Trouble::new(
                Kind::UnknownFormat,
                format!(
                    "Spack {word} is not supported: its files are known for 0.22, 0.23, 1.0, 1.1 and 1.2"
                ),
            )
            .hint(advice)
            .fact("version", word));
        }
        Ok(release)
    }

    fn read(word: &str) -> Option<Release> {
        let mut parts = word.split('.');
        let mut number = || parts.next()?.parse::<u32>().ok();
        let (major, minor) = (number()?, number()?);
        let mut release = Release { major, minor, patch: 0, dev: false };
        for (at, part) in word.split('.').enumerate().skip(2) {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            if at == 2 && !digits.is_empty() {
                release.patch = digits.parse().ok()?;
            }
            release.dev |= part.len() > digits.len();
        }
        Some(release)
    }

    fn at_least(self, major: u32, minor: u32) -> bool {
        (self.major, self.minor) >= (major, minor)
    }

    pub fn abilities(self) -> Abilities {
        let one = self.at_least(1, 0);
        let includes = self.at_least(1, 1);
        Abilities {
            database_version: if one { 8 } else { 7 },
            oldest_database: if one { 8 } else { 5 },
            oldest_upstream_database: 6,
            specfile_version: if one { 5 } else { 4 },
            lockfile_version: if one { 6 } else { 5 },
            mirror_layout: if one { 3 } else { 2 },
            compilers_are_nodes: one,
            platform_scopes: !one,
            scopes_from_include: includes,
            include_section: one,
            environment_beats_extra_scopes: self.at_least(1, 0) && !includes,
            package_repos_in_git: one,
            old_install_tree_form: !one,
            config_get_json: includes,
            config_scopes: one,
            install_concurrent_packages: one,
            new_installer: includes,
            env_track: self.at_least(0, 23),
            reuse_of_environments: self.at_least(0, 23),
            nested_env_names: includes,
            verify_has_verbs: one,
            buildcache_migrate: one,
            mirror_views: self.at_least(1, 2),
            images_unsigned: self.at_least(1, 2),
            spec_groups: self.at_least(1, 2),
            plain_mirror_secrets: !includes,
            install_f_is_specfile: !one,
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}{}", self.major, self.minor, self.patch, if self.dev { ".dev0" } else { "" })
    }
}

/// What a release does and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Abilities {
    /// Version of `index.json` that it writes.
    pub database_version: u32,
    /// The oldest version of its own `index.json` that it reads.
    pub oldest_database: u32,
    /// The oldest version that it reads of an upstream.
    pub oldest_upstream_database: u32,
    /// Version of concrete specs that it writes.
    pub specfile_version: u32,
    /// Version of `spack.lock` that it writes.
    pub lockfile_version: u32,
    /// Layout of the build caches that it writes.
    pub mirror_layout: u32,
    /// Compilers are dependencies, and there is no `compiler` in a node.
    pub compilers_are_nodes: bool,
    /// Each scope folder has a twin for the platform (`~/.spack/linux`).
    pub platform_scopes: bool,
    /// User, site and system scopes come from `etc/spack/include.yaml`, and `etc/spack` outranks the user.
    pub scopes_from_include: bool,
    /// Any scope may have an `include` section.
    pub include_section: bool,
    /// The active environment outranks `-C`.
    pub environment_beats_extra_scopes: bool,
    /// Package repositories are named, and may be git clones.
    pub package_repos_in_git: bool,
    /// `install_tree: PATH` and `install_path_scheme` are still rewritten when read.
    pub old_install_tree_form: bool,
    /// `spack config get --json`.
    pub config_get_json: bool,
    /// `spack config scopes`.
    pub config_scopes: bool,
    /// `spack install -p N`.
    pub install_concurrent_packages: bool,
    /// `config:installer:new`.
    pub new_installer: bool,
    /// `spack env track`.
    pub env_track: bool,
    /// `concretizer:reuse:from` may name an environment.
    pub reuse_of_environments: bool,
    /// Managed environments may be named `group/name`.
    pub nested_env_names: bool,
    /// `spack verify manifest` instead of `spack verify`.
    pub verify_has_verbs: bool,
    /// `spack buildcache migrate`.
    pub buildcache_migrate: bool,
    /// Views of a mirror's index.
    pub mirror_views: bool,
    /// Binaries in image registries (`oci://`) count as not signed.
    pub images_unsigned: bool,
    /// Specs of an environment in groups.
    pub spec_groups: bool,
    /// Mirror secrets may stand in the configuration in clear.
    pub plain_mirror_secrets: bool,
    /// `spack install -f` takes a spec file; later it means `--force`.
    pub install_f_is_specfile: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_spack_writes_them() {
        let cases = [
            ("0.22.5", (0, 22, 5, false)),
            ("0.23.0", (0, 23, 0, false)),
            ("1.0.2", (1, 0, 2, false)),
            ("1.2.0.dev0", (1, 2, 0, true)),
            ("1.2.0.dev0 (39d31af123)", (1, 2, 0, true)),
            ("0.24.0.dev0", (1, 0, 0, true)),
        ];
        for (text, (major, minor, patch, dev)) in cases {
            assert_eq!(Release::parse(text).unwrap(), Release { major, minor, patch, dev }, "{text}");
        }
    }

    #[test]
    fn others_are_refused() {
        for text in ["0.21.3", "1.3.0", "2.0.0", "0.25.0", "", "garbage", "1"] {
            let trouble = Release::parse(text).unwrap_err();
            assert_eq!(trouble.kind(), Kind::UnknownFormat, "{text}");
            assert!(!trouble.hints().is_empty(), "{text}");
        }
    }

    #[test]
    fn abilities_change_where_the_release_changed_them() {
        let of = |text: &str| Release::parse(text).unwrap().abilities();
        assert_eq!((of("0.23.0").database_version, of("1.0.0").database_version), (7, 8));
        assert_eq!((of("0.22.0").env_track, of("0.23.0").env_track), (false, true));
        assert_eq!((of("1.0.2").scopes_from_include, of("1.1.0").scopes_from_include), (false, true));
        assert_eq!(
            (of("1.0.2").environment_beats_extra_scopes, of("1.1.0").environment_beats_extra_scopes),
            (true, false)
        );
        assert_eq!((of("1.0.2").nested_env_names, of("1.1.0").nested_env_names), (false, true));
    }
}
