//! What is ready after a start, and when.

use std::path::Path;
use std::time::Duration;

use futures::FutureExt;
use guts_app_core::Head;
use guts_git::Limits;
use guts_schema::{keys, proto, values};
use guts_state::{MemoryStore, Overlay, Snapshot};

use super::*;
use crate::config::Config;
use crate::gateways::Gateways;

/// Twenty times what it takes and more.
const DEADLINE: Duration = Duration::from_secs(60);

fn repo(number: u64) -> RepoId {
    RepoId::new(number).unwrap()
}

/// Four repositories, and a push that is pending to the third.
fn state() -> Arc<Committed> {
    let empty = Snapshot::at(Arc::new(MemoryStore::new()), 0).unwrap();
    let mut overlay = Overlay::new(&empty);
    let mut put = |key, value| overlay.put(key, value).unwrap();
    let id = PushId::new([1; PushId::LEN]);
    let push = proto::Push { repo: 3, ..Default::default() };
    put(keys::push(&id), values::encode(&push));
    let pending = proto::PushesPending { ids: vec![id.to_vec()], bytes: 0 };
    put(keys::pushes_pending(), values::encode(&pending));
    put(keys::repos(), values::encode(&proto::Repos { count: 4 }));
    let mut store = MemoryStore::new();
    store.write(&empty.commit(&overlay.into_changes(), 1).unwrap().unwrap());
    Arc::new(Committed::new(None, Snapshot::at(Arc::new(store), 1).unwrap()))
}

#[test]
fn repositories_with_pending_pushes_are_looked_at_first() {
    let numbers: Vec<_> = order(&state()).unwrap().into_iter().map(RepoId::number).collect();
    assert_eq!(numbers, [3, 1, 2, 4]);
}

#[test]
fn a_repository_is_ready_once_it_was_looked_at_whatever_the_others_are() {
    let served = Served::new(state());
    served.set_unseen((1..=3).map(repo));
    let behind = || served.watch().borrow().behind();
    let is_ready = |number| served.reaches(0, repo(number)).now_or_never().is_some();
    assert_eq!(([1, 2, 3, 4].map(is_ready), behind()), ([false, false, false, true], 3));
    assert!(!served.set_behind(repo(1), false), "it was not behind");
    assert!(served.set_behind(repo(2), true), "its objects are missing");
    assert_eq!(([1, 2, 3].map(is_ready), behind()), ([true, false, false], 2));
    assert!(!served.set_behind(repo(2), true));
    assert!(served.set_behind(repo(2), false));
    assert_eq!(([1, 2, 3].map(is_ready), behind()), ([true, true, false], 1));
}

/// The state of height 1, in which a push with that pack is pending, and nothing else is.
fn pending(pack: &PackHash) -> Arc<Committed> {
    let empty = Snapshot::at(Arc::new(MemoryStore::new()), 0).unwrap();
    let mut overlay = Overlay::new(&empty);
    let id = PushId::new([1; PushId::LEN]);
    let pack_hash = pack.to_vec();
    let push = proto::Push { repo: 1, pack_hash, pack_size: 100, ..Default::default() };
    overlay.put(keys::push(&id), values::encode(&push)).unwrap();
    let list = proto::PushesPending { ids: vec![id.to_vec()], bytes: 100 };
    overlay.put(keys::pushes_pending(), values::encode(&list)).unwrap();
    let mut store = MemoryStore::new();
    store.write(&empty.commit(&overlay.into_changes(), 1).unwrap().unwrap());
    let head = Head { chain_id: "guts-test".into(), initial_height: 1, height: 1, time_s: 0 };
    Arc::new(Committed::new(Some(head), Snapshot::at(Arc::new(store), 1).unwrap()))
}

#[tokio::test]
async fn a_start_drops_packs_but_those_of_pending_pushes() {
    let dir = tempfile::TempDir::new().unwrap();
    let (pack, other) = (PackHash::new([1; 32]), PackHash::new([2; 32]));
    let packs = PackStore::open(dir.path()).unwrap();
    for hash in [&pack, &other] {
        std::fs::create_dir(packs.objects(hash)).unwrap();
    }
    let before = Committed::new(None, Snapshot::at(Arc::new(MemoryStore::new()), 0).unwrap());
    let served = Served::new(Arc::new(before));
    let chain = Chain::new((*pending(&pack)).clone());
    let (hook, limits) = (Path::new("/bin/false"), Limits::default());
    // Nobody can make a repository here, so none is waited for.
    let format_of = Box::new(|_| Err("it is not in the state".into()));
    let repositories = Repositories::open(dir.path(), hook, limits, format_of).unwrap();
    let own = AccountId::new([9; AccountId::LEN]);
    let gateways = Gateways::new(chain.clone(), own, &Config::default());
    let runtime = tokio::runtime::Handle::current();
    let checker = Checker::new(
        chain.clone(),
        served.clone(),
        &repositories,
        &packs,
        gateways.clone(),
        runtime,
    );
    let (notify, notices) = mpsc::unbounded_channel();
    let catch_up = CatchUp::new(repositories.clone(), gateways, notify);
    let mut watch = served.watch();
    let follower = Follower {
        chain,
        served,
        repositories,
        packs: packs.clone(),
        held: Held::default(),
        checker,
        catch_up,
        notices,
    };
    let following = tokio::spawn(follower.run());
    let shown = watch.wait_for(|shown| shown.state.height == 1);
    drop(tokio::time::timeout(DEADLINE, shown).await.expect("in time").unwrap());
    following.abort();
    assert!(packs.has(&pack) && !packs.has(&other));
}
