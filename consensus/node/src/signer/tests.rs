//! [S-2] No two values for one height, round and step, whatever was lost.

use super::*;
use guts_genesis::{Height, Round};

fn key(n: u8) -> PrivateKey {
    PrivateKey::from_seed([n; 32])
}

fn request(height: u64, step: SignStep, bytes: &[u8]) -> SignRequest {
    let at = SignPosition { height: Height(height), round: Round(0), step };
    SignRequest { at, bytes: bytes.to_vec(), extension: Some(b"ext".to_vec()) }
}

fn fresh(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("priv_validator_state.json");
    home::write_durably(&path, &LastSign::default().print()).unwrap();
    path
}

#[test]
fn s2_the_same_again_is_signed_and_anything_else_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = fresh(dir.path());
    let mut signer = FileSigner::open(key(1), "x", &path, &[]).unwrap();
    let first = signer.sign(&request(5, SignStep::Prevote, b"a")).unwrap();
    assert!(key(1).public_key().verify(b"a", &first.signature));
    assert!(key(1).public_key().verify(b"ext", &first.extension.unwrap()));
    assert_eq!(signer.sign(&request(5, SignStep::Prevote, b"a")).unwrap(), first);
    assert!(signer.sign(&request(5, SignStep::Prevote, b"b")).is_err());
    assert!(signer.sign(&request(5, SignStep::Proposal, b"a")).is_err());
    assert!(signer.sign(&request(4, SignStep::Precommit, b"a")).is_err());
    signer.sign(&request(5, SignStep::Precommit, b"c")).unwrap();
}

#[test]
fn s2_a_saved_state_binds_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = fresh(dir.path());
    let mut signer = FileSigner::open(key(1), "x", &path, &[]).unwrap();
    signer.sign(&request(7, SignStep::Precommit, b"a")).unwrap();
    signer.save(&path).unwrap();
    let mut signer = FileSigner::open(key(1), "x", &path, &[]).unwrap();
    assert_eq!(signer.position().unwrap().height, Height(7));
    assert!(signer.sign(&request(7, SignStep::Precommit, b"b")).is_err());
    signer.sign(&request(7, SignStep::Precommit, b"a")).unwrap();
    signer.sign(&request(8, SignStep::Prevote, b"b")).unwrap();
}

#[test]
fn a_missing_or_foreign_state_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = fresh(dir.path());
    let mut signer = FileSigner::open(key(1), "x", &path, &[]).unwrap();
    signer.save(&path).unwrap();
    let error = FileSigner::open(key(2), "x", &path, &[]).err().unwrap();
    assert!(error.to_string().contains("another validator"), "{error}");
    signer.sign(&request(7, SignStep::Precommit, b"a")).unwrap();
    signer.save(&path).unwrap();
    // As CometBFT writes it: without an owner, the signature tells.
    let text = home::read_if_exists(&path).unwrap().unwrap();
    let text = format!("{}\n}}", text.split(",\n  \"address\"").next().unwrap());
    home::write_durably(&path, &text).unwrap();
    assert!(FileSigner::open(key(1), "x", &path, &[]).is_ok());
    let error = FileSigner::open(key(2), "x", &path, &[]).err().unwrap();
    assert!(error.to_string().contains("another validator"), "{error}");
    home::write_durably(&path, "{}garbage").unwrap();
    let error = FileSigner::open(key(1), "x", &path, &[]).err().unwrap();
    assert!(error.to_string().contains("do not replace it"), "{error}");
    std::fs::remove_file(&path).unwrap();
    let error = FileSigner::open(key(1), "x", &path, &[]).err().unwrap();
    assert!(error.to_string().contains("guts-engine init"), "{error}");
}
