//! Pushes of one commit with stock git, to the gateways of a local network and, in turn with them,
//! to plain `git http-backend`.
//!
//! Push `i` is the turn of developer `i % n`. The commits are made before they are due.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Failure;
use crate::developer::{Developer, Setting};
use crate::report::percentile;

/// What the pushes took.
#[derive(Debug, Default)]
pub struct Pushed {
    /// For each that succeeded: when it was through, and how long after it was due.
    pub done: Vec<(Duration, Duration)>,
    /// Pushes that git reported as failed.
    pub refused: u64,
    /// From start to exit, in microseconds.
    own_us: Vec<u64>,
    plain_us: Vec<u64>,
}

/// A push against the same push to plain git, in milliseconds from start to exit.
#[derive(Debug, Serialize)]
pub struct Comparison {
    push_p50_ms: f64,
    push_p90_ms: f64,
    plain_p50_ms: f64,
    plain_p90_ms: f64,
    over_plain_p50_ms: f64,
}

impl Pushed {
    /// The pushes beside plain ones.
    pub fn comparison(&mut self) -> Comparison {
        self.own_us.sort_unstable();
        self.plain_us.sort_unstable();
        let (own, plain) = (percentile(&self.own_us, 50), percentile(&self.plain_us, 50));
        Comparison {
            push_p50_ms: own,
            push_p90_ms: percentile(&self.own_us, 90),
            plain_p50_ms: plain,
            plain_p90_ms: percentile(&self.plain_us, 90),
            over_plain_p50_ms: ((own - plain) * 10.0).round() / 10.0,
        }
    }
}

/// Which pushes are a developer's.
#[derive(Clone, Copy)]
struct Turns {
    first: u64,
    step: usize,
    total: u64,
    interval: Duration,
}

/// Every `step`th push from `first` on, up to `total`, each when it is due.
async fn take_turns(
    developer: &Developer,
    turns: Turns,
    begun: Instant,
) -> Result<Pushed, Failure> {
    let mut pushed = Pushed::default();
    for number in (turns.first..turns.total).step_by(turns.step) {
        developer.commit(number + 1).await?;
        let due = turns.interval * u32::try_from(number)?;
        tokio::time::sleep_until((begun + due).into()).await;
        match developer.push("origin").await {
            Ok(took) => {
                let at = begun.elapsed();
                pushed.done.push((at, at.saturating_sub(due)));
                pushed.own_us.push(u64::try_from(took.as_micros())?);
            }
            Err(error) => {
                eprintln!("  {error}");
                pushed.refused += 1;
            }
        }
        let took = developer.push("plain").await?;
        pushed.plain_us.push(u64::try_from(took.as_micros())?);
    }
    Ok(pushed)
}

/// Makes `total` pushes, `rate` a second.
pub async fn send(
    setting: &Setting,
    total: u64,
    rate: u64,
    begun: Instant,
) -> Result<Pushed, Failure> {
    let step = setting.developers.len();
    let interval = Duration::from_secs(1) / u32::try_from(rate)?;
    let turns = (0..).zip(&setting.developers).map(|(first, developer)| {
        take_turns(developer, Turns { first, step, total, interval }, begun)
    });
    let mut all = Pushed::default();
    for one in futures::future::try_join_all(turns).await? {
        all.done.extend(one.done);
        all.refused += one.refused;
        all.own_us.extend(one.own_us);
        all.plain_us.extend(one.plain_us);
    }
    Ok(all)
}
