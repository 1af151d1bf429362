//! Extensions, equivocation, changing validators, poisoned peers, canaries.
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use guts_abci::proto::abci as pb;
use guts_consensus::config::Config;
use guts_consensus::io::{ClientRequest, Input, Offence, PeerId, Ticket};
use guts_consensus::messages::{Message, NewRoundStep};
use guts_consensus::step::StepName;
use guts_consensus::types::{BlockId, DuplicateVote, Evidence, Vote, VoteKind};
use guts_genesis::{Height, Round, Signature};

use crate::apps::{Changes, changed};
use crate::cluster::{Cluster, MakeApp, kvstore};

const MINUTE: Duration = Duration::from_secs(60);
const ACCEPT: i32 = 1;
const REJECT: i32 = 2;

/// The kvstore with vote extensions: each says the height; one that says anything else is refused.
pub fn extended() -> MakeApp {
    let check = |request: &pb::RequestPrepareProposal| {
        let info = request.local_last_commit.clone().unwrap_or_default();
        let extended = info.votes.iter().filter(|vote| !vote.vote_extension.is_empty()).count();
        assert!(request.height == 1 || extended >= 3, "the proposer sees two thirds of them");
    };
    changed(Changes {
        prepare: Some(Arc::new(check)),
        extend: Some(|request| {
            let vote_extension = Bytes::from(format!("height {}", request.height));
            pb::ResponseExtendVote { vote_extension }
        }),
        verify: Some(|request| {
            let good = request.vote_extension == format!("height {}", request.height);
            pb::ResponseVerifyVoteExtension { status: if good { ACCEPT } else { REJECT } }
        }),
        ..Changes::default()
    })
}

#[test]
fn extensions_are_made_verified_shown_and_fetched() {
    let config = Config::default();
    let mut cluster = Cluster::with_genesis(4, config, extended(), |manifest| {
        manifest.consensus_params.vote_extensions_enable_height = 1;
    });
    for n in 0..10 {
        cluster.submit(n % 4, n as u64, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(50));
    }
    cluster.crash(3);
    for n in 10..20 {
        cluster.submit(n % 3, n as u64, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(50));
    }
    cluster.run_for(MINUTE);
    cluster.restart(3);
    cluster.submit(3, 20, "k20=v");
    cluster.run_until(MINUTE, |c| (0..21).all(|n| (0..3).all(|i| c.has_tx(i, &format!("k{n}=v")))));
    cluster.run_until(MINUTE, |c| c.has_tx(3, "k20=v"));
    cluster.assert_agreement();
    let block = cluster.nodes[0].committed.last().unwrap();
    assert!(block.decided.extended);
    let own = cluster.nodes[1].calls.iter().filter(|call| **call == "extend").count();
    let others = cluster.nodes[1].calls.iter().filter(|call| **call == "verify").count();
    assert!(own > 0 && others > own);
    assert!(cluster.nodes[3].engine.status().counters.synced_blocks > 0);
}

/// An application that dies between FinalizeBlock and Commit lets its engine shake hands once more,
/// which ends the height. Its votes, asked to be signed again in the next, would lack what only
/// that height's precommits have, and others would blame the node for them.
#[test]
fn s2_votes_of_a_height_that_is_over_are_not_signed_again() {
    let mut cluster = Cluster::with_genesis(4, Config::default(), extended(), |manifest| {
        manifest.consensus_params.vote_extensions_enable_height = 1;
    });
    cluster.run_until(MINUTE, |c| c.all_at(2));
    cluster.run_for(Duration::from_secs(2));
    let bare: Rc<RefCell<Vec<Vote>>> = Rc::default();
    let note = bare.clone();
    cluster.filter = Box::new(move |_, _, message| {
        if let Message::Vote(vote) = message
            && vote.is_extendable()
            && vote.extension_signature.is_empty()
        {
            note.borrow_mut().push(vote.clone());
        }
        true
    });
    let height = cluster.height(1);
    cluster.submit(0, 1, "a=1");
    cluster.nodes[1].calls.clear();
    cluster.run_until(MINUTE, |c| c.nodes[1].calls.contains(&"finalize"));
    cluster.nodes[1].freeze_app = true;
    cluster.run_until(MINUTE, |c| c.nodes[1].disk.blocks.contains_key(&Height(height + 1)));
    assert_eq!(cluster.height(1), height, "stored and not committed");
    cluster.nodes[1].freeze_app = false;
    cluster.input(1, Input::AppDown);
    cluster.input(1, Input::AppUp);
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "a=1")));
    cluster.run_for(Duration::from_secs(5));
    cluster.assert_agreement();
    assert_eq!(bare.borrow()[..], []);
    assert!(cluster.nodes.iter().all(|node| node.offences.is_empty()));
}

/// A second, different vote of validator 0, signed by its key.
fn contradiction(cluster: &Cluster, vote: &Vote) -> Vote {
    let mut other = vote.clone();
    other.block_id = BlockId::NIL;
    other.extension = Bytes::new();
    other.extension_signature = Signature::NONE;
    other.signature = cluster.nodes[0].key.sign(&other.sign_bytes("cluster"));
    other
}

#[test]
fn an_equivocation_ends_up_in_a_block_and_at_the_application() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    let seen: Rc<RefCell<Option<Vote>>> = Rc::default();
    let note = seen.clone();
    cluster.filter = Box::new(move |from, to, message| {
        if let (0, 1, Message::Vote(vote)) = (from, to, message)
            && vote.kind == VoteKind::Prevote
            && !vote.block_id.is_nil()
        {
            note.borrow_mut().get_or_insert_with(|| vote.clone());
        }
        true
    });
    cluster.submit(1, 1, "a=1");
    cluster.run_until(MINUTE, |_| seen.borrow().is_some());
    let vote = contradiction(&cluster, seen.borrow().as_ref().unwrap());
    let message = Message::Vote(vote);
    cluster.input(1, Input::Message { peer: PeerId(0), message });
    cluster.run_until(MINUTE, |c| {
        let blocks = |i: usize| c.nodes[i].committed.iter();
        (0..4).all(|i| blocks(i).any(|block| !block.decided.block.evidence().is_empty()))
    });
    cluster.assert_agreement();
    assert_eq!(cluster.nodes[1].engine.status().counters.equivocations, 1);
    assert!((0..4).all(|i| cluster.nodes[i].engine.status().evidence == 0), "it is done with");
    let all: usize =
        cluster.nodes[2].committed.iter().map(|block| block.decided.block.evidence().len()).sum();
    assert_eq!(all, 1, "and comes once");
}

/// A node that was restarted does not remember old heights: it looks them up, and the block that
/// others may be locked on is judged then, not refused for good.
#[test]
fn a_block_with_evidence_of_a_height_not_at_hand_is_judged_when_that_is_loaded() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    for n in 0..5 {
        cluster.submit(n % 4, n as u64, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(50));
    }
    cluster.run_until(MINUTE, |c| c.all_at(5));
    cluster.crash(3);
    cluster.restart(3);
    cluster.crash(2);
    cluster.run_for(Duration::from_secs(2));
    cluster.filter = Box::new(|_, to, message| to != 3 || !matches!(message, Message::Evidence(_)));
    let block = cluster.nodes[1].committed.iter().find(|b| b.height == Height(2)).unwrap().clone();
    let votes = block.decided.commit.signatures.len();
    let mut own = (0..votes).filter_map(|index| block.decided.commit.vote(index));
    let me = cluster.nodes[0].key.public_key().address();
    let vote = own.find(|vote| vote.validator_address == me).unwrap();
    let other = contradiction(&cluster, &vote);
    let (time, set) = (block.decided.block.header().time, &block.state.last_validators);
    let evidence = DuplicateVote::new(vote, other, time, set).unwrap();
    let evidence = Box::new(Evidence::DuplicateVote(Box::new(evidence)));
    let request = ClientRequest::SubmitEvidence(evidence);
    cluster.input(1, Input::Client { ticket: Ticket(77), request });
    cluster.run_until(MINUTE, |c| {
        let blocks = |i: usize| c.nodes[i].committed.iter();
        [0, 1, 3].iter().all(|i| blocks(*i).any(|b| !b.decided.block.evidence().is_empty()))
    });
    cluster.assert_agreement();
    assert_eq!(cluster.nodes[3].engine.status().counters.catch_ups, 0, "it voted for it itself");
}

#[test]
fn validators_leave_and_the_others_go_on() {
    use base64::Engine as _;
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    let key = cluster.nodes[3].key.public_key();
    let key = base64::engine::general_purpose::STANDARD.encode(key.as_bytes());
    cluster.submit(0, 1, &format!("val=ed25519!{key}!0"));
    cluster.run_until(MINUTE, |c| c.all_at(2));
    for n in 0..5 {
        cluster.submit(1, 10 + n, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(50));
    }
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "k4=v")));
    assert_eq!(cluster.nodes[0].engine.status().participation.len(), 3);
    assert_eq!(cluster.nodes[3].engine.status().validator, None);
    cluster.submit(3, 99, "last=1");
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "last=1")));
    cluster.assert_agreement();
}

/// A peer says that it works on a height.
fn claim(peer: u64, height: Height) -> Input {
    let (round, step) = (Round(0), StepName::Propose);
    let said =
        NewRoundStep { height, round, step, seconds_since_start: 0, last_commit_round: None };
    Input::Message { peer: PeerId(peer), message: Message::NewRoundStep(said) }
}

#[test]
fn claims_of_heights_hold_no_round_back() {
    let config = Config::default();
    let believed_once = config.sync_timeout * 2;
    let mut cluster = Cluster::new(4, config, kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(1));
    // Everybody hears it from everybody, and nobody ever serves a block.
    cluster.filter = Box::new(|_, _, message| {
        !matches!(message, Message::BlockResponse(_) | Message::NoBlockResponse(_))
    });
    let far = Height(1_000_000_000_000);
    let boast = |cluster: &mut Cluster| {
        for (from, to) in (0..4).flat_map(|to| (0..4).map(move |from| (from, to))) {
            cluster.input(to, claim(from as u64, far));
        }
    };
    boast(&mut cluster);
    cluster.run_steps(4);
    let is_behind = |c: &Cluster, i: usize| c.nodes[i].engine.status().catching_up;
    assert!((0..4).all(|i| is_behind(&cluster, i)), "the first claim is believed for a while");
    cluster.run_for(believed_once);
    for n in 0..40 {
        boast(&mut cluster);
        cluster.submit(n % 4, 10 + n as u64, &format!("k{n}=v"));
        let has = |c: &Cluster| (0..4).all(|i| c.has_tx(i, &format!("k{n}=v")));
        cluster.run_until(Duration::from_millis(200), has);
        assert!((0..4).all(|i| !is_behind(&cluster, i)));
        cluster.run_for(Duration::from_millis(500));
    }
    let slow = |i: usize| cluster.nodes[i].offences.contains(&Offence::Slow);
    assert!((0..4).all(slow), "they were asked for blocks");
    cluster.assert_agreement();
}

#[test]
fn a_peer_that_claims_heights_it_does_not_have_wedges_nobody() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.submit(0, 1, "a=1");
    cluster.run_until(MINUTE, |c| c.all_at(1));
    for height in [1_000_000, 7, u64::MAX / 4] {
        let (base, height) = (Height(1), Height(height));
        let status = Message::StatusResponse { base, height };
        cluster.input(1, Input::Message { peer: PeerId(0), message: status });
        cluster.input(1, claim(0, height));
    }
    for n in 0..5 {
        cluster.submit(1, 10 + n, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(500));
    }
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "k4=v")));
    assert!(!cluster.nodes[1].engine.status().catching_up);
    cluster.assert_agreement();
}

#[test]
fn votes_of_strangers_and_with_wrong_signatures_are_reported() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    let seen: Rc<RefCell<Option<Vote>>> = Rc::default();
    let note = seen.clone();
    cluster.filter = Box::new(move |_, to, message| {
        if let (1, Message::Vote(vote)) = (to, message) {
            note.borrow_mut().get_or_insert_with(|| vote.clone());
        }
        to != 1
    });
    cluster.submit(1, 1, "a=1");
    cluster.run_until(MINUTE, |_| seen.borrow().is_some());
    let vote = seen.borrow().clone().unwrap();
    let mut wrong = vote.clone();
    wrong.block_id = BlockId::NIL;
    let mut stranger = vote.clone();
    stranger.validator_index = 77;
    let mut misplaced = vote;
    misplaced.validator_index = (misplaced.validator_index + 1) % 4;
    let mut offences_of = |vote: Vote| {
        cluster.nodes[1].offences.clear();
        cluster.input(1, Input::Message { peer: PeerId(2), message: Message::Vote(vote) });
        cluster.run_steps(60);
        cluster.nodes[1].offences.clone()
    };
    for vote in [wrong, stranger.clone(), misplaced.clone()] {
        assert_eq!(offences_of(vote), [Offence::BadSignature("vote")]);
    }
    // The next height's validators are known: what cannot be a vote of it is not kept until then.
    for vote in [stranger, misplaced] {
        let early = Vote { height: vote.height.next(), ..vote };
        assert_eq!(offences_of(early), [Offence::BadSignature("early vote")]);
    }
}

#[test]
fn a_chain_at_rest_is_silent_and_makes_a_block_when_the_interval_is_over() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.run_for(Duration::from_secs(2));
    let (height, before) = (cluster.height(0), cluster.messages);
    cluster.run_for(Duration::from_secs(25));
    assert_eq!(cluster.height(0), height);
    let said = cluster.messages - before;
    assert!(said <= 25 * 12 + 12, "one line a second to each peer, not {said}");
    cluster.run_for(Duration::from_secs(10));
    assert!(cluster.height(0) > height);
    cluster.assert_agreement();
}

/// Whatever a late precommit carries that a signature does not cover is checked like that of one in
/// time: else it would be passed on, and into the next block's commit.
#[test]
fn a_late_precommit_with_another_address_or_an_extension_is_refused() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    let held: Rc<RefCell<Option<Vote>>> = Rc::default();
    let note = held.clone();
    cluster.filter = Box::new(move |from, _, message| match message {
        Message::Vote(vote) if from == 3 && vote.kind == VoteKind::Precommit => {
            *note.borrow_mut() = Some(vote.clone());
            false
        }
        _ => true,
    });
    cluster.submit(0, 1, "a=1");
    cluster.run_until(MINUTE, |c| (0..3).all(|i| c.has_tx(i, "a=1")));
    cluster.run_for(Duration::from_millis(500));
    let vote = held.borrow().clone().unwrap();
    assert_eq!(vote.height.0, cluster.height(0), "it is late");
    let mut renamed = vote.clone();
    renamed.validator_address = cluster.nodes[0].key.public_key().address();
    let mut extended = vote.clone();
    extended.extension_signature = vote.signature;
    for bad in [renamed, extended] {
        cluster.nodes[1].offences.clear();
        cluster.input(1, Input::Message { peer: PeerId(0), message: Message::Vote(bad) });
        cluster.run_steps(3);
        let offences = &cluster.nodes[1].offences;
        assert_eq!(offences[..], [Offence::BadSignature("late precommit")]);
    }
    assert_eq!(cluster.nodes[1].engine.status().participation.iter().filter(|p| p.1).count(), 3);
    cluster.input(1, Input::Message { peer: PeerId(0), message: Message::Vote(vote) });
    cluster.run_steps(3);
    assert_eq!(cluster.nodes[1].engine.status().participation.iter().filter(|p| p.1).count(), 4);
}

/// With another validator down nothing else would ever end the round.
#[test]
fn a_signer_that_refuses_is_asked_again() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(2));
    cluster.crash(3);
    cluster.run_for(Duration::from_secs(2));
    cluster.nodes[2].refusals = 2;
    cluster.submit(0, 1, "a=1");
    cluster.run_until(MINUTE, |c| (0..3).all(|i| c.has_tx(i, "a=1")));
    assert_eq!(cluster.nodes[2].refusals, 0);
    cluster.assert_agreement();
}
