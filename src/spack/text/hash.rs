//! The DAG hash of a node, computed again: SHA-1 over the node as compact JSON in the order in which Spack
//! wrote it, without its own hash. A record that was altered after Spack wrote it does not match.

use std::io;

use data_encoding::BASE32_NOPAD;
use serde::Serialize as _;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use serde_json::{Map, Value};
use sha1::{Digest as _, Sha1};

/// Characters of a DAG hash.
pub const LENGTH: usize = 32;
/// So many characters at the end of a spliced node's hash are those of what it was built as.
const SPLICE_TAIL: usize = 7;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Match,
    Mismatch {
        computed: String,
    },
    /// A shape whose hash is not known to be computable; not a sign of damage.
    CannotVerify(&'static str),
}

/// Checks the recorded hash of a node, given as the JSON text that stands in the file.
pub fn verify(node: &str) -> Verdict {
    if let Some((text, recorded)) = without_hash(node) {
        let mut sha = Sha1::new();
        sha.update(text);
        sha.update("}");
        if base32(sha) == recorded {
            return Verdict::Match;
        }
    }
    match serde_json::from_str(node) {
        Ok(Value::Object(map)) => verify_node(&map),
        _ => Verdict::CannotVerify("the node is not a JSON object"),
    }
}

/// As `verify`, for a node that is parsed already. Its keys must be in the order of the file.
pub fn verify_node(node: &Map<String, Value>) -> Verdict {
    let Some(recorded) = node.get("hash").and_then(Value::as_str).filter(|h| h.len() == LENGTH) else {
        return Verdict::CannotVerify("the node has no hash of its own");
    };
    if !node.contains_key("name") || node.contains_key("full_hash") || node.contains_key("build_hash") {
        return Verdict::CannotVerify("the node is of a format from before Spack 0.18");
    }
    let computed = of_node(node);
    if computed == recorded {
        return Verdict::Match;
    }
    if node.contains_key("external") {
        // Spack 1.1 hashed some externals before they had their namespace.
        let mut bare = node.clone();
        bare.shift_remove("namespace");
        if of_node(&bare) == recorded {
            return Verdict::Match;
        }
        return Verdict::CannotVerify("Spack finds an external's prefix and modules after it has hashed it");
    }
    if let Some(build) = node.get("build_spec").and_then(|b| b.get("hash")).and_then(Value::as_str) {
        let cut = LENGTH - SPLICE_TAIL;
        let tail = build.get(cut..);
        if computed.get(..cut) == recorded.get(..cut) && tail == recorded.get(cut..) {
            return Verdict::Match;
        }
        return Verdict::CannotVerify("the node is spliced");
    }
    Verdict::Mismatch { computed }
}

/// The DAG hash of a node whose keys are in Spack's order; a `hash` that it has already does not count.
pub fn of_node(node: &Map<String, Value>) -> String {
    let annotations = node.get("annotations");
    let version = annotations.and_then(|a| a.get("original_specfile_version")).and_then(Value::as_u64);
    if version.is_some_and(|v| v < 5) {
        return of_map(&before_conversion(node, annotations.and_then(|a| a.get("compiler"))));
    }
    of_map(node)
}

fn of_map(node: &Map<String, Value>) -> String {
    let mut sha = HashWriter(Sha1::new());
    let mut json = Serializer::with_formatter(&mut sha, Ascii);
    let kept: Map<String, Value> =
        node.iter().filter(|(k, _)| *k != "hash").map(|(k, v)| (k.clone(), v.clone())).collect();
    // Writing into a hasher cannot fail.
    let _ = kept.serialize(&mut json);
    base32(sha.0)
}

/// The node as it was before Spack 1.x converted it: with its compiler, and without what 1.x added.
fn before_conversion(node: &Map<String, Value>, compiler: Option<&Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in node.iter().filter(|(key, _)| *key != "annotations") {
        let mut value = value.clone();
        if let (true, Value::Array(edges)) = (key == "dependencies", &mut value) {
            for parameters in edges.iter_mut().filter_map(|edge| edge.get_mut("parameters")) {
                if let Value::Object(parameters) = parameters {
                    parameters.shift_remove("direct");
                }
            }
        }
        out.insert(key.clone(), value);
        if let (true, Some(text)) = (key == "arch", compiler.and_then(Value::as_str)) {
            let (name, version) = text.split_once("@=").unwrap_or((text, ""));
            out.insert("compiler".to_owned(), serde_json::json!({"name": name, "version": version}));
        }
    }
    out
}

/// The text up to the hash at its end, and that hash.
fn without_hash(node: &str) -> Option<(&str, &str)> {
    let body = node.strip_suffix("\"}")?;
    let (text, hash) = body.split_at_checked(body.len().checked_sub(LENGTH)?)?;
    Some((text.strip_suffix(",\"hash\":\"")?, hash))
}

fn base32(sha: Sha1) -> String {
    BASE32_NOPAD.encode(&sha.finalize()).to_ascii_lowercase()
}

struct HashWriter(Sha1);

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Python's way: everything outside ASCII is escaped.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        for part in text.split_inclusive(|c: char| !c.is_ascii() || c == '\u{7f}') {
            let plain = part.trim_end_matches(|c: char| !c.is_ascii());
            CompactFormatter.write_string_fragment(writer, plain)?;
            for c in part.chars().filter(|c| !c.is_ascii()) {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = r#"{"name":"x","version":"1","arch":{"platform":"linux"},"hash":"HASH"}"#;

    fn signed() -> String {
        let Value::Object(map) = serde_json::from_str(NODE).unwrap() else { panic!("an object") };
        NODE.replace("HASH", &of_node(&map))
    }

    #[test]
    fn a_changed_byte_is_found() {
        assert_eq!(verify(&signed()), Verdict::Match);
        let changed = signed().replace("linux", "linvx");
        assert!(matches!(verify(&changed), Verdict::Mismatch { .. }));
    }

    #[test]
    fn blanks_do_not_count() {
        let value: Value = serde_json::from_str(&signed()).unwrap();
        assert_eq!(verify(&serde_json::to_string_pretty(&value).unwrap()), Verdict::Match);
    }

    #[test]
    fn text_outside_ascii_is_escaped_as_python_does() {
        let Value::Object(map) = serde_json::json!({"name": "é😀x\n\"é"}) else { panic!("an object") };
        // hashlib.sha1(json.dumps({"name": "é😀x\n\"é"}, separators=(",", ":")).encode())
        let mut sha = Sha1::new();
        sha.update(br#"{"name":"\u00e9\ud83d\ude00x\n\"\u00e9"}"#);
        assert_eq!(of_node(&map), base32(sha));
    }

    #[test]
    fn externals_are_not_called_damaged() {
        let node = include_str!("../../../tests/fixtures/spack-1.1.0/external-node.json");
        // Spack 1.1 hashed it before it had its namespace.
        assert_eq!(verify(node), Verdict::Match);
        // Of one that modules describe, the prefix was found after it was hashed.
        assert!(matches!(verify(&node.replace("2.36", "2.37")), Verdict::CannotVerify(_)));
    }

    #[test]
    fn old_shapes_are_not_called_damaged() {
        assert!(matches!(verify(r#"{"hdf5":{"version":"1"}}"#), Verdict::CannotVerify(_)));
        assert!(matches!(verify("[]"), Verdict::CannotVerify(_)));
    }
}
