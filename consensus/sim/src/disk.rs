//! A disk with two files, as a node has: the log, and the store of blocks. What was synced stays;
//! of the rest a crash leaves a beginning of each, and which one of them is nobody's to choose.
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use guts_abci::proto::abci::ResponseFinalizeBlock;
use guts_consensus::io::{Decided, Record, SignPosition};
use guts_consensus::types::{Evidence, State};
use guts_consensus::wal::{self, Entry};
use guts_genesis::Height;

use crate::rng::Rng;

/// What records amount to.
#[derive(Clone, Default)]
pub struct Contents {
    /// The last state.
    pub state: Option<Arc<State>>,
    /// The block store.
    pub blocks: BTreeMap<Height, Arc<Decided>>,
    /// Answers to FinalizeBlock.
    pub responses: BTreeMap<Height, Arc<ResponseFinalizeBlock>>,
    /// Evidence that waits for a block.
    pub evidence: BTreeMap<[u8; 32], Arc<Evidence>>,
    /// Evidence that is in a block, with the height of the misbehaviour.
    pub evidence_done: BTreeMap<[u8; 32], Height>,
    /// The last intent to sign.
    pub last_sign: Option<SignPosition>,
}

impl Contents {
    fn apply(&mut self, record: &Record) {
        match record {
            Record::Wal(Entry::Intent(intent)) => {
                self.last_sign = self.last_sign.max(Some(intent.position()));
            }
            Record::Wal(_) => {}
            Record::Block(decided) => {
                self.blocks.insert(decided.commit.height, Arc::clone(decided));
            }
            Record::Response { height, response } => {
                self.responses.insert(*height, Arc::clone(response));
            }
            Record::State(state) => self.state = Some(Arc::clone(state)),
            Record::EvidencePending(evidence) => {
                if let Ok(hash) = <[u8; 32]>::try_from(evidence.hash().as_bytes()) {
                    self.evidence.insert(hash, Arc::clone(evidence));
                }
            }
            Record::EvidenceDone { hash, height, committed } => {
                self.evidence.remove(hash);
                if *committed {
                    self.evidence_done.insert(*hash, *height);
                } else {
                    self.evidence_done.remove(hash);
                }
            }
        }
    }
}

/// What a crash took.
pub struct Loss {
    /// Records that were appended and are gone.
    pub records: u64,
    /// Whether the log ends in half a frame.
    pub torn: bool,
}

/// One node's disk.
#[derive(Default)]
pub struct Disk {
    durable: Contents,
    /// What the node itself sees: everything appended.
    live: Contents,
    /// Written to the store since it was synced.
    store_tail: Vec<Record>,
    /// How much of that was written by outputs before.
    written: usize,
    /// Appended to the log since it was synced, with its length after each.
    log_tail: Vec<(Record, usize)>,
    log: Vec<u8>,
    log_synced: usize,
    entries: Vec<Entry>,
    writer: Option<wal::Writer>,
}

impl Disk {
    /// Everything appended so far.
    pub fn contents(&self) -> &Contents {
        &self.live
    }

    /// Appends a record.
    pub fn append(&mut self, record: Record) {
        if let Record::Wal(entry) = &record {
            let writer = self.writer.get_or_insert_with(|| wal::Writer::at(0));
            writer.append(entry, &mut self.log);
            self.entries.push(entry.clone());
        }
        self.live.apply(&record);
        match record {
            Record::Wal(_) => self.log_tail.push((record, self.log.len())),
            _ => self.store_tail.push(record),
        }
    }

    /// An output that need not be durable is complete.
    pub fn write(&mut self) {
        self.written = self.store_tail.len();
    }

    /// Makes outputs durable: the store, if they have something for it, and the log, if it has an
    /// intent to sign. Starts a new log after a decided height.
    pub fn sync(&mut self) {
        if self.store_tail.len() > self.written {
            self.store_tail.drain(..).for_each(|record| self.durable.apply(&record));
        }
        self.write();
        let is_intent =
            |(record, _): &(Record, usize)| matches!(record, Record::Wal(Entry::Intent(_)));
        if !self.log_tail.iter().any(is_intent) {
            return;
        }
        self.log_tail.drain(..).for_each(|(record, _)| self.durable.apply(&record));
        if let Some(writer) = &mut self.writer {
            writer.synced();
        }
        self.log_synced = self.log.len();
        let obsolete = wal::obsolete_before(&self.entries);
        if obsolete > 0 {
            self.rewrite(obsolete);
        }
    }

    /// A new log without the first `obsolete` entries.
    fn rewrite(&mut self, obsolete: usize) {
        let mut writer = wal::Writer::at(0);
        self.log.clear();
        self.entries.drain(..obsolete);
        self.entries.iter().for_each(|entry| writer.append(entry, &mut self.log));
        writer.synced();
        self.log_synced = self.log.len();
        self.writer = Some(writer);
    }

    /// The node dies: of what was not synced only a beginning of each file is left, of the log
    /// perhaps with half a frame after it.
    pub fn crash(&mut self, rng: &mut Rng) -> Loss {
        let stored = rng.index(self.store_tail.len() + 1);
        let kept = rng.index(self.log_tail.len() + 1);
        let records = self.store_tail.len() - stored + self.log_tail.len() - kept;
        let end = match kept.checked_sub(1) {
            Some(last) => self.log_tail[last].1,
            None => self.log_synced,
        };
        let next = self.log_tail.get(kept).map_or(end, |(_, after)| *after);
        let torn = if next > end { rng.index(next - end) } else { 0 };
        for record in self.store_tail.drain(..).take(stored) {
            self.durable.apply(&record);
        }
        self.written = 0;
        for (record, _) in self.log_tail.drain(..).take(kept) {
            self.durable.apply(&record);
        }
        self.log.truncate(end + torn);
        self.live = self.durable.clone();
        Loss { records: records as u64, torn: torn > 0 }
    }

    /// Whether a bit that flips somewhere in the log would be noticed when it is read: refused, or
    /// cut off with what comes after it. Nothing is changed. None if there is no log.
    pub fn try_bit_rot(&self, rng: &mut Rng) -> Option<bool> {
        let whole = wal::recover(&Bytes::copy_from_slice(&self.log)).ok()?;
        let good = usize::try_from(whole.good_len).ok().filter(|len| *len > 0)?;
        let mut rotten = self.log.clone();
        rotten[rng.index(good)] ^= 1 << rng.below(8);
        Some(match wal::recover(&Bytes::from(rotten)) {
            Err(_) => true,
            Ok(cut) => {
                let same = cut.entries.iter().zip(&whole.entries).all(|(a, b)| a == b);
                same && cut.entries.len() < whole.entries.len()
            }
        })
    }

    /// The node starts: reads its log.
    pub fn recover(&mut self) -> Result<Vec<Entry>, String> {
        let recovered = wal::recover(&Bytes::copy_from_slice(&self.log))
            .map_err(|error| format!("the log is refused: {error}"))?;
        let good = usize::try_from(recovered.good_len).unwrap_or(usize::MAX);
        self.log.truncate(good);
        self.entries = recovered.entries;
        self.log_tail.clear();
        let obsolete = wal::obsolete_before(&self.entries);
        self.rewrite(obsolete);
        Ok(self.entries.clone())
    }
}
