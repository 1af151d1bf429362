//! The home directory of a node, in CometBFT's layout: `config/{config.toml, genesis.json,
//! node_key.json, priv_validator_key.json}` and `data/`.

#[cfg(test)]
mod tests;

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Why a file of the home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such file.
    #[error("{} is missing; `guts-engine init --home {}` makes it", path.display(), home.display())]
    Missing {
        /// File.
        path: PathBuf,
        /// The home.
        home: PathBuf,
    },
    /// Another process has the home.
    #[error(
        "{} is in use by another guts-engine (it holds {}): stop that one first",
        home.display(), path.display()
    )]
    InUse {
        /// The home.
        home: PathBuf,
        /// The file it holds.
        path: PathBuf,
    },
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, FileError> {
    result.map_err(|source| FileError::Io { path: path.into(), source })
}

/// Paths of a home.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// The home at `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Home {
        Home(dir.into())
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.0
    }

    /// `config/NAME`.
    pub fn config(&self, name: &str) -> PathBuf {
        self.0.join("config").join(name)
    }

    /// `data/NAME`.
    pub fn data(&self, name: &str) -> PathBuf {
        self.0.join("data").join(name)
    }

    /// The last-sign state.
    pub fn last_sign(&self) -> PathBuf {
        self.data("priv_validator_state.json")
    }

    /// The text of `config/NAME`.
    ///
    /// # Errors
    /// It is missing or cannot be read.
    pub fn read_config(&self, name: &str) -> Result<String, FileError> {
        let path = self.config(name);
        read_if_exists(&path)?.ok_or_else(|| FileError::Missing { path, home: self.0.clone() })
    }

    /// Takes the home for this process, until the lock is dropped.
    ///
    /// # Errors
    /// Another process has it.
    pub fn lock(&self) -> Result<Lock, FileError> {
        let dir = self.0.join("data");
        at(&dir, std::fs::create_dir_all(&dir))?;
        let path = self.data("LOCK");
        let mut options = OpenOptions::new();
        let file = at(&path, options.create(true).truncate(false).write(true).open(&path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(FileError::InUse { home: self.0.clone(), path })
            }
            Err(e) => Err(FileError::Io { path, source: e.into() }),
        }
    }
}

/// Held while this process uses the home.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The text of a file, `None` if there is none.
///
/// # Errors
/// It cannot be read.
pub fn read_if_exists(path: &Path) -> Result<Option<String>, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => at(path, Err(e)),
    }
}

/// Replaces a file by `text` as a whole, durably, readable by its owner only.
///
/// # Errors
/// The disk's; the old file is still there then.
pub fn write_durably(path: &Path, text: &str) -> Result<(), FileError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    at(dir, std::fs::create_dir_all(dir))?;
    let new = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut file = at(&new, options.open(&new))?;
    at(&new, file.write_all(text.as_bytes()))?;
    at(&new, file.sync_all())?;
    at(path, std::fs::rename(&new, path))?;
    at(dir, File::open(dir).and_then(|d| d.sync_all()))
}
