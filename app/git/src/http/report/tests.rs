//! git's report with and without a reason, however the bytes are cut.

use super::*;

fn line(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    pktline::write(&mut out, payload).unwrap();
    out
}

fn band(number: u8, payload: &[u8]) -> Vec<u8> {
    line(&[&[number], payload].concat())
}

/// What receive-pack sends when pre-receive said no, and what the client must get.
fn declined(reason: &str) -> Vec<u8> {
    let report = [
        line(b"unpack ok\n"),
        line(format!("ng refs/heads/main {reason}\n").as_bytes()),
        FLUSH.to_vec(),
    ];
    let report = report.concat();
    [band(2, b"a line\n"), band(1, &report), FLUSH.to_vec()].concat()
}

#[test]
fn the_reason_takes_the_place_of_the_word_declined_at_any_cut() {
    let from_git = declined("pre-receive hook declined");
    let expected = declined("main is now 9f3c");
    for size in [1, 2, 7, 64, from_git.len()] {
        let mut report = Report::new(|| Some("main is now\n9f3c".into()));
        let mut out = Vec::new();
        for part in from_git.chunks(size) {
            out.extend_from_slice(&report.pass(part).unwrap());
        }
        out.extend_from_slice(&report.end());
        assert_eq!(out, expected, "in parts of {size}");
    }
}

#[test]
fn without_a_reason_nothing_changes() {
    let from_git = declined("pre-receive hook declined");
    let mut report = Report::new(|| None);
    assert_eq!(report.pass(&from_git).unwrap(), from_git);
}

#[test]
fn lines_for_people_pass_before_the_report_is_complete() {
    let mut report = Report::new(|| None);
    assert_eq!(report.pass(&band(2, b"waiting\n")).unwrap(), band(2, b"waiting\n"));
    assert!(report.pass(&band(1, b"000e")).unwrap().is_empty());
}

#[test]
fn a_client_without_bands_gets_git_s_own_words() {
    let from_git = [line(b"unpack ok\n"), FLUSH.to_vec()].concat();
    let mut report = Report::new(|| Some("why".into()));
    assert_eq!(report.pass(&from_git).unwrap(), from_git);
}

#[test]
fn bytes_that_are_no_lines_break_the_answer_off() {
    let mut report = Report::new(|| None);
    assert!(report.pass(b"what is this").is_err());
}
