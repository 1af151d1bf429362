//! Blocks with transactions, and rest without.
use std::time::Duration;

use guts_consensus::config::Config;
use guts_consensus::io::{ClientReply, Ticket};

use crate::cluster::{Cluster, kvstore};

const MINUTE: Duration = Duration::from_secs(60);
/// Far below the second after which healing would find what was lost.
const PROMPT: Duration = Duration::from_millis(200);

#[test]
fn four_engines_commit_transactions() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.submit(2, 7, "a=1");
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "a=1")));
    let reply = cluster.nodes[2].replies.get(&Ticket(7));
    assert!(matches!(reply, Some(ClientReply::Checked(answer)) if answer.code == 0));
    for n in 0..50 {
        cluster.submit(n % 4, 100 + n as u64, &format!("k{n}=v"));
        if n % 7 == 0 {
            cluster.run_for(Duration::from_millis(5));
        }
    }
    cluster.run_until(MINUTE, |c| (0..50).all(|n| (0..4).all(|i| c.has_tx(i, &format!("k{n}=v")))));
    cluster.assert_agreement();
    let rounds: u64 = cluster.nodes.iter().map(|n| n.engine.status().counters.extra_rounds).sum();
    assert_eq!(rounds, 0);
}

#[test]
fn one_validator_alone_and_nodes_that_only_follow() {
    let mut cluster = Cluster::new(1, Config::default(), kvstore());
    cluster.submit(0, 1, "a=1");
    cluster.run_until(MINUTE, |c| c.has_tx(0, "a=1"));
    let mut cluster = Cluster::with_genesis(3, Config::default(), kvstore(), |manifest| {
        manifest.validators[0].power = guts_genesis::Power(1000);
    });
    cluster.crash(2);
    for n in 0..5 {
        cluster.submit(1, n, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(50));
    }
    cluster.run_until(MINUTE, |c| (0..2).all(|i| c.has_tx(i, "k4=v")));
    cluster.assert_agreement();
}

#[test]
fn a_node_that_lingers_for_some_heights_goes_on_at_once() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(2));
    cluster.run_for(Duration::from_secs(3));
    // Whoever made the last block: the next three are made by others.
    let header = cluster.nodes[0].committed.last().unwrap().decided.block.header().clone();
    let made_it =
        |i: &usize| cluster.nodes[*i].key.public_key().address() == header.proposer_address;
    let slow = (0..4).find(made_it).unwrap();
    let other = (slow + 1) % 4;
    let (height, from) = (cluster.height(other), cluster.mono);
    cluster.nodes[slow].asleep = true;
    for (ticket, tx) in [(1, "one=v"), (2, "two=v")] {
        cluster.submit(other, ticket, tx);
        cluster.run_until(PROMPT, |c| c.has_tx(other, tx));
    }
    assert!(cluster.height(other) >= height + 3, "more than one height ahead");
    cluster.nodes[slow].asleep = false;
    cluster.run_until(PROMPT, |c| c.has_tx(slow, "two=v"));
    assert!(cluster.mono - from < PROMPT * 3, "no healing in between");
    cluster.assert_agreement();
}
