//! Who may drop a pack, and when.

use super::*;

fn is_dropped(held: &Held, pack: &PackHash) -> bool {
    let mut is_dropped = false;
    held.unless_held(pack, || is_dropped = true);
    is_dropped
}

#[test]
fn a_pack_is_dropped_once_no_push_holds_it() {
    let held = Held::default();
    let (pack, other) = (PackHash::new([1; 32]), PackHash::new([2; 32]));
    let (first, second) = (held.hold(pack), held.hold(pack));
    assert!(is_dropped(&held, &other));
    drop(first);
    assert!(!is_dropped(&held, &pack), "the second push has it still");
    drop(second);
    assert!(is_dropped(&held, &pack));
}
