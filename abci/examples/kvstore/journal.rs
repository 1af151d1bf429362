//! The kvstore on a disk: one file that only grows, a record for each commit.
//!
//! `length u32 | crc32 u32 | payload`, little-endian. A torn or corrupt tail, as a crash leaves it,
//! is cut off: the state is then that of an earlier commit, and the engine replays the rest. For
//! the same reason a commit is written at once but synced to the disk only now and then. Values
//! stay in the file; memory holds a hash and an offset for each key. When less than half of the
//! file is still needed, it is rewritten at the next start, beside the old one, and renamed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use guts_abci::kvstore::{Batch, State, Store, Validators};
use guts_abci::proto::Message;
use guts_abci::proto::abci::ValidatorUpdate;
use guts_abci::{Answer, Exception};
use sha2::{Digest, Sha256};

/// The file in the home folder.
const FILE: &str = "kvstore.journal";
/// Its successor while it is written.
const FILE_NEW: &str = "kvstore.journal.new";
/// Length and checksum, in bytes.
const HEAD_BYTES: usize = 8;
/// The longest record that is believed: a block has at most 100 MiB.
const RECORD_BYTES_MAX: u32 = 1 << 30;
/// How much may be written without a sync, in bytes.
const UNSYNCED_BYTES_MAX: u64 = 1 << 20;
/// Files shorter than this are not rewritten, in bytes.
const REWRITE_BYTES_MIN: u64 = 16 << 20;
/// A rewritten file has records of about this size, in bytes.
const REWRITE_RECORD_BYTES: usize = 1 << 20;

/// A key in memory: enough of its hash that two keys never share it.
type KeyHash = [u8; 16];

/// A store whose commits survive the process.
pub struct Journal {
    inner: RwLock<Inner>,
}

struct Inner {
    file: File,
    /// Where the next record goes.
    end: u64,
    unsynced: u64,
    state: State,
    validators: Validators,
    /// Where the pair of each key begins in the file.
    pairs: BTreeMap<KeyHash, u64>,
    /// How many bytes the pairs still needed take.
    live: u64,
}

impl Journal {
    /// Opens the journal in `home`, made if it is not there, and reads what is committed.
    pub fn open(home: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(home)?;
        let path = home.join(FILE);
        let mut inner = Inner::open(&path)?;
        if inner.end > REWRITE_BYTES_MIN && inner.live < inner.end / 2 {
            let path_new = home.join(FILE_NEW);
            inner.rewrite(&path_new)?;
            std::fs::rename(&path_new, &path)?;
            File::open(home)?.sync_all()?;
            inner = Inner::open(&path)?;
        }
        Ok(Self { inner: RwLock::new(inner) })
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Journal {
    fn state(&self) -> State {
        self.read().state
    }

    fn get(&self, key: &[u8]) -> Answer<Option<Bytes>> {
        let inner = self.read();
        let Some(&offset) = inner.pairs.get(&hash(key)) else { return Ok(None) };
        let (_, value) = inner.pair_at(offset).map_err(failed("read"))?;
        Ok(Some(value))
    }

    fn validator_by_key(&self, key: &[u8]) -> Option<ValidatorUpdate> {
        self.read().validators.by_key(key)
    }

    fn validator_by_address(&self, address: &[u8]) -> Option<ValidatorUpdate> {
        self.read().validators.by_address(address)
    }

    fn commit(&self, batch: Batch) -> Answer<()> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        inner.append(batch).map_err(failed("write"))
    }
}

impl Inner {
    fn open(path: &Path) -> io::Result<Self> {
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let file = options.open(path)?;
        let length = file.metadata()?.len();
        let mut reader = BufReader::new(file.try_clone()?);
        let mut inner = Self {
            file,
            end: 0,
            unsynced: 0,
            state: State::default(),
            validators: Validators::default(),
            pairs: BTreeMap::new(),
            live: 0,
        };
        while let Some(payload) = read_record(&mut reader)? {
            let size = (HEAD_BYTES + payload.len()) as u64;
            let batch = decode(payload).ok_or_else(|| {
                let what = format!("{}: a record at {} is not ours", path.display(), inner.end);
                io::Error::new(io::ErrorKind::InvalidData, what)
            })?;
            inner.index(batch);
            inner.end += size;
        }
        if inner.end < length {
            let torn = length - inner.end;
            tracing::warn!(bytes = torn, height = inner.state.height, "cut off a torn commit");
            inner.file.set_len(inner.end)?;
        }
        Ok(inner)
    }

    /// Takes a batch whose record begins at `end` into memory.
    fn index(&mut self, batch: Batch) {
        let mut offset = self.end + (HEAD_BYTES + STATE_BYTES) as u64;
        for (key, value) in &batch.pairs {
            let size = pair_bytes(key, value) as u64;
            // What an overwritten pair took is not known without reading it: take it for as long
            // as the new one. Only the time of a rewrite depends on it.
            if self.pairs.insert(hash(key), offset).is_none() {
                self.live += size;
            }
            offset += size;
        }
        self.validators.apply(batch.validators);
        self.state = batch.state;
    }

    fn append(&mut self, batch: Batch) -> io::Result<()> {
        let record = encode(&batch);
        self.file.write_all_at(&record, self.end)?;
        self.index(batch);
        self.end += record.len() as u64;
        self.unsynced += record.len() as u64;
        if self.unsynced > UNSYNCED_BYTES_MAX {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// The pair that begins at `offset`.
    fn pair_at(&self, offset: u64) -> io::Result<(Bytes, Bytes)> {
        let mut sizes = [0; 8];
        self.file.read_exact_at(&mut sizes, offset)?;
        let mut head = &sizes[..];
        let (key, value) = (head.get_u32_le() as usize, head.get_u32_le() as usize);
        let mut bytes = vec![0; key + value];
        self.file.read_exact_at(&mut bytes, offset + 8)?;
        let mut bytes = Bytes::from(bytes);
        let key = bytes.split_to(key);
        Ok((key, bytes))
    }

    /// Writes all that is still needed as a journal of its own.
    fn rewrite(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create(path)?;
        let mut batch = Batch { state: self.state, ..Batch::default() };
        let mut bytes = 0;
        for &offset in self.pairs.values() {
            let (key, value) = self.pair_at(offset)?;
            bytes += pair_bytes(&key, &value);
            batch.pairs.push((key, value));
            if bytes > REWRITE_RECORD_BYTES {
                file.write_all(&encode(&batch))?;
                batch.pairs.clear();
                bytes = 0;
            }
        }
        batch.validators = self.validators.all().cloned().collect();
        file.write_all(&encode(&batch))?;
        file.sync_all()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.file.sync_data() {
            tracing::warn!(%error, "the last commits may not be on the disk");
        }
    }
}

/// Height, size and the number of pairs, in front of the pairs.
const STATE_BYTES: usize = 24;

fn pair_bytes(key: &[u8], value: &[u8]) -> usize {
    8 + key.len() + value.len()
}

fn encode(batch: &Batch) -> BytesMut {
    let mut payload = BytesMut::new();
    payload.put_i64_le(batch.state.height);
    payload.put_u64_le(batch.state.size);
    payload.put_u64_le(batch.pairs.len() as u64);
    for (key, value) in &batch.pairs {
        payload.put_u32_le(key.len() as u32);
        payload.put_u32_le(value.len() as u32);
        payload.put_slice(key);
        payload.put_slice(value);
    }
    for update in &batch.validators {
        update.encode_length_delimited(&mut payload).expect("a BytesMut grows as needed");
    }
    let mut record = BytesMut::with_capacity(HEAD_BYTES + payload.len());
    record.put_u32_le(payload.len() as u32);
    record.put_u32_le(crc32fast::hash(&payload));
    record.put_slice(&payload);
    record
}

/// The next record's payload; `None` at the end, or at a tail that is torn or corrupt.
fn read_record(reader: &mut impl Read) -> io::Result<Option<Bytes>> {
    let mut head = [0; HEAD_BYTES];
    if !read_whole(reader, &mut head)? {
        return Ok(None);
    }
    let mut head = &head[..];
    let (length, checksum) = (head.get_u32_le(), head.get_u32_le());
    if length > RECORD_BYTES_MAX {
        return Ok(None);
    }
    let mut payload = vec![0; length as usize];
    if !read_whole(reader, &mut payload)? || crc32fast::hash(&payload) != checksum {
        return Ok(None);
    }
    Ok(Some(payload.into()))
}

/// Fills `buffer`; false when the file ends before.
fn read_whole(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn decode(mut payload: Bytes) -> Option<Batch> {
    if payload.len() < STATE_BYTES {
        return None;
    }
    let state = State { height: payload.get_i64_le(), size: payload.get_u64_le() };
    let count = payload.get_u64_le();
    let mut pairs = Vec::new();
    for _ in 0..count {
        let sizes = payload.len().checked_sub(8)?;
        let (key, value) = (payload.get_u32_le() as usize, payload.get_u32_le() as usize);
        if key.checked_add(value)? > sizes {
            return None;
        }
        let key = payload.split_to(key);
        pairs.push((key, payload.split_to(value)));
    }
    let mut validators = Vec::new();
    while payload.has_remaining() {
        validators.push(ValidatorUpdate::decode_length_delimited(&mut payload).ok()?);
    }
    Some(Batch { state, pairs, validators })
}

fn hash(key: &[u8]) -> KeyHash {
    let mut short = KeyHash::default();
    short.copy_from_slice(&Sha256::digest(key)[..16]);
    short
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> Exception {
    move |error| Exception(format!("cannot {what} the journal: {error}"))
}
