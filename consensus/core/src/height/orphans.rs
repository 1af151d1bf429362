//! Parts that came before anybody said what they are of.
//!
//! They may be of the block of a proposal that they have overtaken on the way, or of none: a
//! bounded number is kept. When there is no room, the peer that has most of it gives way: one that
//! sends junk keeps nobody else's parts out.
use std::sync::Arc;

use guts_genesis::Round;

use crate::io::PeerId;
use crate::types::Part;

#[cfg(test)]
mod tests;

/// Parts that are kept (4 MiB).
const PARTS_MAX: usize = 64;

/// A part: who sent it, for which round.
pub type Orphan = (PeerId, Round, Arc<Part>);

/// See the module. Oldest first.
#[derive(Clone, Debug, Default)]
pub struct Orphans(Vec<Orphan>);

impl Orphans {
    /// Keeps a part, unless it is kept already.
    pub fn keep(&mut self, orphan: Orphan) {
        let kept = &mut self.0;
        if kept.iter().any(|(_, _, part)| *part == orphan.2) {
            return;
        }
        kept.push(orphan);
        if kept.len() > PARTS_MAX {
            let held = |peer| kept.iter().filter(|(of, _, _)| *of == peer).count();
            let oldest = (0..kept.len()).rev().max_by_key(|at| held(kept[*at].0));
            kept.remove(oldest.expect("there are some"));
        }
    }

    /// Those that are awaited now.
    pub fn take(&mut self, is_awaited: impl Fn(&Part) -> bool) -> Vec<Orphan> {
        let kept = std::mem::take(&mut self.0);
        let (awaited, rest) = kept.into_iter().partition(|(_, _, part)| is_awaited(part));
        self.0 = rest;
        awaited
    }
}
