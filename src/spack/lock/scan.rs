//! The parts of a lock file as slices of its text, found in one pass that builds nothing. Most of a lock is concrete
//! specs that nobody reads, and where another lock holds the same ones, their text need not even be passed over.

use crate::spack::text::json_scan::{Flaw, Skim};

/// Where the parts of a lock file are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parts<'a> {
    pub meta: Option<&'a str>,
    pub spack: Option<&'a str>,
    pub roots: Option<&'a str>,
    /// By their keys, in the order of the file.
    pub specs: Option<Vec<(&'a str, &'a str)>>,
    pub included: Option<&'a str>,
}

/// Finds the parts. `seen` gives the text that another file has for a hash, if it was checked. None for what is not
/// written as Spack writes it; then somebody else has to say what is wrong.
pub fn parts<'a, 's>(text: &'a str, seen: impl Fn(&str) -> Option<&'s str>) -> Option<Parts<'a>> {
    let mut parts = Parts::default();
    let mut skim = Skim::new(text);
    let found = skim.object(|skim, key| {
        let part = match key {
            "_meta" => &mut parts.meta,
            "spack" => &mut parts.spack,
            "roots" => &mut parts.roots,
            "include_concrete" => &mut parts.included,
            "concrete_specs" if parts.specs.is_none() => {
                parts.specs = Some(specs(skim, &seen)?);
                return Ok(());
            }
            _ => return Err(skim.flaw("a key that stands here twice, or that is not known")),
        };
        match part.replace(skim.value()?) {
            None => Ok(()),
            Some(_) => Err(skim.flaw("a key stands twice")),
        }
    });
    found.and_then(|()| skim.end()).ok()?;
    Some(parts)
}

fn specs<'a, 's>(
    skim: &mut Skim<'a>,
    seen: &impl Fn(&str) -> Option<&'s str>,
) -> Result<Vec<(&'a str, &'a str)>, Flaw> {
    let mut out = Vec::new();
    skim.object(|skim, hash| {
        if hash.is_empty() {
            return Err(skim.flaw("a name is empty"));
        }
        let begin = skim.at();
        let raw = match seen(hash) {
            Some(text) if skim.same(text) => skim.since(begin),
            _ => skim.value()?,
        };
        out.push((hash, raw));
        Ok(())
    })?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_with_and_without_another_lock() {
        let text = r#"{ "_meta": {"lockfile-version": 6}, "roots": [], "concrete_specs": {"aa": {"name": "x"}, "bb" : {"n":[1,{}]} } }"#;
        let alone = parts(text, |_| None).unwrap();
        assert_eq!(alone.specs, Some(vec![("aa", r#"{"name": "x"}"#), ("bb", r#"{"n":[1,{}]}"#)]));
        assert_eq!((alone.meta, alone.roots), (Some(r#"{"lockfile-version": 6}"#), Some("[]")));
        for seen in [r#"{"name": "x"}"#, r#"{"name": "y"}"#, r#"{"name": "x"}, "bb""#, ""] {
            let beside = parts(text, |hash| (hash == "aa").then_some(seen).filter(|s| s.ends_with('}')));
            assert_eq!(beside.as_ref(), Some(&alone), "{seen}");
        }
    }

    #[test]
    fn what_is_not_as_spack_writes_it_is_left_to_others() {
        for text in [
            "",
            "[]",
            "{} x",
            r#"{"roots": [], "roots": []}"#,
            r#"{"concrete_specs": {}, "concrete_specs": {}}"#,
            r#"{"concrete_specs": {"": {}}}"#,
            r#"{"concrete_specs": {"a": {}"#,
            r#"{"concrete_specs": {"a": {,}}}"#,
            r#"{"concrete_specs": {"\u0061": {}}}"#,
            r#"{"concrete_specs": []}"#,
            r#"{"other": 1}"#,
        ] {
            assert_eq!(parts(text, |_| None), None, "{text}");
        }
    }
}
