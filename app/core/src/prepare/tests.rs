//! What a proposer takes into its block, and what it leaves out because nobody would pay for it.

use guts_schema::tx::{AccountAction, Draft};
use guts_schema::{Action, Code};

use crate::testing::{CHAIN, FEE, Person, World, done};

fn transfer(world: &World, who: &Person) -> Action {
    Action::Transfer { actor: who.id, to: world.gateway.id, amount: 1 }
}

/// What a proposer makes of these, without attestations.
fn chosen(world: &mut World, txs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let chosen = world.prepare(txs.to_vec(), 1 << 20);
    chosen.into_iter().map(|tx| tx.to_vec()).collect()
}

#[test]
fn proposals_are_ordered_by_nonce_and_fee() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let tx = |who: &Person, nonce, fee| {
        let action = Action::Transfer { actor: who.id, to: alice.id, amount: 1 };
        Draft::new(CHAIN, who.id, nonce, &[action]).fee(fee).sign(who.id, &who.secret).encode()
    };
    let (a0, a1, a3) = (tx(&alice, 0, 10), tx(&alice, 1, 5000), tx(&alice, 3, 9000));
    let (b0, b0_dear) = (tx(&bob, 0, 100), tx(&bob, 0, 200));
    let given = [a3, a1.clone(), b0, a0.clone(), b0_dear.clone(), b"junk".to_vec()];
    assert_eq!(chosen(&mut world, &given), [b0_dear, a0, a1]);
}

#[test]
fn what_follows_a_revoked_key_takes_no_room() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let other = Person::new(60);
    let proof = other.proof(guts_schema::sign::ProofOf::Key, &alice.id);
    let add =
        AccountAction::AddKey { key: other.secret.public(), proof, repo: None, until_s: None };
    done(&mut world, &alice, Action::Account { actor: alice.id, change: add });
    let change = AccountAction::RevokeKey { key: alice.secret.public() };
    let revoke = Action::Account { actor: alice.id, change };
    let first = world.tx(&alice, &[revoke]);
    let rides: Vec<_> =
        (2..20).map(|nonce| world.tx_at(&alice, nonce, &[transfer(&world, &alice)])).collect();
    let all = [vec![first.clone()], rides].concat();
    assert_eq!(chosen(&mut world, &all), [first]);
    refused_for_nothing(&mut world, &all, Code::KeyInvalid);
}

#[test]
fn what_follows_a_drained_balance_takes_no_room() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let drain = Action::Transfer { actor: alice.id, to: bob.id, amount: 1_000_000_000 };
    let draft = Draft::new(CHAIN, bob.id, 0, &[drain]).fee(2 * FEE);
    let first = draft.sign(bob.id, &bob.secret).sign(alice.id, &alice.secret).encode();
    let rides: Vec<_> =
        (0..20).map(|nonce| world.tx_at(&alice, nonce, &[transfer(&world, &alice)])).collect();
    let all = [vec![first.clone()], rides].concat();
    assert_eq!(chosen(&mut world, &all), [first]);
    refused_for_nothing(&mut world, &all, Code::BalanceLow);
}

#[test]
fn one_that_fails_and_pays_is_taken() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let all = Action::Transfer { actor: alice.id, to: bob.id, amount: 1_000_000_000 };
    let txs = [world.tx(&alice, &[all]), world.tx_at(&alice, 1, &[transfer(&world, &alice)])];
    assert_eq!(chosen(&mut world, &txs), txs);
    let block = world.prepare(txs.to_vec(), 1 << 20);
    assert!(world.process(&block));
    let outcome = world.decide(block);
    assert_eq!((outcome.code(0), outcome.code(1)), (Some(Code::BalanceLow), None));
}

/// Another proposer may take such transactions all the same: its block is as good as any, and what
/// rides does nothing.
fn refused_for_nothing(world: &mut World, all: &[Vec<u8>], code: Code) {
    let outcome = world.block(all.to_vec());
    assert_eq!(outcome.code(0), None);
    assert_eq!(outcome.code(1), Some(code));
    assert!((2..all.len()).all(|place| outcome.code(place).is_some()));
}

#[test]
fn an_own_proposal_is_executed_once_and_as_any_other() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let certificate = alice.certificate("alice/hello", world.time_s, &[("refs/heads/m", 0, 1)]);
    let id = world.push_id(&certificate);
    world.attest(id, 0..4, guts_schema::attest::Verdict::Good);
    world.block(vec![world.push(&certificate)]);
    world.absent = vec![2];
    let txs = vec![
        world.tx(&alice, &[transfer(&world, &alice)]),
        world.tx(&bob, &[transfer(&world, &bob)]),
    ];
    let block = world.prepare(txs, 1 << 20);
    assert_eq!(block.len(), 3, "with the attestations");
    assert!(world.node.app.has_prepared());
    // The replica, which saw no proposal, compares what it gets.
    assert!(world.process(&block));
    assert!(!world.node.app.has_prepared(), "what was executed is used");
    let outcome = world.decide(block);
    assert_eq!(outcome.commit.closed, [world.push_id(&certificate)]);
    assert!((0..3).all(|place| outcome.code(place).is_none()));
}

#[test]
fn another_block_than_the_own_is_executed_anew() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let txs = vec![world.tx(&alice, &[transfer(&world, &alice)])];
    let block = world.prepare(txs, 1 << 20);
    // The same transactions in a block of another time, as another proposer may make it.
    world.time_s += 5;
    assert!(world.process(&block));
    assert!(world.node.app.has_prepared());
    assert_eq!(world.decide(block).code(0), None);
}
