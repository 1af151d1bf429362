//! Choosing the transactions of a proposed block: by nonce within an account, by fee between
//! accounts, by arrival where fees are equal. Each is executed as it is chosen: one that is not
//! admitted any more, because of those before it, would take its place for nothing and is left out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use guts_abci::proto::abci::ExecTxResult;
use guts_schema::{AccountId, Payment};
use guts_state::Read;

use crate::admit::check_order;
use crate::block::{Body, try_tx};
use crate::checker::Checked;
use crate::fault::{Broken, Fault};
use crate::modules::account;
use crate::run::{Block, Run};

/// A block that this node proposed, executed but for its last hooks, which see the block's hash.
pub(crate) struct Prepared {
    /// As it was known before it had a hash.
    pub(crate) block: Block,
    /// Its transactions, attestations included.
    pub(crate) txs: Vec<bytes::Bytes>,
    /// What they did.
    pub(crate) body: Body,
}

impl Prepared {
    /// Whether `block` with these transactions is the one that was executed.
    pub(crate) fn is(&self, block: &Block, txs: &[bytes::Bytes]) -> bool {
        let of = |block: &Block| (block.height, block.time_s, block.has_txs);
        of(&self.block) == of(block)
            && self.block.absent == block.absent
            && self.block.misbehaviour == block.misbehaviour
            && self.txs == txs
    }
}

/// Bytes that a transaction takes in a block's list: itself, a tag and its length.
pub fn size_in_block(length: usize) -> u64 {
    let length = length as u64;
    let length_bytes = (64 - (length | 1).leading_zeros()).div_ceil(7);
    1 + u64::from(length_bytes) + length
}

/// A transaction that waits, by place in the list given.
struct Candidate {
    place: usize,
    nonce: u64,
    fee: u64,
}

/// Fee per byte in millionths, so that it orders without fractions.
fn rate(fee: u64, length: usize) -> u128 {
    u128::from(fee) * 1_000_000 / (length.max(1) as u128)
}

/// The places of the transactions to take, in order, at most `bytes_max` in all, and what each did
/// to the block that is `run`.
pub fn choose(
    run: &mut Run<'_>,
    txs: &[(usize, Checked)],
    bytes_max: u64,
) -> Result<Vec<(usize, ExecTxResult)>, Broken> {
    let mut queues = by_payer(&run.state, run.block.time_s, txs)?;
    // The first of each account competes; an equal rate is decided by arrival.
    let mut heads: BTreeMap<(Reverse<u128>, usize), AccountId> = BTreeMap::new();
    let enter = |heads: &mut BTreeMap<_, _>, payer: AccountId, first: &Candidate| {
        heads.insert((Reverse(rate(first.fee, txs[first.place].0)), first.place), payer);
    };
    for (payer, queue) in &queues {
        if let Some(first) = queue.front() {
            enter(&mut heads, *payer, first);
        }
    }
    let (mut chosen, mut used) = (Vec::new(), 0u64);
    while let Some((_, payer)) = heads.pop_first() {
        let Some(queue) = queues.get_mut(&payer) else { continue };
        let Some(candidate) = queue.pop_front() else { continue };
        let size = size_in_block(txs[candidate.place].0);
        if used.saturating_add(size) > bytes_max {
            // What follows of this account needs this one first; others may still fit.
            continue;
        }
        let Ok(tx) = &txs[candidate.place].1 else { continue };
        // Nor does anything follow one that is not admitted.
        let Ok(result) = try_tx(run, tx)? else { continue };
        used += size;
        chosen.push((candidate.place, result));
        if let Some(next) = queue.front() {
            enter(&mut heads, payer, next);
        }
    }
    Ok(chosen)
}

/// Each account's transactions in order of nonce, from its next on and without gaps.
fn by_payer(
    view: &dyn Read,
    now_s: u64,
    txs: &[(usize, Checked)],
) -> Result<BTreeMap<AccountId, VecDeque<Candidate>>, Broken> {
    let mut found: BTreeMap<AccountId, Vec<Candidate>> = BTreeMap::new();
    for (place, (_, checked)) in txs.iter().enumerate() {
        let Ok(tx) = checked else { continue };
        let fee = if let Payment::Fee(fee) = tx.payment { fee } else { 0 };
        found.entry(tx.payer).or_default().push(Candidate { place, nonce: tx.nonce, fee });
    }
    let mut queues = BTreeMap::new();
    for (payer, mut candidates) in found {
        // Of two with one nonce the dearer, then the earlier.
        candidates.sort_by_key(|c| (c.nonce, Reverse(c.fee), c.place));
        let mut next = account::get(view, &payer)?.map_or(0, |account| account.nonce);
        let mut queue = VecDeque::new();
        for candidate in candidates {
            let Ok(tx) = &txs[candidate.place].1 else { continue };
            match check_order(tx, next, now_s) {
                Ok(()) => {
                    next = next.saturating_add(1);
                    queue.push_back(candidate);
                }
                Err(Fault::Refused(_)) => {}
                Err(Fault::Broken(broken)) => return Err(broken),
            }
        }
        queues.insert(payer, queue);
    }
    Ok(queues)
}

#[cfg(test)]
mod tests;
