//! Messages for heights to come, kept until those begin.
//!
//! Their signatures cannot be checked yet, so what is kept is bounded in number and in bytes, for
//! one peer and for all together. When the room of all is used up, the peer that has most of it
//! gives way: one that floods keeps nobody else's messages out.
use std::collections::{BTreeMap, VecDeque};

use crate::io::PeerId;
use crate::messages::Message;

#[cfg(test)]
mod tests;

/// Messages that are kept, from one peer.
const MESSAGES_MAX: usize = 1_000;
/// Bytes of them.
const BYTES_MAX: usize = 32 << 20;
/// Bytes of all peers' messages together.
const BYTES_ALL_MAX: usize = 64 << 20;
/// What a message takes besides what in it can be long.
const MESSAGE_BYTES: usize = 512;
/// What a hash of a part's proof takes.
const AUNT_BYTES: usize = 32;

/// One peer's.
#[derive(Clone, Debug, Default)]
struct Kept {
    messages: VecDeque<Message>,
    bytes: usize,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Early {
    of: BTreeMap<PeerId, Kept>,
    bytes: usize,
}

/// About how many bytes a message takes.
fn memory_of(message: &Message) -> usize {
    let long = match message {
        Message::BlockPart { part, .. } => {
            part.bytes.len().saturating_add(part.proof.aunts.len().saturating_mul(AUNT_BYTES))
        }
        Message::Vote(vote) => vote.extension.len(),
        _ => 0,
    };
    MESSAGE_BYTES.saturating_add(long)
}

impl Early {
    /// Keeps a message, if there is room. Gives back how many were dropped, this or others.
    pub(super) fn keep(&mut self, peer: PeerId, message: Message) -> u64 {
        let bytes = memory_of(&message);
        let kept = self.of.entry(peer).or_default();
        if kept.messages.len() >= MESSAGES_MAX || kept.bytes.saturating_add(bytes) > BYTES_MAX {
            return 1;
        }
        let mut dropped = 0;
        while self.bytes.saturating_add(bytes) > BYTES_ALL_MAX {
            let largest = self.of.iter().max_by_key(|(_, kept)| kept.bytes);
            let Some(largest) = largest.map(|(largest, _)| *largest) else { return dropped + 1 };
            if largest == peer || !self.drop_last(largest) {
                return dropped + 1;
            }
            dropped += 1;
        }
        let kept = self.of.entry(peer).or_default();
        kept.bytes = kept.bytes.saturating_add(bytes);
        kept.messages.push_back(message);
        self.bytes = self.bytes.saturating_add(bytes);
        dropped
    }

    fn drop_last(&mut self, peer: PeerId) -> bool {
        let Some(kept) = self.of.get_mut(&peer) else { return false };
        let Some(last) = kept.messages.pop_back() else { return false };
        let bytes = memory_of(&last);
        kept.bytes = kept.bytes.saturating_sub(bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        true
    }

    /// All that is kept of a peer, in order; nothing is from then on.
    pub(super) fn take(&mut self, peer: PeerId) -> VecDeque<Message> {
        let kept = self.of.remove(&peer).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        kept.messages
    }
}
