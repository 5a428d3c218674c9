//! `spack install`: plan, build in order, print what the old installer prints when nobody watches, and record.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::build;
use super::catalogue::{Failure, Package};
use super::disk;
use super::environment::{Environment, Root};
use super::halt::Halt;
use super::mirror;
use super::query;
use super::record::{ALL_TYPES, Node, Nodes, Record, build_order};
use super::session::{Declared, Options, Session};
use super::solve::Solution;
use super::verb_env;
use super::verb_spec;
use crate::world::lock::Mode;

const DECLARED: &[Declared] = &[
    (&["-y", "--yes-to-all"], false),
    (&["--fail-fast"], false),
    (&["--only-concrete"], false),
    (&["--overwrite"], false),
    (&["--no-cache"], false),
    (&["--cache-only"], false),
    (&["--no-check-signature"], false),
    (&["--fake"], false),
    (&["--add"], false),
    (&["--no-add"], false),
    (&["--keep-stage"], false),
    (&["--keep-prefix"], false),
    (&["--show-log-on-error"], false),
    (&["--source"], false),
    (&["-v", "--verbose"], false),
    (&["-U", "--fresh"], false),
    (&["--reuse"], false),
    (&["--fresh-roots"], false),
    (&["--deprecated"], false),
    (&["-f", "--force"], false),
    (&["-j", "--jobs"], true),
    (&["-p", "--concurrent-packages"], true),
    (&["--only"], true),
    (&["--use-buildcache"], true),
    (&["--test"], true),
    (&["--log-format"], true),
    (&["--log-file"], true),
];

pub fn install(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let options = Options::read(arguments, DECLARED)?;
    let environment = session.environment.clone();
    if let Some(environment) = environment {
        return in_environment(session, &environment, &options);
    }
    if options.has("--only-concrete") {
        return Err(Halt::internal("argument '--only-concrete' requires an environment"));
    }
    if options.words.is_empty() {
        return Err(Halt::failed(
            "install requires a package argument or active environment\n    either:\n        spack install <spec>\n    or: \n        spack -e <env> install",
        ));
    }
    let wanted = verb_spec::concrete(session, &options.words)?;
    if options.has("--overwrite") {
        confirm_overwrite(session, &options)?;
    }
    Installer::new(session, &options, wanted)?.run()
}

fn confirm_overwrite(session: &mut Session<'_, '_>, options: &Options) -> Result<(), Halt> {
    if options.has("--yes-to-all") || session.confirm("Do you want to overwrite the installed specs?")? {
        return Ok(());
    }
    Err(Halt::failed("Reinstallation aborted."))
}

fn in_environment(
    session: &mut Session<'_, '_>,
    environment: &Environment,
    options: &Options,
) -> Result<u8, Halt> {
    if options.has("--add") {
        verb_env::add(session, &options.words)?;
    }
    if !options.has("--only-concrete") {
        let changed = verb_env::concretize_new(session, environment, options.has("--force"))?;
        if let Some(text) = changed {
            session.say(&text)?;
        }
    }
    let lock = environment.lock()?;
    let mut wanted =
        Solution { nodes: lock.nodes.clone(), roots: lock.roots.iter().map(|r| r.hash.clone()).collect() };
    if options.words.is_empty() && wanted.roots.is_empty() {
        session.say(&format!("==> {} environment has no specs to install", environment.name))?;
        return Ok(0);
    }
    if !options.words.is_empty() {
        wanted.roots = matching_roots(&options.words, &lock.roots, &lock.nodes)?;
    }
    if options.has("--overwrite") {
        confirm_overwrite(session, options)?;
    }
    let code = Installer::new(session, options, wanted)?.run();
    verb_env::refresh_view(session, environment)?;
    code
}

/// The nodes of an environment that the words mean.
fn matching_roots(words: &[String], roots: &[Root], nodes: &Nodes) -> Result<Vec<String>, Halt> {
    let mut found = Vec::new();
    for spec in query::parse(words)? {
        let explicit = roots.iter().filter_map(|r| nodes.get(&r.hash));
        let mut matches: Vec<String> =
            explicit.filter(|n| query::matches(n, &spec, nodes)).map(|n| n.hash.clone()).collect();
        if matches.is_empty() && spec.hash.is_some() {
            matches =
                nodes.values().filter(|n| query::matches(n, &spec, nodes)).map(|n| n.hash.clone()).collect();
        }
        if matches.is_empty() {
            return Err(Halt::failed(format!(
                "Cannot install '{spec}' because no matching specs are in the current environment.\n Specs can be added to the environment with 'spack add {spec}',\n or as part of the install command with 'spack install --add {spec}'"
            )));
        }
        found.extend(matches);
    }
    Ok(found)
}

struct Installer<'s, 'a, 'b> {
    session: &'s mut Session<'a, 'b>,
    wanted: Solution,
    use_cache: bool,
    only_cache: bool,
    fail_fast: bool,
    overwrite: bool,
    show_log: bool,
    only_package: bool,
    only_dependencies: bool,
    stage_root: PathBuf,
    cached: BTreeSet<String>,
    /// Hash to what is printed of it at the end.
    failed: BTreeMap<String, String>,
}

impl<'s, 'a, 'b> Installer<'s, 'a, 'b> {
    fn new(session: &'s mut Session<'a, 'b>, options: &Options, wanted: Solution) -> Result<Self, Halt> {
        let stage_root = super::verb_info::stage_root(session)?;
        let use_cache = !options.has("--no-cache");
        let cached = if use_cache { mirror::available(&session.config)? } else { BTreeSet::new() };
        Ok(Installer {
            session,
            wanted,
            use_cache,
            only_cache: options.has("--cache-only"),
            fail_fast: options.has("--fail-fast"),
            overwrite: options.has("--overwrite"),
            show_log: options.has("--show-log-on-error"),
            only_package: options.value("--only") == Some("package"),
            only_dependencies: options.value("--only") == Some("dependencies"),
            stage_root,
            cached,
            failed: BTreeMap::new(),
        })
    }

    /// What must be there, dependencies first: build dependencies only of what is built.
    fn plan(&self) -> Result<Vec<String>, Halt> {
        let records = self.session.store.read()?;
        let mut needed = BTreeSet::new();
        let mut rest = self.wanted.roots.clone();
        while let Some(hash) = rest.pop() {
            if !needed.insert(hash.clone()) {
                continue;
            }
            let Some(node) = self.wanted.nodes.get(&hash) else { continue };
            let is_root = self.wanted.roots.contains(&hash);
            let built = records.installed(&hash).is_none() && !self.cached.contains(&hash)
                || self.overwrite && is_root;
            if node.external.is_none() && !self.only_package {
                let types: &[&str] = if built { ALL_TYPES } else { &["link", "run"] };
                rest.extend(node.edges(types).map(|e| e.hash.clone()));
            }
        }
        if self.only_dependencies {
            needed.retain(|h| !self.wanted.roots.contains(h));
        }
        let mut order = build_order(&self.wanted.nodes, &self.wanted.roots);
        order.retain(|h| needed.contains(h));
        Ok(order)
    }

    fn run(mut self) -> Result<u8, Halt> {
        self.session.store.prepare()?;
        let plan = self.plan()?;
        let printed: Vec<String> = plan
            .iter()
            .filter(|h| self.wanted.nodes.get(*h).is_some_and(|n| n.external.is_none()))
            .cloned()
            .collect();
        for hash in &plan {
            let Some(node) = self.wanted.nodes.get(hash).cloned() else { continue };
            if let Some(culprit) = node.dependencies.iter().find(|e| self.failed.contains_key(&e.hash)) {
                let name = self.wanted.nodes.get(&culprit.hash).map(Node::long_name).unwrap_or_default();
                self.session.complain(&format!(
                    "==> Warning: Skipping build of {} since {name} failed",
                    node.long_name()
                ))?;
                self.failed.insert(hash.clone(), String::new());
                continue;
            }
            let position = printed.iter().position(|h| h == hash).map_or(0, |p| p + 1);
            if let Err(reason) = self.one(&node, position, printed.len())? {
                if self.fail_fast {
                    return Err(Halt::failed(format!("Terminating after first install failure: {reason}")));
                }
                self.failed.insert(hash.clone(), reason);
            }
        }
        self.summary()
    }

    /// One package. The inner error is what Spack repeats at the end.
    fn one(&mut self, node: &Node, n: usize, of: usize) -> Result<Result<(), String>, Halt> {
        let explicit = self.wanted.roots.contains(&node.hash);
        if node.external.is_some() {
            self.record(node, explicit)?;
            return Ok(Ok(()));
        }
        let _lock = self.session.store.lock_prefix(&node.hash, Mode::Write)?;
        let prefix = self.session.store.prefix(node);
        let present = self.session.store.read()?.installed(&node.hash).is_some();
        if present && !(self.overwrite && explicit) {
            if explicit {
                self.record(node, true)?;
            }
            self.session.say(&format!("[+] {}", prefix.display()))?;
            return Ok(Ok(()));
        }
        if self.use_cache && self.cached.contains(&node.hash) && mirror::intact(&self.session.config, node)? {
            self.extract(node, n, of)?;
            self.record(node, explicit)?;
            return Ok(Ok(()));
        }
        if self.only_cache {
            let text = "InstallError: No binary found when cache-only was specified";
            self.session.complain(&format!("==> Error: {text}"))?;
            return Ok(Err(text.to_owned()));
        }
        let result = self.build(node, n, of)?;
        if result.is_ok() {
            self.record(node, explicit)?;
            self.session.say(&format!("[+] {}", prefix.display()))?;
        }
        Ok(result)
    }

    fn package(&self, node: &Node) -> Result<&Package, Halt> {
        let unknown = || Halt::failed(format!("Package '{}' not found.", node.name));
        self.session.catalogue.package(&node.name).ok_or_else(unknown)
    }

    fn extract(&mut self, node: &Node, n: usize, of: usize) -> Result<(), Halt> {
        let name = node.long_name();
        let prefix = self.session.store.prefix(node);
        self.session.say(&format!("==> Extracting {name} from binary cache"))?;
        disk::remove(&prefix)?;
        let package = self.package(node)?;
        build::begin(&prefix, node, &self.wanted.nodes)?;
        build::finish(&prefix, node, package, &build::log(node, &package.phases), true)?;
        self.session.say(&format!("==> {}: Successfully installed {name}", node.name))?;
        self.session.say(
            "  Search: 0.00s.  Fetch: 0.01s.  Install: 0.01s.  Extract: 0.00s.  Relocate: 0.00s.  Total: 0.02s",
        )?;
        self.session.say(&format!("[+] {}", prefix.display()))?;
        self.session.say(&format!("==> Installing {name} [{n}/{of}]"))
    }

    fn build(&mut self, node: &Node, n: usize, of: usize) -> Result<Result<(), String>, Halt> {
        let name = node.long_name();
        if self.use_cache {
            self.session.say(&format!("==> No binary for {name} found: installing from source"))?;
        }
        self.session.say(&format!("==> Installing {name} [{n}/{of}]"))?;
        let begin = Instant::now();
        let fault = self.session.faults.package.get(&node.name).cloned().unwrap_or_default();
        let failure = fault.fail.or(self.recorded_failure(node)?);
        if failure == Some(Failure::Fetch) {
            return self.fetch_fails(node);
        }
        self.session.say(&format!("==> No patches needed for {}", node.name))?;
        let phases = self.package(node)?.phases.clone();
        let (prefix, stage) = (self.session.store.prefix(node), build::stage(&self.stage_root, node));
        disk::remove(&prefix)?;
        disk::remove(&stage)?;
        build::begin(&prefix, node, &self.wanted.nodes)?;
        disk::folder(&stage)?;
        let seconds = fault.seconds.or(own_seconds(node)).unwrap_or(0.0).clamp(0.0, 86_400.0);
        let share = Duration::from_secs_f64(seconds / phases.len().max(1) as f64);
        let log = stage.join("spack-build-out.txt");
        for phase in &phases {
            let line = format!("==> {}: Executing phase: '{phase}'", node.name);
            self.session.say(&line)?;
            disk::append(&log, &format!("{line}\n"))?;
            if fault.kill {
                // Signal 9 leaves what it leaves: a partial prefix, a stage, no record.
                let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
            }
            std::thread::sleep(share);
            if failure == Some(Failure::Build) && (phase == "build" || phases.len() == 1) {
                return self.build_fails(node, &phases, &log);
            }
        }
        let package = self.package(node)?;
        build::finish(&prefix, node, package, &build::log(node, &phases), false)?;
        disk::remove(&stage)?;
        self.session.store.clear_failure(node)?;
        self.session.say(&format!("==> {}: Successfully installed {name}", node.name))?;
        let total = begin.elapsed().as_secs_f64();
        self.session.say(&format!(
            "  Stage: 0.00s.  Install: {total:.2}s.  Post-install: 0.00s.  Total: {total:.2}s"
        ))?;
        Ok(Ok(()))
    }

    /// How the catalogue says that the package fails, if it does in this version.
    fn recorded_failure(&self, node: &Node) -> Result<Option<Failure>, Halt> {
        let Some(fails) = &self.package(node)?.fails else { return Ok(None) };
        if fails.when.is_empty() {
            return Ok(Some(fails.how));
        }
        let condition = query::parse_one(&fails.when)?;
        Ok(query::version_fits(&node.version, &condition.versions).then_some(fails.how))
    }

    fn fetch_fails(&mut self, node: &Node) -> Result<Result<(), String>, Halt> {
        let url = format!("https://practice.invalid/{}-{}.tar.gz", node.name, node.version);
        let reason = format!(
            "FetchError: All fetchers failed for spack-stage-{}\n    {url}: DetailedURLError: GET {url} errored with: [Errno -2] Name or service not known",
            node.long_name()
        );
        self.session.complain(&format!("==> Error: {reason}"))?;
        self.mark_failed(node)?;
        Ok(Err(reason))
    }

    fn build_fails(
        &mut self,
        node: &Node,
        phases: &[String],
        log: &std::path::Path,
    ) -> Result<Result<(), String>, Halt> {
        let (text, line) = build::failing_log(node, phases);
        disk::write(log, &text)?;
        let reason = "ProcessError: Command exited with status 2:\n    'make' '-j1'".to_owned();
        self.session.complain(&format!("==> Error: {reason}\n\n1 error found in build log:"))?;
        for (at, content) in text.lines().enumerate().take(line + 1) {
            let mark = if at + 1 == line { "  >> " } else { "     " };
            self.session.complain(&format!("{mark}{:<5}{content}", at + 1))?;
        }
        self.session.complain(&format!("\nSee build log for details:\n  {}\n", log.display()))?;
        if self.show_log {
            self.session.complain(&format!("Full build log:\n{text}"))?;
        }
        disk::remove(&self.session.store.prefix(node))?;
        self.mark_failed(node)?;
        Ok(Err(reason))
    }

    fn mark_failed(&self, node: &Node) -> Result<(), Halt> {
        let spec = super::record::spec_file(&self.wanted.nodes, &node.hash);
        Ok(self.session.store.mark_failed(node, &spec)?)
    }

    /// Enters the package, and as missing whatever it refers to that has no record yet.
    fn record(&self, node: &Node, explicit: bool) -> Result<(), Halt> {
        let (store, nodes) = (&self.session.store, &self.wanted.nodes);
        Ok(store.change(|records| enter(records, store, nodes, node, explicit))?)
    }

    fn summary(&mut self) -> Result<u8, Halt> {
        if self.failed.is_empty() {
            return Ok(0);
        }
        let roots = self.wanted.roots.clone();
        let own = |hash: &String| self.failed.get(hash).filter(|r| !r.is_empty());
        if let [only] = roots.as_slice()
            && own(only).is_some()
        {
            return Ok(1);
        }
        let name = |hash: &String| self.wanted.nodes.get(hash).map(Node::long_name).unwrap_or_default();
        let mut lines = Vec::new();
        for root in &roots {
            if let Some(reason) = own(root) {
                lines.push(format!("==> Error: {}: {reason}", name(root)));
            }
        }
        for root in roots.iter().filter(|r| self.failed.contains_key(*r)) {
            lines.push(format!("==> Error: {}: Package was not installed", name(root)));
        }
        for line in lines {
            self.session.complain(&line)?;
        }
        Err(Halt::failed("Installation request failed.  Refer to reported errors for failing package(s)."))
    }
}

/// How long a package takes by its own variant.
fn own_seconds(node: &Node) -> Option<f64> {
    node.parameters.get("seconds")?.as_str()?.parse().ok()
}

/// Puts an installed package into the records.
pub fn enter(
    records: &mut super::store::Records,
    store: &super::store::Store,
    nodes: &Nodes,
    node: &Node,
    explicit: bool,
) {
    let was_explicit = records.installed(&node.hash).is_some_and(|r| r.explicit);
    let was_installed = records.installed(&node.hash).map(|r| r.installation_time);
    for hash in super::record::closure(nodes, [node.hash.clone()], ALL_TYPES) {
        let Some(below) = nodes.get(&hash) else { continue };
        let entry = records.0.entry(hash).or_insert_with(|| Record {
            spec: below.clone(),
            ref_count: 0,
            path: Some(store.prefix(below).to_string_lossy().into_owned()),
            installed: false,
            explicit: false,
            installation_time: 0.0,
            deprecated_for: None,
            rest: serde_json::Map::new(),
        });
        if below.hash == node.hash {
            entry.installed = true;
            entry.explicit = explicit || was_explicit;
            let now = jiff::Timestamp::now().as_microsecond() as f64 / 1e6;
            entry.installation_time = was_installed.unwrap_or(now);
        }
    }
}
