//! Why a change did not happen: refused by a rule, or impossible because something is broken.

use std::fmt::Display;

use guts_schema::Code;
use guts_schema::values::ValueError;
use guts_state::StateError;

/// A rule said no: the rule, the actor and the way out in one sentence, and a code that stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    /// Which rule.
    pub code: Code,
    /// For the person who asked.
    pub sentence: String,
}

impl Refusal {
    /// A refusal with the particulars of its sentence.
    pub fn new(code: Code, particulars: &[&dyn Display]) -> Self {
        Self { code, sentence: code.sentence(particulars) }
    }
}

/// The state machine cannot go on. Nobody's transaction is at fault; whoever meets one stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The store.
    #[error(transparent)]
    State(#[from] StateError),
    /// A value in it.
    #[error("state: {0}")]
    Value(#[from] ValueError),
    /// A rule that always holds does not.
    #[error("the state contradicts itself: {0}")]
    Contradiction(String),
    /// The genesis document.
    #[error("genesis app_state: {0}")]
    Genesis(String),
    /// Rules that this program does not know begin.
    #[error(
        "version {version} of the rules holds from height {height} on and this program knows \
         {known}: install a newer guts-app and start it in place of this one, by 'guts-app run' \
         with the same home; guts-engine then goes on by itself, another engine is to be started \
         again too"
    )]
    Upgrade {
        /// The first height of the new rules.
        height: u64,
        /// Their version.
        version: u64,
        /// The newest version that this program knows.
        known: u64,
    },
    /// The engine called out of order.
    #[error("{0}")]
    Call(&'static str),
}

/// Either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The transaction's fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody's.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        Self::Broken(error.into())
    }
}

impl Fault {
    /// A refusal.
    pub fn refuse(code: Code, particulars: &[&dyn Display]) -> Self {
        Self::Refused(Refusal::new(code, particulars))
    }

    /// The refusal, unless something is broken.
    pub fn refusal(self) -> Result<Refusal, Broken> {
        match self {
            Self::Refused(refusal) => Ok(refusal),
            Self::Broken(broken) => Err(broken),
        }
    }
}
