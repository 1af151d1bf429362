//! Clones of a large repository with stock git, from a gateway and, in turn with it, from plain
//! `git http-backend`.

use std::path::Path;
use std::time::{Duration, Instant};

use guts_localnet::network::Network;
use rand::{RngExt as _, rngs::StdRng};
use serde::Serialize;

use crate::Failure;
use crate::developer::{Setting, git};
use crate::report::{percentile, round};

/// Bytes of each file but perhaps the last.
const FILE_BYTES: usize = 1_000_000;
/// How long another gateway may take to serve what was pushed to the first.
const SERVED_PATIENCE: Duration = Duration::from_secs(60);
/// How often it is asked.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Clones beside clones from plain git.
#[derive(Debug, Serialize)]
pub struct Cloned {
    /// Bytes of the files, which do not compress.
    size: usize,
    /// Clones from each.
    trials: u64,
    clone_p50_ms: f64,
    plain_p50_ms: f64,
    /// Megabytes (10^6 bytes) of files a second at the median.
    clone_mb_per_s: f64,
    plain_mb_per_s: f64,
    /// The first of the two by the second.
    speed_over_plain: f64,
}

impl Cloned {
    /// From what each clone took, in microseconds.
    pub fn of(size: usize, mut own_us: Vec<u64>, mut plain_us: Vec<u64>) -> Cloned {
        own_us.sort_unstable();
        plain_us.sort_unstable();
        let (own, plain) = (percentile(&own_us, 50), percentile(&plain_us, 50));
        let mb_per_s = |ms: f64| round(size as f64 / 1e3 / ms);
        Cloned {
            size,
            trials: own_us.len() as u64,
            clone_p50_ms: own,
            plain_p50_ms: plain,
            clone_mb_per_s: mb_per_s(own),
            plain_mb_per_s: mb_per_s(plain),
            speed_over_plain: (plain / own * 100.0).round() / 100.0,
        }
    }
}

/// Fills the first developer's repository, pushes it to both, and clones it `trials` times each.
pub async fn measure(
    setting: &Setting,
    network: &Network,
    size: usize,
    trials: u64,
) -> Result<Cloned, Failure> {
    let developer = setting.developers.first().ok_or("nobody pushes")?;
    eprintln!("• pushing {size} bytes to both");
    fill(&developer.work, size)?;
    developer.commit(1).await?;
    developer.push("origin").await?;
    developer.push("plain").await?;
    // A gateway that did not take the push, if there is one.
    let validator = network.validators.last().ok_or("no validators")?;
    let own_url = format!("{}/{}", validator.gateway_url(), developer.path);
    let head = git(&["rev-parse", "HEAD"], &developer.work).await?;
    wait_served(&own_url, head.trim(), setting.scratch()).await?;
    let (mut own_us, mut plain_us) = (Vec::new(), Vec::new());
    for trial in 1..=trials {
        let own = clone(&own_url, head.trim(), setting.scratch()).await?;
        let plain = clone(&developer.plain_url, head.trim(), setting.scratch()).await?;
        eprintln!("  clone {trial} of {trials}: {own:.2?}, plain {plain:.2?}");
        own_us.push(u64::try_from(own.as_micros())?);
        plain_us.push(u64::try_from(plain.as_micros())?);
    }
    Ok(Cloned::of(size, own_us, plain_us))
}

/// Files of random bytes, which neither zlib nor deltas make smaller.
fn fill(work: &Path, size: usize) -> Result<(), Failure> {
    let mut rng: StdRng = rand::make_rng();
    let mut bytes = vec![0; FILE_BYTES.min(size)];
    for (number, from) in (0..size).step_by(FILE_BYTES).enumerate() {
        let bytes = &mut bytes[..FILE_BYTES.min(size - from)];
        rng.fill(bytes);
        std::fs::write(work.join(format!("{number}.bin")), bytes)?;
    }
    Ok(())
}

async fn wait_served(url: &str, head: &str, dir: &Path) -> Result<(), Failure> {
    let deadline = Instant::now() + SERVED_PATIENCE;
    while !git(&["ls-remote", url, "refs/heads/main"], dir).await?.starts_with(head) {
        if Instant::now() > deadline {
            return Err(format!("{url} does not serve what was pushed").into());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

/// Clones without a working tree, whose writing has nothing to do with the server.
async fn clone(url: &str, head: &str, dir: &Path) -> Result<Duration, Failure> {
    let to = dir.join("clone");
    let begun = Instant::now();
    git(&["clone", "-q", "--no-checkout", url, &to.display().to_string()], dir).await?;
    let took = begun.elapsed();
    let cloned = git(&["rev-parse", "HEAD"], &to).await?;
    std::fs::remove_dir_all(&to)?;
    match cloned.trim() == head {
        true => Ok(took),
        false => Err(format!("{url} gave another commit than was pushed").into()),
    }
}
