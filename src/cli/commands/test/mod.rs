//! `moonstack test`: finds the test files of a site and runs each in a process of its own, on a practice site of its
//! own, so that no test sees what another has left and one that hangs ends alone. What a case is, is known in
//! `script::trial`.

mod report;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};

use crate::base::{Kind, Result, Trouble};
use crate::cli::args::Global;
use crate::cli::args::test::TestArgs;
use crate::cli::session::{Session, practice_folder};
use crate::script::Host;
use crate::script::loader::Source;
use crate::script::trial::{Case, Status, Told, Trial};
use crate::world::fs::eyes::FileKind;
use crate::world::proc::program::{Ended, Listener, Program, Ran};
use crate::world::scope::event::Stream;
use crate::world::{Action, Effect};

use report::FileResult;

/// What test files are called.
const ENDING: &str = "_test.lua";
/// Until a silent file is ended from outside, on top of a case's limit: making the site, and cleaning up.
const MARGIN: Duration = Duration::from_secs(30);

/// A test file, and the folder that it was found from.
struct TestFile {
    file: PathBuf,
    folder: PathBuf,
}

pub async fn test(session: &Session, global: &Global, args: &TestArgs) -> Result<u8> {
    if let Some(folder) = &args.alone {
        return alone(session, args, folder).await;
    }
    if global.practice.is_some() || global.spack.is_some() {
        return Err(Trouble::usage("test: each file gets a practice site of its own")
            .hint("leave out --practice and --spack"));
    }
    let began = Instant::now();
    let files = find(session, &args.paths)?;
    let jobs = args.jobs.map_or_else(processors, usize::from);
    let work = async {
        let mut running = stream::iter(&files).map(|found| one(session, global, args, found)).buffered(jobs);
        let mut results = Vec::new();
        while let Some(result) = running.next().await {
            let result = result?;
            report::file(&session.printer, &result)?;
            results.push(result);
        }
        Ok(results)
    };
    let results = session.scope.enter(session.scope.guard(work)).await.map_err(|t| session.ended(t))?;
    if results.iter().all(|r| r.cases.is_empty()) {
        let text = args.filter.as_deref().unwrap_or_default();
        return Err(Trouble::usage(format!("test: no case matches '{text}'")));
    }
    report::summary(&session.printer, &results, began.elapsed())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(4)
}

/// The test files below the paths, each once, in order.
fn find(session: &Session, paths: &[PathBuf]) -> Result<Vec<TestFile>> {
    let eyes = &session.cx.world.eyes;
    let mut files: Vec<TestFile> = Vec::new();
    for path in paths {
        let mut found = Vec::new();
        let folder = if eyes.is_folder(path)? {
            search(session, path, &mut found)?;
            path.clone()
        } else {
            // A file that is named may be called anything.
            if !eyes.is_file(path)? {
                let text = format!("test: there is no file or folder {}", path.display());
                return Err(Trouble::usage(text));
            }
            found.push(path.clone());
            folder_of(path)
        };
        for file in found {
            if files.iter().all(|known| known.file != file) {
                files.push(TestFile { file, folder: folder.clone() });
            }
        }
    }
    if files.is_empty() {
        let places: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        return Err(Trouble::usage(format!("test: no tests found in {}", places.join(", ")))
            .hint(format!("test files are called NAME{ENDING}")));
    }
    Ok(files)
}

fn folder_of(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|p| !p.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

/// Goes into folders, not into links to them; hidden ones are left out.
fn search(session: &Session, folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let eyes = &session.cx.world.eyes;
    let mut names = eyes.list(folder)?;
    names.sort();
    for name in names.iter().filter(|n| !n.starts_with('.')) {
        let path = if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) };
        match eyes.lstat(&path)?.kind {
            FileKind::Folder => search(session, &path, found)?,
            _ if name.ends_with(ENDING) && eyes.is_file(&path)? => found.push(path),
            _ => {}
        }
    }
    Ok(())
}

/// What a process has told so far.
#[derive(Default)]
struct Heard {
    cases: Vec<Case>,
    current: Option<String>,
    printed: Vec<String>,
    complete: bool,
}

impl Heard {
    fn line(&mut self, line: &str) {
        match serde_json::from_str(line) {
            Ok(Told::Begin { name }) => self.current = Some(name),
            Ok(Told::Print { text }) => self.printed.push(text),
            Ok(Told::Case(case)) => self.cases.push(case),
            Ok(Told::End { cases }) => self.complete = self.cases.len() == cases,
            Err(_) => self.printed.push(line.to_owned()),
        }
    }
}

/// Runs one file in a process of its own.
async fn one(session: &Session, global: &Global, args: &TestArgs, found: &TestFile) -> Result<FileResult> {
    let heard: Arc<Mutex<Heard>> = Arc::default();
    let ear = Arc::clone(&heard);
    let listener = Listener(Arc::new(move |stream, line: &str| {
        if let (Stream::Stdout, Ok(mut heard)) = (stream, ear.lock()) {
            heard.line(line);
        }
    }));
    // Ours, not the file's, so that it goes even when its process was killed.
    let site = practice_folder()?;
    let program = Program {
        argv: command(global, args, found, site.path())?,
        silence: Some(args.limit.saturating_add(MARGIN)),
        listener: Some(listener),
        ..Program::default()
    };
    let action = Action::run(program, Effect::Reads);
    let ran = session.cx.world.perform(action).await?.ran();
    let heard = heard.lock().map(|mut h| std::mem::take(&mut *h)).unwrap_or_default();
    let mut cases = heard.cases;
    if !heard.complete {
        cases.push(early(&ran, heard.current, found));
    }
    Ok(FileResult {
        file: found.file.display().to_string(),
        cases,
        printed: heard.printed,
        stderr: ran.stderr,
    })
}

fn command(global: &Global, args: &TestArgs, found: &TestFile, site: &Path) -> Result<Vec<String>> {
    let mut argv = vec![executable()?.display().to_string(), format!("--practice={}", site.display())];
    if let Some(site) = &global.site {
        argv.extend([String::from("--site"), site.display().to_string()]);
    }
    argv.extend([String::from("test"), format!("--alone={}", found.folder.display())]);
    argv.push(format!("--limit={}s", args.limit.as_secs_f64()));
    if let Some(filter) = &args.filter {
        argv.push(format!("--filter={filter}"));
    }
    argv.extend([String::from("--"), found.file.display().to_string()]);
    Ok(argv)
}

fn executable() -> Result<PathBuf> {
    std::env::current_exe()
        .map_err(|e| Trouble::new(Kind::Internal, format!("cannot find this executable: {e}")))
}

/// The case for a file whose process did not come to its end.
fn early(ran: &Ran, current: Option<String>, found: &TestFile) -> Case {
    let stem = found.file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let last = ran.stderr.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or_default().trim();
    let (kind, why) = match (ran.ended, ran.code, ran.signal) {
        (Some(Ended::Timeout | Ended::Silence), ..) => {
            (Kind::Timeout, String::from("was ended: it went on long after its limit"))
        }
        (None, Some(code), _) => (Kind::Program, format!("ended early with exit code {code}: {last}")),
        (None, None, signal) => (Kind::Signal, format!("was ended by signal {}", signal.unwrap_or_default())),
    };
    let error = Trouble::new(kind, format!("the file's process {why}"));
    let error = error.hint("the cases after it did not run").to_json();
    let name = current.unwrap_or(stem);
    Case { name, status: Status::Error, seconds: ran.seconds, error: Some(error) }
}

/// The process that runs one file: tells on standard output, one line of JSON each.
async fn alone(session: &Session, args: &TestArgs, folder: &Path) -> Result<u8> {
    let (Some(site), [file]) = (&session.cx.site.practice, args.paths.as_slice()) else {
        return Err(Trouble::usage("test --alone takes one file and --practice"));
    };
    let text = session.cx.world.eyes.read(file)?;
    let own = folder_of(file);
    let mut loader = session.loader(Some(own.clone()));
    loader.folders.insert(1, folder.to_owned());
    let out = Arc::clone(&session.printer);
    let print = Rc::new(move |text: &str| Told::print(text).iter().try_for_each(|t| out.json(t)));
    let host = Host::new(session.cx.clone(), Rc::clone(&session.registry), loader, print)?;
    let trial = Trial {
        source: Source { name: file.display().to_string(), text },
        folder: own,
        executable: executable()?,
        site: site.clone(),
        limit: args.limit,
        filter: args.filter.clone(),
    };
    let out = Arc::clone(&session.printer);
    let tell = Rc::new(move |told: &Told| out.json(told));
    trial.run(&host, &session.scope, tell).await.map(|()| 0)
}
