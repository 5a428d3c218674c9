//! What `spack.install` takes and gives, and Spack's options for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::argument::Span;
use crate::base::{Kind, Result, Trouble};
use crate::spack::drive::failure::PackageFailure;
use crate::spack::drive::installed::Named;
use crate::spack::drive::session::Scope;
use crate::spack::read::concretize::{Specs, reuse_option};

/// Installs a spec, several, or with `env` a whole environment, and proves it by the database.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InstallArgs {
    /// The spec, or a list; left out, everything that the environment asks for.
    pub spec: Option<Specs>,
    /// Into this environment: a name or folder.
    pub env: Option<String>,
    #[serde(flatten)]
    pub options: InstallOptions,
}

/// How to install.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InstallOptions {
    /// Add the specs to the environment first.
    pub add: bool,
    /// Only what the environment's lock file holds; never concretize.
    pub only_concrete: bool,
    /// Processes of one build.
    pub jobs: Option<u32>,
    /// Packages built at a time (Spack 1.0 and newer).
    pub concurrent_packages: Option<u32>,
    /// Stop at the first package that fails.
    pub fail_fast: bool,
    /// Only from build caches; never build.
    pub cache_only: bool,
    /// Never from build caches.
    pub no_cache: bool,
    /// Accept binaries without a valid signature.
    pub no_check_signature: bool,
    /// Build again in place what is installed.
    pub overwrite: bool,
    /// Keep the build folder also after success.
    pub keep_stage: bool,
    /// Keep what a failed build has installed.
    pub keep_prefix: bool,
    /// Record packages without building them; for tests of a site.
    pub fake: bool,
    /// Run the packages' own tests: `root` or `all`.
    pub test: Option<TestScope>,
    /// Ignore what is installed or in mirrors (`true`), or prefer it (`false`); without it as configured.
    pub fresh: Option<bool>,
    /// Names of further environment variables that Spack may see.
    pub variables: Vec<String>,
    /// End it after this long: seconds or words such as `"6h"`.
    pub timeout: Option<Span>,
    /// End it when it prints nothing for this long.
    pub silence: Option<Span>,
}

/// Whose tests are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestScope {
    Root,
    All,
}

impl TestScope {
    /// As Spack's options have it.
    pub fn word(self) -> &'static str {
        match self {
            TestScope::Root => "root",
            TestScope::All => "all",
        }
    }
}

/// A package that is installed now and was not before.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InstalledRow {
    pub hash: String,
    pub name: String,
    pub version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Unpacked from a build cache, not built.
    pub from_cache: bool,
    /// As far as Spack's output told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// What an installation did, as the database shows it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct InstallResult {
    pub ok: bool,
    pub installed: Vec<InstalledRow>,
    /// Asked for and there before.
    pub already: Vec<Named>,
    pub failed: Vec<PackageFailure>,
    /// What Spack printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    pub seconds: f64,
}

impl InstallOptions {
    /// Refuses what cannot be meant, or what this Spack cannot do.
    pub fn check(&self, scope: &Scope) -> Result<()> {
        if scope.environment.is_none() && (self.add || self.only_concrete) {
            let name = if self.add { "add" } else { "only_concrete" };
            return Err(Trouble::usage(format!("'{name}' needs an environment in 'env'")));
        }
        if self.cache_only && self.no_cache {
            return Err(Trouble::usage("'cache_only' and 'no_cache' exclude each other"));
        }
        let abilities = scope.spack.installation.release.abilities();
        let version = &scope.spack.installation.version_text;
        if self.concurrent_packages.is_some() && !abilities.install_concurrent_packages {
            return Err(unsupported("concurrent_packages", &format!("Spack {version}")));
        }
        let new = scope.config.get("config:installer")?.and_then(crate::spack::text::yaml::Yaml::text)
            == Some("new");
        for (name, given) in
            [("fail_fast", self.fail_fast), ("fake", self.fake), ("test", self.test.is_some())]
        {
            if new && given {
                return Err(unsupported(name, "the new installer (config:installer)"));
            }
        }
        Ok(())
    }

    /// Spack's options.
    pub fn options(&self) -> Vec<String> {
        let flags = [
            (self.fail_fast, "--fail-fast"),
            (self.cache_only, "--cache-only"),
            (self.no_cache, "--no-cache"),
            (self.no_check_signature, "--no-check-signature"),
            (self.overwrite, "--overwrite"),
            (self.overwrite, "-y"),
            (self.keep_stage, "--keep-stage"),
            (self.keep_prefix, "--keep-prefix"),
            (self.fake, "--fake"),
            (self.only_concrete, "--only-concrete"),
            (self.add, "--add"),
        ];
        let mut out: Vec<String> =
            flags.iter().filter(|(given, _)| *given).map(|(_, option)| (*option).to_owned()).collect();
        let mut pair = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                out.extend([name.to_owned(), value]);
            }
        };
        pair("-j", self.jobs.map(|n| n.to_string()));
        pair("-p", self.concurrent_packages.map(|n| n.to_string()));
        pair("--test", self.test.map(|t| t.word().to_owned()));
        out.extend(reuse_option(self.fresh).map(str::to_owned));
        out
    }
}

fn unsupported(option: &str, by: &str) -> Trouble {
    Trouble::new(Kind::Unsupported, format!("'{option}' is not supported by {by}"))
}
