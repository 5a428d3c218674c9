//! `call`: one primitive, JSON in, JSON out.

use std::io::Read as _;

use serde_json::{Map, Value};

use crate::api::gather::Shape;
use crate::api::perform::{self, Next};
use crate::api::primitive::Reply;
use crate::base::{Kind, Result, Trouble};
use crate::cli::session::Session;
use crate::world::Effect;

/// The exit code of what could not be told.
const UNKNOWN: u8 = 3;

/// Calls a primitive by name with named arguments.
pub async fn primitive(session: &Session, name: &str, arguments: Map<String, Value>) -> Result<Reply> {
    let primitive = session.registry.get(name)?;
    Shape::of(&(primitive.args)()).check_json(name, &arguments)?;
    let arguments = Value::Object(arguments);
    let work =
        (primitive.call)(session.cx.clone(), &mut <dyn erased_serde::Deserializer<'_>>::erase(&arguments))
            .map_err(|t| t.about(name))?;
    let place = Some(String::from("command line"));
    let work = session.scope.guard(async {
        match (primitive.effect, perform::next(&session.cx, name, &arguments, place)) {
            (Effect::Changes, Next::Make(call)) => perform::make(&session.cx, call, work).await,
            _ => work.await,
        }
    });
    session.scope.enter(work).await.map_err(|t| session.ended(t))
}

/// A reply as data.
pub fn to_value(name: &str, reply: &dyn erased_serde::Serialize) -> Result<Value> {
    serde_json::to_value(reply).map_err(|e| {
        Trouble::new(Kind::Internal, format!("{name}: the result cannot be written as JSON: {e}"))
    })
}

/// What says of itself, or of one of its rows, that it is not well or was not delivered needs attention; where that
/// could not be told for one, and none is known to be bad, the answer is not known.
pub fn code_of(reply: &Value) -> u8 {
    let says = |value: &Value| {
        let all = reply.as_array().map_or(std::slice::from_ref(reply), Vec::as_slice);
        all.iter().any(|row| row.get("ok").or_else(|| row.get("delivered")) == Some(value))
    };
    if says(&Value::Bool(false)) {
        1
    } else if says(&Value::Null) {
        UNKNOWN
    } else {
        0
    }
}

pub async fn call(session: &Session, name: &str, arguments: Option<&str>) -> Result<u8> {
    let text = match arguments {
        None => String::from("{}"),
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| Trouble::usage(format!("cannot read the arguments from standard input: {e}")))?;
            text
        }
        Some(text) => text.to_owned(),
    };
    let arguments = match serde_json::from_str(&text) {
        Ok(Value::Object(map)) => map,
        Ok(_) => {
            return Err(Trouble::usage("the arguments must be a JSON object")
                .hint(format!("moonstack call {name} '{{\"query\": \"zlib\"}}'")));
        }
        Err(e) => return Err(Trouble::usage(format!("the arguments are not JSON: {e}"))),
    };
    let reply = to_value(name, &*primitive(session, name, arguments).await?)?;
    session.printer.json(&reply)?;
    Ok(code_of(&reply))
}
