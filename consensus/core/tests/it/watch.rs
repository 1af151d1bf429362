//! What those who watch are shown of rounds.
use std::time::Duration;

use guts_consensus::config::Config;
use guts_consensus::step::StepName;
use guts_consensus::watch::{Happened, Notice};
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
