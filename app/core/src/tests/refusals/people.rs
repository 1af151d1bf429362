//! Paying, accounts, keys, handles and recovery.

use guts_schema::sign::ProofOf;
use guts_schema::tx::{AccountAction, Draft};
use guts_schema::{Action, ChainRules, Code, Hash, RepoId, names, validate};

use super::Said;
use crate::mempool::Waiting;
use crate::modules::account::newest_anchor;
use crate::testing::{CHAIN, FEE, Person, World, done};

pub(super) fn provoke(said: &mut Said) {
    paying(said);
    other_ways_of_paying(said);
    accounts(said);
    keys(said);
    recovery(said);
}

fn pay(world: &World, amount: u64) -> Action {
    Action::Transfer { actor: world.alice.id, to: world.bob.id, amount }
}

fn paying(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let alice = w.alice.clone();
    let act = [pay(w, 1)];
    done(w, &alice, act[0].clone());
    let draft = |nonce| Draft::new(CHAIN, alice.id, nonce, &act);
    let signed = |draft: Draft| draft.sign(alice.id, &alice.secret).encode();
    said.tx(w, Code::NonceLow, signed(draft(0).fee(FEE)));
    said.tx(w, Code::NonceHigh, signed(draft(9).fee(FEE)));
    said.tx(w, Code::Expired, signed(draft(1).fee(FEE).valid_until_s(1)));
    said.tx(w, Code::PaymentMissing, signed(draft(1)));
    said.tx(w, Code::FeeLow, signed(draft(1).fee(9)));
    said.tx(w, Code::StakeMissing, signed(draft(1).stake()));
    let (number, anchor) = newest_anchor(&w.state()).unwrap();
    said.tx(w, Code::WorkLow, signed(draft(1).work(number, anchor, 0)));
    said.tx(w, Code::WorkAnchor, signed(draft(1).work(number, Hash::of(b"other"), 0)));
    said.no(w, &alice, Code::BalanceLow, pay(w, u64::MAX));
    let nobody = Action::Transfer { actor: alice.id, to: Person::new(70).id, amount: 1 };
    said.no(w, &alice, Code::AccountUnknown, nobody);
}

fn other_ways_of_paying(said: &mut Said) {
    let mut world = World::with(|state| state.params.accept_work = false);
    let alice = world.alice.clone();
    let (number, anchor) = newest_anchor(&world.state()).unwrap();
    let draft = Draft::new(CHAIN, alice.id, 0, &[pay(&world, 1)]).work(number, anchor, 0);
    said.tx(&mut world, Code::WorkRefused, draft.sign(alice.id, &alice.secret).encode());
    let mut world = World::with(|state| state.params.accept_fee = false);
    let action = pay(&world, 1);
    said.no(&mut world, &alice, Code::FeeRefused, action);
    let world = World::new();
    let next = world.node.app.head().unwrap().next_block();
    let (mut waiting, rules) = (Waiting::new(), ChainRules::new(CHAIN));
    let mut refused = None;
    for nonce in 0..=256 {
        let tx = validate(&world.tx_at(&alice, nonce, &[pay(&world, 1)]), &rules).unwrap();
        refused = waiting.check(&world.state(), &next, &tx).unwrap().err();
    }
    said.refusal(&world, Code::WaitingMany, &refused.unwrap());
}

fn commit(who: &Person, handle: &str) -> Action {
    let commitment = names::handle_commitment(CHAIN, &who.id, handle, &[1; 32]);
    Action::CommitHandle { actor: who.id, commitment }
}

fn claim(who: &Person, handle: &str) -> Action {
    Action::ClaimHandle { actor: who.id, handle: handle.into(), salt: [1; 32] }
}

fn change(who: &Person, change: AccountAction) -> Action {
    Action::Account { actor: who.id, change }
}

fn accounts(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob) = (w.alice.clone(), w.bob.clone());
    said.no(w, &bob, Code::CommitUnknown, claim(&bob, "bob"));
    let create = Action::CreateAccount { actor: alice.id, key: alice.secret.public() };
    said.no(w, &alice, Code::AccountExists, create);
    let both = w.tx(&bob, &[commit(&bob, "bob"), claim(&bob, "bob")]);
    said.tx(w, Code::CommitFresh, both);
    done(w, &bob, commit(&bob, "alice"));
    said.no(w, &bob, Code::CommitExists, commit(&bob, "alice"));
    said.no(w, &bob, Code::HandleTaken, claim(&bob, "alice"));
    done(w, &alice, commit(&alice, "ada"));
    said.no(w, &alice, Code::HandleHeld, claim(&alice, "ada"));
    said.no(w, &bob, Code::HandleNone, change(&bob, AccountAction::ReleaseHandle));
    said.no(w, &alice, Code::HandleInUse, change(&alice, AccountAction::ReleaseHandle));
}

fn add(who: &Person, holder: &Person, repo: Option<RepoId>, until_s: Option<u64>) -> Action {
    let (key, proof) = (holder.secret.public(), holder.proof(ProofOf::Key, &who.id));
    change(who, AccountAction::AddKey { key, proof, repo, until_s })
}

fn keys(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob, other) = (w.alice.clone(), w.bob.clone(), Person::new(120));
    said.no(w, &alice, Code::KeyUsed, add(&alice, &bob, None, None));
    said.no(w, &alice, Code::KeyPast, add(&alice, &other, None, Some(1)));
    let by_other = w.tx_by(&alice, &other.secret, &[pay(w, 1)]);
    said.tx(w, Code::KeyInvalid, by_other);
    done(w, &alice, add(&alice, &other, RepoId::new(1), None));
    let by_other = w.tx_by(&alice, &other.secret, &[pay(w, 1)]);
    said.tx(w, Code::KeyScoped, by_other);
    let revoke = AccountAction::RevokeKey { key: alice.secret.public() };
    said.no(w, &alice, Code::KeyLast, change(&alice, revoke));
    let mut world = World::with(|state| state.params.keys_per_account_max = 1);
    said.no(&mut world, &alice, Code::KeysMany, add(&alice, &other, None, None));
}

fn recovery(said: &mut Said) {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob, gateway) = (w.alice.clone(), w.bob.clone(), w.gateway.clone());
    let guard = |people: &[&Person], delay_s| {
        let mut guardians: Vec<_> = people.iter().map(|who| who.id).collect();
        guardians.sort();
        let threshold = guardians.len() as u32;
        change(&alice, AccountAction::SetGuardians { guardians, threshold, delay_s })
    };
    let fresh = Person::new(121);
    let approve = |who: &Person| {
        let (key, proof) = (fresh.secret.public(), fresh.proof(ProofOf::Key, &alice.id));
        change(who, AccountAction::ApproveRecovery { account: alice.id, key, proof })
    };
    let finish = change(&bob, AccountAction::FinishRecovery { account: alice.id });
    said.no(w, &alice, Code::GuardianUnknown, guard(&[&Person::new(70)], 86_400));
    said.no(w, &alice, Code::RecoveryDelay, guard(&[&bob], 1));
    said.no(w, &bob, Code::NotGuardian, approve(&bob));
    said.no(w, &alice, Code::RecoveryNone, change(&alice, AccountAction::CancelRecovery));
    done(w, &alice, guard(&[&bob, &gateway], 86_400));
    done(w, &bob, approve(&bob));
    said.no(w, &bob, Code::RecoveryOpen, finish.clone());
    done(w, &gateway, approve(&gateway));
    said.no(w, &bob, Code::RecoveryEarly, finish);
}
