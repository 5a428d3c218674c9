//! What a condition is made of: Python's values as far as they are known here. The microarchitecture that Spack finds
//! is not, only its family, which often decides.

use crate::spack::config::host::Host;
use crate::spack::spec::{Dialect, Spec, targets};

#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    Nothing,
    Bool(bool),
    Text(String),
    List(Vec<Fact>),
    /// The mapping of environment variables.
    Variables,
    /// The target of this machine.
    Target,
    /// Platform, operating system and target of this machine, as a spec.
    Arch,
    /// Whatever it is, it is not known here.
    Unknown,
}

const FAMILIES: &[&str] =
    &["x86_64", "aarch64", "ppc64le", "ppc64", "riscv64", "x86", "arm", "ppcle", "ppc", "sparc64", "sparc"];

impl Fact {
    pub fn text(text: &str) -> Fact {
        Fact::Text(text.to_owned())
    }

    pub fn known(answer: Option<bool>) -> Fact {
        answer.map_or(Fact::Unknown, Fact::Bool)
    }

    /// None if it is not known.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Fact::Nothing => Some(false),
            Fact::Bool(b) => Some(*b),
            Fact::Text(text) => Some(!text.is_empty()),
            Fact::List(items) => Some(!items.is_empty()),
            Fact::Variables | Fact::Target | Fact::Arch => Some(true),
            Fact::Unknown => None,
        }
    }

    pub fn equals(&self, other: &Fact, host: &Host) -> Option<bool> {
        match (self, other) {
            (Fact::Unknown | Fact::Arch, _) | (_, Fact::Unknown | Fact::Arch) => None,
            (Fact::Target, Fact::Text(name)) | (Fact::Text(name), Fact::Target) => target_is(name, host),
            (Fact::List(a), Fact::List(b)) if a.len() == b.len() => a
                .iter()
                .zip(b)
                .map(|(a, b)| a.equals(b, host))
                .collect::<Option<Vec<_>>>()
                .map(|all| all.into_iter().all(|x| x)),
            (a, b) => Some(a == b),
        }
    }

    /// `self in whole`; the outer none is for what is no container.
    pub fn is_in(&self, whole: &Fact, host: &Host) -> Option<bool> {
        match (self, whole) {
            (Fact::Text(part), Fact::Text(whole)) => Some(whole.contains(part.as_str())),
            (one, Fact::List(items)) => {
                let found: Vec<Option<bool>> = items.iter().map(|item| one.equals(item, host)).collect();
                if found.contains(&Some(true)) {
                    Some(true)
                } else {
                    found.iter().all(Option::is_some).then_some(false)
                }
            }
            _ => None,
        }
    }
}

fn family(name: &str) -> Option<&'static str> {
    FAMILIES.iter().copied().find(|family| targets::at_least(name, family))
}

/// Whether this machine's target is of that name: certainly not, where it is of another family.
fn target_is(name: &str, host: &Host) -> Option<bool> {
    family(name).filter(|family| *family != host.target_family).map(|_| false)
}

/// `arch.satisfies(TEXT)`.
pub fn satisfies(text: &str, host: &Host) -> Option<bool> {
    let spec = Spec::parse(text, Dialect::Direct).ok()?;
    let only_arch = Spec {
        platform: spec.platform.clone(),
        os: spec.os.clone(),
        target: spec.target.clone(),
        architecture: spec.architecture,
        ..Spec::default()
    };
    if spec != only_arch || spec.is_empty() {
        return None;
    }
    let same = |wanted: &Option<String>, is: Option<&str>| match wanted {
        None => Some(true),
        Some(wanted)
            if wanted == "*" || wanted.contains("default") || wanted.ends_with('e') && wanted.len() == 2 =>
        {
            None
        }
        Some(wanted) => is.map(|is| is == wanted),
    };
    let target = spec.target.as_ref().map_or(Some(true), |wanted| target_satisfies(wanted, host));
    let parts = [same(&spec.platform, Some(&host.platform)), same(&spec.os, host.os.as_deref()), target];
    if parts.contains(&Some(false)) { Some(false) } else { parts.iter().all(Option::is_some).then_some(true) }
}

fn target_satisfies(wanted: &str, host: &Host) -> Option<bool> {
    let parts: Vec<Option<bool>> = wanted
        .split(',')
        .map(|part| match part.split_once(':') {
            None => target_is(part, host),
            Some((low, high)) => {
                let low = match family(low) {
                    None if low.is_empty() => Some(true),
                    None => None,
                    Some(family) if family != host.target_family => Some(false),
                    Some(family) => (family == low).then_some(true),
                };
                let high = match family(high) {
                    None if high.is_empty() => Some(true),
                    None => None,
                    Some(family) => (family != host.target_family).then_some(false),
                };
                if low == Some(false) || high == Some(false) { Some(false) } else { low.and(high) }
            }
        })
        .collect();
    if parts.contains(&Some(true)) { Some(true) } else { parts.iter().all(Option::is_some).then_some(false) }
}
