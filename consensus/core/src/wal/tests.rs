//! Damage to the log: torn tails are repaired, holes are refused.
use guts_genesis::{Address, Signature, Time};

use super::*;
use crate::types::Hash;

fn vote(round: u32) -> Vote {
    Vote {
        kind: VoteKind::Precommit,
        height: Height(7),
        round: Round(round),
        block_id: BlockId {
            hash: Hash::of(b"block"),
            parts: PartSetHeader { total: 1, hash: Hash::of(b"parts") },
        },
        time: Time::EPOCH,
        validator_address: Address([3; 20]),
        validator_index: 2,
        signature: Signature::from_slice(&[5; 64]).unwrap(),
        extension: Bytes::from_static(b"ext"),
        extension_signature: Signature::from_slice(&[6; 64]).unwrap(),
    }
}

fn entries() -> Vec<Entry> {
    let mut unsigned = vote(3);
    unsigned.signature = Signature::NONE;
    unsigned.extension_signature = Signature::NONE;
    let id = vote(0).block_id;
    let parts = crate::types::PartSet::of_bytes(Bytes::from_static(b"a block"));
    let machine = MachineEntry {
        height: Height(7),
        round: Round(3),
        step: StepName::Precommit,
        locked: Some((Round(2), id)),
        valid: None,
    };
    vec![
        Entry::Vote(vote(2)),
        Entry::Machine(machine),
        Entry::Intent(Intent::Vote(unsigned)),
        Entry::Part {
            height: Height(7),
            header: parts.header(),
            part: Arc::new(parts.part(0).unwrap().clone()),
        },
        Entry::EndHeight(Height(7)),
        Entry::Vote(vote(4)),
    ]
}

fn file(sync_after: usize) -> Vec<u8> {
    let (mut writer, mut out) = (Writer::default(), Vec::new());
    for (index, entry) in entries().iter().enumerate() {
        writer.append(entry, &mut out);
        if index + 1 == sync_after {
            writer.synced();
        }
    }
    assert_eq!(writer.end(), out.len() as u64);
    out
}

#[test]
fn every_entry_survives() {
    let recovered = recover(&file(6).into()).unwrap();
    assert_eq!(recovered.entries, entries());
    assert_eq!(recovered.torn, 0);
    assert_eq!(obsolete_before(&recovered.entries), 5);
}

#[test]
fn any_torn_tail_is_cut_and_said() {
    let whole = file(6);
    for len in 0..whole.len() {
        let recovered = recover(&Bytes::copy_from_slice(&whole[..len])).unwrap();
        assert_eq!(recovered.good_len + recovered.torn, len as u64);
        assert_eq!(recovered.entries, entries()[..recovered.entries.len()]);
    }
}

#[test]
fn a_hole_in_synced_data_is_refused_and_one_in_unsynced_data_is_a_tail() {
    let first = file(1).len() / 100; // inside the first frame
    for sync_after in 1..6 {
        let mut whole = file(sync_after);
        whole[first + 30] ^= 1;
        assert_eq!(recover(&whole.into()), Err(WalError::Corrupt { at: 0 }));
    }
    let mut whole = file(6); // never synced before the last frame
    whole[first + 30] ^= 1;
    let recovered = recover(&whole.into()).unwrap();
    assert_eq!((recovered.entries.len(), recovered.good_len), (0, 0));
}
