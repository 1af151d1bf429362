//! After the transactions of a block: its hash becomes an anchor, expired commitments go. A block
//! without transactions does neither, so that it can rest.

use guts_schema::ids::IdError;
use guts_schema::keys::Queue;
use guts_schema::{AccountId, Hash};

use super::state;
use crate::fault::Broken;
use crate::modules::params;
use crate::run::Run;

/// Expired commitments removed per block: more than can be made in one on average, and a bound on
/// what a block costs after a rest.
const EXPIRED_MAX: usize = 64;

pub(super) fn end(run: &mut Run<'_>) -> Result<(), Broken> {
    if !run.block.has_txs {
        return Ok(());
    }
    let hash = run.block.hash;
    state::record_anchor(run, &hash)?;
    let lasts_s = params::of(run)?.handle_commit_s;
    for id in state::queue_pop_due(run, Queue::HandleCommits, EXPIRED_MAX)? {
        let damaged = |error: IdError| Broken::Contradiction(error.to_string());
        let (account, hash) = id.split_at(AccountId::LEN.min(id.len()));
        let account = AccountId::from_slice(account).map_err(damaged)?;
        let hash = Hash::from_slice(hash).map_err(damaged)?;
        let Some(commit) = state::commit(&run.state, &account, &hash)? else { continue };
        let due_s = commit.time_s.saturating_add(lasts_s);
        if due_s <= run.block.time_s {
            state::drop_commit(run, &account, &hash);
        } else {
            // It may be claimed for longer since it was made, or was made again after its claim.
            state::queue_push(run, Queue::HandleCommits, due_s, &id)?;
        }
    }
    Ok(())
}
