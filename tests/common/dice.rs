//! Chance that can be repeated, and how much of a long proof is asked for.

/// How much of a long proof is asked for.
pub fn share(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// A small generator, so that a failure can be repeated; `MOONSTACK_SEED` gives another sequence.
pub struct Dice(u64);

impl Dice {
    pub fn new() -> Dice {
        Dice::seeded(share("MOONSTACK_SEED", 20_261_121) as u64)
    }

    /// The same sequence each time.
    pub fn seeded(seed: u64) -> Dice {
        Dice(seed)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }

    /// A place in something of that length.
    pub fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// One of several.
    pub fn one_of(&mut self, all: &[&'static str]) -> &'static str {
        all[self.index(all.len())]
    }
}
