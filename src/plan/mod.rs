//! Plans: what a script would do, written down with everything that it depends on, so that exactly that can be done
//! later or refused. Plans are made by the hands in `world::seam`, and predicted by the domains; here they are read,
//! written and compared.
//!
//! ```text
//! inputs → file → { specs, stored }
//! ```

pub mod file;
pub mod inputs;
pub mod specs;
pub mod stored;
