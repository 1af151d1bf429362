//! Extensions and pseudo-transaction 0: canonical, bounded, never confused with transactions.
use proptest::prelude::*;

use super::*;

fn verdicts(count: u8) -> BTreeMap<PushId, Verdict> {
    (0..count).map(|i| (PushId::new([i; 32]), Verdict::TooBig)).collect()
}

fn vote(address: u8) -> AttestedVote {
    let extension = encode_extension(&verdicts(2));
    AttestedVote::new(&[address; 20], &extension, &[3; 64]).expect("good")
}

#[test]
fn verdict_numbers_are_stable() {
    for verdict in Verdict::ALL {
        assert_eq!(Verdict::from_number(verdict.number()), Some(verdict));
    }
    assert_eq!(Verdict::from_number(0), None);
    assert!(Verdict::GoodForced.is_good() && !Verdict::PackCorrupt.is_good());
}

#[test]
fn an_extension_holds_the_first_that_fit() {
    assert_eq!(encode_extension(&BTreeMap::new()), b"");
    assert_eq!(decode_extension(b""), Ok(BTreeMap::new()));
    let bytes = encode_extension(&verdicts(200));
    assert!(bytes.len() <= EXTENSION_BYTES_MAX);
    assert_eq!(decode_extension(&bytes).map(|verdicts| verdicts.len()), Ok(ATTESTATIONS_MAX));
}

#[test]
fn malformed_extensions_are_refused() {
    let one = |push: &[u8], verdict| proto::Attestation { push: push.to_vec(), verdict };
    let encode = |attestations| proto::Attestations { attestations }.encode_to_vec();
    let (a, b) = (one(&[1; 32], 1), one(&[2; 32], 1));
    assert!(decode_extension(&encode(vec![a.clone(), b.clone()])).is_ok());
    assert_eq!(decode_extension(&encode(vec![b, a.clone()])), Err(AttestError::Order));
    assert_eq!(decode_extension(&encode(vec![a.clone(), a])), Err(AttestError::Order));
    assert_eq!(decode_extension(&encode(vec![one(&[1; 31], 1)])), Err(AttestError::Id));
    assert_eq!(decode_extension(&encode(vec![one(&[1; 32], 9)])), Err(AttestError::Verdict));
    assert_eq!(decode_extension(&[0; 2049]), Err(AttestError::Oversize));
    assert_eq!(decode_extension(&[0x12, 0]), Err(AttestError::Encoding));
}

#[test]
fn pseudo_transaction_0_round_trips_and_is_no_transaction() {
    let attested = Attested { height: 5, round: 1, votes: vec![vote(1), vote(2)] };
    let bytes = attested.encode();
    assert!(is_pseudo_tx(&bytes));
    assert_eq!(Attested::decode(&bytes), Ok(attested.clone()));
    assert!(proto::Tx::decode(&bytes[..]).is_err());
    let turned = Attested { votes: vec![vote(2), vote(1)], ..attested };
    assert_eq!(turned.encode(), bytes, "encoding sorts");
}

#[test]
fn malformed_pseudo_transactions_are_refused() {
    let raw = |votes: Vec<AttestedVote>| {
        let votes = votes.into_iter().map(|vote| proto::AttestedVote {
            validator: vote.validator.to_vec(),
            extension: vote.extension,
            signature: vote.signature.to_vec(),
        });
        let message = proto::Attested { height: 5, round: 0, votes: votes.collect() };
        [&[PSEUDO_TX_TAG], &message.encode_to_vec()[..]].concat()
    };
    assert!(Attested::decode(&raw(vec![vote(1), vote(2)])).is_ok());
    assert_eq!(Attested::decode(&raw(vec![vote(2), vote(1)])), Err(AttestError::Order));
    assert_eq!(Attested::decode(&raw(vec![vote(1), vote(1)])), Err(AttestError::Order));
    assert_eq!(Attested::decode(&raw(vec![])), Err(AttestError::Oversize));
    let empty = AttestedVote { extension: Vec::new(), ..vote(1) };
    assert_eq!(Attested::decode(&raw(vec![empty])), Err(AttestError::Encoding));
    assert_eq!(Attested::decode(b""), Err(AttestError::Encoding));
}

proptest! {
    #[test]
    fn what_decodes_encodes_to_the_same(bytes: Vec<u8>, at: usize, byte: u8) {
        let mut near = Attested { height: 5, round: 1, votes: vec![vote(1)] }.encode();
        let at = at % near.len();
        near[at] = byte;
        for bytes in [bytes, near] {
            if let Ok(verdicts) = decode_extension(&bytes) {
                prop_assert_eq!(encode_extension(&verdicts), &bytes[..]);
            }
            if let Ok(attested) = Attested::decode(&bytes) {
                prop_assert_eq!(attested.encode(), bytes);
            }
        }
    }
}
