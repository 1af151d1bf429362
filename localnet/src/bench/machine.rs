//! What this machine does when idle: the scale on which a run's figures are read.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ed25519_zebra::{SigningKey, VerificationKeyBytes, batch};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Failure;

const SPAN: Duration = Duration::from_millis(700);
const BATCH: usize = 256;
const MESSAGE_BYTES: usize = 120;
const FSYNCS: usize = 200;

/// Figures of the idle machine.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Machine {
    /// Cores this process may use.
    pub cores: usize,
    /// Ed25519 verifications a second in batches of 256, on all cores together.
    pub ed25519_batch256_per_s: u64,
    /// SHA-256 on one core, in megabytes (10^6 bytes) a second.
    pub sha256_mb_per_s: u64,
    /// Median of appending 4 KiB and syncing it, in microseconds.
    pub fsync_p50_us: u64,
}

impl Machine {
    /// What it did on average, before a load and after: a shared machine is not the same for long.
    pub fn mean(self, after: Machine) -> Machine {
        Machine {
            cores: self.cores,
            ed25519_batch256_per_s: self
                .ed25519_batch256_per_s
                .midpoint(after.ed25519_batch256_per_s),
            sha256_mb_per_s: self.sha256_mb_per_s.midpoint(after.sha256_mb_per_s),
            fsync_p50_us: self.fsync_p50_us.midpoint(after.fsync_p50_us),
        }
    }
}

/// Takes about two seconds.
pub fn measure(home: Option<&Path>) -> Result<Machine, Failure> {
    let cores = std::thread::available_parallelism()?.get();
    Ok(Machine {
        cores,
        ed25519_batch256_per_s: verifications(cores),
        sha256_mb_per_s: sha256(),
        fsync_p50_us: fsync(home.unwrap_or(&std::env::temp_dir()))?,
    })
}

fn verifications(cores: usize) -> u64 {
    let mut rng = StdRng::seed_from_u64(1);
    let items: Vec<_> = (0..BATCH)
        .map(|_| {
            let key = SigningKey::from(rng.random::<[u8; 32]>());
            let message: [u8; MESSAGE_BYTES] = rng.random();
            (VerificationKeyBytes::from(&key), key.sign(&message), message)
        })
        .collect();
    let one_core = || {
        let begun = Instant::now();
        let mut done = 0u64;
        while begun.elapsed() < SPAN {
            let mut verifier = batch::Verifier::new();
            for (key, signature, message) in &items {
                verifier.queue((*key, *signature, message));
            }
            assert!(verifier.verify(StdRng::seed_from_u64(2)).is_ok(), "good signatures verify");
            done += BATCH as u64;
        }
        (done as f64 / begun.elapsed().as_secs_f64()) as u64
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(one_core)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that only counts")).sum()
    })
}

fn sha256() -> u64 {
    let block = vec![7u8; 1 << 20];
    let begun = Instant::now();
    let mut bytes = 0u64;
    while begun.elapsed() < SPAN {
        std::hint::black_box(Sha256::digest(std::hint::black_box(&block)));
        bytes += block.len() as u64;
    }
    (bytes as f64 / begun.elapsed().as_secs_f64() / 1e6) as u64
}

fn fsync(dir: &Path) -> Result<u64, Failure> {
    let path = dir.join(format!("fsync-{}", std::process::id()));
    let mut file = std::fs::File::create(&path)?;
    let block = [0u8; 4096];
    let mut spans = Vec::with_capacity(FSYNCS);
    for _ in 0..FSYNCS {
        let begun = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        spans.push(begun.elapsed().as_micros() as u64);
    }
    std::fs::remove_file(&path)?;
    spans.sort_unstable();
    Ok(spans[FSYNCS / 2])
}
