//! Starts Spack: argument list only, a scrubbed environment, the environment named explicitly, a log with a
//! header that says what it ran with, and lines turned into events as they come.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::events::{Progress, Recogniser};
use super::handed::Handed;
use super::session::Scope;
use crate::base::{Kind, Result, Trouble, redact, words};
use crate::site::Cx;
use crate::spack::drive::invocation::Invocation;
use crate::spack::environment::{EnvironmentInfo, EnvironmentKind};
use crate::world::fs::eyes::{Eyes as _, LiveEyes};
use crate::world::proc::program::{Ended, Gentle, Listener, Program, Ran, Stdin, Tail};
use crate::world::scope::event::Underway;
use crate::world::{Action, Effect, Event};

/// Variables that reach Spack if they are set, beside those that its configuration names and those of the site file.
/// Everything else stays outside: an activated environment, a loaded module or a stray `PYTHONPATH` must not decide
/// what is built.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "TZ",
    "SSH_AUTH_SOCK",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "S3_ENDPOINT_URL",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "SPACK_USER_CONFIG_PATH",
    "SPACK_USER_CACHE_PATH",
    "SPACK_SYSTEM_CONFIG_PATH",
    "SPACK_DISABLE_LOCAL_CONFIG",
    "SPACK_PYTHON",
    "SPACK_GNUPGHOME",
    "MOONSTACK_PRACTICE_FAULTS",
];
const PASSED_PREFIXES: &[&str] = &["LC_", "AWS_"];
/// A package that wants a licence file starts an editor, even without a terminal (contract 5.4).
const EDITORS: &[&str] = &["EDITOR", "VISUAL", "SPACK_EDITOR"];
/// What a reading command may print: a whole DAG as JSON, not a flood.
const READ_LIMIT: usize = 64 * 1024 * 1024;

/// How it went.
#[derive(Debug, Clone)]
pub struct Answer {
    pub title: String,
    pub ran: Ran,
    pub log: Option<PathBuf>,
    pub progress: Progress,
}

/// Runs Spack to its end. Errors are: it could not be started, it was ended by a limit, it was cancelled. Its
/// exit code is for the caller to judge.
pub async fn run(cx: &Cx, scope: &Scope, invocation: Invocation) -> Result<Answer> {
    let title = invocation.title();
    scope.config.named.all_set()?;
    let env = variables(cx, scope, &invocation.variables);
    let inside = scope.environment.as_ref().filter(|_| !invocation.outside);
    let argv = argv(scope, inside, &invocation.words);
    let shown = invocation.shown.as_ref().map(|words| self::argv(scope, inside, words));
    let (effect, rehearsal) = (invocation.effect, Some((Handed::of(cx)?.rehearse)(cx, scope, &invocation)));
    let log = match invocation.effect {
        Effect::Changes => Some(start_log(cx, scope, &argv, &env).await?),
        Effect::Reads => None,
    };
    let recogniser = Arc::new(Mutex::new(Recogniser::default()));
    let program = Program {
        env,
        clear_env: true,
        stdin: if invocation.installs { Stdin::Open } else { Stdin::Null },
        timeout: Some(invocation.timeout.unwrap_or_else(|| cx.site.spack_limit())),
        silence: Some(invocation.silence.unwrap_or_else(|| cx.site.silence_limit())),
        log: log.clone(),
        tail: if invocation.effect == Effect::Reads { Tail(READ_LIMIT) } else { Tail(4 * 1024 * 1024) },
        gentle: Gentle::Interrupt,
        listener: Some(listener(cx, &recogniser)),
        shown: Some(without_noise(shown.as_ref().unwrap_or(&argv))),
        touches: invocation.touches.clone(),
        argv,
        ..Program::default()
    };
    let what = title.clone();
    let started = Event::Started { what: title.clone() };
    let underway =
        Underway::begin(&cx.world.watcher, started, |seconds| Event::Finished { what, seconds, ok: false });
    let outcome = cx.world.perform(Action::RunProgram { program, effect, rehearsal }).await;
    if invocation.effect == Effect::Changes {
        scope.spack.forget();
    }
    let ran = outcome?.ran();
    underway.end(Event::Finished { what: title.clone(), seconds: ran.seconds, ok: ran.ok() });
    let progress = recogniser.lock().unwrap_or_else(PoisonError::into_inner).progress.clone();
    let answer = Answer { title, ran, log, progress };
    if invocation.effect == Effect::Reads && answer.ran.truncated {
        return Err(answer.about(Trouble::new(
            Kind::Program,
            format!("{} printed more than {}", answer.title, words::size(READ_LIMIT as u64)),
        )));
    }
    Ok(answer)
}

impl Answer {
    /// Adds what is known of the invocation to an error.
    pub fn about(&self, trouble: Trouble) -> Trouble {
        let mut trouble = trouble.fact("command", self.title.as_str()).fact("seconds", self.ran.seconds);
        if let Some(code) = self.ran.code {
            trouble = trouble.fact("exit_code", code);
        }
        if let Some(signal) = self.ran.signal {
            trouble = trouble.fact("signal", signal);
        }
        if let Some(log) = self.written_log() {
            trouble = trouble.fact("log", log.display().to_string());
        }
        trouble
    }

    /// The log file, unless the command only ran for a plan: that writes none.
    pub fn written_log(&self) -> Option<&PathBuf> {
        self.log.as_ref().filter(|log| LiveEyes.finds_file(log))
    }

    /// The error of an invocation that a limit ended.
    pub fn limit(&self) -> Option<Trouble> {
        let seconds = Duration::from_secs_f64(self.ran.seconds.max(0.0));
        let message = match self.ran.ended? {
            Ended::Timeout => format!("{} was ended after {}", self.title, words::span(seconds)),
            Ended::Silence => {
                format!(
                    "{} printed nothing for too long and was ended after {}",
                    self.title,
                    words::span(seconds)
                )
            }
        };
        Some(self.about(Trouble::new(Kind::Timeout, message).hint(
            "limits.spack and limits.silence of the site file set how long Spack may take and be silent",
        )))
    }
}

/// What Spack printed where JSON was expected.
pub fn not_json(answer: &Answer, error: &serde_json::Error) -> Trouble {
    let begin: String = answer.ran.stdout.chars().take(200).collect();
    let message = format!("{} printed something that is not JSON: {error}", answer.title);
    answer.about(Trouble::new(Kind::Program, message).fact("stdout", begin))
}

fn listener(cx: &Cx, recogniser: &Arc<Mutex<Recogniser>>) -> Listener {
    let (world, recogniser) = (cx.world.clone(), Arc::clone(recogniser));
    Listener(Arc::new(move |stream, text| {
        world.tell(Event::Line { stream, text: text.to_owned() });
        let event = recogniser.lock().unwrap_or_else(PoisonError::into_inner).line(stream, text);
        if let Some(event) = event {
            world.tell(event);
        }
    }))
}

/// The command line as a person would type it.
fn without_noise(argv: &[String]) -> Vec<String> {
    let mut words = argv.iter().skip(1).cloned().collect::<Vec<_>>();
    for noise in [&["--color", "never"][..], &["-E"]] {
        if words.iter().map(String::as_str).take(noise.len()).eq(noise.iter().copied()) {
            words.drain(..noise.len());
        }
    }
    std::iter::once("spack".to_owned()).chain(words).collect()
}

fn argv(scope: &Scope, inside: Option<&EnvironmentInfo>, words: &[String]) -> Vec<String> {
    let mut argv = vec![scope.spack.installation.spack_exe.display().to_string()];
    argv.extend(["--color", "never"].map(String::from));
    match inside {
        None => argv.push("-E".to_owned()),
        Some(e) if e.kind == EnvironmentKind::Independent => {
            argv.extend(["-D".to_owned(), e.path.display().to_string()]);
        }
        Some(e) => argv.extend(["-e".to_owned(), e.name.clone()]),
    }
    argv.extend(words.iter().cloned());
    argv
}

/// Everything that Spack sees of the environment.
fn variables(cx: &Cx, scope: &Scope, further: &[String]) -> BTreeMap<String, String> {
    let named: BTreeSet<&str> = scope.config.named.variables().collect();
    let passes = |name: &str| {
        PASSED.contains(&name)
            || PASSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || named.contains(name)
            || cx.site.loaded.config.variables.contains_key(name)
            || further.iter().any(|f| f == name)
    };
    let mut out: BTreeMap<String, String> = cx
        .site
        .variables
        .iter()
        .filter(|(name, _)| passes(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    out.extend(EDITORS.iter().map(|name| ((*name).to_owned(), "/bin/true".to_owned())));
    out.insert("SPACK_COLOR".to_owned(), "never".to_owned());
    // Into a pipe Python prints when its buffer is full: progress would come late, and silence look like a hang.
    out.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
    out.remove("SPACK_ENV");
    out
}

static NUMBER: AtomicU32 = AtomicU32::new(1);

/// Makes the log with a header: the command, the variables and the configuration scopes that it runs with.
async fn start_log(
    cx: &Cx,
    scope: &Scope,
    argv: &[String],
    env: &BTreeMap<String, String>,
) -> Result<PathBuf> {
    let folder = cx.site.logs();
    if !cx.world.eyes.finds_folder(&folder) {
        cx.world.keep(Action::MakeFolder { path: folder.clone() }).await?;
    }
    let now = cx.world.clock.now();
    let stamp = now.strftime("%Y%m%d-%H%M%S").to_string();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("spack-{stamp}-{}-{number}.log", std::process::id()));
    let mut text = format!("# {now} {}\n", redact::argv(argv).join(" "));
    for (name, value) in env {
        let value = if scope.config.named.is_secret(name) { "***" } else { value };
        text.push_str(&format!("# {}\n", redact::redact(&format!("{name}={value}"))));
    }
    for known in scope.config.scopes.iter().filter(|s| s.exists) {
        let place = known.path.as_ref().map_or_else(|| "built in".to_owned(), |p| p.display().to_string());
        text.push_str(&format!("# scope {}: {place}\n", known.name));
    }
    let bytes = text.into_bytes();
    cx.world.keep(Action::WriteFile { path: path.clone(), bytes, mode: Some(0o600), varies: true }).await?;
    Ok(path)
}
