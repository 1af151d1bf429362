//! Blocks that are fetched from a peer that is not to be trusted.
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use guts_consensus::config::Config;
use guts_consensus::io::{Input, Offence, PeerId};
use guts_consensus::messages::{BlockResponse, Channel, Message};
use guts_consensus::types::{Block, Commit, Txs};
use guts_genesis::Height;

use crate::cluster::{Cluster, kvstore};

const MINUTE: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

/// Node 3, whom nobody hears, and whose peer 0 says that the chain is far ahead.
struct Lone {
    cluster: Cluster,
    /// The height it works on.
    height: Height,
    /// What it asked for.
    asked: Rc<RefCell<Vec<Height>>>,
}

impl Lone {
    fn new(block_max_bytes: i64) -> Lone {
        let mut cluster = Cluster::with_genesis(4, Config::default(), kvstore(), |manifest| {
            manifest.consensus_params.block_max_bytes = block_max_bytes;
        });
        cluster.run_until(MINUTE, |c| c.all_at(2));
        cluster.run_for(Duration::from_secs(2));
        let asked = Rc::new(RefCell::new(Vec::new()));
        let note = asked.clone();
        cluster.filter = Box::new(move |from, to, message| {
            if let (3, Message::BlockRequest(height)) = (from, message) {
                note.borrow_mut().push(*height);
            }
            from != 3 && to != 3
        });
        let height = Height(cluster.height(3) + 1);
        let mut lone = Lone { cluster, height, asked };
        lone.hear(Message::StatusResponse { base: Height(1), height: Height(1_000) });
        lone
    }

    fn hear(&mut self, message: Message) {
        self.cluster.input(3, Input::Message { peer: PeerId(0), message });
        self.cluster.run_steps(5);
    }

    /// A block that is none, so many above the height it works on.
    fn serve(&mut self, ahead: u64, bytes: usize) {
        let known = self.cluster.nodes[0].committed.last().unwrap().decided.block.clone();
        let mut header = known.header().clone();
        header.height = self.height.plus(ahead);
        let txs = Txs::new(vec![vec![0; bytes].into()]);
        let block = Block::new(header, txs, Vec::new(), Commit::default());
        self.hear(Message::BlockResponse(BlockResponse { block, extended_commit: None }));
    }

    /// What was asked for, counted from the height it works on.
    fn asked(&self) -> Vec<u64> {
        self.asked.borrow().iter().map(|of| of.0 - self.height.0).collect()
    }
}

#[test]
fn a_block_larger_than_blocks_may_be_is_an_offence() {
    let mut lone = Lone::new(MIB as i64);
    lone.serve(0, MIB);
    let offences = &lone.cluster.nodes[3].offences;
    assert_eq!(offences[..], [Offence::BadBlock("larger than blocks may be")]);
}

#[test]
fn as_many_blocks_are_asked_for_as_have_proved_to_fit() {
    let mut lone = Lone::new(-1);
    assert_eq!(lone.asked(), [0, 1, 2, 3]);
    // One small block says little of the next: one more is asked for, not sixty.
    lone.serve(1, 100);
    assert_eq!(lone.asked(), [0, 1, 2, 3, 4]);
    lone.serve(2, 3 * MIB);
    lone.serve(3, 100);
    assert_eq!(lone.asked(), [0, 1, 2, 3, 4], "two or three of the large ones fit");
    assert_eq!(lone.cluster.nodes[3].offences, []);
}

#[test]
fn blocks_that_wait_have_a_budget() {
    let mut lone = Lone::new(-1);
    let dropped = |lone: &Lone| lone.cluster.nodes[3].engine.status().counters.overflows;
    let before = dropped(&lone);
    lone.serve(2, 20 * MIB);
    lone.serve(1, 20 * MIB);
    assert_eq!(dropped(&lone), before, "the next two are always taken");
    lone.serve(3, 20 * MIB);
    assert_eq!(dropped(&lone), before + 1);
    assert_eq!(lone.asked(), [0, 1, 2, 3], "it is not asked for again at once");
    assert_eq!(lone.cluster.nodes[3].offences, [], "it may be what the chain decided");
}

/// A transaction is a slice of the message that brought it and keeps all of it in memory.
#[test]
fn a_block_brings_nothing_along() {
    let lone = Lone::new(-1);
    let block = lone.cluster.nodes[0].committed.last().unwrap().decided.block.clone();
    let message = Message::BlockResponse(BlockResponse { block, extended_commit: None });
    let sound = message.encode();
    assert!(Message::decode(Channel::BlockSync, sound.clone()).is_ok());
    // An unknown field behind the message: number 15, 200 bytes.
    let mut long = sound.to_vec();
    long.extend([0x7a, 0xc8, 0x01]);
    long.extend([0; 200]);
    assert!(Message::decode(Channel::BlockSync, long.into()).is_err());
}
