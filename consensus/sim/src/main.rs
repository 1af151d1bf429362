//! `guts-sim`: runs many worlds and says whether any rule was broken.
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::{Parser, ValueEnum};
use guts_sim::{Canary, Failure, Options, Totals, run};

/// Simulates networks of consensus engines with faults, one world a seed.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Run seeds for so long instead of so many.
    #[arg(long, conflicts_with = "seeds")]
    seconds: Option<u64>,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Validators at the start (1 to 20).
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=20))]
    nodes: u8,
    /// Heights a run must reach at least.
    #[arg(long, default_value_t = 30)]
    heights: u64,
    /// Breaks a rule on purpose: the run must then fail.
    #[arg(long, value_enum)]
    canary: Option<CanaryArg>,
    /// Tells every step on standard error (for one seed).
    #[arg(long)]
    trace: bool,
    /// Worlds at a time; 0: one a core.
    #[arg(long, default_value_t = 0)]
    jobs: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CanaryArg {
    ActBeforePersist,
    ForgetLock,
    QuorumMinusOne,
}

impl CanaryArg {
    fn canary(self) -> Canary {
        match self {
            CanaryArg::ActBeforePersist => Canary::ActBeforePersist,
            CanaryArg::ForgetLock => Canary::ForgetLock,
            CanaryArg::QuorumMinusOne => Canary::QuorumMinusOne,
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let options = Options {
        nodes: usize::from(args.nodes),
        heights: args.heights,
        canary: args.canary.map(CanaryArg::canary),
        trace: args.trace,
    };
    // A panic of an engine is a finding with a seed, not a reason to fill the screen.
    if args.seeds > 1 || args.seconds.is_some() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let started = Instant::now();
    let (totals, failure, ran) = run_all(&args, &options);
    print!("{totals}");
    println!("{ran} seeds in {:.1} s", started.elapsed().as_secs_f64());
    if let Some(failure) = failure {
        println!("VIOLATION: {failure}");
        let canary = args.canary.map(|c| format!(" --canary {}", c.name())).unwrap_or_default();
        println!(
            "reproduce: guts-sim --seeds 1 --seed {} --nodes {} --heights {}{canary}",
            failure.seed, args.nodes, args.heights
        );
        return ExitCode::FAILURE;
    }
    let mut missing = totals.missing();
    // Two villains need seven validators, which some worlds of the usual size get.
    let may_have_two = options.nodes >= 7 || options.nodes == Options::default().nodes;
    missing.retain(|what| *what != "two villains" || may_have_two);
    // A few seeds need not show everything.
    if ran >= 100 && options.nodes >= 4 && !missing.is_empty() {
        println!("NEVER SEEN: {}", missing.join(", "));
        return ExitCode::FAILURE;
    }
    println!("no violation");
    ExitCode::SUCCESS
}

fn run_all(args: &Args, options: &Options) -> (Totals, Option<Failure>, u64) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = if args.jobs == 0 { cores } else { args.jobs };
    let next = AtomicU64::new(0);
    let started = Instant::now();
    let result = Mutex::new((Totals::default(), None::<Failure>, 0_u64));
    let work = || {
        loop {
            let offset = next.fetch_add(1, Ordering::Relaxed);
            let stop = result.lock().is_ok_and(|found| found.1.is_some());
            let enough = match args.seconds {
                Some(seconds) => started.elapsed().as_secs() >= seconds,
                None => offset >= args.seeds,
            };
            if enough || stop {
                return;
            }
            let report = run(args.seed.wrapping_add(offset), options);
            let Ok(mut result) = result.lock() else { return };
            result.0.merge(&report.totals);
            result.2 += 1;
            if let Some(failure) = report.failure {
                // The lowest seed is reported, so that the answer does not depend on the jobs.
                let lower = result.1.as_ref().is_none_or(|known| failure.seed < known.seed);
                if lower {
                    result.1 = Some(failure);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        (0..jobs).for_each(|_| {
            scope.spawn(work);
        });
    });
    result.into_inner().unwrap_or_default()
}
