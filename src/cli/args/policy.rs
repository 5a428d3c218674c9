//! What can be asked of policies.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// List the policies: the expression that decides, and where it is from.
    List,
    /// Show what an expression says of some facts.
    Try {
        /// Name of the policy, such as keep.
        slot: String,
        /// The expression; without one, what decides on this site.
        expression: Option<String>,
        /// Facts as JSON or YAML; "-" reads standard input. Those left out are the sample's.
        #[arg(long, value_name = "FILE")]
        facts: Option<PathBuf>,
    },
}
