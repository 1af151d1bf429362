//! Identifiers are exact: no other length, no other spelling.
use super::*;

#[test]
fn an_identifier_reads_back_what_it_prints() {
    let account = AccountId::new([0xab; 20]);
    assert_eq!(account.to_string().parse(), Ok(account));
    let oid = Oid::Sha256([7; 32]);
    assert_eq!(oid.to_string().parse(), Ok(oid));
    // The longest.
    let signature = Signature::new([0xcd; 64]);
    assert_eq!(signature.to_string(), "cd".repeat(64));
    assert_eq!(signature.to_string().parse(), Ok(signature));
    assert_eq!("12".parse(), Ok(RepoId::new(12).expect("not 0")));
}

#[test]
fn other_lengths_and_spellings_are_refused() {
    assert!(AccountId::from_slice(&[1; 32]).is_err());
    assert!("AB".repeat(20).parse::<AccountId>().is_err());
    assert!("0".repeat(40).parse::<Oid>().is_err(), "the null id is no object");
    assert!(Oid::from_slice(&[1; 21]).is_err());
    for text in ["", "0", "+1", "-1", "1 ", "18446744073709551616"] {
        assert!(text.parse::<RepoId>().is_err(), "{text:?}");
    }
    assert_eq!(RepoId::new(0), None);
}

#[test]
fn the_account_of_a_key_is_fixed() {
    let account = AccountId::of_key(&Key::new([1; 32]));
    assert_eq!(account.to_string(), "9112b58b396ac290aa8da4ca45dc9c63c9927bc0");
}
