//! The program `guts-sim` as one calls it: what it prints and how it ends.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Command, Output};

fn guts_sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_guts-sim")).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What follows `start` on the line of the output that begins with it.
fn after<'a>(text: &'a str, start: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(start));
    line.unwrap_or_else(|| panic!("no line starts with {start:?}:\n{text}"))
}

#[test]
fn a_violation_fails_with_its_seed_and_the_line_that_repeats_it() {
    let canary = ["--canary", "quorum-minus-one", "--nodes", "5", "--heights", "6"];
    let output = guts_sim(&[&canary[..], &["--seeds", "3", "--seed", "40"]].concat());
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let violation = after(&told, "VIOLATION: ");
    assert!(violation.starts_with("seed 40: at "), "{violation}");
    assert!(violation.contains("[S-1]"), "{violation}");

    let line = after(&told, "reproduce: guts-sim ");
    let expected = "--seeds 1 --seed 40 --nodes 5 --heights 6 --canary quorum-minus-one";
    assert_eq!(line, expected);
    let again = guts_sim(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(again.status.code(), Some(1), "{}", text(&again));
    assert_eq!(after(&text(&again), "VIOLATION: "), violation);
}

#[test]
fn seeds_without_a_violation_succeed() {
    let output = guts_sim(&["--seeds", "2", "--heights", "5"]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(told.lines().last(), Some("no violation"));
}

/// With one height to make there is no time for faults: none of them fires.
#[test]
fn a_fault_that_never_fired_fails() {
    let output = guts_sim(&["--seeds", "100", "--heights", "1"]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let missing: Vec<&str> = after(&told, "NEVER SEEN: ").split(", ").collect();
    assert!(missing.contains(&"message lost") && missing.contains(&"crash of all"), "{missing:?}");
}
