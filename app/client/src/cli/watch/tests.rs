//! Which events are looked for.
use guts_rpc::types::EventAttribute;

use super::*;

#[test]
fn events_are_found_by_type_and_by_what_they_say() {
    let attribute =
        EventAttribute { key: "account".into(), value: "ab".into(), ..Default::default() };
    let event = Event { kind: "mentioned".into(), attributes: vec![attribute] };
    for (text, found) in [
        ("mentioned", true),
        ("referenced", false),
        ("mentioned.account=ab", true),
        ("mentioned.account=abc", false),
        ("mentioned.number=ab", false),
        ("referenced.account=ab", false),
    ] {
        assert_eq!(wanted(text).expect(text).is(&event), found, "{text}");
    }
    assert!(wanted("mentioned.account").expect_err("no value").contains("TYPE.KEY=VALUE"));
}
