//! Paths in Spack's configuration: `$spack`, `$user` and the like, environment variables, `~`, and what a
//! relative path is relative to. What cannot be known without running Spack is reported, not guessed.

use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use data_encoding::BASE32_NOPAD;
use regex::{Captures, Regex};
use sha1::{Digest as _, Sha1};

use super::host::{Host, Variables};
use super::processor;
use super::release::Release;
use crate::base::{Result, Trouble};
use crate::spack::text::yaml::Yaml;
use crate::world::fs::eyes::LiveEyes;

static PLACEHOLDER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$(?:\w+\b|\{\w+\})").ok());
static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$(?:\w+|\{[^}]*\})").ok());
static SCHEME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^([a-zA-Z][a-zA-Z0-9+.-]*):").ok());

/// What of a mirror with one of these is its URL; all else is a path.
pub(super) const MIRROR_SCHEMES: &[&str] =
    &["file", "http", "https", "sftp", "ftp", "s3", "gs", "oci", "oci+http"];

/// Everything that a placeholder may stand for.
#[derive(Debug, Clone)]
pub struct Substitution {
    pub root: PathBuf,
    pub release: Release,
    pub host: Host,
    pub vars: Variables,
    /// `~/.spack` or `SPACK_USER_CACHE_PATH`.
    pub user_cache: PathBuf,
    /// The folder of the active environment.
    pub environment: Option<PathBuf>,
    pub cwd: PathBuf,
}

/// A substituted text, and what in it has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub text: String,
    /// Placeholders that only Spack can tell.
    pub unknown: Vec<String>,
    /// Names of environment variables that are not set. Spack leaves them in the path as they are written.
    pub unset: Vec<String>,
}

impl Resolved {
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.text)
    }
}

impl Substitution {
    /// `$name`, then environment variables, then `~`.
    pub fn substitute(&self, text: &str) -> Resolved {
        let (mut unknown, mut unset) = (Vec::new(), Vec::new());
        let mut out = text.to_owned();
        if let Some(re) = PLACEHOLDER.as_ref() {
            out = re.replace_all(&out, |c: &Captures<'_>| self.placeholder(&c[0], &mut unknown)).into_owned();
        }
        if let Some(re) = VARIABLE.as_ref() {
            out = re
                .replace_all(&out, |c: &Captures<'_>| {
                    let name = variable_name(&c[0]);
                    self.vars.get(name).cloned().unwrap_or_else(|| {
                        if is_variable(name) {
                            unset.push(name.to_owned());
                        }
                        c[0].to_owned()
                    })
                })
                .into_owned();
        }
        Resolved { text: self.expand_home(&out), unknown, unset }
    }

    fn placeholder(&self, written: &str, unknown: &mut Vec<String>) -> String {
        let name = written.trim_matches(['$', '{', '}']).to_lowercase();
        let shown = |path: &Path| path.display().to_string();
        let value = match name.as_str() {
            "spack" => Some(shown(&self.root)),
            "user" => Some(self.host.user.clone()),
            "tempdir" => Some(shown(&self.host.tempdir)),
            "user_cache_path" => Some(shown(&self.user_cache)),
            "spack_instance_id" if self.release.abilities().package_repos_in_git => {
                Some(base32_sha1(&shown(&self.root)).chars().take(7).collect())
            }
            "platform" => Some(self.host.platform.clone()),
            "operating_system" | "os" => self.host.os.clone(),
            "target_family" => Some(self.host.target_family.clone()),
            "date" => Some(self.host.date.clone()),
            "env" => Some(self.environment.as_deref().map_or_else(|| written.to_owned(), shown)),
            "spack_short_version" => Some(format!("{}.{}", self.release.major, self.release.minor)),
            "architecture" | "arch" => self.architecture(),
            "target" => self.target(),
            _ => Some(written.to_owned()),
        };
        value.unwrap_or_else(|| {
            unknown.push(written.to_owned());
            written.to_owned()
        })
    }

    /// This machine's processor as Spack names it; none where its table or `/proc/cpuinfo` does not tell.
    pub fn target(&self) -> Option<String> {
        let family = &self.host.target_family;
        // No plan changes either of them.
        self.host.target.get_or_init(|| processor::detect(&LiveEyes, &self.root, family)).clone()
    }

    fn architecture(&self) -> Option<String> {
        Some(format!("{}-{}-{}", self.host.platform, self.host.os.as_ref()?, self.target()?))
    }

    pub fn expand_home(&self, text: &str) -> String {
        let Some(rest) = text.strip_prefix('~') else { return text.to_owned() };
        let (name, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let home = if name.is_empty() {
            self.host.home.clone()
        } else {
            nix::unistd::User::from_name(name).ok().flatten().map(|u| u.dir)
        };
        match home {
            Some(home) => format!("{}{tail}", home.display().to_string().trim_end_matches('/')),
            None => text.to_owned(),
        }
    }

    /// An absolute path or a URL. A relative path is taken from the folder of the file that holds it.
    pub fn resolve(&self, value: &Yaml) -> Result<PathBuf> {
        let base = if value.mark.is_file() {
            Path::new(&*value.mark.file).parent().map(Path::to_owned)
        } else {
            None
        };
        self.resolve_in(value, base.as_deref().unwrap_or(&self.cwd))
    }

    /// As [`Self::resolve`], relative to a given folder. A path that depends on something unknown is refused: what is
    /// literally called `$PROJECT` is another place than the one that is meant.
    pub fn resolve_in(&self, value: &Yaml, base: &Path) -> Result<PathBuf> {
        let text = value.scalar_text().unwrap_or_default();
        let resolved = self.resolve_from(&text, base);
        if let Some(name) = resolved.unset.first() {
            return Err(unset(value, name, &text));
        }
        if let Some(placeholder) = resolved.unknown.first() {
            return Err(value
                .wrong(format!("what {placeholder} stands for in '{text}' is known only to Spack"))
                .hint("write the path without it"));
        }
        Ok(resolved.path())
    }

    /// The substituted text as path or URL, relative to a folder, whether all of it is known or not.
    pub fn resolve_from(&self, text: &str, base: &Path) -> Resolved {
        let mut resolved = self.substitute(text);
        let path = match scheme(&resolved.text) {
            Some("file") => file_url_path(&resolved.text),
            Some(_) => return resolved,
            None => std::mem::take(&mut resolved.text),
        };
        resolved.text = normal(&base.join(&path)).display().to_string();
        resolved
    }
}

/// A setting that names a variable that is not set.
pub fn unset(value: &Yaml, name: &str, text: &str) -> Trouble {
    value
        .wrong(format!("the variable '{name}' is not set, and '{text}' depends on it"))
        .hint(format!("set {name}, or give it a value under [variables] of the site file"))
        .fact("variable", name)
}

/// The names of the environment variables in a text, Spack's own placeholders left out.
pub fn variables_in(text: &str) -> Vec<String> {
    let found = VARIABLE.as_ref().into_iter().flat_map(|re| re.find_iter(text));
    found
        .map(|found| variable_name(found.as_str()))
        .filter(|name| is_variable(name))
        .map(str::to_owned)
        .collect()
}

fn variable_name(written: &str) -> &str {
    written.trim_start_matches('$').trim_matches(['{', '}'])
}

const PLACEHOLDERS: &[&str] = &[
    "spack",
    "user",
    "tempdir",
    "user_cache_path",
    "spack_instance_id",
    "platform",
    "operating_system",
    "os",
    "target_family",
    "date",
    "env",
    "spack_short_version",
    "architecture",
    "arch",
    "target",
    // Of the install tree of older releases; what it stands for is worked out there.
    "padding",
];

/// Whether the name is one of an environment variable, not one that Spack has a value of its own for.
fn is_variable(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !PLACEHOLDERS.contains(&name.to_lowercase().as_str())
}

/// The scheme of a URL.
pub fn scheme(text: &str) -> Option<&str> {
    let found = SCHEME.as_ref()?.captures(text)?;
    found.get(1).map(|m| m.as_str())
}

/// The path of a `file:` URL, with `%xx` decoded.
pub fn file_url_path(url: &str) -> String {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    let rest = match rest.strip_prefix("//") {
        Some(with_host) => with_host.find('/').map_or("", |at| &with_host[at..]),
        None => rest,
    };
    let bytes = rest.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = (byte == b'%').then(|| rest.get(at + 1..at + 3)).flatten();
        if let Some(decoded) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            out.push(decoded);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The path without `.`, `..` and doubled slashes, without looking at the file system.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match out.components().next_back() {
                Some(Component::Normal(_)) => {
                    out.pop();
                }
                Some(Component::RootDir) => {}
                _ => out.push(".."),
            },
            other => out.push(other),
        }
    }
    out
}

/// Base 32 of SHA-1, as Spack names things after their content.
pub fn base32_sha1(text: &str) -> String {
    BASE32_NOPAD.encode(&Sha1::digest(text.as_bytes())).to_lowercase()
}

const PADDING: &str = "__spack_path_placeholder__";

/// The install root padded to exactly `length` characters, as far as that is possible.
pub fn padded(root: &str, length: usize) -> String {
    let have = root.chars().count();
    if length <= have {
        return root.to_owned();
    }
    let wanted = length - have - 1;
    let unit = PADDING.len() + 1;
    let mut parts = vec![PADDING.to_owned(); wanted / unit];
    parts.push(PADDING.chars().take(wanted % unit).collect());
    let mut padding = parts.join("/");
    if padding.ends_with('/') {
        padding.pop();
        padding.push('_');
    }
    format!("{}/{padding}", root.trim_end_matches('/'))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn sample() -> Substitution {
        Substitution {
            root: PathBuf::from("/opt/spack"),
            release: Release::parse("1.2.0.dev0").unwrap(),
            host: Host {
                user: "ann".to_owned(),
                home: Some(PathBuf::from("/home/ann")),
                tempdir: PathBuf::from("/tmp"),
                platform: "linux".to_owned(),
                os: Some("rocky8".to_owned()),
                target_family: "x86_64".to_owned(),
                target: Some("zen3".to_owned()).into(),
                hostname: "login1".to_owned(),
                date: "2026-01-02".to_owned(),
            },
            vars: [("WORK", "/work/ann"), ("USER", "other")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            user_cache: PathBuf::from("/home/ann/.spack"),
            environment: None,
            cwd: PathBuf::from("/cwd"),
        }
    }

    #[test]
    fn placeholders_variables_and_home() {
        let s = sample();
        let cases = [
            ("$spack/opt/spack", "/opt/spack/opt/spack"),
            ("${SPACK}/x", "/opt/spack/x"),
            ("$tempdir/$user/spack-stage", "/tmp/ann/spack-stage"),
            ("$WORK/x/../y", "/work/ann/y"),
            ("$nosuch/x", "/cfg/$nosuch/x"),
            ("~/x", "/home/ann/x"),
            ("relative/./x", "/cfg/relative/x"),
            ("file:///a%20b", "/a b"),
            ("https://host/$user", "https://host/ann"),
            ("oci://host/x", "oci://host/x"),
            ("$platform-$os-$target_family", "/cfg/linux-rocky8-x86_64"),
            ("$target/$arch", "/cfg/zen3/linux-rocky8-zen3"),
            ("$env/x", "/cfg/$env/x"),
            ("$spack_short_version", "/cfg/1.2"),
        ];
        for (text, expected) in cases {
            let got = s.resolve_from(text, Path::new("/cfg"));
            assert_eq!((got.text.as_str(), got.unknown.len()), (expected, 0), "{text}");
        }
        // Where there is no table of processors, only Spack can tell.
        let mut s = s;
        s.host.target = None.into();
        assert_eq!(s.resolve_from("/x/$arch", Path::new("/")).unknown, ["$arch"]);
    }

    #[test]
    fn padding_gives_the_length_asked_for() {
        for length in [5, 30, 31, 32, 57, 58, 59, 200, 4096] {
            let root = padded("/opt", length);
            if length == 5 {
                assert_eq!(root, "/opt/");
            } else {
                assert_eq!(root.len(), length, "{root}");
            }
        }
        assert_eq!(padded("/a/long/root", 5), "/a/long/root");
        assert_eq!(padded("/opt", 34), "/opt/__spack_path_placeholder__/__"[..34].to_owned());
    }
}
