//! The steps of a round as peers and clients know them.

/// Steps of a round, with the numbers of CometBFT's `NewRoundStep`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // the names are CometBFT's
pub enum StepName {
    #[default]
    NewHeight = 1,
    NewRound = 2,
    Propose = 3,
    Prevote = 4,
    PrevoteWait = 5,
    Precommit = 6,
    PrecommitWait = 7,
    Commit = 8,
}

impl StepName {
    /// CometBFT's name of it.
    pub fn name(self) -> &'static str {
        match self {
            StepName::NewHeight => "RoundStepNewHeight",
            StepName::NewRound => "RoundStepNewRound",
            StepName::Propose => "RoundStepPropose",
            StepName::Prevote => "RoundStepPrevote",
            StepName::PrevoteWait => "RoundStepPrevoteWait",
            StepName::Precommit => "RoundStepPrecommit",
            StepName::PrecommitWait => "RoundStepPrecommitWait",
            StepName::Commit => "RoundStepCommit",
        }
    }
}
