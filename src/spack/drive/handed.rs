//! What lives above and is needed here is handed in, once for each site that is opened: how a plan finds out what a command line of Spack
//! would do, and what mirrors hold.

use std::sync::Arc;

use super::session::Scope;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::site::cx::Site;
use crate::spack::drive::invocation::Invocation;
use crate::spack::store::binaries::MirrorBinaries;
use crate::spack::store::row::SpecRow;
use crate::world::seam::performing::Performing;
use crate::world::seam::scene::Rehearsal;

/// Predicts one command line.
pub type PlanCommand = fn(&Cx, &Scope, &Invocation) -> Rehearsal;

/// Looks into all mirrors for binaries of these specs.
pub type LookIntoMirrors = for<'a> fn(&'a Cx, &'a Scope, &'a [&'a SpecRow]) -> Performing<'a, MirrorBinaries>;

pub struct Handed {
    pub rehearse: PlanCommand,
    pub look_into_mirrors: LookIntoMirrors,
}

impl Handed {
    /// For everything that works on this site.
    pub fn to(self, site: &Site) {
        site.put(self);
    }

    pub fn of(cx: &Cx) -> Result<Arc<Handed>> {
        cx.keep(|_| Err(Trouble::new(Kind::Internal, "nothing was handed in to work with Spack")))
    }
}
