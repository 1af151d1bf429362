//! `guts-bench`: open-loop load on any CometBFT-compatible RPC, and what it cost.
//!
//! Open loop: a transaction is due at a fixed moment whether or not earlier ones were answered,
//! and its latency runs from that moment to the moment its block is readable. A server that
//! falls behind so shows its queue instead of hiding it.
//!
//! One JSON object goes to standard output; progress goes to standard error.
//!
//! - [`machine`]: what this machine can do when idle, to make runs comparable.
//! - [`work`]: the transactions of the kvstore, made before the clock starts; [`guts`]: of Guts.
//! - [`push`]: pushes with stock git, beside [`plain`] git.
//! - [`load`]: sends them when they are due.
//! - [`watch`]: reads blocks and notes when each transaction became readable.
//! - [`usage`]: CPU and memory of the processes, from `/proc`.
//! - [`report`]: the figures.

mod guts;
mod http;
mod load;
mod machine;
mod plain;
mod push;
mod report;
#[cfg(test)]
mod tests;
mod usage;
mod watch;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use guts_localnet::app_state;
use guts_localnet::network::{Half, Network};

use crate::usage::Process;
use crate::work::Plan;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Transfers between accounts that the genesis of a local network funds; needs --home.
    Guts,
    /// `key=value` transactions of the kvstore application.
    Kvstore,
    /// Pushes of one commit with stock git to the gateways of a local network, and to plain
    /// `git http-backend` beside them; needs --home.
    Push,
}

/// Open-loop load on a network, with latency, CPU and memory as one JSON object.
#[derive(Parser, Debug)]
#[command(version)]
struct Options {
    /// What to send.
    #[arg(long, value_enum, default_value = "guts")]
    kind: Kind,
    /// RPC addresses, separated by commas [default: those of the network in --home].
    #[arg(long, value_delimiter = ',', value_name = "URL")]
    rpc: Vec<String>,
    /// Directory of the network, for addresses and pids.
    #[arg(long, overrides_with = "home")]
    home: Option<PathBuf>,
    /// Processes to account for, as NAME=PID, besides those of --home.
    #[arg(long = "pid", value_delimiter = ',', value_name = "NAME=PID")]
    pids: Vec<String>,
    /// Transactions or pushes a second [default: 1000, of pushes 1].
    #[arg(long)]
    rate: Option<u64>,
    /// Transactions a request: 1 sends broadcast_tx_sync, more send a batch of broadcast_tx_async.
    #[arg(long, default_value_t = 1)]
    batch: u64,
    /// How long to send.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Bytes a kvstore transaction; others are as long as they are.
    #[arg(long, default_value_t = 256)]
    size: usize,
}

impl Options {
    fn rate(&self) -> u64 {
        self.rate.unwrap_or(if self.kind == Kind::Push { 1 } else { 1000 })
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Transactions one run may send.
const TXS_MAX: u64 = 10_000_000;
/// How long transactions sent may take to be committed after the last was sent.
const DRAIN_PATIENCE: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Failure::from).and_then(|rt| rt.block_on(run(Options::parse())));
    match outcome {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<String, Failure> {
    check(&options)?;
    let network = match &options.home {
        Some(home) if Network::exists(home) => Some(Network::load(home)?),
        _ => None,
    };
    let targets = targets(&options, network.as_ref())?;
    let processes = processes(&options, network.as_ref())?;
    eprintln!("• measuring this machine at rest");
    let machine = machine::measure(options.home.as_deref())?;
    let run = Run { options, network, targets, processes, machine };
    match run.options.kind {
        Kind::Push => run.pushes().await,
        Kind::Guts | Kind::Kvstore => run.transactions().await,
    }
}

/// What a run is made of.
struct Run {
    options: Options,
    network: Option<Network>,
    targets: Vec<String>,
    processes: Vec<Process>,
    machine: machine::Machine,
}

impl Run {
    async fn plan(&self) -> Result<Plan, Failure> {
        let (options, rate) = (&self.options, self.options.rate());
        let total = rate * options.seconds;
        eprintln!("• making {total} transactions");
        if options.kind == Kind::Kvstore {
            return work::kvstore(total, options.size, options.batch, rate);
        }
        let network = self.network.as_ref().ok_or("--kind guts needs --home of a network")?;
        let chain = funded(network, &self.targets[0]).await?;
        guts::plan(chain, total, options.batch, rate, self.targets.len())
    }

    async fn transactions(self) -> Result<String, Failure> {
        let plan = Arc::new(self.plan().await?);
        let (rate, seconds) = (self.options.rate(), self.options.seconds);
        let mut watcher = watch::Watcher::at_tip(&self.targets[0]).await?;
        eprintln!("• sending {rate} tx/s for {seconds} s to {}", self.targets.join(", "));
        let before = usage::sample(&self.processes);
        let begun = Instant::now();
        let sending = tokio::spawn(load::send(Arc::clone(&plan), self.targets.clone(), begun));
        let end = begun + Duration::from_secs(seconds);
        let mut seen = report::Seen::new(plan.total);
        watcher.follow(end, begun, &plan, &mut seen).await?;
        let sent = sending.await??;
        let mut drained = end;
        while seen.committed() < sent.accepted && Instant::now() < end + DRAIN_PATIENCE {
            drained += Duration::from_millis(200);
            watcher.follow(drained, begun, &plan, &mut seen).await?;
        }
        let usage = usage::difference(&before, &usage::sample(&self.processes));
        eprintln!("✓ {} of {} transactions committed", seen.committed(), plan.total);
        Ok(self.report(plan.size, &sent, &seen, &usage, None))
    }

    async fn pushes(self) -> Result<String, Failure> {
        let network = self.network.as_ref().ok_or("--kind push needs --home of a network")?;
        if !network.is_guts() {
            return Err("--kind push needs a network of guts-app, which has gateways".into());
        }
        let (rate, seconds) = (self.options.rate(), self.options.seconds);
        let total = rate * seconds;
        let setting = push::prepare(network).await?;
        // Nothing is recognised in the blocks: they are followed for their interval.
        let plan = Plan::of(&[], 1, rate, 1);
        let mut watcher = watch::Watcher::at_tip(&self.targets[0]).await?;
        eprintln!("• {rate} pushes/s for {seconds} s, each to plain git as well");
        let before = usage::sample(&self.processes);
        let begun = Instant::now();
        let end = begun + Duration::from_secs(seconds);
        let mut seen = report::Seen::new(total);
        let (followed, pushed) = tokio::join!(
            watcher.follow(end, begun, &plan, &mut seen),
            setting.send(total, rate, begun)
        );
        followed?;
        let mut pushed = pushed?;
        let usage = usage::difference(&before, &usage::sample(&self.processes));
        for (at, latency) in &pushed.done {
            seen.commit(*at, *latency);
        }
        let sent = load::Sent {
            sent: total,
            accepted: seen.committed(),
            refused: pushed.refused,
            unsent: 0,
        };
        eprintln!("✓ {} of {total} pushes committed", seen.committed());
        Ok(self.report(0, &sent, &seen, &usage, Some(pushed.comparison())))
    }

    fn report(
        &self,
        size: usize,
        sent: &load::Sent,
        seen: &report::Seen,
        usage: &[usage::Usage],
        push: Option<push::Comparison>,
    ) -> String {
        report::Report::new(&self.options, sent, seen, usage)
            .with(size, &self.machine, push)
            .print()
    }
}

async fn funded(network: &Network, node: &str) -> Result<guts::Chain, Failure> {
    let seed = hex::decode(&network.seed)?;
    let keys = (0..app_state::LOAD_ACCOUNTS).map(|index| app_state::load_key(&seed, index));
    guts::Chain::ask(node, &network.chain_id, keys.collect()).await
}

fn check(options: &Options) -> Result<(), Failure> {
    if options.rate() == 0 || options.seconds == 0 || options.batch == 0 {
        return Err("--rate, --seconds and --batch must be at least 1".into());
    }
    match options.rate().checked_mul(options.seconds) {
        Some(total) if total <= TXS_MAX => Ok(()),
        _ => Err(format!("more than {TXS_MAX} transactions: lower --rate or --seconds").into()),
    }
}

fn targets(options: &Options, network: Option<&Network>) -> Result<Vec<String>, Failure> {
    let urls = match network {
        _ if !options.rpc.is_empty() => options.rpc.clone(),
        Some(network) => network.validators.iter().map(|v| v.rpc_url()).collect(),
        None => return Err("no network: give --rpc URL,.. or --home DIR of a running one".into()),
    };
    urls.iter()
        .map(|url| {
            let rest = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
            match rest.contains([':']) && !rest.contains('/') {
                true => Ok(rest.to_string()),
                false => Err(format!("{url} is not http://HOST:PORT").into()),
            }
        })
        .collect()
}

fn processes(options: &Options, network: Option<&Network>) -> Result<Vec<Process>, Failure> {
    let mut all = Vec::new();
    for validator in network.iter().flat_map(|network| &network.validators) {
        for half in [Half::App, Half::Engine] {
            if let Some(started) = validator.started(half) {
                let name = format!("{}{}", half.name(), validator.index);
                all.push(Process { name, pid: started.pid });
            }
        }
    }
    for text in &options.pids {
        let parsed = text.split_once('=').and_then(|(name, pid)| Some((name, pid.parse().ok()?)));
        let (name, pid) = parsed.ok_or_else(|| format!("{text} is not NAME=PID"))?;
        all.push(Process { name: name.to_string(), pid });
    }
    Ok(all)
}
