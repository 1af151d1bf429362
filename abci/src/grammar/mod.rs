//! The order in which an engine may call an application: ABCI 2.0's call grammar.
//!
//! ```text
//! start      = clean / recovery
//! clean      = (info init_chain / state_sync) height*
//! state_sync = (offer apply*)* offer apply+ info
//! recovery   = info [init_chain] height*
//! height     = round* finalize_block commit
//! round      = verify* [prepare [process]] verify* [extend verify*]
//! ```
//!
//! Info, Query, CheckTx, Echo, Flush, ListSnapshots and LoadSnapshotChunk may come at any time.
//! Rounds cannot be seen in the calls, so by default any mixture of proposal and vote calls is one
//! height; whoever knows when a round starts says so by [`Checker::on_round`], and each of
//! prepare, process and extend is then allowed once a round.
//!
//! The checker is pure: the simulator and the tests feed it what they see.

use crate::kind::Kind;
use crate::proto::abci::{Request, request, response};

#[cfg(test)]
mod tests;

/// A call that the grammar does not allow where it came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call} at height {height}: {rule}")]
pub struct Violation {
    /// The call.
    pub call: Kind,
    /// The height the call is for, or the last committed one when it names none.
    pub height: i64,
    /// The rule it breaks.
    pub rule: &'static str,
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing but calls that may come at any time.
    Start,
    /// A snapshot was offered; true once a chunk of it was applied.
    Restoring(bool),
    /// Blocks are made.
    Height,
    /// A block is finalized and waits for its commit.
    Finalized,
}

/// Follows one engine's calls, from connecting to closing.
#[derive(Clone, Debug)]
pub struct Checker {
    phase: Phase,
    informed: bool,
    /// The last height committed; 0 before the first.
    committed: i64,
    /// The height of the block under way, once a call named it.
    current: Option<i64>,
    initialised: bool,
    round: Option<RoundCalls>,
}

/// What was called in this round.
#[derive(Clone, Copy, Debug, Default)]
struct RoundCalls {
    prepared: bool,
    processed: bool,
    extended: bool,
}

impl Checker {
    /// Starts at a new set of connections to an application whose last commit is
    /// `committed_height` (0: none, so that it needs InitChain or a snapshot first).
    pub fn new(committed_height: i64) -> Self {
        Self {
            phase: Phase::Start,
            informed: false,
            committed: committed_height,
            current: None,
            initialised: committed_height > 0,
            round: None,
        }
    }

    /// A round of the height under way starts. From the first call of this on, a proposal is
    /// prepared and processed once a round at most, and a vote extended once.
    pub fn on_round(&mut self) {
        self.round = Some(RoundCalls::default());
    }

    /// Checks a whole request; one without a value is not a call, and allowed nowhere.
    pub fn on_request(&mut self, request: &Request) -> Result<(), Violation> {
        match &request.value {
            Some(value) => self.on_call(value),
            None => Err(self.violation(Kind::Echo, self.committed, "a request needs a value")),
        }
    }

    /// Checks the next call, in the order the application answers them.
    pub fn on_call(&mut self, value: &request::Value) -> Result<(), Violation> {
        use request::Value;
        let call = Kind::of_request(value);
        match value {
            Value::Info(_) => self.on_info(call),
            Value::Echo(_)
            | Value::Flush(_)
            | Value::Query(_)
            | Value::CheckTx(_)
            | Value::ListSnapshots(_)
            | Value::LoadSnapshotChunk(_) => Ok(()),
            Value::OfferSnapshot(_) => self.on_offer(call),
            Value::ApplySnapshotChunk(_) => self.on_apply(call),
            Value::InitChain(request) => self.on_init(call, request.initial_height),
            Value::PrepareProposal(r) => {
                self.check_height(call, r.height)?;
                self.once_a_round(call, r.height, |round| &mut round.prepared)
            }
            Value::ProcessProposal(r) => {
                self.check_height(call, r.height)?;
                self.once_a_round(call, r.height, |round| &mut round.processed)
            }
            Value::ExtendVote(r) => {
                self.check_height(call, r.height)?;
                self.once_a_round(call, r.height, |round| &mut round.extended)
            }
            Value::VerifyVoteExtension(r) => self.check_height(call, r.height),
            Value::FinalizeBlock(r) => {
                self.check_height(call, r.height)?;
                self.phase = Phase::Finalized;
                Ok(())
            }
            Value::Commit(_) => self.on_commit(call),
        }
    }

    /// Learns from an answer: the height an application says it restored from a snapshot.
    pub fn on_answer(&mut self, value: &response::Value) {
        if let response::Value::Info(info) = value
            && self.phase == Phase::Start
        {
            self.committed = info.last_block_height;
            self.initialised = self.committed > 0;
        }
    }

    fn on_info(&mut self, call: Kind) -> Result<(), Violation> {
        match self.phase {
            Phase::Restoring(false) => {
                Err(self.violation(call, self.committed, "an accepted snapshot needs its chunks"))
            }
            Phase::Restoring(true) => {
                // The answer says which height was restored.
                self.phase = Phase::Start;
                self.informed = true;
                Ok(())
            }
            _ => {
                self.informed = true;
                Ok(())
            }
        }
    }

    fn on_offer(&mut self, call: Kind) -> Result<(), Violation> {
        if self.initialised || !matches!(self.phase, Phase::Start | Phase::Restoring(_)) {
            let rule = "a snapshot is for an application without a state";
            return Err(self.violation(call, self.committed, rule));
        }
        self.phase = Phase::Restoring(false);
        Ok(())
    }

    fn on_apply(&mut self, call: Kind) -> Result<(), Violation> {
        match self.phase {
            Phase::Restoring(_) => {
                self.phase = Phase::Restoring(true);
                Ok(())
            }
            _ => Err(self.violation(call, self.committed, "no snapshot was offered")),
        }
    }

    fn on_init(&mut self, call: Kind, initial_height: i64) -> Result<(), Violation> {
        let rule = if self.initialised {
            "the chain is initialised already"
        } else if !self.informed {
            "Info comes before InitChain"
        } else if self.phase != Phase::Start {
            "InitChain comes before any block or snapshot"
        } else if initial_height < 1 {
            "the initial height is at least 1"
        } else {
            self.initialised = true;
            self.committed = initial_height - 1;
            self.phase = Phase::Height;
            return Ok(());
        };
        Err(self.violation(call, initial_height, rule))
    }

    fn on_commit(&mut self, call: Kind) -> Result<(), Violation> {
        match self.current {
            Some(height) if self.phase == Phase::Finalized => {
                self.committed = height;
                self.current = None;
                self.phase = Phase::Height;
                self.round = self.round.map(|_| RoundCalls::default());
                Ok(())
            }
            _ => Err(self.violation(call, self.committed, "no finalized block waits for it")),
        }
    }

    /// A call about a block: the chain must be initialised, the block the next one, and the one
    /// before it committed.
    fn check_height(&mut self, call: Kind, height: i64) -> Result<(), Violation> {
        let rule = if !self.informed {
            "Info comes before any block"
        } else if !self.initialised {
            "InitChain or a snapshot comes before any block"
        } else if matches!(self.phase, Phase::Restoring(_)) {
            "the snapshot is not restored yet"
        } else if self.phase == Phase::Finalized {
            "a finalized block waits for its commit"
        } else if height.checked_sub(1) != Some(self.committed) {
            "the height is not the one after the last commit"
        } else {
            self.phase = Phase::Height;
            self.current = Some(height);
            return Ok(());
        };
        Err(self.violation(call, height, rule))
    }

    fn once_a_round(
        &mut self,
        call: Kind,
        height: i64,
        flag: fn(&mut RoundCalls) -> &mut bool,
    ) -> Result<(), Violation> {
        let Some(round) = &mut self.round else { return Ok(()) };
        if call == Kind::PrepareProposal && (round.processed || round.extended) {
            let rule = "a proposal is prepared before it is processed or voted for";
            return Err(self.violation(call, height, rule));
        }
        if call == Kind::ProcessProposal && round.extended {
            return Err(self.violation(call, height, "a proposal is processed before the vote"));
        }
        if std::mem::replace(flag(round), true) {
            return Err(self.violation(call, height, "a second time in one round"));
        }
        Ok(())
    }

    fn violation(&self, call: Kind, height: i64, rule: &'static str) -> Violation {
        Violation { call, height, rule }
    }
}
