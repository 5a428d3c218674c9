//! What a check is: a name, what it is for, what it needs, how long it may take, and a function that looks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::finding::Finding;
use super::site_view::SiteView;
use super::thresholds::Thresholds;
use crate::base::{Result, Trouble};
use crate::site::Cx;

pub type Looking = Pin<Box<dyn Future<Output = Result<Vec<Finding>>> + Send>>;

/// A built-in check.
pub struct Check {
    pub name: &'static str,
    pub doc: &'static str,
    /// See [`NEEDS`].
    pub needs: &'static [&'static str],
    pub timeout: Duration,
    /// Skips itself where there is nothing to check; that is no defect.
    pub optional: bool,
    pub run: fn(CheckContext) -> Looking,
}

/// What a running check is given.
#[derive(Clone)]
pub struct CheckContext {
    pub cx: Cx,
    pub view: Arc<SiteView>,
    pub thresholds: Arc<Thresholds>,
    pub limit: Duration,
}

impl CheckContext {
    /// How long one program may take, so that a check with many can still report the others.
    pub fn program_limit(&self) -> Duration {
        self.thresholds.program_limit.min(self.limit.mul_f64(0.8))
    }

    /// Looks off the thread that scripts run on.
    pub async fn blocking(
        self,
        work: impl FnOnce(&CheckContext) -> Result<Vec<Finding>> + Send + 'static,
    ) -> Result<Vec<Finding>> {
        let cx = self.cx.clone();
        cx.blocking(move |_| work(&self)).await
    }
}

/// Something that a check cannot do without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Unmet {
    /// What is needed.
    pub need: String,
    /// Why it is not there.
    pub reason: String,
}

/// Needs by name; `program:NAME` is one more form.
pub const NEEDS: &[(&str, &str)] = &[
    ("spack", "a Spack installation is found"),
    ("real_spack", "that installation is not a practice site's"),
    ("configuration", "Spack's configuration can be read"),
    ("store", "the store exists"),
];

/// The first need that is not met.
pub fn unmet(cx: &Cx, view: &SiteView, needs: &[impl AsRef<str>]) -> Result<Option<Unmet>> {
    for need in needs {
        let need = need.as_ref();
        let reason = match need {
            "spack" => view.installation().err().map(|t| t.message().to_owned()),
            "real_spack" => cx.site.practice.as_ref().map(|_| {
                String::from("the Spack of a practice site is built in and needs nothing of the machine")
            }),
            "configuration" => view.config().err().map(|t| t.message().to_owned()),
            "store" => no_store(cx, view),
            _ => match need.strip_prefix("program:") {
                Some(name) if SiteView::program(cx, name).is_some() => None,
                Some(name) => Some(format!("there is no {name} on PATH")),
                None => {
                    let known = NEEDS.iter().map(|(name, _)| *name);
                    return Err(
                        Trouble::unknown("need", need, known).hint("or 'program:NAME' for a program on PATH")
                    );
                }
            },
        };
        if let Some(reason) = reason {
            return Ok(Some(Unmet { need: need.to_owned(), reason }));
        }
    }
    Ok(None)
}

fn no_store(cx: &Cx, view: &SiteView) -> Option<String> {
    match view.store() {
        Err(trouble) => Some(trouble.message().to_owned()),
        Ok(root) => match cx.world.eyes.is_folder(&root) {
            Ok(true) => None,
            Ok(false) => Some(format!("the store {} does not exist", root.display())),
            Err(trouble) => Some(trouble.message().to_owned()),
        },
    }
}
