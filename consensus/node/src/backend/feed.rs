//! What subscribers are told: each committed block, once it can be read.
//!
//! The engine's thread hands over the block and goes on; a task makes the events, only while there
//! are subscribers. Everything between is bounded: who is too slow loses its subscription, not the
//! node its memory. Who missed something, for whatever reason, is told.

use guts_abci::proto;
use guts_consensus::io::Committed;
use guts_consensus::types::tx_hash;
use guts_genesis::PublicKey;
use guts_rpc::events::{Batch, NewBlock, NodeEvent};
use guts_rpc::types;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::{broadcast, mpsc};

/// Blocks whose events a subscriber may be behind.
const BEHIND_MAX: usize = 100;
/// Bytes of events that wait for subscribers: some blocks of the largest kind.
const BEHIND_BYTES_MAX: usize = 64 << 20;
/// Blocks that may wait for their events to be made.
const WAITING_MAX: usize = 100;

/// The way of the events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Feed {
    events: broadcast::Sender<Arc<Batch>>,
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
        let ring = Ring::new(events.clone(), BEHIND_BYTES_MAX);
        let to_events = |committed: &Committed| NodeEvent::of_block(&new_block(committed));
        tokio::spawn(make(waiting, ring, is_torn.clone(), to_events));
        Feed { events, blocks, is_torn }
    }

    /// A subscriber's end.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.events.subscribe()
    }

    /// A block can be read.
    pub(super) fn on_shown(&self, committed: &Arc<Committed>) {
        if self.events.receiver_count() > 0 && self.blocks.try_send(committed.clone()).is_err() {
            self.is_torn.store(true, Ordering::Release);
        }
    }
}

/// What was told and is not read by every subscriber, within a budget.
pub(super) struct Ring {
    events: broadcast::Sender<Arc<Batch>>,
    /// Oldest first; those that everybody has read are gone.
    told: VecDeque<Weak<Batch>>,
    bytes_max: usize,
}

impl Ring {
    pub(super) fn new(events: broadcast::Sender<Arc<Batch>>, bytes_max: usize) -> Ring {
        Ring { events, told: VecDeque::new(), bytes_max }
    }

    /// Tells of `batch`. Takes back the oldest ones if they and it are too much; never itself.
    pub(super) fn tell(&mut self, batch: Batch) {
        self.told.retain(|told| told.strong_count() > 0);
        let held = |told: &Weak<Batch>| told.upgrade().map_or(0, |told| told.bytes());
        let mut bytes = batch.bytes() + self.told.iter().map(held).sum::<usize>();
        while bytes > self.bytes_max
            && let Some(oldest) = self.told.pop_front()
        {
            if let Some(oldest) = oldest.upgrade() {
                bytes = bytes.saturating_sub(oldest.bytes());
                oldest.withdraw();
            }
        }
        let batch = Arc::new(batch);
        self.told.push_back(Arc::downgrade(&batch));
        // Fails only when nobody listens any more.
        let _ = self.events.send(batch);
    }
}

/// Makes the events of each block and tells of them.
pub(super) async fn make<T: Send + Sync + 'static>(
    mut blocks: mpsc::Receiver<Arc<T>>,
    mut ring: Ring,
    is_torn: Arc<AtomicBool>,
    to_events: fn(&T) -> Vec<NodeEvent>,
) {
    while let Some(committed) = blocks.recv().await {
        if is_torn.swap(false, Ordering::AcqRel) {
            ring.tell(Batch::lost());
        }
        match tokio::task::spawn_blocking(move || to_events(&committed)).await {
            Ok(made) => ring.tell(Batch::new(made)),
            Err(error) => {
                tracing::error!(%error, "making events");
                ring.tell(Batch::lost());
            }
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
