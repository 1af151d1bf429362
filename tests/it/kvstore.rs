//! Four real engines under the reference application: agreement, a killed pair, all killed.

use guts_tests::localnet::Localnet;
use guts_tests::{http, program};

fn app() -> String {
    format!("{} --address unix://{{socket}} --home {{socket}}.d", program("kvstore").display())
}

/// Sends `key=value` to a validator and waits, as long as any step may take, until its block is
/// readable there.
fn put(net: &Localnet, validator: usize, key: &str, value: &str) -> u64 {
    let call = format!("broadcast_tx_sync?tx=\"{key}={value}\"");
    let sent = net.get(validator, &call).expect("the RPC answers");
    assert_eq!(sent["result"]["code"], 0, "{sent}");
    let hash = sent["result"]["hash"].as_str().expect("a hash");
    net.wait(&format!("{key} in a block"), || {
        let found = net.get(validator, &format!("tx?hash=0x{hash}"))?;
        let height = found["result"]["height"].as_str()?.parse().ok()?;
        assert_eq!(found["result"]["tx_result"]["code"], 0, "{found}");
        Some(height)
    })
}

/// The value of a key as a validator's own application has it.
fn read(net: &Localnet, validator: usize, key: &str) -> Option<String> {
    let answer = net.get(validator, &format!("abci_query?data=\"{key}\""))?;
    answer["result"]["response"]["value"].as_str().map(str::to_string)
}

#[test]
fn four_engines_agree_and_survive_kills() {
    let app = app();
    let net = Localnet::start(&["--app", &app]);
    let height = put(&net, 0, "a", "1");
    net.wait_agreed(&[0, 1, 2, 3], height);
    for validator in 0..4 {
        let address = format!("127.0.0.1:{}", 26660 + 10 * validator);
        let metrics = http::text(&address, "metrics").expect("each shows its own");
        assert!(metrics.contains("cometbft_consensus_height"), "{metrics}");
    }

    // One pair gone: the others go on, and it catches up when it comes back.
    net.kill(3);
    let mut height = 0;
    for n in 0..5 {
        height = put(&net, n % 3, &format!("without-three-{n}"), "x");
    }
    net.wait_agreed(&[0, 1, 2], height);
    net.revive(3);
    net.wait_agreed(&[0, 1, 2, 3], height);
    assert_eq!(read(&net, 3, "without-three-4"), read(&net, 0, "without-three-4"));

    // All gone at once: what a client saw committed is there after the restart.
    for validator in 0..4 {
        net.kill(validator);
    }
    net.restart(&[]);
    let (after, _) = net.wait_agreed(&[0, 1, 2, 3], height);
    assert!(after >= height, "{after} is before {height}");
    assert_eq!(read(&net, 2, "a").as_deref(), Some("MQ=="));
    put(&net, 1, "afterwards", "1");
}

#[test]
fn a_killed_application_is_replayed_without_restarting_its_engine() {
    let app = app();
    let net = Localnet::start(&["--app", &app]);
    put(&net, 0, "before", "1");
    net.kill_half(2, "app");
    let height = put(&net, 0, "meanwhile", "1");
    net.revive(2);
    net.wait_agreed(&[0, 1, 2, 3], height);
    net.wait("the value at the revived application", || read(&net, 2, "meanwhile"));
}
