//! Writing: pay, sign, send, and wait until the outcome is in a block.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use guts_rpc::client::ClientError;
use guts_schema::tx::Draft;
use guts_schema::work::{Puzzle, bits_for};
use guts_schema::{AccountId, Action, Hash, price, proto, query};
use prost::Message;

use crate::chain::{BLOCK_WAIT, POLL};
use crate::state::decode_answer;
use crate::{Chain, Error, Signer};

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its hash.
    pub hash: Hash,
    /// The block it is in.
    pub height: u64,
}

/// Who is told how far a proof of work is.
pub trait Progress: Sync {
    /// `tried` of about `expected` attempts were made.
    fn work(&self, tried: u64, expected: u64);
}

/// Seconds of header time for which a transaction may be included.
const VALID_FOR_S: u64 = 600;

impl Chain {
    async fn hint<M: Message + Default>(
        &self,
        path: &str,
        request: &proto::PageRequest,
    ) -> Result<M, Error> {
        let query = guts_rpc::Query {
            path: path.into(),
            data: request.encode_to_vec().into(),
            height: 0,
            prove: false,
        };
        let answer = self.client().abci_query(query).await;
        let answer = answer.map_err(|error| self.node_error(error))?;
        if answer.code != 0 {
            return Err(Error::Refused { code: answer.code, log: answer.log });
        }
        decode_answer(path, &answer.value.0)
    }

    /// Makes a transaction of `actions`, pays it, signs it, sends it, and waits until it is in a
    /// block. Pays by work where the network takes it, else by a fee.
    pub async fn send(
        &mut self,
        account: AccountId,
        actions: &[Action],
        signer: &Signer,
        progress: &dyn Progress,
    ) -> Result<Sent, Error> {
        let request = proto::PageRequest { account: account.to_vec(), ..Default::default() };
        let hint: proto::PendingNonce = self.hint(query::NONCE, &request).await?;
        let nonce = self.nonces.get(&account).copied().unwrap_or(0).max(hint.nonce);
        let terms: proto::PaymentTerms = self.hint(query::TERMS, &Default::default()).await?;
        let params = terms.params.clone().unwrap_or_default();
        let until = self.latest().await?.time.unix_timestamp();
        let until = u64::try_from(until).unwrap_or(0).saturating_add(VALID_FOR_S);
        let draft = Draft::new(self.chain_id(), account, nonce, actions).valid_until_s(until);
        let kinds = || actions.iter().map(Action::kind);
        let draft = if params.accept_work {
            let anchor = Hash::from_slice(&terms.anchor);
            let anchor = anchor.map_err(|_| Error::Proof("the anchor is malformed".into()))?;
            let number = terms.anchor_number;
            // The longest solution there is: the price must cover whichever is found.
            let size = draft.clone().work(number, anchor, u64::MAX).size_with(1);
            let price = price::of(&params, kinds(), size);
            let puzzle = Puzzle::new(self.chain_id(), &account, nonce, &anchor);
            draft.work(number, anchor, solve(&puzzle, bits_for(price.work), progress))
        } else {
            let size = draft.clone().fee(u64::MAX).size_with(1);
            match price::of(&params, kinds(), size).fee {
                0 => draft,
                fee => draft.fee(fee),
            }
        };
        let bytes = signer.sign(draft, account).await?.encode();
        let sent = self.send_bytes(&bytes).await?;
        self.nonces.insert(account, nonce.saturating_add(1));
        Ok(sent)
    }

    async fn send_bytes(&self, bytes: &[u8]) -> Result<Sent, Error> {
        let hash = Hash::of(bytes);
        let answer = self.client().broadcast_tx_sync(bytes).await;
        let answer = answer.map_err(|error| self.node_error(error))?;
        if answer.code != 0 {
            return Err(Error::Refused { code: answer.code, log: answer.log });
        }
        let since = Instant::now();
        loop {
            match self.client().tx(hash.as_bytes(), false).await {
                Ok(found) if found.tx_result.code != 0 => {
                    let result = found.tx_result;
                    return Err(Error::Refused { code: result.code, log: result.log });
                }
                Ok(found) => {
                    let height = u64::try_from(found.height)
                        .map_err(|_| Error::Proof("a negative height".into()))?;
                    return Ok(Sent { hash, height });
                }
                // Not in a block yet.
                Err(ClientError::Rpc(_)) => {}
                Err(error) => return Err(self.node_error(error)),
            }
            if since.elapsed() > BLOCK_WAIT {
                let what = format!("transaction {hash}");
                return Err(Error::Late { what, seconds: BLOCK_WAIT.as_secs() });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Seeks a solution on all cores.
pub fn solve(puzzle: &Puzzle, bits: u32, progress: &dyn Progress) -> u64 {
    /// Attempts between two looks at what the others found.
    const AT_A_TIME: u64 = 1 << 13;
    if bits == 0 {
        return 0;
    }
    let expected = 1u64.checked_shl(bits).unwrap_or(u64::MAX);
    let (next, found, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    let first = next.fetch_add(AT_A_TIME, Ordering::Relaxed);
                    if let Some(solution) = puzzle.search(first, AT_A_TIME, bits) {
                        found.store(solution, Ordering::Relaxed);
                        done.store(true, Ordering::Release);
                    }
                }
            });
        }
        while !done.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(2));
            progress.work(next.load(Ordering::Relaxed), expected);
        }
    });
    found.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests;
