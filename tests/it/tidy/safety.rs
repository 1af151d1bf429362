//! Every safety property of the engine has an id that stands in the crate header, in the
//! assertion that guards it, and in the test that attacks it.

use std::collections::BTreeMap;

/// Where an id was seen.
#[derive(Default)]
struct Seen {
    header: bool,
    code: bool,
    test: bool,
}

#[test]
fn no_safety_id_is_orphaned() {
    let mut seen: BTreeMap<u32, Seen> = BTreeMap::new();
    for (path, text) in super::rust_files() {
        let elsewhere = !path.starts_with("consensus/") && !path.starts_with("tests/");
        if elsewhere || path.starts_with("tests/it/tidy/") {
            continue;
        }
        let is_header = path == "consensus/core/src/lib.rs";
        let is_test = path.contains("tests") || path.starts_with("consensus/sim");
        for id in ids(&text) {
            let entry = seen.entry(id).or_default();
            entry.header |= is_header;
            entry.test |= is_test;
            entry.code |= !is_header && !is_test;
        }
    }
    let mut findings = Vec::new();
    for (id, seen) in &seen {
        for (ok, place) in [
            (seen.header, "the header of consensus/core"),
            (seen.code, "an assertion"),
            (seen.test, "a test"),
        ] {
            if !ok {
                findings.push(format!("[S-{id}] is not in {place}"));
            }
        }
    }
    super::report("orphaned safety ids", findings);
}

/// The numbers of `[S-n]`, and of `s_n_` in names of tests.
fn ids(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for mark in ["[S-", "fn s_", "fn s"] {
        for (at, _) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // In documentation the brackets are escaped.
            let close = rest[digits.len()..].starts_with([']', '_', '\\']);
            if let (Ok(id), true) = (digits.parse(), close) {
                found.push(id);
            }
        }
    }
    found
}

#[test]
fn ids_are_found() {
    assert_eq!(ids("see [S-3] and\nfn s_4_holds() {}\nfn s5_x() {}\nfn s6() {}"), [3, 4, 5]);
}
