//! The write-ahead log as files: `data/wal/0000000001.wal` and so on, newest last.
//!
//! Framing, checksums and what damage means are `guts_consensus::wal`'s; here are the files. A new
//! file is begun once a height has ended and the current one is long; the older ones are deleted
//! after the new one is durable and what must outlive them (the last-sign state) is too.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use guts_consensus::wal::{self, Entry, WalError, Writer};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Durable bytes are damaged.
    #[error(
        "{}: {source}. Do not delete it while this validator may still sign: restore the file, or \
         stop this validator, wait until the chain is past the height in progress, and run \
         `guts-engine reset --keep-keys`", path.display()
    )]
    Damaged {
        /// File.
        path: PathBuf,
        /// What is wrong with it.
        source: WalError,
    },
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, LogError> {
    result.map_err(|source| LogError::Io { path: path.into(), source })
}

/// The open log.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    number: u64,
    file: File,
    writer: Writer,
    pending: Vec<u8>,
    is_synced: bool,
}

/// What was found when the log was opened.
#[derive(Debug)]
pub struct Found {
    /// All entries, oldest first.
    pub entries: Vec<Entry>,
    /// Bytes cut off the end because a crash had left them half-written.
    pub torn: u64,
}

impl Log {
    /// Opens the log in `dir`, creating it if need be, repairs a torn tail and reads it.
    ///
    /// # Errors
    /// A file cannot be read or written, or is damaged where no crash can have torn it.
    pub fn open(dir: &Path) -> Result<(Log, Found), LogError> {
        at(dir, std::fs::create_dir_all(dir))?;
        let numbers = segments(dir)?;
        let mut found = Found { entries: Vec::new(), torn: 0 };
        let mut last_len = 0;
        for (index, number) in numbers.iter().enumerate() {
            let path = segment(dir, *number);
            let bytes = Bytes::from(at(&path, std::fs::read(&path))?);
            let damaged = |source| LogError::Damaged { path: path.clone(), source };
            let recovered = wal::recover(&bytes).map_err(damaged)?;
            let is_last = index + 1 == numbers.len();
            if recovered.torn > 0 && !is_last {
                // A file that has a successor was complete and durable before that was begun.
                return Err(damaged(WalError::Corrupt { at: recovered.good_len }));
            }
            found.torn = recovered.torn;
            found.entries.extend(recovered.entries);
            last_len = recovered.good_len;
        }
        let number = numbers.last().copied().unwrap_or(1);
        let path = segment(dir, number);
        let mut options = OpenOptions::new();
        let file = at(&path, options.create(true).append(true).read(true).open(&path))?;
        if found.torn > 0 {
            at(&path, file.set_len(last_len))?;
        }
        at(&path, file.sync_all())?;
        sync_dir(dir)?;
        let writer = Writer::at(last_len);
        let dir = dir.to_owned();
        Ok((Log { dir, number, file, writer, pending: Vec::new(), is_synced: true }, found))
    }

    /// Takes an entry; nothing is written before [`Log::write`].
    pub fn append(&mut self, entry: &Entry) {
        self.writer.append(entry, &mut self.pending);
    }

    /// Hands what was appended to the system: from here on `kill -9` does not lose it.
    ///
    /// # Errors
    /// The system's; the process must stop.
    pub fn write(&mut self) -> Result<(), LogError> {
        if !self.pending.is_empty() {
            at(&segment(&self.dir, self.number), self.file.write_all(&self.pending))?;
            self.pending.clear();
            self.is_synced = false;
        }
        Ok(())
    }

    /// Writes and makes everything appended so far durable.
    ///
    /// # Errors
    /// The system's; the process must stop.
    pub fn sync(&mut self) -> Result<(), LogError> {
        self.write()?;
        if !self.is_synced {
            at(&segment(&self.dir, self.number), self.file.sync_data())?;
            self.is_synced = true;
            self.writer.synced();
        }
        Ok(())
    }

    /// Whether everything appended is durable.
    pub fn is_synced(&self) -> bool {
        self.is_synced && self.pending.is_empty()
    }

    /// Bytes in the current file.
    pub fn len(&self) -> u64 {
        self.writer.end()
    }

    /// Whether the current file has no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins a new file and deletes the older ones. Everything in them must be obsolete.
    ///
    /// # Errors
    /// The system's; the process must stop.
    pub fn rotate(&mut self) -> Result<(), LogError> {
        self.sync()?;
        let number = self.number + 1;
        let path = segment(&self.dir, number);
        self.file = at(&path, OpenOptions::new().create(true).append(true).open(&path))?;
        at(&path, self.file.sync_all())?;
        sync_dir(&self.dir)?;
        self.number = number;
        self.writer = Writer::at(0);
        for old in segments(&self.dir)?.into_iter().filter(|n| *n < number) {
            let path = segment(&self.dir, old);
            at(&path, std::fs::remove_file(&path))?;
        }
        Ok(())
    }
}

fn segment(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.wal"))
}

/// Numbers of the files in `dir`, ascending.
fn segments(dir: &Path) -> Result<Vec<u64>, LogError> {
    let mut numbers = Vec::new();
    for entry in at(dir, std::fs::read_dir(dir))? {
        let name = at(dir, entry)?.file_name();
        let number = name.to_str().and_then(|n| n.strip_suffix(".wal")).map(str::parse::<u64>);
        if let Some(Ok(number)) = number {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes the names in a directory durable.
fn sync_dir(dir: &Path) -> Result<(), LogError> {
    at(dir, File::open(dir).and_then(|d| d.sync_all()))
}
