//! What subscribers are told: each committed block, once it can be read, and what happens in
//! rounds.
//!
//! The engine's thread hands over the news and goes on; a task makes the events, only while there
//! are subscribers. Everything between is bounded: who is too slow loses its subscription, not the
//! node its memory. Who missed something, for whatever reason, is told.

use guts_abci::proto;
use guts_consensus::io::Committed;
use guts_consensus::types::tx_hash;
use guts_consensus::watch::{Happened, Notice};
use guts_genesis::PublicKey;
use guts_rpc::events::{Batch, NewBlock, NodeEvent, Place, RoundEvent};
use guts_rpc::types::{self, Proposer};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc};

/// Pieces of news whose events a subscriber may be behind; a block is one, a round of four
/// validators some dozens.
const BEHIND_MAX: usize = 4_096;
/// Bytes of events that wait for subscribers: some blocks of the largest kind.
const BEHIND_BYTES_MAX: usize = 64 << 20;
/// Pieces of news that may wait for their events to be made.
const WAITING_MAX: usize = 4_096;
/// Blocks among them.
const BLOCKS_WAITING_MAX: usize = 100;

/// What events are made of.
pub(super) enum News {
    /// A block can be read. It keeps its place until its events are made.
    Block { committed: Arc<Committed>, _room: OwnedSemaphorePermit },
    /// This happened in rounds, in this order.
    Rounds(Vec<Notice>),
}

/// The way of the events. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Feed {
    events: broadcast::Sender<Arc<Batch>>,
    news: mpsc::Sender<Arc<News>>,
    blocks: Arc<Semaphore>,
    /// Something had no room.
    is_torn: Arc<AtomicBool>,
}

impl Feed {
    /// Starts the task.
    pub(crate) fn start() -> Feed {
        let (events, _) = broadcast::channel(BEHIND_MAX);
        let (news, waiting) = mpsc::channel(WAITING_MAX);
        let is_torn = Arc::new(AtomicBool::new(false));
        let ring = Ring::new(events.clone(), BEHIND_BYTES_MAX);
        tokio::spawn(make(waiting, ring, is_torn.clone(), to_events));
        Feed { events, news, blocks: Arc::new(Semaphore::new(BLOCKS_WAITING_MAX)), is_torn }
    }

    /// A subscriber's end.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.events.subscribe()
    }

    /// Whether there is anybody to tell.
    pub(super) fn is_heard(&self) -> bool {
        self.events.receiver_count() > 0
    }

    /// A block can be read.
    pub(super) fn on_shown(&self, committed: &Arc<Committed>) {
        if self.is_heard() {
            let room = self.blocks.clone().try_acquire_owned().ok();
            self.take(room.map(|_room| News::Block { committed: committed.clone(), _room }));
        }
    }

    /// This happened in rounds.
    pub(super) fn on_rounds(&self, notices: Vec<Notice>) {
        self.take(Some(News::Rounds(notices)));
    }

    /// Takes what there was room for so far.
    fn take(&self, news: Option<News>) {
        let taken = news.is_some_and(|news| self.news.try_send(Arc::new(news)).is_ok());
        if !taken {
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

/// Makes the events of each piece of news and tells of them.
pub(super) async fn make<T: Send + Sync + 'static>(
    mut news: mpsc::Receiver<Arc<T>>,
    mut ring: Ring,
    is_torn: Arc<AtomicBool>,
    to_events: fn(&T) -> Vec<NodeEvent>,
) {
    while let Some(one) = news.recv().await {
        if is_torn.swap(false, Ordering::AcqRel) {
            ring.tell(Batch::lost());
        }
        match tokio::task::spawn_blocking(move || to_events(&one)).await {
            Ok(made) => ring.tell(Batch::new(made)),
            Err(error) => {
                tracing::error!(%error, "making events");
                ring.tell(Batch::lost());
            }
        }
    }
}

fn to_events(news: &News) -> Vec<NodeEvent> {
    match news {
        News::Block { committed, .. } => NodeEvent::of_block(&new_block(committed)),
        News::Rounds(notices) => notices.iter().map(of_round).collect(),
    }
}

fn of_round(notice: &Notice) -> NodeEvent {
    let place = Place {
        height: notice.height.wire(),
        round: notice.round.wire(),
        step: notice.step.name(),
    };
    let event = match &notice.what {
        Happened::NewRound { proposer, index } => RoundEvent::NewRound(Proposer {
            address: proposer.as_bytes().to_vec().into(),
            index: i32::try_from(*index).unwrap_or(i32::MAX),
        }),
        Happened::NewRoundStep => RoundEvent::NewRoundStep,
        Happened::CompleteProposal(id) => RoundEvent::CompleteProposal(id.to_proto().into()),
        Happened::ValidBlock => RoundEvent::ValidBlock,
        Happened::Polka => RoundEvent::Polka,
        Happened::Lock => RoundEvent::Lock,
        Happened::Relock => RoundEvent::Relock,
        Happened::Vote(vote) => RoundEvent::Vote(Box::new(vote.to_proto().into())),
        Happened::TimeoutPropose => RoundEvent::TimeoutPropose,
        Happened::TimeoutWait => RoundEvent::TimeoutWait,
    };
    NodeEvent::of_round(place, &event)
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
