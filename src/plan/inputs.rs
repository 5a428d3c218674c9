//! Compares what a plan was made from with what is there now.

use super::file::Plan;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::rehearsal::look_again;
use crate::world::seam::input::{Input, InputKind};

/// The inputs that only the caller can look at again: texts and options.
const GIVEN: &[InputKind] = &[InputKind::Script, InputKind::Module, InputKind::Options, InputKind::SiteFile];

/// Refuses when something has moved, and names it. `given` are script, modules, options and site files as they are
/// now.
pub fn check(cx: &Cx, plan: &Plan, given: &[Input]) -> Result<()> {
    let mut moved = Vec::new();
    for input in &plan.inputs {
        let now = if GIVEN.contains(&input.kind) {
            given.iter().find(|g| (g.kind, &g.name) == (input.kind, &input.name)).cloned()
        } else {
            Some(look_again(cx, input)?)
        };
        match now {
            Some(now) if now.digest == input.digest => {}
            Some(now) => moved.push(difference(input, &now)),
            None => moved.push(format!("{} is not used any more", input.title())),
        }
    }
    for new in given.iter().filter(|g| g.kind == InputKind::SiteFile) {
        if !plan.inputs.iter().any(|i| (i.kind, &i.name) == (new.kind, &new.name)) {
            moved.push(format!("{} is new", new.title()));
        }
    }
    if moved.is_empty() {
        return Ok(());
    }
    let mut trouble = Trouble::new(
        Kind::Refused,
        format!("the plan of {} is out of date: {}", plan.planned.at, moved.join("; ")),
    )
    .hint("nothing was changed; make a new plan")
    .fact("moved", moved);
    trouble = trouble.fact("planned_by", plan.planned.user.as_str());
    Err(trouble)
}

/// What moved, as exactly as it is known.
fn difference(before: &Input, now: &Input) -> String {
    let changed: Vec<String> = before
        .parts
        .iter()
        .filter(|part| !now.parts.contains(part))
        .filter_map(|part| {
            let (key, was) = part.split_once(' ')?;
            let is = now.parts.iter().find_map(|p| p.strip_prefix(key)?.strip_prefix(' '));
            Some(match before.kind {
                InputKind::Store => {
                    let short = key.get(..7).unwrap_or(key);
                    format!("/{short} was {was} and is {}", is.unwrap_or("absent"))
                }
                _ if key == "commit" => String::from("another commit"),
                _ => format!("the recipe of {key}"),
            })
        })
        .collect();
    let what = if before.digest == "absent" {
        "is there now"
    } else if now.digest == "absent" {
        "is gone"
    } else {
        "has changed"
    };
    if changed.is_empty() {
        format!("{} {what}", before.title())
    } else {
        format!("{} {what} ({})", before.title(), changed.join(", "))
    }
}
