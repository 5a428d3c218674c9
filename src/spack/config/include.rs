//! What a scope includes: `include:` of any scope from 1.0 on, and of environments before that. Conditions and
//! optional entries are followed; what needs a server or git is left to Spack and recorded.

use std::path::{Path, PathBuf};

use super::paths;
use super::scopes::{Rank, Scope, ScopeReader};
use super::when;
use crate::base::{Kind, Result};
use crate::spack::text::yaml::Yaml;

impl ScopeReader<'_> {
    /// The scopes that `scope` includes, in the order of its list: the first has the highest precedence.
    pub fn included_scopes(&mut self, scope: &Scope) -> Result<Vec<Scope>> {
        let list = match scope.parts.get("include") {
            Some(Ok((_, list))) => list.clone(),
            Some(Err(trouble)) => return Err(trouble.clone()),
            None => return Ok(Vec::new()),
        };
        let mut out: Vec<Scope> = Vec::new();
        for entry in list.list() {
            if let Some(inner) = self.include(scope, entry)?
                && !out.iter().any(|s| s.name == inner.name)
            {
                out.push(inner);
            }
        }
        Ok(out)
    }

    fn include(&mut self, parent: &Scope, entry: &Yaml) -> Result<Option<Scope>> {
        let field = |name: &str| entry.get(name).and_then(Yaml::scalar_text);
        if let Some(condition) = field("when") {
            match when::holds(&condition, &self.sub.host, &self.sub.vars) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(trouble) => {
                    self.not_understood.push(format!("{}: {}", entry.mark, trouble.message()));
                    return Ok(None);
                }
            }
        }
        if let Some(repository) = field("git") {
            self.not_understood.push(format!("{}: the include from git {repository}", entry.mark));
            return Ok(None);
        }
        let replaced = field("path_override_env_var").and_then(|name| self.sub.vars.get(&name).cloned());
        let Some(written) = replaced.or_else(|| field("path")).or_else(|| entry.scalar_text()) else {
            return Err(entry.wrong("an include needs a path"));
        };
        let optional = entry.get("optional").and_then(Yaml::bool).unwrap_or(false);
        let Some(path) = self.local_path(&written, parent, entry, optional)? else { return Ok(None) };
        let name = field("name").unwrap_or_else(|| derived_name(parent, &path));
        self.open_include(&name, &path, parent.rank, optional, entry)
    }

    /// The local path of an include, or `None` after recording why there is none.
    fn local_path(
        &mut self,
        written: &str,
        parent: &Scope,
        entry: &Yaml,
        optional: bool,
    ) -> Result<Option<PathBuf>> {
        let base = parent.folder().unwrap_or(&self.sub.cwd);
        let resolved = self.sub.resolve_from(written, base);
        if paths::scheme(&resolved.text).is_some() {
            let shown = crate::base::redact::redact(&resolved.text);
            self.not_understood.push(format!("{}: the remote include {shown}", entry.mark));
            return Ok(None);
        }
        if !resolved.unknown.is_empty() {
            let unknown = resolved.unknown.join(", ");
            self.not_understood.push(format!("{}: {unknown} in the include '{written}'", entry.mark));
            return Ok(None);
        }
        match resolved.unset.first() {
            Some(name) if !optional => Err(paths::unset(entry, name, written)),
            _ => Ok(Some(resolved.path())),
        }
    }

    fn open_include(
        &mut self,
        name: &str,
        path: &Path,
        rank: Rank,
        optional: bool,
        entry: &Yaml,
    ) -> Result<Option<Scope>> {
        if self.eyes.is_folder(path)? {
            return Ok(Some(self.folder(name, path, rank)));
        }
        if self.eyes.is_file(path)? {
            return self.file(name, path, None, rank).map(Some);
        }
        if optional {
            return Ok(None);
        }
        Err(entry
            .wrong(format!("the included {} does not exist", path.display()))
            .hint("correct the path, or mark the include 'optional: true' where the release allows that"))
    }

    /// The active environment, or one given with `-C`.
    pub fn push_environment(&mut self, name: &str, folder: &Path, rank: Rank) -> Result<()> {
        let file = folder.join("spack.yaml");
        let scope = self.file(name, &file, Some("spack"), rank)?;
        if let Some(Ok((_, config))) = scope.parts.get("config")
            && let Some(root) = config.get("environments_root")
        {
            return Err(root
                .wrong("an environment may not set config:environments_root")
                .hint("set it in the user, site or system scope"));
        }
        if !self.release.abilities().include_section {
            self.push_old_includes(name, &scope, folder, rank)?;
        }
        self.push(scope)
    }

    /// Up to 0.23, only an environment includes, relative to its own folder.
    fn push_old_includes(&mut self, name: &str, scope: &Scope, folder: &Path, rank: Rank) -> Result<()> {
        let Some(Ok((_, list))) = scope.parts.get("include") else { return Ok(()) };
        for entry in list.clone().list().iter().rev() {
            let Some(written) = entry.scalar_text() else {
                return Err(entry.wrong("an include is a path"));
            };
            let Some(path) = self.local_path(&written, scope, entry, false)? else { continue };
            let path = if path.is_absolute() { path } else { folder.join(path) };
            let label = if self.eyes.is_folder(&path)? {
                format!("{name}:{}", path.file_name().unwrap_or_default().to_string_lossy())
            } else {
                format!("{name}:{}", path.display())
            };
            if let Some(inner) = self.open_include(&label, &path, rank, false, entry)? {
                self.push(inner)?;
            }
        }
        Ok(())
    }

    /// A folder or environment of `-C`.
    pub fn push_extra(&mut self, index: usize, path: &Path) -> Result<()> {
        let path = self.sub.cwd.join(path);
        let name = format!("cmd_scope_{index}");
        if self.eyes.is_file(&path.join("spack.yaml"))? {
            return self.push_environment(&format!("{name}:env:{}", path.display()), &path, Rank::Extra);
        }
        if self.eyes.is_folder(&path)? {
            return self.push_folder(&name, &path, Rank::Extra);
        }
        Err(crate::base::Trouble::new(
            Kind::Configuration,
            format!("{} is neither a folder of configuration nor an environment", path.display()),
        )
        .fact("path", path.display().to_string()))
    }
}

/// The name that Spack gives to an include without one.
fn derived_name(parent: &Scope, path: &Path) -> String {
    let inside = match &parent.source {
        super::scopes::Source::Folder(folder) => path.strip_prefix(folder).ok(),
        _ => None,
    };
    format!("{}:{}", parent.name, inside.unwrap_or(path).display())
}
