//! What those who watch are shown of rounds.
use std::time::Duration;

use guts_consensus::config::Config;
use guts_consensus::io::{Input, PeerId};
use guts_consensus::messages::{HasVote, Message, NewRoundStep, NewValidBlock, ProposalPol};
use guts_consensus::step::StepName;
use guts_consensus::types::{BitArray, PartSetHeader, VoteKind};
use guts_consensus::watch::{Happened, Notice, PeerState};
use guts_genesis::{Height, Round};

use crate::cluster::{Cluster, kvstore};

const MINUTE: Duration = Duration::from_secs(60);

/// Two blocks made, and a watcher at one of four nodes that rest.
fn watched(node: usize) -> Cluster {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(2));
    cluster.run_for(Duration::from_secs(3));
    cluster.nodes[node].engine.watch(true);
    cluster
}

/// The notices of a height but for votes, in a few letters each.
fn told(notices: &[Notice], height: u64) -> Vec<String> {
    let of_height = notices.iter().filter(|notice| notice.height.0 == height);
    let names = of_height.filter_map(|notice| {
        let name = match &notice.what {
            Happened::Vote(_) => return None,
            Happened::NewRound { .. } => "NewRound".to_owned(),
            Happened::CompleteProposal(_) => "CompleteProposal".to_owned(),
            other => format!("{other:?}"),
        };
        Some(format!("{} {name} {:?}", notice.round, notice.step))
    });
    names.collect()
}

#[test]
fn a_height_is_told_in_order() {
    let mut cluster = watched(1);
    assert_eq!(cluster.nodes[1].notices, [], "told from then on");
    let height = cluster.height(1) + 1;
    cluster.submit(0, 1, "a=1");
    cluster.run_until(MINUTE, |c| c.height(1) > height);
    let notices = &cluster.nodes[1].notices;
    let expected = [
        "0 NewRoundStep NewHeight",
        "0 NewRound NewRound",
        "0 NewRoundStep Propose",
        "0 CompleteProposal Propose",
        "0 NewRoundStep Prevote",
        "0 ValidBlock Prevote",
        "0 Polka Prevote",
        "0 Lock Prevote",
        "0 NewRoundStep Precommit",
        "0 NewRoundStep Commit",
    ];
    // The block that shows the new hash: of the one before, the watcher missed the beginning.
    let told: Vec<String> = told(notices, height + 1);
    let steps = told.iter().filter(|line| !line.contains("Wait"));
    assert_eq!(steps.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    let votes = notices.iter().filter_map(|notice| match &notice.what {
        Happened::Vote(vote) if vote.height.0 == height => Some(vote.validator_index),
        _ => None,
    });
    assert_eq!(votes.count(), 8, "everybody's two, late ones included");
    assert!(cluster.nodes.iter().skip(2).all(|node| node.notices.is_empty()), "nobody watches");
}

#[test]
fn a_round_without_a_proposal_is_told_and_shown() {
    let mut cluster = watched(0);
    let height = cluster.height(0) + 1;
    let proposer = cluster.nodes[0].engine.round_state().proposer;
    let is_it = |i: &usize| cluster.nodes[*i].key.public_key().address() == proposer;
    let absent = (0..4).find(is_it).unwrap();
    let watcher = (absent + 1) % 4;
    cluster.nodes[watcher].engine.watch(true);
    let before = cluster.nodes[watcher].engine.round_state();
    assert_eq!((before.step, before.round), (StepName::NewRound, Round::ZERO));
    assert_eq!((before.height, before.votes.len()), (Height(height), 2));
    assert!(before.proposal.is_none() && before.locked.is_none() && before.valid.is_none());
    assert_eq!(before.last_commit.unwrap().voters().count_ones(), 4);
    cluster.crash(absent);
    cluster.submit(watcher, 1, "a=1");
    cluster.run_until(MINUTE, |c| c.nodes[watcher].engine.round_state().round == Round(1));
    let after = cluster.nodes[watcher].engine.round_state();
    assert_eq!(after.votes.len(), 3);
    assert_eq!(after.votes[0].prevotes.maj23().map(|id| id.is_nil()), Some(true));
    assert_eq!(after.votes[0].precommits.voters().count_ones(), 3);
    assert_ne!(after.proposer, proposer);
    assert_eq!(after.validators.proposer().unwrap().address, after.proposer);
    cluster.run_until(MINUTE, |c| c.has_tx(watcher, "a=1"));
    let told = told(&cluster.nodes[watcher].notices, height);
    let place = |line: &str| told.iter().position(|other| other == line).expect(line);
    let in_order = [
        "0 NewRoundStep Propose",
        "0 TimeoutPropose Propose",
        "0 NewRoundStep Prevote",
        "0 Polka Prevote",
        "0 NewRoundStep Precommit",
        "0 TimeoutWait Precommit",
        "1 NewRound NewRound",
        "1 NewRoundStep Propose",
        "1 CompleteProposal Propose",
        "1 NewRoundStep Commit",
    ];
    let places: Vec<usize> = in_order.into_iter().map(place).collect();
    assert!(places.is_sorted(), "{told:?}");
    let locks = told.iter().filter(|line| line.starts_with("0 Lock")).count();
    assert_eq!(locks, 0, "nobody locks nil");
    assert_eq!(told.iter().filter(|line| line.contains(" NewRound ")).count(), 2);
}

fn peer_of(cluster: &Cluster, node: usize, peer: usize) -> PeerState {
    let states = cluster.nodes[node].engine.peer_states();
    states.into_iter().find(|state| state.peer == PeerId(peer as u64)).unwrap()
}

fn ones(bits: Option<&BitArray>) -> Vec<usize> {
    bits.expect("it is at our height").ones().collect()
}

#[test]
fn what_peers_have_is_known_as_far_as_they_sent_it_or_say_so() {
    let mut cluster = watched(0);
    let state = cluster.nodes[0].engine.round_state();
    let place = |i: usize| {
        let address = cluster.nodes[i].key.public_key().address();
        state.validators.by_address(&address).unwrap().0 as usize
    };
    let places = [0, 1, 2, 3].map(place);
    for (peer, place) in places.iter().enumerate().skip(1) {
        let rests = peer_of(&cluster, 0, peer);
        assert_eq!((rests.height, rests.round), (state.height, Round::ZERO));
        assert_eq!(rests.last_commit_round, Some(Round::ZERO));
        assert_eq!(ones(rests.last_commit.as_ref()), [*place], "it sent its own, once");
        assert_eq!(ones(rests.prevotes.as_ref()), [0; 0]);
        assert!(!rests.has_proposal && rests.parts.is_none());
        assert!(rests.votes > 0, "it was the first to send its own");
    }
    // The round's proposer and one other are left: too few to decide.
    let is_proposer = |i: &usize| cluster.nodes[*i].key.public_key().address() == state.proposer;
    let proposer = (0..4).find(is_proposer).unwrap();
    let here = (proposer + 1) % 4;
    let others = [(proposer + 2) % 4, (proposer + 3) % 4];
    others.iter().for_each(|other| cluster.crash(*other));
    cluster.submit(here, 1, "a=1");
    cluster.run_until(MINUTE, |c| {
        let round = &c.nodes[here].engine.round_state();
        round.votes[0].prevotes.voters().count_ones() == 2
    });
    let told = peer_of(&cluster, here, proposer);
    let (header, parts) = told.parts.clone().expect("it sent its block");
    assert!(told.has_proposal && parts.is_full() && parts.len() == header.total as usize);
    assert!(told.block_parts >= 1 && told.pol_round.is_none());
    assert!(ones(told.prevotes.as_ref()).contains(&places[proposer]));
    // It is stuck, and says in time what it has: our vote is there, too.
    let mut both = vec![places[proposer], places[here]];
    both.sort_unstable();
    cluster.run_until(MINUTE, |c| ones(peer_of(c, here, proposer).prevotes.as_ref()) == both);
    assert_eq!(ones(peer_of(&cluster, here, proposer).precommits.as_ref()), [0; 0]);
}

#[test]
fn what_a_peer_says_it_has_is_shown_for_its_round_and_bounded() {
    let mut cluster = watched(0);
    let height = cluster.nodes[0].engine.round_state().height;
    let say = |cluster: &mut Cluster, message: Message| {
        cluster.input(0, Input::Message { peer: PeerId(1), message });
        cluster.run_steps_of(0, 1);
    };
    let at = |height: Height, round: u32| {
        Message::NewRoundStep(NewRoundStep {
            height,
            round: Round(round),
            step: StepName::Precommit,
            seconds_since_start: 0,
            last_commit_round: Some(Round(7)),
        })
    };
    let has = |round: u32, kind: VoteKind, index: u32| {
        Message::HasVote(HasVote { height, round: Round(round), kind, index })
    };
    let bits = |len: usize, ones: &[usize]| {
        let mut bits = BitArray::new(len);
        ones.iter().for_each(|index| assert!(bits.set(*index, true)));
        bits
    };
    say(&mut cluster, at(height, 2));
    say(&mut cluster, has(2, VoteKind::Prevote, 3));
    say(&mut cluster, has(2, VoteKind::Precommit, 1));
    say(&mut cluster, has(2, VoteKind::Precommit, 9_999));
    say(&mut cluster, has(1, VoteKind::Prevote, 0));
    let votes = bits(4, &[0, 3]);
    let pol = ProposalPol { height, pol_round: Round(2), votes };
    say(&mut cluster, Message::ProposalPol(pol));
    let of_block = PartSetHeader { total: 3, ..PartSetHeader::default() };
    let valid = |parts: BitArray| {
        let (round, parts_header) = (Round(2), of_block);
        Message::NewValidBlock(NewValidBlock {
            height,
            round,
            parts_header,
            parts,
            is_commit: false,
        })
    };
    say(&mut cluster, valid(bits(3, &[1])));
    say(&mut cluster, valid(bits(3, &[2])));
    say(&mut cluster, valid(bits(4, &[3])));
    let said = peer_of(&cluster, 0, 1);
    assert_eq!((said.round, said.step), (Round(2), StepName::Precommit));
    assert_eq!(ones(said.prevotes.as_ref()), [0, 3]);
    assert_eq!(ones(said.precommits.as_ref()), [1]);
    assert_eq!(said.parts, Some((of_block, bits(3, &[1, 2]))), "others of its parts are lies");
    assert_eq!(ones(said.last_commit.as_ref()), [0; 0], "it was decided in another round here");
    // Only so many rounds are kept: those of a flood push out each other, and the lowest first.
    for round in 0..100_000 {
        say(&mut cluster, has(round, VoteKind::Prevote, 2));
    }
    say(&mut cluster, has(2, VoteKind::Prevote, 1));
    assert_eq!(ones(peer_of(&cluster, 0, 1).prevotes.as_ref()), [0; 0]);
    say(&mut cluster, at(height, 99_999));
    assert_eq!(ones(peer_of(&cluster, 0, 1).prevotes.as_ref()), [2]);
    // Of a peer at another height nothing is known.
    say(&mut cluster, at(height.next(), 0));
    let away = peer_of(&cluster, 0, 1);
    assert!(away.prevotes.is_none() && away.precommits.is_none() && away.last_commit.is_none());
}
