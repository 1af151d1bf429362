//! Packs from gateways in this process: behind TLS, slow on purpose, and busy.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::Limits;

/// Made by OpenSSL for the names localhost and 127.0.0.1, valid for a hundred years.
const AUTHORITY: &[u8] = include_bytes!("../../../../tests/vectors/tls/ca.pem");
const NODE: &[u8] = include_bytes!("../../../../tests/vectors/tls/node.pem");
const NODE_KEY: &[u8] = include_bytes!("../../../../tests/vectors/tls/node.key");

const PACK: &[u8] = b"PACK and so on";

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).unwrap()
}

/// A gateway that answers whatever it is asked with the pack; its URL.
async fn gateway() -> String {
    let key = PrivateKeyDer::from_pem_slice(NODE_KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate(NODE)], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            // One read has the few lines of the request.
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", PACK.len());
            let _ = stream.write_all(&[head.as_bytes(), PACK].concat()).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://localhost:{port}")
}

/// What an exchange that believes an authority gets from there.
async fn got(url: &str, authority: &[u8], pack: PackInfo) -> Result<Vec<u8>, GitError> {
    let home = tempfile::TempDir::new().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(authority)).unwrap();
    get(&exchange(&home, roots), url, pack).await
}

#[tokio::test]
async fn objects_missed_come_from_gateways_behind_the_same_authorities() {
    let gateway = Peer { url: gateway().await, scope: Scope::Any };
    let home = tempfile::TempDir::new().unwrap();
    let file = home.path().join("authority.pem");
    std::fs::write(&file, AUTHORITY).unwrap();
    let believing = |authorities| {
        let format_of = Box::new(|_| Ok(crate::ObjectFormat::Sha1));
        let hook = home.path().join("hook");
        let limits = Limits::default();
        Repositories::believing(authorities, home.path(), &hook, limits, format_of).unwrap()
    };
    let repo = RepoId::new(1).unwrap();
    let tip = "11".repeat(20).parse().unwrap();
    let fetch = async |from: Repositories| {
        from.fetch(repo, &gateway, "alice/hello.git", &[tip]).await.unwrap_err().to_string()
    };
    let fetched = fetch(believing(Some(file))).await;
    // What answers gives the same to every question, which is no object of git's.
    assert!(fetched.contains("corrupt") && !fetched.contains("certificate"), "{fetched}");
    // No system knows this authority.
    let fetched = fetch(believing(None)).await;
    assert!(fetched.contains("certificate"), "{fetched}");
}

fn exchange(home: &tempfile::TempDir, roots: RootCertStore) -> Exchange {
    let format_of = Box::new(|_| Err("there is none".to_owned()));
    let hook = home.path().join("hook");
    let limits = Limits::default();
    let repositories = Repositories::open(home.path(), &hook, limits, format_of).unwrap();
    Exchange::believing(roots, repositories, PackStore::open(home.path()).unwrap())
}

fn anywhere(url: &str) -> Peer {
    Peer { url: url.into(), scope: Scope::Any }
}

async fn get(exchange: &Exchange, url: &str, pack: PackInfo) -> Result<Vec<u8>, GitError> {
    let draft = exchange.packs.draft()?;
    let turn = exchange.source(url).acquire_owned().await.unwrap();
    assert!(exchange.get(&anywhere(url), &pack, &draft, turn).await?, "it has none");
    Ok(std::fs::read(draft.incoming()).unwrap())
}

#[tokio::test]
async fn a_gateway_behind_tls_gives_packs_to_who_knows_its_authority() {
    let url = gateway().await;
    let pack = PackInfo { hash: PackHash::of(PACK), size: PACK.len() as u64 };
    assert_eq!(got(&url, AUTHORITY, pack).await.unwrap(), PACK);
    // The node's own certificate is no authority for itself.
    assert!(got(&url, NODE, pack).await.is_err());
    // And what comes is checked as ever.
    let other = PackInfo { hash: PackHash::of(b"another"), ..pack };
    let refused = got(&url, AUTHORITY, other).await.unwrap_err().to_string();
    assert!(refused.contains("the gateway sent"), "{refused}");
    let short = PackInfo { size: pack.size - 1, ..pack };
    let refused = got(&url, AUTHORITY, short).await.unwrap_err().to_string();
    assert!(refused.contains("longer than the transaction says"), "{refused}");
}

/// A gateway without TLS that answers each request with a pack as `answer` writes it; its URL.
async fn plain<F, A>(answer: F) -> String
where
    F: Fn(tokio::net::TcpStream) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                PACK.len()
            );
            if stream.write_all(head.as_bytes()).await.is_ok() {
                tokio::spawn(answer(stream));
            }
        }
    });
    format!("http://127.0.0.1:{port}")
}

#[tokio::test]
async fn a_gateway_that_does_not_keep_up_is_left() {
    let drip = |mut stream: tokio::net::TcpStream| async move {
        let _ = stream.write_all(&PACK[..1]).await;
        std::future::pending().await
    };
    let url = plain(drip).await;
    let home = tempfile::TempDir::new().unwrap();
    let mut exchange = exchange(&home, RootCertStore::empty());
    let pack = PackInfo { hash: PackHash::of(PACK), size: PACK.len() as u64 };
    exchange.pace.part_within = Duration::from_secs(3600);
    exchange.pace.grace = Duration::from_millis(100);
    let error = get(&exchange, &url, pack).await.unwrap_err().to_string();
    assert!(error.contains("the gateway is too slow"), "{error}");
    // The next one that has it gives it.
    let whole = plain(|mut stream| async move { drop(stream.write_all(PACK).await) }).await;
    exchange.pace.grace = PACE.grace;
    let refused = anywhere("http://127.0.0.1:1");
    let found = exchange.download(pack, &[refused, anywhere(&whole)], |_, _| {}).await.unwrap();
    assert!(found.is_some());
}

#[tokio::test]
async fn who_does_not_answer_is_told_from_who_has_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let honest = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(head.as_bytes()).await;
        }
    });
    let liar = plain(|mut stream| async move { drop(stream.write_all(&PACK[1..]).await) }).await;
    let whole = plain(|mut stream| async move { drop(stream.write_all(PACK).await) }).await;
    let dead = "http://127.0.0.1:1";
    let home = tempfile::TempDir::new().unwrap();
    let exchange = exchange(&home, RootCertStore::empty());
    let pack = PackInfo { hash: PackHash::of(PACK), size: PACK.len() as u64 };
    let judged = Mutex::new(Vec::new());
    let judge = |url: &str, is_good| judged.lock().unwrap().push((url.to_owned(), is_good));
    let gateways = [&honest[..], dead, &liar, &whole, "http://127.0.0.1:2"].map(anywhere);
    assert!(exchange.download(pack, &gateways, judge).await.unwrap().is_some());
    let expected = [(dead, false), (&liar, false), (&whole, true)];
    assert_eq!(judged.into_inner().unwrap(), expected.map(|(url, good)| (url.to_owned(), good)));
}

#[test]
fn what_came_already_earns_time_at_the_least_rate() {
    let start = Instant::now();
    let pace = Pace {
        part_within: Duration::from_secs(1_000_000),
        grace: Duration::from_secs(10),
        bytes_per_s: 100,
    };
    assert_eq!(pace.due(start, 0), start + Duration::from_secs(10));
    assert_eq!(pace.due(start, 199), start + Duration::from_secs(11));
    assert_eq!(pace.due(start, 5000), start + Duration::from_secs(60));
    let pace = Pace { part_within: Duration::ZERO, ..pace };
    assert!(pace.due(start, u64::MAX) <= Instant::now());
}

#[tokio::test]
async fn so_many_packs_and_no_more_are_asked_of_a_gateway_at_once() {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, opened) = watch::channel(false);
    let counts = (open.clone(), most.clone());
    let url = plain(move |mut stream| {
        let ((open, most), mut opened) = (counts.clone(), opened.clone());
        most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        async move {
            let _ = opened.wait_for(|opened| *opened).await;
            open.fetch_sub(1, Ordering::SeqCst);
            let _ = stream.write_all(PACK).await;
        }
    })
    .await;
    let home = tempfile::TempDir::new().unwrap();
    let exchange = exchange(&home, RootCertStore::empty());
    let pack = PackInfo { hash: PackHash::of(PACK), size: PACK.len() as u64 };
    let urls = [anywhere(&url)];
    let all =
        join_all((0..3 * DOWNLOADS_PER_GATEWAY).map(|_| exchange.download(pack, &urls, |_, _| {})));
    let test = async {
        while open.load(Ordering::SeqCst) < DOWNLOADS_PER_GATEWAY {
            tokio::task::yield_now().await;
        }
        // Who can ask another first does not wait for its turn here.
        let elsewhere = [anywhere("http://127.0.0.1:1"), anywhere(&url)];
        assert!(exchange.download(pack, &elsewhere, |_, _| {}).await.unwrap().is_none());
        gate.send_replace(true);
    };
    let (got, ()) = futures::join!(all, test);
    assert!(got.into_iter().all(|got| got.unwrap().is_some()));
    assert_eq!(most.load(Ordering::SeqCst), DOWNLOADS_PER_GATEWAY);
    assert!(exchange.sources.lock().unwrap().len() <= 2, "what is over is forgotten");
}
