//! Clients that want everything for themselves, and nothing done: requests that never come, that
//! trickle, and answers that nobody takes.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use guts_git::Limits;

use crate::world::{REPO, World};

/// How long an answer may take that takes a second or two.
const DEADLINE: Duration = Duration::from_secs(60);

/// Where the crowd comes from; the others come from 127.0.0.1.
const CROWD: &str = "127.0.0.2";

/// A request with the beginning of its body.
fn begin(world: &World, from: &str, service: &str, length: usize, body: &[u8]) -> TcpStream {
    let mut stream = world.connect(from);
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let head = format!(
        "POST /alice/hello.git/{service} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-{service}-request\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    stream
}

/// A request of which a hundred bytes are missing.
fn unfinished(world: &World, service: &str) -> TcpStream {
    begin(world, CROWD, service, 104, b"0011")
}

/// The first section of a push, whole.
fn command() -> Vec<u8> {
    let command = format!("{} {} refs/heads/x\0report-status", "0".repeat(40), "1".repeat(40));
    format!("{:04x}{command}0000", command.len() + 4).into_bytes()
}

/// The request of a clone of that commit.
fn want(tip: &str) -> Vec<u8> {
    let line = format!("want {tip}\n");
    format!("{:04x}{line}00000009done\n", line.len() + 4).into_bytes()
}

/// A project, pushed, of which a clone is more than the buffers on its way hold; and its tip.
fn pushed(world: &World, bytes: usize) -> String {
    let project = world.project("a");
    let mut random = 1_u64;
    let mut next = || {
        // Marsaglia's xorshift: nothing that zlib finds a shorter form for.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let large: Vec<u8> = (0..bytes / 8).flat_map(|_| next().to_le_bytes()).collect();
    std::fs::write(project.path.join("large"), large).unwrap();
    let tip = project.commit("x", "one");
    let bare = world.repositories.ensure(REPO).unwrap();
    project.ok(&["push", bare.to_str().unwrap(), "main"]);
    tip
}

/// Waits until so many of a crowd, which was not read from yet, were answered with each status.
fn answered(crowd: &[TcpStream], wanted: &[(&str, usize)]) {
    let start = Instant::now();
    let mut statuses = vec![String::new(); crowd.len()];
    let count = |statuses: &[String], status| statuses.iter().filter(|it| *it == status).count();
    while wanted.iter().any(|(status, least)| count(&statuses, status) < *least) {
        assert!(start.elapsed() < DEADLINE, "{statuses:?}");
        for (mut stream, found) in crowd.iter().zip(&mut statuses).filter(|(_, it)| it.is_empty()) {
            stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
            let mut line = [0; 12];
            if stream.read_exact(&mut line).is_ok() {
                *found = String::from_utf8_lossy(&line[9..]).into_owned();
            }
        }
    }
}

#[test]
fn requests_that_never_come_hold_up_nobody() {
    let world = World::new();
    let tip = pushed(&world, 0);
    // More than there are turns for either.
    let fetches: Vec<_> = (0..40).map(|_| unfinished(&world, "git-upload-pack")).collect();
    let pushes: Vec<_> = (0..140).map(|_| unfinished(&world, "git-receive-pack")).collect();
    let clone = world.cloned("c", &[]);
    assert_eq!(clone.ok(&["rev-parse", "HEAD"]).trim(), tip);
    let second = clone.commit("y", "two");
    clone.ok(&["push", "origin", "main"]);
    assert_eq!(world.refs(), [format!("refs/heads/main {second}")]);
    drop((fetches, pushes));
}

#[test]
fn one_address_holds_up_no_push_of_another() {
    let world = World::new();
    pushed(&world, 0);
    // As many as there are turns, and packs that never come.
    let length = command().len() + 1000;
    let crowd: Vec<_> =
        (0..128).map(|_| begin(&world, CROWD, "git-receive-pack", length, &command())).collect();
    // A quarter is served, a quarter waits, and the others are sent away.
    answered(&crowd, &[("200", 32), ("503", 64)]);
    let clone = world.cloned("c", &[]);
    let tip = clone.commit("y", "two");
    clone.ok(&["push", "origin", "main"]);
    assert_eq!(world.refs(), [format!("refs/heads/main {tip}")]);
    drop(crowd);
}

#[test]
fn one_address_holds_up_no_clone_of_another() {
    let world = World::new();
    let tip = pushed(&world, 12 << 20);
    let request = want(&tip);
    // As many as there are turns, and answers that nobody takes.
    let crowd: Vec<_> =
        (0..32).map(|_| begin(&world, CROWD, "git-upload-pack", request.len(), &request)).collect();
    answered(&crowd, &[("200", 8)]);
    assert_eq!(world.cloned("c", &[]).ok(&["rev-parse", "HEAD"]).trim(), tip);
    drop(crowd);
}

#[test]
fn who_falls_silent_is_not_waited_for() {
    let world = World::with_limits(Limits { silence_s: 1, ..Limits::default() });
    for service in ["git-upload-pack", "git-receive-pack"] {
        let mut answer = String::new();
        unfinished(&world, service).read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("too slowly"), "{answer}");
    }
    // Of a push whose section came git has heard the beginning: it answers what it makes of that.
    let mut answer = Vec::new();
    let length = command().len() + 1000;
    let mut push = begin(&world, CROWD, "git-receive-pack", length, &command());
    push.read_to_end(&mut answer).expect("an end in time");
}

#[test]
fn a_pack_that_trickles_is_not_waited_for() {
    let limits = Limits { pace_s: 1, pace_bytes_per_s: 1 << 20, ..Limits::default() };
    let world = World::with_limits(limits);
    let mut push = begin(&world, CROWD, "git-receive-pack", 1 << 30, &command());
    push.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let start = Instant::now();
    let mut part = [0; 4096];
    loop {
        assert!(start.elapsed() < DEADLINE, "it is waited for still");
        if push.write_all(b"x").is_err() {
            break;
        }
        match push.read(&mut part) {
            // The pause between two bytes.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
}

#[test]
fn an_answer_that_nobody_takes_ends() {
    let world = World::with_limits(Limits { silence_s: 2, ..Limits::default() });
    let tip = pushed(&world, 24 << 20);
    let request = want(&tip);
    let clone = begin(&world, CROWD, "git-upload-pack", request.len(), &request);
    answered(std::slice::from_ref(&clone), &[("200", 1)]);
    // Its turn is another's in the end, and so are all that its address had then.
    let others: Vec<_> =
        (0..15).map(|_| begin(&world, CROWD, "git-upload-pack", request.len(), &request)).collect();
    answered(&others, &[("200", 15)]);
    let mut answer = Vec::new();
    let _ = (&clone).read_to_end(&mut answer);
    assert!(answer.len() < 24 << 20, "it broke off");
}
