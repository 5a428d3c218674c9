//! The command line: what was typed, the context that follows from it, one file per command. Results go to
//! stdout, everything else to stderr; a closed pipe is not an error.

mod args;
mod call;
mod config;
mod docs;
mod env;
mod env_args;
mod find;
mod interrupt;
mod repl;
mod run;
mod setup;
mod test;
mod test_report;
mod workflows;

use std::ffi::OsString;
use std::sync::Arc;

use clap::FromArgMatches as _;

use crate::base::{Kind, Result, Trouble};
use crate::practice;
use crate::script::loader::SCRIPTS;

use args::{Cli, Command};
use setup::Session;

use crate::term::printer::{ClosedPipe, Colour, Detail, Printer};

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
    let printer = Arc::new(printer(&cli.global));
    match dispatch(&cli, &printer) {
        Ok(code) => code,
        Err(trouble) if printer.is_closed() || ClosedPipe::is(&trouble) => 0,
        Err(trouble) => {
            printer.trouble(&trouble, &source_text);
            trouble.kind().exit_code()
        }
    }
}

fn printer(global: &args::Global) -> Printer {
    let detail = match (global.quiet, global.verbose) {
        (true, _) => Detail::Quiet,
        (false, 0) => Detail::Normal,
        _ => Detail::Verbose,
    };
    let colour = match global.color {
        args::Color::Auto => Colour::Auto,
        args::Color::Always => Colour::Always,
        args::Color::Never => Colour::Never,
    };
    Printer::new(detail, global.json, colour)
}

/// The text that an error points into: a bundled script, or a file.
fn source_text(name: &str) -> Option<String> {
    let bundled = SCRIPTS.iter().find(|s| name == format!("{}.lua", s.name));
    bundled.map(|s| s.text.to_owned()).or_else(|| std::fs::read_to_string(name).ok())
}

/// clap's own message; help and version are results, everything else is exit 3.
fn usage_error(error: &clap::Error) -> u8 {
    let wanted = !error.use_stderr();
    // Nobody is left to tell when the stream is closed.
    let _ = error.print();
    if wanted { 0 } else { Kind::Usage.exit_code() }
}

fn dispatch(cli: &Cli, printer: &Arc<Printer>) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Trouble::new(Kind::Internal, format!("cannot start the runtime: {e}")))?;
    let code = runtime.block_on(with_session(cli, &cli.command, printer));
    // Blocking work that cannot be interrupted must not keep a cancelled command alive.
    runtime.shutdown_background();
    code
}

async fn with_session(cli: &Cli, command: &Command, printer: &Arc<Printer>) -> Result<u8> {
    let session = Session::open(&cli.global, command, printer)?;
    let result = match command {
        Command::Run { words } => run::words(&session, words).await,
        Command::Eval { code } => run::eval(&session, code).await,
        Command::Call { name, arguments } => call::call(&session, name, arguments.as_deref()).await,
        Command::Find(args) => find::find(&session, args).await,
        Command::Env(command) => env::env(&session, command).await,
        Command::Check { args } => run::workflow(&session, "health-sweep", args).await,
        Command::Test(args) => test::test(&session, &cli.global, args).await,
        Command::Repl => repl::repl(&session).await,
        Command::Workflows => workflows::list(&session).await,
        Command::Config => config::show(&session),
        Command::Docs { name } => docs::show(&session, name.as_deref()),
        Command::Types { folder } => docs::types(&session, folder).await,
        Command::Completions { shell } => workflows::completions(&session, *shell).await,
    };
    session.close(&result);
    result
}
