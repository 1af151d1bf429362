//! The genesis document of a node. Its `app_state` may be large and is seldom wanted: it stays in
//! the file, which is kept open, and is read from there.

use crate::home::{FileError, Home};
use bytes::Bytes;
use guts_genesis::{Compactor, GenesisDoc, GenesisError};
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

#[cfg(test)]
mod tests;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Bytes of the compact document between two places from which it can be read on: no less than a
/// client asks for at once.
const MARK_BYTES: u64 = 16 << 20;

/// Why the document cannot be had.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each message says it
pub enum ReadError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is not what it was when this node started: start it again", path.display())]
    Changed { path: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{}: {source}", path.display())]
    Genesis { path: PathBuf, source: GenesisError },
}

/// A genesis document whose `app_state` is in its file.
#[derive(Debug)]
pub struct Genesis {
    doc: Arc<GenesisDoc>,
    hash: [u8; 32],
    path: PathBuf,
    file: File,
    stamp: Stamp,
    /// Where `app_state` is in the file.
    state: Range<u64>,
    /// The compact document before and after it.
    around: (String, &'static str),
    /// Rising. The first is the beginning of `app_state`.
    marks: Vec<Mark>,
    /// Bytes of `app_state` as compact JSON.
    compact_len: u64,
}

/// By which a file that was changed is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: SystemTime,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Stamp> {
        let meta = file.metadata()?;
        Ok(Stamp { len: meta.len(), modified: meta.modified()? })
    }
}

/// A place in `app_state` from which it can be read on.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Place in the file.
    read: u64,
    /// Bytes of compact JSON before it.
    written: u64,
    compactor: Compactor,
}

impl Genesis {
    /// Reads and checks the document of `home`.
    ///
    /// # Errors
    /// It is missing or wrong.
    pub fn open(home: &Home) -> Result<Genesis, ReadError> {
        let path = home.config("genesis.json");
        let failed = |source| ReadError::Io { path: path.clone(), source };
        let mut file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let home = home.dir().to_owned();
                ReadError::File(FileError::Missing { path: path.clone(), home })
            }
            _ => failed(error),
        })?;
        let stamp = Stamp::of(&file).map_err(failed)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(failed)?;
        let (doc, app_state) = GenesisDoc::parse_apart(&text)
            .map_err(|source| ReadError::Genesis { path: path.clone(), source })?;
        let start = match app_state {
            "" => 0,
            state => (state.as_ptr().addr() - text.as_ptr().addr()) as u64,
        };
        let state = start..start + app_state.len() as u64;
        let (marks, compact_len) = survey(start, app_state.as_bytes());
        let hash = doc.hash_with(app_state);
        let around = doc.around(!app_state.is_empty());
        let doc = Arc::new(doc);
        Ok(Genesis { doc, hash, path, file, stamp, state, around, marks, compact_len })
    }

    /// The document without its `app_state`.
    pub fn doc(&self) -> &Arc<GenesisDoc> {
        &self.doc
    }

    /// [`GenesisDoc::hash`] of the whole document.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `app_state`, byte for byte as in the file.
    ///
    /// # Errors
    /// It cannot be read, or is another by now.
    pub fn app_state(&self) -> Result<Bytes, ReadError> {
        let mut bytes = vec![0; usize::try_from(self.state.end - self.state.start).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, self.state.start).map_err(|e| self.failed(e))?;
        let is_same = std::str::from_utf8(&bytes).map(|text| self.doc.hash_with(text) == self.hash);
        match is_same {
            Ok(true) => Ok(Bytes::from(bytes)),
            _ => Err(ReadError::Changed { path: self.path.clone() }),
        }
    }

    /// Bytes of the document as compact JSON.
    pub fn compact_len(&self) -> u64 {
        self.around.0.len() as u64 + self.compact_len + self.around.1.len() as u64
    }

    /// At most `len` bytes of the document as compact JSON, from the byte `from` on.
    ///
    /// # Errors
    /// The file cannot be read, or is another by now.
    pub fn compact(&self, from: u64, len: u64) -> Result<Vec<u8>, ReadError> {
        let to = from.saturating_add(len).min(self.compact_len());
        let size = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let mut out = Vec::with_capacity(size);
        let (before, after) = (self.around.0.as_bytes(), self.around.1.as_bytes());
        let state_end = before.len() as u64 + self.compact_len;
        out.extend_from_slice(cut(before, from, to));
        let in_state = |at: u64| at.saturating_sub(before.len() as u64).min(self.compact_len);
        self.compact_state(in_state(from)..in_state(to), &mut out)?;
        out.extend_from_slice(cut(
            after,
            from.saturating_sub(state_end),
            to.saturating_sub(state_end),
        ));
        match Stamp::of(&self.file).map_err(|e| self.failed(e))? == self.stamp {
            true => Ok(out),
            false => Err(ReadError::Changed { path: self.path.clone() }),
        }
    }

    /// Appends these bytes of `app_state` as compact JSON.
    fn compact_state(&self, wanted: Range<u64>, out: &mut Vec<u8>) -> Result<(), ReadError> {
        let last = self.marks.partition_point(|mark| mark.written <= wanted.start);
        let Some(&Mark { mut read, mut written, mut compactor }) =
            last.checked_sub(1).and_then(|last| self.marks.get(last))
        else {
            return Ok(());
        };
        let (mut piece, mut compact) = (vec![0; PIECE_BYTES], Vec::new());
        while written < wanted.end {
            let rest = usize::try_from(self.state.end - read).unwrap_or(usize::MAX);
            let piece = &mut piece[..rest.min(PIECE_BYTES)];
            self.file.read_exact_at(piece, read).map_err(|e| self.failed(e))?;
            read += piece.len() as u64;
            compact.clear();
            compactor.push(piece, &mut compact);
            if read == self.state.end {
                compactor.end(&mut compact);
            }
            let (from, to) = (wanted.start.max(written), wanted.end);
            out.extend_from_slice(cut(&compact, from - written, to.saturating_sub(written)));
            written += compact.len() as u64;
            if read == self.state.end && written < wanted.end {
                return Err(ReadError::Changed { path: self.path.clone() });
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> ReadError {
        ReadError::Io { path: self.path.clone(), source }
    }
}

/// The bytes of `all` from one place to another, as far as there are any.
fn cut(all: &[u8], from: u64, to: u64) -> &[u8] {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(all.len());
    &all[at(from)..at(to).max(at(from))]
}

/// Places in an `app_state` at `start` from which it can be read on, and its compact length.
fn survey(start: u64, app_state: &[u8]) -> (Vec<Mark>, u64) {
    let (mut read, mut written, mut compactor) = (start, 0, Compactor::default());
    let (mut marks, mut compact) = (Vec::<Mark>::new(), Vec::new());
    for piece in app_state.chunks(PIECE_BYTES) {
        if marks.last().is_none_or(|last| written - last.written >= MARK_BYTES) {
            marks.push(Mark { read, written, compactor });
        }
        compact.clear();
        compactor.push(piece, &mut compact);
        read += piece.len() as u64;
        written += compact.len() as u64;
    }
    compact.clear();
    compactor.end(&mut compact);
    (marks, written + compact.len() as u64)
}
