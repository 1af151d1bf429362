//! Whom an address belongs to, and how many connections it may have.

use super::*;

fn at(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn an_address_has_its_share_and_gets_it_back() {
    let sources = Sources::new(2);
    let first = sources.enter(at("192.0.2.1")).unwrap();
    let second = sources.enter(at("::ffff:192.0.2.1")).expect("the same host");
    assert!(sources.enter(at("192.0.2.1")).is_none());
    assert!(sources.enter(at("192.0.2.2")).is_some(), "another host");
    drop((first, second));
    assert!(sources.counts().is_empty(), "nobody is remembered who has left");
    assert!(sources.enter(at("192.0.2.1")).is_some());
}

#[test]
fn a_network_of_ipv6_is_one_host() {
    let sources = Sources::new(1);
    let _one = sources.enter(at("2001:db8::1")).unwrap();
    assert!(sources.enter(at("2001:db8::2")).is_none());
    assert!(sources.enter(at("2001:db8:0:1::1")).is_some());
}

#[test]
fn without_a_bound_everybody_may_come() {
    let sources = Sources::new(0);
    let all: Vec<_> = (0..1000).map(|_| sources.enter(at("192.0.2.1"))).collect();
    assert!(all.iter().all(Option::is_some));
}
