//! The registry as JSON, for tools.

use serde_json::{Value, json};

use super::parts;
use crate::api::Registry;
use crate::api::gather::Shape;

/// Every primitive with its schemas, then what is declared by hand.
pub fn catalog(registry: &Registry) -> Value {
    let primitives: Vec<Value> = registry
        .iter()
        .map(|p| {
            let arguments = (p.args)();
            json!({
                "path": p.path,
                "effect": if parts::effect(p.effect) == "reads" { "reads" } else { "changes" },
                "doc": Shape::of(&arguments).doc,
                "positional": p.positional,
                "example": p.example,
                "arguments": arguments,
                "result": (p.result)(),
            })
        })
        .collect();
    let handmade: Vec<Value> = registry
        .handmade()
        .iter()
        .map(|h| json!({ "path": h.path, "signature": h.signature, "doc": h.doc, "example": h.example }))
        .collect();
    json!({ "version": env!("CARGO_PKG_VERSION"), "primitives": primitives, "lua_only": handmade })
}
