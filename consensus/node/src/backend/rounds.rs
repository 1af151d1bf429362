//! The height in progress, in CometBFT's JSON.

use super::{NodeBackend, internal, reply};
use crate::network::{Connected, PeerId};
use guts_consensus::height::{RoundVotes, Tally};
use guts_consensus::types::{BitArray, ValidatorSet};
use guts_consensus::watch::{BlockSoFar, PeerState, RoundState};
use guts_genesis::{Height, Round};
use guts_rpc::{Reply, RpcError, types};
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// In the place of a round that there is none of.
const NO_ROUND: i32 = -1;

impl NodeBackend {
    async fn round_state(&self) -> Result<Box<RoundState>, RpcError> {
        let none = |_| internal(&"the engine has stopped, or has too much to do");
        self.inbox.round_state().await.map_err(none)
    }

    /// What is known of each peer.
    async fn peers_known(&self) -> Result<BTreeMap<PeerId, PeerState>, RpcError> {
        let none = |_| internal(&"the engine has stopped, or has too much to do");
        self.inbox.peers_known().await.map_err(none)
    }

    pub(super) fn rounds_in_short(&self) -> Reply<'_, types::ConsensusState> {
        reply(async {
            let state = self.round_state().await?;
            Ok(types::ConsensusState { round_state: simple(&state) })
        })
    }

    pub(super) fn rounds_whole(&self) -> Reply<'_, types::DumpConsensusState> {
        reply(async {
            let state = self.round_state().await?;
            let known = self.peers_known().await?;
            let connected = self.network.connected().into_iter();
            let peers = connected.map(|one| peer_state(&one, known.get(&one.peer))).collect();
            Ok(types::DumpConsensusState { round_state: whole(&state), peers })
        })
    }
}

/// A peer as far as it is known. When it began its round, and what it was sent of earlier heights,
/// nobody keeps: CometBFT's words for what is not known stand there.
fn peer_state(connected: &Connected, known: Option<&PeerState>) -> types::PeerStateInfo {
    let mut peer_state = types::PeerState::default();
    if let Some(known) = known.filter(|known| known.height > Height::ZERO) {
        peer_state.round_state = peer_round_state(known);
        peer_state.stats = types::PeerStats { votes: known.votes, block_parts: known.block_parts };
    }
    let node_address = format!("{}@{}", super::node_id(&connected.peer), connected.remote);
    types::PeerStateInfo { node_address, peer_state }
}

fn peer_round_state(known: &PeerState) -> types::PeerRoundState {
    let round = |round: Option<Round>| round.map_or(NO_ROUND, Round::wire);
    let bits = |bits: &Option<BitArray>| bits.as_ref().map(marks);
    let (header, parts) = known.parts.as_ref().map(|(of, parts)| (*of, marks(parts))).unzip();
    types::PeerRoundState {
        height: known.height.wire(),
        round: known.round.wire(),
        step: known.step as u8,
        proposal: known.has_proposal,
        proposal_block_part_set_header: header.map(|of| of.to_proto().into()).unwrap_or_default(),
        proposal_block_parts: parts,
        proposal_pol_round: round(known.pol_round),
        proposal_pol: bits(&known.pol),
        prevotes: bits(&known.prevotes),
        precommits: bits(&known.precommits),
        last_commit_round: round(known.last_commit_round),
        last_commit: bits(&known.last_commit),
        ..types::PeerRoundState::default()
    }
}

pub(super) fn simple(state: &RoundState) -> types::RoundStateSimple {
    let hash = |block: Option<&BlockSoFar>| {
        let whole = block.filter(|block| block.block.is_some());
        whole.map_or_else(Vec::new, |block| block.id.hash.to_vec()).into()
    };
    let index = state.validators.by_address(&state.proposer).map_or(0, |(index, _)| index);
    let (height, round, step) = (state.height.wire(), state.round.wire(), state.step as u8);
    types::RoundStateSimple {
        height_round_step: format!("{height}/{round}/{step}"),
        start_time: state.start_time.to_proto().into(),
        proposal_block_hash: hash(state.proposal_block.as_ref()),
        locked_block_hash: hash(state.locked.as_ref().map(|(_, block)| block)),
        valid_block_hash: hash(state.valid.as_ref().map(|(_, block)| block)),
        height_vote_set: all_votes(&state.votes),
        proposer: types::Proposer {
            address: state.proposer.as_bytes().to_vec().into(),
            index: i32::try_from(index).unwrap_or(i32::MAX),
        },
    }
}

pub(super) fn whole(state: &RoundState) -> types::RoundState {
    let block = |of: Option<&BlockSoFar>| {
        let block = of.and_then(|block| block.block.as_ref());
        (block.map(|block| block.to_proto().into()), of.map(parts))
    };
    let of = |pair: &Option<(Round, BlockSoFar)>| {
        let round = pair.as_ref().map_or(NO_ROUND, |(round, _)| round.wire());
        (round, block(pair.as_ref().map(|(_, block)| block)))
    };
    let (proposal_block, proposal_block_parts) = block(state.proposal_block.as_ref());
    let (locked_round, (locked_block, locked_block_parts)) = of(&state.locked);
    let (valid_round, (valid_block, valid_block_parts)) = of(&state.valid);
    let last = state.last_commit.as_ref();
    let commit_time = state.commit_time.map(|time| time.to_proto());
    types::RoundState {
        height: state.height.wire(),
        round: state.round.wire(),
        step: state.step as u8,
        start_time: state.start_time.to_proto().into(),
        commit_time: commit_time.into(),
        validators: set(&state.validators),
        proposal: state.proposal.as_ref().map(|proposal| proposal.to_proto().into()),
        proposal_block,
        proposal_block_parts,
        locked_round,
        locked_block,
        locked_block_parts,
        valid_round,
        valid_block,
        valid_block_parts,
        votes: all_votes(&state.votes),
        commit_round: state.commit_round.map_or(NO_ROUND, Round::wire),
        last_commit: last.map(|tally| types::LastCommit {
            votes: lines(tally),
            votes_bit_array: voters(tally),
            ..types::LastCommit::default()
        }),
        last_validators: last.map(|tally| set(tally.validators())).unwrap_or_default(),
        triggered_timeout_precommit: state.triggered_timeout_precommit,
    }
}

fn set(validators: &ValidatorSet) -> types::ValidatorSet {
    validators.to_proto().into()
}

fn marks(bits: &BitArray) -> String {
    types::bits((0..bits.len()).map(|index| bits.get(index)))
}

fn parts(block: &BlockSoFar) -> types::Parts {
    let count = format!("{}/{}", block.parts.count_ones(), block.parts.len());
    types::Parts { count, parts_bit_array: marks(&block.parts) }
}

fn all_votes(votes: &[RoundVotes]) -> Vec<types::RoundVotes> {
    let of_round = |(round, votes): (i32, &RoundVotes)| types::RoundVotes {
        round,
        prevotes: lines(&votes.prevotes),
        prevotes_bit_array: voters(&votes.prevotes),
        precommits: lines(&votes.precommits),
        precommits_bit_array: voters(&votes.precommits),
    };
    (0..).zip(votes).map(of_round).collect()
}

fn lines(tally: &Tally) -> Vec<String> {
    let places = 0..u32::try_from(tally.validators().len()).unwrap_or(0);
    types::vote_lines(places.map(|index| tally.vote(index).map(|vote| vote.to_proto().into())))
}

fn voters(tally: &Tally) -> String {
    let total = tally.validators().total_power();
    types::voters_line(&marks(tally.voters()), tally.power().0, total.0)
}
