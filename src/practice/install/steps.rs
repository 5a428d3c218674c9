//! One package's way into the store: out of the binary cache, or built phase by phase, and how either fails.

use std::time::{Duration, Instant};

use super::Installer;
use super::permissions;
use crate::practice::model::catalogue::{Failure, Package};
use crate::practice::model::disk;
use crate::practice::model::halt::Halt;
use crate::practice::model::query;
use crate::practice::model::record::Node;
use crate::practice::store::build;

impl Installer<'_, '_, '_> {
    fn package(&self, node: &Node) -> Result<&Package, Halt> {
        let unknown = || Halt::failed(format!("Package '{}' not found.", node.name));
        self.session.catalogue.package(&node.name).ok_or_else(unknown)
    }

    pub(in crate::practice) fn extract(&mut self, node: &Node, n: usize, of: usize) -> Result<(), Halt> {
        let name = node.long_name();
        let prefix = self.session.store.prefix(node);
        self.session.say(&format!("==> Extracting {name} from binary cache"))?;
        disk::remove(&prefix)?;
        let phases = self.package(node)?.phases.clone();
        build::begin(&prefix, node, &self.wanted.nodes)?;
        self.finish(node, &build::log(node, &phases), true)?;
        self.session.say(&format!("==> {}: Successfully installed {name}", node.name))?;
        self.session.say(
            "  Search: 0.00s.  Fetch: 0.01s.  Install: 0.01s.  Extract: 0.00s.  Relocate: 0.00s.  Total: 0.02s",
        )?;
        self.session.say(&format!("[+] {}", prefix.display()))?;
        self.session.say(&format!("==> Installing {name} [{n}/{of}]"))
    }

    pub(in crate::practice) fn build(
        &mut self,
        node: &Node,
        n: usize,
        of: usize,
    ) -> Result<Result<(), String>, Halt> {
        let name = node.long_name();
        if self.use_cache {
            self.session.say(&format!("==> No binary for {name} found: installing from source"))?;
        }
        self.session.say(&format!("==> Installing {name} [{n}/{of}]"))?;
        let begin = Instant::now();
        let fault = self.session.faults.of(node, &self.wanted.nodes)?;
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
        self.finish(node, &build::log(node, &phases), false)?;
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
        for fails in &self.package(node)?.fails {
            let fits = fails.when.is_empty()
                || query::matches(node, &query::parse_one(&fails.when)?, &self.wanted.nodes);
            if fits {
                return Ok(Some(fails.how));
            }
        }
        Ok(None)
    }

    fn finish(&self, node: &Node, log: &str, cached: bool) -> Result<(), Halt> {
        let fault = self.session.faults.of(node, &self.wanted.nodes)?;
        let failure = fault.fail.or(self.recorded_failure(node)?);
        let (store, catalogue) = (&self.session.store, &self.session.catalogue);
        let (prefix, package) = (store.prefix(node), self.package(node)?);
        let content = build::Content {
            log,
            cached,
            libraries: build::libraries(store, catalogue, &self.wanted.nodes, node),
            broken: failure == Some(Failure::Run),
        };
        build::fill(&prefix, node, package, &content)?;
        permissions::set(self.session, &node.name, &prefix)?;
        build::finish(&prefix)?;
        if fault.damage {
            build::damage(&prefix, package)?;
        }
        Ok(())
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
        let spec = crate::practice::model::record::spec_file(&self.wanted.nodes, &node.hash);
        Ok(self.session.store.mark_failed(node, &spec)?)
    }
}

/// How long a package takes by its own variant.
fn own_seconds(node: &Node) -> Option<f64> {
    node.parameters.get("seconds")?.as_str()?.parse().ok()
}
