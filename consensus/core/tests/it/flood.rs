//! What one peer, or one validator of any power, can make the others do: a bounded amount.
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use guts_consensus::config::Config;
use guts_consensus::io::{Input, PeerId};
use guts_consensus::messages::{Message, NewValidBlock, VoteSetBits, VoteSetMaj23};
use guts_consensus::protocol::{Protocol, Tendermint};
use guts_consensus::types::{
    BitArray, BlockId, Hash, PartSetHeader, Proposal, ValidatorSet, Vote, VoteKind,
};
use guts_consensus::wal;
use guts_genesis::{Address, Round, Signature};

use crate::cluster::{Cluster, kvstore};
use crate::rules::extended;

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

/// Nobody hears anybody, so that nothing is decided.
fn part(cluster: &mut Cluster) {
    (0..4).for_each(|a| (a + 1..4).for_each(|b| _ = cluster.cut.insert((a, b))));
}

/// All hear each other, and the chain goes on.
fn assert_goes_on(cluster: &mut Cluster) {
    cluster.cut.clear();
    cluster.submit(0, 1, "a=1");
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "a=1")));
    cluster.assert_agreement();
}

/// Four whose precommits are extended, and who do not hear each other any more.
fn extended_and_apart() -> Cluster {
    let mut cluster = Cluster::with_genesis(4, Config::default(), extended(), |manifest| {
        manifest.consensus_params.vote_extensions_enable_height = 1;
    });
    cluster.run_until(MINUTE, |c| c.all_at(2));
    cluster.run_for(Duration::from_secs(2));
    part(&mut cluster);
    cluster.nodes[0].calls.clear();
    cluster
}

/// How many extensions the application of node 0 was asked about.
fn asked(cluster: &Cluster) -> usize {
    cluster.nodes[0].calls.iter().filter(|call| **call == "verify").count()
}

#[test]
fn one_vote_of_the_last_round_costs_nothing_before_or_after_a_restart() {
    let mut cluster = Cluster::with_protocol(4, Config::default(), Arc::new(Counted));
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.run_for(Duration::from_secs(2));
    part(&mut cluster);
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
    assert_goes_on(&mut cluster);
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

/// Votes of this round and later ones in the log of node 0.
fn logged(cluster: &Cluster, from: Round) -> usize {
    let log = Bytes::from(cluster.nodes[0].disk.log.clone());
    let entries = wal::recover(&log).unwrap().entries;
    let is_one = |entry: &&wal::Entry| matches!(entry, wal::Entry::Vote(v) if v.round >= from);
    entries.iter().filter(is_one).count()
}

#[test]
fn a_validator_that_votes_in_ever_higher_rounds_is_heard_of_a_few_of_them() {
    const OPENINGS_MAX: usize = 64;
    let mut cluster = extended_and_apart();
    let villain = 3;
    let height = cluster.nodes[0].engine.round_state().height;
    let good = format!("height {height}");
    let precommits = |cluster: &mut Cluster, rounds: Range<u32>, extension: &str| {
        for round in rounds {
            let vote = extended_vote(cluster, Round(round), extension);
            hear(cluster, 0, 1, Message::Vote(vote));
            cluster.run_for(Duration::ZERO);
        }
    };
    for round in 10..100 {
        let vote = vote(&cluster, villain, VoteKind::Prevote, Round(round));
        hear(&mut cluster, 0, 1, Message::Vote(vote));
    }
    precommits(&mut cluster, 100..200, &good);
    assert_eq!((logged(&cluster, Round(10)), asked(&cluster)), (OPENINGS_MAX, 0));
    // Neither after a restart.
    cluster.crash(0);
    cluster.restart(0);
    cluster.run_for(Duration::from_millis(10));
    precommits(&mut cluster, 200..300, &good);
    assert_eq!((logged(&cluster, Round(10)), asked(&cluster)), (OPENINGS_MAX, 0));
    // With another's it counts, and makes the node skip; there it may speak of others again.
    let skip = |cluster: &mut Cluster, round: Round| {
        for of in [2, villain] {
            let vote = vote(cluster, of, VoteKind::Prevote, round);
            hear(cluster, 0, 1, Message::Vote(vote));
        }
        cluster.run_for(Duration::from_millis(10));
        assert_eq!(cluster.nodes[0].engine.status().round, round);
    };
    skip(&mut cluster, Round(1_000));
    precommits(&mut cluster, 1_010..1_100, &good);
    assert_eq!((logged(&cluster, Round(1_010)), asked(&cluster)), (OPENINGS_MAX, OPENINGS_MAX));
    skip(&mut cluster, Round(2_000));
    precommits(&mut cluster, 2_010..2_100, "what is refused");
    assert_eq!((logged(&cluster, Round(2_010)), asked(&cluster)), (0, 2 * OPENINGS_MAX));
    assert!(cluster.nodes[0].offences.is_empty());
    // All hear of that round when they hear each other.
    assert_goes_on(&mut cluster);
}

/// Counts what node 0 sends to node 3, of one kind.
fn count_sent(cluster: &mut Cluster, is_it: fn(&Message) -> bool) -> Rc<Cell<usize>> {
    let sent = Rc::new(Cell::new(0));
    let note = sent.clone();
    cluster.filter = Box::new(move |from, to, message| {
        let counts = (from, to) == (0, 3) && is_it(message);
        note.set(note.get() + usize::from(counts));
        true
    });
    sent
}

#[test]
fn who_asks_again_and_again_is_answered_a_few_times_in_an_interval() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.submit(0, 1, "a=1");
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "a=1")));
    cluster.run_for(Duration::from_secs(5));
    let last = cluster.nodes[0].committed.last().unwrap().decided.clone();
    let (height, round) = (last.commit.height, last.commit.round);
    let parts_header = last.id.parts;
    let parts = Message::NewValidBlock(NewValidBlock {
        height,
        round,
        parts_header,
        parts: BitArray::new(last.parts.len()),
        is_commit: false,
    });
    let of = VoteSetMaj23 { height, round, kind: VoteKind::Precommit, block_id: BlockId::NIL };
    let votes = Message::VoteSetBits(VoteSetBits { of, votes: BitArray::new(4) });
    let is_part: fn(&Message) -> bool = |sent| matches!(sent, Message::BlockPart { .. });
    let is_vote: fn(&Message) -> bool = |sent| matches!(sent, Message::Vote(_));
    for (question, is_it, at_once, answers_max) in
        [(parts, is_part, last.parts.len(), 6), (votes, is_vote, 4, 12)]
    {
        let sent = count_sent(&mut cluster, is_it);
        for interval in 1..=3 {
            for _ in 0..1_000 {
                hear(&mut cluster, 0, 3, question.clone());
            }
            cluster.run_steps_of(0, 1_000);
            let answers = sent.get() / at_once;
            assert_eq!(answers, interval * answers_max, "as often as a correct node needs it");
            // The next heal tick is over.
            cluster.run_for(cluster.config.heal_interval);
        }
    }
    assert!(cluster.nodes[0].offences.is_empty(), "no more than that");
}

/// A precommit of node 3, extended with something.
fn extended_vote(cluster: &Cluster, round: Round, extension: &str) -> Vote {
    let node = &cluster.nodes[3];
    let mut vote = vote(cluster, 3, VoteKind::Precommit, round);
    let parts = PartSetHeader { total: 1, hash: Hash::of(b"part") };
    vote.block_id = BlockId { hash: Hash::of(b"block"), parts };
    vote.extension = Bytes::copy_from_slice(extension.as_bytes());
    vote.signature = node.key.sign(&vote.sign_bytes("cluster"));
    vote.extension_signature = node.key.sign(&vote.extension_sign_bytes("cluster"));
    vote
}

#[test]
fn a_refused_precommit_is_shown_to_the_application_once() {
    let mut cluster = extended_and_apart();
    for extension in ["one", "another"] {
        let vote = extended_vote(&cluster, Round::ZERO, extension);
        for _ in 0..50 {
            hear(&mut cluster, 0, 1, Message::Vote(vote.clone()));
            hear(&mut cluster, 0, 2, Message::Vote(vote.clone()));
        }
        cluster.run_for(Duration::from_millis(10));
    }
    assert_eq!(asked(&cluster), 2, "each once");
    let duplicates = cluster.nodes[0].engine.status().counters.duplicate_votes;
    assert!(duplicates >= 198, "{duplicates}");
    // Its true one still counts, and the chain goes on.
    assert_goes_on(&mut cluster);
    assert!(cluster.nodes.iter().all(|node| node.offences.is_empty()));
}
