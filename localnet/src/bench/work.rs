//! The requests of a run, made before the clock starts so that making them costs the run nothing.

use std::collections::HashMap;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{RngExt as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};

use crate::Failure;
use crate::calls::{Calls, Question};

/// Hexadecimal digits of the run's number in each transaction.
const RUN_DIGITS: usize = 16;
/// Hexadecimal digits of a transaction's number.
const INDEX_DIGITS: usize = 12;
/// `<run><index>=` and at least one byte of value.
const SIZE_MIN: usize = RUN_DIGITS + INDEX_DIGITS + 2;

/// Everything that will be sent.
pub struct Plan {
    /// Request bodies, in the order in which they are due.
    pub bodies: Vec<Vec<u8>>,
    /// Transactions in each body but perhaps the last.
    pub batch: u64,
    /// All transactions.
    pub total: u64,
    /// Bytes of a transaction.
    pub size: usize,
    /// 1 when any node may get any request. Otherwise the number of nodes, and request `i` is for
    /// node `i % lanes`, so that what one account sends goes one way and arrives in order.
    pub lanes: usize,
    /// A node's requests between two that may speak of one account.
    pub apart: usize,
    /// Transactions a second.
    rate: u64,
    ours: Ours,
}

/// How a committed transaction is recognised.
enum Ours {
    /// By the run's number that it begins with, and its own number after that.
    Prefix(String),
    /// By its SHA-256.
    Hashes(HashMap<[u8; 32], u64>),
}

impl Plan {
    /// When transaction `index` is due, from the start of the run. Those of one request are due
    /// together.
    pub fn due(&self, index: u64) -> Duration {
        let first = index - index % self.batch;
        Duration::from_nanos((u128::from(first) * 1_000_000_000 / u128::from(self.rate)) as u64)
    }

    /// Which of ours this committed transaction is, if it is one.
    pub fn index(&self, tx: &[u8]) -> Option<u64> {
        match &self.ours {
            Ours::Prefix(run) => {
                let rest = tx.strip_prefix(run.as_bytes())?;
                let digits = std::str::from_utf8(rest.get(..INDEX_DIGITS)?).ok()?;
                u64::from_str_radix(digits, 16).ok().filter(|index| *index < self.total)
            }
            Ours::Hashes(hashes) => hashes.get(&<[u8; 32]>::from(Sha256::digest(tx))).copied(),
        }
    }

    /// The same plan where of a node's requests so many in a row speak of different accounts.
    pub fn apart(self, requests: usize) -> Plan {
        Plan { apart: requests.max(1), ..self }
    }

    /// A plan of transactions made elsewhere, recognised by their hashes.
    pub fn of(txs: &[Vec<u8>], batch: u64, rate: u64, lanes: usize) -> Plan {
        let hashes = (0u64..).zip(txs).map(|(at, tx)| (Sha256::digest(tx).into(), at));
        let texts: Vec<String> = txs.iter().map(|tx| STANDARD.encode(tx)).collect();
        Plan {
            bodies: texts.chunks(batch as usize).map(body).collect(),
            batch,
            total: txs.len() as u64,
            size: txs.first().map_or(0, Vec::len),
            lanes,
            apart: usize::MAX,
            rate,
            ours: Ours::Hashes(hashes.collect()),
        }
    }
}

/// `key=value` transactions with distinct keys.
pub fn kvstore(total: u64, size: usize, batch: u64, rate: u64) -> Result<Plan, Failure> {
    if size < SIZE_MIN {
        return Err(format!("--size must be at least {SIZE_MIN}").into());
    }
    let mut rng: StdRng = rand::make_rng();
    let run = format!("{:016x}", rng.random::<u64>());
    let tx = |index: u64| {
        let mut tx = format!("{run}{index:012x}=").into_bytes();
        tx.resize_with(size, || rng.sample(rand::distr::Alphanumeric));
        STANDARD.encode(tx)
    };
    let txs: Vec<String> = (0..total).map(tx).collect();
    let bodies = txs.chunks(batch as usize).map(body).collect();
    Ok(Plan {
        bodies,
        batch,
        total,
        size,
        lanes: 1,
        apart: usize::MAX,
        rate,
        ours: Ours::Prefix(run),
    })
}

/// What a client asks meanwhile, `rate` times a second: whether transactions are admitted, and for
/// a key that nobody has set.
pub fn calls(count: u64, rate: u64) -> Calls {
    let txs: Vec<Vec<u8>> = (0..count).map(|index| format!("asked{index}=1").into()).collect();
    let question = Question { path: "", data: b"asked".to_vec(), prove: false };
    Calls::new(&txs, &[question], rate)
}

fn body(txs: &[String]) -> Vec<u8> {
    let call = |method: &str, id: usize, tx: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"tx":"{tx}"}}}}"#)
    };
    let text = match txs {
        [tx] => call("broadcast_tx_sync", 0, tx),
        many => {
            let calls: Vec<_> = many
                .iter()
                .enumerate()
                .map(|(id, tx)| call("broadcast_tx_async", id, tx))
                .collect();
            format!("[{}]", calls.join(","))
        }
    };
    text.into_bytes()
}
