//! Damage is found by the audit that looks for it.

use std::collections::BTreeMap;

use guts_schema::keys::{self, Queue};
use guts_schema::proto::{self, RepoRole};
use guts_schema::sign::ProofOf;
use guts_schema::tx::{AccountAction, IssueAction, RepoAction};
use guts_schema::{Action, RepoId, values};
use prost::Message;

use crate::modules;
use crate::testing::{Person, World, address, done};
use crate::whole::Whole;

fn repo() -> RepoId {
    RepoId::new(1).unwrap()
}

/// A world with something of all that is audited.
fn world() -> World {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let mut guardians = vec![bob.id, world.gateway.id];
    guardians.sort();
    let guarded = AccountAction::SetGuardians { guardians, threshold: 1, delay_s: 86_400 };
    done(&mut world, &alice, Action::Account { actor: alice.id, change: guarded });
    let fresh = Person::new(120);
    let (key, proof) = (fresh.secret.public(), fresh.proof(ProofOf::Key, &alice.id));
    let change = AccountAction::ApproveRecovery { account: alice.id, key, proof };
    done(&mut world, &bob, Action::Account { actor: bob.id, change });
    let rule = Some(proto::Protection { no_force: true, ..Default::default() });
    for change in [
        RepoAction::SetCollaborator { account: bob.id, role: RepoRole::Write },
        RepoAction::SetProtection { pattern: "refs/heads/*".into(), rule },
        RepoAction::Rename { name: "greet".into() },
    ] {
        done(&mut world, &alice, Action::Repo { actor: alice.id, repo: repo(), change });
    }
    let label = |name: &str| {
        let (name, description) = (name.to_owned(), String::new());
        IssueAction::PutLabel { name, color: 1, description }
    };
    for change in [
        label("bug"),
        label("ui"),
        IssueAction::Open { title: "t".into(), text: "x".into() },
        IssueAction::Label { number: 1, labels: vec!["bug".into(), "ui".into()] },
        IssueAction::Pin { number: 1, pinned: true },
        IssueAction::Open { title: "u".into(), text: "as #1".into() },
    ] {
        done(&mut world, &alice, Action::Issue { actor: alice.id, repo: repo(), change });
    }
    world.pushed(&alice, "alice/greet", &[("refs/heads/main", 0, 1)]);
    world
}

/// What the audits say when a value is another.
fn found<M: Message + Default>(world: &World, key: Vec<u8>, change: impl FnOnce(&mut M)) -> String {
    let whole = world.node.whole();
    let mut value: M = whole.get(&key).unwrap().expect("it is there");
    change(&mut value);
    let entries = whole.iter().map(|(key, value)| (key.to_vec(), value.to_vec()));
    let mut entries: BTreeMap<_, _> = entries.collect();
    entries.insert(key, values::encode(&value));
    modules::audit(&Whole::new(entries)).unwrap_err().to_string()
}

/// The same, for what must contain a text.
fn finds<M: Message + Default>(world: &World, key: Vec<u8>, text: &str, changes: &[fn(&mut M)]) {
    for change in changes {
        let sentence = found(world, key.clone(), change);
        assert!(sentence.contains(text), "{text}: {sentence}");
    }
}

#[test]
fn each_kind_of_damage_is_found() {
    let world = world();
    let alice = world.alice.id;
    modules::audit(&world.node.whole()).unwrap();
    finds::<proto::Params>(&world, keys::params(), "epoch_s", &[|p| p.epoch_s = 0]);
    let guardians = keys::guardians(&alice);
    finds::<proto::Guardians>(
        &world,
        guardians,
        "guardians it cannot have",
        &[
            |g| g.threshold = 3,
            |g| g.threshold = 0,
            |g| g.accounts.reverse(),
            |g| g.accounts[0] = vec![0; 20],
        ],
    );
    finds::<proto::Recovery>(
        &world,
        keys::recovery(&alice),
        "nobody agreed",
        &[
            |r| r.key.clear(),
            |r| r.key = vec![1; 32],
            |r| r.approvals[0].guardian = vec![0; 20],
            |r| r.approvals.push(r.approvals[0].clone()),
        ],
    );
    let access = keys::repo_access(repo());
    finds::<proto::RepoAccess>(
        &world,
        access,
        "roles in a repository",
        &[
            |a| a.collaborators[0].set_role(RepoRole::None),
            |a| a.collaborators.push(a.collaborators[0].clone()),
            |a| a.collaborators.clear(),
        ],
    );
    finds::<proto::Protections>(
        &world,
        keys::protections(repo()),
        "protections",
        &[|p| p.rules[0].rule = None, |p| p.rules.push(p.rules[0].clone()), |p| p.rules.clear()],
    );
    let former = keys::repo_name(&alice, "hello");
    finds::<proto::RepoPointer>(&world, former.clone(), "gave up", &[|p| p.former = false]);
    finds::<proto::RepoPointer>(&world, former, "never made", &[|p| p.repo = 2]);
    let first = keys::queue_item(Queue::Pushes, 0);
    finds::<proto::QueueItem>(&world, first, "no push that is over", &[|i| i.id[0] ^= 1]);
    let ends = keys::queue_ends(Queue::Pushes);
    finds::<proto::QueueEnds>(&world, ends, "never forgotten", &[|e| e.first = e.next]);
    finds::<proto::Tracker>(
        &world,
        keys::tracker(repo()),
        "labels or pins",
        &[
            |t| t.labels.reverse(),
            |t| t.pinned.push(1),
            |t| t.milestones = vec![proto::Milestone::default(); 201],
        ],
    );
    finds::<proto::Issue>(
        &world,
        keys::issue(repo(), 1),
        "listed wrong",
        &[|i| i.labels.reverse(), |i| i.assignees = vec![vec![1]; 2]],
    );
}

#[test]
fn a_reference_that_cannot_be_is_found() {
    let world = world();
    finds::<proto::Reference>(
        &world,
        keys::reference(repo(), 1, 0),
        "reference 0 to thread 1 is not right",
        &[
            |r| r.number = 1,
            |r| r.number = 9,
            |r| r.comment = 1,
            |r| r.account = vec![1; 20],
            |r| r.repo = 0,
        ],
    );
    let place = keys::reference_of(repo(), 1, repo(), 2);
    finds::<proto::ReferenceOf>(&world, place, "is not right", &[|r| r.index = 1]);
    let counts: [fn(&mut proto::Thread); 1] = [|t| t.references = 0];
    finds(&world, keys::thread(repo(), 1), "1 references have 1 places, and 0", &counts);
}

#[test]
fn a_gateway_that_nobody_could_ask_is_found() {
    let mut world = World::new();
    world.block(vec![]);
    let key = keys::validator(&address(&world.validators[0]));
    let text = "a gateway that cannot be asked";
    finds::<proto::ValidatorInfo>(&world, key, text, &[|v| v.gateway = "git.example.org".into()]);
}

/// What the audits say when one value more is there.
fn finds_more<M: Message>(world: &World, key: Vec<u8>, value: &M, text: &str) {
    let whole = world.node.whole();
    let entries = whole.iter().map(|(key, value)| (key.to_vec(), value.to_vec()));
    let mut entries: BTreeMap<_, _> = entries.collect();
    assert_eq!(entries.insert(key, values::encode(value)), None);
    let sentence = modules::audit(&Whole::new(entries)).unwrap_err().to_string();
    assert!(sentence.contains(text), "{text}: {sentence}");
}

/// It would sign for that account, which does not know of it.
#[test]
fn a_key_or_handle_that_its_account_does_not_have_is_found() {
    let world = world();
    let account = world.alice.id.to_vec();
    let key = Person::new(150).secret.public();
    let text = "is of no account that has it";
    let record = proto::KeyRecord { account: account.clone(), ..Default::default() };
    finds_more(&world, keys::key(&key), &record, text);
    let record = proto::KeyRecord { account: vec![1; 20], ..Default::default() };
    finds_more(&world, keys::key(&key), &record, text);
    let record = proto::HandleRecord { account, claimed_height: 1 };
    finds_more(&world, keys::handle("mallory"), &record, text);
}

#[test]
fn a_key_that_no_module_has_is_found() {
    let world = world();
    let strange = b"strange/1".to_vec();
    finds_more(
        &world,
        strange,
        &proto::Repos { count: 1 },
        "no module has the key 737472616e67652f31",
    );
}
