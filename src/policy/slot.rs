//! A slot: what is asked, of which facts, and what an answer looks like. The struct of the facts is the
//! declaration; its comments are what help says.

use rhai::Dynamic;
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::facts::{Fact, facts};
use super::flaw::Flaw;
use crate::base::{Kind, Result, Trouble};

/// The facts of a slot. Implement it, add a line to `slots::SLOTS`: help, checks and command line follow.
pub trait Question: Serialize + DeserializeOwned + JsonSchema {
    type Answer: Answer;
    /// Name of the slot.
    const SLOT: &'static str;
    /// The expression that decides where the site says nothing.
    const DEFAULT: &'static str;
    /// Another one, for the documentation.
    const EXAMPLE: &'static str;
    /// What an expression is tried on when it is loaded.
    fn sample() -> Self;
}

/// What an expression must give.
pub trait Answer: Sized + Serialize {
    /// For people, such as "true or false".
    const WORDS: &'static str;
    /// None if the value is no such answer.
    fn read(value: &Dynamic) -> Option<Self>;
}

impl Answer for bool {
    const WORDS: &'static str = "true or false";
    fn read(value: &Dynamic) -> Option<bool> {
        value.as_bool().ok()
    }
}

/// A slot whose types are behind functions, so that all of them stand in one table.
pub struct Slot {
    pub name: &'static str,
    pub default: &'static str,
    pub example: &'static str,
    /// What it gives, for people.
    pub answer: &'static str,
    pub schema: fn() -> Schema,
    sample: fn() -> Result<Value>,
    typed: fn(Value) -> Result<Value>,
    read: fn(&Dynamic) -> Result<Value, Flaw>,
}

impl Slot {
    pub const fn of<Q: Question>() -> Slot {
        Slot {
            name: Q::SLOT,
            default: Q::DEFAULT,
            example: Q::EXAMPLE,
            answer: Q::Answer::WORDS,
            schema: schema::<Q>,
            sample: sample::<Q>,
            typed: typed::<Q>,
            read: answer::<Q>,
        }
    }

    /// The facts by name, with types and documentation.
    pub fn facts(&self) -> Vec<Fact> {
        facts(&(self.schema)())
    }

    /// What is asked and when.
    pub fn doc(&self) -> String {
        let schema = (self.schema)();
        let doc = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        doc.to_owned()
    }

    /// The facts that an expression is tried on.
    pub fn sample(&self) -> Result<Value> {
        (self.sample)()
    }

    /// Given facts over those of the sample; an unknown name or a wrong type is refused.
    pub fn with_sample(&self, given: &Map<String, Value>) -> Result<Value> {
        let mut all = self.sample()?;
        if let Value::Object(all) = &mut all {
            for (name, value) in given {
                *all.get_mut(name).ok_or_else(|| self.unknown(name))? = value.clone();
            }
        }
        (self.typed)(all)
    }

    /// Facts as they were given; an unknown name, a wrong type or a missing one is refused.
    pub fn complete(&self, given: Map<String, Value>) -> Result<Value> {
        let facts = self.facts();
        match given.keys().find(|name| !facts.iter().any(|f| f.name == **name)) {
            Some(name) => Err(self.unknown(name)),
            None => (self.typed)(Value::Object(given)),
        }
    }

    fn unknown(&self, name: &str) -> Trouble {
        let facts = self.facts();
        let what = format!("policy {}: fact", self.name);
        Trouble::unknown(&what, name, facts.iter().map(|f| f.name.as_str()))
    }

    /// A value as an answer of this slot.
    pub fn read(&self, value: &Dynamic) -> Result<Value, Flaw> {
        (self.read)(value)
    }
}

fn schema<Q: Question>() -> Schema {
    schema_for!(Q)
}

fn sample<Q: Question>() -> Result<Value> {
    to_value::<Q>(&Q::sample())
}

fn typed<Q: Question>(facts: Value) -> Result<Value> {
    let facts: Q = serde_path_to_error::deserialize(&facts).map_err(|e| {
        // At the top it is about all of them: one is missing.
        let path = Some(e.path().to_string()).filter(|p| p != ".").map(|p| format!("fact {p}: "));
        Trouble::usage(format!("policy {}: {}{}", Q::SLOT, path.unwrap_or_default(), e.inner()))
            .hint(format!("help(\"policy.{}\") lists the facts", Q::SLOT))
    })?;
    to_value(&facts)
}

fn answer<Q: Question>(value: &Dynamic) -> Result<Value, Flaw> {
    let answer = expect::<Q::Answer>(value)?;
    serde_json::to_value(answer).map_err(|e| Flaw::new(format!("the answer cannot be written: {e}"), None))
}

/// The answer, or what was given instead.
pub fn expect<A: Answer>(value: &Dynamic) -> Result<A, Flaw> {
    A::read(value).ok_or_else(|| {
        Flaw::new(format!("it gives {}, but must give {}", super::facts::describe(value), A::WORDS), None)
    })
}

pub fn to_value<Q: Question>(facts: &Q) -> Result<Value> {
    serde_json::to_value(facts).map_err(|e| {
        Trouble::new(Kind::Internal, format!("policy {}: the facts cannot be written: {e}", Q::SLOT))
    })
}
