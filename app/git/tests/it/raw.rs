//! Requests that no git sends: every one gets an answer, nothing moves, nothing is left behind.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use guts_tests::checkout::Checkout;

use crate::world::World;

/// One HTTP request; the whole answer as text.
fn request(world: &World, head: &str, body: &[u8]) -> String {
    let host = world.url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    let mut stream = std::net::TcpStream::connect(&host).unwrap();
    let length = body.len();
    let head = format!(
        "{head} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n"
    );
    let kind = "Content-Type: application/x-git-receive-pack-request\r\n\r\n";
    stream.write_all(format!("{head}{kind}").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A push of `pack` without certificate, as main.
fn push(world: &World, tip: &str, pack: &[u8]) -> String {
    push_as(world, "refs/heads/main", tip, pack)
}

/// A push of `pack` without certificate.
fn push_as(world: &World, name: &str, tip: &str, pack: &[u8]) -> String {
    let command = format!("{} {tip} {name}\0report-status side-band-64k", "0".repeat(40));
    let mut body = format!("{:04x}{command}0000", command.len() + 4).into_bytes();
    body.extend_from_slice(pack);
    request(world, "POST /alice/hello.git/git-receive-pack", &body)
}

/// The pack of the objects named.
fn pack(project: &Checkout, revisions: &str) -> Vec<u8> {
    let mut git = Command::new("git");
    git.current_dir(&project.path).args(["pack-objects", "--stdout", "-q"]);
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(revisions.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}

fn assert_untouched(world: &World) {
    assert_eq!((world.refs().len(), world.leftovers()), (0, (0, 0, 0)));
}

#[test]
fn corrupt_and_truncated_packs_are_refused() {
    let world = World::new();
    let project = world.project("a");
    let tip = project.ok(&["rev-parse", "HEAD"]).trim().to_owned();
    let objects = project.ok(&["rev-list", "--objects", "--no-object-names", "HEAD"]);
    let good = pack(&project, &objects);
    let mut corrupt = good.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle] ^= 0xff;
    let cut = good[..good.len() / 2].to_vec();
    for bad in [corrupt, cut, b"PACK".to_vec(), b"no pack at all".to_vec(), Vec::new()] {
        let answer = push(&world, &tip, &bad);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(!answer.contains("unpack ok"), "{answer}");
        assert_untouched(&world);
    }
    // The good one gets as far as the rule that it must be signed.
    assert!(push(&world, &tip, &good).contains("pushes are signed here"));
    assert_untouched(&world);
}

/// Much more than fits into buffers on the way: git is gone while the request is still coming.
#[test]
fn a_pack_that_git_gives_up_on_early_is_answered_all_the_same() {
    let world = World::new();
    let project = world.project("a");
    let tip = project.ok(&["rev-parse", "HEAD"]).trim().to_owned();
    let mut bad = b"PACK\0\0\0\x02\0\0\0\x01".to_vec();
    // A commit of five bytes that is not deflated.
    bad.resize(48 << 20, 0x15);
    let answer = push(&world, &tip, &bad);
    assert!(answer.contains("ng refs/heads/main"), "{answer}");
    assert!(answer.ends_with("0\r\n\r\n"), "complete: {answer}");
    assert_untouched(&world);
}

#[test]
fn a_pack_that_lacks_objects_is_refused() {
    let world = World::new();
    let project = world.project("a");
    let tip = project.ok(&["rev-parse", "HEAD"]).trim().to_owned();
    let answer = push(&world, &tip, &pack(&project, &tip));
    assert!(!answer.contains("ok refs/heads/main"), "{answer}");
    assert_untouched(&world);
}

#[test]
fn names_that_git_does_not_take_are_refused() {
    let world = World::new();
    let project = world.project("a");
    let tip = project.ok(&["rev-parse", "HEAD"]).trim().to_owned();
    let objects = project.ok(&["rev-list", "--objects", "--no-object-names", "HEAD"]);
    let good = pack(&project, &objects);
    for name in ["refs/heads/a..b", "refs/heads/a.lock", "refs/heads/", "main", "refs/heads/a b"] {
        let answer = push_as(&world, name, &tip, &good);
        assert!(!answer.contains(&format!("ok {name}")), "{name}: {answer}");
        assert_untouched(&world);
    }
}

#[test]
fn requests_that_are_none_get_an_answer() {
    let world = World::new();
    for (head, body, status) in [
        ("GET /alice/hello.git/info/refs", &b""[..], "403"),
        ("GET /alice/hello.git/info/refs?service=git-shell", b"", "403"),
        ("GET /alice/hello.git/HEAD", b"", "404"),
        ("POST /alice/hello.git/git-upload-pack", b"0000", "415"),
        ("POST /alice/none.git/git-receive-pack", b"0000", "404"),
        ("GET /packs/zz", b"", "404"),
        ("GET /../../etc/passwd", b"", "404"),
    ] {
        let answer = request(&world, head, body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head}: {answer}");
    }
    for body in [&b""[..], b"0000", b"zzzz", b"0003", b"ffffffff"] {
        let answer = request(&world, "POST /alice/hello.git/git-receive-pack", body);
        assert!(answer.starts_with("HTTP/1.1 "), "{body:?}: {answer}");
    }
    assert_untouched(&world);
}

#[test]
fn a_hook_that_nobody_started_gets_no_answer() {
    let world = World::new();
    let socket = world.dir.path().join("gateway/hook.sock");
    for question in [
        "{}\n".to_owned(),
        "not json\n".to_owned(),
        r#"{"token":"x","certificate":null,"quarantine":null,"commands":[]}"#.to_owned() + "\n",
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        stream.write_all(question.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "");
    }
}
