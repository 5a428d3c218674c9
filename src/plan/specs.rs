//! What a plan does to specs: gathered from what the rehearsals of its Spack commands found out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::world::seam::predicted::{Effect, EnvironmentTouched, SpecEffect};
use crate::world::seam::scene::Planned;

/// All commands of a plan together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpecPlan {
    pub specs: Vec<SpecEffect>,
    pub environments: Vec<EnvironmentTouched>,
    /// Bytes to fetch from mirrors, as far as they are known.
    pub download: u64,
    /// Bytes of disk for what is installed.
    pub disk: u64,
    /// Of how many specs neither is known.
    pub unknown_sizes: usize,
    /// Expected seconds of building and unpacking: the least, the likely and the most that was recorded.
    pub seconds: Option<[f64; 3]>,
    /// Of how many specs that are built no time was ever recorded.
    pub unknown_times: usize,
}

impl SpecPlan {
    pub fn of(actions: &[Planned]) -> SpecPlan {
        let mut plan = SpecPlan::default();
        // What is done twice, as concretizing and then installing, counts once; the later command knows more.
        let mut specs: BTreeMap<(String, String), SpecEffect> = BTreeMap::new();
        for action in actions {
            for effect in read::<Vec<SpecEffect>>(action, "specs") {
                let key = (effect.env.clone().unwrap_or_default(), effect.hash.clone());
                match specs.get_mut(&key) {
                    // That it is there by then does not undo what the plan did before.
                    Some(known) if effect.effect == Effect::Reused && known.is_new() => {}
                    Some(known)
                        if effect.effect == Effect::Reused
                            && matches!(known.effect, Effect::Upgraded | Effect::Rebuilt) =>
                    {
                        known.origin = effect.origin;
                    }
                    _ => drop(specs.insert(key, effect)),
                }
            }
            for touched in read::<Vec<EnvironmentTouched>>(action, "environments") {
                match plan.environments.iter_mut().find(|e| e.name == touched.name) {
                    Some(known) => known.add(&touched),
                    None => plan.environments.push(touched),
                }
            }
        }
        plan.specs = specs.into_values().collect();
        plan.specs.sort_by(|a, b| (a.effect, &a.name, &a.hash).cmp(&(b.effect, &b.name, &b.hash)));
        plan.add_up();
        plan
    }

    fn add_up(&mut self) {
        let mut counted = std::collections::BTreeSet::new();
        let mut seconds = [0.0; 3];
        for spec in &self.specs {
            if !spec.is_new() || !counted.insert(&spec.hash) {
                continue;
            }
            self.download += spec.download.unwrap_or(0);
            match spec.disk {
                Some(bytes) => self.disk += bytes,
                None => self.unknown_sizes += 1,
            }
            match spec.seconds {
                Some(times) => seconds.iter_mut().zip(times).for_each(|(sum, time)| *sum += time),
                None => self.unknown_times += 1,
            }
        }
        if counted.len() > self.unknown_times {
            self.seconds = Some(seconds);
        }
    }

    /// How many specs that happens to.
    pub fn count(&self, effect: Effect) -> usize {
        self.specs.iter().filter(|s| s.effect == effect).count()
    }
}

fn read<T: serde::de::DeserializeOwned + Default>(action: &Planned, topic: &str) -> T {
    action.details.get(topic).and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::scope::identity::Identity;
    use crate::world::seam::predicted::Origin;
    use serde_json::json;

    fn action(specs: serde_json::Value) -> Planned {
        let identity = Identity {
            action: "run_program".into(),
            what: "spack".into(),
            content: None,
            template: None,
            step: None,
            task_path: String::new(),
            place: None,
        };
        let details = [("specs".to_owned(), specs)].into_iter().collect();
        Planned { identity, assumed: Vec::new(), details }
    }

    fn spec(effect: &str, hash: &str, installs: bool, from: &str) -> serde_json::Value {
        json!({ "effect": effect, "name": hash, "version": "1", "hash": hash, "installs": installs, "from": from,
                "disk": 10, "download": 5, "seconds": [1.0, 2.0, 3.0] })
    }

    #[test]
    fn what_comes_once_counts_once_and_is_not_undone_by_being_there() {
        let plan = SpecPlan::of(&[
            action(json!([spec("added", "a", true, "source"), spec("upgraded", "b", false, "source")])),
            action(json!([spec("reused", "a", true, "store"), spec("reused", "b", true, "store")])),
            action(json!([spec("added", "c", false, "source")])),
            action(json!([spec("added", "c", true, "source"), spec("removed", "d", true, "store")])),
        ]);
        let of = |hash: &str| plan.specs.iter().find(|s| s.hash == hash).unwrap();
        assert!(of("a").is_new() && of("c").is_new() && !of("b").is_new());
        assert_eq!((of("b").effect, &of("b").origin), (Effect::Upgraded, &Origin::Store));
        assert_eq!((plan.disk, plan.download, plan.seconds), (20, 10, Some([2.0, 4.0, 6.0])));
        assert_eq!(plan.count(Effect::Removed), 1);
    }
}
