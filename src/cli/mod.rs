//! The command line: what was typed, the context that follows from it, one file per command. Results go to
//! stdout, everything else to stderr; a closed pipe is not an error.

mod args;
mod call;
mod complete;
mod config;
mod interrupt;
mod output;
mod run;
mod setup;

use std::ffi::OsString;

use clap::FromArgMatches as _;

use crate::base::{Kind, Result, Trouble};
use crate::practice;

use args::{Cli, Command};
use output::Output;
use setup::Session;

/// Runs one command line and gives its exit code.
pub fn main(argv: Vec<OsString>) -> u8 {
    if let Some(root) =
        argv.first().and_then(|name| practice::called_as_spack(name, std::env::var_os("PATH").as_deref()))
    {
        return practice::main(argv.into_iter().skip(1).collect(), root);
    }
    let command = args::command();
    let cli = match command.try_get_matches_from(argv).and_then(|m| Cli::from_arg_matches(&m)) {
        Ok(cli) => cli,
        Err(error) => return usage_error(&error),
    };
    let output = Output::new(&cli.global);
    match dispatch(&cli, &output) {
        Ok(code) => code,
        Err(trouble) => output.fail(&trouble),
    }
}

/// clap's own message; help and version are results, everything else is exit 3.
fn usage_error(error: &clap::Error) -> u8 {
    let wanted = !error.use_stderr();
    // Nobody is left to tell when the stream is closed.
    let _ = error.print();
    if wanted { 0 } else { Kind::Usage.exit_code() }
}

fn dispatch(cli: &Cli, output: &Output) -> Result<u8> {
    match &cli.command {
        Command::Completions { shell } => complete::script(*shell, output),
        command => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|e| Trouble::new(Kind::Internal, format!("cannot start the runtime: {e}")))?;
            let code = runtime.block_on(with_session(cli, command, output));
            // Blocking work that cannot be interrupted must not keep a cancelled command alive.
            runtime.shutdown_background();
            code
        }
    }
}

async fn with_session(cli: &Cli, command: &Command, output: &Output) -> Result<u8> {
    let session = Session::open(&cli.global, command, output)?;
    let result = match command {
        Command::Run { name, args } => run::workflow(&session, output, name, args).await,
        Command::Eval { code } => run::eval(&session, output, code).await,
        Command::Call { name, arguments } => call::call(&session, output, name, arguments.as_deref()).await,
        Command::Workflows => run::list(&session, output),
        Command::Config => config::show(&session, output),
        Command::Completions { .. } => Ok(0),
    };
    session.close(&result);
    result
}
