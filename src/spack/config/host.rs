//! The machine as Spack's configuration sees it: user, home, temporary folder, platform, operating system.
//! What Spack finds out by running Python's libraries is read from files; what is not known stays unknown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::world::Eyes;

/// Environment variables, as given to Spack.
pub type Variables = BTreeMap<String, String>;

#[derive(Debug, Clone, Default)]
pub struct Host {
    pub user: String,
    pub home: Option<PathBuf>,
    pub tempdir: PathBuf,
    /// `linux` or `darwin`.
    pub platform: String,
    /// As Spack names it: `debian12`, `rocky8`, `ubuntu22.04`.
    pub os: Option<String>,
    /// `x86_64`, `aarch64`, …
    pub target_family: String,
    /// `zen3`, `neoverse_v1`, … once somebody asked for it.
    pub(super) target: OnceLock<Option<String>>,
    pub hostname: String,
    pub date: String,
}

impl Host {
    /// Reads the facts of this machine.
    pub fn detect(eyes: &dyn Eyes, vars: &Variables) -> Host {
        let account = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
        let home = vars.get("HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
        Host {
            user: account
                .as_ref()
                .map(|u| u.name.clone())
                .or_else(|| vars.get("USER").cloned())
                .unwrap_or_default(),
            home: home.or_else(|| account.map(|u| u.dir)),
            tempdir: tempdir(eyes, vars),
            platform: if cfg!(target_os = "macos") { "darwin" } else { "linux" }.to_owned(),
            os: operating_system(eyes),
            target_family: target_family().to_owned(),
            target: OnceLock::new(),
            hostname: nix::unistd::gethostname()
                .ok()
                .and_then(|name| name.into_string().ok())
                .unwrap_or_default(),
            date: jiff::Zoned::now().strftime("%Y-%m-%d").to_string(),
        }
    }
}

fn target_family() -> &'static str {
    match std::env::consts::ARCH {
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    }
}

/// The first folder that Python would take as temporary.
fn tempdir(eyes: &dyn Eyes, vars: &Variables) -> PathBuf {
    let named = ["TMPDIR", "TEMP", "TMP"].iter().filter_map(|name| vars.get(*name).map(String::as_str));
    named
        .chain(["/tmp", "/var/tmp", "/usr/tmp"])
        .map(|dir| super::paths::normal(Path::new(dir)))
        .find(|dir| dir.is_absolute() && eyes.finds_folder(dir))
        .unwrap_or_else(|| PathBuf::from("/tmp"))
}

fn operating_system(eyes: &dyn Eyes) -> Option<String> {
    let text = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| eyes.read_text(Path::new(path)).ok())?;
    os_name(&text)
}

/// The operating system's name in Spack, from the text of `os-release`.
fn os_name(text: &str) -> Option<String> {
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let value = line.trim().strip_prefix(name)?.strip_prefix('=')?;
            Some(value.trim_matches(['"', '\'']).to_owned())
        })
    };
    let id = field("ID")?.to_lowercase().replace(' ', "_");
    let version = field("VERSION_ID")?;
    let id = match id.as_str() {
        "ol" => "oracle".to_owned(),
        "opensuse-leap" => "opensuse".to_owned(),
        // A rolling release is named after its C library, which is not read here.
        "opensuse-tumbleweed" => return None,
        _ => id,
    };
    let parts: Vec<&str> =
        version.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).collect();
    let version =
        if id.contains("ubuntu") { parts.get(..2)?.join(".") } else { (*parts.first()?).to_owned() };
    Some(format!("{id}{version}"))
}

#[cfg(test)]
mod tests {
    use super::os_name;

    #[test]
    fn operating_systems_are_named_as_spack_does() {
        let cases = [
            ("ID=debian\nVERSION_ID=\"12\"\n", Some("debian12")),
            ("ID=ubuntu\nVERSION_ID=\"22.04\"\n", Some("ubuntu22.04")),
            ("ID=\"rocky\"\nVERSION_ID=\"8.9\"\n", Some("rocky8")),
            ("ID=\"ol\"\nVERSION_ID=\"9.1\"\n", Some("oracle9")),
            ("ID=debian\n", None),
            ("ID=opensuse-tumbleweed\nVERSION_ID=\"20240101\"\n", None),
        ];
        for (text, expected) in cases {
            assert_eq!(os_name(text).as_deref(), expected, "{text}");
        }
    }
}
