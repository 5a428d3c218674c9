//! One primitive: what it is called, what it takes, what it gives, how it is called. Knows no Lua.

use std::future::Future;
use std::pin::Pin;

use schemars::Schema;

use crate::base::Result;
use crate::site::Cx;
use crate::world::Effect;

pub type Reply = Box<dyn erased_serde::Serialize + Send>;
pub type Replying = Pin<Box<dyn Future<Output = Result<Reply>> + Send>>;
type Call = Box<dyn Fn(Cx, &mut dyn erased_serde::Deserializer<'_>) -> Result<Replying> + Send + Sync>;

/// A declared primitive.
pub struct Primitive {
    /// `module.function`.
    pub path: &'static str,
    pub effect: Effect,
    /// Arguments that may be given without a name, in order.
    pub positional: &'static [&'static str],
    /// A line of Lua that works as it stands on a practice site.
    pub example: &'static str,
    /// Made on demand: start-up must not pay for ninety schemas.
    pub args: fn() -> Schema,
    pub result: fn() -> Schema,
    pub call: Call,
    /// What it gives is text of a file: a null in it is something else than nothing.
    pub keeps_nulls: bool,
}

impl Primitive {
    pub fn module(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(module, _)| module)
    }

    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }
}
