//! The nonce in an advertisement.

use super::*;

fn advertisement(capabilities: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let head = format!("{} refs/heads/main\0{capabilities}\n", "a".repeat(40));
    pktline::write(&mut out, head.as_bytes()).unwrap();
    pktline::write(&mut out, b"more refs\n").unwrap();
    out.extend_from_slice(pktline::FLUSH);
    out
}

#[test]
fn only_the_nonce_changes_and_the_length_fits() {
    let before = advertisement("report-status push-cert=1795-abc agent=git/2.39.5");
    let after = with_nonce(&before, "guts1+test+alice/hello+1").unwrap();
    let expected = "report-status push-cert=guts1+test+alice/hello+1 agent=git/2.39.5";
    assert_eq!(after, advertisement(expected));
}

#[test]
fn an_advertisement_without_a_nonce_is_refused() {
    assert!(with_nonce(&advertisement("report-status"), "n").is_err());
    assert!(with_nonce(b"0000", "n").is_err());
    assert!(with_nonce(b"", "n").is_err());
}
