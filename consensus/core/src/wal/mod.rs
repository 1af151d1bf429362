//! The write-ahead log of the height in progress, as bytes: framing, checksums, repair.
//!
//! A frame is `magic u32 | crc u32 | len u32 | durable u64 | payload`, little-endian; the checksum
//! covers everything after itself. `durable` is the offset up to which the file was known to be
//! synced when the frame was written. It tells the two kinds of damage apart: what a crash tore
//! off was never synced, so no later frame claims that it was, and it is cut off and said
//! ([`Recovered::torn`]); a hole in what a later frame claims to be durable is a disk that lost
//! data, and is refused ([`WalError::Corrupt`]), because a sign intent may be missing.
//!
//! Pure: the shell owns the file. It appends what [`Writer::append`] makes, tells
//! [`Writer::synced`] after each sync, and may start a new file once the block of
//! [`Entry::EndHeight`] is durable in the block store. [`obsolete_before`] says what that makes
//! superfluous.
use std::sync::Arc;

use bytes::Bytes;
use guts_abci::proto::{self, Message as _};
use guts_genesis::{Height, Round};

use crate::io::{SignPosition, SignStep};
use crate::step::StepName;
use crate::types::wire::{Fields, Value, put_message};
use crate::types::{BlockId, Part, PartSetHeader, Proposal, Vote, VoteKind};

#[cfg(test)]
mod tests;

const MAGIC: u32 = 0x7573_7467;
const HEADER: usize = 20;
/// Longest payload: a block part with its proof, and room.
const PAYLOAD_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What the log remembers of the height in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A verified proposal, a peer's or our own.
    Proposal(Proposal),
    /// A proved part of a block with this header.
    Part {
        /// Height the block is for.
        height: Height,
        /// Of the block it is a part of.
        header: PartSetHeader,
        /// The part.
        part: Arc<Part>,
    },
    /// A verified vote, a peer's or our own.
    Vote(Vote),
    /// The round machine after a transition.
    Machine(MachineEntry),
    /// We are about to sign this, and nothing else for its height, round and step.
    Intent(Intent),
    /// This height is decided, stored and executed: everything before is obsolete.
    EndHeight(Height),
}

/// The state of the round machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineEntry {
    /// Height.
    pub height: Height,
    /// Round.
    pub round: Round,
    /// Propose, Prevote or Precommit.
    pub step: StepName,
    /// Locked value, and in which round.
    pub locked: Option<(Round, BlockId)>,
    /// Valid value, and in which round.
    pub valid: Option<(Round, BlockId)>,
}

/// What is to be signed; the signatures in it are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// A proposal.
    Proposal(Proposal),
    /// A vote, its extension included.
    Vote(Vote),
}

impl Intent {
    /// Height, round and step it is for.
    pub fn position(&self) -> SignPosition {
        match self {
            Intent::Proposal(proposal) => SignPosition {
                height: proposal.height,
                round: proposal.round,
                step: SignStep::Proposal,
            },
            Intent::Vote(vote) => SignPosition {
                height: vote.height,
                round: vote.round,
                step: match vote.kind {
                    VoteKind::Prevote => SignStep::Prevote,
                    VoteKind::Precommit => SignStep::Precommit,
                },
            },
        }
    }

    /// The canonical bytes that will be signed.
    pub fn sign_bytes(&self, chain_id: &str) -> Vec<u8> {
        match self {
            Intent::Proposal(proposal) => proposal.sign_bytes(chain_id),
            Intent::Vote(vote) => vote.sign_bytes(chain_id),
        }
    }
}

impl Entry {
    /// The height it belongs to.
    pub fn height(&self) -> Height {
        match self {
            Entry::Proposal(proposal) => proposal.height,
            Entry::Part { height, .. } | Entry::EndHeight(height) => *height,
            Entry::Vote(vote) => vote.height,
            Entry::Machine(machine) => machine.height,
            Entry::Intent(intent) => intent.position().height,
        }
    }

    /// Its bytes: one for the kind, then the protobuf or the numbers of it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        match self {
            Entry::Proposal(proposal) => put(&mut out, 1, &proposal.to_proto()),
            Entry::Part { height, header, part } => {
                out.push(2);
                out.extend_from_slice(&height.0.to_le_bytes());
                put_message(&mut out, 1, &header.to_proto().encode_to_vec());
                put_message(&mut out, 2, &part.to_proto().encode_to_vec());
            }
            Entry::Vote(vote) => put(&mut out, 3, &vote.to_proto()),
            Entry::Machine(machine) => encode_machine(&mut out, machine),
            Entry::Intent(Intent::Proposal(proposal)) => put(&mut out, 5, &proposal.to_proto()),
            Entry::Intent(Intent::Vote(vote)) => put(&mut out, 6, &vote.to_proto()),
            Entry::EndHeight(height) => {
                out.push(7);
                out.extend_from_slice(&height.0.to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`Entry::encode`] wrote.
    pub fn decode(payload: &Bytes) -> Result<Entry, WalError> {
        let (kind, body) = payload.split_first().ok_or(WalError::Entry)?;
        let rest = payload.slice_ref(body);
        match kind {
            1 => Ok(Entry::Proposal(Proposal::from_proto(get(rest)?).map_err(bad)?)),
            2 => decode_part(rest),
            3 => Ok(Entry::Vote(Vote::from_proto(get(rest)?).map_err(bad)?)),
            4 => decode_machine(rest),
            5 => Ok(Entry::Intent(Intent::Proposal(unsigned_proposal(get(rest)?)?))),
            6 => Ok(Entry::Intent(Intent::Vote(unsigned_vote(get(rest)?)?))),
            7 => Ok(Entry::EndHeight(Height(take_u64(rest)?.0))),
            _ => Err(WalError::Entry),
        }
    }
}

/// Why a log is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// Durable bytes are damaged. What to do: restore the file from a backup, or, if this
    /// validator's key has signed nothing since on another machine, start with an empty log after
    /// the chain has passed the height in progress.
    #[error(
        "the write-ahead log is damaged at byte {at}, before data that is known to have been \
         synced: the disk lost data, and a record of what this validator signed may be missing"
    )]
    Corrupt {
        /// Offset of the first damaged frame.
        at: u64,
    },
    /// A frame with a good checksum that this version cannot read.
    #[error(
        "the write-ahead log has an entry of an unknown form: was it written by a newer version?"
    )]
    Entry,
}

fn bad(_: crate::types::Invalid) -> WalError {
    WalError::Entry
}

/// Makes frames, and remembers how much of the file is durable.
#[derive(Clone, Copy, Debug, Default)]
pub struct Writer {
    end: u64,
    durable: u64,
}

impl Writer {
    /// Of a file whose first `len` bytes are good and synced.
    pub fn at(len: u64) -> Writer {
        Writer { end: len, durable: len }
    }

    /// Appends the frame of `entry` to `out`.
    pub fn append(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let payload = entry.encode();
        let len = u32::try_from(payload.len()).expect("an entry is smaller than a block part");
        let mut checked = Vec::with_capacity(HEADER);
        checked.extend_from_slice(&len.to_le_bytes());
        checked.extend_from_slice(&self.durable.to_le_bytes());
        let mut crc = crc32fast::Hasher::new();
        crc.update(&checked);
        crc.update(&payload);
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&crc.finalize().to_le_bytes());
        out.extend_from_slice(&checked);
        out.extend_from_slice(&payload);
        self.end += (HEADER + payload.len()) as u64;
    }

    /// Everything appended so far is durable now.
    pub fn synced(&mut self) {
        self.durable = self.end;
    }

    /// Length of the file with everything appended.
    pub fn end(&self) -> u64 {
        self.end
    }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its entries, in order.
    pub entries: Vec<Entry>,
    /// Bytes that are good. The shell cuts the file here before it appends.
    pub good_len: u64,
    /// Bytes after them that a crash left half-written; zero if there was none.
    pub torn: u64,
}

/// Reads a file, forgiving a torn tail and nothing else.
pub fn recover(file: &Bytes) -> Result<Recovered, WalError> {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(frame) = frame_at(file, at) {
        entries.push(Entry::decode(&frame.payload)?);
        at = frame.end;
    }
    let damaged = at as u64;
    let magic = MAGIC.to_le_bytes();
    let lost = (at..file.len())
        .filter(|from| file[*from..].starts_with(&magic))
        .filter_map(|from| frame_at(file, from))
        .any(|frame| frame.durable > damaged);
    if lost {
        return Err(WalError::Corrupt { at: damaged });
    }
    Ok(Recovered { entries, good_len: damaged, torn: file.len() as u64 - damaged })
}

/// The entries that still matter: those after the last [`Entry::EndHeight`].
pub fn obsolete_before(entries: &[Entry]) -> usize {
    entries.iter().rposition(|entry| matches!(entry, Entry::EndHeight(_))).map_or(0, |at| at + 1)
}

struct Frame {
    payload: Bytes,
    durable: u64,
    end: usize,
}

fn frame_at(file: &Bytes, at: usize) -> Option<Frame> {
    let header = file.get(at..at.checked_add(HEADER)?)?;
    let word = |from: usize| header[from..from + 4].try_into().map(u32::from_le_bytes).ok();
    let len = word(8)? as usize;
    if word(0)? != MAGIC || len > PAYLOAD_BYTES_MAX {
        return None;
    }
    let end = at + HEADER + len;
    let payload = file.get(at + HEADER..end)?;
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[8..]);
    crc.update(payload);
    let durable = u64::from_le_bytes(header[12..20].try_into().ok()?);
    (crc.finalize() == word(4)?).then(|| Frame { payload: file.slice_ref(payload), durable, end })
}

fn put<M: proto::Message>(out: &mut Vec<u8>, kind: u8, message: &M) {
    out.push(kind);
    out.extend_from_slice(&message.encode_to_vec());
}

fn get<M: proto::Message + Default>(body: Bytes) -> Result<M, WalError> {
    M::decode(body).map_err(|_| WalError::Entry)
}

fn take_u64(body: Bytes) -> Result<(u64, Bytes), WalError> {
    let head = body.get(..8).and_then(|head| head.try_into().ok()).ok_or(WalError::Entry)?;
    Ok((u64::from_le_bytes(head), body.slice(8..)))
}

fn decode_part(body: Bytes) -> Result<Entry, WalError> {
    let (height, rest) = take_u64(body)?;
    let mut fields = Fields::of(rest);
    let (mut header, mut part) = (None, None);
    while let Some((number, value)) = fields.next().map_err(bad)? {
        match (number, value) {
            (1, Value::Bytes(bytes)) => header = Some(get::<proto::types::PartSetHeader>(bytes)?),
            (2, Value::Bytes(bytes)) => part = Some(get::<proto::types::Part>(bytes)?),
            _ => return Err(WalError::Entry),
        }
    }
    let header = PartSetHeader::from_proto(&header.ok_or(WalError::Entry)?).map_err(bad)?;
    let part = Arc::new(Part::from_proto(part.ok_or(WalError::Entry)?).map_err(bad)?);
    Ok(Entry::Part { height: Height(height), header, part })
}

fn encode_machine(out: &mut Vec<u8>, machine: &MachineEntry) {
    out.push(4);
    out.extend_from_slice(&machine.height.0.to_le_bytes());
    out.extend_from_slice(&u64::from(machine.round.0).to_le_bytes());
    out.extend_from_slice(&(machine.step as u64).to_le_bytes());
    for value in [&machine.locked, &machine.valid] {
        let (round, id) = value.map_or((u64::MAX, BlockId::NIL), |(r, id)| (u64::from(r.0), id));
        out.extend_from_slice(&round.to_le_bytes());
        put_message(out, 1, &id.to_proto().encode_to_vec());
    }
}

fn decode_machine(body: Bytes) -> Result<Entry, WalError> {
    let (height, rest) = take_u64(body)?;
    let (round, rest) = take_u64(rest)?;
    let (step, rest) = take_u64(rest)?;
    let (locked, rest) = take_value(rest)?;
    let (valid, _) = take_value(rest)?;
    let step = [StepName::Propose, StepName::Prevote, StepName::Precommit]
        .into_iter()
        .find(|name| *name as u64 == step)
        .ok_or(WalError::Entry)?;
    let round = Round(u32::try_from(round).map_err(|_| WalError::Entry)?);
    Ok(Entry::Machine(MachineEntry { height: Height(height), round, step, locked, valid }))
}

fn take_value(body: Bytes) -> Result<(Option<(Round, BlockId)>, Bytes), WalError> {
    let (round, rest) = take_u64(body)?;
    // Tag and a length below 128: a block id takes at most 76 bytes.
    let len = usize::from(*rest.get(1).ok_or(WalError::Entry)?);
    if rest.len() < 2 + len {
        return Err(WalError::Entry);
    }
    let id = get::<proto::types::BlockId>(rest.slice(2..2 + len))?;
    let id = BlockId::from_proto(Some(&id)).map_err(bad)?;
    let value = u32::try_from(round).ok().map(|round| (Round(round), id));
    Ok((value, rest.slice(2 + len..)))
}

/// A proposal without its signature, which a proposal of a peer must have.
fn unsigned_proposal(mut wire: proto::types::Proposal) -> Result<Proposal, WalError> {
    wire.signature = vec![0];
    let mut proposal = Proposal::from_proto(wire).map_err(bad)?;
    proposal.signature = guts_genesis::Signature::NONE;
    Ok(proposal)
}

fn unsigned_vote(mut wire: proto::types::Vote) -> Result<Vote, WalError> {
    wire.signature = vec![0];
    if !wire.extension.is_empty() {
        wire.extension_signature = vec![0];
    }
    let mut vote = Vote::from_proto(wire).map_err(bad)?;
    vote.signature = guts_genesis::Signature::NONE;
    vote.extension_signature = guts_genesis::Signature::NONE;
    Ok(vote)
}
