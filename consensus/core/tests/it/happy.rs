//! Blocks with transactions, and rest without.
use std::time::Duration;

use guts_consensus::config::Config;
use guts_consensus::io::{ClientReply, Ticket};

use crate::cluster::{Cluster, kvstore};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn four_engines_commit_transactions() {
    let mut cluster = Cluster::new(4, Config::default(), kvstore());
    cluster.run_until(MINUTE, |c| c.all_at(1));
    cluster.submit(2, 7, "a=1");
    cluster.run_until(MINUTE, |c| (0..4).all(|i| c.has_tx(i, "a=1")));
    let reply = cluster.nodes[2].replies.get(&Ticket(7));
    assert!(matches!(reply, Some(ClientReply::Checked(answer)) if answer.code == 0));
    for n in 0..50 {
        cluster.submit(n % 4, 100 + n as u64, &format!("k{n}=v"));
        if n % 7 == 0 {
            cluster.run_for(Duration::from_millis(5));
        }
    }
    cluster.run_until(MINUTE, |c| (0..50).all(|n| (0..4).all(|i| c.has_tx(i, &format!("k{n}=v")))));
    cluster.assert_agreement();
    let rounds: u64 = cluster.nodes.iter().map(|n| n.engine.status().counters.extra_rounds).sum();
    assert_eq!(rounds, 0);
}
