//! Paths of spec files in queries: a file stands for the hash of the concrete spec that is in it.

use std::path::Path;

use crate::base::{Kind, Result, Trouble};
use crate::spack::spec::{Dialect, lexer};
use crate::spack::text::yaml::{self, Yaml};
use crate::world::Eyes;

/// The text with `/HASH` in the place of each path.
pub fn with_hashes(eyes: &dyn Eyes, cwd: &Path, text: &str, dialect: Dialect) -> Result<String> {
    // What cannot be read is told by who parses it.
    let files = lexer::files(text, dialect).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for file in files {
        let word = text.get(file.clone()).unwrap_or_default();
        out.push_str(text.get(at..file.start).unwrap_or_default());
        out.push('/');
        out.push_str(&hash(eyes, &cwd.join(word))?);
        at = file.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Ok(out)
}

/// The hash of the first node, which all others are there for. JSON is a part of YAML.
fn hash(eyes: &dyn Eyes, path: &Path) -> Result<String> {
    let tree = yaml::parse(&eyes.read_text(path)?, path)?;
    let nodes = tree.get("spec").and_then(|spec| spec.get("nodes")).map(Yaml::list).unwrap_or_default();
    let hash = nodes.first().and_then(|node| node.get("hash")).and_then(Yaml::scalar_text);
    hash.ok_or_else(|| {
        Trouble::new(
            Kind::Unsupported,
            format!("{} holds no concrete spec of Spack 0.17 or newer", path.display()),
        )
        .hint("`spack spec --json SPEC` writes one")
    })
}
