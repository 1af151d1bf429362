//! Extensions and pseudo-transaction 0: canonical, bounded, never confused with transactions.
use proptest::prelude::*;

use super::*;

fn verdicts(count: u8) -> BTreeMap<PushId, Verdict> {
    (0..count).map(|i| (PushId::new([i; 32]), Verdict::TooBig)).collect()
}

fn encoded(verdicts: &BTreeMap<PushId, Verdict>) -> Vec<u8> {
    let all = verdicts.iter().map(|(push, verdict)| (*push, *verdict));
    let (bytes, said) = encode_extension(all);
    assert!(said.iter().eq(decode_extension(&bytes).unwrap().keys()), "what it says it says");
    bytes
}

fn vote(address: u8) -> AttestedVote {
    let extension = encoded(&verdicts(2));
    AttestedVote::new(&[address; 20], &extension, &[3; 64]).expect("good")
}

#[test]
fn verdict_numbers_are_stable() {
    for number in 0..99 {
        let verdict = Verdict::from_parts(number, &[]);
        assert_eq!(verdict.is_some(), matches!(number, 1 | 16..=20), "{number}");
        assert!(verdict.is_none_or(|verdict| verdict.number() == number));
        assert_eq!(verdict.is_some_and(Verdict::is_good), number == 1);
        // About refs of its is one alone.
        assert_eq!(Verdict::from_parts(number, &[0, 4]).is_some(), number == 2);
    }
    let forced = Verdict::GoodForced([10].into_iter().collect());
    assert_eq!(Verdict::from_parts(2, &[0, 4]), Some(forced));
    assert!(forced.is_good() && forced.number() == 2);
}

#[test]
fn a_set_of_refs_has_one_encoding() {
    let set: RefSet = [0, 9, 255, 256, 9999].into_iter().collect();
    assert_eq!(format!("{set:?}"), "{0, 9, 255}");
    assert_eq!(RefSet::from_slice(&set.to_vec()), Some(set));
    assert!(set.has(9) && !set.has(8) && !set.has(256) && !set.has(usize::MAX));
    assert_eq!(RefSet::default().to_vec(), []);
    assert_eq!(RefSet::from_slice(&[1, 0]), None, "a 0 at its end");
    assert_eq!(RefSet::from_slice(&[1; 33]), None, "more than a push has");
}

#[test]
fn an_extension_holds_the_first_that_fit() {
    assert_eq!(encoded(&BTreeMap::new()), b"");
    assert_eq!(decode_extension(b""), Ok(BTreeMap::new()));
    let bytes = encoded(&verdicts(200));
    assert!(bytes.len() <= EXTENSION_BYTES_MAX);
    assert_eq!(decode_extension(&bytes).map(|verdicts| verdicts.len()), Ok(ATTESTATIONS_MAX));
    // Fewer, when what they say takes more; the others wait.
    let forced = Verdict::GoodForced((0..PUSH_REFS_MAX).collect());
    let all: BTreeMap<_, _> = (0..50).map(|i| (PushId::new([i; 32]), forced)).collect();
    let bytes = encoded(&all);
    assert!(bytes.len() <= EXTENSION_BYTES_MAX);
    let said = decode_extension(&bytes).expect("good");
    assert!((25..50).contains(&said.len()), "{}", said.len());
    assert!(said.iter().eq(all.iter().take(said.len())), "the first");
    // The first in the order of who encodes; the bytes are in the order of their ids.
    let (bytes, last) = encode_extension(all.iter().rev().map(|(id, verdict)| (*id, *verdict)));
    assert!(last.iter().eq(all.keys().skip(all.len() - said.len())), "the first of those");
    assert!(last.iter().eq(decode_extension(&bytes).unwrap().keys()));
}

#[test]
fn malformed_extensions_are_refused() {
    let one = |push: &[u8], verdict| proto::Attestation {
        push: push.to_vec(),
        verdict,
        ..Default::default()
    };
    let encode = |attestations| proto::Attestations { attestations }.encode_to_vec();
    let (a, b) = (one(&[1; 32], 1), one(&[2; 32], 1));
    assert!(decode_extension(&encode(vec![a.clone(), b.clone()])).is_ok());
    assert_eq!(decode_extension(&encode(vec![b, a.clone()])), Err(AttestError::Order));
    assert_eq!(decode_extension(&encode(vec![a.clone(), a])), Err(AttestError::Order));
    assert_eq!(decode_extension(&encode(vec![one(&[1; 31], 1)])), Err(AttestError::Id));
    assert_eq!(decode_extension(&encode(vec![one(&[1; 32], 9)])), Err(AttestError::Verdict));
    assert_eq!(decode_extension(&encode(vec![one(&[1; 32], 2)])), Err(AttestError::Verdict));
    let about = |refs: &[u8]| {
        decode_extension(&encode(vec![proto::Attestation {
            refs: refs.to_vec(),
            ..one(&[1; 32], 2)
        }]))
    };
    assert!(about(&[1]).is_ok());
    assert_eq!(about(&[1, 0]), Err(AttestError::Verdict));
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
                prop_assert_eq!(encoded(&verdicts), &bytes[..]);
            }
            if let Ok(attested) = Attested::decode(&bytes) {
                prop_assert_eq!(attested.encode(), bytes);
            }
        }
    }
}
