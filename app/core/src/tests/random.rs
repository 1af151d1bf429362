//! Anything people may send, in any order: every block is audited whole and replayed by the
//! replica with the same result (see `testing`), whatever the transactions come to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use guts_schema::attest::Verdict;
use guts_schema::proto::propose::Content;
use guts_schema::proto::{
    self, CloseReason, ObjectFormat, OrgRole, ProposalStatus, Reaction, RepoRole, VoteOption,
};
use guts_schema::sign::ProofOf;
use guts_schema::tally::{self, Bars, Outcome};
use guts_schema::tx::{
    AccountAction, Draft, GovernanceAction, IssueAction, OrgAction, RepoAction, StakingAction,
    ThreadAction, ValidatorEdit,
};
use guts_schema::{AccountId, Action, RepoId, names};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::modules;
use crate::testing::{CHAIN, FEE, Person, World, address, done};

/// Something somebody does: who, what, and two numbers that the action reads as it likes.
#[derive(Clone, Debug)]
struct Step {
    who: u8,
    what: u8,
    a: u8,
    b: u8,
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    // Alice, who owns most of what there is, does the most.
    let who = prop_oneof![4 => Just(0u8), 4 => 1u8..5];
    let step =
        (who, 0u8..63, 0u8..4, 0u8..4).prop_map(|(who, what, a, b)| Step { who, what, a, b });
    prop::collection::vec(prop::collection::vec(step, 0..7), 2..14)
}

fn person(world: &World, index: u8) -> Person {
    match index {
        0 => world.alice.clone(),
        1 => world.bob.clone(),
        2 => world.gateway.clone(),
        // Strangers, until they make an account.
        more => Person::new(50 + more),
    }
}

fn action(world: &World, who: &Person, step: &Step) -> Action {
    let actor = who.id;
    let handle = handle(step);
    let salt = [1; 32];
    match step.what {
        0 => Action::CreateAccount { actor, key: who.secret.public() },
        1 => {
            let commitment = names::handle_commitment(CHAIN, &actor, &handle, &salt);
            Action::CommitHandle { actor, commitment }
        }
        2 => Action::ClaimHandle { actor, handle, salt },
        3 => {
            let amount = [1, 1000, 999_000_000, u64::MAX][usize::from(step.b)];
            Action::Transfer { actor, to: person(world, step.a).id, amount }
        }
        4 => Action::CreateRepo {
            actor,
            name: format!("r{}", step.a),
            description: String::new(),
            default_branch: "refs/heads/main".into(),
            object_format: [ObjectFormat::Sha1, ObjectFormat::Sha256][usize::from(step.b % 2)],
        },
        40 => Action::DrawFaucet { actor },
        9..=15 | 44 => Action::Staking { actor, change: staking(world, who, step) },
        16..=23 | 45 => Action::Account { actor, change: account(world, who, step) },
        24..=27 | 41 | 46..=49 => Action::Org { actor, change: org(world, step) },
        28..=31 | 50..=52 => {
            Action::Repo { actor, repo: repo(world, step), change: house(world, step) }
        }
        32..=33 | 53..=54 => {
            Action::Thread { actor, repo: repo(world, step), number: 1, change: talk(step) }
        }
        34..=36 | 55..=62 => {
            Action::Issue { actor, repo: repo(world, step), change: issue(world, step) }
        }
        37..=39 | 42..=43 => Action::Governance { actor, change: governance(world, step) },
        _ => Action::EditRepo {
            actor,
            repo: repo(world, step),
            description: None,
            default_branch: Some(format!("refs/heads/b{}", step.b)),
            archived: Some(step.b == 3),
        },
    }
}

/// One of two that somebody may have committed to.
fn handle(step: &Step) -> String {
    format!("h{}-{}", step.who, step.a % 2)
}

/// One of the repositories there are.
fn repo(world: &World, step: &Step) -> RepoId {
    let count = modules::repo::count(&world.state()).unwrap();
    RepoId::new(u64::from(step.b) % count + 1).unwrap()
}

fn org(world: &World, step: &Step) -> OrgAction {
    let (org, account) = (AccountId::of_org(1), person(world, step.a).id);
    let role = if step.b < 2 { OrgRole::Owner } else { OrgRole::Member };
    match step.what {
        24 => OrgAction::Create { handle: handle(step), salt: [1; 32] },
        25 => OrgAction::Invite { org, account, role },
        26 => OrgAction::Accept { org },
        41 => {
            OrgAction::Transfer { org, to: account, amount: [1, 500_000][usize::from(step.b % 2)] }
        }
        46 => OrgAction::DropInvite { org, account },
        47 => OrgAction::SetRole { org, account, role },
        48 => OrgAction::PutTeam { org, team: "crew".into(), members: vec![account] },
        49 => OrgAction::DropTeam { org, team: "crew".into() },
        _ => OrgAction::Remove { org, account },
    }
}

fn house(world: &World, step: &Step) -> RepoAction {
    let other = person(world, step.a).id;
    match (step.what, step.a) {
        (28, 0) => RepoAction::Transfer { to: AccountId::of_org(1) },
        (28, _) => RepoAction::Transfer { to: other },
        (29, 0) => RepoAction::Accept,
        (29, _) => RepoAction::Rename { name: format!("r{}", step.a) },
        (50, _) => {
            let role = [RepoRole::None, RepoRole::Triage][usize::from(step.a % 2)];
            RepoAction::SetTeamRole { team: "crew".into(), role }
        }
        (51, _) => RepoAction::SetTopics { topics: vec![format!("t{}", step.a)] },
        (52, _) => {
            let pusher = [RepoRole::None, RepoRole::Admin][usize::from(step.a % 2)].into();
            let rule = proto::Protection { no_force: true, no_delete: false, pusher };
            let pattern = ["refs/tags/*", "refs/heads/b1"][usize::from(step.a / 2)].into();
            RepoAction::SetProtection { pattern, rule: (step.b > 0).then_some(rule) }
        }
        (30, _) => RepoAction::SetCollaborator { account: other, role: RepoRole::Write },
        (_, 0) => RepoAction::Star { star: true },
        (_, 1) => RepoAction::Star { star: false },
        _ => RepoAction::Fork { owner: other, name: format!("f{}", step.b) },
    }
}

fn talk(step: &Step) -> ThreadAction {
    match step.what {
        32 => ThreadAction::Comment { text: "see #1, @alice".into() },
        33 => ThreadAction::React { comment: 0, reaction: Reaction::Heart, on: step.a < 2 },
        53 => ThreadAction::Edit { comment: 0, text: format!("see #{}, @bob", step.a) },
        _ => ThreadAction::Lock { locked: step.a == 0 },
    }
}

fn issue(world: &World, step: &Step) -> IssueAction {
    let number = u64::from(step.a % 2) + 1;
    let labels = || [vec![], vec!["bug".to_owned()]][usize::from(step.a / 2)].clone();
    let label = "bug".to_owned();
    match step.what {
        34 => {
            let text = format!("as #{} and alice/hello#{}", step.a, step.b);
            IssueAction::Open { title: "t".into(), text }
        }
        35 => IssueAction::Close { number, reason: CloseReason::Done },
        55 => IssueAction::Retitle { number, title: format!("t{}", step.b) },
        56 => IssueAction::Reopen { number },
        57 => IssueAction::Label { number, labels: labels() },
        58 => IssueAction::Assign { number, accounts: vec![person(world, step.b).id] },
        59 => IssueAction::Plan { number, milestone: u64::from(step.b % 2) },
        60 => IssueAction::PutLabel {
            name: label,
            color: u32::from(step.a),
            description: String::new(),
        },
        61 => IssueAction::DropLabel { name: label },
        62 => IssueAction::PutMilestone {
            milestone: u64::from(step.a % 2),
            title: format!("m{}", step.a),
            due_s: 0,
            closed: step.b > 1,
        },
        _ => IssueAction::Pin { number, pinned: step.b > 1 },
    }
}

fn governance(world: &World, step: &Step) -> GovernanceAction {
    let proposal = u64::from(step.a % 2) + 1;
    let options = [VoteOption::Yes, VoteOption::No, VoteOption::Veto, VoteOption::Abstain];
    match step.what {
        37 => GovernanceAction::Propose(proto::Propose {
            title: "t".into(),
            text: "x".into(),
            deposit: [1, 1_000_000][usize::from(step.a % 2)],
            content: [None, Some(Content::Emergency("{\"jail_s\": 5}".into()))]
                [usize::from(step.b % 2)]
            .clone(),
        }),
        42 | 43 => {
            let spend = proto::Spend { to: person(world, step.a).id.to_vec(), amount: 1000 };
            let params = ["{\"epoch_s\": 1800}", "{\"fee_burn_ppm\": 200000}"];
            GovernanceAction::Propose(proto::Propose {
                title: "t".into(),
                text: "x".into(),
                deposit: 1_000_000,
                content: Some(match step.what {
                    42 => Content::Spend(spend),
                    _ => Content::Params(params[usize::from(step.b % 2)].into()),
                }),
            })
        }
        38 => GovernanceAction::Deposit { proposal, amount: 1_000_000 },
        _ => GovernanceAction::Vote { proposal, option: options[usize::from(step.b)] },
    }
}

fn staking(world: &World, who: &Person, step: &Step) -> StakingAction {
    let validator = |place: u8| address(&world.validators[usize::from(place)]);
    let (from, to) = (validator(step.a / 3), validator(1 - step.a / 3));
    let amount = [1, 999_999, 2_000_000, 70_000_000][usize::from(step.b)];
    match step.what {
        9 => {
            let key = Person::new(80 + step.a);
            StakingAction::Bond {
                consensus_key: key.secret.public(),
                proof: key.proof(ProofOf::Bond, &who.id),
                peer_id: vec![1],
                name: "n".into(),
                commission_ppm: 1000,
                gateway: String::new(),
                amount,
            }
        }
        10 | 11 => StakingAction::Delegate { validator: from, amount },
        12 => StakingAction::Unbond { validator: from, amount },
        13 => StakingAction::Redelegate { from, to, amount },
        14 => StakingAction::Unjail,
        44 => {
            let urls = ["", "http://127.0.0.1:1", "https://a.example", "https://[::1]/x"];
            StakingAction::EditValidator(ValidatorEdit {
                peer_id: Some(vec![step.a]),
                name: None,
                commission_ppm: (step.b == 3).then_some(2000),
                gateway: Some(urls[usize::from(step.b)].to_owned()),
            })
        }
        _ => StakingAction::ClaimRewards { validator: from },
    }
}

fn account(world: &World, who: &Person, step: &Step) -> AccountAction {
    let other = person(world, step.a);
    let fresh = Person::new(110 + 2 * step.who + step.a % 2);
    let key = fresh.secret.public();
    match step.what {
        16 => AccountAction::AddKey {
            key,
            proof: fresh.proof(ProofOf::Key, &who.id),
            repo: RepoId::new(u64::from(step.b / 2)),
            until_s: (step.b % 2 == 1).then_some(world.time_s + 100),
        },
        17 => AccountAction::RevokeKey { key },
        18 => AccountAction::RevokeKey { key: who.secret.public() },
        19 => AccountAction::ReleaseHandle,
        20 => {
            let guardians = vec![other.id];
            AccountAction::SetGuardians { guardians, threshold: 1, delay_s: 86_400 }
        }
        21 => AccountAction::ApproveRecovery {
            account: other.id,
            key,
            proof: fresh.proof(ProofOf::Key, &other.id),
        },
        45 => AccountAction::TransferHandle { to: other.id },
        22 => AccountAction::CancelRecovery,
        _ => AccountAction::FinishRecovery { account: other.id },
    }
}

fn tx(world: &mut World, step: &Step, nonces: &mut [u64; 5]) -> Vec<u8> {
    let who = person(world, step.who);
    if (6..9).contains(&step.what) {
        let name = ["refs/heads/main", "refs/heads/main/x", "refs/tags/t", "refs/heads/b1"];
        let repo = if step.what == 6 { "alice/r1" } else { "alice/hello" };
        let update = (name[usize::from(step.a)], step.b, step.what - 5);
        // A ref that does not move is no certificate.
        let update = if update.1 == update.2 { (update.0, 0, update.2) } else { update };
        let certificate = who.certificate(repo, world.time_s, &[update]);
        let forced = Verdict::GoodForced([0].into_iter().collect());
        let verdicts = [Verdict::Good, forced, Verdict::ObjectsBad, Verdict::Good];
        let count = if step.a == 3 { 2 } else { 4 };
        let id = world.push_id(&certificate);
        world.attest(id, 0..count, verdicts[usize::from(step.b)]);
        let nonce = nonces[2];
        nonces[2] += 1;
        return world.push_at(nonce, &certificate);
    }
    let act = action(world, &who, step);
    let nonce = &mut nonces[usize::from(step.who)];
    // Strangers have no money, only work; their first transaction makes their account. The faucet
    // takes work of everybody.
    let stranger = step.who >= 3;
    let create = Action::CreateAccount { actor: who.id, key: who.secret.public() };
    let first = stranger && *nonce == 0 && step.what != 0;
    let actions: Vec<Action> = first.then_some(create).into_iter().chain([act]).collect();
    let draft = Draft::new(CHAIN, who.id, *nonce, &actions);
    let (number, anchor) = modules::account::newest_anchor(&world.state()).unwrap();
    let draft = match stranger || step.what == 40 {
        true => draft.work(number, anchor, 0),
        false => draft.fee(FEE),
    };
    let mut draft = draft.sign(who.id, &who.secret);
    if step.what == 45 && step.a != step.who {
        // Whoever gets a handle agrees.
        let other = person(world, step.a);
        draft = draft.sign(other.id, &other.secret);
    }
    let bytes = draft.encode();
    *nonce += 1;
    bytes
}

/// A world where there is something to act on: an organisation of two, two more handles, a thread,
/// a label, and somebody whose vote counts.
fn world() -> World {
    let mut world = World::with(|state| {
        (state.params.missed_window, state.params.missed_max) = (4, 1);
        state.params.issuance_per_epoch = 12_345;
        state.account.treasury = 50_000_000;
        (state.params.gov_voting_s, state.params.gov_timelock_s) = (100, 100);
        state.params.slash_downtime_ppm = 77_777;
        // Any work is enough.
        state.params.work_per_byte = 0;
        let params = &mut state.params;
        params.prices.iter_mut().for_each(|price| price.work = 0);
        params.other_price.work = 0;
    });
    let people: Vec<Person> = (0..3).map(|index| person(&world, index)).collect();
    let commit = |who: &Person, handle: &str| Action::CommitHandle {
        actor: who.id,
        commitment: names::handle_commitment(CHAIN, &who.id, handle, &[9; 32]),
    };
    let claim = |who: &Person, handle: &str| Action::ClaimHandle {
        actor: who.id,
        handle: handle.into(),
        salt: [9; 32],
    };
    let org = OrgAction::Create { handle: "guild".into(), salt: [9; 32] };
    let open = IssueAction::Open { title: "t".into(), text: "x".into() };
    let (alice, bob, gateway) = (&people[0], &people[1], &people[2]);
    let guild = AccountId::of_org(1);
    let invite = OrgAction::Invite { org: guild, account: bob.id, role: OrgRole::Member };
    let validator = address(&world.validators[0]);
    let delegate = StakingAction::Delegate { validator, amount: 50_000_000 };
    let (name, description) = ("bug".to_owned(), String::new());
    let label = IssueAction::PutLabel { name, color: 9, description };
    let hello = RepoId::new(1).unwrap();
    for (who, act) in [
        (alice, commit(alice, "guild")),
        (bob, commit(bob, "bob")),
        (gateway, commit(gateway, "gate")),
        (alice, Action::Org { actor: alice.id, change: org }),
        (bob, claim(bob, "bob")),
        (gateway, claim(gateway, "gate")),
        (alice, Action::Issue { actor: alice.id, repo: hello, change: open }),
        (bob, Action::Transfer { actor: bob.id, to: guild, amount: 2_000_000 }),
        (alice, Action::Org { actor: alice.id, change: invite }),
        (bob, Action::Org { actor: bob.id, change: OrgAction::Accept { org: guild } }),
        (alice, Action::Staking { actor: alice.id, change: delegate }),
        (alice, Action::Issue { actor: alice.id, repo: hello, change: label }),
    ] {
        done(&mut world, who, act);
    }
    world
}

/// Looks at every vote that was open before a block: what it comes to so far, or what it came to in
/// the block, which is what a look at the state that the block left finds, too. How many ended.
fn look(world: &World, open: &[(u64, proto::Proposal)]) -> u32 {
    let state = world.state();
    let params = modules::params::get(&state).unwrap();
    let mut ended = 0;
    for (number, before) in open {
        let now = modules::governance::get(&state, *number).unwrap().unwrap();
        let found = modules::governance::tally(&state, *number, now.votes).unwrap();
        assert!(found.cast() <= found.total, "{found:?}");
        if now.status() == ProposalStatus::Voting {
            continue;
        }
        ended += 1;
        assert_eq!(tally::Tally::counted(&now), Some(found));
        let content = before.what.as_ref().and_then(|what| what.content.as_ref());
        let (passed, vetoed) = match found.outcome(&Bars::of(&params, content)) {
            Outcome::Passed => (true, false),
            Outcome::Vetoed => (false, true),
            Outcome::FewVoted | Outcome::FewAgreed => (false, false),
        };
        assert_eq!(now.status() == ProposalStatus::Vetoed, vetoed, "{now:?}");
        let refused = matches!(now.status(), ProposalStatus::Vetoed | ProposalStatus::Rejected);
        assert_eq!(refused, !passed, "{now:?}");
    }
    ended
}

/// The votes that are open.
fn votes(world: &World) -> Vec<(u64, proto::Proposal)> {
    let state = world.state();
    let open = modules::governance::proposals(&state).unwrap().open.into_iter();
    let all = open.map(|n| (n, modules::governance::get(&state, n).unwrap().unwrap()));
    all.filter(|(_, proposal)| proposal.status() == ProposalStatus::Voting).collect()
}

/// How many of each kind of step were tried, and took effect.
type Tally = BTreeMap<u8, (u32, u32)>;

/// Lives through blocks; every one is audited and replayed. How many votes ended.
fn live(blocks: &[Vec<Step>], tally: &mut Tally) -> u32 {
    let (mut world, mut ended) = (world(), 0);
    for (index, block) in blocks.iter().enumerate() {
        let mut nonces = [0; 5];
        for (who, nonce) in (0..).zip(&mut nonces) {
            *nonce = world.nonce(&person(&world, who));
        }
        let txs = block.iter().map(|step| tx(&mut world, step, &mut nonces)).collect();
        // Now and then somebody sleeps, and somebody lies.
        world.absent = block.iter().map(|step| usize::from(step.a)).take(2).collect();
        if let Some(step) = block.first().filter(|step| step.what == 0) {
            world.double_sign(usize::from(step.b), u64::from(step.a));
        }
        let open = votes(&world);
        let outcome = world.block(txs);
        ended += look(&world, &open);
        // Attestations come first.
        let results = &outcome.results[outcome.results.len() - block.len()..];
        for (step, result) in block.iter().zip(results) {
            let (tried, took) = tally.entry(step.what).or_default();
            *tried += 1;
            *took += u32::from(result.code == 0);
        }
        if index % 4 == 3 {
            // Long enough for deadlines, and now and then for whole windows.
            world.time_s += if index % 8 == 7 { 30_000 } else { 130 };
        }
    }
    let open = votes(&world);
    world.block(vec![]);
    ended + look(&world, &open)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks_the_state(blocks in steps()) {
        live(&blocks, &mut Tally::new());
    }
}

/// The rest is refused by rules, which is what they are there for; nobody is left out because
/// nothing could be paid.
#[test]
fn much_of_what_people_send_takes_effect() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (tally, ended) = (RefCell::new(Tally::new()), Cell::new(0));
    let lived = runner.run(&steps(), |blocks| {
        ended.set(ended.get() + live(&blocks, &mut tally.borrow_mut()));
        Ok(())
    });
    lived.unwrap();
    assert!(ended.get() > 0, "no vote ended");
    let tally = tally.into_inner();
    let (tried, took) = tally.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(took * 100 >= tried * 25, "{took} of {tried} took effect: {tally:?}");
    let kinds = tally.values().filter(|(_, took)| *took > 0).count();
    assert!(kinds >= 45, "{kinds} kinds took effect: {tally:?}");
}
