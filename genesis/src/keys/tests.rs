//! Tests of keys and signatures that need no vectors.
use super::*;

fn signed(count: u8) -> Vec<(PublicKey, Vec<u8>, Signature)> {
    let one = |i: u8| {
        let key = PrivateKey::from_secret(&[i]);
        let message = vec![i; 40];
        (key.public_key(), message.clone(), key.sign(&message))
    };
    (0..count).map(one).collect()
}

fn items(all: &[(PublicKey, Vec<u8>, Signature)]) -> Vec<SignedBytes<'_>> {
    let item = |(key, message, signature)| SignedBytes { key, message, signature };
    all.iter().map(|(k, m, s)| item((k, m.as_slice(), s))).collect()
}

#[test]
fn a_batch_is_good_only_if_every_signature_is() {
    let mut all = signed(10);
    assert!(Zip215.verify_batch(&items(&all)));
    assert!(!Zip215.verify_batch(&[]));
    all[7].1[0] ^= 1;
    assert!(!Zip215.verify_batch(&items(&all)));
    assert!(!all[7].0.verify(&all[7].1, &all[7].2));
    assert!(all[6].0.verify(&all[6].1, &all[6].2));
}

#[test]
fn signatures_keep_their_length_and_refuse_more_than_64_bytes() {
    assert_eq!(Signature::from_slice(&[7; 65]), Err(KeyError::SignatureTooBig(65)));
    assert_eq!(Signature::from_slice(&[7; 63]).unwrap().as_bytes(), &[7; 63]);
    assert!(Signature::from_slice(&[]).unwrap().is_empty());
    let all = signed(1);
    let short = Signature::from_slice(&all[0].2.as_bytes()[..63]).unwrap();
    assert!(!all[0].0.verify(&all[0].1, &short));
}
