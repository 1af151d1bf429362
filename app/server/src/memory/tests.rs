//! How often memory is given back.

use std::cell::Cell;

use super::*;

thread_local! {
    static GIVEN: Cell<u32> = const { Cell::new(0) };
}

#[test]
fn memory_is_given_back_after_a_block_and_not_after_each() {
    let mut freed = FreedMemory::new(|| GIVEN.set(GIVEN.get() + 1));
    let begun = freed.given_at;
    let mut after = |ms| {
        freed.after_block(begun + Duration::from_millis(ms));
        GIVEN.get()
    };
    let given = [0, 1_999, 2_000, 2_100, 3_999, 4_000, 60_000].map(&mut after);
    assert_eq!(given, [0, 0, 1, 1, 1, 2, 3]);
}
