//! What one peer, or one validator of any power, can make the others do: a bounded amount.
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use guts_consensus::config::Config;
use guts_consensus::io::{Input, PeerId};
use guts_consensus::messages::Message;
use guts_consensus::protocol::{Protocol, Tendermint};
use guts_consensus::types::{BlockId, Proposal, ValidatorSet, Vote, VoteKind};
use guts_genesis::{Address, Round, Signature};

use crate::cluster::Cluster;

const MINUTE: Duration = Duration::from_secs(60);
/// The highest round that a message can name.
const LAST_ROUND: Round = Round(i32::MAX as u32);

/// Tendermint, which is never asked who proposes in a round that no correct node comes to: counting
/// so many rounds takes minutes.
#[derive(Debug)]
struct Counted;

impl Protocol for Counted {
    fn proposer(&self, validators: &ValidatorSet, round: Round) -> Address {
        assert!(round < Round(1_000), "the proposer of {round} is asked for");
        Tendermint.proposer(validators, round)
    }
}

/// A vote for nil of one node, in the height in progress.
fn vote(cluster: &Cluster, of: usize, kind: VoteKind, round: Round) -> Vote {
    let node = &cluster.nodes[of];
    let state = node.engine.round_state();
    let address = node.key.public_key().address();
    let (validator_index, _) = state.validators.by_address(&address).unwrap();
    let mut vote = Vote {
        kind,
        height: state.height,
        round,
        block_id: BlockId::NIL,
        time: cluster.wall,
        validator_address: address,
        validator_index,
        signature: Signature::NONE,
        extension: Bytes::new(),
        extension_signature: Signature::NONE,
    };
    vote.signature = node.key.sign(&vote.sign_bytes("cluster"));
    vote
}

fn hear(cluster: &mut Cluster, at: usize, from: usize, message: Message) {
    cluster.input(at, Input::Message { peer: PeerId(from as u64), message });
}

#[test]
fn one_vote_of_the_last_round_costs_nothing_before_or_after_a_restart() {
    let mut cluster = Cluster::with_protocol(4, Config::default(), Arc::new(Counted));
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.run_for(Duration::from_secs(2));
    // Nobody decides anything for now.
    (0..4).for_each(|a| (a + 1..4).for_each(|b| _ = cluster.cut.insert((a, b))));
    let villain = 3;
    for (kind, round) in [
        (VoteKind::Prevote, LAST_ROUND),
        (VoteKind::Precommit, LAST_ROUND),
        (VoteKind::Prevote, Round(LAST_ROUND.0 - 1)),
    ] {
        let vote = vote(&cluster, villain, kind, round);
        (0..3).for_each(|i| hear(&mut cluster, i, villain, Message::Vote(vote.clone())));
    }
    // A proposal for a round that a vote has opened is not asked about, either.
    let mut proposal = Proposal {
        height: cluster.nodes[0].engine.round_state().height,
        round: LAST_ROUND,
        pol_round: None,
        block_id: cluster.nodes[0].engine.status().block_id,
        time: cluster.wall,
        signature: Signature::NONE,
    };
    proposal.signature = cluster.nodes[villain].key.sign(&proposal.sign_bytes("cluster"));
    (0..3).for_each(|i| hear(&mut cluster, i, villain, Message::Proposal(proposal.clone())));
    cluster.run_for(Duration::from_millis(100));
    let last = format!("{LAST_ROUND} None");
    assert!((0..3).all(|i| cluster.nodes[i].engine.digest().contains(&last)), "it is kept");
    (0..3).for_each(|i| cluster.crash(i));
    (0..3).for_each(|i| cluster.restart(i));
    cluster.run_for(Duration::from_millis(100));
    assert!((0..3).all(|i| cluster.nodes[i].engine.digest().contains(&last)), "still");
    cluster.cut.clear();
    cluster.submit(0, 1, "a=1");
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "a=1")));
    cluster.assert_agreement();
}

#[test]
fn a_far_round_that_a_third_votes_in_is_skipped_to() {
    let mut cluster = Cluster::with_protocol(4, Config::default(), Arc::new(Counted));
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.run_for(Duration::from_secs(2));
    cluster.crash(2);
    cluster.crash(3);
    cluster.submit(0, 1, "a=1");
    cluster.run_for(Duration::from_millis(100));
    let far = Round(500);
    for of in [2, 3] {
        let vote = vote(&cluster, of, VoteKind::Prevote, far);
        (0..2).for_each(|i| hear(&mut cluster, i, 1 - i, Message::Vote(vote.clone())));
    }
    cluster.run_for(Duration::from_millis(100));
    assert!((0..2).all(|i| cluster.nodes[i].engine.status().round == far));
    [2, 3].into_iter().for_each(|i| cluster.restart(i));
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "a=1")));
    cluster.assert_agreement();
}
