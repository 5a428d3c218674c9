//! What a plan does to specs: gathered from what the rehearsals of its Spack commands found out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::spack::rehearsal::facts::{Effect, EnvironmentTouched, Origin, SpecEffect};
use crate::world::planning::Planned;

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
                specs.insert((effect.env.clone().unwrap_or_default(), effect.hash.clone()), effect);
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

    pub fn count(&self, effect: Effect) -> usize {
        self.specs.iter().filter(|s| s.effect == effect).count()
    }
}

fn read<T: serde::de::DeserializeOwned + Default>(action: &Planned, topic: &str) -> T {
    action.details.get(topic).and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default()
}
