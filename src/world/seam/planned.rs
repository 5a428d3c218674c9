//! A plan as a run follows it: each action must be the next one of its sequence, or the run stops before it.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::base::{Kind, Result, Trouble};
use crate::world::scope::identity::Identity;

/// The actions of a plan that have not been performed yet.
#[derive(Debug, Default)]
pub struct PlannedActions {
    left: Mutex<Vec<Identity>>,
    /// Once the run has departed from its plan nothing more of it is done, whatever the script makes of the error.
    departure: OnceLock<Trouble>,
}

impl PlannedActions {
    pub fn new(actions: Vec<Identity>) -> PlannedActions {
        PlannedActions { left: Mutex::new(actions), departure: OnceLock::new() }
    }

    /// Ticks off an action that is about to be performed by the run of this number. What takes back what was done
    /// need not stand in the plan.
    pub fn next(&self, now: &Identity, run: i64, undoes: bool) -> Result<()> {
        if let Some(departed) = self.departure.get().filter(|_| !undoes) {
            return Err(departed.clone());
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let next = left.iter().position(|planned| planned.is_beside(now));
        let planned = next.and_then(|at| left.get(at)).map(|planned| planned.numbered(run));
        match (next, planned) {
            (Some(at), Some(planned)) if planned.is_same(now) => {
                left.remove(at);
                Ok(())
            }
            _ if undoes => Ok(()),
            (_, Some(planned)) if (&planned.action, &planned.what) == (&now.action, &now.what) => {
                Err(self.depart(now, "the plan has another content for it"))
            }
            (_, Some(planned)) => Err(self.depart(now, &format!("the plan has {} next", planned.title()))),
            (_, None) => Err(self.depart(now, "the plan has no further action here")),
        }
    }

    fn depart(&self, now: &Identity, why: &str) -> Trouble {
        self.departure.get_or_init(|| departure(now, why)).clone()
    }

    /// Where the run departed from its plan, if it did.
    pub fn departure(&self) -> Option<&Trouble> {
        self.departure.get()
    }

    /// What was not performed.
    pub fn left(&self) -> Vec<Identity> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            template: None,
            step: None,
            task_path: task_path.to_owned(),
            place: None,
        }
    }

    #[test]
    fn order_counts_within_a_strand_only() {
        let expected = PlannedActions::new(vec![action("a", "1"), action("b", "2"), action("c", "1")]);
        let next = |what: &str, strand: &str| expected.next(&action(what, strand), 7, false);
        next("b", "2").unwrap();
        next("a", "1").unwrap();
        assert!(next("d", "1").unwrap_err().message().contains("make_folder c next"));
        // It stays departed, but what was done can be taken back.
        assert!(next("c", "1").unwrap_err().message().contains("make_folder c next"));
        assert_eq!(expected.left(), [action("c", "1")]);
        expected.next(&action("x", "undo 1"), 7, true).unwrap();
    }

    #[test]
    fn the_number_of_the_run_is_filled_in() {
        let planned = Identity { template: Some("run {run}".into()), ..action("/begun-{run}", "") };
        let expected = PlannedActions::new(vec![planned]);
        let text = crate::base::digest::bytes(b"run 12");
        let now = Identity { content: Some(text), ..action("/begun-12", "") };
        expected.next(&now, 12, false).unwrap();
    }
}
