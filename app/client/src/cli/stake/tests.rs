//! Percentages, and what an engine's home says.
use super::*;

#[test]
fn percentages_are_exact() {
    for (text, ppm) in [("0", 0), ("5", 50_000), ("7.5", 75_000), ("0.0001", 1), ("100", 1_000_000)]
    {
        assert_eq!(millionths(text), Ok(ppm), "{text}");
    }
    for text in ["", "x", "100.0001", "1.00001", "-1", "1.-5", "99999999999"] {
        assert!(millionths(text).is_err(), "{text}");
    }
}

#[test]
fn the_peer_id_is_that_of_the_node_key() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(home.path().join("config")).expect("made");
    assert!(peer_id(home.path()).is_err());
    let seed = [7; 32];
    let key = guts_genesis::PrivateKey::from_seed(seed);
    let file = home.path().join("config/node_key.json");
    std::fs::write(file, key_file::print_node_key(&key)).expect("written");
    let file = home.path().join("config/priv_validator_key.json");
    std::fs::write(file, key_file::print_validator_key(&key)).expect("written");
    let id = peer_id(home.path()).expect("read");
    assert_eq!((id.len(), &id[6..]), (38, key.public_key().as_bytes()));
    assert_eq!(consensus_key(home.path()).expect("read").seed(), seed);
}
