//! Brings pushes to the chain: one `PushRefs` transaction each, paid by this gateway, given to the
//! RPC of its engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guts_abci::Reader;
use guts_abci::proto::abci::RequestQuery;
use guts_rpc::client::{Client, ClientError};
use guts_schema::tx::{Draft, PushRefs};
use guts_schema::work::{Puzzle, bits_for};
use guts_schema::{AccountId, Action, ActionKind, Hash, price, proto, query, values};
use prost::Message;

use crate::chain::{Chain, Committed, ReadError};
use crate::identity::Identity;

/// How long a submitted push may take to be ordered, in seconds of header time.
pub const ORDER_WITHIN_S: u64 = 600;
/// How long a push may wait for room in the engine's mempool; those behind it wait as well.
const ROOM_WITHIN: Duration = Duration::from_secs(30);

/// Why a push did not get to the chain. The texts are for the pusher.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// CheckTx said no; its sentence.
    #[error("{0}")]
    Refused(String),
    /// The engine is not there.
    #[error("the engine of this gateway does not answer: push again, or to another gateway")]
    Engine(#[source] ClientError),
    /// This gateway cannot pay.
    #[error("this gateway cannot pay for pushes now: push again, or to another gateway")]
    Payment,
    /// The state cannot be read.
    #[error("this gateway cannot read its state: push to another gateway")]
    Read(#[from] ReadError),
}

/// A submitted push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Its transaction.
    pub tx: Hash,
    /// Who pays.
    pub account: AccountId,
    /// The payer's nonce that it takes: beyond it, it cannot be ordered any more.
    pub nonce: u64,
    /// After this second of header time it cannot be ordered any more.
    pub valid_until_s: u64,
}

/// Makes and sends transactions, one after the other, so that nonces are in order.
pub struct Submitter {
    chain: Chain,
    identity: Identity,
    client: Client,
    reader: Arc<dyn Reader>,
    turn: tokio::sync::Mutex<()>,
}

impl Submitter {
    /// A submitter to the engine behind `client`; `reader` knows the nonces let in by CheckTx.
    pub fn new(chain: Chain, identity: Identity, client: Client, reader: Arc<dyn Reader>) -> Self {
        Self { chain, identity, client, reader, turn: tokio::sync::Mutex::new(()) }
    }

    /// Who pays.
    pub fn account(&self) -> AccountId {
        self.identity.account
    }

    /// Sends a push; returns once CheckTx let it in. `on_made` is told of the transaction before
    /// it is sent, so that its receipt cannot be missed.
    pub async fn submit(
        &self,
        push: PushRefs,
        on_made: impl FnOnce(Hash),
    ) -> Result<Ticket, SubmitError> {
        let _turn = self.turn.lock().await;
        let state = self.chain.newest();
        let nonce = self.nonce(&state)?;
        // Header time lags while the chain rests, and jumps with the next block.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |wall| wall.as_secs());
        let valid_until_s = state.time_s.max(wall).saturating_add(ORDER_WITHIN_S);
        let account = self.identity.account;
        let draft =
            Draft::new(&state.chain_id, account, nonce, &[Action::PushRefs(Box::new(push))])
                .valid_until_s(valid_until_s);
        let draft = pay(draft, &state, &self.identity, nonce).await?;
        let bytes = draft.sign(account, &self.identity.secret).encode();
        let tx = Hash::of(&bytes);
        on_made(tx);
        let answer = self.client.broadcast_tx_when_room(&bytes, ROOM_WITHIN).await;
        let answer = answer.map_err(SubmitError::Engine)?;
        if answer.code != 0 {
            return Err(SubmitError::Refused(answer.log));
        }
        Ok(Ticket { tx, account, nonce, valid_until_s })
    }

    /// The next nonce, counting what CheckTx has let in.
    fn nonce(&self, state: &Committed) -> Result<u64, SubmitError> {
        let account = self.identity.account;
        let request = proto::PageRequest { account: account.to_vec(), ..Default::default() };
        let data = request.encode_to_vec().into();
        let request = RequestQuery { path: query::NONCE.into(), data, ..Default::default() };
        if let Ok(answer) = self.reader.query(request)
            && answer.code == 0
            && let Ok(pending) = values::decode::<proto::PendingNonce>(&answer.value)
        {
            return Ok(pending.nonce);
        }
        Ok(state.account(&account)?.map_or(0, |account| account.nonce))
    }
}

/// Adds the payment: stake for a validator's account where pushes may be paid so, else work where
/// it is taken, else a fee.
async fn pay(
    draft: Draft,
    state: &Arc<Committed>,
    identity: &Identity,
    nonce: u64,
) -> Result<Draft, SubmitError> {
    let params = state.params()?;
    let price = |draft: &Draft| price::of(&params, [ActionKind::PushRefs], draft.size_with(1));
    if price(&draft).stake && state.is_operator(&identity.account)? {
        return Ok(draft.stake());
    }
    if !params.accept_work {
        let draft = draft.fee(u64::MAX);
        let fee = price(&draft).fee;
        return Ok(draft.fee(fee));
    }
    // The longest solution there is: the price must cover whichever is found.
    let draft = draft.work(u64::MAX, Hash::of(b""), u64::MAX);
    let bits = bits_for(price(&draft).work);
    let Some((anchor_number, anchor)) = state.anchor()? else { return Err(SubmitError::Payment) };
    let puzzle = Puzzle::new(&state.chain_id, &identity.account, nonce, &anchor);
    let solution = solve(puzzle, bits).await.ok_or(SubmitError::Payment)?;
    Ok(draft.work(anchor_number, anchor, solution))
}

/// Tries between two looks whether anybody still waits: a millisecond or so.
const TRIES: u64 = 1 << 12;

/// Says that nobody waits any more, when it is dropped.
struct Waits(Arc<AtomicBool>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Searches on a thread of its own, for as long as this is waited for.
async fn solve(puzzle: Puzzle, bits: u32) -> Option<u64> {
    let waits = Waits(Arc::new(AtomicBool::new(true)));
    let is_wanted = waits.0.clone();
    let search = move || {
        let mut first = 0_u64;
        while is_wanted.load(Ordering::Relaxed) {
            let found = puzzle.search(first, TRIES, bits);
            if found.is_some() {
                return found;
            }
            first = first.checked_add(TRIES)?;
        }
        None
    };
    let found = tokio::task::spawn_blocking(search).await;
    drop(waits);
    found.ok().flatten()
}

#[cfg(test)]
mod tests;
