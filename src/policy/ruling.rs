//! The policies of a site and what they say. An expression that fails must not stop the work that asked, so the
//! default decides, and the failure is handed back once for whoever can report it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::Dynamic;
use serde_json::{Map, Value};

use super::expression::Expression;
use super::flaw::Flaw;
use super::slot::{Question, Slot, expect, to_value};
use super::slots::slot;
use crate::base::trouble::Place;
use crate::base::{Result, Trouble};

/// The expressions that a site gives; every other slot has its default.
#[derive(Debug, Default)]
pub struct Policies {
    given: BTreeMap<&'static str, Given>,
    /// Compiled when they are first asked.
    defaults: Mutex<BTreeMap<&'static str, Arc<Expression>>>,
    reported: Mutex<BTreeSet<&'static str>>,
}

/// An expression of a site.
#[derive(Debug, Clone)]
pub struct Given {
    pub expression: Arc<Expression>,
    /// The file it is from.
    pub file: String,
}

/// An answer, and what kept the site's expression from giving it.
#[derive(Debug)]
pub struct Ruling<A> {
    pub answer: A,
    /// The first failure of this slot; the default decided.
    pub failed: Option<Trouble>,
}

impl Policies {
    /// Takes a checked expression; a later one replaces it.
    pub fn set(&mut self, slot: &Slot, expression: Expression, file: String) {
        self.given.insert(slot.name, Given { expression: Arc::new(expression), file });
    }

    /// What the site says for a slot.
    pub fn given(&self, slot: &Slot) -> Option<&Given> {
        self.given.get(slot.name)
    }

    /// Asks a slot.
    pub fn ask<Q: Question>(&self, facts: &Q) -> Result<Ruling<Q::Answer>> {
        self.decide(Q::SLOT, &to_value(facts)?, expect)
    }

    /// Asks a slot with facts by name, all of which must be there.
    pub fn ask_named(&self, slot: &Slot, facts: Map<String, Value>) -> Result<Ruling<Value>> {
        self.decide(slot.name, &slot.complete(facts)?, |value| slot.read(value))
    }

    fn decide<A>(
        &self,
        name: &'static str,
        facts: &Value,
        read: impl Fn(&Dynamic) -> Result<A, Flaw>,
    ) -> Result<Ruling<A>> {
        let asked = |expression: &Expression| {
            let answer = expression.evaluate(facts).and_then(|value| read(&value));
            answer.map_err(|flaw| flaw.into_trouble(name, expression.text()))
        };
        let mut failed = None;
        if let Some(given) = self.given.get(name) {
            match asked(&given.expression) {
                Ok(answer) => return Ok(Ruling { answer, failed }),
                Err(trouble) if self.is_first(name) => {
                    let place = Place { file: given.file.clone(), line: 0, column: 0 };
                    failed = Some(trouble.at(place).fact("facts", facts.clone()));
                }
                Err(_) => {}
            }
        }
        let answer = asked(&*self.default(name)?)?;
        Ok(Ruling { answer, failed })
    }

    fn is_first(&self, name: &'static str) -> bool {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).insert(name)
    }

    fn default(&self, name: &'static str) -> Result<Arc<Expression>> {
        let mut defaults = self.defaults.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = defaults.get(name) {
            return Ok(Arc::clone(found));
        }
        let slot = slot(name)?;
        let made = Expression::check(slot, slot.default).map_err(|f| f.into_trouble(name, slot.default))?;
        let made = Arc::new(made);
        defaults.insert(name, Arc::clone(&made));
        Ok(made)
    }
}
