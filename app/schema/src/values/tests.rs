//! One encoding a value, never empty.
use proptest::prelude::*;

use super::*;
use crate::proto;

#[test]
fn an_empty_message_is_not_written_as_nothing() {
    let empty = proto::Tick::default();
    assert_eq!(encode(&empty), [0]);
    assert_eq!(decode(&[0]), Ok(empty));
    assert!(decode::<proto::Tick>(&[]).is_err());
}

#[test]
fn other_encodings_of_the_same_value_are_refused() {
    let value = proto::QueueEnds { first: 1, next: 2 };
    assert_eq!(encode(&value), [8, 1, 16, 2]);
    for other in [&[16, 2, 8, 1][..], &[8, 1, 16, 0x82, 0], &[8, 1, 16, 2, 24, 1]] {
        assert!(decode::<proto::QueueEnds>(other).is_err(), "{other:?}");
    }
}

proptest! {
    #[test]
    fn values_round_trip(nonce: u64, balance: u64, handle in "[a-z]{0,9}", key: [u8; 32]) {
        let keys = vec![key.to_vec()];
        let value = proto::Account { nonce, balance, handle, keys, ..Default::default() };
        prop_assert_eq!(decode(&encode(&value)), Ok(value));
    }

    #[test]
    fn what_decodes_encodes_to_the_same(bytes: Vec<u8>) {
        if let Ok(value) = decode::<proto::Push>(&bytes) {
            prop_assert_eq!(encode(&value), bytes);
        }
    }
}
