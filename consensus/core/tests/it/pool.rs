//! Clients and their transactions when things go wrong, and what a new peer is told of the mempool.
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use guts_abci::proto::abci as pb;
use guts_consensus::config::Config;
use guts_consensus::io::{AppAnswer, ClientReply, ClientRequest, Input, PeerId, Ticket, TxRefused};
use guts_consensus::messages::{Message, TXS_PER_MESSAGE};

use crate::cluster::{Cluster, kvstore};

const MINUTE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

#[test]
fn s5_who_waits_for_a_check_when_the_engine_halts_is_told() {
    let mut cluster = Cluster::new(1, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.run_for(Duration::from_secs(1));
    cluster.nodes[0].freeze_app = true;
    for ticket in 1..=3 {
        cluster.submit(0, ticket, &format!("k{ticket}=v"));
    }
    cluster.run_steps(3);
    assert!(cluster.nodes[0].replies.is_empty());
    // The answer to one of them is of another kind: the engine cannot go on.
    for ticket in (1..1_000).map(Ticket) {
        let answer = Ok(AppAnswer::Commit(pb::ResponseCommit::default()));
        cluster.input(0, Input::App { ticket, answer });
    }
    cluster.run_steps(1_000);
    assert!(cluster.nodes[0].halted.is_some());
    let is_refused = |cluster: &Cluster, ticket: u64| {
        let reply = cluster.nodes[0].replies.get(&Ticket(ticket));
        matches!(reply, Some(ClientReply::Refused(TxRefused::Halted)))
    };
    assert!((1..=3).all(|ticket| is_refused(&cluster, ticket)), "{:?}", cluster.nodes[0].replies);
    let tx = Bytes::from_static(b"late=1");
    let ticket = Ticket(4);
    cluster.input(0, Input::Client { ticket, request: ClientRequest::SubmitTx(tx) });
    cluster.run_steps(1);
    assert!(is_refused(&cluster, 4), "so is who comes later");
}

#[test]
fn who_does_not_wait_for_the_check_is_told_whether_there_will_be_one() {
    let mut config = Config::default();
    config.mempool.txs_max = 2;
    config.mempool.tx_bytes_max = 10;
    let mut cluster = Cluster::new(1, config, kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.run_for(Duration::from_secs(1));
    cluster.nodes[0].freeze_app = true;
    let txs = ["a=1", "a=1", "much=too-long", "b=1", "c=1"];
    let txs = txs.map(|tx| Bytes::from_static(tx.as_bytes())).to_vec();
    let (ticket, request) = (Ticket(1), ClientRequest::AdmitTxs(txs));
    cluster.input(0, Input::Client { ticket, request });
    cluster.run_steps(1);
    let full = TxRefused::Full {
        count: 2,
        count_max: 2,
        bytes: 6,
        bytes_max: Config::default().mempool.bytes_max,
    };
    let wanted = [
        Ok(()),
        Err(TxRefused::InCache),
        Err(TxRefused::TooLarge { max: 10, size: 13 }),
        Ok(()),
        Err(full),
    ];
    let Some(ClientReply::Admitted(said)) = cluster.nodes[0].replies.get(&ticket) else {
        panic!("each is answered, in one message");
    };
    assert_eq!(said, &wanted);
}

#[test]
fn a_new_peer_is_told_of_a_large_pool_bit_by_bit() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.run_for(Duration::from_secs(1));
    (2..4).for_each(|i| cluster.crash(i));
    cluster.filter = Box::new(|_, _, message| !matches!(message, Message::Txs(_)));
    let count = 60;
    for n in 0..count {
        cluster.submit(0, n, &format!("k{n}={}", "v".repeat(MIB / 10)));
    }
    cluster.run_for(Duration::from_secs(1));
    let told = Rc::new(Cell::new(0));
    let note = told.clone();
    cluster.filter = Box::new(move |from, to, message| {
        if let (0, 1, Message::Txs(txs)) = (from, to, message) {
            note.set(note.get() + txs.iter().map(Bytes::len).sum::<usize>());
        }
        true
    });
    // The connection is lost, and there again.
    let (peer, key) = (PeerId(1), cluster.nodes[1].key.public_key());
    cluster.input(0, Input::PeerDown(peer));
    cluster.input(0, Input::PeerUp { peer, node: Some(key.address()) });
    cluster.run_for(Duration::from_millis(1));
    assert!((MIB..3 * MIB).contains(&told.get()), "{} bytes at once", told.get());
    let has_all = |c: &Cluster| c.nodes[1].engine.status().mempool_txs == count;
    cluster.run_until(Duration::from_secs(10), has_all);
    let (bytes, sum) = (told.get(), cluster.nodes[0].engine.status().mempool_bytes);
    assert_eq!(bytes as u64, sum, "each once");
}

#[test]
fn a_new_peer_is_told_of_many_small_ones_in_messages_it_takes() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.run_for(Duration::from_secs(1));
    (2..4).for_each(|i| cluster.crash(i));
    cluster.filter = Box::new(|_, _, message| !matches!(message, Message::Txs(_)));
    let count = 2_500;
    (0..count).for_each(|n| cluster.submit(0, n, &format!("{n}=v")));
    cluster.run_for(Duration::from_secs(1));
    let lens: Rc<RefCell<Vec<usize>>> = Rc::default();
    let note = lens.clone();
    cluster.filter = Box::new(move |_, _, message| {
        if let Message::Txs(txs) = message {
            note.borrow_mut().push(txs.len());
        }
        true
    });
    // The connection is lost, and there again.
    let (peer, key) = (PeerId(1), cluster.nodes[1].key.public_key());
    cluster.input(0, Input::PeerDown(peer));
    cluster.input(0, Input::PeerUp { peer, node: Some(key.address()) });
    cluster.run_until(MINUTE, |c| c.nodes[1].engine.status().mempool_txs == count);
    assert!(lens.borrow().iter().all(|len| *len <= TXS_PER_MESSAGE), "{lens:?}");
}
