//! Not everybody is connected to everybody.
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use guts_consensus::config::Config;
use guts_consensus::io::{Input, Offence, PeerId};
use guts_consensus::messages::{Channel, Message, Neighbours};
use guts_genesis::Address;

use crate::cluster::{Cluster, kvstore};

const MINUTE: Duration = Duration::from_secs(60);
/// Far below the second after which healing would find what was not passed on.
const PROMPT: Duration = Duration::from_millis(200);

/// Transactions of each node are in blocks of all of them, promptly.
fn check_is_prompt(links: &[(usize, usize)], count: u32) {
    let mut cluster = Cluster::with_links(count, Config::default(), links);
    cluster.run_until(MINUTE, |c| c.all_at(2));
    cluster.run_for(Duration::from_secs(3));
    let count = count as usize;
    for n in 0..count {
        cluster.submit(n, n as u64, &format!("k{n}=v"));
        cluster.run_until(PROMPT, |c| (0..count).all(|i| c.has_tx(i, &format!("k{n}=v"))));
        cluster.run_for(Duration::from_secs(1));
    }
    cluster.assert_agreement();
    let status = |i: usize| cluster.nodes[i].engine.status().counters;
    assert!((0..count).any(|i| status(i).passed_on > 0));
    assert_eq!((0..count).map(|i| status(i).extra_rounds).sum::<u64>(), 0);
    assert_eq!((0..count).map(|i| status(i).catch_ups).sum::<u64>(), 0);
}

#[test]
fn a_line_of_four_is_as_prompt_as_a_mesh() {
    check_is_prompt(&[(0, 1), (1, 2), (2, 3)], 4);
}

#[test]
fn a_ring_of_seven_and_a_star_are_as_prompt_as_a_mesh() {
    check_is_prompt(&[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (0, 6)], 7);
    check_is_prompt(&[(0, 1), (0, 2), (0, 3), (0, 4)], 5);
}

#[test]
fn in_a_full_mesh_nothing_is_passed_on() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(2));
    cluster.run_for(Duration::from_secs(3));
    let before: Vec<u64> =
        (0..4).map(|i| cluster.nodes[i].engine.status().counters.passed_on).collect();
    let txs = Rc::new(Cell::new(0));
    let count = txs.clone();
    cluster.filter = Box::new(move |_, _, message| {
        if let Message::Txs(list) = message {
            count.set(count.get() + list.len());
        }
        true
    });
    for n in 0..20 {
        cluster.submit(n % 4, n as u64, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(100));
    }
    cluster.run_until(MINUTE, |c| (0..20).all(|n| c.has_tx(n % 4, &format!("k{n}=v"))));
    let after: Vec<u64> =
        (0..4).map(|i| cluster.nodes[i].engine.status().counters.passed_on).collect();
    assert_eq!(after, before);
    assert_eq!(txs.get(), 20 * 3, "each transaction goes to each of the others once");
}

#[test]
fn a_connection_that_is_gone_is_worked_around() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(2));
    // 0 and 3 lose their connection, and know it.
    cluster.cut.insert((0, 3));
    cluster.input(0, Input::PeerDown(PeerId(3)));
    cluster.input(3, Input::PeerDown(PeerId(0)));
    cluster.run_for(Duration::from_secs(2));
    for n in 0..8 {
        let node = if n % 2 == 0 { 0 } else { 3 };
        cluster.submit(node, n, &format!("k{n}=v"));
        cluster.run_until(PROMPT, |c| (0..4).all(|i| c.has_tx(i, &format!("k{n}=v"))));
    }
    cluster.assert_agreement();
}

#[test]
fn a_node_has_its_own_name_and_a_bounded_number_of_neighbours() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(1));
    let said = |node: Address| Message::Neighbours(Neighbours { node, peers: vec![] });
    let own = cluster.nodes[0].key.public_key().address();
    cluster.input(1, Input::Message { peer: PeerId(0), message: said(own) });
    cluster.run_steps(1);
    assert_eq!(cluster.nodes[1].offences[..], []);
    let other = cluster.nodes[2].key.public_key().address();
    cluster.input(1, Input::Message { peer: PeerId(0), message: said(other) });
    cluster.run_steps(1);
    assert_eq!(cluster.nodes[1].offences[..], [Offence::BadMessage("a name that is not its own")]);
    let long = Neighbours { node: Address([1; 20]), peers: vec![Address([2; 20]); 1_001] };
    let bytes = Message::Neighbours(long).encode();
    assert!(Message::decode(Channel::Topology, bytes).is_err());
    assert!(Message::decode(Channel::Topology, vec![].into()).is_err());
}

#[test]
fn what_a_sender_left_behind_is_passed_on_after_it_has_gone() {
    let mut cluster = Cluster::with_links(3, Config::default(), &[(0, 1), (1, 2)]);
    cluster.run_until(MINUTE, |c| c.all_at(2));
    cluster.run_for(Duration::from_secs(3));
    // It is gone before the application has answered.
    let message = Message::Txs(vec!["k=v".into()]);
    cluster.input(1, Input::Message { peer: PeerId(0), message });
    cluster.input(1, Input::PeerDown(PeerId(0)));
    cluster.run_for(PROMPT);
    let waiting = |i: usize| cluster.nodes[i].engine.status().mempool_txs;
    assert_eq!((waiting(1), waiting(2)), (1, 1));
}
