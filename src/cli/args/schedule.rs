//! What can be asked of schedules.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use crate::base::words;

#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// The schedules of the site file: when each is due, how its last run went, what is overdue (exit 1).
    List,
    /// Print a crontab line, or a service and a timer of systemd.
    Print(PrintArgs),
}

#[derive(Debug, clap::Args)]
pub struct PrintArgs {
    /// Name of a schedule of the site file, or of a workflow, or the path of a script.
    pub name: String,
    /// "hourly", "daily 02:00", "weekdays 06:00", "weekly sun 03:30", "monthly 1 04:00", "every 15m", or a cron
    /// expression; a schedule of the site file has its own.
    #[arg(long, value_name = "WHEN")]
    pub on: Option<String>,
    /// What starts it.
    #[arg(long = "for", value_name = "WHAT")]
    pub target: Target,
    /// Start it at random so much later, so that not all machines of a site begin at once (systemd).
    #[arg(long, value_name = "DURATION", value_parser = words::parse_span)]
    pub splay: Option<Duration>,
    /// Write the two files of systemd there instead of printing them.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Options of the workflow, after `--`.
    #[arg(last = true, value_name = "OPTIONS")]
    pub options: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    Systemd,
    Cron,
}
