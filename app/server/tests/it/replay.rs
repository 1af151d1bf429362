//! Pushes recorded on their way to a gateway and sent again: to the same repository, to another,
//! too late. A certificate counts once, for one repository, for a while.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::world::World;

/// Stands between git and a gateway and keeps what git sent.
struct Recorder {
    url: String,
    gateway: String,
    recording: thread::JoinHandle<Vec<u8>>,
}

impl Recorder {
    /// For the one connection of a push.
    fn new(world: &World, node: usize) -> Self {
        let gateway = world.urls[node].strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/alice/hello.git", listener.local_addr().unwrap());
        let to = gateway.clone();
        let recording = thread::spawn(move || {
            let (mut git, _) = listener.accept().unwrap();
            let mut gateway = TcpStream::connect(to).unwrap();
            let (mut answers, mut back) = (gateway.try_clone().unwrap(), git.try_clone().unwrap());
            let answering = thread::spawn(move || {
                let _ = std::io::copy(&mut answers, &mut back);
                let _ = back.shutdown(Shutdown::Both);
            });
            let (mut sent, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(n @ 1..) = git.read(&mut buffer) {
                sent.extend_from_slice(&buffer[..n]);
                gateway.write_all(&buffer[..n]).unwrap();
            }
            let _ = gateway.shutdown(Shutdown::Both);
            answering.join().unwrap();
            sent
        });
        Self { url, gateway, recording }
    }

    /// Only the request that carries the push, to be sent again.
    fn push(self) -> (String, Vec<u8>) {
        let sent = self.recording.join().unwrap();
        let at = sent.windows(5).position(|window| window == b"POST ").unwrap();
        (self.gateway, sent[at..].to_vec())
    }
}

/// Sends a recorded push; the answer up to the end of its chunks.
fn send(gateway: &str, push: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(push).unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"0\r\n\r\n") {
        let n = stream.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "the answer broke off: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_push_that_was_committed_is_refused_when_it_comes_again() {
    let world = World::new();
    let project = world.project("a", "alice", 0);
    let recorder = Recorder::new(&world, 0);
    project.ok(&["push", &recorder.url, "main"]);
    let (gateway, push) = recorder.push();
    project.ok(&["push", "origin", "main:keep"]);
    let answer = send(&gateway, &push);
    assert!(answer.contains("this push was made already"), "{answer}");
}

#[test]
fn a_push_signed_for_one_repository_is_refused_by_another() {
    let world = World::new();
    let project = world.project("a", "alice", 0);
    let recorder = Recorder::new(&world, 0);
    project.ok(&["push", &recorder.url, "main"]);
    let (gateway, mut push) = recorder.push();
    let path = b"/alice/hello.git/git-receive-pack";
    let at = push.windows(path.len()).position(|window| window == path).unwrap();
    push[at..at + path.len()].copy_from_slice(b"/alice/other.git/git-receive-pack");
    let answer = send(&gateway, &push);
    assert!(answer.contains("the push was signed for alice/hello"), "{answer}");
}

#[test]
fn a_push_whose_nonce_is_old_is_refused() {
    let world = World::new();
    let project = world.project("a", "alice", 1);
    // The gateway advertises its nonce, but its engine takes nothing.
    let recorder = Recorder::new(&world, 0);
    world.set_down(0, true);
    let said = project.fails(&["push", &recorder.url, "main"]);
    assert!(said.contains("[remote rejected]"), "{said}");
    let (gateway, push) = recorder.push();
    world.pool.ahead_s.store(7 * 3600, Ordering::SeqCst);
    world.set_down(0, false);
    // The chain has seen transactions since: it did not just rest all the while.
    project.ok(&["push", "origin", "main:other"]);
    let height = world.chains[1].newest().height;
    world.wait(0, |shown, behind| shown >= height && behind == 0);
    let answer = send(&gateway, &push);
    assert!(answer.contains("the push was signed for"), "{answer}");
    assert!(answer.contains("run 'git push' again"), "{answer}");
    assert_eq!(world.tip(0, "refs/heads/main"), None);
}
