//! Each rule of pushes, broken; the tally; and refs against a plain model.

use std::collections::BTreeMap;

use guts_schema::attest::Verdict;
use guts_schema::certificate::Certificate;
use guts_schema::proto::{EditRepo, Push, PushStatus, RefLogEntry};
use guts_schema::tx::{Draft, PushRefs};
use guts_schema::{Action, Code, Hash, Oid, PushId, RepoId, events, keys, refs};
use proptest::prelude::*;

use super::{all_refs, get, head, pending};
use crate::modules::repo::GenesisRepo;
use crate::run::load;
use crate::testing::{CHAIN, FEE, Person, World};

const MAIN: &str = "refs/heads/main";
const REPO: &str = "alice/hello";

fn repo() -> RepoId {
    RepoId::new(1).unwrap()
}

/// The ref log of the repository, which has no holes.
fn log(world: &World) -> Vec<RefLogEntry> {
    let state = world.state();
    let count = head(&state, repo()).unwrap().log_count;
    let entry = |number| load(&state, &keys::ref_log(repo(), number)).unwrap().unwrap();
    (0..count).map(entry).collect()
}

fn push_of(world: &World, id: &PushId) -> Push {
    get(&world.state(), id).unwrap().unwrap()
}

/// Orders a push of alice's that nobody attests.
fn order(world: &mut World, updates: &[(&str, u8, u8)]) -> (PushId, Option<Code>) {
    let certificate = world.alice.certificate(REPO, world.time_s, updates);
    (world.push_id(&certificate), world.one(world.push(&certificate)))
}

fn edit(world: &World, edit: &EditRepo) -> Vec<u8> {
    let action = Action::EditRepo {
        actor: world.alice.id,
        repo: repo(),
        description: edit.description.clone(),
        default_branch: edit.default_branch.clone(),
        archived: edit.archived,
    };
    world.tx(&world.alice, &[action])
}

#[test]
fn two_thirds_must_agree() {
    let mut world = World::new();
    let (id, code) = order(&mut world, &[(MAIN, 0, 1)]);
    assert_eq!(code, None);
    world.attest(id, 0..2, Verdict::Good);
    world.block(vec![]);
    assert_eq!(push_of(&world, &id).status(), PushStatus::Pending);
    // The third arrives; its extension is in the block after.
    world.attest(id, 2..3, Verdict::Good);
    world.block(vec![]);
    let outcome = world.block(vec![]);
    let push = push_of(&world, &id);
    assert_eq!(push.status(), PushStatus::Moved);
    assert_eq!(push.refs_root, head(&world.state(), repo()).unwrap().root);
    let event = &outcome.events(events::PUSH_MOVED)[0];
    assert_eq!(event["refs_root"], hex::encode(&push.refs_root));
    assert_eq!(outcome.events(events::PUSH_ATTESTED).len(), 1, "each verdict is said once");
    assert_eq!(pending(&world.state()).unwrap(), (vec![], 0));
}

#[test]
pub(crate) fn a_third_refuses_with_the_reason() {
    let mut world = World::new();
    let (id, _) = order(&mut world, &[(MAIN, 0, 1)]);
    world.attest(id, 0..1, Verdict::ObjectsMissing);
    world.block(vec![]);
    world.block(vec![]);
    assert_eq!(push_of(&world, &id).status(), PushStatus::Pending);
    world.attest(id, 1..2, Verdict::ObjectsMissing);
    world.block(vec![]);
    let outcome = world.block(vec![]);
    let push = push_of(&world, &id);
    assert_eq!((push.status(), push.code), (PushStatus::Failed, Code::PushRejected.number()));
    assert!(push.reason.contains(Verdict::ObjectsMissing.sentence()), "{}", push.reason);
    assert_eq!(outcome.events(events::PUSH_FAILED)[0]["code"], "push_rejected");
    assert_eq!(head(&world.state(), repo()).unwrap().count, 0);
}

#[test]
fn the_first_verdict_of_a_validator_stands() {
    let mut world = World::new();
    let (id, _) = order(&mut world, &[(MAIN, 0, 1)]);
    world.attest(id, 0..2, Verdict::Good);
    world.block(vec![]);
    world.block(vec![]);
    world.attest(id, 0..2, Verdict::PackCorrupt);
    world.block(vec![]);
    world.block(vec![]);
    assert_eq!(push_of(&world, &id).status(), PushStatus::Pending);
}

#[test]
pub(crate) fn a_push_fails_at_its_deadline() {
    let mut world = World::new();
    let (id, _) = order(&mut world, &[(MAIN, 0, 1)]);
    let root = world.state().root();
    world.block(vec![]);
    assert_ne!(world.state().root(), root, "a pending push keeps blocks coming");
    world.time_s += 119;
    let outcome = world.block(vec![]);
    let push = push_of(&world, &id);
    assert_eq!((push.status(), push.code), (PushStatus::Failed, Code::PushDeadline.number()));
    assert_eq!(outcome.commit.closed, [id]);
    let root = world.state().root();
    world.block(vec![]);
    assert_eq!(world.state().root(), root, "and then the chain rests");
}

#[test]
pub(crate) fn a_certificate_is_used_once_and_goes_stale() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let certificate = alice.certificate(REPO, world.time_s, &[(MAIN, 0, 1)]);
    let id = world.push_id(&certificate);
    world.attest(id, 0..4, Verdict::Good);
    assert_eq!(world.one(world.push(&certificate)), None);
    assert_eq!(world.one(world.push(&certificate)), Some(Code::PushReplayed));
    world.block(vec![]);
    assert_eq!(push_of(&world, &id).status(), PushStatus::Moved);
    assert_eq!(world.one(world.push(&certificate)), Some(Code::PushReplayed));
    // Fresh through the last second of its window; remembered as long as a window can be.
    world.time_s = certificate.nonce.time_s + 6 * 3600 - 1;
    assert_eq!(world.one(world.push(&certificate)), Some(Code::PushReplayed));
    assert_eq!(world.one(world.push(&certificate)), Some(Code::PushReplayed));
    world.time_s = certificate.nonce.time_s + 24 * 3600 - 1;
    assert_eq!(world.one(world.push(&certificate)), Some(Code::PushReplayed));
    assert!(get(&world.state(), &id).unwrap().is_some());
    assert_eq!(world.one(world.push(&certificate)), Some(Code::PushReplayed));
    assert_eq!(get(&world.state(), &id).unwrap(), None, "forgotten");
    let mark = keys::certificate(&certificate.hash());
    let mark = world.node.whole().get::<guts_schema::proto::SpentCertificate>(&mark).unwrap();
    assert_eq!(mark, None, "forgotten with it");
    assert_eq!(world.one(world.push(&certificate)), Some(Code::PushStale));
    let ahead = alice.certificate(REPO, world.time_s + 10, &[(MAIN, 1, 2)]);
    assert_eq!(world.one(world.push(&ahead)), Some(Code::PushStale));
}

#[test]
pub(crate) fn only_the_owner_pushes_and_only_to_what_is_there() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let now = world.time_s;
    let by = |who: &Person, repo: &str| who.certificate(repo, now, &[(MAIN, 0, 1)]);
    let stranger = by(&Person::new(77), REPO);
    assert_eq!(world.one(world.push(&stranger)), Some(Code::PushKeyUnknown));
    assert_eq!(world.one(world.push(&by(&bob, REPO))), Some(Code::PushNotAllowed));
    assert_eq!(world.one(world.push(&by(&alice, "alice/other"))), Some(Code::RepoUnknown));
    assert_eq!(world.one(world.push(&by(&alice, "nobody/hello"))), Some(Code::RepoUnknown));
    let line = format!("{} {} {MAIN}\n", "00".repeat(32), "01".repeat(32));
    let long = alice.certify(REPO, now, [line].into_iter());
    assert_eq!(world.one(world.push(&long)), Some(Code::PushFormat));
    let archive = EditRepo { archived: Some(true), ..Default::default() };
    assert_eq!(world.one(edit(&world, &archive)), None);
    assert_eq!(world.one(world.push(&by(&alice, REPO))), Some(Code::RepoArchived));
}

#[test]
pub(crate) fn what_is_in_flight_is_bounded() {
    let mut world = World::with(|state| {
        state.params.pack_bytes_max = 100;
        state.params.pending_bytes_per_account_max = 250;
        state.params.pending_bytes_max = 250;
        state.params.pending_pushes_per_account_max = 2;
        state.params.pending_pushes_max = 2;
    });
    let alice = world.alice.clone();
    let at = |world: &World, byte| alice.certificate(REPO, world.time_s, &[(MAIN, 0, byte)]);
    assert_eq!(world.one(world.push(&at(&world, 1))), None);
    assert_eq!(world.one(world.push(&at(&world, 2))), None);
    assert_eq!(world.one(world.push(&at(&world, 3))), Some(Code::PushesMany));
    let pack = Some((Hash::of(b"big"), 101));
    let certificate = at(&world, 4);
    let push = Action::PushRefs(Box::new(PushRefs { certificate, pack, operator: None }));
    assert_eq!(world.one(world.tx(&alice, &[push])), Some(Code::PackOversize));
    let mut world = World::with(|state| {
        state.params.pack_bytes_max = 100;
        state.params.pending_bytes_per_account_max = 150;
    });
    assert_eq!(world.one(world.push(&at(&world, 1))), None);
    assert_eq!(world.one(world.push(&at(&world, 2))), Some(Code::PushBytesMany));
    // Once decided, there is room again.
    world.time_s += 200;
    world.block(vec![]);
    assert_eq!(world.one(world.push(&at(&world, 2))), None);
}

/// A world in which bob has a repository too.
fn two_owners(change: impl FnOnce(&mut crate::modules::params::Genesis)) -> World {
    World::with(|state| {
        change(&mut state.params);
        let bob = Person::new(102).secret.public();
        let of_bob = state.account.accounts.iter_mut().find(|account| account.key == bob);
        of_bob.unwrap().handle = "bob".into();
        let repo = GenesisRepo { owner: "bob".into(), ..state.repo.repos[0].clone() };
        state.repo.repos.push(repo);
    })
}

#[test]
pub(crate) fn what_all_have_in_flight_is_bounded() {
    let both = |mut world: World| {
        let (alice, bob) = (world.alice.clone(), world.bob.clone());
        let first = alice.certificate(REPO, world.time_s, &[(MAIN, 0, 1)]);
        assert_eq!(world.one(world.push(&first)), None);
        let second = bob.certificate("bob/hello", world.time_s, &[(MAIN, 0, 1)]);
        let outcome = world.block(vec![world.push(&second)]);
        let last = outcome.results.len() - 1;
        (outcome.code(last), outcome.results[last].log.clone())
    };
    let (code, sentence) = both(two_owners(|params| {
        params.pending_pushes_per_account_max = 1;
        params.pending_pushes_max = 1;
    }));
    assert_eq!(code, Some(Code::PushesMany));
    assert!(sentence.contains("1 pushes of all accounts are in flight"), "{sentence}");
    let (code, sentence) = both(two_owners(|params| {
        params.pack_bytes_max = 100;
        params.pending_bytes_per_account_max = 150;
        params.pending_bytes_max = 150;
    }));
    assert_eq!(code, Some(Code::PushBytesMany));
    assert!(sentence.contains("100 bytes are in flight"), "{sentence}");
}

#[test]
fn a_nonce_made_while_the_chain_rests_is_fresh_when_it_wakes() {
    let mut world = World::new();
    let alice = world.alice.clone();
    world.pushed(&alice, REPO, &[(MAIN, 0, 1)]);
    world.block(vec![]);
    // The newest header a gateway knows of is ten hours old when the push is ordered.
    let first = alice.certificate(REPO, world.time_s, &[(MAIN, 1, 2)]);
    let second = alice.certificate(REPO, world.time_s, &[("refs/heads/b", 0, 2)]);
    world.time_s += 10 * 3600;
    let id = world.push_id(&first);
    world.attest(id, 0..4, Verdict::Good);
    assert_eq!(world.one(world.push(&first)), None);
    // The chain is awake, header time is known again: what was not ordered in time is stale.
    assert_eq!(world.one(world.push(&second)), Some(Code::PushStale));
    assert_eq!(push_of(&world, &world.push_id(&first)).status(), PushStatus::Moved);
    // However long it rests, what was ordered once is not ordered again.
    for _ in 0..3 {
        world.time_s += 10 * 3600;
        let again = world.one(world.push(&first));
        assert!(matches!(again, Some(Code::PushReplayed | Code::PushStale)), "{again:?}");
    }
    assert_eq!(get(&world.state(), &world.push_id(&first)).unwrap(), None, "forgotten");
    assert_eq!(world.one(world.push(&first)), Some(Code::PushStale));
}

/// Its own gateway brings the certificate, and its refs move.
fn assert_moves(world: &mut World, certificate: &Certificate) {
    let id = world.push_id(certificate);
    world.attest(id, 0..4, Verdict::Good);
    assert_eq!(world.one(world.push(certificate)), None);
    world.block(vec![]);
    assert_eq!(end_of(world, &id), (PushStatus::Moved, None));
}

fn end_of(world: &World, id: &PushId) -> (PushStatus, Option<Code>) {
    let push = push_of(world, id);
    (push.status(), Code::from_number(push.code))
}

/// Whoever sees a certificate on its way can bring it with a pack that there is not.
#[test]
pub(crate) fn a_certificate_brought_by_another_first_spoils_nothing() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let certificate = alice.certificate(REPO, world.time_s, &[(MAIN, 0, 1)]);
    let (copy, tx) = world.push_by(&bob, &certificate, "none");
    assert_eq!(world.one(tx), None);
    let id = world.push_id(&certificate);
    assert_ne!(copy, id);
    world.attest(id, 0..4, Verdict::Good);
    assert_eq!(world.one(world.push(&certificate)), None);
    world.block(vec![]);
    assert_eq!(end_of(&world, &id), (PushStatus::Moved, None));
    // What is left of the copy is over with that, and it cannot be brought any more.
    world.block(vec![]);
    assert_eq!(end_of(&world, &copy), (PushStatus::Failed, Some(Code::PushReplayed)));
    let (_, tx) = world.push_by(&bob, &certificate, "another");
    assert_eq!(world.one(tx), Some(Code::PushReplayed));
    assert_eq!(pending(&world.state()).unwrap(), (vec![], 0));
}

#[test]
fn a_copy_that_fails_for_its_pack_does_not_spend_the_certificate() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let certificate = alice.certificate(REPO, world.time_s, &[(MAIN, 0, 1)]);
    let (bad, tx) = world.push_by(&bob, &certificate, "bad");
    world.attest(bad, 0..4, Verdict::PackCorrupt);
    assert_eq!(world.one(tx), None);
    world.block(vec![]);
    assert_eq!(end_of(&world, &bad), (PushStatus::Failed, Some(Code::PushRejected)));
    let (none, tx) = world.push_by(&bob, &certificate, "none");
    assert_eq!(world.one(tx), None);
    world.time_s += 200;
    world.block(vec![]);
    assert_eq!(end_of(&world, &none), (PushStatus::Failed, Some(Code::PushDeadline)));
    assert_moves(&mut world, &certificate);
}

/// Both packs are good: the refs move once, though by then they are where they were.
#[test]
fn a_certificate_moves_refs_once_whoever_brings_it() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let certificate = alice.certificate(REPO, world.time_s, &[("refs/heads/b", 0, 1)]);
    let (copy, tx) = world.push_by(&bob, &certificate, "as good");
    let id = world.push_id(&certificate);
    world.attest(id, 0..4, Verdict::Good);
    world.block(vec![tx, world.push(&certificate)]);
    world.block(vec![]);
    assert_eq!(end_of(&world, &id), (PushStatus::Moved, None));
    world.attest(copy, 0..4, Verdict::Good);
    world.pushed(&alice, REPO, &[("refs/heads/b", 1, 0)]);
    world.block(vec![]);
    assert_eq!(end_of(&world, &copy), (PushStatus::Failed, Some(Code::PushReplayed)));
    assert_eq!(head(&world.state(), repo()).unwrap().count, 0);
    let (_, tx) = world.push_by(&bob, &certificate, "again");
    assert_eq!(world.one(tx), Some(Code::PushReplayed));
}

#[test]
fn what_a_rule_forbade_does_not_happen_later() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let certificate = alice.certificate(REPO, world.time_s, &[(MAIN, 0, 1)]);
    let (copy, tx) = world.push_by(&bob, &certificate, "as good");
    world.block(vec![tx, world.push(&certificate)]);
    let archive = |archived| EditRepo { archived: Some(archived), ..Default::default() };
    assert_eq!(world.one(edit(&world, &archive(true))), None);
    let id = world.push_id(&certificate);
    world.attest(id, 0..4, Verdict::Good);
    world.block(vec![]);
    world.block(vec![]);
    assert_eq!(end_of(&world, &id), (PushStatus::Failed, Some(Code::RepoArchived)));
    assert_eq!(world.one(edit(&world, &archive(false))), None);
    assert_eq!(end_of(&world, &copy), (PushStatus::Failed, Some(Code::PushReplayed)));
    let (_, tx) = world.push_by(&bob, &certificate, "again");
    assert_eq!(world.one(tx), Some(Code::PushReplayed));
}

#[test]
fn copies_take_no_place_of_the_pusher() {
    let mut world = World::with(|state| {
        state.params.pending_pushes_per_account_max = 2;
        state.params.pack_bytes_max = 100;
        state.params.pending_bytes_per_account_max = 200;
    });
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let certificate = alice.certificate(REPO, world.time_s, &[(MAIN, 0, 1)]);
    for (pack, code) in [("a", None), ("b", None), ("c", Some(Code::PushesMany))] {
        let (_, tx) = world.push_by(&bob, &certificate, pack);
        assert_eq!(world.one(tx), code, "{pack}");
    }
    // The same pack again is the same push.
    let (_, tx) = world.push_by(&bob, &certificate, "a");
    assert_eq!(world.one(tx), Some(Code::PushReplayed));
    assert_moves(&mut world, &certificate);
}

#[test]
pub(crate) fn a_lost_race_is_told_when_refs_would_move() {
    let mut world = World::new();
    let (first, _) = order(&mut world, &[(MAIN, 0, 1)]);
    let (second, code) = order(&mut world, &[(MAIN, 0, 2)]);
    assert_eq!(code, None);
    world.attest(first, 0..4, Verdict::Good);
    world.attest(second, 0..4, Verdict::Good);
    world.block(vec![]);
    world.block(vec![]);
    assert_eq!(push_of(&world, &first).status(), PushStatus::Moved);
    let lost = push_of(&world, &second);
    assert_eq!((lost.status(), lost.code), (PushStatus::Failed, Code::RefMoved.number()));
    assert!(lost.reason.contains(&"01".repeat(20)), "{}", lost.reason);
    assert_eq!(order(&mut world, &[(MAIN, 0, 2)]).1, Some(Code::RefMoved));
}

#[test]
pub(crate) fn rules_are_asked_again_when_refs_would_move() {
    let mut world = World::new();
    let (id, _) = order(&mut world, &[(MAIN, 0, 1)]);
    let archive = EditRepo { archived: Some(true), ..Default::default() };
    assert_eq!(world.one(edit(&world, &archive)), None);
    world.attest(id, 0..4, Verdict::Good);
    world.block(vec![]);
    world.block(vec![]);
    let push = push_of(&world, &id);
    assert_eq!((push.status(), push.code), (PushStatus::Failed, Code::RepoArchived.number()));
}

#[test]
fn refs_move_all_or_none() {
    let mut world = World::new();
    let alice = world.alice.clone();
    world.pushed(&alice, REPO, &[(MAIN, 0, 1), ("refs/tags/v1", 0, 1)]);
    let code = order(&mut world, &[(MAIN, 1, 2), ("refs/tags/v1", 9, 2)]).1;
    assert_eq!(code, Some(Code::RefMoved));
    assert_eq!(all_refs(&world.state(), repo()).unwrap().1[0].oid, [1; 20]);
}

#[test]
pub(crate) fn files_and_directories_of_refs_exclude_each_other() {
    let mut world = World::new();
    let alice = world.alice.clone();
    world.pushed(&alice, REPO, &[("refs/heads/a", 0, 1), ("refs/heads/d/x", 0, 1)]);
    assert_eq!(order(&mut world, &[("refs/heads/a/b", 0, 1)]).1, Some(Code::RefInTheWay));
    assert_eq!(order(&mut world, &[("refs/heads/d", 0, 1)]).1, Some(Code::RefInTheWay));
    let both = [("refs/heads/n", 0, 1), ("refs/heads/n/m", 0, 1)];
    assert_eq!(order(&mut world, &both).1, Some(Code::RefInTheWay));
    // A push may replace one by the other.
    world.pushed(&alice, REPO, &[("refs/heads/a/b", 0, 1), ("refs/heads/a", 1, 0)]);
    let names: Vec<_> =
        all_refs(&world.state(), repo()).unwrap().1.into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["refs/heads/a/b", "refs/heads/d/x"]);
}

#[test]
pub(crate) fn refs_are_bounded_and_the_default_branch_stays() {
    let mut world = World::with(|state| state.params.refs_per_repo_max = 2);
    let alice = world.alice.clone();
    world.pushed(&alice, REPO, &[(MAIN, 0, 1), ("refs/heads/b", 0, 1)]);
    assert_eq!(order(&mut world, &[("refs/heads/c", 0, 1)]).1, Some(Code::RefsMany));
    assert_eq!(order(&mut world, &[(MAIN, 1, 0)]).1, Some(Code::DefaultBranchDelete));
    let rename = EditRepo { default_branch: Some("refs/heads/b".into()), ..Default::default() };
    assert_eq!(world.one(edit(&world, &rename)), None);
    world.pushed(&alice, REPO, &[(MAIN, 1, 0)]);
    assert_eq!(head(&world.state(), repo()).unwrap().count, 1);
}

fn forced(places: &[usize]) -> Verdict {
    Verdict::GoodForced(places.iter().copied().collect())
}

#[test]
fn most_of_those_who_find_a_push_good_say_which_refs_it_forces() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let others = ["refs/heads/a", "refs/heads/b"];
    world.pushed(&alice, REPO, &[(MAIN, 0, 1), (others[0], 0, 1), (others[1], 0, 1)]);
    let (id, _) = order(&mut world, &[(MAIN, 1, 2), (others[0], 1, 2), (others[1], 1, 2)]);
    // Of four: three say so of one, two of another, one of the third.
    world.attest(id, 0..1, forced(&[0, 1, 2]));
    world.attest(id, 1..2, forced(&[0, 1]));
    world.attest(id, 2..3, forced(&[0]));
    world.attest(id, 3..4, Verdict::Good);
    world.block(vec![]);
    world.block(vec![]);
    assert_eq!(push_of(&world, &id).status(), PushStatus::Moved);
    let log = log(&world);
    let marks: Vec<_> = log[3..].iter().map(|entry| (&*entry.name, entry.forced)).collect();
    assert_eq!(marks, [(MAIN, true), (others[0], false), (others[1], false)]);
}

#[test]
fn forced_moves_are_marked_in_the_log() {
    let mut world = World::new();
    let alice = world.alice.clone();
    world.pushed(&alice, REPO, &[(MAIN, 0, 1)]);
    let (id, _) = order(&mut world, &[(MAIN, 1, 2)]);
    world.attest(id, 0..4, forced(&[0]));
    world.block(vec![]);
    world.block(vec![]);
    let log = log(&world);
    let marks: Vec<_> = log.iter().map(|entry| entry.forced).collect();
    assert_eq!(marks, [false, true]);
    assert_eq!(log[1].pusher, alice.id.to_vec());
}

#[test]
fn a_gateway_without_stake_pays() {
    let mut world = World::new();
    let bob = world.bob.clone();
    let certificate = world.alice.certificate(REPO, world.time_s, &[(MAIN, 0, 1)]);
    let push = Action::PushRefs(Box::new(PushRefs { certificate, pack: None, operator: None }));
    let draft = Draft::new(CHAIN, bob.id, 0, std::slice::from_ref(&push)).stake();
    let tx = draft.sign(bob.id, &bob.secret).encode();
    assert_eq!(world.one(tx), Some(Code::StakeMissing));
    let draft = Draft::new(CHAIN, bob.id, 0, &[push]).fee(FEE);
    assert_eq!(world.one(draft.sign(bob.id, &bob.secret).encode()), None);
}

/// A push of the model: which refs, to which byte (0 deletes), and whether validators agree.
fn pushes() -> impl Strategy<Value = Vec<(BTreeMap<u8, u8>, bool)>> {
    let updates = prop::collection::btree_map(0u8..12, 0u8..5, 1..6);
    prop::collection::vec((updates, prop::bool::weighted(0.8)), 1..8)
}

/// Names that meet in buckets and directories.
fn name(index: u8) -> String {
    match index % 3 {
        0 => format!("refs/heads/b{}", index / 3),
        1 => format!("refs/heads/b{}/sub", index / 3),
        _ => format!("refs/tags/t{}", index / 3),
    }
}

fn conflicts(refs: &BTreeMap<String, u8>) -> bool {
    refs.keys().any(|name| refs::parents(name).any(|parent| refs.contains_key(parent)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn refs_behave_like_a_plain_map(pushes in pushes()) {
        let mut world = World::new();
        let alice = world.alice.clone();
        let mut model: BTreeMap<String, u8> = BTreeMap::new();
        for (updates, agreed) in pushes {
            let mut after = model.clone();
            let mut lines = Vec::new();
            for (index, new) in updates {
                let name = name(index);
                let old = model.get(&name).copied().unwrap_or(0);
                if old == new {
                    continue;
                }
                match new {
                    0 => after.remove(&name),
                    new => after.insert(name.clone(), new),
                };
                lines.push((name, old, new));
            }
            if lines.is_empty() {
                continue;
            }
            let lines: Vec<(&str, u8, u8)> =
                lines.iter().map(|(name, old, new)| (name.as_str(), *old, *new)).collect();
            let certificate = alice.certificate(REPO, world.time_s, &lines);
            // Somebody was faster, with a pack that there is not: the model knows nothing of it.
            let (_, copy) = world.push_by(&world.bob, &certificate, "none");
            world.block(vec![copy]);
            let verdict = if agreed { Verdict::Good } else { Verdict::ObjectsBad };
            let id = world.push_id(&certificate);
            world.attest(id, 0..4, verdict);
            let code = world.one(world.push(&certificate));
            prop_assert_eq!(code, conflicts(&after).then_some(Code::RefInTheWay));
            world.block(vec![]);
            if agreed && code.is_none() {
                model = after;
            }
            let (head, listed) = all_refs(&world.state(), repo()).unwrap();
            let expected: BTreeMap<String, Oid> =
                model.iter().map(|(name, byte)| (name.clone(), Oid::Sha1([*byte; 20]))).collect();
            let listed: BTreeMap<String, Oid> = listed
                .into_iter()
                .map(|entry| (entry.name, Oid::from_slice(&entry.oid).unwrap()))
                .collect();
            prop_assert_eq!(refs::root(&listed).to_vec(), head.root);
            prop_assert_eq!(listed, expected);
        }
        let tick = world.node.whole().get::<guts_schema::proto::Tick>(&keys::tick()).unwrap();
        prop_assert!(tick.is_none_or(|tick| tick.height <= world.height));
    }
}
