//! The versions of the rules that a program knows, and what the state goes through when one begins.

use crate::fault::Broken;
use crate::run::Run;

/// Brings a state that was made under the version before to what its own version expects.
/// Deterministic, and runs once: in the block whose height the upgrade names, before all else.
pub type Migration = fn(&mut Run<'_>) -> Result<(), Broken>;

/// Version 1, and one more for each migration.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    migrations: &'static [Migration],
}

/// What this program knows.
pub const RULES: Rules = Rules::new(&[]);

impl Rules {
    /// Version 1 and those that these migrations begin: 2, 3 and so on.
    pub const fn new(migrations: &'static [Migration]) -> Self {
        Self { migrations }
    }

    /// The newest version.
    pub fn newest(self) -> u64 {
        (self.migrations.len() as u64).saturating_add(1)
    }

    /// What leads from one version to another, in order; all of them must be known.
    pub fn between(self, from: u64, to: u64) -> &'static [Migration] {
        let place = |version: u64| {
            let place = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
            place.min(self.migrations.len())
        };
        self.migrations.get(place(from)..place(to)).unwrap_or_default()
    }
}
