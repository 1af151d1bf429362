//! Reading, overriding and refusing settings.

use super::*;

fn read(text: &str, env: &[(&str, &str)], sets: &[&str]) -> Result<Config, String> {
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    Config::read("config.toml", text, env, &sets).map_err(|e| e.to_string())
}

#[test]
fn what_is_printed_is_read_back() {
    let mut config = Config::default();
    config.consensus.timeout_commit = Span(Duration::from_millis(1500));
    assert_eq!(read(&config.to_toml(), &[], &[]).unwrap(), config);
    assert_eq!(read("", &[], &[]).unwrap(), Config::default());
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let file = "moniker = \"f\"\n[consensus]\ntimeout_commit = \"1s\"\ntimeout_propose = \"9s\"\n";
    let env = [
        ("GUTS_ENGINE_CONSENSUS_TIMEOUT_COMMIT", "2s"),
        ("GUTS_ENGINE_MONIKER", "e"),
        ("GUTS_ENGINE_HOME", "/x"),
        ("PATH", "/bin"),
        ("GUTS_ENGINE_MEMPOOL_SIZE", "77"),
    ];
    let sets = ["consensus.timeout_commit=3s", "consensus.create_empty_blocks=true"];
    let config = read(file, &env, &sets).unwrap();
    assert_eq!(config.moniker, "e");
    assert_eq!(config.consensus.timeout_commit.0, Duration::from_secs(3));
    assert_eq!(config.consensus.timeout_propose.0, Duration::from_secs(9));
    assert!(config.consensus.create_empty_blocks);
    assert_eq!(config.engine().mempool.txs_max, 77);
}

#[test]
fn unknown_and_wrong_settings_are_refused_by_name() {
    let says = |result: Result<Config, String>, what: &str| {
        let error = result.unwrap_err();
        assert!(error.contains(what), "{error}");
    };
    says(read("[consensus]\ntimeout_comit = \"1s\"\n", &[], &[]), "timeout_comit");
    says(read("[nonsense]\n", &[], &[]), "nonsense");
    says(
        read("", &[("GUTS_ENGINE_CONSENSUS_TIMEOUT", "1s")], &[]),
        "GUTS_ENGINE_CONSENSUS_TIMEOUT",
    );
    says(read("", &[], &["consensus.x=1"]), "there is no setting consensus.x");
    says(read("", &[], &["consensus"]), "expected section.key=value");
    says(read("", &[], &["mempool.size=many"]), "is not a value");
    says(read("", &[], &["consensus.timeout_commit=5"]), "length of time");
    says(read("", &[], &["p2p.persistent_peers=abc"]), "p2p.persistent_peers");
    says(read("", &[], &["proxy_app=/tmp/x"]), "proxy_app");
    says(read("", &[], &["log_format=xml"]), "neither plain nor json");
}

#[test]
fn transports_are_named_in_their_order() {
    use crate::network::Transport::{Quic, Tcp};
    assert!(Config::default().to_toml().contains("\ntransports = [\"tcp\"]\n"));
    let file = "[p2p]\ntransports = [\"quic\", \"tcp\"]\n";
    assert_eq!(read(file, &[], &[]).unwrap().p2p.transports, [Quic, Tcp]);
    let env = [("GUTS_ENGINE_P2P_TRANSPORTS", "tcp,quic")];
    assert_eq!(read(file, &env, &[]).unwrap().p2p.transports, [Tcp, Quic]);
    let quic = "p2p.transports=quic";
    assert_eq!(read(file, &env, &[quic]).unwrap().p2p.transports, [Quic]);
    let id = crate::network::PeerId::random();
    let peer = format!("p2p.persistent_peers=quic://{id}@10.0.0.1:26656");
    let config = read("", &[], &[quic, &peer]).unwrap();
    assert_eq!(config.peers().unwrap()[0].transport, Some(Quic));
    for (sets, says) in [
        (vec!["p2p.transports=udp"], "expected `tcp` or `quic`"),
        (vec!["p2p.transports="], "p2p.transports: name tcp, quic or both"),
        (vec!["p2p.transports=tcp,tcp"], "p2p.transports: tcp is named twice"),
        (vec![&peer], "p2p.persistent_peers: quic:// is not among p2p.transports"),
        (vec!["p2p.laddr=quic://0.0.0.0:1"], "p2p.laddr"),
    ] {
        let error = read("", &[], &sets).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn lengths_of_time() {
    for (text, nanos, printed) in
        [("1m30s", 90_000_000_000, "90s"), ("500ms", 500_000_000, "500ms"), ("0", 0, "0s")]
    {
        let span: Span = text.parse().unwrap();
        assert_eq!(span.0.as_nanos(), nanos);
        assert_eq!(span.to_string(), printed);
    }
    for text in ["", "5", "s", "-1s", "1.5s", "1d", "99999999999999999h"] {
        assert!(text.parse::<Span>().is_err(), "{text}");
    }
}
