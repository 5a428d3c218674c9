//! Options that every run has, whether they stand before the workflow's name or after it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::base::words;
use crate::script::workflow::Workflow;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// How long to wait for another instance.
    pub wait: Option<Duration>,
    /// One line at the end, if there is something to say.
    pub summary: bool,
    /// Tell the channels, whoever sits there.
    pub notify: bool,
    /// A file for the report as JSON.
    pub report: Option<PathBuf>,
    /// A file for Prometheus.
    pub metrics: Option<PathBuf>,
    /// Of a plan: say by the exit code whether there is something to do.
    pub check: bool,
    /// Of a plan: where to store it.
    pub output: Option<PathBuf>,
}

impl RunOptions {
    /// Adds the options to a workflow's own; one that the workflow has itself is its own.
    pub fn extend(command: Command, planning: bool) -> Command {
        let mut all = vec![
            value("wait", "DURATION", "Wait this long for another instance of it to end")
                .value_parser(words::parse_span),
            flag("summary", "Say one line at the end, if something was done or is wrong"),
            flag("notify", "Tell the channels how it ends, also where somebody sits at the terminal"),
            value("report", "FILE", "Write a report as JSON").value_parser(clap::value_parser!(PathBuf)),
            value("metrics", "FILE", "Write metrics for Prometheus' textfile collector")
                .value_parser(clap::value_parser!(PathBuf)),
        ];
        if planning {
            all.push(flag("check", "End with 6 if there is something to do"));
            all.push(
                value("output", "FILE", "Store the plan, for `moonstack apply`")
                    .short('o')
                    .value_parser(clap::value_parser!(PathBuf)),
            );
        }
        let known: Vec<String> = command.get_arguments().map(|a| a.get_id().to_string()).collect();
        all.into_iter()
            .filter(|arg| !known.contains(&arg.get_id().to_string()))
            .fold(command, |command, arg| command.arg(arg.help_heading("Options of every run")))
    }

    /// Takes over what stood after the workflow's name. What a workflow has an option of its own for is not ours.
    pub fn add(&mut self, matches: &ArgMatches) {
        let path = |name: &str| matches.try_get_one::<PathBuf>(name).ok().flatten().cloned();
        let set = |name: &str| matches.try_get_one::<bool>(name).ok().flatten().copied().unwrap_or(false);
        self.wait = matches.try_get_one::<Duration>("wait").ok().flatten().copied().or(self.wait);
        self.report = path("report").or(self.report.take());
        self.metrics = path("metrics").or(self.metrics.take());
        self.output = path("output").or(self.output.take());
        self.summary |= set("summary");
        self.notify |= set("notify");
        self.check |= set("check");
    }
}

fn value(name: &'static str, shown: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(shown).help(help).action(ArgAction::Set)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).action(ArgAction::SetTrue)
}

/// The words of a run without what was only asked of its plan.
pub fn without_plan(name: &str, args: &[OsString], workflow: &Workflow) -> Vec<String> {
    let own = |name: &str| workflow.options.iter().any(|o| o.name == name);
    let mut words = vec![name.to_owned()];
    let mut rest = args.iter().map(|arg| arg.to_string_lossy().into_owned());
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--check" if !own("check") => {}
            "-o" | "--output" if !own("output") => drop(rest.next()),
            other if other.starts_with("--output=") && !own("output") => {}
            _ => words.push(word),
        }
    }
    words
}

/// The words of a stored command.
pub fn words_of(words: &[String]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
