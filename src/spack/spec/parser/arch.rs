//! `arch=`, `platform=`, `os=` and `target=`, and the words of them that mean this machine.

use crate::spack::spec::Spec;
use crate::spack::spec::reading::Reading;

/// Words that mean "of this machine".
const RESERVED_TARGETS: [&str; 5] = ["default_target", "frontend", "fe", "backend", "be"];
const RESERVED_SYSTEMS: [&str; 5] = ["default_os", "frontend", "fe", "backend", "be"];

/// Why an architecture is refused.
pub enum Refusal {
    /// Spack refuses it as well.
    Wrong(String),
    /// What this machine is cannot be told.
    Unknown(String),
}

type Done = Result<(), Refusal>;

/// Sets one part after the other, as Spack does: a reserved word sets the platform, too.
pub fn set(spec: &mut Spec, name: &str, value: &str, reading: Reading<'_>) -> Done {
    let whole = spec.platform.is_some()
        && spec.os.is_some()
        && spec.target.as_deref().is_some_and(|target| !target.contains([':', ',']));
    if whole {
        return Err(Refusal::Wrong("the architecture is given twice".to_owned()));
    }
    spec.architecture = true;
    match name {
        "platform" => platform(spec, value),
        "os" | "operating_system" => os(spec, value, reading),
        "target" => target(spec, value, reading),
        _ => {
            if let [first, second, third] = value.split('-').collect::<Vec<_>>().as_slice() {
                platform(spec, first)?;
                os(spec, second, reading)?;
                return target(spec, third, reading);
            }
            once(spec.platform.as_deref(), "platform")?;
            once(spec.os.as_deref(), "os")?;
            target(spec, value, reading)
        }
    }
}

fn once(before: Option<&str>, name: &str) -> Done {
    match before {
        Some(_) => Err(Refusal::Wrong(format!("'{name}' is given twice"))),
        None => Ok(()),
    }
}

fn given(value: &str) -> Option<String> {
    (!value.is_empty() && value != "None").then(|| value.to_owned())
}

fn platform(spec: &mut Spec, value: &str) -> Done {
    once(spec.platform.as_deref(), "platform")?;
    spec.platform = given(value);
    Ok(())
}

fn os(spec: &mut Spec, value: &str, reading: Reading<'_>) -> Done {
    once(spec.os.as_deref(), "os")?;
    spec.os = given(value);
    if RESERVED_SYSTEMS.contains(&value) {
        spec.os = Some(of_this_machine(spec, "os", value, reading)?);
    }
    Ok(())
}

fn target(spec: &mut Spec, value: &str, reading: Reading<'_>) -> Done {
    once(spec.target.as_deref(), "target")?;
    spec.target = given(value);
    if RESERVED_TARGETS.contains(&value) {
        spec.target = Some(of_this_machine(spec, "target", value, reading)?);
    }
    Ok(())
}

/// What a reserved word stands for; it says which platform is meant, too.
fn of_this_machine(spec: &mut Spec, name: &str, word: &str, reading: Reading<'_>) -> Result<String, Refusal> {
    let unknown = || Refusal::Unknown(format!("what '{name}={word}' is on this machine cannot be told"));
    let site = reading.site.ok_or_else(unknown)?;
    let here = site.platform();
    let platform = spec.platform.get_or_insert_with(|| here.to_owned());
    if platform != here {
        return Err(Refusal::Wrong(format!(
            "'{name}={word}' means this machine, which is '{here}' and not '{platform}'"
        )));
    }
    let known = if name == "os" { site.os() } else { site.target() };
    known.ok_or_else(unknown)
}
