//! What is ready after a start, and when.

use futures::FutureExt;
use guts_schema::{keys, proto, values};
use guts_state::{MemoryStore, Overlay, Snapshot};

use super::*;

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
