//! How site scripts are tested.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::base::words;

#[derive(Debug, Args)]
pub struct TestArgs {
    /// Folders to search for *_test.lua, or files.
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    pub paths: Vec<PathBuf>,
    /// Only cases whose file or name holds this text.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// How many files run at once; by default as many as there are processors, at most four.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: Option<u16>,
    /// How long a case may take.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = words::parse_span)]
    pub limit: Duration,
    /// For the process that runs one file: the folder that was asked for.
    #[arg(long, hide = true, value_name = "DIR")]
    pub alone: Option<PathBuf>,
}
