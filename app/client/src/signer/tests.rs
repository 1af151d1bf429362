//! Keys from files: made here, made by ssh-keygen, of the wrong kind.
use super::*;
use guts_schema::{Action, ChainRules, validate};

/// Made by ssh-keygen of OpenSSH 9.2 with the passphrase "secret".
const ENCRYPTED: &str = include_str!("../../testdata/encrypted_ed25519");
/// Made by ssh-keygen of OpenSSH 9.2.
const PLAIN: &str = include_str!("../../testdata/plain_ed25519");
const PLAIN_PUBLIC: &str = include_str!("../../testdata/plain_ed25519.pub");
const ECDSA: &str = include_str!("../../testdata/ecdsa");

fn home() -> (tempfile::TempDir, Home) {
    let dir = tempfile::tempdir().expect("a directory");
    let home = Home::open(dir.path()).expect("empty");
    (dir, home)
}

#[tokio::test]
async fn without_a_key_one_is_made_once_and_signs() {
    let (_dir, mut home) = home();
    let signer = Signer::choose(&home, None).await.expect("made");
    let again = Signer::choose(&home, None).await.expect("there");
    assert_eq!(again.key(), signer.key());
    let public = std::fs::read_to_string(home.path("id_ed25519.pub")).expect("there");
    assert_eq!(sshsig::key_from_text(&public), Ok(signer.key()));
    home.config.key = Some(signer.place());
    let opened = Signer::open(&home).await.expect("there");
    let account = AccountId::of_key(&opened.key());
    let action = Action::CreateAccount { actor: account, key: opened.key() };
    let draft = opened.sign(Draft::new("c", account, 0, &[action]), account).await;
    assert!(validate(&draft.expect("signed").encode(), &ChainRules::new("c")).is_ok());
}

#[tokio::test]
async fn a_key_of_ssh_keygen_is_read() {
    let (dir, home) = home();
    let path = dir.path().join("id");
    std::fs::write(&path, PLAIN).expect("written");
    let signer = Signer::choose(&home, path.to_str()).await.expect("good");
    assert_eq!(sshsig::key_from_text(PLAIN_PUBLIC), Ok(signer.key()));
    assert!(signer.for_git().ends_with("/id"), "{}", signer.for_git());
}

#[tokio::test]
async fn keys_that_do_not_do_are_refused_with_the_way_out() {
    let (dir, home) = home();
    let error = |text: &str| {
        let path = dir.path().join("id");
        std::fs::write(&path, text).expect("written");
        file::read(&path, text).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(error(ECDSA).contains("ssh-keygen -t ed25519"), "{}", error(ECDSA));
    assert!(error("junk").contains("no OpenSSH ed25519 private key"));
    let missing = Signer::choose(&home, Some("/nowhere/id")).await;
    assert!(missing.is_err());
    let none = Signer::open(&home).await.expect_err("none").to_string();
    assert!(none.contains("guts init"), "{none}");
}

#[test]
fn an_encrypted_key_is_opened_by_its_passphrase_alone() {
    let path = Path::new("id");
    let good = file::decrypt(path, ENCRYPTED, || Ok("secret".into()));
    assert!(good.is_ok());
    let bad = file::decrypt(path, ENCRYPTED, || Ok("wrong".into())).err();
    assert!(bad.expect("refused").to_string().contains("wrong passphrase"));
}
