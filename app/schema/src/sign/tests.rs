//! Signatures: single and batch agree, on ZIP-215's unusual cases too.
use proptest::prelude::*;

use super::*;

fn claim(seed: u8, message: &[u8]) -> Claim {
    let secret = SecretKey::from_seed([seed; 32]);
    let signature = secret.sign(message);
    Claim { key: secret.public(), message: message.to_vec(), signature }
}

/// A signature by a key of small order: valid under ZIP-215 for every message.
fn small_order() -> Claim {
    let identity = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&identity);
    let (key, signature) = (Key::new(identity), Signature::new(signature));
    Claim { key, message: b"anything".to_vec(), signature }
}

#[test]
fn zip_215_takes_small_order_points_single_and_in_a_batch() {
    assert!(small_order().is_valid());
    assert_eq!(check_all(&[claim(1, b"a"), small_order()], &Anew), [true, true]);
}

#[test]
fn bad_ones_are_found_among_many() {
    let mut claims: Vec<Claim> = (0..40).map(|i| claim(i, &[i])).collect();
    claims[3].message.push(0);
    claims[17].signature = Signature::new([0xff; 64]);
    claims[39].key = Key::new([2; 32]);
    let valid = check_all(&claims, &Anew);
    let bad: Vec<usize> = (0..40).filter(|i| !valid[*i]).collect();
    assert_eq!(bad, [3, 17, 39]);
    assert!(check_all(&[], &Anew).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn batch_and_single_agree(flips in prop::collection::vec((0u8..4, any::<u16>()), 1..8)) {
        let claims: Vec<Claim> = flips
            .iter()
            .enumerate()
            .map(|(i, (what, at))| {
                let mut claim = claim(i as u8, b"message");
                let mut key = *claim.key.as_bytes();
                let mut signature = *claim.signature.as_bytes();
                match what {
                    0 => key[usize::from(*at) % 32] ^= 1,
                    1 => signature[usize::from(*at) % 64] ^= 1,
                    _ => {}
                }
                (claim.key, claim.signature) = (Key::new(key), Signature::new(signature));
                claim
            })
            .collect();
        let single: Vec<bool> = claims.iter().map(Claim::is_valid).collect();
        prop_assert_eq!(check_all(&claims, &Anew), single);
    }
}
