//! What becomes of a run whose steps failed while others went on, or could not be taken back: one error, which loses
//! nothing of theirs.

use serde_json::{Value, json};

use crate::base::{Kind, Result, Trouble, words};
use crate::script::steps::Told;

/// How the run ends.
pub fn weigh(code: Result<u8>, told: &Told) -> Result<u8> {
    let code = match code {
        Ok(code) if code < 2 && !told.failed.is_empty() => Err(together(&told.failed)),
        code => code,
    };
    if told.not_undone.is_empty() {
        return code;
    }
    let left = told.not_undone.join("; ");
    Err(match code {
        // What is left behind is more than a refusal says.
        Err(trouble) => {
            let message = format!("{}; not everything is taken back: {left}", trouble.message());
            let kind = if trouble.is(Kind::Refused) { Kind::NotDone } else { trouble.kind() };
            let whole = Trouble::new(kind, message);
            let whole = trouble.hints().iter().fold(whole, Trouble::hint);
            let whole = trouble.facts().iter().fold(whole, |t, (name, fact)| t.fact(name, fact.clone()));
            trouble.place().cloned().map_or(whole.clone(), |place| whole.at(place))
        }
        Ok(code) => {
            Trouble::new(Kind::NotDone, format!("not everything is taken back: {left}")).fact("exit", code)
        }
    }
    .hint("`moonstack runs resume` tries again what is left of it")
    .fact("not_undone", told.not_undone.clone()))
}

/// The steps that failed, with their errors; where none did, what else ended the script, under no name.
pub fn named(code: &Result<u8>, told: &Told, last: Option<(String, Trouble)>) -> Vec<(String, Trouble)> {
    match code {
        Err(trouble) if told.failed.is_empty() => {
            let step = last.filter(|(_, failed)| failed.message() == trouble.message());
            vec![(step.map(|(name, _)| name).unwrap_or_default(), trouble.clone())]
        }
        _ => told.failed.clone(),
    }
}

/// The failures of several steps as one: of their kind, where they have one in common, else as bad as the worst.
fn together(failed: &[(String, Trouble)]) -> Trouble {
    let messages: Vec<String> =
        failed.iter().map(|(name, trouble)| format!("{name}: {}", trouble.message())).collect();
    let message = format!("{} failed: {}", words::count(failed.len(), "step"), messages.join("; "));
    let mut hints: Vec<&String> = Vec::new();
    let (mut packages, mut steps) = (Vec::new(), Vec::new());
    for (name, trouble) in failed {
        hints.extend(trouble.hints());
        let of = trouble.facts().get("failed").and_then(Value::as_array);
        packages.extend(of.into_iter().flatten().cloned());
        steps.push(json!({ "step": name, "error": trouble.to_json() }));
    }
    hints.dedup();
    let whole = hints.into_iter().fold(Trouble::new(kind(failed), message), Trouble::hint);
    let whole = whole.fact("failed_steps", steps);
    if packages.is_empty() { whole } else { whole.fact("failed", packages) }
}

fn kind(failed: &[(String, Trouble)]) -> Kind {
    let Some(first) = failed.first().map(|(_, trouble)| trouble.kind()) else { return Kind::NotDone };
    if failed.iter().all(|(_, trouble)| trouble.is(first)) {
        return first;
    }
    let one_code = failed.iter().all(|(_, trouble)| trouble.kind().exit_code() == first.exit_code());
    if one_code && first.exit_code() != Kind::NotDone.exit_code() { first } else { Kind::NotDone }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kinds: &[Kind]) -> Told {
        let failed = kinds.iter().map(|kind| (kind.to_string(), Trouble::new(*kind, "no").hint("do")));
        Told { failed: failed.collect(), not_undone: Vec::new() }
    }

    #[test]
    fn the_worst_decides_and_nothing_is_lost() {
        for (kinds, wanted) in [
            (&[Kind::Refused, Kind::Refused][..], Kind::Refused),
            (&[Kind::Build], Kind::Build),
            (&[Kind::Refused, Kind::Build], Kind::NotDone),
            (&[Kind::Fetch, Kind::Build], Kind::NotDone),
            (&[Kind::Usage, Kind::Corrupt], Kind::Usage),
        ] {
            let trouble = weigh(Ok(0), &told(kinds)).unwrap_err();
            assert_eq!(trouble.kind(), wanted, "{kinds:?}");
            assert_eq!(trouble.facts()["failed_steps"].as_array().unwrap().len(), kinds.len());
            assert_eq!(trouble.hints(), ["do"]);
        }
        assert_eq!(weigh(Ok(2), &told(&[Kind::Refused])).unwrap(), 2);
        let left = Told { not_undone: vec!["a: no".into()], ..Told::default() };
        let refused = Trouble::new(Kind::Refused, "not today");
        assert_eq!(weigh(Err(refused), &left).unwrap_err().kind(), Kind::NotDone);
        assert_eq!(weigh(Ok(0), &left).unwrap_err().kind(), Kind::NotDone);
    }
}
