//! How Spack prints specs: format strings, the long form with variants and compilers, and grouped listings.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::halt::Halt;
use super::query;
use super::record::{FLAGS, Node, Nodes};

/// `+a~b key=value …`, the booleans first.
pub fn variants(node: &Node) -> String {
    let (mut booleans, mut others) = (String::new(), String::new());
    for (name, value) in &node.parameters {
        if FLAGS.contains(&name.as_str()) {
            continue;
        }
        match value {
            Value::Bool(on) => {
                let _ = write!(booleans, "{}{name}", if *on { '+' } else { '~' });
            }
            Value::Array(list) => {
                let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                let _ = write!(others, " {name}:={}", quoted(&words.join(",")));
            }
            other => {
                let _ = write!(others, " {name}={}", quoted(other.as_str().unwrap_or_default()));
            }
        }
    }
    booleans + others.as_str()
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,/:".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{text}'") }
}

/// `%c,cxx=gcc@13.2.0`, or nothing.
pub fn compilers(node: &Node, nodes: &Nodes) -> String {
    let words: Vec<String> = node
        .dependencies
        .iter()
        .filter_map(|edge| {
            let languages: Vec<&str> = edge
                .parameters
                .virtuals
                .iter()
                .map(String::as_str)
                .filter(|v| super::catalogue::LANGUAGES.contains(v))
                .collect();
            let compiler = nodes.get(&edge.hash)?;
            (!languages.is_empty())
                .then(|| format!("%{}={}@{}", languages.join(","), compiler.name, compiler.version))
        })
        .collect();
    words.join(" ")
}

/// The form in which a concrete spec appears in messages.
pub fn display(node: &Node, nodes: &Nodes) -> String {
    let mut text = format!(
        "{}@{}{} platform={} os={} target={}",
        node.name,
        node.version,
        variants(node),
        node.arch.platform,
        node.arch.platform_os,
        node.target()
    );
    let compilers = compilers(node, nodes);
    if !compilers.is_empty() {
        let _ = write!(text, " {compilers}");
    }
    text
}

/// The pattern for a spec: that of the first key which it satisfies, else that of `all`.
pub fn projection(
    projections: &serde_json::Map<String, Value>,
    node: &Node,
    nodes: &Nodes,
) -> Result<Option<String>, Halt> {
    for (key, pattern) in projections.iter().filter(|(key, _)| *key != "all") {
        if query::matches(node, &query::parse_one(key)?, nodes) {
            return Ok(pattern.as_str().map(str::to_owned));
        }
    }
    Ok(projections.get("all").and_then(Value::as_str).map(str::to_owned))
}

/// Fills `{name}`-like fields; the error names the field that does not exist.
pub fn fill(pattern: &str, node: &Node, nodes: &Nodes, prefix: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('}') else {
            return Err("Format string terminated while reading attribute.Missing terminating }.".to_string());
        };
        out.push_str(&field(&rest[open + 1..open + close], node, nodes, prefix)?);
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    Ok(out.replace("\\t", "\t").replace("\\n", "\n"))
}

fn field(text: &str, node: &Node, nodes: &Nodes, prefix: &str) -> Result<String, String> {
    if let Some(path) = text.strip_prefix('^') {
        let (name, rest) = path.split_once('.').unwrap_or((path, "name"));
        let below = super::record::closure(nodes, [node.hash.clone()], super::record::ALL_TYPES);
        let found = below.iter().filter_map(|h| nodes.get(h)).find(|n| {
            n.name == name
                || node
                    .dependencies
                    .iter()
                    .any(|e| e.hash == n.hash && e.parameters.virtuals.iter().any(|v| v == name))
        });
        return found.map_or(Ok(String::new()), |n| field(rest, n, nodes, ""));
    }
    let compilers = compilers(node, nodes);
    let compiler = compilers.split_once('=').map_or("none", |(_, c)| c.split(' ').next().unwrap_or("none"));
    Ok(match text {
        "name" => node.name.clone(),
        "version" | "versions" => node.version.clone(),
        "@version" | "@versions" => format!("@{}", node.version),
        "@=version" => format!("@={}", node.version),
        "hash" => node.hash.clone(),
        "/hash" => format!("/{}", node.hash),
        "prefix" => prefix.to_owned(),
        "namespace" => node.namespace.clone(),
        "variants" => variants(node),
        "arch" | "architecture" => node.arch_text(),
        "platform" | "architecture.platform" => node.arch.platform.clone(),
        "os" | "architecture.os" => node.arch.platform_os.clone(),
        "target" | "architecture.target" => node.target().to_owned(),
        "compiler" => compiler.to_owned(),
        "compiler.name" => compiler.split('@').next().unwrap_or_default().to_owned(),
        "compiler.version" => compiler.split('@').nth(1).unwrap_or("none").to_owned(),
        "compilers" => format!(" {compilers}"),
        "compiler_flags" => String::new(),
        other => return field_with_argument(other, node),
    })
}

fn field_with_argument(text: &str, node: &Node) -> Result<String, String> {
    let shortened = |mark: &str, digits: &str| {
        let length = digits.parse().unwrap_or(32);
        format!("{mark}{}", node.hash.get(..length).unwrap_or(&node.hash))
    };
    if let Some(digits) = text.strip_prefix("hash:") {
        return Ok(shortened("", digits));
    }
    if let Some(digits) = text.strip_prefix("/hash:") {
        return Ok(shortened("/", digits));
    }
    if let Some(name) = text.strip_prefix("variants.") {
        return Ok(match node.parameters.get(name) {
            Some(Value::Bool(on)) => format!("{}{name}", if *on { '+' } else { '~' }),
            Some(Value::Array(list)) => {
                let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                format!("{name}={}", words.join(","))
            }
            Some(value) => format!("{name}={}", value.as_str().unwrap_or_default()),
            None => String::new(),
        });
    }
    Err(format!("Attempted to format attribute {text}. Spec  has no attribute {text}"))
}

/// `-- header ---…` to 65 columns, as Spack does where nobody watches.
pub fn rule(header: &str) -> String {
    let start = format!("-- {header} ");
    let fill = 65_usize.saturating_sub(start.chars().count());
    start + "-".repeat(fill).as_str()
}

/// Nodes by the heading under which Spack lists them, each group sorted.
pub fn groups<'a>(list: &[&'a Node], nodes: &Nodes) -> Vec<(String, Vec<&'a Node>)> {
    let mut groups: BTreeMap<(String, String), Vec<&Node>> = BTreeMap::new();
    for node in list {
        // Spack sorts by the printed pair, whose closing quote puts "no compilers" last.
        groups.entry((node.arch_text(), compilers(node, nodes) + "'")).or_default().push(node);
    }
    groups
        .into_iter()
        .map(|((arch, compilers), mut members)| {
            members.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
            let compilers = compilers.trim_end_matches('\'');
            let compilers = if compilers.is_empty() { "no compilers" } else { compilers };
            (format!("{arch} / {compilers}"), members)
        })
        .collect()
}
