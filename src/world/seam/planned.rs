//! A plan as a run follows it: each action must be the next one of its sequence, or the run stops before it.

use std::sync::{Mutex, PoisonError};

use crate::base::{Kind, Result, Trouble};
use crate::world::scope::identity::Identity;

/// The actions of a plan that have not been performed yet.
#[derive(Debug, Default)]
pub struct PlannedActions(Mutex<Vec<Identity>>);

impl PlannedActions {
    pub fn new(actions: Vec<Identity>) -> PlannedActions {
        PlannedActions(Mutex::new(actions))
    }

    /// Ticks off an action that is about to be performed.
    pub fn next(&self, now: &Identity) -> Result<()> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = left.iter().position(|planned| planned.is_beside(now));
        let Some(at) = next else { return Err(departure(now, "the plan has no further action here")) };
        match left.get(at) {
            Some(planned) if planned.is_same(now) => {
                left.remove(at);
                Ok(())
            }
            Some(planned) => {
                let why = if (&planned.action, &planned.what) == (&now.action, &now.what) {
                    String::from("the plan has another content for it")
                } else {
                    format!("the plan has {} next", planned.title())
                };
                Err(departure(now, &why))
            }
            None => Ok(()),
        }
    }

    /// What was not performed.
    pub fn left(&self) -> Vec<Identity> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn departure(now: &Identity, why: &str) -> Trouble {
    let mut trouble =
        Trouble::new(Kind::Refused, format!("the run departs from its plan before {}: {why}", now.title()))
            .fact("action", now.action.as_str())
            .fact("what", now.what.as_str())
            .hint("make a new plan; this action was not performed, those before it were");
    if now.content.is_some() {
        trouble = trouble.hint(
            "a file whose content changes from run to run is written with { varies = true }: then only its path counts",
        );
    }
    if let Some(place) = &now.place {
        trouble = trouble.fact("place", place.as_str());
    }
    trouble
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(what: &str, task_path: &str) -> Identity {
        Identity {
            action: String::from("make_folder"),
            what: what.to_owned(),
            content: None,
            step: None,
            task_path: task_path.to_owned(),
            place: None,
        }
    }

    #[test]
    fn order_counts_within_a_strand_only() {
        let expected = PlannedActions::new(vec![action("a", "1"), action("b", "2"), action("c", "1")]);
        expected.next(&action("b", "2")).unwrap();
        assert!(expected.next(&action("c", "1")).unwrap_err().message().contains("make_folder a next"));
        expected.next(&action("a", "1")).unwrap();
        assert_eq!(expected.left(), [action("c", "1")]);
        assert!(expected.next(&action("b", "2")).unwrap_err().message().contains("no further action"));
    }
}
