//! `guts-bench`: open-loop load on any CometBFT-compatible RPC, and what it cost.
//!
//! Open loop: a transaction is due at a fixed moment whether or not earlier ones were answered,
//! and its latency runs from that moment to the moment its block is readable. A server that
//! falls behind so shows its queue instead of hiding it.
//!
//! One JSON object goes to standard output; progress goes to standard error.
//!
//! - [`machine`]: what this machine can do when idle, to make runs comparable.
//! - [`work`]: the transactions of each kind, made before the clock starts.
//! - [`load`]: sends them when they are due.
//! - [`watch`]: reads blocks and notes when each transaction became readable.
//! - [`usage`]: CPU and memory of the processes, from `/proc`.
//! - [`report`]: the figures.

mod http;
mod load;
mod machine;
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
use guts_localnet::network::{Half, Network};

use crate::usage::Process;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// `key=value` transactions of the kvstore application.
    Kvstore,
}

/// Open-loop load on a network, with latency, CPU and memory as one JSON object.
#[derive(Parser, Debug)]
#[command(version)]
struct Options {
    /// What to send.
    #[arg(long, value_enum, default_value = "kvstore")]
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
    /// Transactions a second.
    #[arg(long, default_value_t = 1000)]
    rate: u64,
    /// Transactions a request: 1 sends broadcast_tx_sync, more send a batch of broadcast_tx_async.
    #[arg(long, default_value_t = 1)]
    batch: u64,
    /// How long to send.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Bytes a transaction.
    #[arg(long, default_value_t = 256)]
    size: usize,
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
    let total = options.rate * options.seconds;
    eprintln!("• making {total} transactions of {} bytes", options.size);
    let plan = Arc::new(work::kvstore(total, options.size, options.batch, options.rate)?);
    let mut watcher = watch::Watcher::at_tip(&targets[0]).await?;

    eprintln!(
        "• sending {} tx/s for {} s to {}",
        options.rate,
        options.seconds,
        targets.join(", ")
    );
    let before = usage::sample(&processes);
    let begun = Instant::now();
    let sending = tokio::spawn(load::send(Arc::clone(&plan), targets, begun));
    let end = begun + Duration::from_secs(options.seconds);
    let mut seen = report::Seen::new(total);
    watcher.follow(end, begun, &plan, &mut seen).await?;
    let sent = sending.await??;
    let mut drained = end;
    while seen.committed() < sent.accepted && Instant::now() < end + DRAIN_PATIENCE {
        drained += Duration::from_millis(200);
        watcher.follow(drained, begun, &plan, &mut seen).await?;
    }
    let after = usage::sample(&processes);
    eprintln!("✓ {} of {} transactions committed", seen.committed(), total);
    Ok(report::report(&options, &machine, &sent, &seen, &usage::difference(&before, &after)))
}

fn check(options: &Options) -> Result<(), Failure> {
    if options.rate == 0 || options.seconds == 0 || options.batch == 0 {
        return Err("--rate, --seconds and --batch must be at least 1".into());
    }
    match options.rate.checked_mul(options.seconds) {
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
