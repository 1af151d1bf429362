//! A page says what each entry alone says, keeps within its bytes and is read in a search's place.

use super::*;
use crate::backend::search::SEARCHES_MAX;
use crate::backend::{Chain, Searches};
use crate::config::Config;
use crate::genesis::Genesis;
use crate::home::Home;
use crate::shell::Shown;
use crate::store::tests::{decided, genesis};
use crate::store::{Batch, Memory};
use futures::FutureExt as _;
use guts_consensus::io::Decided;
use guts_rpc::Backend;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const TX_BYTES: usize = 1_000;
const TXS: u32 = 21;
/// A block that is not decoded between other answers, and its second transaction.
const LONG: u64 = 4;
const LONG_TX: &str = "last=1";

fn block(height: u64) -> Decided {
    let txs: Vec<_> = (0..TXS).map(|at| format!("{height}/{at}={:0>TX_BYTES$}", "")).collect();
    decided(height, &txs.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A store of three blocks, in a directory that lives as long as what is returned first.
fn store() -> (tempfile::TempDir, Arc<Store>) {
    let dir = tempfile::tempdir().unwrap();
    let memory = Memory { cache_bytes: 1 << 20, memtable_bytes: 4 << 20 };
    let store = Store::open(dir.path(), memory).unwrap();
    for height in 1..=3 {
        let mut batch = Batch::default();
        store.put_block(&mut batch, &block(height));
        let result = |index| pb::ExecTxResult { gas_used: i64::from(index), ..<_>::default() };
        let tx_results = (0..TXS).map(result).collect();
        let response = pb::ResponseFinalizeBlock { tx_results, ..<_>::default() };
        store.put_response(&mut batch, Height(height), &response);
        store.write(batch, false).unwrap();
    }
    (dir, Arc::new(store))
}

fn put_long(store: &Store) {
    let first = "a".repeat(300_000);
    let mut batch = Batch::default();
    store.put_block(&mut batch, &decided(LONG, &[&first, LONG_TX]));
    let tx_results = vec![pb::ExecTxResult::default(); 2];
    let response = pb::ResponseFinalizeBlock { tx_results, ..<_>::default() };
    store.put_response(&mut batch, Height(LONG), &response);
    store.write(batch, false).unwrap();
}

fn hit((height, index): (u64, u32)) -> TxHit {
    TxHit { height, index }
}

/// What is answered to a page that is refused.
fn refused<T>(answer: Result<Vec<T>, Failed>) -> String {
    answer.err().expect("refused").0.data.unwrap_or_default()
}

#[test]
fn a_page_of_transactions_says_what_each_alone_says() {
    let (_dir, store) = store();
    let asked = [(3, 20), (3, 4), (3, 3), (2, 0), (1, 20), (1, 0)].map(hit);
    let page = txs(&store, &asked, true, PageRoom::default()).ok().unwrap();
    assert_eq!(page.len(), asked.len());
    for (got, hit) in page.iter().zip(asked) {
        assert_eq!((got.height.unsigned_abs(), got.index), (hit.height, hit.index));
        assert_eq!(got.tx_result.gas_used, i64::from(hit.index));
        let alone = txs(&store, &[hit], true, PageRoom::default()).ok().unwrap();
        assert_eq!(&alone[..], std::slice::from_ref(got));
        let block = store.block(Height(hit.height)).unwrap().unwrap();
        let (_, proof) = block.txs().proof(hit.index as usize).unwrap();
        let root = &block.header().data_hash;
        let hash: [u8; 32] = Sha256::digest(&got.tx.0).into();
        assert!(proof.verify(root, &hash).is_ok());
        let shown = got.proof.as_ref().unwrap();
        assert_eq!(shown.root_hash.0, root.to_vec());
        assert_eq!(shown.proof, proof.to_proto().into());
    }
    let bare = txs(&store, &asked, false, PageRoom::default()).ok().unwrap();
    assert!(bare.iter().all(|tx| tx.proof.is_none()));
    assert!(refused(txs(&store, &[hit((3, TXS))], true, PageRoom::default())).contains("no tx"));
}

#[test]
fn a_page_that_is_too_large_is_refused_and_one_entry_never_is() {
    let (_dir, store) = store();
    let two = [(1, 0), (1, 1)].map(hit);
    assert_eq!(txs(&store, &two, true, PageRoom::new(3 * TX_BYTES)).ok().unwrap().len(), 2);
    assert_eq!(txs(&store, &two[..1], true, PageRoom::new(1)).ok().unwrap().len(), 1);
    let says = "the page is larger than 1500 bytes: ask for less with per_page";
    assert_eq!(refused(txs(&store, &two, true, PageRoom::new(1_500))), says);
    let block_bytes = store.block_bytes(Height(2)).unwrap().unwrap().len();
    let room = || PageRoom::new(2 * block_bytes);
    assert_eq!(blocks(&store, &[2, 1], room()).ok().unwrap().len(), 2);
    assert!(refused(blocks(&store, &[3, 2, 1], room())).contains("per_page"));
    assert_eq!(blocks(&store, &[3], PageRoom::new(1)).ok().unwrap().len(), 1);
}

#[tokio::test]
async fn pages_are_read_in_the_places_of_searches() {
    let (_dir, store) = store();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("config")).unwrap();
    let home = Home::new(dir.path());
    std::fs::write(home.config("genesis.json"), genesis().to_json()).unwrap();
    let chain = Arc::new(Chain {
        config: Config::default(),
        genesis: Arc::new(Genesis::open(&home).unwrap()),
        store,
        shown: Arc::new(Shown::default()),
        searches: Searches::default(),
    });
    put_long(&chain.store);
    chain.shown.top.store(LONG, Ordering::Release);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let searches: Vec<_> = (0..SEARCHES_MAX)
        .map(|_| {
            let (chain, gate) = (chain.clone(), gate.clone());
            tokio::spawn(async move {
                let wait = move |_: &dyn Fn() -> bool| gate.lock().unwrap().recv().is_err();
                assert!(chain.searches.run(wait).await.unwrap(), "until it is dropped");
            })
        })
        .collect();
    // Each has its place once it has been polled.
    tokio::task::yield_now().await;
    let mut txs = chain.txs_at(vec![hit((1, 0)), hit((2, 0))], true);
    let mut blocks = chain.blocks_at(vec![1, 2]);
    assert!((&mut txs).now_or_never().is_none(), "nothing is read here");
    assert!((&mut blocks).now_or_never().is_none(), "nothing is read here");
    assert!(chain.block(1).now_or_never().is_some(), "one block is");
    assert!(chain.block_results(1).now_or_never().is_some(), "and what came of it");
    let mut long = chain.block(LONG);
    assert!((&mut long).now_or_never().is_none(), "but not a long one");
    let mut results = chain.block_results(LONG);
    assert!((&mut results).now_or_never().is_none(), "nor what came of it");
    let mut tx = chain.tx(tx_hash(LONG_TX.as_bytes()).to_vec(), true);
    assert!((&mut tx).now_or_never().is_none(), "nor a transaction of it");
    let mut whole = chain.genesis();
    assert!((&mut whole).now_or_never().is_none(), "nor the genesis document");
    drop(open);
    assert_eq!(long.await.unwrap().block.unwrap().data.txs.len(), 2);
    assert_eq!(results.await.unwrap().height, 4);
    assert_eq!(tx.await.unwrap().expect("it is there").index, 1);
    assert!(whole.await.unwrap().genesis.get().contains("genesis_time"));
    assert_eq!(txs.await.unwrap().len(), 2);
    assert_eq!(blocks.await.unwrap().len(), 2);
    for search in searches {
        search.await.unwrap();
    }
}
