//! Our applications under real CometBFT validators.

use std::process::Command;

use guts_tests::cometbft::{Network, PATIENCE, Place, find};
use guts_tests::{program, wait};

/// examples/kvstore on a socket; every second one keeps its state on the disk.
fn kvstore(place: &Place) -> Command {
    let mut command = Command::new(program("kvstore"));
    command.arg("--address").arg(format!("unix://{}", place.socket.display()));
    if place.validator % 2 == 1 {
        command.arg("--home").arg(place.home.join("kvstore"));
    }
    command
}

#[test]
fn the_kvstore_runs_under_four_cometbft_validators() {
    let Some(cometbft) = find() else { return };
    let mut network = Network::start(&cometbft, 4, |_| {}, kvstore);
    network.wait_height(2);

    let mut last = 0;
    for validator in 0..4 {
        let (height, code) = network.broadcast(validator, &format!("key{validator}=value"));
        assert_eq!(code, 0);
        last = height;
    }
    // Four transactions: the kvstore's app hash is their number, as a signed varint.
    assert_eq!(network.agreed_app_hash(last), "0800000000000000");
    for validator in 0..4 {
        let query = network.get(validator, "abci_query?data=%22key0%22").unwrap();
        assert_eq!(query["response"]["log"], "exists");
    }

    // Both kinds come back from a kill: one replays the chain, the other from its journal.
    for validator in [2, 3] {
        network.kill(validator);
        let (height, _) = network.broadcast(0, &format!("meanwhile{validator}=1"));
        network.revive(validator);
        wait::until("the validator caught up", PATIENCE, || {
            network.height(validator).filter(|at| *at > height)
        });
        last = height;
    }
    assert_eq!(network.agreed_app_hash(last), "0C00000000000000");
}
