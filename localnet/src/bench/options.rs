//! What the command line of `guts-bench` says, and what it means when it says nothing.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::Failure;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Transfers between accounts that the genesis of a local network funds; needs --home.
    Guts,
    /// `key=value` transactions of the kvstore application.
    Kvstore,
    /// Pushes of one commit with stock git to the gateways of a local network, and to plain
    /// `git http-backend` beside them; needs --home.
    Push,
    /// Clones of a repository of --size random bytes with stock git from a gateway of a local
    /// network, in turn with plain `git http-backend`; needs --home.
    Clone,
    /// Load until a random moment, then kill -9 of every process of a local network, and a look at
    /// every node for each transaction that any had shown as committed; exit 1 when one is lost;
    /// needs --home.
    Kill,
    /// Nothing: what each process takes at rest.
    Idle,
}

/// Open-loop load on a network, with latency, CPU and memory as one JSON object.
#[derive(Parser, Debug)]
#[command(version)]
pub struct Options {
    /// What to measure.
    #[arg(long, value_enum, default_value = "guts")]
    pub kind: Kind,
    /// RPC addresses, separated by commas [default: those of the network in --home].
    #[arg(long, value_delimiter = ',', value_name = "URL")]
    pub rpc: Vec<String>,
    /// Directory of the network, for addresses and pids.
    #[arg(long, overrides_with = "home")]
    pub home: Option<PathBuf>,
    /// Processes to account for, as NAME=PID, besides those of --home.
    #[arg(long = "pid", value_delimiter = ',', value_name = "NAME=PID")]
    pub pids: Vec<String>,
    /// Transactions or pushes a second [default: 1000, of pushes 1, before a kill 600].
    #[arg(long, value_name = "R")]
    rate: Option<u64>,
    /// Transactions a request: 1 sends broadcast_tx_sync, more send a batch of broadcast_tx_async.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub batch: u64,
    /// How long to send, or before a kill the longest [default: 20, before a kill 5].
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// Bytes of a kvstore transaction [default: 256] or of the files to clone [default:
    /// 100000000]; others are as long as they are.
    #[arg(long, value_name = "BYTES")]
    size: Option<usize>,
    /// Accounts that send and get Guts transactions, the first of those that genesis funds
    /// [default: all of them].
    #[arg(long, value_name = "N")]
    accounts: Option<u64>,
    /// Meanwhile, calls of check_tx and of abci_query a second each, to see how long they take.
    #[arg(long, value_name = "R", default_value_t = 0)]
    pub calls: u64,
    /// How often to kill [default: 20] or to clone from each [default: 5].
    #[arg(long, value_name = "N")]
    trials: Option<u64>,
}

impl Options {
    /// Transactions or pushes a second.
    pub fn rate(&self) -> u64 {
        self.rate.unwrap_or(match self.kind {
            Kind::Push => 1,
            Kind::Kill => 600,
            _ => 1000,
        })
    }

    /// How long to send.
    pub fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(if self.kind == Kind::Kill { 5 } else { 20 })
    }

    /// Bytes of a transaction, or of the files to clone.
    pub fn size(&self) -> usize {
        self.size.unwrap_or(if self.kind == Kind::Clone { 100_000_000 } else { 256 })
    }

    /// How often to kill, or to clone from each.
    pub fn trials(&self) -> u64 {
        self.trials.unwrap_or(if self.kind == Kind::Kill { 20 } else { 5 })
    }

    /// How many accounts take part, of those that genesis funds.
    pub fn accounts(&self, funded: u64) -> Result<u64, Failure> {
        match self.accounts {
            None => Ok(funded),
            Some(wanted) if (1..=funded).contains(&wanted) => Ok(wanted),
            Some(_) => {
                Err(format!("--accounts takes 1 to {funded}: genesis funds so many for load")
                    .into())
            }
        }
    }

    /// The kind as the command line has it.
    pub fn kind_name(&self) -> String {
        format!("{:?}", self.kind).to_lowercase()
    }

    /// Refuses what no run can be made of.
    pub fn check(&self) -> Result<(), Failure> {
        let least = [self.rate(), self.seconds(), self.batch, self.trials(), self.size() as u64];
        if least.contains(&0) {
            return Err("--rate, --seconds, --batch, --size and --trials must be at least 1".into());
        }
        let is_many = |rate: u64| rate.checked_mul(self.seconds()).is_none_or(|all| all > TXS_MAX);
        if is_many(self.rate()) {
            return Err(
                format!("more than {TXS_MAX} transactions: lower --rate or --seconds").into()
            );
        }
        if is_many(self.calls) {
            return Err(format!("more than {TXS_MAX} calls: lower --calls or --seconds").into());
        }
        if self.accounts.is_some() && !matches!(self.kind, Kind::Guts | Kind::Kill) {
            let kind = self.kind_name();
            return Err(format!(
                "--accounts is for Guts transactions: leave it out of --kind {kind}"
            )
            .into());
        }
        Ok(())
    }
}

/// Transactions one run may send, and calls of a kind it may make.
const TXS_MAX: u64 = 10_000_000;
