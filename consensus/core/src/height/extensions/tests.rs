//! What the application is asked about, of a validator that says too much.
use bytes::Bytes;
use guts_genesis::{Address, Height, Signature, Time};

use super::*;
use crate::types::{BlockId, Hash, VoteKind};

fn vote(index: u32, round: u32, says: u32) -> Vote {
    // No signatures, but as different as those of different votes.
    let signature = |of: u32| Signature::from_slice(&of.to_be_bytes()).unwrap();
    Vote {
        kind: VoteKind::Precommit,
        height: Height(1),
        round: Round(round),
        block_id: BlockId { hash: Hash::of(b"block"), ..BlockId::NIL },
        time: Time::EPOCH,
        validator_address: Address([1; 20]),
        validator_index: index,
        signature: signature(round),
        extension: Bytes::from(says.to_string()),
        extension_signature: signature(says),
    }
}

/// Asks unless it is settled; whether it asked.
fn ask(extensions: &mut Extensions, vote: &Vote) -> bool {
    let asks = !extensions.is_settled(vote);
    if asks {
        extensions.ask(vote);
    }
    asks
}

#[test]
fn one_validator_has_so_many_in_a_round_and_so_many_at_a_time() {
    let mut all = Extensions::default();
    let refused = (0..100).map(|says| vote(0, 0, says)).filter(|vote| {
        let asked = ask(&mut all, vote);
        all.answer(vote, false);
        asked
    });
    assert_eq!(refused.count(), PER_ROUND_MAX);
    assert!(ask(&mut all, &vote(1, 0, 0)), "another validator's are another matter");
    let waiting = (1..1_000).filter(|round| ask(&mut all, &vote(0, *round, 0)));
    assert_eq!(waiting.count(), WAITING_MAX);
    all.forget_waiting();
    assert!(ask(&mut all, &vote(0, 1, 0)), "an application that is lost answers nothing");
    (2..1_000).for_each(|round| {
        let vote = vote(0, round, 0);
        assert!(ask(&mut all, &vote) && !ask(&mut all, &vote));
        all.answer(&vote, false);
        assert!(!ask(&mut all, &vote), "it was refused");
    });
    assert!(all.0[&0].len() <= REMEMBERED_MAX);
}

#[test]
fn what_was_accepted_may_come_again() {
    let mut all = Extensions::default();
    for _ in 0..2 * PER_ROUND_MAX {
        assert!(ask(&mut all, &vote(0, 0, 0)));
        all.answer(&vote(0, 0, 0), true);
    }
}
