//! Clients that begin a request and say no more.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use guts_git::Limits;

use crate::world::World;

/// More than there are turns for fetches.
const CROWD: usize = 40;

/// How long an answer may take that takes a second or two.
const DEADLINE: Duration = Duration::from_secs(60);

/// A request of which a hundred bytes are missing.
fn begin(world: &World, service: &str) -> TcpStream {
    let host = world.url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!(
        "POST /alice/hello.git/{service} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-{service}-request\r\nContent-Length: 104\r\n\r\n0011"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn requests_that_never_come_hold_up_no_clone() {
    let world = World::new();
    let project = world.project("a");
    let tip = project.ok(&["rev-parse", "HEAD"]);
    project.ok(&["push", "origin", "main"]);
    let crowd: Vec<_> = (0..CROWD).map(|_| begin(&world, "git-upload-pack")).collect();
    assert_eq!(world.cloned("c", &[]).ok(&["rev-parse", "HEAD"]), tip);
    drop(crowd);
}

#[test]
fn who_falls_silent_is_not_waited_for() {
    let limits = Limits { silence_s: 1, ..Limits::default() };
    let world = World::with_limits(limits);
    let mut answer = String::new();
    begin(&world, "git-upload-pack").read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("too slowly"), "{answer}");
    // Of a push git has heard the beginning: the answer is whatever it makes of that.
    let mut answer = Vec::new();
    begin(&world, "git-receive-pack").read_to_end(&mut answer).expect("an end in time");
}
