//! The height in progress: `/consensus_state` and `/dump_consensus_state`.

use std::collections::BTreeMap;

use guts_abci::proto::types as pb;
use serde::{Deserialize, Serialize};

use super::{Base64, Block, BlockId, Hex, PartSetHeader, Time, ValidatorSet, Vote};
use crate::json;

/// In the place of a vote that is not there.
const NO_VOTE: &str = "nil-Vote";
/// Bytes of a hash or signature that are shown in one line about a vote.
const SHOWN_BYTES: usize = 6;

/// The votes of a round, each as one line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundVotes {
    /// Which round.
    pub round: i32,
    /// One for each validator, in the order of the set.
    pub prevotes: Vec<String>,
    /// Who voted, and with what power.
    pub prevotes_bit_array: String,
    /// One for each validator, in the order of the set.
    pub precommits: Vec<String>,
    /// Who voted, and with what power.
    pub precommits_bit_array: String,
}

/// Who proposes in a round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposer {
    /// The validator.
    pub address: Hex,
    /// Its place in the set.
    pub index: i32,
}

/// The height in progress, in short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundStateSimple {
    /// Such as `27/0/4`.
    #[serde(rename = "height/round/step")]
    pub height_round_step: String,
    /// When round 0 could begin at the earliest.
    pub start_time: Time,
    /// Empty while there is none.
    pub proposal_block_hash: Hex,
    /// Empty while there is none.
    pub locked_block_hash: Hex,
    /// Empty while there is none.
    pub valid_block_hash: Hex,
    /// By round, from 0 on, up to the next.
    pub height_vote_set: Vec<RoundVotes>,
    /// Of the round.
    pub proposer: Proposer,
}

/// `/consensus_state`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsensusState {
    /// The height in progress.
    pub round_state: RoundStateSimple,
}

/// A signed proposal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// 32.
    #[serde(rename = "Type")]
    pub kind: i32,
    /// The height.
    #[serde(with = "json::text")]
    pub height: i64,
    /// The round.
    pub round: i32,
    /// The round of the polka it names; -1 for none.
    pub pol_round: i32,
    /// The block.
    pub block_id: BlockId,
    /// The proposer's clock.
    pub timestamp: Time,
    /// The proposer's.
    pub signature: Base64,
}

/// How much of a block is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// Such as `3/4`.
    #[serde(rename = "count/total")]
    pub count: String,
    /// `x` for each part that is there, `_` for each that is not.
    pub parts_bit_array: String,
}

/// The precommits for the last block, late ones included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCommit {
    /// One for each validator, in the order of the set.
    pub votes: Vec<String>,
    /// Who voted, and with what power.
    pub votes_bit_array: String,
    /// For which block ids peers say to have more than two thirds, by peer.
    pub peer_maj_23s: BTreeMap<String, BlockId>,
}

/// The height in progress, whole. Rounds are -1 where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each name says it; the meanings are CometBFT's
pub struct RoundState {
    #[serde(with = "json::text")]
    pub height: i64,
    pub round: i32,
    /// 1 new height, 2 new round, 3 propose, 4 prevote, 5 waiting for prevotes, 6 precommit, 7
    /// waiting for precommits, 8 commit.
    pub step: u8,
    pub start_time: Time,
    pub commit_time: Time,
    pub validators: ValidatorSet,
    pub proposal: Option<Proposal>,
    pub proposal_block: Option<Block>,
    pub proposal_block_parts: Option<Parts>,
    pub locked_round: i32,
    pub locked_block: Option<Block>,
    pub locked_block_parts: Option<Parts>,
    pub valid_round: i32,
    pub valid_block: Option<Block>,
    pub valid_block_parts: Option<Parts>,
    pub votes: Vec<RoundVotes>,
    pub commit_round: i32,
    pub last_commit: Option<LastCommit>,
    pub last_validators: ValidatorSet,
    pub triggered_timeout_precommit: bool,
}

/// `/dump_consensus_state`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpConsensusState {
    /// The height in progress.
    pub round_state: RoundState,
    /// What the node knows of each peer.
    #[serde(deserialize_with = "json::null_default")]
    pub peers: Vec<PeerStateInfo>,
}

/// A peer, and where it is in the height.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStateInfo {
    /// `ID@HOST:PORT`
    pub node_address: String,
    /// What is known of it.
    pub peer_state: PeerState,
}

/// What a node knows of a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerState {
    /// Where it is, and what it has.
    pub round_state: PeerRoundState,
    /// What it has sent.
    pub stats: PeerStats,
}

/// Where a peer is in the height, and what it has. A node of ours takes for granted only what the
/// peer sent or says it has, not what was sent to it. The default is what CometBFT shows before it
/// knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // each name says it; the meanings are CometBFT's
pub struct PeerRoundState {
    #[serde(with = "json::text")]
    pub height: i64,
    pub round: i32,
    /// As in [`RoundState`].
    pub step: u8,
    pub start_time: Time,
    pub proposal: bool,
    pub proposal_block_part_set_header: PartSetHeader,
    pub proposal_block_parts: Option<String>,
    pub proposal_pol_round: i32,
    pub proposal_pol: Option<String>,
    pub prevotes: Option<String>,
    pub precommits: Option<String>,
    pub last_commit_round: i32,
    pub last_commit: Option<String>,
    pub catchup_commit_round: i32,
    pub catchup_commit: Option<String>,
}

impl Default for PeerRoundState {
    fn default() -> Self {
        Self {
            height: 0,
            round: -1,
            step: 0,
            start_time: Time::default(),
            proposal: false,
            proposal_block_part_set_header: PartSetHeader::default(),
            proposal_block_parts: None,
            proposal_pol_round: -1,
            proposal_pol: None,
            prevotes: None,
            precommits: None,
            last_commit_round: -1,
            last_commit: None,
            catchup_commit_round: -1,
            catchup_commit: None,
        }
    }
}

/// What a peer has sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStats {
    /// Votes that were new.
    #[serde(with = "json::text")]
    pub votes: u64,
    /// Block parts that were new.
    #[serde(with = "json::text")]
    pub block_parts: u64,
}

/// `x` for each that is set, `_` for each that is not.
pub fn bits(set: impl Iterator<Item = bool>) -> String {
    set.map(|one| if one { 'x' } else { '_' }).collect()
}

/// A line for each place: the vote's, or that there is none.
pub fn vote_lines(votes: impl Iterator<Item = Option<Vote>>) -> Vec<String> {
    votes.map(|vote| vote.map_or_else(|| NO_VOTE.to_owned(), |vote| vote.line())).collect()
}

/// Who voted, and how much power that is of how much.
pub fn voters_line(voted: &str, power: u64, total: u64) -> String {
    let share = if total == 0 { 0.0 } else { power as f64 / total as f64 };
    format!("BA{{{}:{voted}}} {power}/{total} = {share:.2}", voted.len())
}

/// The first bytes, filled up with zeros.
fn start_of(bytes: &[u8]) -> String {
    let mut shown = [0; SHOWN_BYTES];
    let len = bytes.len().min(SHOWN_BYTES);
    shown[..len].copy_from_slice(&bytes[..len]);
    hex::encode_upper(shown)
}

impl Vote {
    /// The vote in one line.
    pub fn line(&self) -> String {
        let kind = match self.kind {
            1 => "SIGNED_MSG_TYPE_PREVOTE(Prevote)",
            _ => "SIGNED_MSG_TYPE_PRECOMMIT(Precommit)",
        };
        format!(
            "Vote{{{}:{} {}/{:02}/{kind} {} {} {} @ {}}}",
            self.validator_index,
            start_of(&self.validator_address.0),
            self.height,
            self.round,
            start_of(&self.block_id.hash.0),
            start_of(&self.signature.0),
            start_of(&self.extension.0),
            self.timestamp,
        )
    }
}

impl From<pb::Proposal> for Proposal {
    fn from(from: pb::Proposal) -> Self {
        Self {
            kind: from.r#type,
            height: from.height,
            round: from.round,
            pol_round: from.pol_round,
            block_id: from.block_id.map(Into::into).unwrap_or_default(),
            timestamp: from.timestamp.into(),
            signature: from.signature.into(),
        }
    }
}

#[cfg(test)]
mod tests;
