//! The state of old heights is given up in the background: at most as many heights below the newest
//! are kept as the settings say.

use std::time::Instant;

use guts_state_disk::{Database, DiskError, Pruner};

use crate::chain::Chain;

/// Rows deleted at once: a millisecond or two, for which a commit may have to wait.
const STEP_ROWS: usize = 1_000;

/// Prunes after commits until the node stops. `keep_heights` as in the settings.
pub async fn run(chain: Chain, database: Database, keep_heights: u64) {
    let mut watch = chain.watch();
    let mut pruner = database.pruner();
    loop {
        let newest = watch.borrow_and_update().height;
        let oldest = match keep_heights {
            // What an earlier run gave up is deleted all the same.
            0 => 0,
            kept => newest.saturating_sub(kept),
        };
        match prune(pruner, oldest).await {
            Ok(back) => pruner = back,
            Err(error) => {
                tracing::error!(%error, "the state of old heights cannot be deleted and is kept");
                return;
            }
        }
        // An error means that the node is stopping.
        if keep_heights == 0 || watch.changed().await.is_err() {
            return;
        }
    }
}

/// Why pruning ended.
#[derive(Debug, thiserror::Error)]
enum PruneError {
    /// The database.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A step broke off.
    #[error(transparent)]
    Broken(#[from] tokio::task::JoinError),
}

/// Deletes all there is to delete, half of the time.
async fn prune(mut pruner: Pruner, oldest: u64) -> Result<Pruner, PruneError> {
    loop {
        let begun = Instant::now();
        let step = tokio::task::spawn_blocking(move || {
            pruner.keep_from(oldest)?;
            let is_more = pruner.step(STEP_ROWS)?;
            Ok::<_, DiskError>((pruner, is_more))
        });
        let is_more;
        (pruner, is_more) = step.await??;
        if !is_more {
            return Ok(pruner);
        }
        tokio::time::sleep(begun.elapsed()).await;
    }
}
