//! Which roots of a manifest are those of its lock, as Spack compares them.

use crate::spack::drive::session::Scope;
use crate::spack::read::env_status::RootState;
use crate::spack::spec::Spec;

/// What a root is called, its state where that is known already, and the hash that the lock has for it.
type Compared = (String, Option<RootState>, Option<String>);

pub struct Comparison {
    /// Those of the manifest, then what only the lock has.
    pub roots: Vec<Compared>,
    /// Roots that cannot be read, and why.
    pub not_understood: Vec<String>,
}

/// A root of the manifest or of the lock; without a spec where its text cannot be read.
struct Root<'t> {
    text: &'t str,
    spec: Option<Spec>,
}

/// Compares what is asked for with what a lock has, as texts and hashes. Where the manifest is not known as a `whole`,
/// what seems to be left over may be asked for all the same.
pub fn compare(scope: &Scope, asked: &[String], locked: &[(String, String)], whole: bool) -> Comparison {
    let mut not_understood = Vec::new();
    let mut read = |text: &str, of: &str| {
        let spec = scope.spec(text);
        spec.map_err(|t| not_understood.push(format!("the root '{text}' of the {of}: {}", t.message()))).ok()
    };
    let wanted: Vec<Root<'_>> =
        asked.iter().map(|text| Root { text, spec: read(text, "manifest") }).collect();
    let known: Vec<Root<'_>> =
        locked.iter().map(|(text, _)| Root { text, spec: read(text, "lock") }).collect();
    let dialect = scope.spack.dialect();
    let same = |a: &Root<'_>, b: &Root<'_>| {
        let both = a.spec.as_ref().zip(b.spec.as_ref());
        a.text == b.text || both.is_some_and(|(a, b)| a.same_as(b, dialect))
    };
    let readable = |roots: &[Root<'_>]| roots.iter().all(|root| root.spec.is_some());
    let (all_wanted, all_known) = (readable(&wanted), readable(&known));
    let mut roots = Vec::new();
    for root in &wanted {
        // The same root twice is one to Spack.
        let at = known.iter().position(|other| same(root, other));
        let hash = at.and_then(|at| locked.get(at)).map(|(_, hash)| hash.clone());
        let told = hash.is_some() || root.spec.is_some() && all_known;
        roots.push((root.text.to_owned(), (!told).then_some(RootState::CouldNotTell), hash));
    }
    for (root, (text, hash)) in known.iter().zip(locked) {
        if !wanted.iter().any(|other| same(other, root)) {
            let told = whole && all_wanted && root.spec.is_some();
            let state = if told { RootState::Stale } else { RootState::CouldNotTell };
            roots.push((text.clone(), Some(state), Some(hash.clone())));
        }
    }
    Comparison { roots, not_understood }
}

/// One spec to Spack, whatever the order of its words.
pub fn same(scope: &Scope, a: &str, b: &str) -> bool {
    alike(scope, a, b, Spec::clone)
}

/// One spec after Spack wrote it down, which loses some of what was said.
pub fn same_written(scope: &Scope, a: &str, b: &str) -> bool {
    alike(scope, a, b, |spec| spec.as_written(scope.spack.dialect()))
}

fn alike(scope: &Scope, a: &str, b: &str, form: impl Fn(&Spec) -> Spec) -> bool {
    let parse = |text| scope.spec(text).ok().map(|spec| form(&spec));
    let dialect = scope.spack.dialect();
    a == b || parse(a).zip(parse(b)).is_some_and(|(a, b)| a.same_as(&b, dialect))
}
