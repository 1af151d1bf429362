//! Reads blocks as soon as they are readable and notes which of our transactions they hold, and
//! how those ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tokio::sync::Notify;

use crate::Failure;
use crate::http::Connection;
use crate::kill::Shown;
use crate::report::Seen;
use crate::work::Plan;

/// How often the next block is asked for; adds at most this much to a latency.
const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// How long the results of a block may come after the block.
const RESULTS_PATIENCE: Duration = Duration::from_secs(10);

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
    block_id: BlockId<'a>,
    #[serde(borrow)]
    block: Option<Block<'a>>,
}

#[derive(Deserialize)]
struct BlockId<'a> {
    hash: &'a str,
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

#[derive(Deserialize)]
struct Results {
    txs_results: Option<Vec<TxResult>>,
}

#[derive(Deserialize)]
struct TxResult {
    #[serde(default)]
    code: u32,
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

    /// The height that is awaited.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Notes every block that becomes readable until the node does not answer any more, and tells
    /// when one of ours is in it.
    pub async fn until_it_dies(mut self, plan: Arc<Plan>, seen: Arc<Notify>) -> Shown {
        let mut shown = Shown::default();
        while let Ok(text) = self.connection.get(&format!("/block?height={}", self.next)).await {
            let answer: Option<Answer<BlockAnswer>> = serde_json::from_slice(&text).ok();
            let answer = answer.and_then(|answer| answer.result);
            let Some(BlockAnswer { block_id, block: Some(block) }) = answer else {
                tokio::time::sleep(POLL_INTERVAL).await;
                continue;
            };
            shown.block(self.next, block_id.hash.to_string());
            for tx in block.data.txs.iter().flatten() {
                if let Some(tx) = STANDARD.decode(tx).ok().filter(|tx| plan.index(tx).is_some()) {
                    shown.tx(self.next, &tx);
                    seen.notify_one();
                }
            }
            self.next += 1;
        }
        shown
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
            let txs = block.data.txs.unwrap_or_default();
            let ours: Vec<_> =
                txs.iter().map(|tx| plan.index(&STANDARD.decode(tx).ok()?)).collect();
            if ours.iter().any(Option::is_some) {
                let codes = self.codes(self.next - 1, ours.len()).await?;
                for (index, code) in ours.iter().zip(codes) {
                    match index {
                        Some(index) if code == 0 => {
                            seen.commit(now, now.saturating_sub(plan.due(*index)));
                        }
                        Some(_) => seen.fail(),
                        None => {}
                    }
                }
            }
            if now.as_secs() > said {
                said = now.as_secs();
                eprintln!("  {said:>3} s: {} committed, block {}", seen.committed(), self.next - 1);
            }
        }
        Ok(())
    }

    /// The result codes of a block's transactions, of which there are `count`.
    async fn codes(&mut self, height: u64, count: usize) -> Result<Vec<u32>, Failure> {
        let path = format!("/block_results?height={height}");
        let deadline = Instant::now() + RESULTS_PATIENCE;
        loop {
            let text = self.connection.get(&path).await?;
            let answer: Answer<Results> = serde_json::from_slice(&text)?;
            let results = answer.result.and_then(|results| results.txs_results);
            match results {
                Some(results) if results.len() == count => {
                    return Ok(results.iter().map(|result| result.code).collect());
                }
                _ if Instant::now() > deadline => {
                    return Err(format!("no results of block {height}").into());
                }
                // Some nodes show a block before they have executed it.
                _ => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }
}
