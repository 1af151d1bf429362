//! Each rule of accounts, handles and payment, broken; and what stays when a transaction fails.

use guts_schema::keys::Queue;
use guts_schema::sign::ProofOf;
use guts_schema::tx::{AccountAction, Draft};
use guts_schema::work::{Puzzle, bits_for};
use guts_schema::{Action, Code, Hash, RepoId, events, keys, names, price, proto};
use guts_state::Overlay;
use proptest::prelude::*;

use super::{GenesisAccount, get, handle_owner, newest_anchor, valid_key};
use crate::modules::params;
use crate::run::{Block, Run};
use crate::testing::{CHAIN, FEE, Person, World};

fn transfer(from: &Person, to: &Person, amount: u64) -> Action {
    Action::Transfer { actor: from.id, to: to.id, amount }
}

fn create(who: &Person) -> Action {
    Action::CreateAccount { actor: who.id, key: who.secret.public() }
}

/// A world in which work is quickly done.
fn easy() -> World {
    World::with(|state| {
        state.params.prices.iter_mut().for_each(|price| price.work = 16);
        state.params.work_per_byte = 0;
    })
}

/// Paid by work of `bits` leading zero bits at least, on anchor `number`.
fn worked(world: &World, who: &Person, number: u64, anchor: &Hash, actions: &[Action]) -> Vec<u8> {
    let nonce = world.nonce(who);
    let params = crate::modules::params::get(&world.state()).unwrap();
    let bits = bits_for(price::of(&params, actions.iter().map(Action::kind), 0).work);
    let puzzle = Puzzle::new(CHAIN, &who.id, nonce, anchor);
    let solution = puzzle.search(0, 1 << 20, bits).unwrap();
    let draft = Draft::new(CHAIN, who.id, nonce, actions).work(number, *anchor, solution);
    draft.sign(who.id, &who.secret).encode()
}

fn commitment(who: &Person, handle: &str, salt: u8) -> (Action, Action) {
    let commitment = names::handle_commitment(CHAIN, &who.id, handle, &[salt; 32]);
    let commit = Action::CommitHandle { actor: who.id, commitment };
    let claim = Action::ClaimHandle { actor: who.id, handle: handle.into(), salt: [salt; 32] };
    (commit, claim)
}

#[test]
fn a_newcomer_needs_only_work() {
    let mut world = easy();
    let carol = Person::new(50);
    let (number, anchor) = newest_anchor(&world.state()).unwrap();
    let outcome = world.block(vec![worked(&world, &carol, number, &anchor, &[create(&carol)])]);
    assert_eq!(outcome.code(0), None);
    assert_eq!(outcome.events(events::ACCOUNT_CREATED).len(), 1);
    let account = get(&world.state(), &carol.id).unwrap().unwrap();
    assert_eq!((account.nonce, account.balance, account.created_height), (1, 0, 1));
    let key = carol.secret.public();
    let at = |height: u64| {
        let block = Block { height, ..world.node.app.head().unwrap().next_block() };
        valid_key(&world.state(), &key, &block).unwrap().map(|valid| valid.account)
    };
    assert_eq!(at(1), Some(carol.id));
    assert_eq!(at(0), None, "not valid before it was added");
    // Commit and claim a handle, by work too.
    let (commit, claim) = commitment(&carol, "carol", 1);
    let (number, anchor) = newest_anchor(&world.state()).unwrap();
    assert_eq!(world.one(worked(&world, &carol, number, &anchor, &[commit])), None);
    assert_eq!(world.one(worked(&world, &carol, number, &anchor, &[claim])), None);
    assert_eq!(handle_owner(&world.state(), "carol").unwrap(), Some(carol.id));
}

#[test]
fn a_failed_first_transaction_leaves_the_account_and_spends_the_work() {
    let mut world = easy();
    let carol = Person::new(50);
    let (number, anchor) = newest_anchor(&world.state()).unwrap();
    let (_, claim) = commitment(&carol, "carol", 1);
    let tx = worked(&world, &carol, number, &anchor, &[create(&carol), claim]);
    assert_eq!(world.one(tx.clone()), Some(Code::CommitUnknown));
    assert_eq!(get(&world.state(), &carol.id).unwrap().unwrap().nonce, 1);
    assert_eq!(world.one(tx), Some(Code::NonceLow));
    // The account is as good as any.
    let (commit, _) = commitment(&carol, "carol", 1);
    let (number, anchor) = newest_anchor(&world.state()).unwrap();
    assert_eq!(world.one(worked(&world, &carol, number, &anchor, &[commit])), None);
}

#[test]
pub(crate) fn what_fails_spends_fee_and_nonce_and_nothing_else() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let before = get(&world.state(), &alice.id).unwrap().unwrap();
    let actions = [transfer(&alice, &bob, 5), transfer(&alice, &bob, u64::MAX)];
    let outcome = world.block(vec![world.tx(&alice, &actions)]);
    assert_eq!(outcome.code(0), Some(Code::BalanceLow));
    assert!(outcome.events(events::TRANSFERRED).is_empty());
    assert_eq!(outcome.events(events::FEE_PAID)[0]["amount"], FEE.to_string());
    let after = get(&world.state(), &alice.id).unwrap().unwrap();
    assert_eq!((after.nonce, after.balance), (before.nonce + 1, before.balance - FEE));
    assert_eq!(get(&world.state(), &bob.id).unwrap().unwrap().balance, 1_000_000_000);
}

#[test]
pub(crate) fn order_is_checked_before_anything_is_spent() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let one = [transfer(&alice, &bob, 1)];
    assert_eq!(world.one(world.tx_at(&alice, 1, &one)), Some(Code::NonceHigh));
    assert_eq!(world.one(world.tx_at(&alice, 0, &one)), None);
    assert_eq!(world.one(world.tx_at(&alice, 0, &one)), Some(Code::NonceLow));
    let draft = Draft::new(CHAIN, alice.id, 1, &one).fee(FEE).valid_until_s(world.time_s);
    let late = draft.sign(alice.id, &alice.secret).encode();
    let outcome = world.block(vec![late]);
    assert_eq!(outcome.code(0), Some(Code::Expired));
    assert!(outcome.results[0].events.is_empty());
    assert_eq!(world.nonce(&alice), 1);
    let draft = Draft::new(CHAIN, alice.id, 1, &one).fee(FEE).valid_until_s(world.time_s + 1);
    assert_eq!(world.one(draft.sign(alice.id, &alice.secret).encode()), None);
}

#[test]
pub(crate) fn payment_is_checked() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let one = [transfer(&alice, &bob, 1)];
    let draft = || Draft::new(CHAIN, alice.id, 0, &one);
    let signed = |draft: Draft| draft.sign(alice.id, &alice.secret).encode();
    assert_eq!(world.one(signed(draft())), Some(Code::PaymentMissing));
    assert_eq!(world.one(signed(draft().fee(9))), Some(Code::FeeLow));
    assert_eq!(world.one(signed(draft().fee(2_000_000_000))), Some(Code::BalanceLow));
    assert_eq!(world.one(signed(draft().stake())), Some(Code::StakeMissing));
    let (number, anchor) = newest_anchor(&world.state()).unwrap();
    assert_eq!(world.one(signed(draft().work(number, anchor, 0))), Some(Code::WorkLow));
    let other = Hash::of(b"other");
    assert_eq!(world.one(signed(draft().work(number, other, 0))), Some(Code::WorkAnchor));
    assert_eq!(world.one(signed(draft().work(number + 99, anchor, 0))), Some(Code::WorkAnchor));
    // An operator's stake pays for pushes, not for this.
    let gateway = world.gateway.clone();
    let draft = Draft::new(CHAIN, gateway.id, 0, &[transfer(&gateway, &bob, 1)]).stake();
    let tx = draft.sign(gateway.id, &gateway.secret).encode();
    assert_eq!(world.one(tx), Some(Code::StakeMissing));
    assert_eq!(world.nonce(&alice), 0, "nothing was spent");
}

#[test]
pub(crate) fn a_network_takes_what_its_parameters_say() {
    let mut world = World::with(|state| state.params.accept_work = false);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let (number, anchor) = newest_anchor(&world.state()).unwrap();
    let draft = Draft::new(CHAIN, alice.id, 0, &[transfer(&alice, &bob, 1)]);
    let tx = draft.clone().work(number, anchor, 0).sign(alice.id, &alice.secret).encode();
    assert_eq!(world.one(tx), Some(Code::WorkRefused));
    let mut world = World::with(|state| state.params.accept_fee = false);
    let tx = draft.fee(FEE).sign(alice.id, &alice.secret).encode();
    assert_eq!(world.one(tx), Some(Code::FeeRefused));
}

#[test]
fn what_is_free_needs_no_payment() {
    let paid = |work, fee, accept_work, accept_fee| {
        let mut world = World::with(|state| {
            state.params.prices.iter_mut().for_each(|price| (price.work, price.fee) = (work, fee));
            state.params.work_per_byte = 0;
            (state.params.accept_work, state.params.accept_fee) = (accept_work, accept_fee);
        });
        let (alice, bob) = (world.alice.clone(), world.bob.clone());
        let draft = Draft::new(CHAIN, alice.id, 0, &[transfer(&alice, &bob, 1)]);
        world.one(draft.sign(alice.id, &alice.secret).encode())
    };
    assert_eq!(paid(0, 0, true, true), None);
    assert_eq!(paid(1, 0, false, true), None);
    assert_eq!(paid(0, 1, true, false), None);
    // A price in one accepted way is a price.
    assert_eq!(paid(1, 0, true, true), Some(Code::PaymentMissing));
    assert_eq!(paid(0, 1, true, true), Some(Code::PaymentMissing));
}

#[test]
fn work_names_one_of_the_last_anchors() {
    let mut world = easy();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let (number, anchor) = newest_anchor(&world.state()).unwrap();
    let one = [transfer(&alice, &bob, 1)];
    assert_eq!(number, 0);
    for _ in 0..255 {
        assert_eq!(world.one(world.tx(&bob, &[transfer(&bob, &alice, 1)])), None);
    }
    assert_eq!(world.one(worked(&world, &alice, number, &anchor, &one)), None);
    assert_eq!(world.one(worked(&world, &alice, number, &anchor, &one)), Some(Code::WorkAnchor));
    // Blocks without transactions leave anchors as they are.
    let (newest, _) = newest_anchor(&world.state()).unwrap();
    world.block(vec![]);
    assert_eq!(newest_anchor(&world.state()).unwrap().0, newest);
}

#[test]
pub(crate) fn keys_and_accounts_must_fit() {
    let mut world = World::new();
    let (alice, bob, carol) = (world.alice.clone(), world.bob.clone(), Person::new(50));
    let draft = Draft::new(CHAIN, alice.id, 0, &[transfer(&alice, &bob, 1)]).fee(FEE);
    let stolen = draft.sign(alice.id, &bob.secret).encode();
    assert_eq!(world.one(stolen), Some(Code::KeyInvalid));
    let nobody = world.tx_at(&carol, 0, &[transfer(&carol, &bob, 1)]);
    assert_eq!(world.one(nobody), Some(Code::AccountUnknown));
    let to_nobody = world.tx(&alice, &[transfer(&alice, &carol, 1)]);
    assert_eq!(world.one(to_nobody), Some(Code::AccountUnknown));
    assert_eq!(world.one(world.tx(&alice, &[create(&alice)])), Some(Code::AccountExists));
    // Somebody else may pay for an account, whose key signs too.
    let nonce = world.nonce(&alice);
    let draft = Draft::new(CHAIN, alice.id, nonce, &[create(&carol)]).fee(FEE);
    let both = draft.sign(alice.id, &alice.secret).sign(carol.id, &carol.secret).encode();
    assert_eq!(world.one(both), None);
    assert_eq!(get(&world.state(), &carol.id).unwrap().unwrap().nonce, 0);
}

#[test]
pub(crate) fn handles_are_claimed_by_commit_and_reveal() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let (commit, claim) = commitment(&bob, "bob", 1);
    assert_eq!(world.one(world.tx(&bob, std::slice::from_ref(&claim))), Some(Code::CommitUnknown));
    // Not in the block of the commitment itself.
    let both = [commit.clone(), claim.clone()];
    assert_eq!(world.one(world.tx(&bob, &both)), Some(Code::CommitFresh));
    assert_eq!(world.one(world.tx(&bob, std::slice::from_ref(&commit))), None);
    assert_eq!(world.one(world.tx(&bob, &[commit])), Some(Code::CommitExists));
    // The commitment binds the account: whoever sees the claim cannot make it.
    let stolen = Action::ClaimHandle { actor: alice.id, handle: "bob".into(), salt: [1; 32] };
    assert_eq!(world.one(world.tx(&alice, &[stolen])), Some(Code::CommitUnknown));
    assert_eq!(world.one(world.tx(&bob, &[claim])), None);
    let (commit, claim) = commitment(&bob, "bobby", 2);
    assert_eq!(world.one(world.tx(&bob, &[commit])), None);
    assert_eq!(world.one(world.tx(&bob, &[claim])), Some(Code::HandleHeld));
    let gateway = world.gateway.clone();
    let (commit, claim) = commitment(&gateway, "bob", 3);
    assert_eq!(world.one(world.tx(&gateway, &[commit])), None);
    assert_eq!(world.one(world.tx(&gateway, &[claim])), Some(Code::HandleTaken));
}

#[test]
fn commitments_last_an_hour_and_go() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let (commit, claim) = commitment(&bob, "bob", 1);
    let Action::CommitHandle { commitment: hash, .. } = commit else { unreachable!() };
    assert_eq!(world.one(world.tx(&bob, std::slice::from_ref(&commit))), None);
    world.time_s += 3601;
    assert_eq!(world.one(world.tx(&bob, std::slice::from_ref(&claim))), Some(Code::CommitUnknown));
    // That block had a transaction, so what expired is gone.
    let left: Option<proto::HandleCommit> =
        world.node.whole().get(&keys::handle_commit(&bob.id, &hash)).unwrap();
    assert_eq!(left, None);
    assert_eq!(world.one(world.tx(&bob, &[commit])), None);
    assert_eq!(world.one(world.tx(&bob, &[claim])), None);
    assert_eq!(world.one(world.tx(&alice, &[transfer(&alice, &bob, 1)])), None);
}

#[test]
fn a_commitment_that_may_be_claimed_for_longer_goes_later() {
    let mut world = World::new();
    let bob = world.bob.clone();
    let (commit, _) = commitment(&bob, "bob", 1);
    let Action::CommitHandle { commitment: hash, .. } = commit else { unreachable!() };
    assert_eq!(world.one(world.tx(&bob, &[commit])), None);
    let state = world.state();
    let made_s = world.time_s;
    let mut block = world.node.app.head().unwrap().next_block();
    let mut changes = Run::new(&block, &state);
    let mut params = params::get(&state).unwrap();
    params.handle_commit_s = 7200;
    params::put(&mut changes, &params).unwrap();
    let mut changes = changes.state.into_changes();
    for (after_s, is_left) in [(3600, true), (7199, true), (7200, false)] {
        block.time_s = made_s + after_s;
        let mut run = Run { state: Overlay::with(&state, changes), ..Run::new(&block, &state) };
        super::block::end(&mut run).unwrap();
        let left = super::state::commit(&run.state, &bob.id, &hash).unwrap();
        assert_eq!(left.is_some(), is_left, "after {after_s} seconds");
        changes = run.state.into_changes();
    }
    let waiting = super::state::queue_range(&Overlay::with(&state, changes), Queue::HandleCommits);
    assert!(waiting.unwrap().is_empty());
}

fn change(who: &Person, change: AccountAction) -> Action {
    Action::Account { actor: who.id, change }
}

fn add(who: &Person, key: &Person, repo: Option<u64>, until_s: Option<u64>) -> Action {
    let proof = key.proof(ProofOf::Key, &who.id);
    let repo = repo.and_then(RepoId::new);
    change(who, AccountAction::AddKey { key: key.secret.public(), proof, repo, until_s })
}

fn revoke(who: &Person, key: &Person) -> Action {
    change(who, AccountAction::RevokeKey { key: key.secret.public() })
}

#[test]
pub(crate) fn keys_come_and_go() {
    let mut world = World::with(|state| state.params.keys_per_account_max = 3);
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let (second, third) = (Person::new(60), Person::new(61));
    let (code, sentence) = world.refused(world.tx(&alice, &[revoke(&alice, &alice)]));
    assert_eq!(code, Code::KeyLast);
    assert!(sentence.contains("add another before revoking"), "{sentence}");
    let outcome = world.block(vec![world.tx(&alice, &[add(&alice, &second, None, None)])]);
    assert_eq!(outcome.events(events::KEY_ADDED)[0]["key"], second.secret.public().to_string());
    // Either key acts now; the first may go, and cannot come back or act again.
    assert_eq!(world.one(world.tx_by(&alice, &second.secret, &[revoke(&alice, &alice)])), None);
    let pay = [transfer(&alice, &bob, 1)];
    assert_eq!(world.refused(world.tx(&alice, &pay)).0, Code::KeyInvalid);
    // Nor does it pay: an account that exists is not made again, so nothing is taken of it.
    let before = get(&world.state(), &alice.id).unwrap();
    assert_eq!(world.refused(world.tx(&alice, &[create(&alice)])).0, Code::KeyInvalid);
    assert_eq!(get(&world.state(), &alice.id).unwrap(), before);
    assert_eq!(world.one(world.tx_by(&alice, &second.secret, &pay)), None);
    let by = |world: &World, action| world.tx_by(&alice, &second.secret, &[action]);
    let again = world.refused(by(&world, add(&alice, &alice, None, None)));
    assert_eq!(again.0, Code::KeyUsed);
    assert!(again.1.contains("use another"), "{}", again.1);
    let (code, sentence) = world.refused(by(&world, revoke(&alice, &alice)));
    assert_eq!(code, Code::KeyInvalid, "{sentence}");
    assert_eq!(world.refused(by(&world, revoke(&alice, &bob))).0, Code::KeyInvalid);
    assert_eq!(world.one(by(&world, add(&alice, &third, None, None))), None);
    let (code, sentence) = world.refused(by(&world, add(&alice, &Person::new(62), None, None)));
    assert_eq!(code, Code::KeysMany);
    assert!(sentence.contains("has had 3 keys"), "{sentence}");
}

#[test]
pub(crate) fn a_key_for_one_repository_pushes_there_and_nothing_else() {
    let mut world = World::new();
    let (alice, bob, robot) = (world.alice.clone(), world.bob.clone(), Person::new(60));
    let create = Action::CreateRepo {
        actor: alice.id,
        name: "two".into(),
        description: String::new(),
        default_branch: "refs/heads/main".into(),
        object_format: proto::ObjectFormat::Sha1,
    };
    let scoped = add(&alice, &robot, Some(1), None);
    assert_eq!(world.one(world.tx(&alice, &[create, scoped])), None);
    let tx = world.tx_by(&alice, &robot.secret, &[transfer(&alice, &bob, 1)]);
    let (code, sentence) = world.refused(tx);
    assert_eq!(code, Code::KeyScoped);
    assert!(sentence.contains("pushes to repository 1 and does nothing else"), "{sentence}");
    let main = [("refs/heads/main", 0, 1)];
    let there = robot.certificate("alice/hello", world.time_s, &main);
    assert_eq!(world.one(world.push(&there)), None);
    let elsewhere = robot.certificate("alice/two", world.time_s, &main);
    assert_eq!(world.one(world.push(&elsewhere)), Some(Code::KeyScoped));
    // It does not count as control of the account.
    let last = world.tx(&alice, &[revoke(&alice, &alice)]);
    assert_eq!(world.refused(last).0, Code::KeyLast);
}

#[test]
pub(crate) fn a_key_expires() {
    let mut world = World::new();
    let (alice, bob, guest) = (world.alice.clone(), world.bob.clone(), Person::new(60));
    let past = add(&alice, &guest, None, Some(world.time_s));
    let (code, sentence) = world.refused(world.tx(&alice, &[past]));
    assert_eq!(code, Code::KeyPast);
    assert!(sentence.contains("choose a later end"), "{sentence}");
    let until = add(&alice, &guest, None, Some(world.time_s + 100));
    let outcome = world.block(vec![world.tx(&alice, &[until])]);
    assert!(outcome.events(events::KEY_ADDED)[0].contains_key("until"));
    let pay = [transfer(&alice, &bob, 1)];
    assert_eq!(world.one(world.tx_by(&alice, &guest.secret, &pay)), None);
    assert_eq!(world.refused(world.tx(&alice, &[revoke(&alice, &alice)])).0, Code::KeyLast);
    world.time_s += 100;
    let late = world.tx_by(&alice, &guest.secret, &pay);
    assert_eq!(world.refused(late).0, Code::KeyInvalid);
}

#[test]
pub(crate) fn handles_are_given_and_given_up() {
    let mut world = World::new();
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let give =
        |from: &Person, to: &Person| change(from, AccountAction::TransferHandle { to: to.id });
    let release = |who: &Person| change(who, AccountAction::ReleaseHandle);
    let (code, sentence) = world.refused(world.tx_with(&alice, &bob, &[give(&alice, &bob)]));
    assert_eq!(code, Code::HandleInUse);
    assert!(sentence.contains("1 repositories are named by the handle alice"), "{sentence}");
    assert_eq!(world.refused(world.tx(&alice, &[release(&alice)])).0, Code::HandleInUse);
    let (code, sentence) = world.refused(world.tx(&bob, &[release(&bob)]));
    assert_eq!(code, Code::HandleNone);
    assert!(sentence.contains("has no handle to give"), "{sentence}");
    let (commit, claim) = commitment(&bob, "bob", 1);
    assert_eq!(world.one(world.tx(&bob, &[commit])), None);
    assert_eq!(world.one(world.tx(&bob, &[claim])), None);
    let held = world.refused(world.tx_with(&bob, &alice, &[give(&bob, &alice)]));
    assert_eq!(held.0, Code::HandleHeld);
    let outcome = world.block(vec![world.tx_with(&bob, &gateway, &[give(&bob, &gateway)])]);
    assert_eq!(outcome.events(events::HANDLE_TRANSFERRED)[0]["handle"], "bob");
    assert_eq!(handle_owner(&world.state(), "bob").unwrap(), Some(gateway.id));
    assert_eq!(get(&world.state(), &bob.id).unwrap().unwrap().handle, "");
    // Whoever gets it has an account by then.
    let nobody = Person::new(70);
    let early = [give(&gateway, &nobody), create(&nobody)];
    let unknown = world.refused(world.tx_with(&gateway, &nobody, &early));
    assert_eq!(unknown.0, Code::AccountUnknown);
    let outcome = world.block(vec![world.tx(&gateway, &[release(&gateway)])]);
    assert_eq!(outcome.events(events::HANDLE_RELEASED)[0]["handle"], "bob");
    assert_eq!(handle_owner(&world.state(), "bob").unwrap(), None);
    // Free for whoever claims it next.
    let (commit, claim) = commitment(&bob, "bob", 2);
    assert_eq!(world.one(world.tx(&bob, &[commit])), None);
    assert_eq!(world.one(world.tx(&bob, &[claim])), None);
}

fn guard(who: &Person, guardians: &[&Person], threshold: u32, delay_s: u64) -> Action {
    let mut guardians: Vec<_> = guardians.iter().map(|guardian| guardian.id).collect();
    guardians.sort();
    change(who, AccountAction::SetGuardians { guardians, threshold, delay_s })
}

fn approve(guardian: &Person, account: &Person, key: &Person) -> Action {
    let proof = key.proof(ProofOf::Key, &account.id);
    let (account, key) = (account.id, key.secret.public());
    change(guardian, AccountAction::ApproveRecovery { account, key, proof })
}

fn finish(who: &Person, account: &Person) -> Action {
    change(who, AccountAction::FinishRecovery { account: account.id })
}

const DAY_S: u64 = 24 * 3600;

#[test]
pub(crate) fn guardians_recover_an_account() {
    let mut world = World::new();
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let (fresh, other) = (Person::new(60), Person::new(61));
    let both = [&bob, &gateway];
    let hasty = world.refused(world.tx(&alice, &[guard(&alice, &both, 2, 60)]));
    assert_eq!(hasty.0, Code::RecoveryDelay);
    assert!(hasty.1.contains("86400 seconds at least"), "{}", hasty.1);
    for bad in [&alice, &other] {
        let tx = world.tx(&alice, &[guard(&alice, &[&bob, bad], 1, DAY_S)]);
        let (code, sentence) = world.refused(tx);
        assert_eq!(code, Code::GuardianUnknown);
        assert!(sentence.contains("guardians are other accounts"), "{sentence}");
    }
    let (code, sentence) = world.refused(world.tx(&bob, &[approve(&bob, &alice, &fresh)]));
    assert_eq!(code, Code::NotGuardian);
    assert!(sentence.contains("only a guardian"), "{sentence}");
    let none = world.refused(world.tx(&bob, &[finish(&bob, &alice)]));
    assert_eq!(none.0, Code::RecoveryNone);
    assert_eq!(world.one(world.tx(&alice, &[guard(&alice, &both, 2, DAY_S)])), None);
    let used = world.refused(world.tx(&bob, &[approve(&bob, &alice, &gateway)]));
    assert_eq!(used.0, Code::KeyUsed);
    assert_eq!(world.one(world.tx(&bob, &[approve(&bob, &alice, &fresh)])), None);
    let open = world.refused(world.tx(&bob, &[finish(&bob, &alice)]));
    assert_eq!(open.0, Code::RecoveryOpen);
    assert!(open.1.contains("ask the others"), "{}", open.1);
    // They must agree on one key.
    assert_eq!(world.one(world.tx(&gateway, &[approve(&gateway, &alice, &other)])), None);
    assert_eq!(world.refused(world.tx(&bob, &[finish(&bob, &alice)])).0, Code::RecoveryOpen);
    let outcome = world.block(vec![world.tx(&gateway, &[approve(&gateway, &alice, &fresh)])]);
    assert_eq!(outcome.events(events::RECOVERY_READY).len(), 1);
    let early = world.refused(world.tx(&bob, &[finish(&bob, &alice)]));
    assert_eq!(early.0, Code::RecoveryEarly);
    assert!(early.1.contains("wait"), "{}", early.1);
    world.time_s += DAY_S;
    let outcome = world.block(vec![world.tx(&bob, &[finish(&bob, &alice)])]);
    assert_eq!(outcome.events(events::RECOVERED)[0]["key"], fresh.secret.public().to_string());
    // The account goes on with its new key alone.
    let pay = [transfer(&alice, &bob, 1)];
    assert_eq!(world.refused(world.tx(&alice, &pay)).0, Code::KeyInvalid);
    assert_eq!(world.one(world.tx_by(&alice, &fresh.secret, &pay)), None);
    assert_eq!(handle_owner(&world.state(), "alice").unwrap(), Some(alice.id));
}

#[test]
pub(crate) fn an_owner_stops_a_recovery_and_a_change_of_mind_delays_it() {
    let mut world = World::new();
    let (alice, bob, gateway) = (world.alice.clone(), world.bob.clone(), world.gateway.clone());
    let (fresh, other) = (Person::new(60), Person::new(61));
    let cancel = [change(&alice, AccountAction::CancelRecovery)];
    assert_eq!(world.refused(world.tx(&alice, &cancel)).0, Code::RecoveryNone);
    assert_eq!(world.one(world.tx(&alice, &[guard(&alice, &[&bob, &gateway], 1, DAY_S)])), None);
    assert_eq!(world.one(world.tx(&bob, &[approve(&bob, &alice, &fresh)])), None);
    assert_eq!(world.one(world.tx(&alice, &cancel)), None);
    world.time_s += DAY_S;
    assert_eq!(world.refused(world.tx(&bob, &[finish(&bob, &alice)])).0, Code::RecoveryNone);
    // Another key that enough agree on takes the place of the first, and its own time.
    assert_eq!(world.one(world.tx(&bob, &[approve(&bob, &alice, &fresh)])), None);
    world.time_s += DAY_S - 10;
    assert_eq!(world.one(world.tx(&gateway, &[approve(&gateway, &alice, &other)])), None);
    world.time_s += 10;
    assert_eq!(world.refused(world.tx(&bob, &[finish(&bob, &alice)])).0, Code::RecoveryEarly);
    // The one who named it thinks again: nobody names it now, and the first is not due either.
    assert_eq!(world.one(world.tx(&gateway, &[approve(&gateway, &alice, &fresh)])), None);
    assert_eq!(world.refused(world.tx(&bob, &[finish(&bob, &alice)])).0, Code::RecoveryEarly);
    // A key that came to belong to somebody meanwhile is no new key.
    let taken = add(&gateway, &fresh, None, None);
    assert_eq!(world.one(world.tx(&gateway, &[taken])), None);
    world.time_s += DAY_S;
    assert_eq!(world.refused(world.tx(&bob, &[finish(&bob, &alice)])).0, Code::KeyUsed);
    // Other guardians, or none, begin anew.
    assert_eq!(world.one(world.tx(&alice, &[guard(&alice, &[], 0, 0)])), None);
    assert_eq!(world.refused(world.tx(&alice, &cancel)).0, Code::RecoveryNone);
}

#[test]
fn who_thinks_again_leaves_the_others_what_they_agree_on() {
    let guardians: Vec<_> = (60..64).map(Person::new).collect();
    let mut world = World::with(|state| {
        state.account.accounts.extend(guardians.iter().map(|one| GenesisAccount {
            key: one.secret.public(),
            handle: String::new(),
            balance: 1_000_000_000,
        }));
    });
    let alice = world.alice.clone();
    let (first, second, third) = (Person::new(70), Person::new(71), Person::new(72));
    let all: Vec<_> = guardians.iter().collect();
    assert_eq!(world.one(world.tx(&alice, &[guard(&alice, &all, 2, DAY_S)])), None);
    for (guardian, key) in guardians.iter().zip([&first, &first, &second, &second]) {
        assert_eq!(world.one(world.tx(guardian, &[approve(guardian, &alice, key)])), None);
    }
    // Two agree on each; and then only on the first, which has its own time from now on.
    let last = &guardians[3];
    let outcome = world.block(vec![world.tx(last, &[approve(last, &alice, &third)])]);
    let [ready] = &outcome.events(events::RECOVERY_READY)[..] else { panic!("it is agreed on") };
    assert_eq!(ready["key"], first.secret.public().to_string());
    assert_eq!(ready["due"], (world.time_s + DAY_S).to_string());
    world.time_s += DAY_S;
    assert_eq!(world.one(world.tx(last, &[finish(last, &alice)])), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn balances_behave_like_a_plain_model(
        blocks in prop::collection::vec(
            prop::collection::vec((0usize..3, 0usize..3, 0u64..700_000_000), 0..6),
            1..6,
        )
    ) {
        let mut world = World::new();
        let people = [world.alice.clone(), world.bob.clone(), world.gateway.clone()];
        let mut balances = [1_000_000_000u64; 3];
        let mut nonces = [0u64; 3];
        for block in &blocks {
            let mut txs = Vec::new();
            let mut expected = Vec::new();
            for (from, to, amount) in block {
                let amount = amount + 1;
                let action = transfer(&people[*from], &people[*to], amount);
                txs.push(world.tx_at(&people[*from], nonces[*from], &[action]));
                if balances[*from] < FEE {
                    // Not even the fee: nothing is spent, not the nonce either.
                    expected.push(Some(Code::BalanceLow));
                    continue;
                }
                nonces[*from] += 1;
                balances[*from] -= FEE;
                let enough = balances[*from] >= amount;
                if enough {
                    balances[*from] -= amount;
                    balances[*to] += amount;
                }
                expected.push(if enough { None } else { Some(Code::BalanceLow) });
            }
            let outcome = world.block(txs);
            let codes: Vec<_> = (0..expected.len()).map(|i| outcome.code(i)).collect();
            prop_assert_eq!(codes, expected);
        }
        for (person, (balance, nonce)) in people.iter().zip(balances.iter().zip(nonces)) {
            let account = get(&world.state(), &person.id).unwrap().unwrap();
            prop_assert_eq!((account.balance, account.nonce), (*balance, nonce));
        }
    }
}
