//! Numbers are stable and distinct, sentences take their particulars.
use std::collections::BTreeSet;

use super::*;

#[test]
fn numbers_and_names_are_distinct_and_rising() {
    assert!(Code::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
    let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        assert_eq!(Code::from_number(code.number()), Some(*code));
    }
    assert_eq!(Code::from_number(0), None, "0 is success");
}

#[test]
fn a_sentence_names_the_particulars() {
    let sentence = Code::RefMoved.sentence(&[&"refs/heads/main", &"9f3c", &"0123"]);
    assert_eq!(sentence, "refs/heads/main is now 9f3c, not 0123: fetch, then push again");
}

#[test]
#[should_panic(expected = "a particular for each place")]
fn a_missing_particular_is_a_mistake() {
    Code::RefMoved.sentence(&[&"refs/heads/main"]);
}
