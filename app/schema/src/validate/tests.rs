//! What is a transaction and what is not.
use proptest::prelude::*;

use super::*;
use crate::ids::ValidatorAddress;
use crate::limits::SALT_BYTES;
use crate::proto::propose::Content;
use crate::proto::{CloseReason, OrgRole, Reaction, RepoRole, VoteOption};
use crate::sign::{Anew, ProofOf, SecretKey, proof_message};
use crate::tx::{
    ActionKind, Draft, GovernanceAction, IssueAction, KeyProof, OrgAction, RepoAction,
    StakingAction, ThreadAction, ValidatorEdit,
};

const CERTIFICATE: &[u8] = include_bytes!("../../testdata/push.cert");
const CHAIN: &str = "guts-local";

fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn account(seed: u8) -> AccountId {
    AccountId::of_key(&secret(seed).public())
}

fn rules() -> ChainRules {
    ChainRules::new(CHAIN)
}

fn check(bytes: &[u8]) -> Result<Tx, TxError> {
    validate(bytes, &rules()).map(Verified::into_inner)
}

/// One of each kind that names an actor.
fn actions() -> Vec<Action> {
    let (actor, to) = (account(1), account(2));
    let branch = "refs/heads/main".to_owned();
    vec![
        Action::CreateAccount { actor, key: secret(1).public() },
        Action::CommitHandle { actor, commitment: Hash::new([5; 32]) },
        Action::ClaimHandle { actor, handle: "alice".into(), salt: [6; SALT_BYTES] },
        Action::Transfer { actor, to, amount: 7 },
        Action::CreateRepo {
            actor,
            name: "hello".into(),
            description: "A thing".into(),
            default_branch: branch.clone(),
            object_format: ObjectFormat::Sha256,
        },
        Action::EditRepo {
            actor,
            repo: RepoId::new(1).expect("not 0"),
            description: Some(String::new()),
            default_branch: Some(branch),
            archived: Some(false),
        },
    ]
}

fn push() -> Action {
    let certificate = Certificate::parse(CERTIFICATE).expect("good");
    let (pack, operator) = (Some((Hash::new([8; 32]), 9)), Some(account(5)));
    Action::PushRefs(Box::new(PushRefs { certificate, pack, operator }))
}

fn draft(actions: &[Action]) -> Draft {
    Draft::new(CHAIN, account(1), 0, actions)
}

fn signed(draft: Draft) -> Vec<u8> {
    draft.sign(account(1), &secret(1)).encode()
}

#[test]
fn every_action_comes_back_as_it_was_drafted() {
    let tx = check(&signed(draft(&actions()))).expect("good");
    assert_eq!(tx.actions, actions());
    assert_eq!(tx.payer, account(1));
    assert_eq!(tx.payment, Payment::None);
    let tx = check(&signed(draft(&[push()]).stake())).expect("good");
    assert_eq!((tx.actions, tx.payment), (vec![push()], Payment::Stake));
}

fn proof(seed: u8, of: ProofOf, account: &AccountId, form: SignatureForm) -> KeyProof {
    let message = proof_message(of, CHAIN, account, form);
    KeyProof { signature: secret(seed).sign(&message), form }
}

/// What modules type for themselves.
fn changes() -> Vec<Action> {
    let (actor, to) = (account(1), account(2));
    let proved = |form| proof(9, ProofOf::Key, &actor, form);
    let key = secret(9).public();
    let mut guardians = vec![account(2), account(3)];
    guardians.sort();
    let account = |change| Action::Account { actor, change };
    vec![
        account(AccountAction::AddKey {
            key,
            proof: proved(SignatureForm::Plain),
            repo: RepoId::new(7),
            until_s: Some(8),
        }),
        account(AccountAction::RevokeKey { key }),
        account(AccountAction::TransferHandle { to }),
        account(AccountAction::ReleaseHandle),
        account(AccountAction::SetGuardians { guardians, threshold: 2, delay_s: 9 }),
        account(AccountAction::ApproveRecovery {
            account: actor,
            key,
            proof: proved(SignatureForm::Sshsig),
        }),
        account(AccountAction::CancelRecovery),
        account(AccountAction::FinishRecovery { account: to }),
    ]
}

fn stakes() -> Vec<Action> {
    let actor = account(1);
    let (validator, to) = (ValidatorAddress::new([3; 20]), ValidatorAddress::new([4; 20]));
    let all = [
        StakingAction::Bond {
            consensus_key: secret(9).public(),
            proof: proof(9, ProofOf::Bond, &actor, SignatureForm::Plain),
            peer_id: vec![1; 38],
            name: "one".into(),
            commission_ppm: 50_000,
            gateway: "https://git.example.org".into(),
            amount: 7,
        },
        StakingAction::EditValidator(ValidatorEdit {
            peer_id: Some(vec![2; 38]),
            name: Some("two".into()),
            commission_ppm: Some(0),
            gateway: Some(String::new()),
        }),
        StakingAction::Delegate { validator, amount: 1 },
        StakingAction::Unbond { validator, amount: 1 },
        StakingAction::Redelegate { from: validator, to, amount: 1 },
        StakingAction::Unjail,
        StakingAction::ClaimRewards { validator },
    ];
    all.map(|change| Action::Staking { actor, change }).to_vec()
}

fn houses() -> Vec<Action> {
    let (actor, org, other) = (account(1), account(5), account(2));
    let mut members = vec![account(2), account(3)];
    members.sort();
    let repo = RepoId::new(7).expect("not 0");
    let (team, role) = ("crew".to_owned(), RepoRole::Write);
    let orgs = [
        OrgAction::Create { handle: "guild".into(), salt: [6; SALT_BYTES] },
        OrgAction::Invite { org, account: other, role: OrgRole::Owner },
        OrgAction::Accept { org },
        OrgAction::DropInvite { org, account: other },
        OrgAction::SetRole { org, account: other, role: OrgRole::Member },
        OrgAction::Remove { org, account: other },
        OrgAction::PutTeam { org, team: team.clone(), members },
        OrgAction::DropTeam { org, team: team.clone() },
        OrgAction::Transfer { org, to: other, amount: 3 },
    ];
    let rule = proto::Protection { no_force: true, no_delete: true, pusher: role.into() };
    let repos = [
        RepoAction::Fork { owner: org, name: "copy".into() },
        RepoAction::Rename { name: "other".into() },
        RepoAction::Transfer { to: org },
        RepoAction::Accept,
        RepoAction::SetCollaborator { account: other, role },
        RepoAction::SetTeamRole { team, role: RepoRole::None },
        RepoAction::SetTopics { topics: vec!["git".into(), "rust".into()] },
        RepoAction::Star { star: true },
        RepoAction::SetProtection { pattern: "refs/heads/*".into(), rule: Some(rule) },
    ];
    let orgs = orgs.map(|change| Action::Org { actor, change });
    let repos = repos.map(|change| Action::Repo { actor, repo, change });
    [orgs.to_vec(), repos.to_vec(), vec![Action::DrawFaucet { actor }]].concat()
}

fn talk() -> Vec<Action> {
    let actor = account(1);
    let repo = RepoId::new(7).expect("not 0");
    let (number, text) = (3, "hello".to_owned());
    let threads = [
        ThreadAction::Comment { text: text.clone() },
        ThreadAction::Edit { comment: 1, text: text.clone() },
        ThreadAction::React { comment: 0, reaction: Reaction::Heart, on: true },
        ThreadAction::Lock { locked: true },
    ];
    let issues = [
        IssueAction::Open { title: "broken".into(), text },
        IssueAction::Retitle { number, title: "works".into() },
        IssueAction::Close { number, reason: CloseReason::Duplicate },
        IssueAction::Reopen { number },
        IssueAction::Label { number, labels: vec!["bug".into(), "ui".into()] },
        IssueAction::Assign { number, accounts: vec![actor] },
        IssueAction::Plan { number, milestone: 1 },
        IssueAction::Pin { number, pinned: true },
        IssueAction::PutLabel { name: "bug".into(), color: 0xff_0000, description: "x".into() },
        IssueAction::DropLabel { name: "bug".into() },
        IssueAction::PutMilestone { milestone: 0, title: "1.0".into(), due_s: 9, closed: false },
    ];
    let threads = threads.map(|change| Action::Thread { actor, repo, number, change });
    let issues = issues.map(|change| Action::Issue { actor, repo, change });
    [threads.to_vec(), issues.to_vec()].concat()
}

fn decisions() -> Vec<Action> {
    let actor = account(1);
    let propose = |content| {
        GovernanceAction::Propose(proto::Propose {
            title: "better".into(),
            text: "because".into(),
            deposit: 5,
            content,
        })
    };
    let spend = proto::Spend { to: actor.to_vec(), amount: 7 };
    let all = [
        propose(None),
        propose(Some(Content::Params("{}".into()))),
        propose(Some(Content::Emergency("{}".into()))),
        propose(Some(Content::Upgrade(proto::Upgrade { height: 9, version: 2 }))),
        propose(Some(Content::Spend(spend))),
        GovernanceAction::Deposit { proposal: 1, amount: 2 },
        GovernanceAction::Vote { proposal: 1, option: VoteOption::Veto },
    ];
    all.map(|change| Action::Governance { actor, change }).to_vec()
}

#[test]
fn proposals_have_a_form() {
    let actor = account(1);
    let tx = |change| check(&signed(draft(&[Action::Governance { actor, change }])));
    let propose = |change: &dyn Fn(&mut proto::Propose)| {
        let mut what = proto::Propose {
            title: "better".into(),
            text: "because".into(),
            deposit: 5,
            content: None,
        };
        change(&mut what);
        tx(GovernanceAction::Propose(what))
    };
    assert!(propose(&|_| {}).is_ok());
    assert_eq!(propose(&|w| w.title.clear()), Err(TxError::Name(NameError::Title)));
    assert_eq!(propose(&|w| w.text.clear()), Err(TxError::Name(NameError::Text)));
    let field = |answer| assert!(matches!(answer, Err(TxError::Field(_))), "{answer:?}");
    field(propose(&|w| w.deposit = 0));
    field(propose(&|w| w.content = Some(Content::Params(String::new()))));
    field(propose(&|w| w.content = Some(Content::Emergency("x".repeat(8193)))));
    let upgrade = |height, version| Some(Content::Upgrade(proto::Upgrade { height, version }));
    field(propose(&|w| w.content = upgrade(0, 1)));
    field(propose(&|w| w.content = upgrade(1, 0)));
    let spend = |to: Vec<u8>, amount| Some(Content::Spend(proto::Spend { to, amount }));
    field(propose(&|w| w.content = spend(vec![1; 20], 0)));
    assert!(matches!(propose(&|w| w.content = spend(vec![1], 1)), Err(TxError::Id(_))));
    field(tx(GovernanceAction::Deposit { proposal: 1, amount: 0 }));
}

#[test]
fn what_is_said_has_bounds() {
    let (actor, repo) = (account(1), RepoId::new(7).expect("not 0"));
    let issue = |change| check(&signed(draft(&[Action::Issue { actor, repo, change }])));
    let say = |text: String| {
        let change = ThreadAction::Comment { text };
        check(&signed(draft(&[Action::Thread { actor, repo, number: 1, change }])))
    };
    assert!(say("x".repeat(16 * 1024)).is_ok());
    assert_eq!(say("x".repeat(16 * 1024 + 1)), Err(TxError::Name(NameError::Text)));
    assert_eq!(say(String::new()), Err(TxError::Name(NameError::Text)));
    // A title may say it all, now or later.
    let open = |text: String| issue(IssueAction::Open { title: "t".into(), text });
    assert!(open(String::new()).is_ok());
    assert_eq!(open("x".repeat(16 * 1024 + 1)), Err(TxError::Name(NameError::Text)));
    let clear = |comment| {
        let change = ThreadAction::Edit { comment, text: String::new() };
        check(&signed(draft(&[Action::Thread { actor, repo, number: 1, change }])))
    };
    assert!(clear(0).is_ok());
    assert_eq!(clear(1), Err(TxError::Name(NameError::Text)));
    for title in [String::new(), "a\nb".into(), "x".repeat(257)] {
        let bad = issue(IssueAction::Open { title: title.clone(), text: "x".into() });
        assert_eq!(bad, Err(TxError::Name(NameError::Title)));
        let bad = issue(IssueAction::Retitle { number: 1, title });
        assert_eq!(bad, Err(TxError::Name(NameError::Title)));
    }
    let field = |answer| assert!(matches!(answer, Err(TxError::Field(_))), "{answer:?}");
    let labels = |labels: &[&str]| {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        issue(IssueAction::Label { number: 1, labels })
    };
    field(labels(&["b", "a"]));
    assert_eq!(labels(&["A"]), Err(TxError::Name(NameError::Word)));
    field(issue(IssueAction::Assign { number: 1, accounts: vec![actor; 2] }));
    let color = 0x100_0000;
    field(issue(IssueAction::PutLabel { name: "a".into(), color, description: String::new() }));
}

#[test]
fn names_of_houses_are_checked() {
    let actor = account(1);
    let org = |change| check(&signed(draft(&[Action::Org { actor, change }])));
    let repo = |change| {
        let repo = RepoId::new(7).expect("not 0");
        check(&signed(draft(&[Action::Repo { actor, repo, change }])))
    };
    let word = Err(TxError::Name(NameError::Word));
    let team = |team: &str, members| {
        org(OrgAction::PutTeam { org: account(5), team: team.into(), members })
    };
    for bad in ["", "Crew", "a b", &"x".repeat(40)] {
        assert_eq!(team(bad, vec![]), word);
        assert_eq!(repo(RepoAction::SetTeamRole { team: bad.into(), role: RepoRole::Write }), word);
        assert_eq!(repo(RepoAction::SetTopics { topics: vec![bad.into()] }), word);
        let drop = OrgAction::DropTeam { org: account(5), team: bad.into() };
        assert_eq!(org(drop), word);
    }
    let field = |answer| assert!(matches!(answer, Err(TxError::Field(_))), "{answer:?}");
    field(team("crew", vec![account(2); 2]));
    field(repo(RepoAction::SetTopics { topics: vec!["b".into(), "a".into()] }));
    let many = (0..21).map(|n| format!("t{n:02}")).collect();
    field(repo(RepoAction::SetTopics { topics: many }));
    field(org(OrgAction::Transfer { org: account(5), to: actor, amount: 0 }));
    let handle = OrgAction::Create { handle: "A".into(), salt: [0; SALT_BYTES] };
    assert_eq!(org(handle), Err(TxError::Name(NameError::Handle)));
    for name in ["", "a b"] {
        let rename = repo(RepoAction::Rename { name: name.into() });
        assert_eq!(rename, Err(TxError::Name(NameError::Repo)));
        let fork = repo(RepoAction::Fork { owner: actor, name: name.into() });
        assert_eq!(fork, Err(TxError::Name(NameError::Repo)));
    }
    for pattern in ["", "*", "heads/main", "refs/heads/a*b", "refs/../*"] {
        let bad = repo(RepoAction::SetProtection { pattern: pattern.into(), rule: None });
        assert!(matches!(bad, Err(TxError::RefName(_))), "{pattern}: {bad:?}");
    }
}

#[test]
fn stake_has_amounts_and_bounds() {
    let actor = account(1);
    let tx = |change| check(&signed(draft(&[Action::Staking { actor, change }])));
    let field = |answer| assert!(matches!(answer, Err(TxError::Field(_))), "{answer:?}");
    let validator = ValidatorAddress::new([3; 20]);
    field(tx(StakingAction::Delegate { validator, amount: 0 }));
    field(tx(StakingAction::Unbond { validator, amount: 0 }));
    field(tx(StakingAction::Redelegate { from: validator, to: validator, amount: 1 }));
    let edit = |peer_id, name, commission_ppm| {
        let edit = ValidatorEdit { peer_id, name, commission_ppm, ..Default::default() };
        tx(StakingAction::EditValidator(edit))
    };
    field(edit(None, None, None));
    field(edit(Some(vec![]), None, None));
    field(edit(Some(vec![0; 65]), None, None));
    field(edit(None, None, Some(1_000_001)));
    assert!(edit(None, None, Some(1_000_000)).is_ok());
    for bad in [String::new(), "a\nb".into(), "x".repeat(65)] {
        assert_eq!(edit(None, Some(bad), None), Err(TxError::Name(NameError::Validator)));
    }
}

#[test]
fn a_validator_says_where_its_gateway_is_by_a_url_or_not_at_all() {
    let actor = account(1);
    let tx = |change| check(&signed(draft(&[Action::Staking { actor, change }])));
    let edit = |gateway: &str| {
        let gateway = Some(gateway.to_owned());
        tx(StakingAction::EditValidator(ValidatorEdit { gateway, ..Default::default() }))
    };
    let bond = |gateway: &str| {
        tx(StakingAction::Bond {
            consensus_key: secret(9).public(),
            proof: proof(9, ProofOf::Bond, &actor, SignatureForm::Plain),
            peer_id: vec![1; 38],
            name: "one".into(),
            commission_ppm: 0,
            gateway: gateway.to_owned(),
            amount: 1,
        })
    };
    for good in ["", "http://10.0.0.1:8080", "https://git.example.org/guts"] {
        assert!(edit(good).is_ok() && bond(good).is_ok(), "{good}");
    }
    for bad in ["git.example.org", "https://user@git.example.org"] {
        let wrong = Err(TxError::Name(NameError::Gateway));
        assert_eq!((edit(bad), bond(bad)), (wrong.clone(), wrong), "{bad}");
    }
}

/// Signed by those two accounts, whose consent some actions need.
fn signed_by_both(actions: &[Action]) -> Vec<u8> {
    draft(actions).sign(account(1), &secret(1)).sign(account(2), &secret(2)).encode()
}

#[test]
fn every_change_comes_back_as_it_was_drafted() {
    let all = [changes(), stakes(), houses(), talk(), decisions()].concat();
    for part in all.chunks(ACTIONS_MAX) {
        let tx = check(&signed_by_both(part)).expect("good");
        assert_eq!(tx.actions, part);
    }
    for change in all {
        let kind = change.kind();
        assert_eq!(ActionKind::from_number(kind.number()), Some(kind));
        assert_eq!(check(&signed(draft(std::slice::from_ref(&change)))).is_ok(), {
            change.co_signer().is_none()
        });
    }
}

#[test]
fn whoever_something_is_done_to_signs_too() {
    let change = Action::Account {
        actor: account(1),
        change: AccountAction::TransferHandle { to: account(2) },
    };
    let alone = check(&signed(draft(&[change])));
    assert_eq!(alone, Err(TxError::ActorUnsigned(account(2))));
}

#[test]
fn a_key_is_used_only_by_its_holders_leave() {
    let actor = account(1);
    let add =
        |proof| AccountAction::AddKey { key: secret(9).public(), proof, repo: None, until_s: None };
    let tx = |change| check(&signed(draft(&[Action::Account { actor, change }])));
    let good = proof(9, ProofOf::Key, &actor, SignatureForm::Plain);
    assert!(tx(add(good)).is_ok());
    let wrong = Err(TxError::Signature(secret(9).public()));
    let foreign = proof(8, ProofOf::Key, &actor, SignatureForm::Plain);
    assert_eq!(tx(add(foreign)), wrong, "signed by another key");
    let elsewhere = proof(9, ProofOf::Key, &account(2), SignatureForm::Plain);
    assert_eq!(tx(add(elsewhere)), wrong, "for another account");
    let other = proof(9, ProofOf::Bond, &actor, SignatureForm::Plain);
    assert_eq!(tx(add(other)), wrong, "for another purpose");
    let form = KeyProof { form: SignatureForm::Sshsig, ..good };
    assert_eq!(tx(add(form)), wrong, "in another form");
}

#[test]
fn guardians_are_sorted_and_enough() {
    let guard = |guardians: Vec<AccountId>, threshold| {
        let change = AccountAction::SetGuardians { guardians, threshold, delay_s: 1 };
        check(&signed(draft(&[Action::Account { actor: account(1), change }])))
    };
    let mut two = vec![account(2), account(3)];
    two.sort();
    assert!(guard(two.clone(), 2).is_ok());
    for bad in [guard(two.clone(), 0), guard(two.clone(), 3), guard(vec![], 1)] {
        assert!(matches!(bad, Err(TxError::Field(_))), "{bad:?}");
    }
    two.reverse();
    assert!(matches!(guard(two, 1), Err(TxError::Field(_))));
    let mut many: Vec<_> = (1..=17).map(account).collect();
    many.sort();
    assert!(matches!(guard(many, 1), Err(TxError::Field(_))));
}

#[test]
fn work_is_measured() {
    let anchor = Hash::new([3; 32]);
    let puzzle = Puzzle::new(CHAIN, &account(1), 0, &anchor);
    let solution = puzzle.search(0, 1 << 16, 8).expect("256 do on average");
    let tx = check(&signed(draft(&actions()).work(4, anchor, solution))).expect("good");
    assert!(matches!(tx.payment, Payment::Work { anchor_number: 4, bits: 8.., .. }));
}

#[test]
fn the_first_byte_tells_attestations_and_length_is_bounded() {
    assert_eq!(check(&[0xff, 1]), Err(TxError::PseudoTx));
    assert!(matches!(check(&vec![0; 70_000]), Err(TxError::Oversize { .. })));
    assert_eq!(check(b""), Err(TxError::Undecodable));
    assert_eq!(check(b"hello"), Err(TxError::Undecodable));
}

#[test]
fn another_encoding_of_the_same_is_refused() {
    let mut bytes = signed(draft(&actions()));
    // An unknown field, 99, of value 0.
    bytes.extend_from_slice(&[0x98, 0x06, 0x00]);
    assert_eq!(check(&bytes), Err(TxError::NotCanonical));
}

#[test]
fn another_chain_is_refused_in_the_body_and_in_the_certificate() {
    let bytes = signed(Draft::new("other", account(1), 0, &actions()));
    assert!(matches!(check(&bytes), Err(TxError::WrongChain { .. })));
    let bytes = signed(Draft::new("other", account(1), 0, &[push()]));
    let other = validate(&bytes, &ChainRules::new("other"));
    assert!(matches!(other, Err(TxError::WrongChain { .. })));
}

#[test]
fn payer_and_actors_must_sign_and_signatures_must_be_right() {
    let other = draft(&actions()).sign(account(2), &secret(2)).encode();
    assert_eq!(check(&other), Err(TxError::PayerUnsigned(account(1))));
    let foreign = Action::CommitHandle { actor: account(3), commitment: Hash::new([5; 32]) };
    let bytes = signed(draft(&[foreign]));
    assert_eq!(check(&bytes), Err(TxError::ActorUnsigned(account(3))));
    let wrong = draft(&actions()[1..]).sign(account(1), &secret(1));
    let forged = wrong.encode();
    let mut tampered = forged.clone();
    let end = tampered.len() - 1;
    tampered[end] ^= 1;
    assert_eq!(check(&tampered), Err(TxError::Signature(secret(1).public())));
    let twice = wrong.sign(account(1), &secret(2)).encode();
    assert_eq!(check(&twice), Err(TxError::Auth));
    assert_eq!(check(&draft(&actions()).encode()), Err(TxError::Auth));
}

#[test]
fn a_forged_certificate_is_a_wrong_signature() {
    let mut certificate = CERTIFICATE.to_vec();
    let at = certificate.windows(4).position(|part| part == b"v1\n-").expect("there");
    certificate[at + 1] = b'2';
    let certificate = Certificate::parse(&certificate).expect("the form is good");
    let key = certificate.signature.key;
    let action = Action::PushRefs(Box::new(PushRefs { certificate, pack: None, operator: None }));
    assert_eq!(check(&signed(draft(&[action]))), Err(TxError::Signature(key)));
}

#[test]
fn shapes_that_mean_nothing_are_refused() {
    assert_eq!(check(&signed(draft(&[]))), Err(TxError::Actions));
    let many = vec![actions().remove(1); ACTIONS_MAX + 1];
    assert_eq!(check(&signed(draft(&many))), Err(TxError::Actions));
    let both = [push(), actions().remove(1)];
    assert!(matches!(check(&signed(draft(&both))), Err(TxError::Field(_))));
    assert!(matches!(check(&signed(draft(&actions()).fee(0))), Err(TxError::Field(_))));
    let zero = Action::Transfer { actor: account(1), to: account(2), amount: 0 };
    assert!(matches!(check(&signed(draft(&[zero]))), Err(TxError::Field(_))));
    let key = secret(2).public();
    let stolen = Action::CreateAccount { actor: account(1), key };
    assert_eq!(check(&signed(draft(&[stolen]))), Err(TxError::AccountOfKey(account(1))));
    let handle = Action::ClaimHandle { actor: account(1), handle: "A".into(), salt: [0; 32] };
    assert!(matches!(check(&signed(draft(&[handle]))), Err(TxError::Name(_))));
}

#[test]
fn a_batch_answers_as_one_by_one() {
    let good = signed(draft(&actions()));
    let mut bad = good.clone();
    *bad.last_mut().expect("not empty") ^= 1;
    let pushed = signed(draft(&[push()]));
    let txs: Vec<&[u8]> = vec![&good, b"junk", &bad, &pushed, &good];
    let single: Vec<_> = txs.iter().map(|bytes| validate(bytes, &rules())).collect();
    assert_eq!(validate_batch(&txs, &rules(), &Anew), single);
    assert_eq!(single.iter().filter(|answer| answer.is_ok()).count(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_change_of_a_byte_goes_unnoticed(at: usize, byte: u8) {
        let good = signed(draft(&actions()).fee(3));
        let mut bytes = good.clone();
        let at = at % bytes.len();
        bytes[at] = byte;
        prop_assert_eq!(check(&bytes).is_ok(), bytes == good);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = check(&bytes);
    }
}

mod sentences;
