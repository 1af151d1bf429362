//! What reaches a terminal: nothing that steers it but what is ours.
use super::*;
use crate::send::solve;
use guts_rpc::client::ClientError;
use guts_schema::work::Puzzle;
use guts_schema::{AccountId, Hash};

/// Clears the screen, forges a line, turns the text around.
const ATTACK: &str = "a\u{1b}[2J\u{9b}2J\u{7}\r\u{202e}b\u{2066}c\u{200f}d\u{61c}e\u{7f}";
const SHOWN: &str = "a[2J2J\\u{202e}b\\u{2066}c\\u{200f}d\\u{61c}e";

#[test]
fn no_line_steers_a_terminal() {
    let mut to = Vec::new();
    put(&mut to, &format!("{ATTACK}\n✓ all is well"));
    assert_eq!(String::from_utf8(to).expect("text"), format!("{SHOWN}✓ all is well\n"));
    // What people write in any language stays, and what was plain once stays as it is.
    for text in ["Grüße, мир, שלום, 👩\u{200d}💻", SHOWN] {
        assert_eq!(plain(text), text);
    }
}

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let row = |cells: [&str; 3]| cells.map(str::to_owned);
    let rows = [row(["a", "power 10", "x"]), row(["bcd", "power 7", "yz"])];
    assert_eq!(lined_up(&rows), ["a    power 10  x", "bcd  power 7   yz"]);
    let rows = [row(["a\u{7}", "x", ""]), row(["\u{202e}", "y", ""])];
    assert_eq!(lined_up(&rows), ["a         x", "\\u{202e}  y"]);
    assert!(lined_up::<3>(&[]).is_empty());
    let words = [0, 1, 2].map(|count| counted(count, "ref"));
    assert_eq!(words, ["0 refs", "1 ref", "2 refs"]);
}

#[test]
fn no_error_of_a_node_steers_a_terminal_or_looks_like_a_fact() {
    let text = format!("{ATTACK}\n✓ proved at height 9");
    let answer = ClientError::Answer(text.clone());
    for error in [
        Error::Refused { code: 7, log: text.clone() },
        Error::Node { address: "http://node".into(), source: answer },
        Error::Proof(text),
    ] {
        let mut to = Vec::new();
        put_error(&mut to, &error);
        let said = String::from_utf8(to).expect("text");
        assert!(said.starts_with("✗ ") && said.contains(SHOWN), "{said}");
        assert!(said.contains("\n  ✓ proved at height 9"), "{said}");
        assert!(said.lines().skip(1).all(|line| line.starts_with("  ")), "{said}");
        assert_eq!(said.lines().map(plain).collect::<Vec<_>>().join("\n") + "\n", said);
    }
    // The way out of ours stays on a line of its own.
    let mut to = Vec::new();
    put_error(&mut to, &Error::Proof("why".into()));
    let said = String::from_utf8(to).expect("text");
    assert_eq!(said.lines().count(), 2, "{said}");
}

/// What a bar that is as old says of a proof of work.
fn drawn(is_drawn: bool, age: Duration, bits: u32) -> String {
    let mut to = Vec::new();
    let since = Instant::now().checked_sub(age).expect("the machine runs for longer");
    let shown = Mutex::new((Duration::ZERO, &mut to));
    let bar = Bar { what: "repository", since, is_drawn, shown };
    let puzzle = Puzzle::new("c", &AccountId::new([1; 20]), 0, &Hash::new([2; 32]));
    bar.begins(bits, UNTOLD_S);
    assert!(puzzle.bits(solve(&puzzle, bits, &bar)) >= bits);
    drop(bar);
    String::from_utf8(to).expect("text")
}

#[test]
fn who_looks_sees_a_proof_of_work_go_on() {
    let said = drawn(true, DRAWN_EVERY, 12);
    let (begun, bar) = said.split_once('\n').expect("two parts");
    assert_eq!(begun, "  repository: a proof of work of 12 bits, about 10 s of work");
    assert!(bar.starts_with("\r  repository: "), "{bar:?}");
    // It is gone when the work is done.
    assert!(bar.ends_with(" % of the usual work\r\u{1b}[K"), "{bar:?}");
    // In a file nobody looks; that it takes long is said there, too.
    assert_eq!(drawn(false, DRAWN_EVERY, 12), format!("{begun}\n"));
}

#[test]
fn what_takes_no_time_is_not_spoken_of() {
    let mut to = Vec::new();
    let shown = Mutex::new((Duration::ZERO, &mut to));
    let bar = Bar { what: "key", since: Instant::now(), is_drawn: true, shown };
    bar.begins(20, UNTOLD_S - 1);
    drop(bar);
    assert!(to.is_empty());
}
