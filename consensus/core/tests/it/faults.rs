//! Crashes, losses and lags: nothing is lost, nothing is signed twice, everybody catches up.
use std::collections::BTreeSet;
use std::time::Duration;

use guts_consensus::config::Config;
use guts_consensus::io::Input;

use crate::cluster::{Cluster, kvstore};

const MINUTE: Duration = Duration::from_secs(60);

fn feed(cluster: &mut Cluster, from: u32, count: u32, nodes: &[usize]) {
    for n in from..from + count {
        let node = nodes[n as usize % nodes.len()];
        cluster.submit(node, u64::from(n), &format!("k{n}=v"));
        cluster.run_for(Duration::from_millis(20));
    }
}

#[test]
fn a_node_that_was_down_fetches_what_it_missed() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    feed(&mut cluster, 0, 3, &[0, 1, 2, 3]);
    cluster.crash(3);
    feed(&mut cluster, 10, 30, &[0, 1, 2]);
    let height = cluster.height(0);
    cluster.run_until(MINUTE, |c| (10..40).all(|n| c.has_tx(0, &format!("k{n}=v"))));
    assert_eq!(cluster.height(3).min(height - 1), cluster.height(3), "it was down");
    cluster.restart(3);
    cluster.run_until(MINUTE, |c| c.height(3) >= c.height(0));
    feed(&mut cluster, 50, 5, &[3]);
    cluster
        .run_until(MINUTE, |c| (50..55).all(|n| (0..4).all(|i| c.has_tx(i, &format!("k{n}=v")))));
    cluster.assert_agreement();
    let counters = cluster.nodes[3].engine.status().counters;
    assert!(counters.catch_ups > 0 && counters.synced_blocks > 0);
}

#[test]
fn s2_all_crash_together_at_any_input_and_nothing_contradicts() {
    for steps in [1, 3, 7, 11, 13, 17, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 83, 97] {
        let mut cluster = Cluster::new(4, Config::default(), kvstore());
        cluster.run_until(MINUTE, |c| c.all_at(1));
        cluster.submit(0, 1, "a=1");
        cluster.run_steps(steps);
        (0..4).for_each(|i| cluster.crash(i));
        (0..4).for_each(|i| cluster.restart(i));
        cluster.submit(1, 2, "b=1");
        cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "b=1")));
        cluster.assert_agreement();
    }
}

#[test]
fn an_application_that_comes_back_empty_is_replayed() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    feed(&mut cluster, 0, 10, &[0, 1]);
    cluster.replace_app(2);
    feed(&mut cluster, 20, 10, &[2, 3]);
    cluster
        .run_until(MINUTE, |c| (20..30).all(|n| (0..4).all(|i| c.has_tx(i, &format!("k{n}=v")))));
    cluster.assert_agreement();
    let inits = cluster.nodes[2].calls.iter().filter(|call| **call == "init_chain").count();
    assert_eq!(inits, 2);
}

#[test]
fn s1_a_minority_cannot_decide_and_heals() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    feed(&mut cluster, 0, 3, &[0, 1]);
    cluster.cut = BTreeSet::from([(0, 2), (0, 3), (1, 2), (1, 3)]);
    let height = cluster.height(0);
    cluster.submit(0, 1, "x=1");
    cluster.submit(2, 2, "y=1");
    cluster.run_for(MINUTE);
    assert!((0..4).all(|i| cluster.height(i) <= height + 1));
    cluster.cut.clear();
    cluster.run_until(5 * MINUTE, |c| (0..4).all(|i| c.has_tx(i, "x=1") && c.has_tx(i, "y=1")));
    cluster.assert_agreement();
}

#[test]
fn a_third_of_all_messages_lost_only_slows_down() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    let mut count = 0_u64;
    cluster.filter = Box::new(move |_, _, _| {
        count =
            count.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        !(count >> 33).is_multiple_of(3)
    });
    for n in 0..10 {
        cluster.submit(n % 4, n as u64, &format!("k{n}=v"));
        cluster.run_for(Duration::from_secs(5));
    }
    cluster.filter = Box::new(|_, _, _| true);
    cluster.run_until(5 * MINUTE, |c| (0..10).all(|n| c.has_tx(n % 4, &format!("k{n}=v"))));
    cluster.assert_agreement();
}

#[test]
fn one_block_behind_a_chain_at_rest_is_caught_up_too() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(2));
    cluster.run_for(Duration::from_secs(1));
    cluster.cut = BTreeSet::from([(0, 3), (1, 3), (2, 3)]);
    cluster.submit(0, 1, "a=1");
    cluster.run_until(MINUTE, |c| (0..3).all(|i| c.has_tx(i, "a=1")));
    let height = cluster.height(0);
    cluster.cut.clear();
    cluster.run_for(Duration::from_secs(5));
    assert!(cluster.has_tx(3, "a=1") && cluster.height(3) >= height);
    cluster.assert_agreement();
}

/// What a node promised before a crash is lost on the way to peers that are not there yet, or whose
/// applications are not: they ask for it as soon as they can use it.
#[test]
fn after_a_restart_of_all_the_interrupted_height_goes_on_at_once() {
    for steps in (1..60).step_by(3) {
        for gap_ms in [0, 300] {
            let mut cluster = Cluster::new(4, Config::default(), kvstore());
            cluster.run_until(MINUTE, |c| c.all_at(2));
            cluster.run_for(Duration::from_secs(2));
            cluster.submit(0, 1, "a=1");
            cluster.run_steps(steps);
            (0..4).for_each(|i| cluster.crash(i));
            cluster.run_for(Duration::from_secs(1));
            for i in 0..4 {
                cluster.restart_without_app(i);
                cluster.run_for(Duration::from_millis(gap_ms));
            }
            for i in 0..4 {
                cluster.input(i, Input::AppUp);
                cluster.run_for(Duration::from_millis(gap_ms));
            }
            cluster.submit(1, 2, "b=1");
            let prompt = Duration::from_millis(200);
            cluster.run_until(prompt, |c| (0..4).all(|i| c.has_tx(i, "b=1")));
            cluster.assert_agreement();
        }
    }
}
