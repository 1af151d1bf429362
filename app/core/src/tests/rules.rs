//! Rules that many actions share, broken by each of them: the code, and what the sentence says.
//! What one action alone can break is beside its module, or in `refusals`.

use guts_schema::proto::{self, CloseReason, OrgRole, Reaction, RepoRole, VoteOption};
use guts_schema::sign::ProofOf;
use guts_schema::tx::{
    AccountAction, GovernanceAction, IssueAction, OrgAction, RepoAction, StakingAction,
    ThreadAction,
};
use guts_schema::{AccountId, Action, Code, RepoId, names};

use crate::modules::org::tests::found;
use crate::testing::stake::{TEN, act as stake, bond, delegate, redelegate, unbond};
use crate::testing::{CHAIN, Person, World, address, done, refused};

const PATH: &str = "alice/hello";

fn repo(number: u64) -> RepoId {
    RepoId::new(number).unwrap()
}

/// Everything that is done to a thread.
fn talk(actor: AccountId, repo: RepoId, number: u64) -> Vec<Action> {
    let all = [
        ThreadAction::Comment { text: "x".into() },
        ThreadAction::Edit { comment: 0, text: "x".into() },
        ThreadAction::React { comment: 0, reaction: Reaction::Heart, on: true },
        ThreadAction::Lock { locked: true },
    ];
    all.map(|change| Action::Thread { actor, repo, number, change }).to_vec()
}

/// Everything that is done to an issue.
fn sorting(actor: AccountId, repo: RepoId, number: u64) -> Vec<Action> {
    let all = [
        IssueAction::Retitle { number, title: "x".into() },
        IssueAction::Close { number, reason: CloseReason::Done },
        IssueAction::Reopen { number },
        IssueAction::Label { number, labels: vec![] },
        IssueAction::Assign { number, accounts: vec![actor] },
        IssueAction::Plan { number, milestone: 0 },
        IssueAction::Pin { number, pinned: true },
    ];
    all.map(|change| Action::Issue { actor, repo, change }).to_vec()
}

/// What issues of a repository share.
fn tracking(actor: AccountId, repo: RepoId) -> Vec<Action> {
    let (name, description) = ("bug".to_owned(), String::new());
    let all = [
        IssueAction::Open { title: "x".into(), text: "x".into() },
        IssueAction::PutLabel { name: name.clone(), color: 1, description },
        IssueAction::DropLabel { name },
        IssueAction::PutMilestone { milestone: 0, title: "x".into(), due_s: 0, closed: false },
    ];
    all.map(|change| Action::Issue { actor, repo, change }).to_vec()
}

fn keeping(actor: AccountId, repo: RepoId) -> Vec<Action> {
    let all = [
        RepoAction::Fork { owner: actor, name: "x".into() },
        RepoAction::Rename { name: "x".into() },
        RepoAction::Transfer { to: actor },
        RepoAction::Accept,
        RepoAction::SetCollaborator { account: actor, role: RepoRole::Write },
        RepoAction::SetTeamRole { team: "crew".into(), role: RepoRole::Write },
        RepoAction::SetTopics { topics: vec![] },
        RepoAction::Star { star: true },
        RepoAction::SetProtection { pattern: "refs/heads/*".into(), rule: None },
    ];
    let edit = Action::EditRepo {
        actor,
        repo,
        description: None,
        default_branch: None,
        archived: Some(true),
    };
    let all = all.map(|change| Action::Repo { actor, repo, change });
    all.into_iter().chain([edit]).collect()
}

#[test]
pub(crate) fn a_repository_that_is_not_there_is_nobodys() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let (id, none) = (alice.id, repo(99));
    let all = [talk(id, none, 1), sorting(id, none, 1), tracking(id, none), keeping(id, none)];
    for action in all.concat() {
        refused(&mut world, &alice, action, Code::RepoUnknown, "99 does not exist: make it");
    }
    let certificate = alice.certificate("alice/none", world.time_s, &[("refs/heads/m", 0, 1)]);
    let (code, sentence) = world.refused(world.push(&certificate));
    assert_eq!(code, Code::RepoUnknown);
    assert!(sentence.contains("repository alice/none does not exist"), "{sentence}");
}

#[test]
pub(crate) fn an_archived_repository_stays_as_it_is() {
    let mut world = World::new();
    let alice = world.alice.clone();
    let open = tracking(alice.id, repo(1)).remove(0);
    done(&mut world, &alice, open);
    let archive = keeping(alice.id, repo(1)).pop().unwrap();
    done(&mut world, &alice, archive);
    let (id, hello) = (alice.id, repo(1));
    for action in [talk(id, hello, 1), sorting(id, hello, 1), tracking(id, hello)].concat() {
        refused(&mut world, &alice, action, Code::RepoArchived, "alice/hello is archived");
    }
    let certificate = alice.certificate(PATH, world.time_s, &[("refs/heads/m", 0, 1)]);
    let (code, sentence) = world.refused(world.push(&certificate));
    assert_eq!(code, Code::RepoArchived);
    assert!(sentence.contains("its owner can take it out"), "{sentence}");
}

#[test]
pub(crate) fn a_number_that_is_not_there_is_no_thread() {
    let mut world = World::new();
    let alice = world.alice.clone();
    for action in [talk(alice.id, repo(1), 9), sorting(alice.id, repo(1), 9)].concat() {
        refused(&mut world, &alice, action, Code::ThreadUnknown, "alice/hello has no number 9");
    }
}

#[test]
pub(crate) fn a_locked_thread_and_the_issues_of_others_are_left_alone() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.clone(), world.bob.clone());
    let open = tracking(alice.id, repo(1)).remove(0);
    done(&mut world, &alice, open);
    let sorts = [sorting(bob.id, repo(1), 1), tracking(bob.id, repo(1))[1..].to_vec()];
    for action in sorts.concat() {
        refused(&mut world, &bob, action, Code::ThreadRole, "may not do that in alice/hello");
    }
    let lock = talk(alice.id, repo(1), 1).pop().unwrap();
    done(&mut world, &alice, lock);
    for action in talk(bob.id, repo(1), 1) {
        refused(&mut world, &bob, action, Code::ThreadLocked, "number 1 of alice/hello is locked");
    }
}

/// Everything that an organisation's owner does.
fn running(actor: AccountId, org: AccountId, account: AccountId) -> Vec<Action> {
    let (role, team) = (OrgRole::Member, "crew".to_owned());
    let all = [
        OrgAction::Invite { org, account, role },
        OrgAction::DropInvite { org, account },
        OrgAction::SetRole { org, account, role },
        OrgAction::Remove { org, account },
        OrgAction::PutTeam { org, team: team.clone(), members: vec![] },
        OrgAction::DropTeam { org, team },
        OrgAction::Transfer { org, to: account, amount: 1 },
    ];
    all.map(|change| Action::Org { actor, change }).to_vec()
}

#[test]
pub(crate) fn only_owners_run_an_organisation_that_is_there() {
    let mut world = World::new();
    let w = &mut world;
    let (alice, bob) = (w.alice.clone(), w.bob.clone());
    let none = bob.id;
    let accept = Action::Org { actor: alice.id, change: OrgAction::Accept { org: none } };
    for action in [running(alice.id, none, bob.id), vec![accept]].concat() {
        refused(w, &alice, action, Code::OrgUnknown, "is no organisation: make it");
    }
    let org = found(w, &alice);
    for action in running(bob.id, org, alice.id) {
        refused(w, &bob, action, Code::OrgNotOwner, "only an owner of guild may do that");
    }
    let change = OrgAction::Transfer { org, to: Person::new(70).id, amount: 1 };
    done(w, &bob, Action::Transfer { actor: bob.id, to: org, amount: 1 });
    let spend = Action::Org { actor: alice.id, change };
    refused(w, &alice, spend, Code::AccountUnknown, "does not exist");
    // Neither is it made under a handle that was committed to in this block.
    let commitment = names::handle_commitment(CHAIN, &alice.id, "other", &[1; 32]);
    let commit = Action::CommitHandle { actor: alice.id, commitment };
    let change = OrgAction::Create { handle: "other".into(), salt: [1; 32] };
    let make = Action::Org { actor: alice.id, change };
    let (code, sentence) = w.refused(w.tx(&alice, &[commit, make]));
    assert_eq!(code, Code::CommitFresh);
    assert!(sentence.contains("claim again then"), "{sentence}");
}

/// Somebody signs, acts, and has an account only afterwards.
#[test]
pub(crate) fn nobody_acts_before_there_is_an_account() {
    let mut world = World::new();
    let (alice, nobody) = (world.alice.clone(), Person::new(70));
    let (actor, key) = (nobody.id, nobody.secret.public());
    let fresh = Person::new(71);
    let (other, proof) = (fresh.secret.public(), fresh.proof(ProofOf::Key, &actor));
    let own = [
        AccountAction::AddKey { key: other, proof, repo: None, until_s: None },
        AccountAction::RevokeKey { key: other },
        AccountAction::ReleaseHandle,
        AccountAction::SetGuardians { guardians: vec![], threshold: 0, delay_s: 0 },
        AccountAction::CancelRecovery,
        AccountAction::FinishRecovery { account: alice.id },
    ];
    let validator = address(&world.validators[1]);
    let (title, deposit) = ("t".into(), 1);
    let propose = proto::Propose { title, deposit, text: "x".into(), content: None };
    let governance = [
        GovernanceAction::Propose(propose),
        GovernanceAction::Deposit { proposal: 1, amount: 1 },
        GovernanceAction::Vote { proposal: 1, option: VoteOption::Yes },
    ];
    let create = OrgAction::Create { handle: "guild".into(), salt: [1; 32] };
    let star = RepoAction::Star { star: true };
    let mut all = vec![
        Action::CommitHandle { actor, commitment: guts_schema::Hash::of(b"x") },
        Action::ClaimHandle { actor, handle: "x1".into(), salt: [1; 32] },
        Action::Transfer { actor, to: alice.id, amount: 1 },
        Action::DrawFaucet { actor },
        Action::Org { actor, change: create },
        Action::Repo { actor, repo: repo(1), change: star },
        bond(&nobody, &fresh, TEN),
        delegate(&nobody, &world.validators[1], 1),
        unbond(&nobody, &world.validators[1], 1),
        redelegate(&nobody, &world.validators[1], &world.validators[2], 1),
        stake(&nobody, StakingAction::ClaimRewards { validator }),
    ];
    all.extend(own.map(|change| Action::Account { actor, change }));
    all.extend(governance.map(|change| Action::Governance { actor, change }));
    all.extend(talk(actor, repo(1), 1));
    all.extend(sorting(actor, repo(1), 1));
    all.extend(tracking(actor, repo(1)));
    for action in all {
        let said = format!("{:?}", action.kind());
        let actions = [action, Action::CreateAccount { actor, key }];
        let (code, sentence) = world.refused(world.tx_with(&alice, &nobody, &actions));
        assert_eq!(code, Code::AccountUnknown, "{said}: {sentence}");
        assert!(sentence.contains(&format!("account {actor} does not exist")), "{sentence}");
    }
}

#[test]
pub(crate) fn a_key_that_was_somebodys_makes_no_account() {
    let mut world = World::new();
    let w = &mut world;
    let (alice, nobody) = (w.alice.clone(), Person::new(70));
    let (key, proof) = (nobody.secret.public(), nobody.proof(ProofOf::Key, &alice.id));
    for change in [
        AccountAction::AddKey { key, proof, repo: None, until_s: None },
        AccountAction::RevokeKey { key },
    ] {
        done(w, &alice, Action::Account { actor: alice.id, change });
    }
    // Whoever pays for it.
    let create = [Action::CreateAccount { actor: nobody.id, key }];
    for tx in [w.tx(&nobody, &create), w.tx_with(&alice, &nobody, &create)] {
        let (code, sentence) = w.refused(tx);
        assert_eq!(code, Code::KeyUsed);
        assert!(sentence.contains("belongs or belonged to an account: use another"), "{sentence}");
    }
}

#[test]
pub(crate) fn an_offer_is_accepted_where_there_is_room_for_it() {
    let mut world = World::with(|state| {
        state.params.repos_per_account_max = 1;
        let bob = Person::new(102).secret.public();
        let accounts = &mut state.account.accounts;
        accounts.iter_mut().find(|one| one.key == bob).unwrap().handle = "bob".into();
    });
    let w = &mut world;
    let (alice, bob) = (w.alice.clone(), w.bob.clone());
    let act = |who: &Person, change| Action::Repo { actor: who.id, repo: repo(1), change };
    let make = |name: &str| Action::CreateRepo {
        actor: bob.id,
        name: name.into(),
        description: String::new(),
        default_branch: "refs/heads/main".into(),
        object_format: proto::ObjectFormat::Sha1,
    };
    let accept = act(&bob, RepoAction::Accept);
    done(w, &alice, act(&alice, RepoAction::Transfer { to: bob.id }));
    let release =
        |who: &Person| Action::Account { actor: who.id, change: AccountAction::ReleaseHandle };
    let fork = act(&alice, RepoAction::Fork { owner: alice.id, name: "more".into() });
    refused(w, &alice, fork, Code::ReposMany, "has 1 repositories, which is the most");
    // Since then bob made one of his own, of another name or of the same, or let his handle go.
    let state = crate::AppState::of(&w.node.whole());
    let mut other = w.restarted(&state).unwrap();
    done(&mut other, &bob, make("else"));
    refused(&mut other, &bob, accept.clone(), Code::ReposMany, "transfer one first");
    let mut same = w.restarted(&state).unwrap();
    done(&mut same, &bob, make("hello"));
    refused(&mut same, &bob, accept.clone(), Code::RepoExists, "bob/hello exists already");
    done(w, &bob, release(&bob));
    refused(w, &bob, accept, Code::HandleMissing, "has no handle to name a repository by");
    // And a handle that is gone is not given away.
    let give = AccountAction::TransferHandle { to: alice.id };
    let give = Action::Account { actor: bob.id, change: give };
    let (code, sentence) = w.refused(w.tx_with(&bob, &alice, &[give]));
    assert_eq!(code, Code::HandleNone);
    assert!(sentence.contains("has no handle to give: claim one"), "{sentence}");
}

#[test]
pub(crate) fn stake_moves_under_the_rules_of_what_it_leaves_and_where_it_comes_to() {
    let mut world = World::with(|state| state.params.unbondings_max = 130);
    let w = &mut world;
    let (alice, bob, nobody) = (w.alice.clone(), w.bob.clone(), Person::new(70));
    let (one, two) = (w.validators[1].clone(), w.validators[2].clone());
    let unknown = "is no validator: 'guts validators list'";
    refused(w, &alice, unbond(&alice, &nobody, 1), Code::ValidatorUnknown, unknown);
    for who in [&alice, &bob] {
        done(w, who, delegate(who, &one, TEN));
    }
    for _ in 0..4 {
        assert_eq!(w.one(w.tx(&alice, &vec![unbond(&alice, &one, 1); 16])), None);
    }
    let moves = |who| redelegate(who, &one, &two, 1);
    refused(w, &alice, moves(&alice), Code::UnbondingsMany, "has 64 unbondings under way");
    done(w, &bob, unbond(&bob, &one, 1));
    refused(w, &bob, moves(&bob), Code::UnbondingsAll, "take 1000000 or more at once");
    // With 64 validators, no further one, be it new or not.
    let mut world = World::try_genesis(65, &World::genesis()).unwrap();
    let w = &mut world;
    let validators = w.validators.clone();
    for part in validators[..64].chunks(16) {
        let many: Vec<_> = part.iter().map(|to| delegate(&alice, to, 1)).collect();
        assert_eq!(w.one(w.tx(&alice, &many)), None);
    }
    let rule = "stake with 64 validators, which is the most";
    let last = redelegate(&alice, &one, &validators[64], 1);
    refused(w, &alice, last, Code::DelegationsMany, rule);
    refused(w, &alice, bond(&alice, &nobody, TEN), Code::DelegationsMany, rule);
}

#[test]
pub(crate) fn a_vote_and_a_deposit_are_for_a_proposal() {
    let mut world = World::new();
    let w = &mut world;
    let (alice, gateway) = (w.alice.clone(), w.gateway.clone());
    let act = |who: &Person, change| Action::Governance { actor: who.id, change };
    let vote = GovernanceAction::Vote { proposal: 7, option: VoteOption::Yes };
    refused(w, &gateway, act(&gateway, vote), Code::ProposalUnknown, "there is no proposal 7");
    let rich = GovernanceAction::Deposit { proposal: 7, amount: u64::MAX };
    refused(w, &alice, act(&alice, rich), Code::BalanceLow, "is needed: get more first");
}
