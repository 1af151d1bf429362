//! Bounds, order and memory of the mempool.
use super::*;

fn tx(n: u32) -> Bytes {
    Bytes::from(format!("key{n}=value"))
}

fn pool(txs_max: u64, cache_max: u64) -> Mempool {
    Mempool::new(MempoolLimits { txs_max, cache_max, ..MempoolLimits::default() })
}

fn put(pool: &mut Mempool, n: u32) {
    let key = pool.admit(&tx(n), None).unwrap();
    assert!(pool.checked((key, tx(n)), (true, 1), 0).is_some());
    pool.audit();
}

fn committed(txs: &[Bytes]) -> Vec<Hash> {
    txs.iter().map(|tx| Hash::of(tx)).collect()
}

#[test]
fn first_in_first_out_within_bytes_and_gas() {
    let mut pool = pool(10, 100);
    (0..5).for_each(|n| put(&mut pool, n));
    assert_eq!(pool.reap(-1, -1), (0..5).map(tx).collect::<Vec<_>>());
    let one = tx(0).len() as i64 + 2;
    assert_eq!(pool.reap(2 * one, -1).len(), 2);
    assert_eq!(pool.reap(2 * one - 1, -1).len(), 1);
    assert_eq!(pool.reap(-1, 3).len(), 3);
    pool.remove_committed(&committed(&[tx(1), tx(7)]));
    assert_eq!(pool.first(2), vec![tx(0), tx(2)]);
    assert_eq!(pool.admit(&tx(7), None), Err(TxRefused::InCache), "it was in a block");
    pool.audit();
}

#[test]
fn a_peer_that_sends_one_thing_many_times_is_remembered_once() {
    let mut pool = pool(10, 100);
    let key = pool.admit(&tx(1), Some(PeerId(4))).unwrap();
    for peer in [4, 4, 5, 4, 5] {
        assert_eq!(pool.admit(&tx(1), Some(PeerId(peer))), Err(TxRefused::InCache));
    }
    let from = pool.checked((key, tx(1)), (true, 1), 0);
    assert_eq!(from, Some(vec![PeerId(4), PeerId(5)]));
}

#[test]
fn seen_transactions_are_refused_and_bad_ones_may_come_again() {
    let mut pool = pool(10, 100);
    let key = pool.admit(&tx(1), Some(PeerId(4))).unwrap();
    assert_eq!(pool.admit(&tx(1), Some(PeerId(5))), Err(TxRefused::InCache));
    let peers = pool.checked((key, tx(1)), (true, 0), 0);
    assert_eq!(peers, Some(vec![PeerId(4), PeerId(5)]), "both have it");
    let key = pool.admit(&tx(2), None).unwrap();
    assert_eq!(pool.checked((key, tx(2)), (false, 0), 0), None);
    assert!(pool.admit(&tx(2), None).is_ok());
}

#[test]
fn after_a_flush_everything_may_come_again_but_what_is_being_checked() {
    let mut pool = pool(4, 4);
    put(&mut pool, 1);
    pool.remove_committed(&committed(&[tx(2)]));
    let key = pool.admit(&tx(3), None).unwrap();
    put(&mut pool, 4);
    pool.flush();
    pool.audit();
    assert!(pool.is_empty() && pool.bytes() == 0 && pool.reap(-1, -1).is_empty());
    assert_eq!(pool.admit(&tx(3), None), Err(TxRefused::InCache), "its answer is still to come");
    assert!(pool.checked((key, tx(3)), (true, 1), 0).is_some());
    [1, 2, 4].iter().for_each(|n| put(&mut pool, *n));
    assert_eq!(pool.first(9), [3, 1, 2, 4].map(tx));
}

#[test]
fn it_is_bounded_with_what_is_being_checked() {
    let mut pool = pool(3, 100);
    put(&mut pool, 0);
    pool.admit(&tx(1), None).unwrap();
    pool.admit(&tx(2), None).unwrap();
    assert!(matches!(pool.admit(&tx(3), None), Err(TxRefused::Full { count: 3, .. })));
    pool.drop_checks();
    assert!(pool.admit(&tx(3), None).is_ok());
}

#[test]
fn peers_find_room_that_clients_do_not() {
    let mut pool = pool(2, 100);
    (0..2).for_each(|n| put(&mut pool, n));
    let full = pool.admit(&tx(2), None);
    assert!(matches!(full, Err(TxRefused::Full { count: 2, count_max: 2, .. })), "{full:?}");
    let peer = Some(PeerId(1));
    assert!((2..4).all(|n| pool.admit(&tx(n), peer).is_ok()));
    let full = pool.admit(&tx(4), peer);
    assert!(matches!(full, Err(TxRefused::Full { count: 4, count_max: 4, .. })), "{full:?}");
    pool.audit();
}

#[test]
fn the_cache_forgets_the_oldest() {
    let mut pool = pool(10, 3);
    pool.remove_committed(&committed(&(0..4).map(tx).collect::<Vec<_>>()));
    assert!(pool.admit(&tx(0), None).is_ok());
    assert_eq!(pool.admit(&tx(3), None), Err(TxRefused::InCache));
}

#[test]
fn bad_transactions_push_nothing_out_of_the_cache() {
    let mut pool = pool(10, 4);
    pool.remove_committed(&committed(&(0..3).map(tx).collect::<Vec<_>>()));
    for n in 10..200 {
        let key = pool.admit(&tx(n), None).unwrap();
        assert_eq!(pool.checked((key, tx(n)), (false, 0), 0), None);
        pool.audit();
    }
    for n in 0..3 {
        assert_eq!(pool.admit(&tx(n), None), Err(TxRefused::InCache), "it was in a block");
    }
}

#[test]
fn rechecks_go_through_all_in_order_once_a_height() {
    let mut pool = pool(10, 100);
    (0..5).for_each(|n| put(&mut pool, n));
    let keys = |list: Vec<(TxKey, Bytes)>| list.into_iter().map(|(_, tx)| tx).collect::<Vec<_>>();
    assert_eq!(keys(pool.take_for_recheck(1, 3)), (0..3).map(tx).collect::<Vec<_>>());
    assert_eq!(keys(pool.take_for_recheck(1, 3)), (3..5).map(tx).collect::<Vec<_>>());
    assert!(pool.take_for_recheck(1, 3).is_empty());
    pool.drop_rechecked(&key_of(&tx(2)));
    assert_eq!(pool.len(), 4);
    assert!(pool.admit(&tx(2), None).is_ok());
}

#[test]
fn what_is_committed_while_it_is_checked_does_not_wait_for_another_block() {
    let mut pool = pool(10, 100);
    let key = pool.admit(&tx(0), None).unwrap();
    pool.remove_committed(&committed(&[tx(0)]));
    assert_eq!(pool.checked((key, tx(0)), (true, 1), 1), None);
    assert!(pool.is_empty());
    assert_eq!(pool.admit(&tx(0), None), Err(TxRefused::InCache), "it was in a block");
    pool.audit();
}
