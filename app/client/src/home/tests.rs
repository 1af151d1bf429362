//! What is written reads back, and what was tampered with is refused.
use super::*;

const GENESIS: &str = r#"{"genesis_time":"2024-03-14T15:09:26Z","chain_id":"guts-test",
  "initial_height":"1","app_hash":""}"#;

#[test]
fn a_pinned_genesis_reads_back_however_it_was_indented() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut home = Home::open(&dir.path().join("deep/er")).expect("empty");
    assert_eq!(home.genesis().expect("none"), None);
    let doc = GenesisDoc::parse(GENESIS).expect("good");
    home.pin(&doc).expect("written");
    let again = Home::open(&dir.path().join("deep/er")).expect("there");
    assert_eq!(again.genesis().expect("good"), Some(doc.clone()));
    let spread = GENESIS.replace(',', " ,\n ");
    assert_eq!(genesis_hash(&GenesisDoc::parse(&spread).expect("good")), genesis_hash(&doc));
}

#[test]
fn another_genesis_in_its_place_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut home = Home::open(dir.path()).expect("empty");
    home.pin(&GenesisDoc::parse(GENESIS).expect("good")).expect("written");
    let other = GENESIS.replace("15:09", "15:10");
    std::fs::write(home.path("genesis.json"), other).expect("written");
    let error = home.genesis().expect_err("another").to_string();
    assert!(error.contains("pinned"), "{error}");
}

#[test]
fn configuration_is_strict_and_flags_win() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut home = Home::open(dir.path()).expect("empty");
    assert_eq!(home.node(None), NODE_DEFAULT);
    home.config.node = Some("http://a:1".into());
    home.config.gateway = Some("http://a:2/".into());
    home.config.key = Some(KeyPlace::Agent("ssh-ed25519 AAAA".into()));
    home.save().expect("written");
    let again = Home::open(dir.path()).expect("there");
    assert_eq!(again.config, home.config);
    assert_eq!(again.node(None), "http://a:1");
    assert_eq!(again.node(Some("http://b:1")), "http://b:1");
    assert_eq!(again.gateway(None), "http://a:2");
    std::fs::write(dir.path().join("config.toml"), "nodes = 'x'").expect("written");
    let error = Home::open(dir.path()).expect_err("an unknown key").to_string();
    assert!(error.contains("nodes"), "{error}");
}
