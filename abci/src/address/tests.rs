//! Addresses: what is accepted, what is refused and by which rule.

use super::*;

#[test]
fn addresses_print_as_they_were_written() {
    for text in ["unix:///run/app.sock", "unix://app.sock", "tcp://127.0.0.1:0", "tcp://[::1]:99"] {
        assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
    }
}

#[test]
fn wrong_addresses_name_the_rule() {
    let long = format!("unix:///{}", "x".repeat(UNIX_PATH_BYTES_MAX));
    for (text, rule) in [
        ("", "expected unix://PATH or tcp://HOST:PORT"),
        ("http://h:1", "expected unix://PATH or tcp://HOST:PORT"),
        ("unix://", "a path must follow unix://"),
        (long.as_str(), "the path of a Unix socket has at most 107 bytes"),
        ("tcp://localhost", "a port must follow the host, as in tcp://HOST:PORT"),
        ("tcp://:26658", "a host must come before the port"),
        ("tcp://h:65536", "the port is a number up to 65535"),
    ] {
        let error = text.parse::<Address>().unwrap_err();
        assert_eq!(error, AddressError { text: text.to_owned(), rule });
    }
}
