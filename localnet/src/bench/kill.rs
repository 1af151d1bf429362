//! Everything killed under load, and what of it is left: each transaction that any node showed as
//! committed is looked up on every node afterwards, and the newest blocks are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use guts_localnet::network::Network;
use guts_localnet::{process, start};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use crate::Failure;
use crate::http::Connection;
use crate::load;
use crate::report::round;
use crate::watch::Watcher;
use crate::work::Plan;

/// How long after the start of the processes all nodes may take to show what they showed before.
const BACK_PATIENCE: Duration = Duration::from_secs(120);
/// How long the first commit may take.
const SEEN_PATIENCE: Duration = Duration::from_secs(60);
/// How often a node that is not back is asked.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// The newest blocks that are compared.
const BLOCKS: usize = 60;

/// A transaction's SHA-256.
type TxHash = [u8; 32];

/// What nodes showed.
#[derive(Default)]
pub struct Shown {
    /// The hash of each block, in hexadecimal; several where nodes did not agree.
    blocks: BTreeMap<u64, BTreeSet<String>>,
    /// Transactions of ours, and their heights.
    txs: BTreeMap<TxHash, u64>,
}

impl Shown {
    /// A block was shown.
    pub fn block(&mut self, height: u64, hash: String) {
        self.blocks.entry(height).or_default().insert(hash);
    }

    /// A transaction of ours was shown in a block.
    pub fn tx(&mut self, height: u64, tx: &[u8]) {
        self.txs.insert(Sha256::digest(tx).into(), height);
    }

    fn add(&mut self, other: Shown) {
        for (height, hashes) in other.blocks {
            self.blocks.entry(height).or_default().extend(hashes);
        }
        self.txs.extend(other.txs);
    }
}

/// What one trial found.
#[derive(Debug, Serialize)]
pub struct Trial {
    /// Processes that were killed.
    killed: usize,
    /// The newest height that any node had shown.
    height: u64,
    /// Transactions that were seen committed before.
    seen: u64,
    /// Those that some node did not have afterwards, or had in another block.
    lost: u64,
    /// Heights, of those compared, at which nodes had another block than was seen before.
    differing_blocks: u64,
    /// Seconds from the first process's start until every node showed `height`.
    back_in_s: f64,
}

impl std::fmt::Display for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Trial { killed, height, seen, lost, differing_blocks, back_in_s } = self;
        write!(f, "{killed} processes killed at height {height}, {seen} transactions seen, ")?;
        write!(f, "{lost} lost, {differing_blocks} blocks differ, back in {back_in_s} s")
    }
}

/// What all trials found.
#[derive(Debug, Serialize)]
pub struct Kills {
    /// Over all trials.
    seen: u64,
    lost: u64,
    differing_blocks: u64,
    /// Trials in which something was lost or differed.
    bad_trials: usize,
    back_in_s_max: f64,
    trials: Vec<Trial>,
}

impl Kills {
    /// The sums.
    pub fn of(trials: Vec<Trial>) -> Kills {
        Kills {
            seen: trials.iter().map(|trial| trial.seen).sum(),
            lost: trials.iter().map(|trial| trial.lost).sum(),
            differing_blocks: trials.iter().map(|trial| trial.differing_blocks).sum(),
            bad_trials: trials.iter().filter(|it| it.lost + it.differing_blocks > 0).count(),
            back_in_s_max: trials.iter().map(|trial| trial.back_in_s).fold(0.0, f64::max),
            trials,
        }
    }

    /// Whether nothing was lost although there was something to lose.
    pub fn is_good(&self) -> bool {
        self.bad_trials == 0 && self.seen > 0
    }
}

/// Loads the network, from the first commit on for a random part of `most`, kills everything,
/// starts it again, and looks.
pub async fn trial(
    network: &mut Network,
    targets: &[String],
    plan: Arc<Plan>,
    most: Duration,
) -> Result<Trial, Failure> {
    let seen = Arc::new(Notify::new());
    let mut watchers = Vec::new();
    for target in targets {
        let watcher = Watcher::at_tip(target).await?;
        watchers.push(tokio::spawn(watcher.until_it_dies(Arc::clone(&plan), Arc::clone(&seen))));
    }
    let connections = load::open(targets).await?;
    let sending = tokio::spawn(load::send(plan, connections, Instant::now()));
    tokio::time::timeout(SEEN_PATIENCE, seen.notified())
        .await
        .map_err(|_| "no transaction was committed")?;
    tokio::time::sleep(most.mul_f64(rand::random_range(0.0..1.0))).await;
    if sending.is_finished() {
        sending.await??;
    } else {
        sending.abort();
    }
    let running = start::alive(network);
    process::kill(&running)?;
    let mut shown = Shown::default();
    for watcher in watchers {
        shown.add(watcher.await?);
    }
    let again = Instant::now();
    start::bring_up(network, start::PATIENCE)?;
    let height = shown.blocks.keys().next_back().copied().unwrap_or(0);
    for target in targets {
        wait_back(target, height, again + BACK_PATIENCE).await?;
    }
    let back_in_s = round(again.elapsed().as_secs_f64());
    let (lost, differing_blocks) = losses(targets, &shown).await?;
    let seen = shown.txs.len() as u64;
    Ok(Trial { killed: running.len(), height, seen, lost, differing_blocks, back_in_s })
}

async fn wait_back(target: &str, height: u64, deadline: Instant) -> Result<(), Failure> {
    while !matches!(Watcher::at_tip(target).await, Ok(watcher) if watcher.next() > height) {
        if Instant::now() > deadline {
            return Err(format!("{target} has not shown height {height} again").into());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// How many transactions some node lost, and how many blocks are not what they were everywhere.
pub async fn losses(targets: &[String], shown: &Shown) -> Result<(u64, u64), Failure> {
    let mut lost = BTreeSet::new();
    let mut differing = BTreeSet::new();
    for target in targets {
        let mut node = Connection::open(target).await?;
        for (hash, height) in &shown.txs {
            if !has(&mut node, hash, *height).await? {
                lost.insert(*hash);
            }
        }
        for (height, hashes) in shown.blocks.iter().rev().take(BLOCKS) {
            let text = node.get(&format!("/block?height={height}")).await?;
            let block: serde_json::Value = serde_json::from_slice(&text)?;
            let hash = block["result"]["block_id"]["hash"].as_str();
            if hashes.len() != 1 || hashes.first().map(String::as_str) != hash {
                differing.insert(*height);
            }
        }
    }
    Ok((lost.len() as u64, differing.len() as u64))
}

/// Whether a node has a transaction at its height.
async fn has(node: &mut Connection, hash: &TxHash, height: u64) -> Result<bool, Failure> {
    let text = node.get(&format!("/tx?hash=0x{}", hex::encode_upper(hash))).await?;
    let answer: serde_json::Value = serde_json::from_slice(&text)?;
    let found = answer["result"]["height"].as_str();
    if found.is_none() && !answer["error"].to_string().contains("not found") {
        return Err(format!("/tx was refused: {answer}").into());
    }
    Ok(found == Some(height.to_string().as_str()))
}
