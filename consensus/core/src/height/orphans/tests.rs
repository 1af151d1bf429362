//! Who gives way.
use bytes::Bytes;

use super::*;
use crate::types::PartSet;

/// Different parts of no block that anybody speaks of.
fn parts(count: usize, seed: u8) -> Vec<Arc<Part>> {
    let set = PartSet::of_bytes_in_pieces(Bytes::from(vec![seed; 4 * count]), 4);
    set.parts().cloned().map(Arc::new).collect()
}

#[test]
fn junk_of_one_peer_keeps_nobody_else_s_parts_out() {
    let (villain, other) = (PeerId(1), PeerId(2));
    let mut orphans = Orphans::default();
    let junk = parts(3 * PARTS_MAX, 0);
    let (before, after) = junk.split_at(2 * PARTS_MAX);
    before.iter().for_each(|part| orphans.keep((villain, Round::ZERO, part.clone())));
    let honest = parts(PARTS_MAX / 2, 1);
    honest.iter().for_each(|part| orphans.keep((other, Round::ZERO, part.clone())));
    after.iter().for_each(|part| orphans.keep((villain, Round::ZERO, part.clone())));
    assert_eq!(orphans.0.len(), PARTS_MAX);
    let root = honest[0].proof.root();
    let taken = orphans.take(|part| part.proof.root() == root);
    assert!(taken.iter().all(|(peer, _, _)| *peer == other));
    let taken: Vec<_> = taken.into_iter().map(|(_, _, part)| part).collect();
    assert_eq!(taken, honest, "all of them, in order");
    let rest: Vec<_> = orphans.0.into_iter().map(|(_, _, part)| part).collect();
    assert_eq!(rest, junk[junk.len() - PARTS_MAX / 2..], "the newest of the others");
}

#[test]
fn a_part_that_many_send_is_kept_once() {
    let mut orphans = Orphans::default();
    let part = parts(1, 0).remove(0);
    (0..9).for_each(|peer| orphans.keep((PeerId(peer), Round::ZERO, part.clone())));
    assert_eq!(orphans.take(|_| true), [(PeerId(0), Round::ZERO, part)]);
    assert_eq!(orphans.take(|_| true), []);
}
