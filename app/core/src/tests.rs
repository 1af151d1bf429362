//! The whole machine: blocks, proposals, replay, rest, queries.

use guts_schema::attest::{Attested, Verdict, is_pseudo_tx};
use guts_schema::tx::Draft;
use guts_schema::{Action, Code, PushId, events};

use crate::modules::{self, push};
use crate::testing::{FEE, World};
use crate::{App, AppState};

#[test]
fn a_chain_lives_and_rests() {
    let mut world = World::new();
    world.block(vec![]);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let transfer = Action::Transfer { actor: alice.id, to: bob.id, amount: 5 };
    let outcome = world.block(vec![world.tx(&alice, &[transfer])]);
    assert_eq!(outcome.code(0), None);
    assert_eq!(outcome.events(events::TRANSFERRED)[0]["amount"], "5");
    world.block(vec![]);
    world.restart();
    world.block(vec![]);
    let create = Action::CreateRepo {
        actor: alice.id,
        name: "new".into(),
        description: "one line".into(),
        default_branch: "refs/heads/main".into(),
        object_format: guts_schema::proto::ObjectFormat::Sha1,
    };
    assert_eq!(world.one(world.tx(&alice, &[create])), None);
    assert_eq!(modules::repo::count(&world.state()).unwrap(), 2);

    let certificate = alice.certificate("alice/new", world.time_s, &[("refs/heads/main", 0, 7)]);
    let id = world.push_id(&certificate);
    world.attest(id, 0..3, Verdict::Good);
    let ordered = world.block(vec![world.push(&certificate)]);
    assert_eq!(ordered.events(events::PUSH_ORDERED)[0]["push"], id.to_string());
    let moved = world.block(vec![]);
    assert_eq!(moved.commit.closed, [id]);
    assert_eq!(moved.results.len(), 1, "pseudo-transaction 0");
    assert_eq!(moved.events(events::REF_MOVED)[0]["new"], "07".repeat(20));
    let repo = guts_schema::RepoId::new(2).unwrap();
    let (head, refs) = push::all_refs(&world.state(), repo).unwrap();
    assert_eq!((head.count, refs.len(), refs[0].name.as_str()), (1, 1, "refs/heads/main"));
    world.block(vec![]);
}

#[test]
fn refs_move_forward_and_back() {
    let mut world = World::new();
    world.block(vec![]);
    let alice = world.alice.clone();
    let main = "refs/heads/main";
    world.pushed(&alice, "alice/hello", &[(main, 0, 7), ("refs/tags/v1", 0, 7)]);
    world.pushed(&alice, "alice/hello", &[(main, 7, 8), ("refs/tags/v1", 7, 0)]);
    let repo = guts_schema::RepoId::new(1).unwrap();
    let (head, refs) = push::all_refs(&world.state(), repo).unwrap();
    assert_eq!((head.count, head.log_count), (1, 4));
    assert_eq!(refs[0].oid, [8; 20]);
}

#[test]
fn genesis_exports_what_it_was_made_of() {
    let state = World::genesis();
    let world = World::try_genesis(4, &state).unwrap();
    let mut world = world;
    world.block(vec![]);
    assert_eq!(modules::export(&world.node.whole()).unwrap(), state);
    assert_eq!(AppState::parse(state.to_json().as_bytes()).unwrap(), state);
}

#[test]
fn a_chain_goes_on_from_its_exported_state() {
    let mut world = World::new();
    let alice = world.alice.clone();
    world.pushed(&alice, "alice/hello", &[("refs/heads/main", 0, 7)]);
    let pending = alice.certificate("alice/hello", world.time_s, &[("refs/heads/b", 0, 1)]);
    assert_eq!(world.one(world.push(&pending)), None);
    let whole = world.node.whole();
    let state = AppState::of(&whole);
    let again = AppState::parse(state.to_json().as_bytes()).unwrap();
    assert_eq!(again, state);
    let root = world.state().root().unwrap();
    let (mut next, first) = (world.restarted(&state).unwrap(), world.height + 1);
    assert_eq!(next.state().root().unwrap().hash, root.hash, "an equal state has an equal root");
    assert_eq!(next.height + 1, first);
    // Both go on alike.
    let tx = world.tx(&alice, &[transfer(&world, 5)]);
    let (one, other) = (world.block(vec![tx.clone()]), next.block(vec![tx]));
    assert_eq!(one.results, other.results);
    assert_eq!(world.node.whole(), next.node.whole());
}

#[test]
fn an_exported_state_that_was_changed_is_refused() {
    let mut world = World::new();
    world.block(vec![]);
    let state = AppState::of(&world.node.whole());
    let refused = |change: &dyn Fn(&mut AppState)| {
        let mut state = state.clone();
        change(&mut state);
        world.restarted(&state).err().expect("refused").to_string()
    };
    let twice = refused(&|s| s.entries.push(s.entries[0].clone()));
    assert!(twice.contains("twice"), "{twice}");
    assert!(refused(&|s| s.entries[0].value = "xx".into()).contains("hex"));
    let supply = hex::encode(guts_schema::keys::supply());
    let poor = refused(&|s| s.entries.retain(|entry| entry.key != supply));
    assert!(poor.contains("supply"), "{poor}");
    let mut fewer = World::try_genesis(3, &World::genesis()).unwrap();
    fewer.height = world.height;
    let foreign = fewer.restarted(&state).err().expect("refused").to_string();
    assert!(foreign.contains("validators of the document"), "{foreign}");
}

#[test]
fn genesis_that_contradicts_itself_is_refused() {
    let refused = |change: &dyn Fn(&mut AppState)| {
        let mut state = World::genesis();
        change(&mut state);
        World::try_genesis(4, &state).err().expect("refused").to_string()
    };
    let twice = refused(&|s| {
        let first = s.account.accounts[0].clone();
        s.account.accounts.push(first);
    });
    assert!(twice.contains("belongs or belonged"), "{twice}");
    let taken = refused(&|s| s.account.accounts.iter_mut().for_each(|a| a.handle = "x1".into()));
    assert!(taken.contains("two accounts have the handle"), "{taken}");
    let rich = refused(&|s| s.account.accounts.iter_mut().for_each(|a| a.balance = u64::MAX));
    assert!(rich.contains("add up"), "{rich}");
    let owner = refused(&|s| s.repo.repos[0].owner = "nobody".into());
    assert!(owner.contains("nobody/hello"), "{owner}");
    let name = refused(&|s| s.repo.repos[0].name = "Bad Name".into());
    assert!(name.contains("Bad Name"), "{name}");
}

fn transfer(world: &World, amount: u64) -> Action {
    Action::Transfer { actor: world.alice.id, to: world.bob.id, amount }
}

#[test]
fn bad_transactions_make_a_block_bad() {
    let mut world = World::new();
    world.block(vec![]);
    let good = world.tx(&world.alice, &[transfer(&world, 1)]);
    let foreign = Draft::new("other-chain", world.alice.id, 0, &[transfer(&world, 1)]).fee(FEE);
    let foreign = foreign.sign(world.alice.id, &world.alice.secret).encode();
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let oversize = vec![0x0a; guts_schema::limits::TX_BYTES_MAX + 1];
    for bad in [b"junk".to_vec(), foreign, forged, oversize, vec![], vec![0xff, 1, 2]] {
        assert!(!world.process(&[good.clone().into(), bad.clone().into()]));
        // Should such a block be decided all the same, the transaction does nothing.
        let before = world.state().root();
        let outcome = world.decide(vec![bad.into()]);
        assert!(outcome.code(0).is_some());
        assert_ne!(world.state().root(), before, "its hash is an anchor");
    }
    assert!(world.process(&[good.into()]));
}

#[test]
fn attestations_are_checked() {
    let mut world = World::new();
    let certificate =
        world.alice.certificate("alice/hello", world.time_s, &[("refs/heads/m", 0, 1)]);
    let id = world.push_id(&certificate);
    world.attest(id, 0..3, Verdict::Good);
    world.block(vec![world.push(&certificate)]);
    let pseudo = world.prepare(vec![], 1 << 20).remove(0);
    let good = Attested::decode(&pseudo).unwrap();
    assert_eq!((good.height, good.votes.len()), (world.height, 3));
    let changed = |change: &dyn Fn(&mut Attested)| {
        let mut attested = good.clone();
        change(&mut attested);
        bytes::Bytes::from(attested.encode())
    };
    let stranger = crate::testing::address(&world.bob);
    let bad = [
        changed(&|a| a.height += 1),
        changed(&|a| a.height = 0),
        changed(&|a| a.round += 1),
        changed(&|a| a.votes[0].validator = stranger),
        changed(&|a| a.votes[0].signature = a.votes[1].signature),
        pseudo.slice(..pseudo.len() - 1),
    ];
    for bad in bad {
        assert!(!world.process(std::slice::from_ref(&bad)), "{bad:?}");
    }
    assert!(!world.process(&[pseudo.clone(), pseudo.clone()]), "only at the start, only once");
    assert!(world.process(std::slice::from_ref(&pseudo)));
    // Decided without having been accepted, a bad one does nothing.
    let outcome = world.decide(vec![changed(&|a| a.round += 1)]);
    assert_eq!(outcome.code(0), Some(Code::TxPseudo));
    assert!(outcome.commit.closed.is_empty());
}

#[test]
fn a_proposer_keeps_room_for_attestations_and_leaves_out_old_news() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let certificate = alice.certificate("alice/hello", world.time_s, &[("refs/heads/m", 0, 1)]);
    let id = world.push_id(&certificate);
    world.attest(id, 0..2, Verdict::Good);
    world.block(vec![world.push(&certificate)]);
    let tx = world.tx(&alice, &[transfer(&world, 1)]);
    let all = world.prepare(vec![tx.clone()], 1 << 20);
    assert_eq!(all.len(), 2);
    assert!(is_pseudo_tx(&all[0]));
    let size: u64 = all.iter().map(|tx| crate::prepare::size_in_block(tx.len())).sum();
    // One byte less, and it is the transaction that waits.
    let tight = world.prepare(vec![tx.clone()], size as i64 - 1);
    assert_eq!(tight, all[..1]);
    assert_eq!(world.prepare(vec![tx.clone()], -1), all);
    world.block(vec![]);
    // Both verdicts are on the chain: nothing new to carry.
    let next = world.prepare(vec![tx.clone()], 1 << 20);
    assert_eq!(next, [bytes::Bytes::from(tx)]);
}

#[test]
fn only_four_proposals_are_kept() {
    let mut world = World::new();
    let txs: Vec<_> = (1..=6).map(|i| world.tx(&world.alice, &[transfer(&world, i)])).collect();
    for tx in &txs {
        assert!(world.process(&[tx.clone().into()]));
        assert!(world.process(&[tx.clone().into()]), "asked again");
    }
    // The first was dropped and is executed again, with the replica's result.
    let outcome = world.decide(vec![txs[0].clone().into()]);
    assert_eq!(outcome.code(0), None);
}

#[test]
fn calls_out_of_order_are_refused() {
    let store = std::sync::Arc::new(guts_state::MemoryStore::new());
    let mut app = App::new(store, None);
    assert!(app.process(&Default::default(), &crate::Direct).is_ok_and(|accepted| !accepted));
    let block = guts_abci::proto::abci::RequestFinalizeBlock {
        hash: vec![1; 32].into(),
        height: 1,
        ..Default::default()
    };
    assert!(app.finalize(&block, &crate::Direct).is_err());
    assert!(app.commit().is_err());
    let mut world = World::new();
    world.block(vec![]);
    let far = guts_abci::proto::abci::RequestFinalizeBlock { height: 9, ..block };
    assert!(world.node.app.finalize(&far, &crate::Direct).is_err());
    assert!(world.node.app.init_chain(&Default::default()).is_err());
}

#[test]
fn extensions_are_read_by_form_alone() {
    use guts_schema::attest::encode_extension;
    let (one, _) = encode_extension([(PushId::new([1; 32]), Verdict::Good)]);
    assert!(App::verify_vote_extension(b""));
    assert!(App::verify_vote_extension(&one));
    assert!(!App::verify_vote_extension(b"junk"));
    assert!(!App::verify_vote_extension(&[0; 3000]));
}

#[test]
fn a_chain_may_start_at_another_height() {
    let mut world = World::new();
    let first = 1000;
    world.start_at(first);
    assert_eq!(world.state().root().unwrap().version, first - 1);
    world.block(vec![]);
    let root = world.state().root().unwrap();
    assert_eq!(root.version, first - 1, "a first block without anything to do rests too");
    world.restart();
    assert_eq!(world.one(world.tx(&world.alice, &[transfer(&world, 1)])), None);
    assert_eq!(world.state().root().unwrap().version, first + 1);
    assert_eq!(world.node.app.info().unwrap().last_block_height, first as i64 + 1);
}

mod accounts;
mod audits;
mod candidates;
mod faucets;
mod handles;
mod houses;
mod orgs;
mod pushes;
mod random;
mod recoveries;
mod refusals;
mod rules;
mod slashing;
mod stakes;
mod talks;
mod votes;

/// A server calls it from the threads of its connections.
#[test]
fn the_machine_goes_from_thread_to_thread() {
    fn is_sent<T: Send>() {}
    is_sent::<App>();
}
