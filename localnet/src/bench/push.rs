//! Pushes of one commit with stock git, to the gateways of a local network and, in turn with them,
//! to plain `git http-backend`.
//!
//! Each gateway has a developer with a repository of their own; push `i` is the turn of developer
//! `i % n`. The commits are made before they are due.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use guts_localnet::network::Network;
use serde::Serialize;
use tokio::process::Command;

use crate::Failure;
use crate::plain::{self, Plain};
use crate::report::percentile;

/// Somebody who pushes.
struct Developer {
    /// A clone with the remotes `origin` and `plain`.
    work: PathBuf,
}

/// A place on disk that goes when the run ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies in the system's own temporary directory.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Developers ready to push.
pub struct Setting {
    developers: Vec<Developer>,
    // Held for as long as pushes go to it.
    _plain: Plain,
    _scratch: Scratch,
}

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

/// Runs stock git without this machine's configuration.
pub async fn git(args: &[&str], dir: &Path) -> Result<(), Failure> {
    let env = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Bench"),
        ("GIT_AUTHOR_EMAIL", "bench@example.com"),
        ("GIT_COMMITTER_NAME", "Bench"),
        ("GIT_COMMITTER_EMAIL", "bench@example.com"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ];
    run(Path::new("git"), args, dir, &env).await
}

async fn run(
    program: &Path,
    args: &[&str],
    dir: &Path,
    env: &[(&str, &str)],
) -> Result<(), Failure> {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).envs(env.iter().copied());
    let name = program.display();
    let output = command.output().await.map_err(|error| format!("cannot run {name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{name} {} failed:\n{said}", args.join(" ")).into())
}

/// Makes a developer for each validator's gateway: account, repository, first push.
pub async fn prepare(network: &Network) -> Result<Setting, Failure> {
    let run_id = format!("{:08x}", rand::random::<u32>());
    let scratch = Scratch(std::env::temp_dir().join(format!("guts-bench-{run_id}")));
    let bare = scratch.0.join("plain");
    std::fs::create_dir_all(&bare)?;
    let plain = Plain::serve(bare.clone()).await?;
    let guts = std::env::current_exe()?.with_file_name("guts");
    let mut developers = Vec::new();
    for validator in &network.validators {
        let name = format!("bench-{run_id}-{}", validator.index);
        eprintln!("• making an account and a repository: {name}/push");
        let home = scratch.0.join(&name);
        let work = home.join("push");
        std::fs::create_dir_all(&work)?;
        let guts_home = home.join(".guts").display().to_string();
        let (node, gateway) = (validator.rpc_url(), validator.gateway_url());
        let env = [
            ("GUTS_HOME", guts_home.as_str()),
            ("GUTS_NODE", node.as_str()),
            ("GUTS_GATEWAY", gateway.as_str()),
        ];
        run(&guts, &["init", "--handle", &name], &home, &env).await?;
        git(&["init", "-q", "-b", "main"], &work).await?;
        let developer = Developer { work };
        developer.commit(0).await?;
        run(&guts, &["repo", "create", "push"], &developer.work, &env).await?;
        let bare = format!("{name}.git");
        plain::repository(&scratch.0.join("plain").join(&bare)).await?;
        let url = format!("{}/{bare}", plain.url);
        git(&["remote", "add", "plain", &url], &developer.work).await?;
        developer.push("origin").await?;
        developer.push("plain").await?;
        developers.push(developer);
    }
    Ok(Setting { developers, _plain: plain, _scratch: scratch })
}

impl Developer {
    async fn commit(&self, number: u64) -> Result<(), Failure> {
        std::fs::write(self.work.join("counter"), format!("{number}\n"))?;
        git(&["add", "counter"], &self.work).await?;
        git(&["commit", "-q", "-m", &format!("change {number}")], &self.work).await
    }

    /// Pushes the branch and says how long that took.
    async fn push(&self, remote: &str) -> Result<Duration, Failure> {
        let begun = Instant::now();
        git(&["push", "-q", remote, "main"], &self.work).await?;
        Ok(begun.elapsed())
    }

    /// Every `step`th push from `first` on, up to `total`, each when it is due.
    async fn take_turns(&self, turns: Turns, begun: Instant) -> Result<Pushed, Failure> {
        let mut pushed = Pushed::default();
        for number in (turns.first..turns.total).step_by(turns.step) {
            self.commit(number + 1).await?;
            let due = turns.interval * u32::try_from(number)?;
            tokio::time::sleep_until((begun + due).into()).await;
            match self.push("origin").await {
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
            let took = self.push("plain").await?;
            pushed.plain_us.push(u64::try_from(took.as_micros())?);
        }
        Ok(pushed)
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

impl Setting {
    /// Makes `total` pushes, `rate` a second.
    pub async fn send(&self, total: u64, rate: u64, begun: Instant) -> Result<Pushed, Failure> {
        let step = self.developers.len();
        let interval = Duration::from_secs(1) / u32::try_from(rate)?;
        let turns = (0..).zip(&self.developers).map(|(first, developer)| {
            developer.take_turns(Turns { first, step, total, interval }, begun)
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
}
