//! Commands on the store of a node that does not run.

pub(super) mod reindex;

use super::CliError;
use crate::config::{Config, Storage};
use crate::home::{Home, Lock};
use crate::node::read_validator_key;
use crate::signer::FileSigner;
use crate::store::Store;
use crate::wal::Log;
use guts_consensus::wal::Entry;
use guts_genesis::Height;
use std::path::{Path, PathBuf};

fn open(home: &Home, storage: &Storage) -> Result<(Lock, Store), CliError> {
    let lock = home.lock()?;
    let path = home.data("store");
    if !path.exists() {
        return Err(CliError::Refused(format!("{} is missing: nothing to do", path.display())));
    }
    Ok((lock, Store::open(&path, storage.into())?))
}

pub(super) fn compact(home: &Home, config: &Config) -> Result<(), CliError> {
    let (_lock, store) = open(home, &config.storage)?;
    let path = home.data("store");
    let before = size(&path);
    store.compact();
    drop(store);
    println!("{}: {} KiB, {} KiB before", path.display(), size(&path) >> 10, before >> 10);
    Ok(())
}

pub(super) fn rollback(home: &Home, config: &Config, is_hard: bool) -> Result<(), CliError> {
    let (_lock, store) = open(home, &config.storage)?;
    let wal = home.data("wal");
    // A damaged log is not a thing to build on: nothing is changed then.
    let (_, found) = Log::open(&wal)?;
    let top = store.top()?;
    if is_hard && is_locked_above(&found.entries, top) {
        return Err(CliError::Refused(format!(
            "nothing was changed: this validator is locked on a block of height {}, and would \
             forget it with block {top}: let the chain decide that height first",
            top.next()
        )));
    }
    let done = store.rollback(is_hard)?;
    store.sync()?;
    let (height, next) = (done.state.last_block_height, done.state.next_height());
    println!("✓ state at height {height}, app hash {}", hex::encode_upper(&done.state.app_hash));
    if is_hard {
        // It speaks of a block that is gone; what was signed is not forgotten.
        save_signed(home, &found.entries)?;
        delete(wal)?;
        println!("✓ block {} deleted: peers have it", done.top.next());
        println!("take the application back to height {} or below", done.top);
    } else {
        println!("block {next} is executed again if the application is taken back to {height} or");
        println!("below; if it stays at {next}, its stored answer is taken");
    }
    Ok(())
}

/// Whether the round machine was locked in the height after `top`.
fn is_locked_above(log: &[Entry], top: Height) -> bool {
    let machine = log.iter().rev().find_map(|entry| match entry {
        Entry::Machine(machine) => Some(machine),
        _ => None,
    });
    machine.is_some_and(|machine| machine.height > top && machine.locked.is_some())
}

/// Brings the last-sign state up to date with the log, which is about to go.
pub(super) fn save_signed(home: &Home, log: &[Entry]) -> Result<(), CliError> {
    let chain_id = match crate::genesis::Genesis::open(home) {
        Ok(genesis) => genesis.doc().chain_id.as_str().to_owned(),
        Err(_) => String::new(),
    };
    let path = home.last_sign();
    let signer = FileSigner::open(read_validator_key(home)?, &chain_id, &path, log)?;
    signer.save(&path)?;
    let height = signer.position().map_or(Height::ZERO, |at| at.height);
    println!("kept {} (signed last at height {height})", path.display());
    Ok(())
}

/// Deletes a directory, if it is there.
pub(super) fn delete(path: PathBuf) -> Result<(), CliError> {
    match std::fs::remove_dir_all(&path) {
        Ok(()) => println!("deleted {}", path.display()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(CliError::Delete { path, source }),
    }
    Ok(())
}

/// Bytes of the files in a directory.
fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}
