//! Reads blocks as soon as they are readable and notes which of our transactions they hold.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::Failure;
use crate::http::Connection;
use crate::report::Seen;
use crate::work::Plan;

/// How often the next block is asked for; adds at most this much to a latency.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

#[derive(Deserialize)]
struct Answer<T> {
    result: Option<T>,
}

#[derive(Deserialize)]
struct Status {
    sync_info: SyncInfo,
}

#[derive(Deserialize)]
struct SyncInfo {
    latest_block_height: String,
}

#[derive(Deserialize)]
struct BlockAnswer<'a> {
    #[serde(borrow)]
    block: Option<Block<'a>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    txs: Option<Vec<&'a str>>,
}

/// Follows one node's chain.
pub struct Watcher {
    connection: Connection,
    next: u64,
}

impl Watcher {
    /// Starts after the newest block of the node.
    pub async fn at_tip(node: &str) -> Result<Watcher, Failure> {
        let mut connection = Connection::open(node).await?;
        let text = connection.get("/status").await?;
        let answer: Answer<Status> = serde_json::from_slice(&text)?;
        let status = answer.result.ok_or("status was refused")?;
        let height: u64 = status.sync_info.latest_block_height.parse()?;
        Ok(Watcher { connection, next: height + 1 })
    }

    /// Notes every block that becomes readable until `end`.
    pub async fn follow(
        &mut self,
        end: Instant,
        begun: Instant,
        plan: &Plan,
        seen: &mut Seen,
    ) -> Result<(), Failure> {
        let mut said = 0;
        while Instant::now() < end {
            let path = format!("/block?height={}", self.next);
            let text = self.connection.get(&path).await?;
            let now = begun.elapsed();
            let answer: Answer<BlockAnswer> = serde_json::from_slice(&text)?;
            let Some(block) = answer.result.and_then(|answer| answer.block) else {
                tokio::time::sleep(POLL_INTERVAL).await;
                continue;
            };
            self.next += 1;
            seen.block(now);
            for tx in block.data.txs.iter().flatten() {
                if let Some(index) = STANDARD.decode(tx).ok().and_then(|tx| plan.index(&tx)) {
                    seen.commit(now, now.saturating_sub(plan.due(index)));
                }
            }
            if now.as_secs() > said {
                said = now.as_secs();
                eprintln!("  {said:>3} s: {} committed, block {}", seen.committed(), self.next - 1);
            }
        }
        Ok(())
    }
}
