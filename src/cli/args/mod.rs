//! What can be typed: the types and commands of clap, with their help. No command is run here, and nothing is
//! opened.
//!
//! ```text
//! { env, policy, schedule, test, verbs }
//! ```

pub(crate) mod env;
pub mod policy;
pub mod schedule;
pub mod test;
pub mod verbs;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use super::options::RunOptions;
use super::session::Place;
use crate::cli::args::policy::PolicyCommand;
use crate::cli::args::schedule::ScheduleCommand;
use crate::cli::args::test::TestArgs;
use crate::cli::args::verbs::VerbCall;
use crate::plan::stored::StoredCommand;

use env::EnvCommand;

const EXIT_CODES: &str = "Exit codes: 0 fine, 1 done but needs attention, 2 failed, 3 unknown or could not start, \
4 refused, 5 another instance is running, 6 a plan is not empty, 130 interrupted.";

/// Typed Lua primitives, checks and workflows for a Spack site.
#[derive(Debug, Parser)]
#[command(name = "moonstack", version, about, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What the help calls the options that every command has.
const EVERY: &str = "Options of every command";

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = EVERY)]
pub struct Global {
    /// Root of the Spack installation (default: $SPACK_ROOT, the site file, then `spack` on PATH).
    #[arg(long, global = true, value_name = "DIR")]
    pub spack: Option<PathBuf>,
    /// Site file to use on top of the system's and the user's.
    #[arg(long, global = true, value_name = "FILE")]
    pub site: Option<PathBuf>,
    /// Work on a throw-away practice site; with a folder, on one that is kept there.
    #[arg(long, global = true, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub practice: Option<OsString>,
    /// Print results, errors included, as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Tell what happens as JSON lines on standard error, one event each.
    #[arg(long, global = true)]
    pub events: bool,
    /// End the command after this long ("90s", "2h").
    #[arg(long, global = true, value_name = "DURATION", value_parser = crate::base::words::parse_span)]
    pub timeout: Option<std::time::Duration>,
    /// Wait this long for another instance of the same workflow to end ("10m").
    #[arg(long, global = true, value_name = "DURATION", value_parser = crate::base::words::parse_span)]
    pub wait: Option<std::time::Duration>,
    /// Tell the channels of the site file how a run ends, also where somebody sits at the terminal.
    #[arg(long, global = true)]
    pub notify: bool,
    /// Say one line at the end of a run, if something was done or is wrong.
    #[arg(long, global = true)]
    pub summary: bool,
    /// Write a report of the run as JSON.
    #[arg(long, global = true, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write metrics of the run for Prometheus' textfile collector.
    #[arg(long, global = true, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
    /// Say more; twice for debugging.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say only results and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Colour on terminals.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a workflow, or a script file.
    #[command(disable_help_flag = true)]
    Run {
        /// Name of a workflow or path of a Lua file, and its options; `run NAME --help` shows them.
        #[arg(
            required = true,
            value_name = "NAME|FILE [OPTIONS]",
            trailing_var_arg = true,
            allow_hyphen_values = true
        )]
        words: Vec<OsString>,
    },
    /// Show what a workflow or script would do, without doing it.
    #[command(disable_help_flag = true)]
    Plan(PlanArgs),
    /// Do exactly what a stored plan says, or nothing if what it was made from has changed.
    Apply {
        /// The plan, as `plan -o FILE` has written it.
        file: PathBuf,
    },
    /// Look at the runs on record, and go on with an interrupted one.
    Runs(Runs),
    /// Print crontab lines and systemd units for what runs unattended, and see how it stands.
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Evaluate Lua and print the result.
    Eval {
        /// An expression or statements.
        code: String,
    },
    /// Call one primitive with JSON arguments.
    Call {
        /// Name of the primitive, such as spack.find.
        name: String,
        /// Arguments by name, as a JSON object; "-" reads standard input.
        arguments: Option<String>,
    },
    /// List installed specs, without starting Spack.
    Find(Find),
    /// Look at environments and change them.
    #[command(subcommand)]
    Env(EnvCommand),
    /// Run health checks: the workflow health-sweep.
    #[command(disable_help_flag = true)]
    Check {
        /// Options of the workflow; `--help` shows them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Test site scripts: run every *_test.lua, each on a practice site of its own.
    Test(TestArgs),
    /// Start a session.
    Repl,
    /// List the workflows.
    Workflows,
    /// Show the effective site configuration and where each value came from.
    Config,
    /// What decides where the core must judge: show it, try it.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Show the documentation of a primitive, module, policy or workflow; without a name, the index.
    Docs { name: Option<String> },
    /// Write the type stubs and the reference page for editors into a folder.
    Types { folder: PathBuf },
    /// Print a shell's completion script.
    Completions { shell: clap_complete::Shell },
    /// A verb of a module whose commands are its primitives.
    #[command(skip)]
    Verb(VerbCall),
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// End with 6 if there is something to do.
    #[arg(long)]
    pub check: bool,
    /// Store the plan, for `moonstack apply`.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Name of a workflow or path of a Lua file, and its options.
    #[arg(
        required = true,
        value_name = "NAME|FILE [OPTIONS]",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub words: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Runs {
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    #[command(flatten)]
    pub list: RunsList,
}

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// The runs on record, newest first.
    List(RunsList),
    /// One run: its steps and actions.
    Show {
        /// Number of the run.
        id: i64,
    },
    /// What a run said while it was running.
    Log {
        /// Number of the run.
        id: i64,
    },
    /// Go on with a run that failed or was interrupted.
    Resume(ResumeArgs),
    /// Remove what the policy `keep` does not keep: rows of the journal and log files.
    Prune {
        /// Only tell what would go.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Number of the run.
    pub id: i64,
    /// Do everything again, in a run of its own.
    #[arg(long)]
    pub fresh: bool,
    /// Also if the script or one of its modules has changed since.
    #[arg(long)]
    pub changed: bool,
    /// Also if somebody else began it: his script then runs with your rights.
    #[arg(long)]
    pub other_user: bool,
}

#[derive(Debug, Args)]
pub struct RunsList {
    /// Only of this workflow or script.
    pub script: Option<String>,
    /// Only runs that did not end well.
    #[arg(long)]
    pub failed: bool,
    /// At most this many.
    #[arg(short = 'n', long, default_value_t = 20)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct Find {
    /// What to find, in Spack's syntax: hdf5@1.12: +mpi %gcc ^openmpi
    pub query: Vec<String>,
    /// Only what a user asked for.
    #[arg(short = 'x', long, conflicts_with = "implicit")]
    pub explicit: bool,
    /// Only what came as a dependency.
    #[arg(short = 'X', long)]
    pub implicit: bool,
    /// Only what the lock of this environment holds.
    #[arg(short, long, value_name = "NAME")]
    pub env: Option<String>,
    /// Also records that are not installed.
    #[arg(short, long)]
    pub missing: bool,
    /// Whole hashes.
    #[arg(short = 'L', long)]
    pub long: bool,
    /// Also the prefixes.
    #[arg(short, long)]
    pub paths: bool,
}

/// The whole command tree.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The workflow that `check` runs.
pub const SWEEP: &str = "health-sweep";

impl Global {
    pub fn place(&self) -> Place {
        Place {
            site: self.site.clone(),
            spack: self.spack.clone(),
            practice: self.practice.clone(),
            tests: false,
            timeout: self.timeout,
        }
    }

    /// What stood before the workflow's name.
    pub fn run_options(&self) -> RunOptions {
        RunOptions {
            wait: self.wait,
            summary: self.summary,
            notify: self.notify,
            report: self.report.clone(),
            metrics: self.metrics.clone(),
            ..RunOptions::default()
        }
    }

    /// What is not given is as it was in a stored command line.
    pub fn or(mut self, stored: &StoredCommand) -> Global {
        self.site = self.site.or_else(|| stored.site.clone());
        self.spack = self.spack.or_else(|| stored.spack.clone());
        self.practice = self.practice.or_else(|| stored.practice.clone().map(Into::into));
        self
    }
}

/// Whether one line at the end is wanted, wherever that stands.
pub fn wants_summary(cli: &Cli) -> bool {
    let words = match &cli.command {
        Command::Run { words } => words.get(1..).unwrap_or_default(),
        Command::Check { args } => args,
        _ => &[],
    };
    cli.global.summary || words.iter().take_while(|word| *word != "--").any(|word| word == "--summary")
}
