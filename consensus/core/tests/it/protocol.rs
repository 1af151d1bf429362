//! Others stand in Tendermint's place: with other leaders, other timing, another voting rule.
use std::sync::Arc;
use std::time::Duration;

use guts_consensus::config::{Config, Pacing};
use guts_consensus::protocol::Protocol;
use guts_consensus::round::{Effect, Event, Machine, Step};
use guts_consensus::types::ValidatorSet;
use guts_genesis::{Address, Round};

use crate::cluster::Cluster;

const MINUTE: Duration = Duration::from_secs(60);

/// One leader for all heights, and the others only when it is silent, for a moment each.
#[derive(Debug)]
struct OneLeader;

const MOMENT: Duration = Duration::from_millis(50);

impl Protocol for OneLeader {
    fn proposer(&self, validators: &ValidatorSet, round: Round) -> Address {
        let all = validators.validators();
        all[round.0 as usize % all.len()].address
    }

    fn timeout(&self, _: &Pacing, _: Step, _: Round) -> Duration {
        MOMENT
    }
}

/// Nobody trusts the first proposal of a height.
#[derive(Debug)]
struct SecondThought;

impl Protocol for SecondThought {
    fn step(&self, machine: &mut Machine, event: Event) -> Option<Effect> {
        match event {
            Event::Proposal { .. } if machine.round == Round::ZERO => {
                machine.step(Event::TimeoutPropose(Round::ZERO))
            }
            event => machine.step(event),
        }
    }
}

/// Commits some transactions through one node.
fn commit(cluster: &mut Cluster, through: usize, up: &[usize]) {
    for n in 0..5_u64 {
        let tx = format!("k{n}=v");
        cluster.submit(through, n, &tx);
        cluster.run_until(MINUTE, |c| up.iter().all(|i| c.has_tx(*i, &tx)));
    }
    cluster.assert_agreement();
}

#[test]
fn leaders_and_timing_are_the_protocols() {
    let mut cluster = Cluster::with_protocol(4, Config::default(), Arc::new(OneLeader));
    commit(&mut cluster, 1, &[0, 1, 2, 3]);
    cluster.run_for(Duration::from_secs(1));
    let blocks = cluster.nodes[1].committed.clone();
    let leaders = blocks[0].state.validators.validators().to_vec();
    let made_by = |block: &Address, leader: usize| *block == leaders[leader].address;
    let made = blocks.iter().map(|block| block.decided.block.header().proposer_address);
    assert!(blocks.len() > 4 && made.clone().all(|by| made_by(&by, 0)), "one makes all");

    let place = |of: usize| {
        let own = |node: &crate::cluster::Node| made_by(&node.key.public_key().address(), of);
        cluster.nodes.iter().position(own).unwrap()
    };
    let (first, second) = (place(0), place(1));
    let up: Vec<usize> = (0..4).filter(|node| *node != first).collect();
    cluster.crash(first);
    let (seen, from) = (blocks.len(), cluster.mono);
    cluster.submit(second, 100, "last=v");
    cluster.run_until(MINUTE, |c| up.iter().all(|i| c.has_tx(*i, "last=v")));
    assert!(cluster.mono - from < 10 * MOMENT, "nobody waits longer than the protocol says");
    let next = &cluster.nodes[second].committed[seen].decided;
    assert!(
        made_by(&next.block.header().proposer_address, 1),
        "the second, when the first is gone"
    );
    assert_eq!(next.commit.round, Round(1));
}

#[test]
fn the_voting_rule_is_the_protocols() {
    let mut cluster = Cluster::with_protocol(4, Config::default(), Arc::new(SecondThought));
    commit(&mut cluster, 0, &[0, 1, 2, 3]);
    for node in &cluster.nodes {
        let rounds = node.committed.iter().map(|block| block.decided.commit.round);
        assert!(node.committed.len() >= 5 && rounds.clone().all(|round| round == Round(1)));
    }
}
