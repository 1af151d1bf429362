//! A gateway that keeps everybody waiting.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use guts_git::{Limits, ObjectFormat};
use guts_schema::AccountId;
use guts_state::{MemoryStore, Snapshot};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;
use crate::chain::{Chain, Committed};
use crate::config::Config;

/// Longest wait for something that takes a second.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the gateway saw.
#[derive(Default)]
struct Seen {
    open: AtomicUsize,
    most: AtomicUsize,
    asked: AtomicUsize,
}

/// Keeps requests until the gate opens, then ends them without an answer; its URL.
async fn gateway(seen: Arc<Seen>, gate: watch::Receiver<bool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (seen, mut gate) = (seen.clone(), gate.clone());
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                seen.asked.fetch_add(1, Ordering::SeqCst);
                seen.most.fetch_max(seen.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let _ = gate.wait_for(|open| *open).await;
                seen.open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    url
}

#[tokio::test]
async fn each_repository_is_fetched_once_at_a_time_and_few_of_them() {
    let (seen, home) = (Arc::new(Seen::default()), tempfile::TempDir::new().unwrap());
    let (gate, closed) = watch::channel(false);
    let url = gateway(seen.clone(), closed).await;
    let empty = Snapshot::at(Arc::new(MemoryStore::new()), 0).unwrap();
    let chain = Chain::new(Committed::new(None, empty));
    let config = Config { gateways: vec![url], ..Config::default() };
    let gateways = Gateways::new(chain, AccountId::new([1; 20]), &config);
    let format_of = Box::new(|_| Ok(ObjectFormat::Sha1));
    let limits = Limits::default();
    let repositories =
        Repositories::open(home.path(), Path::new("/bin/false"), limits, format_of).unwrap();
    let (notify, mut notices) = mpsc::unbounded_channel();
    let catch_up = CatchUp::new(repositories, gateways, notify);
    let all: Vec<RepoId> = (1..=3 * AT_ONCE as u64).filter_map(RepoId::new).collect();
    let tip: Oid = "11".repeat(20).parse().unwrap();
    for _ in 0..3 {
        for repo in &all {
            catch_up.fetch(*repo, format!("alice/{repo}"), vec![tip], true);
            catch_up.later(*repo);
        }
    }
    let test = async {
        while seen.open.load(Ordering::SeqCst) < AT_ONCE {
            tokio::task::yield_now().await;
        }
        gate.send_replace(true);
        let mut told = BTreeSet::new();
        while told.len() < all.len() {
            let Some(Notice::Again(repo)) = notices.recv().await else { panic!("another notice") };
            assert!(told.insert(repo), "{repo} twice");
        }
    };
    tokio::time::timeout(DEADLINE, test).await.expect("within the deadline");
    assert_eq!(seen.most.load(Ordering::SeqCst), AT_ONCE);
    assert_eq!(seen.asked.load(Ordering::SeqCst), all.len());
    assert!(catch_up.begin(all[0]).is_some(), "it may be fetched again");
}
