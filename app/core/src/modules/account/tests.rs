//! Each rule of accounts, handles and payment, broken; and what stays when a transaction fails.

use guts_schema::tx::Draft;
use guts_schema::work::{Puzzle, bits_for};
use guts_schema::{Action, Code, Hash, events, keys, names, price, proto};
use proptest::prelude::*;

use super::{get, handle_owner, key_owner, newest_anchor};
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
    assert_eq!(key_owner(&world.state(), &key, 1).unwrap(), Some(carol.id));
    assert_eq!(key_owner(&world.state(), &key, 0).unwrap(), None, "not valid before it was added");
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
fn what_fails_spends_fee_and_nonce_and_nothing_else() {
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
fn order_is_checked_before_anything_is_spent() {
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
fn payment_is_checked() {
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
fn a_network_takes_what_its_parameters_say() {
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
    let mut world = World::with(|state| {
        state.params.prices.iter_mut().for_each(|price| price.fee = 0);
    });
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let draft = Draft::new(CHAIN, alice.id, 0, &[transfer(&alice, &bob, 1)]);
    assert_eq!(world.one(draft.sign(alice.id, &alice.secret).encode()), None);
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
fn keys_and_accounts_must_fit() {
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
fn handles_are_claimed_by_commit_and_reveal() {
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
        world.node.whole().get(&keys::handle_commit(&hash)).unwrap();
    assert_eq!(left, None);
    assert_eq!(world.one(world.tx(&bob, &[commit])), None);
    assert_eq!(world.one(world.tx(&bob, &[claim])), None);
    assert_eq!(world.one(world.tx(&alice, &[transfer(&alice, &bob, 1)])), None);
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
