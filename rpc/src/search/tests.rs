//! Conditions, and what is no query. The recordings of `tx_search` are the rest of the test.

use super::*;

fn one(text: &str) -> Condition {
    let search = Search::parse(text).unwrap();
    assert_eq!(search.conditions().len(), 1);
    search.conditions()[0].clone()
}

#[test]
fn conditions_compare_numbers_of_any_length_and_text() {
    for (text, good, bad) in [
        ("a.b = 'x y'", "x y", "x"),
        ("a.b=150", "150", "1500"),
        ("a.b=150", "150.0", "150stake"),
        ("a.b > 99999999999999999999", "100000000000000000000", "99999999999999999999"),
        ("a.b < 1.50", "1.4999", "1.5"),
        ("a.b <= 1.50", "-3", "1.51"),
        ("a.b >= 0", "-0", "-1"),
        ("a.b CONTAINS 'ell'", "hello", "help"),
        ("a.b = DATE 2024-05-01", "2024-05-01", "2024-05-02"),
        ("a.b >= TIME 2024-05-01T09:00:00Z", "2024-05-01T09:00:00.5Z", "2024-05-01T08:00:00Z"),
        ("a.b < DATE 2024-05-01", "2024-04-30T23:59:59Z", "nonsense"),
    ] {
        assert!(one(text).admits(good), "{text} admits {good}");
        assert!(!one(text).admits(bad), "{text} does not admit {bad}");
    }
    assert!(one("a.b EXISTS").admits(""));
}

#[test]
fn a_text_that_is_no_query_is_refused_where_it_goes_wrong() {
    for (text, says) in [
        ("", "offset 0: EOF"),
        ("a.b = TIME yesterday", "offset 6: invalid TIME value"),
        ("a.b = DATE 1492-01-01", "offset 6: timestamp year 1492 out of range"),
        ("a.b = DATE 2024-13-01", "offset 6: invalid DATE value"),
        ("a = 'é' AND", "offset 12: EOF"),
        ("a = 1 ! b = 2", "offset 6: got invalid token, want 6"),
        ("AND = 1", "offset 0: got AND operator, wanted tag"),
    ] {
        let error = Search::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(says), "{text}: {error}");
    }
}

#[test]
fn spacing_does_not_matter_and_order_does() {
    let parse = |text| Search::parse(text).unwrap();
    assert_eq!(parse("tm.event='Tx'"), parse("  tm.event   =  'Tx' "));
    assert_ne!(parse("a.b=1 AND c.d=2"), parse("c.d=2 AND a.b=1"));
}

#[test]
fn an_event_of_a_node_needs_a_value_for_each_condition() {
    let values = BTreeMap::from([
        ("tm.event".to_owned(), vec!["Tx".to_owned()]),
        ("a.b".to_owned(), vec!["1".to_owned(), "2".to_owned()]),
    ]);
    let admits = |text| Search::parse(text).unwrap().admits(&values);
    assert!(admits("tm.event='Tx' AND a.b=2") && admits("a.b=1 AND a.b=2"));
    assert!(!admits("tm.event='NewBlock'") && !admits("a.c EXISTS"));
}

#[test]
fn an_index_is_asked_for_heights_and_for_one_event() {
    let search = Search::parse("tx.height > 3 AND tx.height <= 9 AND a.b=1 AND a.c=2").unwrap();
    let plan = search.plan("tx.height").unwrap();
    assert_eq!(plan.height_range(), (3, 9));
    let attribute = |key: &str, value: &str, index| crate::types::EventAttribute {
        key: key.into(),
        value: value.into(),
        index,
    };
    let event = |b, c, index| Event {
        kind: "a".into(),
        attributes: vec![attribute("b", b, true), attribute("c", c, index)],
    };
    assert!(plan.admits(4, &[event("0", "0", true), event("1", "2", true)]));
    assert!(!plan.admits(4, &[event("1", "0", true), event("0", "2", true)]));
    assert!(!plan.admits(4, &[event("1", "2", false)]), "only what is marked for the index");
    assert!(!plan.admits(3, &[event("1", "2", true)]));
    assert!(Search::parse("a.b < DATE 2024-05-01").unwrap().plan("tx.height").is_none());
    let hash = Search::parse("tx.hash = 'AB'").unwrap();
    assert_eq!(hash.tx_hash(), Some("AB"));
}
