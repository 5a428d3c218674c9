//! Fields of results: a name that a result does not have is refused with the nearest, as an unknown function is. A
//! field that it has and that is not given is `nil`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use mlua::{Lua, Result, Table, Value};
use serde_json::Value as Json;

use super::error::raise;
use crate::base::Trouble;

/// How deep results are followed.
const DEPTH: usize = 12;

/// What a result is made of, as far as names matter.
enum Part {
    /// With these names; behind some of them there is more.
    Record {
        meta: Table,
        within: BTreeMap<String, Rc<Part>>,
    },
    List(Rc<Part>),
}

/// The names that the results of one primitive have.
pub struct Fields(Option<Rc<Part>>);

impl Fields {
    /// Read from the schema of a result.
    pub fn of(lua: &Lua, path: &str, schema: &Json) -> Result<Fields> {
        Ok(Fields(Reader { lua, path, root: schema }.part(schema, 0)?))
    }

    /// Those of one table.
    pub fn named(lua: &Lua, what: &str, names: BTreeSet<String>) -> Result<Fields> {
        Ok(Fields(Some(Rc::new(Part::Record { meta: strict(lua, what, names)?, within: BTreeMap::new() }))))
    }

    /// From now on a value of this kind refuses other names.
    pub fn guard(&self, value: &Value) -> Result<()> {
        match &self.0 {
            Some(part) => part.guard(value),
            None => Ok(()),
        }
    }
}

impl Part {
    fn guard(&self, value: &Value) -> Result<()> {
        let Value::Table(table) = value else { return Ok(()) };
        match self {
            Part::List(item) => {
                for value in table.sequence_values::<Value>() {
                    item.guard(&value?)?;
                }
            }
            Part::Record { meta, within } => {
                for (name, part) in within {
                    part.guard(&table.raw_get(name.as_str())?)?;
                }
                table.set_metatable(Some(meta.clone()))?;
            }
        }
        Ok(())
    }
}

struct Reader<'a> {
    lua: &'a Lua,
    path: &'a str,
    root: &'a Json,
}

impl Reader<'_> {
    fn part(&self, schema: &Json, depth: usize) -> Result<Option<Rc<Part>>> {
        if depth > DEPTH {
            return Ok(None);
        }
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            let found = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return found.map_or(Ok(None), |schema| self.part(schema, depth + 1));
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            let Some(several) = schema.get(key).and_then(Json::as_array) else { continue };
            let mut several =
                several.iter().filter(|one| one.get("type").and_then(Json::as_str) != Some("null"));
            // Where it may be one thing or another there is nothing to be sure of.
            return match (several.next(), several.next()) {
                (Some(only), None) if schema.get("properties").is_none() => self.part(only, depth + 1),
                _ => Ok(None),
            };
        }
        if let Some(items) = schema.get("items") {
            return Ok(self.part(items, depth + 1)?.map(|item| Rc::new(Part::List(item))));
        }
        let free = schema.get("additionalProperties").is_some_and(|more| more != &Json::Bool(false));
        match schema.get("properties").and_then(Json::as_object) {
            Some(properties) if !free => {
                let mut within = BTreeMap::new();
                for (name, schema) in properties {
                    if let Some(part) = self.part(schema, depth + 1)? {
                        within.insert(name.clone(), part);
                    }
                }
                let what = format!("{}: field", self.path);
                let meta = strict(self.lua, &what, properties.keys().cloned().collect())?;
                Ok(Some(Rc::new(Part::Record { meta, within })))
            }
            _ => Ok(None),
        }
    }
}

/// A metatable that is asked for what a table does not have.
fn strict(lua: &Lua, what: &str, names: BTreeSet<String>) -> Result<Table> {
    let what = what.to_owned();
    let meta = lua.create_table()?;
    let missing = lua.create_function(move |_, (_, key): (Table, Value)| -> Result<()> {
        let Value::String(name) = &key else { return Ok(()) };
        let name = name.to_string_lossy();
        if names.contains(&name) {
            return Ok(());
        }
        Err(raise(Trouble::unknown(&what, &name, names.iter().map(String::as_str))))
    })?;
    meta.raw_set("__index", missing)?;
    Ok(meta)
}
