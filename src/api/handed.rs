//! Gives the domains what lives above them; see `spack::drive::handed`.

use crate::mirror::holdings;
use crate::site::cx::Site;
use crate::spack::drive::handed::Handed;
use crate::spack::rehearsal;

/// Whoever opens a site calls this once.
pub fn hand_in(site: &Site) {
    Handed {
        rehearse: rehearsal::of,
        look_into_mirrors: |cx, scope, specs| Box::pin(holdings::look(cx, scope, specs)),
    }
    .to(site);
}
