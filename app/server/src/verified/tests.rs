//! The memory of checks.

use guts_app_core::Direct;

use super::*;

fn tx(length: usize, number: u32) -> Vec<u8> {
    let mut tx = vec![0xfe; length];
    tx[..4].copy_from_slice(&number.to_be_bytes());
    tx
}

#[test]
fn answers_are_those_of_a_direct_check_and_in_order() {
    let rules = ChainRules::new("guts-test");
    let txs: Vec<Vec<u8>> = (0..2 * PER_THREAD_MIN as u32).map(|i| tx(100, i)).collect();
    let txs: Vec<&[u8]> = txs.iter().map(Vec::as_slice).collect();
    let cache = VerifiedCache::default();
    let expected = format!("{:?}", Direct.check(&txs, &rules));
    assert_eq!(format!("{:?}", cache.check(&txs, &rules)), expected);
    // From memory.
    assert_eq!(format!("{:?}", cache.check(&txs, &rules)), expected);
    assert_eq!(cache.lock().checked.len(), 2 * PER_THREAD_MIN);
}

#[test]
fn the_memory_is_bounded_and_forgets_the_oldest() {
    let rules = ChainRules::new("guts-test");
    let cache = VerifiedCache::default();
    let length = 1 << 20;
    for number in 0..20 {
        cache.check(&[&tx(length, number)], &rules);
    }
    let inner = cache.lock();
    assert!(inner.bytes <= REMEMBERED_BYTES_MAX);
    assert_eq!(inner.checked.len(), inner.order.len());
    assert!(!inner.checked.contains_key(&Hash::of(&tx(length, 0))));
    assert!(inner.checked.contains_key(&Hash::of(&tx(length, 19))));
}
