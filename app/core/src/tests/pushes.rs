//! Pushes before they are ordered, what validators say of many, what changes while they are in
//! flight, and bounds that are lowered.

use guts_schema::attest::Verdict;
use guts_schema::proto::propose::Content;
use guts_schema::proto::{self, PushStatus, RepoRole, VoteOption};
use guts_schema::sign::ProofOf;
use guts_schema::tx::{AccountAction, GovernanceAction, PushRefs, RepoAction};
use guts_schema::{AccountId, Action, Code, Hash, PushId, RepoId};

use crate::modules::{params, push};
use crate::testing::stake::delegate;
use crate::testing::{Person, World, done};

const REPO: &str = "alice/hello";
const MAIN: &str = "refs/heads/main";
const PACK_MAX: u64 = 1000;

fn world() -> World {
    World::with(|state| {
        state.params.pack_bytes_max = PACK_MAX;
        state.params.pending_pushes_max = 100;
        state.params.pending_pushes_per_account_max = 100;
    })
}

/// A push by `who` with a pack of that size.
fn pushed(world: &World, who: &Person, repo: &str, size: u64) -> PushRefs {
    let certificate = who.certificate(repo, world.time_s, &[(MAIN, 0, 1)]);
    PushRefs { certificate, pack: Some((Hash::of(b"pack"), size)), operator: None }
}

fn refusal(world: &World, payer: &AccountId, push: &PushRefs) -> Option<Code> {
    let next = world.node.app.head().unwrap().next_block();
    push::refusal(&world.state(), &next, payer, push).unwrap().err().map(|refusal| refusal.code)
}

#[test]
fn what_the_chain_would_refuse_is_known_before_anybody_fetches_a_pack() {
    let mut world = world();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let stranger = Person::new(99);
    let mut old = pushed(&world, &alice, REPO, 1);
    old.certificate = alice.certificate(REPO, world.time_s - 100_000, &[(MAIN, 0, 1)]);
    let cases = [
        (pushed(&world, &stranger, REPO, 1), Code::PushKeyUnknown),
        (pushed(&world, &bob, REPO, 1), Code::PushNotAllowed),
        (pushed(&world, &alice, REPO, PACK_MAX + 1), Code::PackOversize),
        (pushed(&world, &alice, REPO, 1 << 60), Code::PackOversize),
        (pushed(&world, &alice, "alice/none", 1), Code::RepoUnknown),
        (old, Code::PushStale),
    ];
    for (push, code) in cases {
        assert_eq!(refusal(&world, &bob.id, &push), Some(code));
        let tx = world.tx(&bob, &[Action::PushRefs(Box::new(push))]);
        assert_eq!(world.one(tx), Some(code), "as the chain has it");
    }
    let good = pushed(&world, &alice, REPO, PACK_MAX);
    assert_eq!(refusal(&world, &bob.id, &good), None);
    world.attest(good.id(&bob.id), 0..4, Verdict::Good);
    assert_eq!(world.one(world.tx(&bob, &[Action::PushRefs(Box::new(good.clone()))])), None);
    world.block(vec![]);
    for payer in [&bob.id, &alice.id] {
        assert_eq!(refusal(&world, payer, &good), Some(Code::PushReplayed));
    }
}

#[test]
fn a_commit_says_which_pushes_its_failed_transactions_had() {
    let mut world = world();
    let bob = world.bob.clone();
    let mut good = pushed(&world, &world.alice, REPO, 1);
    let bad = pushed(&world, &bob, REPO, 1);
    let pay = Action::Transfer { actor: bob.id, to: bob.id, amount: 1 };
    let nonce = world.nonce(&bob);
    let txs = [vec![pay], vec![Action::PushRefs(Box::new(bad.clone()))]];
    let mut txs: Vec<_> = (nonce..).zip(&txs).map(|(n, tx)| world.tx_at(&bob, n, tx)).collect();
    good.pack = None;
    txs.push(world.push(&good.certificate));
    let outcome = world.block(txs);
    assert_eq!([0, 1, 2].map(|i| outcome.code(i)), [None, Some(Code::PushNotAllowed), None]);
    assert_eq!(outcome.commit.failed, [bad.id(&bob.id)]);
}

/// Orders so many pushes, each of another branch.
fn order_many(world: &mut World, count: usize) -> Vec<PushId> {
    let names: Vec<String> = (0..count).map(|i| format!("refs/heads/b{i}")).collect();
    let one = |name: &String| world.alice.certificate(REPO, world.time_s, &[(name, 0, 1)]);
    let certificates: Vec<_> = names.iter().map(one).collect();
    let nonce = world.nonce(&world.gateway);
    let txs = (nonce..).zip(&certificates).map(|(n, one)| world.push_at(n, one)).collect();
    let ids = certificates.iter().map(|one| world.push_id(one)).collect();
    world.block(txs);
    ids
}

/// As when some only get the packs: what half of the validators say decides nothing, and the pushes
/// stay until their deadline.
#[test]
fn what_cannot_be_decided_does_not_keep_new_pushes_from_being_attested() {
    for verdict in [Verdict::Good, Verdict::GoodForced((0..256).collect())] {
        let mut world = world();
        for id in order_many(&mut world, 60) {
            world.attest(id, 0..2, verdict);
        }
        (0..4).for_each(|_| drop(world.block(vec![])));
        assert_eq!(push::pending(&world.state()).unwrap().0.len(), 60);
        let certificate = world.alice.certificate(REPO, world.time_s, &[(MAIN, 0, 1)]);
        let id = world.push_id(&certificate);
        world.attest(id, 0..4, verdict);
        assert_eq!(world.one(world.push(&certificate)), None);
        world.block(vec![]);
        let found = push::get(&world.state(), &id).unwrap().unwrap();
        assert_eq!(found.status(), PushStatus::Moved, "{verdict:?}");
    }
}

#[test]
fn every_verdict_gets_to_the_chain_however_many_there_are() {
    let mut world = world();
    let ids = order_many(&mut world, 60);
    for id in &ids {
        world.attest(*id, 0..4, Verdict::GoodForced((0..256).collect()));
    }
    (0..5).for_each(|_| drop(world.block(vec![])));
    for id in ids {
        let found = push::get(&world.state(), &id).unwrap().unwrap();
        assert_eq!(found.status(), PushStatus::Moved);
    }
}

/// How a push ends that all validators find good only after alice has done something.
fn end_after(world: &mut World, who: &Person, update: (&str, u8, u8), act: Action) -> Option<Code> {
    let certificate = who.certificate(REPO, world.time_s, &[update]);
    let id = world.push_id(&certificate);
    assert_eq!(world.one(world.push(&certificate)), None);
    let alice = world.alice.clone();
    done(world, &alice, act);
    world.attest(id, 0..4, Verdict::Good);
    (0..2).for_each(|_| drop(world.block(vec![])));
    Code::from_number(push::get(&world.state(), &id).unwrap().unwrap().code)
}

#[test]
pub(crate) fn a_push_in_flight_is_held_to_the_rules_that_came_meanwhile() {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob, robot) = (w.alice.clone(), w.bob.clone(), Person::new(60));
    let (repo, key) = (RepoId::new(1).unwrap(), robot.secret.public());
    let own = |change| Action::Account { actor: alice.id, change };
    let act = |change| Action::Repo { actor: alice.id, repo, change };
    let role = |role| act(RepoAction::SetCollaborator { account: bob.id, role });
    let proof = robot.proof(ProofOf::Key, &alice.id);
    done(w, &alice, own(AccountAction::AddKey { key, proof, repo: None, until_s: None }));
    done(w, &alice, role(RepoRole::Write));
    let (a, b) = ("refs/heads/a", "refs/heads/b");
    w.pushed(&alice, REPO, &[(a, 0, 1), (b, 0, 1)]);
    let rule = Some(proto::Protection { no_delete: true, ..Default::default() });
    let other_default = Action::EditRepo {
        actor: alice.id,
        repo,
        description: None,
        default_branch: Some(b.into()),
        archived: None,
    };
    let keep = act(RepoAction::SetProtection { pattern: a.into(), rule });
    for (who, update, meanwhile, code) in [
        (&robot, (MAIN, 0, 1), own(AccountAction::RevokeKey { key }), Code::PushKeyUnknown),
        (&bob, (MAIN, 0, 1), role(RepoRole::None), Code::PushNotAllowed),
        (&alice, (a, 1, 0), keep, Code::DeleteProtected),
        (&alice, (b, 1, 0), other_default, Code::DefaultBranchDelete),
    ] {
        assert_eq!(end_after(w, who, update, meanwhile), Some(code));
    }
}

#[test]
pub(crate) fn a_push_in_flight_finds_what_another_did_first() {
    // How the second of two pushes ends that are ordered together and found good.
    let second = |refs_max, names: [&str; 2]| {
        let mut world = World::with(|state| state.params.refs_per_repo_max = refs_max);
        let alice = world.alice.clone();
        let ids = names.map(|name| {
            let certificate = alice.certificate(REPO, world.time_s, &[(name, 0, 1)]);
            assert_eq!(world.one(world.push(&certificate)), None);
            world.push_id(&certificate)
        });
        ids.iter().for_each(|id| world.attest(*id, 0..4, Verdict::Good));
        (0..2).for_each(|_| drop(world.block(vec![])));
        let [first, second] = ids.map(|id| push::get(&world.state(), &id).unwrap().unwrap());
        assert_eq!(first.status(), PushStatus::Moved);
        Code::from_number(second.code)
    };
    assert_eq!(second(2, [MAIN, "refs/heads/main/x"]), Some(Code::RefInTheWay));
    assert_eq!(second(1, [MAIN, "refs/heads/b"]), Some(Code::RefsMany));
}

/// Alice, who has most of the stake then, changes parameters.
fn decide(world: &mut World, json: &str) {
    let (alice, one) = (world.alice.clone(), world.validators[1].clone());
    done(world, &alice, delegate(&alice, &one, 400_000_000));
    let (title, text, content) = ("t".into(), "x".into(), Some(Content::Params(json.into())));
    let what = proto::Propose { title, text, deposit: 1_000_000, content };
    for change in [
        GovernanceAction::Propose(what),
        GovernanceAction::Vote { proposal: 1, option: VoteOption::Yes },
    ] {
        done(world, &alice, Action::Governance { actor: alice.id, change });
    }
    let params = params::get(&world.state()).unwrap();
    for seconds in [params.gov_voting_s, params.gov_timelock_s] {
        world.time_s += seconds + 1;
        world.block(vec![]);
    }
}

#[test]
fn a_repository_with_more_refs_than_a_new_bound_is_worked_in_and_does_not_grow() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let branch = |name: &'static str| format!("refs/heads/{name}");
    let (a, b, c, d) = (branch("a"), branch("b"), branch("c"), branch("d"));
    world.pushed(&alice, REPO, &[(&a, 0, 1), (&b, 0, 1), (&c, 0, 1)]);
    decide(&mut world, "{\"refs_per_repo_max\": 1}");
    assert_eq!(params::get(&world.state()).unwrap().refs_per_repo_max, 1);
    let code = |world: &mut World, updates: &[(&str, u8, u8)]| {
        let certificate = alice.certificate(REPO, world.time_s, updates);
        world.one(world.push(&certificate))
    };
    assert_eq!(code(&mut world, &[(&d, 0, 1)]), Some(Code::RefsMany));
    assert_eq!(code(&mut world, &[(&a, 1, 0), (&b, 1, 0), (&d, 0, 1)]), None, "fewer than before");
    world.pushed(&alice, REPO, &[(&a, 1, 2)]);
    world.pushed(&alice, REPO, &[(&b, 1, 0), (&d, 0, 1)]);
    world.pushed(&alice, REPO, &[(&c, 1, 0)]);
    assert_eq!(push::head(&world.state(), RepoId::new(1).unwrap()).unwrap().count, 2);
}
