//! Names that Spack's configuration knows: sections, keys of `config`, keys of a mirror. Used to find what an
//! admin mistyped and Spack would refuse.

use serde::Serialize;

use super::release::Release;
use crate::base::nearest::nearest;
use crate::spack::text::yaml::{Key, Yaml};

/// A key that this release of Spack does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct UnknownKey {
    /// Where it was written, as `file:line`.
    pub place: String,
    /// The key with what it stands under, such as `config:instal_tree`.
    pub key: String,
    /// The known key that is nearest.
    pub nearest: Option<String>,
}

const SECTIONS: &[&str] = &[
    "bootstrap",
    "cdash",
    "ci",
    "compilers",
    "concretizer",
    "config",
    "definitions",
    "develop",
    "mirrors",
    "modules",
    "packages",
    "repos",
    "upstreams",
    "view",
];

/// The sections of a release.
pub fn sections(release: Release) -> Vec<&'static str> {
    let mut all = SECTIONS.to_vec();
    if release.abilities().include_section {
        all.extend(["include", "env_vars", "toolchains"]);
    }
    all
}

/// What may stand under `spack:` in an environment.
pub fn environment_keys(release: Release) -> Vec<&'static str> {
    let mut all = sections(release);
    all.extend(["specs", "include_concrete", "container"]);
    if !all.contains(&"include") {
        all.push("include");
    }
    all
}

const CONFIG: &[&str] = &[
    "flags",
    "shared_linking",
    "install_tree",
    "install_hash_length",
    "build_stage",
    "stage_name",
    "develop_stage_link",
    "test_stage",
    "extensions",
    "template_dirs",
    "license_dir",
    "source_cache",
    "misc_cache",
    "environments_root",
    "connect_timeout",
    "verify_ssl",
    "ssl_certs",
    "suppress_gpg_warnings",
    "debug",
    "checksum",
    "deprecated",
    "locks",
    "dirty",
    "build_language",
    "build_jobs",
    "concurrent_packages",
    "ccache",
    "db_lock_timeout",
    "package_lock_timeout",
    "allow_sgid",
    "install_status",
    "url_fetch_method",
    "additional_external_search_paths",
    "binary_index_ttl",
    "aliases",
    "installer",
    "install_missing_compilers",
    "install_path_scheme",
    "binary_index_root",
    "use_curl",
    "concretizer",
    "terminal_title",
];

const INSTALL_TREE: &[&str] = &["root", "padded_length", "projections"];
const UPSTREAM: &[&str] = &["install_tree", "modules"];
const CONNECTION: &[&str] =
    &["url", "view", "access_pair", "access_token", "access_token_variable", "profile", "endpoint_url"];
const MIRROR: &[&str] = &[
    "url",
    "view",
    "access_pair",
    "access_token",
    "access_token_variable",
    "profile",
    "endpoint_url",
    "source",
    "binary",
    "signed",
    "fetch",
    "push",
    "autopush",
];
const PAIR: &[&str] = &["id", "id_variable", "secret_variable"];

/// The keys of one section of one file that are not known.
pub fn check_section(section: &str, value: &Yaml, found: &mut Vec<UnknownKey>) {
    match section {
        "config" => {
            check(value, "config", CONFIG, found);
            if let Some(tree) = value.get("install_tree") {
                check(tree, "config:install_tree", INSTALL_TREE, found);
            }
        }
        "upstreams" => {
            for (name, entry) in value.entries() {
                check(entry, &format!("upstreams:{}", name.name), UPSTREAM, found);
            }
        }
        "mirrors" => {
            for (name, entry) in value.entries() {
                let path = format!("mirrors:{}", name.name);
                check(entry, &path, MIRROR, found);
                for side in ["fetch", "push"] {
                    if let Some(entry) = entry.get(side) {
                        check(entry, &format!("{path}:{side}"), CONNECTION, found);
                    }
                }
                if let Some(pair) = entry.get("access_pair") {
                    check(pair, &format!("{path}:access_pair"), PAIR, found);
                }
            }
        }
        _ => {}
    }
}

fn check(value: &Yaml, under: &str, known: &[&str], found: &mut Vec<UnknownKey>) {
    for (key, _) in value.entries() {
        check_key(key, under, known, found);
    }
}

/// Records a key that is not among the known ones.
pub fn check_key(key: &Key, under: &str, known: &[&str], found: &mut Vec<UnknownKey>) {
    if !known.contains(&key.name.as_str()) {
        let full = if under.is_empty() { key.name.clone() } else { format!("{under}:{}", key.name) };
        found.push(UnknownKey {
            place: key.mark.to_string(),
            key: full,
            nearest: nearest(&key.name, known.iter().copied()).map(str::to_owned),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::text::yaml::parse_named;

    #[test]
    fn mistyped_keys_are_found_with_the_nearest() {
        let text = "instal_tree: x\nlocks: true\ninstall_tree:\n  rot: /x\n";
        let mut found = Vec::new();
        check_section("config", &parse_named(text, "config.yaml").unwrap(), &mut found);
        let got: Vec<_> =
            found.iter().map(|u| (u.place.as_str(), u.key.as_str(), u.nearest.as_deref())).collect();
        assert_eq!(
            got,
            [
                ("config.yaml:1", "config:instal_tree", Some("install_tree")),
                ("config.yaml:4", "config:install_tree:rot", Some("root")),
            ]
        );
        let mut found = Vec::new();
        let text = "m: {url: x, sgned: true, fetch: {url: y, binary: true}, access_pair: {id: a, secret: b}}";
        check_section("mirrors", &parse_named(text, "m").unwrap(), &mut found);
        let keys: Vec<_> = found.iter().map(|u| u.key.as_str()).collect();
        assert_eq!(keys, ["mirrors:m:sgned", "mirrors:m:fetch:binary", "mirrors:m:access_pair:secret"]);
    }
}
