//! What ssh-keygen of OpenSSH 9.2 writes, and nothing else.
use proptest::prelude::*;

use super::*;
use crate::sign::{Claim, SecretKey};

const PUBLIC: &str = "ssh-ed25519 \
    AAAAC3NzaC1lZDI1NTE5AAAAIMKKAvNSHLSA2+i7S5Wf/qh4dZBc++fyQbgl6Pln9GZE alice@example";
const HELLO: &str = include_str!("../../testdata/hello.sig");

#[test]
fn a_signature_of_ssh_keygen_is_read_and_valid() {
    let signature = SshSignature::from_armour(HELLO, "guts.v1.tx").expect("good");
    assert_eq!(signature.key, key_from_text(PUBLIC).expect("good"));
    let message = message("guts.v1.tx", b"hello");
    let claim = Claim { key: signature.key, message, signature: signature.signature };
    assert!(claim.is_valid());
    let other = Claim { message: b"hullo".to_vec(), ..claim };
    assert!(!other.is_valid());
}

#[test]
fn keys_are_shown_as_ssh_keygen_shows_them() {
    let key = key_from_text(PUBLIC).expect("good");
    assert_eq!(fingerprint(&key), "SHA256:CmkkxWzsBTIrgvxCTLtUlj2teBojvGk6eoWoYt6kcok");
    assert_eq!(key_from_text(&key_to_text(&key)), Ok(key));
    assert_eq!(key_from_text("ssh-rsa AAAA"), Err(SshError::PublicKey));
    assert!(key_from_text("ssh-ed25519").is_err());
}

#[test]
fn other_purposes_and_other_spellings_are_refused() {
    let namespace = SshSignature::from_armour(HELLO, "git");
    assert_eq!(namespace, Err(SshError::Namespace("git".into())));
    let wider = HELLO.replace("kF\nz75", "kFz75\n");
    assert_eq!(SshSignature::from_armour(&wider, "guts.v1.tx"), Err(SshError::Armour));
    let more = format!("{HELLO}\n");
    assert_eq!(SshSignature::from_armour(&more, "guts.v1.tx"), Err(SshError::Armour));
    let blob = SshSignature::from_armour(HELLO, "guts.v1.tx").expect("good").to_blob("guts.v1.tx");
    for cut in 0..blob.len() {
        assert!(SshSignature::from_blob(&blob[..cut], "guts.v1.tx").is_err(), "{cut}");
    }
}

proptest! {
    #[test]
    fn signatures_round_trip(seed: [u8; 32], data: Vec<u8>) {
        let secret = SecretKey::from_seed(seed);
        let signature = secret.sign(&message("git", &data));
        let ours = SshSignature { key: secret.public(), signature };
        prop_assert_eq!(SshSignature::from_armour(&ours.to_armour("git"), "git"), Ok(ours));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, at: usize, byte: u8) {
        let _ = SshSignature::from_blob(&bytes, "git");
        let mut text = HELLO.as_bytes().to_vec();
        let at = at % text.len();
        text[at] = byte;
        if let Ok(text) = std::str::from_utf8(&text) {
            let _ = SshSignature::from_armour(text, "guts.v1.tx");
        }
    }
}
