//! Transactions and clients: the mempool's calls, gossip and answers.
//!
//! A transaction is shown to the application once on each node. What a client submits here and
//! passes is sent to all peers, many in one message; what a peer sends and passes goes on to those
//! of our peers that it does not reach (`relay`), in a full mesh to nobody.
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use guts_abci::proto::abci as pb;
use guts_genesis::Height;

use super::{Action, AppCall, Engine, Pending, TimerId};
use crate::io::{ClientReply, ClientRequest, PeerId, Ticket, To, TxRefused};
use crate::mempool::TxKey;
use crate::messages::{Message, TXS_BATCH_BYTES, TXS_PER_MESSAGE};

/// Transactions checked again after a block, at most: the first in line, which the next blocks
/// will take. The others are checked again when their turn has come.
const RECHECKS_PER_BLOCK: usize = 200;
/// How long transactions are collected before they are sent on in one message. The first after a
/// pause goes out at once; as long as several come in the time, it doubles, up to the maximum.
const GOSSIP_DELAY_MS: u64 = 2;
/// The longest such time.
const GOSSIP_DELAY_MS_MAX: u64 = 16;

/// Bytes of the mempool that a new peer is told at a time: half of what has room on the way to it.
const GREETING_BYTES: usize = 2 << 20;

/// Transactions on their way to peers.
#[derive(Clone, Debug, Default)]
pub(super) struct Gossip {
    /// By whom they are for; nobody in particular: everybody.
    txs: BTreeMap<Vec<PeerId>, Vec<Bytes>>,
    count: usize,
    bytes: usize,
    timer: bool,
    delay_ms: u64,
}

impl Engine {
    pub(super) fn on_client(&mut self, ticket: Ticket, request: ClientRequest) {
        match request {
            ClientRequest::SubmitTx(tx) => {
                if let Err(refused) = self.submit(tx, None, Some(ticket)) {
                    self.refuse(Some(ticket), refused);
                }
            }
            ClientRequest::AdmitTxs(txs) => {
                let admitted = txs.into_iter().map(|tx| self.submit(tx, None, None)).collect();
                self.act(Action::Reply { ticket, reply: ClientReply::Admitted(admitted) });
            }
            ClientRequest::SubmitEvidence(evidence) => {
                self.on_submitted_evidence(ticket, *evidence);
            }
            ClientRequest::Unconfirmed { limit } => {
                let (txs, total) = (self.mempool.first(limit), self.mempool.len());
                let total_bytes = self.mempool.bytes();
                let reply = ClientReply::Unconfirmed { txs, total, total_bytes };
                self.act(Action::Reply { ticket, reply });
            }
            ClientRequest::FlushMempool => {
                self.mempool.flush();
                self.act(Action::Reply { ticket, reply: ClientReply::Flushed });
            }
        }
    }

    pub(super) fn refuse(&mut self, ticket: Option<Ticket>, refused: TxRefused) {
        if let Some(ticket) = ticket {
            self.act(Action::Reply { ticket, reply: ClientReply::Refused(refused) });
        }
    }

    /// Shows a transaction to the application if there is room for it.
    fn submit(
        &mut self,
        tx: Bytes,
        from: Option<PeerId>,
        reply: Option<Ticket>,
    ) -> Result<(), TxRefused> {
        if !self.is_running() {
            return Err(if self.is_halted() { TxRefused::Halted } else { TxRefused::NoApp });
        }
        if self.is_fetching() {
            return Err(TxRefused::CatchingUp);
        }
        let key = self.mempool.admit(&tx, from).inspect_err(|refused| {
            let is_full = matches!(refused, TxRefused::Full { .. });
            self.counters.rejected_txs += u64::from(is_full);
        })?;
        // A copy: what a peer sends is a piece of its whole message, which must not stay in memory
        // for as long as one of its transactions waits.
        let tx = if from.is_some() { Bytes::copy_from_slice(&tx) } else { tx };
        let request = pb::RequestCheckTx { tx: tx.clone(), r#type: pb::CheckTxType::New as i32 };
        let height = self.state.last_block_height;
        self.call(Pending::Check { key, tx, reply, height }, AppCall::CheckTx(request));
        Ok(())
    }

    pub(super) fn on_txs(&mut self, peer: PeerId, txs: Vec<Bytes>) {
        for tx in txs {
            // One that is known or has no room is dropped: its sender keeps it.
            let dropped = self.submit(tx, Some(peer), None);
            self.counters.overflows += u64::from(matches!(dropped, Err(TxRefused::Full { .. })));
        }
    }

    pub(super) fn on_checked(
        &mut self,
        key: TxKey,
        tx: Bytes,
        reply: Option<Ticket>,
        height: Height,
        answer: pb::ResponseCheckTx,
    ) {
        let good = answer.code == 0;
        self.counters.failed_txs += u64::from(!good);
        let verdict = (good, answer.gas_wanted);
        let theirs = self.mempool.checked((key, tx.clone()), verdict, height.0);
        match theirs {
            Some(from) if from.is_empty() => self.gossip(Vec::new(), tx),
            Some(from) => {
                let onward = self.onward_of(&from);
                if !onward.is_empty() {
                    self.counters.passed_on += 1;
                    self.gossip(onward, tx);
                }
            }
            None => {}
        }
        if let Some(ticket) = reply {
            let reply = ClientReply::Checked(Box::new(answer));
            self.act(Action::Reply { ticket, reply });
        }
    }

    /// The application threw an exception at one transaction: it is not taken.
    pub(super) fn on_check_failed(
        &mut self,
        key: TxKey,
        tx: Bytes,
        reply: Option<Ticket>,
        text: &str,
    ) {
        self.counters.failed_txs += 1;
        self.mempool.checked((key, tx), (false, 0), 0);
        if let Some(ticket) = reply {
            let log = text.to_owned();
            let answer = pb::ResponseCheckTx { code: 1, log, ..pb::ResponseCheckTx::default() };
            let reply = ClientReply::Checked(Box::new(answer));
            self.act(Action::Reply { ticket, reply });
        }
    }

    pub(super) fn on_rechecked(&mut self, key: &TxKey, answer: &pb::ResponseCheckTx) {
        self.counters.rechecks += 1;
        if answer.code != 0 {
            self.counters.evicted_txs += 1;
            self.mempool.drop_rechecked(key);
        }
    }

    /// After a block: are the first in line still good?
    pub(super) fn recheck(&mut self) {
        let height = self.state.last_block_height;
        for (key, tx) in self.mempool.take_for_recheck(height.0, RECHECKS_PER_BLOCK) {
            let r#type = pb::CheckTxType::Recheck as i32;
            let call = AppCall::CheckTx(pb::RequestCheckTx { tx, r#type });
            self.call(Pending::Recheck(key), call);
        }
    }

    // Gossip.

    fn gossip(&mut self, to: Vec<PeerId>, tx: Bytes) {
        if self.peers.is_empty() {
            return;
        }
        self.gossip.bytes += tx.len();
        self.gossip.count += 1;
        self.gossip.txs.entry(to).or_default().push(tx);
        if self.gossip.bytes >= TXS_BATCH_BYTES || self.gossip.count >= TXS_PER_MESSAGE {
            self.send_gossip();
        } else if !self.gossip.timer {
            self.gossip.delay_ms = GOSSIP_DELAY_MS;
            self.send_gossip();
            self.start_gossip_timer();
        }
    }

    fn start_gossip_timer(&mut self) {
        self.gossip.timer = true;
        let after = std::time::Duration::from_millis(self.gossip.delay_ms);
        self.act(Action::SetTimer { id: TimerId::Gossip, after });
    }

    pub(super) fn on_gossip_due(&mut self) {
        self.gossip.timer = false;
        let count = self.gossip.count;
        if count == 0 {
            return;
        }
        let delay_ms = if count > 1 { self.gossip.delay_ms * 2 } else { self.gossip.delay_ms / 2 };
        self.gossip.delay_ms = delay_ms.clamp(GOSSIP_DELAY_MS, GOSSIP_DELAY_MS_MAX);
        self.send_gossip();
        self.start_gossip_timer();
    }

    fn send_gossip(&mut self) {
        (self.gossip.bytes, self.gossip.count) = (0, 0);
        for (to, txs) in std::mem::take(&mut self.gossip.txs) {
            let to = if to.is_empty() { To::All } else { To::Peers(to) };
            self.act(Action::Send { to, message: Arc::new(Message::Txs(txs)) });
        }
    }

    /// A new peer gets what waits here: it may be the one that was missing when it was sent. As
    /// much as has room on the way to it, the rest with the next heal ticks.
    pub(super) fn greet_with_pool(&mut self, peer: PeerId) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let Some(greeting) = known.greeting.take() else { return };
        let mut left = GREETING_BYTES;
        let (mut batches, mut bytes) = (vec![Vec::<Bytes>::new()], 0);
        for (number, tx) in self.mempool.numbered(greeting.clone()) {
            if left == 0 {
                known.greeting = Some(number..greeting.end);
                break;
            }
            left = left.saturating_sub(tx.len());
            let is_full = batches.last().is_some_and(|batch| batch.len() >= TXS_PER_MESSAGE);
            if bytes >= TXS_BATCH_BYTES || is_full {
                batches.push(Vec::new());
                bytes = 0;
            }
            bytes += tx.len();
            batches.last_mut().expect("there is one").push(tx.clone());
        }
        for batch in batches.into_iter().filter(|batch| !batch.is_empty()) {
            self.send(peer, Message::Txs(batch));
        }
    }
}
