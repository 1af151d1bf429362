//! The proc-receive dialogue, as bytes.

use super::*;

fn lines(payloads: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for payload in payloads {
        pktline::write(&mut out, payload).unwrap();
    }
    out.extend_from_slice(pktline::FLUSH);
    out
}

#[test]
fn every_ref_is_reported_ok() {
    let (old, new) = ("0".repeat(40), "a".repeat(40));
    let command = format!("{old} {new} refs/heads/with space\n");
    let other = format!("{new} {old} refs/tags/v1");
    let asked = [
        lines(&[b"version=1\0atomic push-options\n"]),
        lines(&[command.as_bytes(), other.as_bytes()]),
    ];
    let mut answer = Vec::new();
    proc_receive(&mut asked.concat().as_slice(), &mut answer).unwrap();
    let expected =
        [lines(&[b"version=1"]), lines(&[b"ok refs/heads/with space", b"ok refs/tags/v1"])];
    assert_eq!(answer, expected.concat());
}

#[test]
fn another_version_or_a_broken_dialogue_fails() {
    for asked in [lines(&[b"version=2"]), b"000".to_vec(), b"zzzz".to_vec(), b"0001".to_vec()] {
        assert!(proc_receive(&mut asked.as_slice(), &mut Vec::new()).is_err(), "{asked:?}");
    }
}
