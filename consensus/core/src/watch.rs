//! What can be watched of a round: a picture of it, and what happens in it.
//!
//! For RPC: `consensus_state`, `dump_consensus_state`, and the events of rounds. Names and data are
//! CometBFT's. Nothing of it has any effect on the engine, and notices are made only while
//! somebody watches ([`crate::engine::Engine::watch`]).
use std::sync::Arc;

use guts_genesis::{Address, Height, Round, Time};

use crate::height::{RoundVotes, Tally};
use crate::io::PeerId;
use crate::step::StepName;
use crate::types::{BitArray, Block, BlockId, PartSetHeader, Proposal, ValidatorSet, Vote};

/// Something that happened in a round. To be told once the records of the same output are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The height in progress.
    pub height: Height,
    /// Its round.
    pub round: Round,
    /// The step in which it happened. Waiting for more prevotes is a step (`PrevoteWait`), waiting
    /// for more precommits is none: then it is `Precommit` again, or an earlier one.
    pub step: StepName,
    /// What happened.
    pub what: Happened,
}

/// The kinds of [`Notice`]: CometBFT's event types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// `NewRound`: a round can begin. Round 0 of a chain at rest waits in it (step `NewRound`).
    NewRound {
        /// Who proposes in it.
        proposer: Address,
        /// The proposer's place among the validators.
        index: u32,
    },
    /// `NewRoundStep`: the step of the notice has begun, or more precommits are waited for.
    NewRoundStep,
    /// `CompleteProposal`: the round's proposal and its whole block are here.
    CompleteProposal(BlockId),
    /// `ValidBlock`: a block of this round has a polka.
    ValidBlock,
    /// `Polka`: more than two thirds prevoted a block, or nil, and this node precommits.
    Polka,
    /// `Lock`: this node locks a block.
    Lock,
    /// `Relock`: this node locks the block that it has locked in an earlier round.
    Relock,
    /// `Vote`: a vote was counted, a late precommit for the last block included; its own height and
    /// round count.
    Vote(Box<Vote>),
    /// `TimeoutPropose`: no proposal in time.
    TimeoutPropose,
    /// `TimeoutWait`: no majority among the prevotes, or precommits, in time.
    TimeoutWait,
}

/// A picture of the height in progress.
#[derive(Clone, Debug)]
pub struct RoundState {
    /// The height.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// The step; `NewRound` while the chain rests.
    pub step: StepName,
    /// When round 0 could begin at the earliest, by this node's clock.
    pub start_time: Time,
    /// When this node committed the last block, or took it up at its start; none before the first.
    pub commit_time: Option<Time>,
    /// The validators, turned to the round: the proposer is the round's.
    pub validators: Arc<ValidatorSet>,
    /// Who proposes in the round.
    pub proposer: Address,
    /// The round's proposal.
    pub proposal: Option<Proposal>,
    /// Its block, as far as it is here.
    pub proposal_block: Option<BlockSoFar>,
    /// The locked block and its round.
    pub locked: Option<(Round, BlockSoFar)>,
    /// The newest block with a polka, and the polka's round.
    pub valid: Option<(Round, BlockSoFar)>,
    /// The votes of all rounds up to the next, in order.
    pub votes: Vec<RoundVotes>,
    /// The round in which the height was decided, while that block is being committed.
    pub commit_round: Option<Round>,
    /// The precommits for the last block, with its validators ([`Tally::validators`]).
    pub last_commit: Option<Tally>,
    /// More precommits are waited for.
    pub triggered_timeout_precommit: bool,
}

/// A block under construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockSoFar {
    /// What it is going to be.
    pub id: BlockId,
    /// Which of its parts are here.
    pub parts: BitArray,
    /// The block, once all of them are.
    pub block: Option<Block>,
}

/// What is known of a peer: where it is, as it said last, and what it has of that round, as far as
/// it sent it or said so. What was sent to it is not known to have arrived. Bits stand for the
/// validators of the height in progress here, and there are none while the peer is at another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerState {
    /// Who.
    pub peer: PeerId,
    /// The height it works on; zero before it said one.
    pub height: Height,
    /// Its round.
    pub round: Round,
    /// Its step.
    pub step: StepName,
    /// Whether it has sent the round's proposal.
    pub has_proposal: bool,
    /// Which parts it has of the block it was heard of last.
    pub parts: Option<(PartSetHeader, BitArray)>,
    /// The round of the polka that the proposal it sent names.
    pub pol_round: Option<Round>,
    /// Whose prevotes it has of that round.
    pub pol: Option<BitArray>,
    /// Whose prevotes it has.
    pub prevotes: Option<BitArray>,
    /// Whose precommits it has.
    pub precommits: Option<BitArray>,
    /// In which round the height before was decided, as it says.
    pub last_commit_round: Option<Round>,
    /// Whose precommits it has of that round.
    pub last_commit: Option<BitArray>,
    /// Votes that it was the first to send here, since it came.
    pub votes: u64,
    /// Block parts that it was the first to send here, since it came.
    pub block_parts: u64,
}
