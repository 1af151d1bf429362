//! Shares of power, and why a validator does not sign, for people.
use super::*;

#[test]
fn millionths_are_percent_with_the_digits_there_are() {
    for (ppm, text) in [(0, "0 %"), (75_000, "7.5 %"), (1_000_000, "100 %"), (1, "0.0001 %")] {
        assert_eq!(percent(ppm), text);
    }
}

#[test]
fn shares_are_in_percent_with_a_digit_at_most() {
    assert_eq!(share(1, 3), "33.3 %");
    assert_eq!(share(1, 2), "50 %");
    assert_eq!(share(u64::MAX, u64::MAX), "100 %");
    assert_eq!((share(0, 0), share(1, 1001)), ("0 %".into(), "0 %".into()));
}

#[test]
fn why_a_validator_does_not_sign_is_said() {
    let info = |jailed, tombstoned| proto::ValidatorInfo {
        jailed,
        tombstoned,
        jailed_until_s: 1_710_428_966,
        ..Default::default()
    };
    let standing = |is_in_set, info| {
        let (address, consensus_key) = (ValidatorAddress::new([1; 20]), Vec::new());
        let (operator, operator_name) = (None, String::new());
        Entry { address, power: 0, is_in_set, consensus_key, operator, operator_name, info }
            .standing()
    };
    assert_eq!(standing(true, info(false, false)), "in the set");
    assert_eq!(standing(false, info(false, false)), "candidate");
    assert_eq!(standing(false, info(true, false)), "jailed until 2024-03-14T15:09:26Z");
    assert_eq!(standing(true, info(true, true)), "tombstoned");
}
