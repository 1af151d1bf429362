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
    let remembered = |part: &Mutex<Inner>| part.lock().unwrap().checked.len();
    assert_eq!(cache.parts.iter().map(remembered).sum::<usize>(), 2 * PER_THREAD_MIN);
}

#[test]
fn the_memory_is_bounded_and_forgets_the_oldest() {
    let rules = ChainRules::new("guts-test");
    let cache = VerifiedCache::default();
    let length = 1 << 20;
    let all: Vec<Vec<u8>> = (0..100).map(|number| tx(length, number)).collect();
    for tx in &all {
        cache.check(&[tx], &rules);
    }
    let is_known = |hash: &Hash| cache.lock(hash).checked.contains_key(hash);
    let mut known = 0;
    for part in &cache.parts {
        let part = part.lock().unwrap();
        assert!(part.bytes <= REMEMBERED_BYTES_MAX / PARTS);
        assert_eq!(part.checked.len(), part.order.len());
        known += part.checked.len();
    }
    assert!((1..16).contains(&known));
    assert!(!is_known(&Hash::of(&all[0])));
    assert!(is_known(&Hash::of(&all[99])));
}
