//! What can be typed after `env`.

use clap::{Args, Subcommand};
use serde::Serialize;

/// The verbs are those of the module `env`; each variant holds that primitive's arguments by name.
#[derive(Debug, Subcommand)]
pub enum EnvCommand {
    /// List the environments.
    List,
    /// What an environment asks for and what its lock holds.
    Show(Named),
    /// The concrete specs of an environment.
    Specs(SpecsArgs),
    /// Root by root: installed, missing, not concretized, stale, could not tell.
    Status(Named),
    /// Compare two locks, or a lock with the store.
    Diff(DiffArgs),
    /// Create an environment.
    Create(CreateArgs),
    /// Add specs to what an environment asks for.
    Add(AddArgs),
    /// Remove specs from what an environment asks for.
    Remove(RemoveArgs),
    /// Concretize an environment and tell what changed in its lock.
    Concretize(ConcretizeArgs),
    /// Install an environment and prove it by the database.
    Install(InstallArgs),
    /// Delete an environment; what it had installed stays in the store.
    Delete(DeleteArgs),
}

#[derive(Debug, Args, Serialize)]
pub struct Named {
    /// Name of the environment, or its folder.
    name: String,
}

#[derive(Debug, Args, Serialize)]
pub struct SpecsArgs {
    /// Name of the environment, or its folder.
    name: String,
    /// Only the roots.
    #[arg(long)]
    roots: bool,
}

#[derive(Debug, Args, Serialize)]
pub struct DiffArgs {
    /// Name of an environment, or path of a lock file: what was.
    from: String,
    /// The same: what is. Left out, the store.
    to: Option<String>,
}

#[derive(Debug, Args, Serialize)]
pub struct CreateArgs {
    /// Its name, or with --independent its folder.
    name: String,
    /// What it asks for.
    specs: Vec<String>,
    /// A folder that Spack does not list, instead of a name.
    #[arg(short = 'd', long)]
    independent: bool,
    /// A spack.yaml or spack.lock to begin with.
    #[arg(long, value_name = "FILE")]
    from: Option<String>,
    /// No view.
    #[arg(long, conflicts_with = "with_view")]
    #[serde(skip)]
    pub without_view: bool,
    /// Put the view there.
    #[arg(long, value_name = "DIR")]
    #[serde(rename = "view", skip_serializing_if = "Option::is_none")]
    with_view: Option<String>,
    /// Include the lock of this environment; may be repeated.
    #[arg(long, value_name = "NAME")]
    include: Vec<String>,
}

#[derive(Debug, Args, Serialize)]
pub struct AddArgs {
    /// Name of the environment, or its folder.
    name: String,
    /// The specs.
    #[arg(required = true)]
    specs: Vec<String>,
}

#[derive(Debug, Args, Serialize)]
pub struct RemoveArgs {
    /// Name of the environment, or its folder.
    name: String,
    /// The specs, as the manifest has them.
    #[arg(required = true)]
    specs: Vec<String>,
    /// From the lock as well.
    #[arg(short, long)]
    force: bool,
}

#[derive(Debug, Args, Serialize)]
pub struct ConcretizeArgs {
    /// Name of the environment, or its folder.
    name: String,
    /// Everything again, also what the lock has already.
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    #[serde(flatten)]
    reuse: Reuse,
}

/// Spack's two words for one choice.
#[derive(Debug, Args, Serialize)]
pub struct Reuse {
    /// Ignore what is installed or in mirrors.
    #[arg(short = 'U', long, conflicts_with = "reuse", num_args = 0, default_missing_value = "true")]
    fresh: Option<bool>,
    /// Prefer what is installed or in mirrors.
    #[arg(long)]
    #[serde(skip)]
    reuse: bool,
}

#[derive(Debug, Args, Serialize)]
pub struct InstallArgs {
    /// Name of the environment, or its folder.
    name: String,
    /// Only these specs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    specs: Vec<String>,
    /// Add the specs to the environment first.
    #[arg(long)]
    add: bool,
    /// Only what the lock holds; never concretize.
    #[arg(long)]
    only_concrete: bool,
    /// Processes of one build.
    #[arg(short, long, value_name = "N")]
    jobs: Option<u32>,
    /// Packages built at a time (Spack 1.0 and newer).
    #[arg(short = 'p', long, value_name = "N")]
    concurrent_packages: Option<u32>,
    /// Stop at the first package that fails.
    #[arg(long)]
    fail_fast: bool,
    /// Only from build caches; never build.
    #[arg(long, conflicts_with = "no_cache")]
    cache_only: bool,
    /// Never from build caches.
    #[arg(long)]
    no_cache: bool,
    /// Build again in place what is installed.
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    #[serde(flatten)]
    reuse: Reuse,
}

#[derive(Debug, Args, Serialize)]
pub struct DeleteArgs {
    /// Its name.
    name: String,
    /// Although others include it.
    #[arg(short, long)]
    force: bool,
    /// Do not ask.
    #[arg(short, long)]
    #[serde(skip)]
    pub yes: bool,
}

impl Reuse {
    pub fn keeps(&self) -> bool {
        self.reuse
    }
}

impl EnvCommand {
    /// `--reuse` was given.
    pub fn reuses(&self) -> bool {
        match self {
            EnvCommand::Concretize(args) => args.reuse.keeps(),
            EnvCommand::Install(args) => args.reuse.keeps(),
            _ => false,
        }
    }
}
