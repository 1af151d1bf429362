//! The network's files, its processes as they are found again, ports, and its table.

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use crate::network::{Half, Network, Started, Validator};
use crate::{Error, app_state, create, ports, process, start, status};

/// As ssh-keygen writes one.
const PUBLIC: &str = "ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIMKKAvNSHLSA2+i7S5Wf/qh4dZBc++fyQbgl6Pln9GZE alice@example";

fn options(home: &Path) -> start::Options {
    start::Options {
        home: home.to_path_buf(),
        validators: None,
        app: Some("tail -f /dev/null".to_string()),
        settings: vec!["consensus.create_empty_blocks=true".to_string()],
        accounts: None,
        detach: true,
        allow_small: false,
        params: Vec::new(),
        fund: Vec::new(),
        port_offset: None,
        patience: start::PATIENCE.as_secs(),
    }
}

#[test]
fn a_network_is_read_as_it_was_made() {
    let home = tempfile::tempdir().expect("a directory");
    let made = create::create(&options(home.path()), 4).expect("made");
    let read = Network::load(home.path()).expect("read");
    assert_eq!(read.chain_id, made.chain_id);
    assert_eq!(read.app_command, made.app_command);
    assert_eq!(read.settings, ["consensus.create_empty_blocks=true"]);
    assert_eq!(read.validators.len(), 4);
    let ids: std::collections::BTreeSet<_> = read.validators.iter().map(|v| &v.node_id).collect();
    assert_eq!(ids.len(), 4, "every node has a key of its own");
    let genesis = read.dir(0, Half::Engine).join("config/genesis.json");
    let genesis = std::fs::read_to_string(genesis).expect("a genesis file");
    let document = guts_genesis::GenesisDoc::parse(&genesis).expect("a valid genesis");
    assert_eq!(document.validators.len(), 4);
    assert!(read.validator(4).is_err());
}

#[test]
fn a_directory_without_a_network_says_how_to_make_one() {
    let home = tempfile::tempdir().expect("a directory");
    let error = Network::load(home.path()).expect_err("nothing there");
    assert!(error.to_string().contains("./localnet/start --home"), "{error}");
    std::fs::write(home.path().join("network.json"), "{").expect("written");
    let error = Network::load(home.path()).expect_err("half a file");
    assert!(error.to_string().contains("delete"), "{error}");
}

#[test]
fn fewer_than_four_validators_need_a_word() {
    let home = tempfile::tempdir().expect("a directory");
    for (count, word) in [(0, "1 to 16"), (1, "--allow-small"), (17, "1 to 16")] {
        let options = start::Options { validators: Some(count), ..options(home.path()) };
        let error = start::start(&options).expect_err("refused").to_string();
        assert!(error.contains(word), "{count}: {error}");
    }
    assert!(!Network::exists(home.path()), "nothing is made by a refused command");
}

#[test]
fn genesis_funds_as_many_accounts_as_asked_for() {
    let home = tempfile::tempdir().expect("a directory");
    let many = start::Options { accounts: Some(9), app: None, ..options(home.path()) };
    let made = create::create(&many, 4).expect("made");
    let genesis = made.dir(3, Half::Engine).join("config/genesis.json");
    let genesis = std::fs::read_to_string(genesis).expect("a genesis file");
    let genesis: serde_json::Value = serde_json::from_str(&genesis).expect("JSON");
    let accounts = genesis["app_state"]["account"]["accounts"].as_array().expect("accounts");
    assert_eq!(accounts.len(), 4 + 9, "and one for each gateway");
    assert_eq!(Network::load(home.path()).expect("read").accounts, 9);
    let other = start::Options { accounts: Some(8), ..many };
    let error = start::start(&other).expect_err("refused").to_string();
    assert!(error.contains("funds 9 accounts"), "{error}");
    let home = tempfile::tempdir().expect("a directory");
    let too_many = start::Options { accounts: Some(2_000_001), ..options(home.path()) };
    let error = start::start(&too_many).expect_err("refused").to_string();
    assert!(error.contains("2000000 at most"), "{error}");
}

#[test]
fn a_taken_port_is_named() {
    let home = tempfile::tempdir().expect("a directory");
    let mut network = create::create(&options(home.path()), 4).expect("made");
    // Validator 15's ports: nothing else in the tests uses them.
    network.validators = vec![Validator { index: 15, ..network.validators[0].clone() }];
    let is_named = |port: u16, name: &str| match ports::check_free(&network.validators, true) {
        Err(Error::PortTaken { port: taken, use_ }) => assert_eq!((taken, &*use_), (port, name)),
        other => panic!("{other:?}"),
    };
    let (rpc, p2p) = (network.validators[0].rpc_port(), network.validators[0].p2p_port());
    let metrics = network.validators[0].metrics_port();
    for (port, name) in [(rpc, "RPC of validator 15"), (metrics, "metrics of validator 15")] {
        let _held = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        is_named(port, name);
    }
    let _held = UdpSocket::bind(("127.0.0.1", p2p)).expect("a free port");
    is_named(p2p, "peer-to-peer of validator 15");
}

#[test]
fn a_process_is_found_again_and_ended() {
    let home = tempfile::tempdir().expect("a directory");
    let mut network = create::create(&options(home.path()), 4).expect("made");
    process::spawn(&mut network, 1, Half::App).expect("started");
    let again = Network::load(home.path()).expect("read");
    let started = again.validators[1].app.clone().expect("recorded");
    assert!(process::is_alive(&started));
    let other = Started { start_ticks: started.start_ticks + 1, ..started.clone() };
    assert!(!process::is_alive(&other), "a later process with the same pid is another one");
    let table = status::table(&again).text;
    assert!(table.contains(&started.pid.to_string()), "{table}");
    process::kill(std::slice::from_ref(&started)).expect("it ends");
    assert!(!process::is_alive(&started));
    assert!(status::table(&again).text.contains("(dead)"));
}

#[test]
fn the_table_lines_up() {
    let home = tempfile::tempdir().expect("a directory");
    let network = create::create(&options(home.path()), 4).expect("made");
    let table = status::table(&network).text;
    let lines: Vec<_> = table.lines().collect();
    let column = lines[0].find("RPC").expect("a column");
    for line in &lines[1..5] {
        assert_eq!(&line[column..column + 7], "http://", "{table}");
    }
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let home = tempfile::tempdir().expect("a directory");
    let options = start::Options { app: Some("no-such-program".into()), ..options(home.path()) };
    let mut network = create::create(&options, 4).expect("made");
    let error = process::spawn(&mut network, 0, Half::App).expect_err("refused").to_string();
    assert!(error.contains("no-such-program"), "{error}");
}

#[test]
fn the_dashboard_shows_metrics_that_exist() {
    let known = guts_engine::metrics::documentation() + &guts_app::metrics::documentation();
    let dashboard: serde_json::Value =
        serde_json::from_str(include_str!("../grafana.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let mut shown = 0;
    for target in targets {
        let expression = target["expr"].as_str().expect("an expression");
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for name in words.filter(|word| word.starts_with("guts_") || word.starts_with("cometbft_"))
        {
            // Prometheus reads three of each histogram.
            let parts = ["", "_bucket", "_sum", "_count"].into_iter();
            let mut names = parts.filter_map(|part| name.strip_suffix(part));
            let is_known = |name: &str| known.contains(&format!("`{name}`"));
            assert!(names.any(is_known), "{name} of {expression}");
            shown += 1;
        }
    }
    assert!(shown > panels.len(), "{shown}");
}

/// The main thread of a killed process is gone before a thread that waits for the disk is, and the
/// port is taken as long: this one's main thread goes at once, and the other never would.
#[test]
fn a_process_has_ended_when_its_last_thread_has() {
    // Perl comes with git on Debian; 60 and 93 are `exit`, of one thread, here and on ARM.
    let program = r#"
        use threads; use IO::Socket::INET;
        my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or die $!;
        threads->create(sub { sleep 1000 })->detach;
        $| = 1; print $listener->sockport, "\n";
        syscall(`uname -m` =~ /x86_64/ ? 60 : 93, 0);
    "#;
    let mut child = std::process::Command::new("perl")
        .args(["-e", program])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("perl, which git needs");
    let mut said = std::io::BufReader::new(child.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut said, &mut String::new()).expect("its port");

    let pid = child.id();
    process::kill(&[process::recorded(pid)]).expect("it ends");
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "no thread of it is left");
    assert!(child.wait().is_err(), "its status is taken");
}

#[test]
fn parameters_and_tokens_of_a_new_network_are_in_its_genesis() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("id.pub");
    std::fs::write(&file, PUBLIC).expect("written");
    let options = start::Options {
        app: None,
        params: vec!["gov_voting_s=60".into(), "accept_work=false".into()],
        fund: vec![file.clone()],
        port_offset: Some(100),
        ..options(home.path())
    };
    let network = create::create(&options, 4).expect("made");
    let genesis = network.dir(3, Half::Engine).join("config/genesis.json");
    let genesis: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(genesis).expect("read")).expect("JSON");
    let state = &genesis["app_state"];
    assert_eq!(state["params"]["gov_voting_s"], 60);
    assert_eq!(state["params"]["accept_work"], false);
    assert_eq!(state["params"]["gov_timelock_s"], 24 * 3600, "as usual");
    let account = state["account"]["accounts"].as_array().expect("a list").last().expect("some");
    assert_eq!(account["balance"], app_state::FUNDED_BALANCE.to_string());

    let first = &network.validators[0];
    let ports = [first.p2p_port(), first.rpc_port(), first.metrics_port(), first.gateway_port()];
    assert_eq!(ports, [26756, 26757, 26760, 8180]);

    // The genesis is made once, and that of another application is its own.
    let late = start::start(&options).expect_err("refused").to_string();
    assert!(late.contains("is made already"), "{late}");
    let plain = start::Options { params: Vec::new(), fund: Vec::new(), ..options.clone() };
    let moved = start::Options { port_offset: Some(0), ..plain };
    let moved = start::start(&moved).expect_err("refused").to_string();
    assert!(moved.contains("are moved by 100"), "{moved}");
    let other = home.path().join("other");
    let foreign = start::Options { home: other, app: Some("tail".into()), ..options.clone() };
    let foreign = start::start(&foreign).expect_err("refused").to_string();
    assert!(foreign.contains("without --app"), "{foreign}");
}

#[test]
fn a_state_that_cannot_be_leaves_nothing_behind() {
    let place = tempfile::tempdir().expect("a directory");
    let home = place.path().join("net");
    let refused = |params: &[&str], fund: &[PathBuf]| {
        let params = params.iter().map(|param| (*param).to_owned()).collect();
        let options = start::Options { app: None, params, fund: fund.to_vec(), ..options(&home) };
        let error = create::create(&options, 4).expect_err("refused").to_string();
        assert!(!home.exists(), "{error}");
        error
    };
    for (params, word) in [
        (&["gov_voting_s"][..], "no NAME=VALUE"),
        (&["=60"], "no NAME=VALUE"),
        (&["gov_voting_s=soon"], "no NAME=VALUE"),
        (&["epoch_s=60", "gov_voting_s=60", "epoch_s=60"], "epoch_s is set twice"),
        (&["no_such_thing=1"], "unknown field `no_such_thing`"),
        (&["gov_voting_s=0"], "must be above 0"),
        (&["unbonding_s=200000"], "evidence is taken for 172800 s only"),
        (&["app_version=2"], "by upgrades alone"),
        (&["evidence_age_s=5"], "what the genesis document says"),
    ] {
        let error = refused(params, &[]);
        assert!(error.contains("--param: ") && error.contains(word), "{params:?}: {error}");
    }
    let file = place.path().join("id.pub");
    std::fs::write(&file, "ssh-rsa AAAA").expect("written");
    let error = refused(&[], &[file]);
    assert!(error.contains("not an OpenSSH ed25519 public key"), "{error}");
}
