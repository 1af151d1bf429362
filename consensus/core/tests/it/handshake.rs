//! Engine and application at any pair of heights, and the height in progress back from the log.
use std::time::Duration;

use guts_consensus::config::Config;
use guts_genesis::Height;

use crate::cluster::{Cluster, kvstore};

const MINUTE: Duration = Duration::from_secs(60);

/// A lone validator with some blocks.
fn grown() -> Cluster {
    let mut cluster = Cluster::new(1, Config::default(), kvstore());
    for n in 0..6 {
        cluster.submit(0, n, &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(50));
    }
    assert!(cluster.height(0) >= 6);
    cluster.crash(0);
    cluster
}

/// Executes the stored blocks up to `height` on a new application.
fn application_at(cluster: &mut Cluster, height: u64) {
    cluster.nodes[0].served = kvstore()();
    let mut replayed = Cluster::new(1, Config::default(), kvstore());
    std::mem::swap(&mut replayed.nodes[0].served, &mut cluster.nodes[0].served);
    if height == 0 {
        std::mem::swap(&mut replayed.nodes[0].served, &mut cluster.nodes[0].served);
        return;
    }
    // A second engine with a store that ends at `height` brings its application there.
    let (source, target) = (&cluster.nodes[0].disk, &mut replayed.nodes[0].disk);
    let upto = ..=Height(height);
    target.blocks = source.blocks.range(upto).map(|(h, b)| (*h, b.clone())).collect();
    target.responses = source.responses.range(upto).map(|(h, b)| (*h, b.clone())).collect();
    target.states = source.states.range(upto).map(|(h, b)| (*h, b.clone())).collect();
    replayed.crash(0);
    replayed.restart(0);
    for _ in 0..200 {
        let commits = replayed.nodes[0].calls.iter().filter(|call| **call == "commit").count();
        if commits as u64 == height {
            break;
        }
        replayed.run_steps(1);
    }
    assert_eq!(replayed.nodes[0].halted, None);
    std::mem::swap(&mut replayed.nodes[0].served, &mut cluster.nodes[0].served);
}

/// Starts with store, state and application at these heights and wants the chain to go on.
fn starts(store: u64, state: u64, app: u64) -> Cluster {
    let mut cluster = grown();
    cut(&mut cluster, store, state);
    application_at(&mut cluster, app);
    cluster.nodes[0].calls.clear();
    cluster.nodes[0].committed.clear();
    cluster.restart(0);
    cluster
}

fn cut(cluster: &mut Cluster, store: u64, state: u64) {
    let disk = &mut cluster.nodes[0].disk;
    disk.blocks.retain(|height, _| height.0 <= store);
    disk.responses.retain(|height, _| height.0 <= store);
    disk.states.retain(|height, _| height.0 <= state);
    disk.log.clear();
    disk.writer = guts_consensus::wal::Writer::default();
    // The signer of this test would remember what it signed beyond the cut.
    cluster.nodes[0].signed.clear();
}

fn goes_on(mut cluster: Cluster, commits: usize, what: &str) {
    cluster.run_steps(100);
    assert_eq!(cluster.nodes[0].halted, None, "{what}");
    let replayed = cluster.nodes[0].calls.iter().filter(|call| **call == "commit").count();
    cluster.submit(0, 99, "after=1");
    cluster.run_until(MINUTE, |c| c.has_tx(0, "after=1"));
    assert!(replayed >= commits, "{what}: {replayed} commits");
}

#[test]
fn s6_every_pair_of_heights_that_can_be_is_brought_together() {
    goes_on(starts(5, 5, 5), 0, "all equal");
    goes_on(starts(5, 5, 3), 2, "application behind");
    goes_on(starts(5, 5, 0), 5, "application empty");
    goes_on(starts(5, 4, 4), 1, "block stored, not executed");
    goes_on(starts(5, 4, 3), 2, "block stored, application further behind");
    goes_on(starts(5, 4, 5), 0, "block executed, state behind");
    goes_on(starts(5, 4, 0), 5, "block stored, application empty");
}

#[test]
fn s5_what_cannot_be_is_refused() {
    for (store, state, app, word) in
        [(4, 4, 5, "application"), (5, 3, 3, "damaged"), (4, 5, 4, "damaged"), (0, 0, 3, "reset")]
    {
        let mut cluster = starts(store, state, app);
        cluster.run_steps(100);
        let why = cluster.nodes[0].halted.clone().unwrap_or_default();
        assert!(why.contains(word), "{store} {state} {app}: {why:?}");
    }
}

#[test]
fn s6_an_application_below_what_is_left_is_refused_with_the_reason() {
    for (app, is_refused) in [(2, true), (3, true), (4, false), (5, false)] {
        let mut cluster = grown();
        cut(&mut cluster, 5, 5);
        application_at(&mut cluster, app);
        cluster.nodes[0].calls.clear();
        let (disk, base) = (&mut cluster.nodes[0].disk, Height(4));
        disk.blocks.retain(|height, _| *height >= base);
        disk.responses.retain(|height, _| *height >= base);
        disk.states.retain(|height, _| *height >= base);
        cluster.restart(0);
        if !is_refused {
            goes_on(cluster, 5 - app as usize, "the rest is there");
            continue;
        }
        cluster.run_steps(100);
        let why = cluster.nodes[0].halted.clone().unwrap_or_default();
        assert!(why.contains("is pruned"), "from {app}: {why:?}");
    }
}

#[test]
fn s6_an_application_with_another_hash_is_refused() {
    let mut cluster = grown();
    cut(&mut cluster, 5, 5);
    application_at(&mut cluster, 5);
    let state = cluster.nodes[0].disk.states.get_mut(&Height(5)).unwrap();
    std::sync::Arc::make_mut(state).app_hash = bytes::Bytes::from_static(b"another");
    cluster.restart(0);
    cluster.run_steps(100);
    assert!(cluster.nodes[0].halted.clone().unwrap_or_default().contains("hash"));
}

#[test]
fn s4_the_log_brings_back_what_was_promised_and_the_locked_block() {
    // Stops at every input of a height; the engine that comes back has the same votes, parts and
    // lock as the one before, as far as they were written.
    for steps in 0..120 {
        let mut cluster = Cluster::new(4, Config::default(), kvstore());
        cluster.run_until(MINUTE, |c| c.all_at(1));
        cluster.submit(0, 1, "a=1");
        cluster.run_steps(steps);
        let before = cluster.nodes[1].engine.digest();
        let height = cluster.height(1);
        cluster.crash(1);
        cluster.restart(1);
        // The application, three peers, and the answer to Info: the handshake is over.
        cluster.run_steps_of(1, 5);
        // A block that is stored already needs no votes any more.
        let stored = cluster.nodes[1].disk.blocks.keys().next_back().map_or(0, |h| h.0);
        if stored == height && cluster.height(1) == height {
            assert_eq!(cluster.nodes[1].engine.digest(), before, "after {steps} steps");
        }
        cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "a=1")));
        cluster.assert_agreement();
    }
}
