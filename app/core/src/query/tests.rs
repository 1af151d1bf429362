//! Queries: proofs against app hashes, default heights, listings, refusals.

use guts_abci::proto::abci::{RequestQuery, ResponseQuery};
use guts_schema::{Action, Code, keys, proto, query as paths, values};
use guts_state::{Store, verify_absent, verify_present};
use prost::Message;
use std::sync::Arc;

use super::query;
use crate::testing::World;
use crate::testing::refusals::{What, hear};

fn ask(world: &World, path: &str, data: Vec<u8>, height: i64, prove: bool) -> ResponseQuery {
    let store: Arc<dyn Store> = world.node.store.clone();
    let request = RequestQuery { path: path.into(), data: data.into(), height, prove };
    let head = world.node.app.head().filter(|head| head.height > 0);
    let response = query(&store, head, &request).unwrap();
    if let Some(code) = code(&response) {
        hear(What::Query, code, &response.log);
    }
    response
}

fn code(response: &ResponseQuery) -> Option<Code> {
    Code::from_number(response.code)
}

#[test]
fn values_are_proved_by_the_header_that_follows() {
    let mut world = World::new();
    let key = keys::account(&world.alice.id);
    assert_eq!(code(&ask(&world, paths::STORE, key.clone(), 0, true)), Some(Code::QueryHeight));
    world.block(vec![]);
    let mut hashes = vec![[0; 32]];
    for _ in 0..3 {
        let amount = Action::Transfer { actor: world.alice.id, to: world.bob.id, amount: 1 };
        hashes.push(world.state().root().unwrap().hash);
        world.block(vec![world.tx(&world.alice, &[amount])]);
    }
    // By default the newest height whose app hash is in a header: the one before the last.
    let response = ask(&world, paths::STORE, key.clone(), 0, true);
    assert_eq!(response.height, 3);
    let account: proto::Account = values::decode(&response.value).unwrap();
    assert_eq!(account.nonce, 2);
    let proof = |response: &ResponseQuery| response.proof_ops.clone().unwrap().ops.remove(0);
    let op = proof(&response);
    assert_eq!((op.r#type.as_str(), &op.key), (paths::PROOF_TYPE, &key));
    assert!(verify_present(&op.data, &hashes[3], &key, &response.value));
    assert!(!verify_present(&op.data, &hashes[2], &key, &response.value));
    let older = ask(&world, paths::STORE, key.clone(), 2, true);
    assert!(verify_present(&proof(&older).data, &hashes[2], &key, &older.value));
    // Absence.
    let nobody = keys::handle("nobody");
    let absent = ask(&world, paths::STORE, nobody.clone(), 0, true);
    assert!(absent.value.is_empty());
    assert!(verify_absent(&proof(&absent).data, &hashes[3], &nobody));
    // The last height, asked for by number, and without a proof.
    let last = ask(&world, paths::STORE, key, 4, false);
    assert_eq!((values::decode::<proto::Account>(&last.value).unwrap().nonce, last.height), (3, 4));
    assert_eq!(last.proof_ops, None);
}

#[test]
pub(crate) fn what_cannot_be_answered_is_refused() {
    let mut world = World::new();
    world.block(vec![]);
    world.block(vec![]);
    assert_eq!(code(&ask(&world, "/nowhere", vec![], 0, false)), Some(Code::QueryPath));
    assert_eq!(code(&ask(&world, paths::STORE, vec![], 0, true)), Some(Code::QueryData));
    assert_eq!(code(&ask(&world, paths::REFS, vec![0xff], 0, false)), Some(Code::QueryData));
    assert_eq!(code(&ask(&world, paths::REFS, vec![], 0, false)), Some(Code::QueryData));
    let nine = proto::PageRequest { repo: 9, ..Default::default() }.encode_to_vec();
    assert_eq!(code(&ask(&world, paths::REFS, nine, 0, false)), Some(Code::RepoUnknown));
    assert_eq!(code(&ask(&world, paths::STORE, vec![1], 3, false)), Some(Code::QueryHeight));
    assert_eq!(code(&ask(&world, paths::STORE, vec![1], -1, false)), Some(Code::QueryHeight));
}

#[test]
fn a_height_that_was_pruned_is_refused_and_the_oldest_is_named() {
    let mut world = World::new();
    for _ in 0..5 {
        let amount = Action::Transfer { actor: world.alice.id, to: world.bob.id, amount: 1 };
        world.block(vec![world.tx(&world.alice, &[amount])]);
    }
    let key = keys::account(&world.alice.id);
    let kept = ask(&world, paths::STORE, key.clone(), 3, true);
    world.node.store.write().unwrap().prune(3).unwrap();
    assert_eq!(ask(&world, paths::STORE, key.clone(), 3, true), kept);
    let one = proto::PageRequest { repo: 1, ..Default::default() }.encode_to_vec();
    for (path, data) in [(paths::STORE, key), (paths::REFS, one)] {
        let gone = ask(&world, path, data, 2, false);
        assert_eq!(code(&gone), Some(Code::QueryHeight));
        assert_eq!(gone.log, "height 2 is not kept, only those from 3 to 5: ask for one of them");
    }
}

#[test]
fn listings_fit_what_is_proved() {
    let mut world = World::new();
    let alice = world.alice.clone();
    world.pushed(&alice, "alice/hello", &[("refs/heads/main", 0, 1), ("refs/tags/v1", 0, 2)]);
    world.block(vec![]);
    let one = proto::PageRequest { repo: 1, ..Default::default() }.encode_to_vec();
    let refs = ask(&world, paths::REFS, one, 0, false);
    let refs = proto::RefListing::decode(refs.value).unwrap();
    let head = refs.head.unwrap();
    assert_eq!((refs.refs.len(), head.count, head.log_count), (2, 2, 2));
    let terms = ask(&world, paths::TERMS, vec![], 0, false);
    let terms = proto::PaymentTerms::decode(terms.value).unwrap();
    assert!(terms.params.unwrap().accept_work && terms.anchor_number > 0);
}
