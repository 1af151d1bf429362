//! `guts-bench`: open-loop load on any CometBFT-compatible RPC, and what it cost.
//!
//! Open loop: a transaction is due at a fixed moment whether or not earlier ones were answered,
//! and its latency runs from that moment to the moment its block is readable. A server that
//! falls behind so shows its queue instead of hiding it.
//!
//! One JSON object goes to standard output; progress goes to standard error.
//!
//! - [`options`]: the command line; [`target`]: the nodes and processes it means.
//! - [`machine`]: what this machine can do when idle, to make runs comparable.
//! - [`work`]: the transactions of the kvstore, made before the clock starts; [`guts`]: of Guts.
//! - [`developer`]: stock git, and repositories to push to gateways and to [`plain`] git.
//! - [`push`]: pushes of one commit; [`clone`]: clones of a large repository.
//! - [`load`]: sends them when they are due; [`calls`]: what a client asks meanwhile.
//! - [`watch`]: reads blocks and notes when each transaction became readable.
//! - [`kill`]: ends everything under load and looks for what was lost.
//! - [`usage`]: CPU and memory of the processes, from `/proc`.
//! - [`report`]: the figures.

mod calls;
mod clone;
mod developer;
mod guts;
mod http;
mod kill;
mod load;
mod machine;
mod options;
mod plain;
mod push;
mod report;
mod target;
#[cfg(test)]
mod tests;
mod usage;
mod watch;
mod work;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser as _;
use guts_localnet::app_state;
use guts_localnet::network::Network;
use guts_schema::AccountId;
use serde::Serialize;

use crate::calls::Calls;
use crate::options::{Kind, Options};
use crate::usage::Process;
use crate::work::Plan;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long transactions sent may take to be committed after the last was sent.
const DRAIN_PATIENCE: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Failure::from).and_then(|rt| rt.block_on(run(Options::parse())));
    match outcome {
        Ok(Outcome { report, is_good }) => {
            println!("{report}");
            if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a run found.
struct Outcome {
    /// One JSON object.
    report: String,
    /// False when it found something that must not be.
    is_good: bool,
}

impl Outcome {
    fn of(report: &impl Serialize) -> Outcome {
        let report = serde_json::to_string_pretty(report).expect("plain data encodes");
        Outcome { report, is_good: true }
    }
}

async fn run(options: Options) -> Result<Outcome, Failure> {
    options.check()?;
    let network = match &options.home {
        Some(home) if Network::exists(home) => Some(Network::load(home)?),
        _ => None,
    };
    let targets = target::targets(&options, network.as_ref())?;
    let processes = target::processes(&options, network.as_ref(), &targets)?;
    eprintln!("• measuring this machine at rest");
    let machine = machine::measure(options.home.as_deref())?;
    let run = Run { options, network, targets, processes, machine };
    match run.options.kind {
        Kind::Push => run.pushes().await,
        Kind::Clone => run.clones().await,
        Kind::Kill => run.kills().await,
        Kind::Idle => run.idle().await,
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
    fn network(&self) -> Result<&Network, Failure> {
        let kind = self.options.kind_name();
        self.network
            .as_ref()
            .ok_or_else(|| format!("--kind {kind} needs --home of a network").into())
    }

    /// A network whose validators have gateways.
    fn guts_network(&self) -> Result<&Network, Failure> {
        let kind = self.options.kind_name();
        match self.network()? {
            network if network.is_guts() => Ok(network),
            _ => {
                Err(format!("--kind {kind} needs a network of guts-app, which has gateways").into())
            }
        }
    }

    async fn plan(&self, is_guts: bool) -> Result<(Plan, Calls), Failure> {
        let (options, rate) = (&self.options, self.options.rate());
        let total = rate * options.seconds();
        let calls = options.calls * options.seconds();
        let making = || eprintln!("• making {total} transactions");
        if !is_guts {
            making();
            let plan = work::kvstore(total, options.size(), options.batch, rate)?;
            return Ok((plan, work::calls(calls, options.calls)));
        }
        let network = self.network()?;
        let accounts = self.options.accounts(network.accounts)?;
        making();
        let chain = funded(network, accounts, &self.targets[0], total).await?;
        let calls = guts::calls(&chain, calls, options.calls);
        Ok((guts::plan(chain, total, options.batch, rate, self.targets.len())?, calls))
    }

    async fn transactions(mut self) -> Result<Outcome, Failure> {
        let (plan, calls) = self.plan(self.options.kind == Kind::Guts).await?;
        let plan = Arc::new(plan);
        let (rate, seconds) = (self.options.rate(), self.options.seconds());
        let mut watcher = watch::Watcher::at_tip(&self.targets[0]).await?;
        eprintln!("• sending {rate} tx/s for {seconds} s to {}", self.targets.join(", "));
        let connections = load::open(&self.targets).await?;
        // The network's own, where the load goes to it.
        let own = self.network.as_ref().filter(|_| !self.processes.is_empty());
        let dirs = target::dirs(own);
        let disk = usage::on_disk(&dirs);
        let before = usage::sample(&self.processes);
        let begun = Instant::now();
        let sending = tokio::spawn(load::send(Arc::clone(&plan), connections, begun));
        let node = self.targets[0].clone();
        let calling = tokio::task::spawn_blocking(move || calls.make_alone(&node, begun));
        let end = begun + Duration::from_secs(seconds);
        let mut seen = report::Seen::new(plan.total);
        watcher.follow(end, begun, &plan, &mut seen).await?;
        let sent = sending.await??;
        let answered = calling.await??;
        let mut drained = end;
        while seen.found() < sent.accepted && Instant::now() < end + DRAIN_PATIENCE {
            drained += Duration::from_millis(200);
            watcher.follow(drained, begun, &plan, &mut seen).await?;
        }
        let usage = usage::difference(&before, &usage::sample(&self.processes));
        eprintln!("✓ {} of {} transactions committed", seen.committed(), plan.total);
        eprintln!("• measuring this machine at rest once more");
        self.machine = self.machine.mean(machine::measure(self.options.home.as_deref())?);
        let mut report = self.report(plan.size, &sent, &seen, &usage, None);
        report.disk = usage::grown(&dirs, &disk);
        report.calls = (self.options.calls > 0).then_some(answered);
        if let Some(warning) = report.warning() {
            eprintln!("warning: {warning}");
        }
        Ok(Outcome::of(&report))
    }

    async fn pushes(self) -> Result<Outcome, Failure> {
        let network = self.guts_network()?;
        let (rate, seconds) = (self.options.rate(), self.options.seconds());
        let total = rate * seconds;
        let setting = developer::prepare(&network.validators).await?;
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
            push::send(&setting, total, rate, begun)
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
        Ok(Outcome::of(&self.report(0, &sent, &seen, &usage, Some(pushed.comparison()))))
    }

    async fn clones(self) -> Result<Outcome, Failure> {
        let network = self.guts_network()?;
        let setting = developer::prepare(&network.validators[..1]).await?;
        let (size, trials) = (self.options.size(), self.options.trials());
        let cloned = clone::measure(&setting, network, size, trials).await?;
        Ok(Outcome::of(&report::Scaled::new(&self.options, &self.machine, cloned)))
    }

    async fn kills(mut self) -> Result<Outcome, Failure> {
        let mut network = self.network()?.clone();
        let most = Duration::from_secs(self.options.seconds());
        let mut trials = Vec::new();
        for number in 1..=self.options.trials() {
            let plan = Arc::new(self.plan(network.is_guts()).await?.0);
            let trial = kill::trial(&mut network, &self.targets, plan, most).await?;
            eprintln!("✓ trial {number}: {trial}");
            trials.push(trial);
            self.network = Some(network.clone());
        }
        let kills = kill::Kills::of(trials);
        let is_good = kills.is_good();
        let outcome = Outcome::of(&report::Scaled::new(&self.options, &self.machine, kills));
        Ok(Outcome { is_good, ..outcome })
    }

    async fn idle(self) -> Result<Outcome, Failure> {
        if self.processes.is_empty() {
            return Err("no process of this network runs: start it, or name some with --pid".into());
        }
        let seconds = self.options.seconds();
        eprintln!("• watching {} processes for {seconds} s", self.processes.len());
        let (before, begun) = (usage::sample(&self.processes), Instant::now());
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let usage = usage::difference(&before, &usage::sample(&self.processes));
        let idle = report::Idle::new(begun.elapsed(), &usage);
        Ok(Outcome::of(&report::Scaled::new(&self.options, &self.machine, idle)))
    }

    fn report<'a>(
        &'a self,
        size: usize,
        sent: &load::Sent,
        seen: &report::Seen,
        usage: &'a [usage::Usage],
        push: Option<push::Comparison>,
    ) -> report::Report<'a> {
        report::Report::new(&self.options, sent, seen, usage).with(size, &self.machine, push)
    }
}

/// Accounts that send at most; the rest of those that take part get what they send.
const SENDERS_MAX: u64 = 16_384;

/// The chain, with the first `count` of the accounts that genesis funds.
async fn funded(
    network: &Network,
    count: u64,
    node: &str,
    total: u64,
) -> Result<guts::Chain, Failure> {
    let seed = hex::decode(&network.seed)?;
    let key = |index: u64| app_state::load_key(&seed, index);
    let keys: Vec<_> = (0..count.min(SENDERS_MAX)).map(key).collect();
    let mut chain = guts::Chain::ask(node, &network.chain_id, keys).await?;
    if count > SENDERS_MAX {
        let others =
            (0..total).map(|number| AccountId::of_key(&key(spread(number, count)).public()));
        chain.others = others.collect();
    }
    Ok(chain)
}

/// The account, of so many, that the transaction of that number goes to: anywhere among them.
fn spread(number: u64, count: u64) -> u64 {
    /// Odd, and no small fraction of what a u64 holds: neighbours land far from each other.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    number.wrapping_mul(STEP) % count
}
