//! Commands on the store of a node that does not run.

use super::CliError;
use crate::config::Storage;
use crate::home::{Home, Lock};
use crate::index;
use crate::store::{Memory, Store};
use guts_genesis::Height;
use std::path::Path;

/// Heights between two lines of progress.
const SAY_EVERY: u64 = 10_000;

fn open(home: &Home) -> Result<(Lock, Store), CliError> {
    let lock = home.lock()?;
    let path = home.data("store");
    if !path.exists() {
        return Err(CliError::Refused(format!("{} is missing: nothing to do", path.display())));
    }
    let storage = Storage::default();
    let memory = Memory {
        cache_bytes: (storage.cache_mb as usize) << 20,
        memtable_bytes: (storage.memtables_mb as usize) << 20,
    };
    Ok((lock, Store::open(&path, memory)?))
}

pub(super) fn reindex(home: &Home) -> Result<(), CliError> {
    let (_lock, store) = open(home)?;
    let top = store.state()?.map_or(Height::ZERO, |state| state.last_block_height);
    store.clear_index()?;
    index::catch_up(
        &store,
        || top,
        |height| {
            if height.0.is_multiple_of(SAY_EVERY) {
                println!("indexed {height} of {top}");
            }
            true
        },
    )?;
    store.sync()?;
    println!("indexed the events of heights {} to {top}", store.base()?);
    Ok(())
}

pub(super) fn compact(home: &Home) -> Result<(), CliError> {
    let (_lock, store) = open(home)?;
    let path = home.data("store");
    let before = size(&path);
    store.compact();
    drop(store);
    println!("{}: {} KiB, {} KiB before", path.display(), size(&path) >> 10, before >> 10);
    Ok(())
}

/// Bytes of the files in a directory.
fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}
