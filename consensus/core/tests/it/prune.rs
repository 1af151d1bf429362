//! Old blocks are given up when neither the application nor evidence needs them.
use std::time::Duration;

use guts_consensus::config::Config;
use guts_genesis::Time;

use crate::apps::{Changes, changed};
use crate::cluster::Cluster;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A lone validator whose application needs no old blocks. It makes one every half a minute.
fn lone(age_blocks: i64, age: Duration) -> Cluster {
    let make = changed(Changes { retain: i64::MAX, ..Changes::default() });
    Cluster::with_genesis(1, Config::default(), make, |manifest| {
        manifest.consensus_params.evidence_max_age_num_blocks = age_blocks;
        let nanos = i64::try_from(age.as_nanos()).unwrap();
        manifest.consensus_params.evidence_max_age_duration_ns = nanos;
    })
}

/// The lowest height that is left, and the time of its block.
fn base(cluster: &Cluster) -> (u64, Time) {
    let (height, decided) = cluster.nodes[0].disk.blocks.first_key_value().unwrap();
    assert_eq!(*height, cluster.nodes[0].engine.status().base);
    (height.0, decided.block.header().time)
}

#[test]
fn blocks_are_kept_until_both_limits_of_evidence_have_passed() {
    let mut cluster = lone(2, HOUR);
    cluster.run_for(HOUR - MINUTE);
    assert!(cluster.height(0) > 100);
    assert_eq!(base(&cluster).0, 1, "young, however many follow");
    cluster.run_for(2 * HOUR);
    let (height, time) = base(&cluster);
    let last = cluster.nodes[0].committed.last().unwrap().state.last_block_time;
    let age = last.saturating_since(time);
    // Given up a hundred at a time, fifty minutes apart.
    assert!(height > 100 && age > HOUR - MINUTE && age < 2 * HOUR, "{height} is {age:?} old");

    let mut cluster = lone(200, Duration::from_secs(1));
    cluster.run_for(HOUR + HOUR / 2);
    assert!(cluster.height(0) < 200);
    assert_eq!(base(&cluster).0, 1, "few follow, however old");
    cluster.run_for(2 * HOUR);
    let (height, last) = (base(&cluster).0, cluster.height(0));
    assert!(height > 1 && height + 200 <= last, "{height} of {last}");
}
