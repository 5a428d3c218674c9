//! `schedule`: text for cron and systemd that works as printed, and how the schedules of the site stand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::run::wrong_options;
use super::workflows;
use crate::base::{Kind, Result, Trouble, nearest, words};
use crate::cli::args::schedule::{PrintArgs, ScheduleCommand, Target};
use crate::cli::end::summary;
use crate::cli::options::RunOptions;
use crate::cli::session::Session;
use crate::schedule::standing::{self, Standing};
use crate::schedule::{Job, Schedule, crontab, units};
use crate::site::config::{self, ScheduleConfig};
use crate::spack::drive::session::Scope;
use crate::world::Action;
use crate::world::state::journal::About;

pub async fn schedule(session: &Session, command: &ScheduleCommand) -> Result<u8> {
    match command {
        ScheduleCommand::List => list(session),
        ScheduleCommand::Print(args) => print(session, args).await,
    }
}

fn list(session: &Session) -> Result<u8> {
    let cx = &session.cx;
    let now = cx.world.clock.now().to_zoned(TimeZone::system());
    let all: Vec<Standing> = cx
        .site
        .loaded
        .config
        .schedule
        .iter()
        .map(|(name, config)| standing::standing(cx, name, config, &now))
        .collect::<Result<_>>()?;
    if session.printer.json {
        session.printer.json(&all)?;
    } else {
        session.printer.value(&all.iter().map(row).collect())?;
    }
    Ok(u8::from(all.iter().any(|s| s.overdue)))
}

/// For people.
fn row(standing: &Standing) -> Value {
    let time = |text: &str| text.get(..16).unwrap_or(text).replace('T', " ");
    let last = standing.last.as_ref().map_or_else(
        || String::from("never"),
        |last| {
            let state = serde_json::to_value(last.state).unwrap_or_default();
            let age = Duration::try_from_secs_f64(last.age_seconds).unwrap_or_default();
            format!("{}, {} ago", state.as_str().unwrap_or_default(), words::span(age))
        },
    );
    json!({
        "name": standing.name, "workflow": standing.workflow, "on": standing.on,
        "next": standing.next.as_deref().map(time).unwrap_or_default(), "last": last,
        "overdue": standing.why.clone().unwrap_or_default(),
    })
}

async fn print(session: &Session, args: &PrintArgs) -> Result<u8> {
    let job = job(session, args).await?;
    if args.target == Target::Cron {
        if args.splay.is_some() || args.dir.is_some() {
            return Err(Trouble::usage("--splay and --dir are for systemd")
                .hint("cron has no random delay; `crontab -` reads what is printed"));
        }
        session.printer.result(&crontab::lines(&job)?)?;
        return Ok(0);
    }
    let now = session.cx.world.clock.now().to_zoned(TimeZone::system());
    let note = job.schedule.skipped(&now).map(|(day, time)| {
        format!("On {} the clock skips {}: systemd leaves that day out.", day.date(), time.strftime("%H:%M"))
    });
    let units = units::units(&job, args.splay, note.as_deref())?;
    let Some(dir) = &args.dir else {
        session.printer.result(&units::together(&units))?;
        return Ok(0);
    };
    let dir = absolute(dir);
    let about = About { kind: "command".into(), script: "schedule print".into(), ..About::default() };
    session.cx.site.journal.describe(about);
    for unit in units {
        let path = dir.join(&unit.file);
        let write = Action::WriteFile {
            path: path.clone(),
            bytes: unit.text.into_bytes(),
            mode: Some(0o644),
            varies: false,
        };
        session.scope.enter(session.cx.world.perform(write)).await?;
        session.printer.result(&path.display().to_string())?;
    }
    Ok(0)
}

async fn job(session: &Session, args: &PrintArgs) -> Result<Job> {
    let known = &session.cx.site.loaded.config.schedule;
    let config = match (known.get(&args.name), &args.on) {
        (Some(config), _) => config.clone(),
        (None, Some(_)) => ScheduleConfig { workflow: workflow_of(&args.name), ..ScheduleConfig::default() },
        (None, None) => {
            let trouble = Trouble::usage(format!("when is '{}' to run?", args.name))
                .hint("--on \"daily 02:00\", or a [schedule.NAME] in the site file");
            let near = nearest::nearest(&args.name, known.keys().map(String::as_str));
            return Err(near.map_or(trouble.clone(), |n| trouble.hint(format!("did you mean '{n}'?"))));
        }
    };
    let schedule = match &args.on {
        Some(on) => Schedule::parse(on)?,
        None => standing::schedule(&args.name, &config)?,
    };
    let options: Vec<String> =
        if args.options.is_empty() { config.options.clone() } else { args.options.clone() };
    check_options(session, &config.workflow, &options).await?;
    let name = summary::name(&args.name);
    let mut argv = command(session)?;
    argv.extend([String::from("run"), config.workflow.clone()]);
    argv.extend(options);
    let account = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
    let account_home = account.as_ref().map(|a| a.dir.display().to_string());
    Ok(Job {
        name,
        workflow: config.workflow,
        schedule,
        argv,
        variables: variables(session)?,
        user: account.map_or_else(|| nix::unistd::geteuid().to_string(), |a| a.name),
        home: std::env::var("HOME").ok().or(account_home).unwrap_or_default(),
        path: search_path(session),
    })
}

/// A script's path must not depend on where cron stands.
fn workflow_of(name: &str) -> String {
    if config::is_file(name) { absolute(Path::new(name)).display().to_string() } else { name.to_owned() }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// What would be refused at night is refused now.
async fn check_options(session: &Session, workflow: &str, options: &[String]) -> Result<()> {
    let Some(declared) = workflows::declared(session, workflow).await? else { return Ok(()) };
    let command = RunOptions::extend(declared.workflow.command(), false);
    match command.try_get_matches_from(options) {
        Err(error) if error.use_stderr() => Err(wrong_options(&error)),
        Err(_) => Err(Trouble::usage("--help is no option to run with")),
        Ok(_) => Ok(()),
    }
}

/// The executable and the options of moonstack itself.
fn command(session: &Session) -> Result<Vec<String>> {
    let executable = std::env::current_exe()
        .map_err(|e| Trouble::new(Kind::Internal, format!("cannot find this executable: {e}")))?;
    let mut argv = vec![text(&executable)?];
    let stored = &session.stored;
    if session.cx.site.practice.is_some() && stored.practice.is_none() {
        return Err(Trouble::usage("a throw-away practice site is gone when the schedule is due")
            .hint("--practice=DIR makes one that stays"));
    }
    // A variable of this shell says as much as the option.
    let variable = std::env::var_os("SPACK_ROOT").filter(|_| stored.practice.is_none()).map(PathBuf::from);
    let options = session.options.borrow();
    for (name, path) in [
        ("--site", stored.site.clone()),
        ("--spack", stored.spack.clone().or(variable)),
        ("--report", options.report.clone()),
        ("--metrics", options.metrics.clone()),
    ] {
        if let Some(path) = path {
            argv.extend([name.to_owned(), text(&absolute(&path))?]);
        }
    }
    if let Some(dir) = &stored.practice {
        argv.push(format!("--practice={}", text(dir)?));
    }
    for (name, span) in [("--timeout", session.timeout), ("--wait", options.wait)] {
        if let Some(span) = span {
            argv.extend([name.to_owned(), format!("{}ms", span.as_millis())]);
        }
    }
    argv.push(String::from("--summary"));
    Ok(argv)
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| Trouble::usage(format!("{} is not UTF-8", path.display())))
}

/// Variables of this shell that decide which site and which configuration of Spack is meant, or that the configuration
/// is written with. Secrets are none of them: they do not belong into a crontab.
fn variables(session: &Session) -> Result<BTreeMap<String, String>> {
    const OURS: &[&str] = &["MOONSTACK_STATE", "XDG_CONFIG_HOME", "XDG_STATE_HOME"];
    const SPACKS: &[&str] = &[
        "SPACK_USER_CONFIG_PATH",
        "SPACK_USER_CACHE_PATH",
        "SPACK_SYSTEM_CONFIG_PATH",
        "SPACK_DISABLE_LOCAL_CONFIG",
        "SPACK_PYTHON",
    ];
    let spacks = if session.stored.practice.is_some() { &[] } else { SPACKS };
    let mut names: BTreeSet<&str> = OURS.iter().chain(spacks).copied().collect();
    let config = match Scope::open(&session.cx, None) {
        Ok(scope) => Some(scope.config),
        Err(trouble) if trouble.is(Kind::NoSpack) => None,
        Err(trouble) => return Err(trouble),
    };
    let given = &session.cx.site.loaded.config.variables;
    names.extend(config.iter().flat_map(|c| c.named.of_paths()).filter(|name| !given.contains_key(*name)));
    Ok(names.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect())
}

/// The folders of this shell's PATH that are there, each once.
fn search_path(session: &Session) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut seen = BTreeSet::new();
    let there = |dir: &&str| dir.starts_with('/') && session.cx.world.eyes.finds_folder(Path::new(dir));
    let folders: Vec<&str> = path.split(':').filter(there).filter(|dir| seen.insert(*dir)).collect();
    if folders.is_empty() { String::from("/usr/local/bin:/usr/bin:/bin") } else { folders.join(":") }
}
