//! The command line: what was typed, the context that follows from it, one file per command, and what is told at the
//! end. Results go to stdout, everything else to stderr; who reads no further stops no work. What a command does to the
//! site is in the domains.
//!
//! ```text
//! { commands → { end, every }, resume } → args → session → { options, given, interrupt }
//! ```

mod args;
mod commands;
mod end;
mod every;
mod given;
mod interrupt;
mod options;
mod resume;
mod session;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;

use clap::FromArgMatches as _;

use crate::base::{Kind, Result, Trouble};
use crate::plan::stored::StoredCommand;
use crate::practice;
use crate::script::loader::SCRIPTS;
use crate::term::plain::plain;
use crate::term::printer::{Colour, Detail, Printer};
use crate::world::proc::{cwd, running};

use args::{Cli, Command, Global, Runs, RunsCommand};
use end::finish::Begun;
use options::words_of;
use resume::Approved;
use session::{Mode, Place, Session};

/// Runs one command line and gives its exit code.
pub fn main(argv: Vec<OsString>) -> u8 {
    if let Some(root) =
        argv.first().and_then(|name| practice::called_as_spack(name, std::env::var_os("PATH").as_deref()))
    {
        return practice::main(argv.into_iter().skip(1).collect(), root);
    }
    running::adopt();
    let cli = match typed(&argv).and_then(|cli| {
        match every::moved(&argv, &cli.command, |name| own_options(&cli.global, name)) {
            Ok(Some(argv)) => typed(&argv),
            // What is wrong with the workflow is told when it is run.
            Ok(None) | Err(_) => Ok(cli),
        }
    }) {
        Ok(cli) => cli,
        Err(error) => return usage_error(&error, &argv),
    };
    let printer = Arc::new(printer(&cli.global, args::wants_summary(&cli)));
    match dispatch(&cli, &printer) {
        Ok(code) => code,
        Err(trouble) => {
            printer.trouble(&trouble, &|name| source_text(name, &trouble));
            trouble.kind().exit_code()
        }
    }
}

fn typed(argv: &[OsString]) -> std::result::Result<Cli, clap::Error> {
    let matches = args::verbs::extend(args::command(), argv).try_get_matches_from(argv)?;
    match args::verbs::typed(&matches) {
        Some(call) => {
            Global::from_arg_matches(&matches).map(|global| Cli { global, command: Command::Verb(call) })
        }
        None => Cli::from_arg_matches(&matches),
    }
}

/// The names of a workflow's options; none for a plain script, whose arguments are all its own.
fn own_options(global: &Global, name: &str) -> Result<Option<Vec<String>>> {
    let printer = Arc::new(printer(&Global { quiet: true, ..global.clone() }, false));
    let declared = runtime()?.block_on(async {
        let session = Session::open(&global.place(), global.run_options(), Mode::Live, true, &printer)?;
        commands::workflows::declared(&session, name).await
    })?;
    Ok(declared.map(|declared| declared.workflow.options.iter().map(|option| option.name.clone()).collect()))
}

fn printer(global: &Global, summary: bool) -> Printer {
    let detail = match (global.quiet, global.verbose) {
        (true, _) => Detail::Quiet,
        // Who wants one line at the end wants no others.
        (false, 0) if summary => Detail::Quiet,
        (false, 0) => Detail::Normal,
        _ => Detail::Verbose,
    };
    let colour = match global.color {
        args::Color::Auto => Colour::Auto,
        args::Color::Always => Colour::Always,
        args::Color::Never => Colour::Never,
    };
    let mut printer = Printer::new(detail, global.json, colour);
    printer.events = global.events;
    printer
}

/// The text that an error points into: a bundled script, or a file. What a bundled script says of the site is not to
/// be looked for in its text.
fn source_text(name: &str, trouble: &Trouble) -> Option<String> {
    let bundled = SCRIPTS.iter().find(|s| name == format!("{}.lua", s.name));
    if bundled.is_some() && !matches!(trouble.kind(), Kind::Script | Kind::UnknownName | Kind::Internal) {
        return None;
    }
    bundled.map(|s| s.text.to_owned()).or_else(|| std::fs::read_to_string(name).ok())
}

/// clap's own message; help and version are results, everything else is exit 3.
fn usage_error(error: &clap::Error, argv: &[OsString]) -> u8 {
    let wanted = !error.use_stderr();
    // Nobody is left to tell when the stream is closed.
    let _ = if argv.iter().all(|word| matches!(plain(&word.to_string_lossy()), Cow::Borrowed(_))) {
        error.print()
    } else {
        // What was typed, or was the name of a file, is repeated.
        writeln!(std::io::stderr(), "{}", plain(&error.to_string()))
    };
    if wanted { 0 } else { Kind::Usage.exit_code() }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Trouble::new(Kind::Internal, format!("cannot start the runtime: {e}")))
}

fn dispatch(cli: &Cli, printer: &Arc<Printer>) -> Result<u8> {
    let runtime = runtime()?;
    let code = runtime.block_on(with_session(cli, &cli.command, printer));
    // Blocking work that cannot be interrupted must not keep a cancelled command alive.
    runtime.shutdown_background();
    printer.end();
    code
}

/// What the options and a stored command line make of the whole: the site, what becomes of changes, the words.
struct Opened {
    global: Global,
    mode: Mode,
    words: Vec<OsString>,
    /// The run that is gone on with, or done anew.
    resumed: Option<Approved>,
}

/// A plan and an interrupted run bring their own command line along.
async fn opened(cli: &Cli) -> Result<Opened> {
    let global = cli.global.clone();
    let again = |stored: &StoredCommand, mode: Mode| -> Result<Opened> {
        cwd::enter(&stored.cwd)?;
        let global = global.clone().or(stored);
        Ok(Opened { global, mode, words: words_of(&stored.words), resumed: None })
    };
    match &cli.command {
        Command::Plan(args) => {
            Ok(Opened { global, mode: Mode::Plan, words: args.words.clone(), resumed: None })
        }
        Command::Apply { file } => {
            let plan = commands::plan::read(file)?;
            again(&plan.command.clone(), Mode::Apply(Box::new(plan)))
        }
        Command::Runs(Runs { command: Some(RunsCommand::Resume(args)), .. }) => {
            let store = session::store(&global.place())?;
            let mut approved = resume::approve(&store, args).await?;
            let mode = approved.resumption.take().map_or(Mode::Live, |from| Mode::Resume(Box::new(from)));
            let opened = again(&approved.stored, mode)?;
            Ok(Opened { resumed: Some(approved), ..opened })
        }
        _ => Ok(Opened { global, mode: Mode::Live, words: Vec::new(), resumed: None }),
    }
}

/// Whether a command is a run, which may be limited as a whole.
fn is_run(command: &Command) -> bool {
    matches!(
        command,
        Command::Run { .. }
            | Command::Check { .. }
            | Command::Plan(_)
            | Command::Apply { .. }
            | Command::Runs(_)
    )
}

async fn with_session(cli: &Cli, command: &Command, printer: &Arc<Printer>) -> Result<u8> {
    let opened = opened(cli).await?;
    let tests = matches!(command, Command::Test(_));
    let session = Session::open(
        &Place { tests, ..opened.global.place() },
        opened.global.run_options(),
        opened.mode,
        is_run(command),
        printer,
    )?;
    let at = session.cx.world.clock.seconds();
    if let Some(approved) = &opened.resumed {
        approved.check(&session).and_then(|()| approved.tidy(&session))?;
    }
    let result = match command {
        Command::Run { words } => commands::run::words(&session, words).await,
        Command::Plan(args) => {
            session.ask_of_plan(args.check, args.output.as_ref());
            commands::plan::plan(&session, &opened.words).await
        }
        Command::Apply { .. } => commands::run::words(&session, &opened.words).await,
        Command::Runs(Runs { command: Some(RunsCommand::Resume(_)), .. }) => {
            commands::run::words(&session, &opened.words).await
        }
        Command::Runs(args) => commands::runs::runs(&session, args).await,
        Command::Schedule(command) => commands::schedule::schedule(&session, command).await,
        Command::Eval { code } => commands::run::eval(&session, code).await,
        Command::Call { name, arguments } => commands::call::call(&session, name, arguments.as_deref()).await,
        Command::Find(args) => commands::find::find(&session, args).await,
        Command::Env(command) => commands::env::env(&session, command).await,
        Command::Check { args } => commands::run::workflow(&session, args::SWEEP, args).await,
        Command::Test(args) => commands::test::test(&session, &cli.global, args).await,
        Command::Repl => commands::repl::repl(&session).await,
        Command::Workflows => commands::workflows::list(&session).await,
        Command::Config => commands::config::show(&session),
        Command::Policy(command) => commands::policy::policy(&session, command),
        Command::Docs { name } => commands::docs::show(&session, name.as_deref()),
        Command::Types { folder } => commands::docs::types(&session, folder).await,
        Command::Completions { shell } => commands::workflows::completions(&session, *shell).await,
        Command::Verb(call) => commands::verbs::run(&session, call).await,
    };
    let result = with_left(&session, result);
    let result = session.close(result);
    let before = opened.resumed.and_then(|approved| approved.exit_before());
    match ran(command, &opened.words) {
        Some(name) => end::finish::finish(&session, Begun { name, attempt_before: before, at }, result).await,
        None => result,
    }
}

/// What was ended and still runs is named, and the command has not ended well.
fn with_left(session: &Session, result: Result<u8>) -> Result<u8> {
    let left = running::left();
    if left.is_empty() {
        return result;
    }
    session.cx.world.warn(running::told(&left));
    result.map(|code| code.max(1))
}

/// What is run, if this is a command that runs something and is not only a look or a plan.
fn ran(command: &Command, stored: &[OsString]) -> Option<String> {
    let words = match command {
        Command::Run { words } => words,
        Command::Apply { .. } | Command::Runs(Runs { command: Some(RunsCommand::Resume(_)), .. }) => stored,
        Command::Check { .. } => return Some(String::from(args::SWEEP)),
        _ => return None,
    };
    Some(words.first().map(|w| w.to_string_lossy().into_owned()).unwrap_or_default())
}
