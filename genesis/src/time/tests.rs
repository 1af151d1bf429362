//! Tests of time text and arithmetic.
use super::*;

#[test]
fn prints_and_reads_the_edges_of_the_calendar() {
    let cases = [
        (Time::ZERO, "0001-01-01T00:00:00Z"),
        (Time::EPOCH, "1970-01-01T00:00:00Z"),
        (Time::MAX, "9999-12-31T23:59:59.999999999Z"),
        (Time { seconds: 951_782_400, nanos: 500_000_000 }, "2000-02-29T00:00:00.5Z"),
        (Time { seconds: -1, nanos: 999_999_999 }, "1969-12-31T23:59:59.999999999Z"),
    ];
    for (time, text) in cases {
        assert_eq!(time.to_string(), text);
        assert_eq!(Time::parse_rfc3339(text), Ok(time), "{text}");
    }
}

#[test]
fn refuses_what_is_not_utc_or_not_a_date() {
    let bad = [
        "",
        "Z",
        "2024-01-02T03:04:05",
        "2024-01-02T03:04:05+00:00",
        "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-02 03:04:05Z",
        "2024-01-02T24:00:00Z",
        "2024-01-02T03:04:05.Z",
        "2024-01-02T03:04:05.1xZ",
        "2024-01-02T03:04:0\u{e9}Z",
        "0000-01-01T00:00:00Z",
    ];
    for text in bad {
        assert!(Time::parse_rfc3339(text).is_err(), "{text}");
    }
}

#[test]
fn arithmetic_stops_at_the_ends() {
    let second = Duration::from_secs(1);
    assert_eq!(Time::MAX.checked_add(second), None);
    assert_eq!(Time::ZERO.checked_sub(second), None);
    let later = Time::EPOCH.checked_add(Duration::from_nanos(1)).unwrap();
    assert_eq!(later.nanos_since(Time::EPOCH), 1);
    assert_eq!(Time::EPOCH.saturating_since(later), Duration::ZERO);
    assert_eq!(Time::EPOCH.checked_sub(Duration::from_nanos(1)).unwrap().nanos(), 999_999_999);
    assert_eq!(Time::from_unix_nanos(i128::MAX), Time::MAX);
    assert_eq!(Time::from_unix_nanos(i128::MIN), Time::ZERO);
}
