//! What is public and what is not, and every spelling that would get around it.
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::{
    Exchange, Limits, ObjectFormat, Oid, PackHash, PackInfo, PackStore, RepoId, Repositories,
};

fn refusal(url: &str) -> Option<String> {
    let peer = Peer { url: url.into(), scope: Scope::Public };
    peer.check().err().map(|error| error.to_string())
}

const PRIVATE: &str = "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 \
    127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.2.1 \
    192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.9 224.0.0.1 \
    239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 \
    64:ff9b::a00:1 64:ff9b::7f00:1 64:ff9b:1::808:808 100::1 2001::1 2001:1ff::1 2001:db8::1 \
    2002:7f00:1:: 3fff::1 3fff:fff::1 fc00::1 fd12:3456::1 fe80::1 fec0::1 ff02::1 4000::1";

const PUBLIC: &str = "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.0.0.1 \
    128.0.0.1 169.253.0.1 172.15.0.1 172.32.0.1 192.0.1.1 192.169.0.1 198.17.0.1 198.20.0.1 \
    203.0.114.1 223.255.255.255 64:ff9b::808:808 2001:200::1 2001:4860:4860::8888 \
    2606:4700::1111 3fff:1000::1";

#[test]
fn only_addresses_of_the_public_internet_are_public() {
    for private in PRIVATE.split_whitespace() {
        assert!(!is_public(private.parse().unwrap()), "{private}");
    }
    for public in PUBLIC.split_whitespace() {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
}

#[test]
fn a_url_that_leads_to_this_machine_is_refused_however_it_is_spelled() {
    for url in [
        "http://127.0.0.1:8080",
        "https://127.0.0.1",
        "http://[::1]:8080",
        "http://[::ffff:127.0.0.1]",
        "http://[::ffff:7f00:1]",
        "http://169.254.169.254/latest",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://0177.0.0.1",
        "http://127.0.0.1.",
        "http://LOCALHOST",
        "http://1.1.1.1@127.0.0.1",
        "http://1.1.1.1#@127.0.0.1",
        "http://1.1.1.1?@127.0.0.1",
        "http://1.1.1.1\\@127.0.0.1",
        "http://%31%32%37.0.0.1",
        "file:///etc/passwd",
        "ssh://1.1.1.1",
    ] {
        assert!(refusal(url).is_some(), "{url}");
    }
    let said = refusal("http://127.0.0.1:8080").unwrap();
    assert!(said.contains("127.0.0.1 is no address of the public internet"), "{said}");
    for url in ["http://1.1.1.1:8080/path", "https://[2606:4700::1111]", "https://git.example.org"]
    {
        assert_eq!(refusal(url), None);
    }
    let own = Peer { url: "http://127.0.0.1:8080/".into(), scope: Scope::Any };
    assert_eq!(own.check().unwrap(), "http://127.0.0.1:8080");
}

#[tokio::test]
async fn a_name_of_this_machine_is_not_looked_up_for_others() {
    let refused = resolve("localhost", Scope::Public).await.unwrap_err().to_string();
    assert!(refused.contains("localhost, which is "), "{refused}");
    assert!(!resolve("localhost", Scope::Any).await.unwrap().is_empty());
    let peer = Peer { url: "http://localhost:8080".into(), scope: Scope::Public };
    assert!(matches!(peer.pin().await, Err(GitError::Gateway { .. })));
    // Nothing to look up, and nothing to fear.
    let literal = Peer { url: "http://1.1.1.1".into(), scope: Scope::Public };
    assert_eq!(literal.pin().await.unwrap(), None);
    assert_eq!(Peer { scope: Scope::Any, ..peer }.pin().await.unwrap(), None);
}

#[test]
fn curl_is_told_every_address_that_was_found() {
    let addresses = ["1.1.1.1".parse().unwrap(), "2606:4700::1111".parse().unwrap()];
    for (url, entry) in [
        ("http://git.example.org", "git.example.org:80:1.1.1.1,[2606:4700::1111]"),
        ("https://git.example.org/path", "git.example.org:443:1.1.1.1,[2606:4700::1111]"),
        ("https://git.example.org:8443", "git.example.org:8443:1.1.1.1,[2606:4700::1111]"),
    ] {
        assert_eq!(pinned(&url.parse().unwrap(), &addresses), entry);
    }
}

/// Counts those who come, and answers each with some bytes; its port.
async fn trap(answer: String) -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let count = came.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, came)
}

/// Both ways in which others are asked.
fn askers(home: &Path) -> (Exchange, Repositories) {
    let format_of = Box::new(|_| Ok(ObjectFormat::Sha1));
    let limits = Limits::default();
    let repositories = Repositories::open(home, &home.join("hook"), limits, format_of).unwrap();
    (Exchange::new(repositories.clone(), PackStore::open(home).unwrap()), repositories)
}

fn anywhere(url: &str) -> Peer {
    Peer { url: url.into(), scope: Scope::Any }
}

fn pack() -> PackInfo {
    PackInfo { hash: PackHash::of(b"a pack"), size: 6 }
}

fn repo() -> RepoId {
    RepoId::new(1).unwrap()
}

fn redirect(port: u16) -> String {
    format!(
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{port}/\r\nContent-Length: 0\r\n\
         Connection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn nobody_is_sent_to_this_machine_by_what_the_state_says() {
    let home = tempfile::TempDir::new().unwrap();
    let (exchange, repositories) = askers(home.path());
    let (port, came) = trap("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into()).await;
    let tip = Oid::Sha1([1; 20]);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433"] {
        let url = format!("http://{host}:{port}");
        let peer = Peer { url, scope: Scope::Public };
        let found =
            exchange.download(pack(), std::slice::from_ref(&peer), |_, _| {}).await.unwrap();
        assert!(found.is_none());
        let refused = repositories.fetch(repo(), &peer, "a/b.git", &[tip]).await;
        assert!(matches!(refused, Err(GitError::Gateway { .. })), "{host}: {refused:?}");
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
    // The same address is asked where whoever runs the node says so.
    let own = anywhere(&format!("http://127.0.0.1:{port}"));
    assert!(exchange.download(pack(), &[own], |_, _| {}).await.unwrap().is_none());
    assert_eq!(came.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn nobody_is_sent_on_by_a_redirect() {
    let home = tempfile::TempDir::new().unwrap();
    let (exchange, repositories) = askers(home.path());
    let (inner, came_inside) = trap(String::new()).await;
    let (outer, came) = trap(redirect(inner)).await;
    let peer = anywhere(&format!("http://127.0.0.1:{outer}"));
    assert!(
        exchange.download(pack(), std::slice::from_ref(&peer), |_, _| {}).await.unwrap().is_none()
    );
    assert_eq!(came.load(Ordering::SeqCst), 1);
    let tip = Oid::Sha1([1; 20]);
    assert!(repositories.fetch(repo(), &peer, "a/b.git", &[tip]).await.is_err());
    assert!(came.load(Ordering::SeqCst) > 1);
    assert_eq!(came_inside.load(Ordering::SeqCst), 0);
}

/// Whoever controls a name answers differently the second time: nobody asks a second time. This
/// one is no name at all but for what git is told.
#[tokio::test]
async fn git_connects_to_what_was_looked_up_and_looks_up_nothing() {
    let home = tempfile::TempDir::new().unwrap();
    let (_, repositories) = askers(home.path());
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (port, came) = trap(answer.into()).await;
    let peer = Peer { url: format!("http://gateway.invalid:{port}"), scope: Scope::Public };
    let pin = format!("gateway.invalid:{port}:127.0.0.1");
    let tip = Oid::Sha1([1; 20]);
    let what = ("a/b.git", &[tip][..]);
    let fetched = repositories.fetch_at(repo(), &peer, Some(&pin), what).await;
    let refused = fetched.unwrap_err().to_string();
    assert!(came.load(Ordering::SeqCst) > 0, "{refused}");
    assert!(refused.contains("not found"), "{refused}");
}

/// More than a command line takes.
#[tokio::test]
async fn a_gateway_is_asked_for_as_many_tips_as_there_are() {
    let home = tempfile::TempDir::new().unwrap();
    let (_, repositories) = askers(home.path());
    let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (port, came) = trap(answer.into()).await;
    let peer = anywhere(&format!("http://127.0.0.1:{port}"));
    let tips = vec![Oid::Sha1([1; 20]); 60_000];
    let refused = repositories.fetch(repo(), &peer, "a/b.git", &tips).await;
    let refused = refused.unwrap_err().to_string();
    assert!(came.load(Ordering::SeqCst) > 0, "{refused}");
    assert!(refused.contains("not found"), "{refused}");
}
