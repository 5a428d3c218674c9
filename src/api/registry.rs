//! The table of primitives.

use std::collections::HashMap;
use std::future::Future;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::handmade::Handmade;
use super::primitive::{Primitive, Reply};
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::world::Effect;

/// All primitives, found by path, listed in declared order.
#[derive(Default)]
pub struct Registry {
    primitives: Vec<Primitive>,
    by_path: HashMap<&'static str, usize>,
    handmade: Vec<Handmade>,
}

impl Registry {
    /// Declares one primitive. The doc comment of `A` is its documentation, those of the fields are the
    /// arguments'.
    pub fn add<A, R, F, Fut>(
        &mut self,
        path: &'static str,
        effect: Effect,
        positional: &'static [&'static str],
        example: &'static str,
        run: F,
    ) where
        A: DeserializeOwned + JsonSchema + 'static,
        R: Serialize + JsonSchema + Send + 'static,
        F: Fn(Cx, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
    {
        self.by_path.insert(path, self.primitives.len());
        self.primitives.push(Primitive {
            path,
            effect,
            positional,
            example,
            args: || schemars::schema_for!(A),
            result: || {
                SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<R>()
            },
            call: Box::new(move |cx, arguments| {
                // The path is followed behind an erased type: what is compiled for each `A` stays small.
                let mut track = serde_path_to_error::Track::new();
                let tracked = serde_path_to_error::Deserializer::new(arguments, &mut track);
                let read: std::result::Result<A, _> =
                    erased_serde::deserialize(&mut <dyn erased_serde::Deserializer<'_>>::erase(tracked));
                let args = read.map_err(|e| argument_trouble(&track.path(), &e))?;
                let work = run(cx, args);
                Ok(Box::pin(async move { work.await.map(|r| Box::new(r) as Reply) }))
            }),
            keeps_nulls: false,
        });
    }

    /// The primitive declared last keeps nulls.
    pub fn keeping_nulls(&mut self) {
        if let Some(last) = self.primitives.last_mut() {
            last.keeps_nulls = true;
        }
    }

    pub fn add_handmade(&mut self, handmade: Handmade) {
        self.handmade.push(handmade);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Primitive> {
        self.primitives.iter()
    }

    /// What takes functions and is bound by hand.
    pub fn handmade(&self) -> &[Handmade] {
        &self.handmade
    }

    pub fn find(&self, path: &str) -> Option<&Primitive> {
        self.by_path.get(path).and_then(|i| self.primitives.get(*i))
    }

    /// The index of a primitive, for closures that outlive a borrow.
    pub fn position(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    pub fn at(&self, index: usize) -> Option<&Primitive> {
        self.primitives.get(index)
    }

    /// The primitive of that path, or an error with the nearest.
    pub fn get(&self, path: &str) -> Result<&Primitive> {
        self.find(path).ok_or_else(|| {
            Trouble::unknown("primitive", path, self.primitives.iter().map(|p| p.path))
                .hint("`moonstack docs` lists all of them")
        })
    }

    /// Module names in declared order.
    pub fn modules(&self) -> Vec<&'static str> {
        let mut seen = Vec::new();
        for module in
            self.primitives.iter().map(Primitive::module).chain(self.handmade.iter().map(Handmade::module))
        {
            if !module.is_empty() && !seen.contains(&module) {
                seen.push(module);
            }
        }
        seen
    }

    /// Names within a module, in declared order.
    pub fn names(&self, module: &str) -> Vec<&'static str> {
        let declared = self.primitives.iter().filter(|p| p.module() == module).map(Primitive::name);
        declared.chain(self.handmade.iter().filter(|h| h.module() == module).map(Handmade::name)).collect()
    }
}

/// "env.CC: invalid type: integer `1`, expected a string", without the layers' own prefixes.
fn argument_trouble(path: &serde_path_to_error::Path, error: &erased_serde::Error) -> Trouble {
    let path = path.to_string();
    let mut message = error.to_string();
    while message.starts_with("deserialize error: ") {
        message.drain(.."deserialize error: ".len());
    }
    let message = if path == "." || path.is_empty() { message } else { format!("{path}: {message}") };
    Trouble::new(Kind::Usage, message)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_declaration_is_complete() {
        let registry = crate::api::registry();
        let mut paths = std::collections::BTreeSet::new();
        for p in registry.iter() {
            assert!(paths.insert(p.path), "{} is declared twice", p.path);
            assert!(p.path.split_once('.').is_some(), "{} has no module", p.path);
            let schema = crate::api::gather::Shape::of(&(p.args)());
            assert!(!schema.doc.is_empty(), "{}: the arguments' struct has no doc comment", p.path);
            assert!(p.example.contains(p.name()), "{}: the example does not use it", p.path);
            for name in p.positional {
                assert!(schema.field(name).is_some(), "{}: positional '{name}' is no field", p.path);
            }
            for field in &schema.fields {
                assert!(!field.doc.is_empty(), "{}: '{}' has no doc comment", p.path, field.name);
            }
        }
    }
}
