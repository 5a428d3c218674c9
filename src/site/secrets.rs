//! Where a password or a secret address is kept: a variable, a file that only its owner reads, or a program that
//! prints it. The site file names the place; the secret is fetched when it is needed and never shown.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Cx;
use crate::base::nearest::nearest;
use crate::base::redact::{self, Secret};
use crate::base::{Kind, Result, Trouble};
use crate::world::fs::eyes::FileKind;
use crate::world::proc::program::Program;
use crate::world::{Action, Effect};

/// How long a program may take to print a secret.
const PATIENCE: Duration = Duration::from_secs(10);
/// More is no secret but a mistake.
const LIMIT: u64 = 64 * 1024;

/// A place that holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file that others may not read.
    File(PathBuf),
    /// A program and its arguments; what it prints is the secret.
    Command(Vec<String>),
}

impl SecretRef {
    /// Fetches it, without the end of its line.
    pub async fn resolve(&self, cx: &Cx) -> Result<Secret> {
        let text = match self {
            SecretRef::Env(name) => cx.site.variables.get(name).cloned().ok_or_else(|| {
                trouble(format!("the environment variable {name} is not set"))
                    .hint("cron and systemd do not read the files that a shell reads")
            })?,
            SecretRef::File(path) => {
                let path = path.clone();
                cx.blocking(move |cx| from_file(&cx, &path)).await?
            }
            SecretRef::Command(argv) => from_program(cx, argv).await?,
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(trouble(format!("{self} is empty")));
        }
        if text.contains(char::is_control) {
            return Err(trouble(format!("{self} has more than one line, or control characters")));
        }
        Ok(Secret::new(text))
    }
}

fn trouble(message: String) -> Trouble {
    Trouble::new(Kind::Configuration, message)
}

fn from_file(cx: &Cx, path: &Path) -> Result<String> {
    let eyes = &cx.world.eyes;
    let stat = eyes.stat(path)?;
    if stat.kind != FileKind::File || stat.size > LIMIT {
        return Err(trouble(format!("{} is not a file with a secret", path.display())));
    }
    if stat.mode & 0o007 != 0 {
        return Err(trouble(format!("others may read or change {}", path.display()))
            .hint(format!("chmod o= {}; and change the secret: it may be known", path.display())));
    }
    eyes.read_text(path)
}

async fn from_program(cx: &Cx, argv: &[String]) -> Result<String> {
    let name = argv.first().cloned().unwrap_or_default();
    let program = Program { argv: argv.to_vec(), timeout: Some(PATIENCE), ..Program::default() };
    // It only looks, and what it prints must not reach a log: no listener, no tail in an error.
    let ran = cx.world.perform(Action::run(program, Effect::Reads)).await?.ran();
    if ran.ok() {
        return Ok(ran.stdout);
    }
    let how = match (ran.ended, ran.code) {
        (Some(_), _) => String::from("was not done in time"),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => String::from("was ended by a signal"),
    };
    Err(trouble(format!("'{name}', which prints a secret, {how}")))
}

/// The place, for people.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "the environment variable {name}"),
            SecretRef::File(path) => write!(f, "the secret in {}", path.display()),
            SecretRef::Command(argv) => {
                write!(f, "what '{}' prints", argv.first().map_or("", String::as_str))
            }
        }
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            SecretRef::Env(name) => serializer.collect_map([("env", name)]),
            SecretRef::File(path) => serializer.collect_map([("file", path)]),
            SecretRef::Command(argv) => serializer.collect_map([("command", redact::argv(argv))]),
        }
    }
}

/// By hand: what is wrong may be the secret itself, so no value that was found is repeated.
impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = SecretRef;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{ env = \"VARIABLE\" }, { file = \"/path\" } or { command = [\"program\"] }")
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<SecretRef, E> {
                Err(in_the_open())
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<SecretRef, E> {
                Err(in_the_open())
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<SecretRef, E> {
                Err(in_the_open())
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<SecretRef, E> {
                Err(in_the_open())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
                let found = match map.next_key::<String>()?.as_deref() {
                    Some("env") => SecretRef::Env(map.next_value()?),
                    Some("file") => SecretRef::File(map.next_value()?),
                    Some("command") => SecretRef::Command(map.next_value()?),
                    Some(other) => return Err(unknown(other)),
                    None => return Err(A::Error::custom(format!("expected {}", Expected(&Reader)))),
                };
                if map.next_entry::<String, IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("a secret is in one of env, file and command, not in two"));
                }
                Ok(found)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

fn in_the_open<E: Error>() -> E {
    E::custom(concat!(
        "a secret is not written into the site file: name its place with ",
        "{ env = \"VARIABLE\" }, { file = \"/path\" } or { command = [\"program\"] }"
    ))
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let property = |doc: &str| json_schema!({ "type": "string", "description": doc });
        json_schema!({
            "type": "object",
            "description": "A place that holds a secret: one of these.",
            "properties": {
                "env": property("An environment variable."),
                "file": property("A file that others may not read."),
                "command": {
                    "type": "array",
                    "items": { "type": "string" },
                    "description": "A program and its arguments; what it prints is the secret."
                }
            }
        })
    }
}

/// A secret that a script has already, or the place that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    Text(Secret),
    Place(SecretRef),
}

impl Given {
    pub async fn resolve(&self, cx: &Cx) -> Result<Secret> {
        match self {
            Given::Text(secret) => Ok(secret.clone()),
            Given::Place(place) => place.resolve(cx).await,
        }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Given;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a text, or { env = \"VARIABLE\" }, { file = \"/path\" }, { command = { \"program\" } }",
                )
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Given, E> {
                Ok(Given::Text(Secret::new(text)))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Given, A::Error> {
                SecretRef::deserialize(MapAccessDeserializer::new(map)).map(Given::Place)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Given {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Given".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let place = generator.subschema_for::<SecretRef>();
        json_schema!({ "anyOf": [{ "type": "string" }, place] })
    }
}

fn unknown<E: Error>(key: &str) -> E {
    let known = ["env", "file", "command"];
    match nearest(key, known) {
        Some(near) => E::custom(format!(
            "'{key}' is no place of a secret: one of env, file, command; did you mean '{near}'?"
        )),
        None => E::custom("a secret is in one of env, file and command"),
    }
}

struct Expected<'a>(&'a dyn serde::de::Expected);

impl fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_shown_and_a_secret_in_its_stead_is_not_repeated() {
        for (text, good) in [
            (r#"{"env":"HOOK"}"#, true),
            (r#"{"file":"/etc/hook"}"#, true),
            (r#"{"command":["pass","show","hook"]}"#, true),
            (r#""geheim""#, false),
            ("4711", false),
            ("47.11", false),
            (r#"{"geheim":"x"}"#, false),
            (r#"{"env":"A","file":"geheim"}"#, false),
            ("{}", false),
        ] {
            match serde_json::from_str::<SecretRef>(text) {
                Ok(place) => assert!(good && serde_json::to_string(&place).unwrap() == text, "{text}"),
                Err(e) => assert!(
                    !good && !e.to_string().contains("geheim") && !e.to_string().contains("47"),
                    "{text}: {e}"
                ),
            }
        }
    }
}
