//! A nonce names one chain, one repository and a moment, and git takes it.
use proptest::prelude::*;

use super::*;
use crate::limits::NONCE_BYTES_MAX;

#[test]
fn the_form_is_fixed() {
    let text = "guts1+guts-local+alice/hello+1795231441";
    let nonce = PushNonce::parse(text).expect("good");
    assert_eq!(nonce, PushNonce::new("guts-local", "alice", "hello", 1_795_231_441));
    assert_eq!(nonce.to_string(), text);
}

#[test]
fn anything_else_is_refused() {
    for bad in [
        "",
        "guts1",
        "guts2+c+alice/hello+1",
        "guts1+c+alice/hello",
        "guts1+c+alice/hello+",
        "guts1+c+alice/hello+01",
        "guts1+c+alice/hello++1",
        "guts1+c+alice/hello+1+2",
        "guts1+c+alice+1",
        "guts1++alice/hello+1",
        "guts1+c+alice/hello+99999999999999999999",
    ] {
        assert!(PushNonce::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn git_takes_what_is_printed_and_it_reads_back(
        chain in "[a-zA-Z0-9._-]{1,50}",
        owner in "[a-z0-9]{2,39}",
        repo in "[a-z0-9_][a-z0-9_-]{0,99}",
        time: u64,
    ) {
        prop_assume!(crate::names::check_handle(&owner).is_ok());
        let nonce = PushNonce::new(&chain, &owner, &repo, time);
        let text = nonce.to_string();
        prop_assert!(text.len() <= NONCE_BYTES_MAX);
        prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-./+=_".contains(&b)));
        prop_assert_eq!(PushNonce::parse(&text), Ok(nonce));
    }

    #[test]
    fn no_text_panics(text: String) {
        if let Ok(nonce) = PushNonce::parse(&text) {
            prop_assert_eq!(nonce.to_string(), text);
        }
    }
}
