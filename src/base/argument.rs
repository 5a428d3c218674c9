//! Types of arguments and results that Lua and JSON can both say: bytes, durations, sizes, plain values.
//! What would be changed or lost on the way is refused here.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::words;

/// Text that need not be UTF-8. Lua strings are bytes, and so are files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                Ok(Bytes(text.as_bytes().to_vec()))
            }
            fn visit_string<E: Error>(self, text: String) -> Result<Bytes, E> {
                Ok(Bytes(text.into_bytes()))
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A number, or words that stand for one.
struct NumberOrWords {
    expected: &'static str,
    words: fn(&str) -> super::Result<f64>,
}

impl Visitor<'_> for NumberOrWords {
    type Value = f64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        (self.words)(text).map_err(|t| E::custom(format!("{} ({})", t.message(), t.hints().join("; "))))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }
}

fn number_or_words() -> Schema {
    json_schema!({ "anyOf": [{ "type": "string" }, { "type": "number" }] })
}

/// A duration: seconds, or words such as `"10m"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = deserializer.deserialize_any(NumberOrWords {
            expected: "a duration such as \"10m\", or seconds",
            words: |text| words::parse_span(text).map(|d| d.as_secs_f64()),
        })?;
        Duration::try_from_secs_f64(seconds)
            .map(Span)
            .map_err(|_| D::Error::custom(format!("{seconds} is not a duration")))
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        number_or_words()
    }
}

/// A size: bytes, or words such as `"4 GiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = deserializer.deserialize_any(NumberOrWords {
            expected: "a size such as \"4 GiB\", or bytes",
            words: |text| words::parse_size(text).map(|n| n as f64),
        })?;
        if bytes.fract() != 0.0 || !(0.0..=9.0e18).contains(&bytes) {
            return Err(D::Error::custom(format!("{bytes} is not a size")));
        }
        Ok(Size(bytes as u64))
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        number_or_words()
    }
}

/// Any value that JSON can say. Other than `serde_json::Value` it refuses what would be changed silently: NaN,
/// infinity, text that is not UTF-8, and a table with numbers among its names.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Plain(pub Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainReader).map(Plain)
    }
}

impl JsonSchema for Plain {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Plain".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

struct PlainReader;

impl<'de> Visitor<'de> for PlainReader {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, a boolean, a list or a table with names")
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom(format!("{value} is a number that JSON cannot say")))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Value, E> {
        let at = std::str::from_utf8(bytes).err().map_or(0, |e| e.valid_up_to());
        Err(E::custom(format!("a text is not UTF-8 (byte {at})")))
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(PlainReader)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((Plain(key), Plain(value))) = entries.next_entry()? {
            let Value::String(key) = key else {
                return Err(A::Error::custom(format!(
                    "a table has {key} among its names: it must be a list, or have texts as names"
                )));
            };
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_numbers_or_words() {
        let span = |text: &str| serde_json::from_str::<Span>(text).map(|s| s.0.as_millis());
        assert_eq!(span("2.5").unwrap(), 2500);
        assert_eq!(span("\"2h 30m\"").unwrap(), 9_000_000);
        assert!(span("\"soon\"").unwrap_err().to_string().contains("'soon' is not a duration"));
        assert!(span("-1").is_err() && span("1e300").is_err() && span("true").is_err());
        let size = |text: &str| serde_json::from_str::<Size>(text).map(|s| s.0);
        assert_eq!(size("\"4 GiB\"").unwrap(), 4 << 30);
        assert_eq!(size("4096").unwrap(), 4096);
        assert!(size("-1").is_err() && size("1.5").is_err());
    }

    #[test]
    fn plain_values_keep_their_order_and_refuse_what_json_cannot_say() {
        let Plain(value) = serde_json::from_str(r#"{"b":[1,null,2.5],"a":{}}"#).unwrap();
        assert_eq!(value.to_string(), r#"{"b":[1,null,2.5],"a":{}}"#);
        let nan = serde::de::value::F64Deserializer::<serde::de::value::Error>::new(f64::NAN);
        assert!(Plain::deserialize(nan).unwrap_err().to_string().contains("cannot say"));
    }
}
