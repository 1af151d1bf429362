//! What subscribers are told: each committed block, once it can be read.
//!
//! The engine's thread hands over the block and goes on; a task makes the events, only while there
//! are subscribers. Everything between is bounded: who is too slow loses its subscription, not the
//! node its memory.

use guts_abci::proto;
use guts_consensus::io::Committed;
use guts_consensus::types::tx_hash;
use guts_genesis::PublicKey;
use guts_rpc::events::{NewBlock, NodeEvent};
use guts_rpc::types;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{broadcast, mpsc};

/// Blocks whose events a subscriber may be behind.
const BEHIND_MAX: usize = 100;
/// Blocks that may wait for their events to be made.
const WAITING_MAX: usize = 100;

type Batch = Arc<Vec<NodeEvent>>;

/// The way of the events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Feed {
    events: broadcast::Sender<Batch>,
    blocks: mpsc::Sender<Arc<Committed>>,
    /// A block had no room.
    is_torn: Arc<AtomicBool>,
}

impl Feed {
    /// Starts the task.
    pub(crate) fn start() -> Feed {
        let (events, _) = broadcast::channel(BEHIND_MAX);
        let (blocks, waiting) = mpsc::channel(WAITING_MAX);
        let is_torn = Arc::new(AtomicBool::new(false));
        tokio::spawn(make(waiting, events.clone(), is_torn.clone()));
        Feed { events, blocks, is_torn }
    }

    /// A subscriber's end.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Batch> {
        self.events.subscribe()
    }

    /// A block can be read.
    pub(super) fn on_shown(&self, committed: &Arc<Committed>) {
        if self.events.receiver_count() > 0 && self.blocks.try_send(committed.clone()).is_err() {
            self.is_torn.store(true, Ordering::Release);
        }
    }
}

async fn make(
    mut blocks: mpsc::Receiver<Arc<Committed>>,
    events: broadcast::Sender<Batch>,
    is_torn: Arc<AtomicBool>,
) {
    while let Some(committed) = blocks.recv().await {
        if is_torn.swap(false, Ordering::AcqRel) {
            // Fails only when nobody listens any more.
            let _ = events.send(Batch::default());
        }
        let made = tokio::task::spawn_blocking(move || NodeEvent::of_block(&new_block(&committed)));
        match made.await {
            Ok(made) => {
                let _ = events.send(Arc::new(made));
            }
            Err(error) => tracing::error!(%error, "making events"),
        }
    }
}

fn new_block(committed: &Committed) -> NewBlock {
    let decided = &committed.decided;
    let block: proto::types::Block = decided.block.to_proto();
    let txs = decided.block.txs().as_slice();
    let response = proto::abci::ResponseFinalizeBlock::clone(&committed.response);
    let updates = response.validator_updates.iter().filter_map(updated).collect();
    NewBlock {
        block_id: decided.id.to_proto().into(),
        block: block.into(),
        results: types::BlockResults::new(committed.height.wire(), response),
        tx_hashes: txs.iter().map(|tx| tx_hash(tx).to_vec().into()).collect(),
        updates,
    }
}

/// A validator as its update leaves it.
fn updated(update: &proto::abci::ValidatorUpdate) -> Option<types::Validator> {
    let key = update.pub_key.clone()?;
    let address = PublicKey::from_proto(Some(&key)).ok()?.address();
    Some(types::Validator {
        address: address.as_bytes().to_vec().into(),
        pub_key: key.into(),
        voting_power: update.power,
        proposer_priority: 0,
    })
}
