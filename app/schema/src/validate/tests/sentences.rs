//! Everything that makes a transaction none, with the code and the sentence it gets.

use super::*;
use crate::proto::action::Kind;

/// What a transaction is told that was changed after it was signed; its form is looked at first.
fn changed(action: &Action, change: impl FnOnce(&mut proto::Action)) -> String {
    let bytes = signed(draft(std::slice::from_ref(action)));
    let mut tx = proto::Tx::decode(&bytes[..]).expect("a transaction");
    change(&mut tx.body.as_mut().expect("a body").actions[0]);
    told(&tx.encode_to_vec())
}

fn told(bytes: &[u8]) -> String {
    check(bytes).expect_err("it is none").to_string()
}

fn of(action: Action) -> String {
    told(&signed(draft(&[action])))
}

fn propose(deposit: u64, content: Option<Content>) -> String {
    let (title, text) = ("better".into(), "because".into());
    let what = proto::Propose { title, text, deposit, content };
    of(Action::Governance { actor: account(1), change: GovernanceAction::Propose(what) })
}

/// Of accounts, money, keys and pushes.
fn people() -> Vec<String> {
    let (actor, to) = (account(1), account(2));
    let [_, _, claim, _, _, edit] = &actions()[..] else { panic!("six kinds") };
    let own = |change| Action::Account { actor, change };
    let add = own(AccountAction::AddKey {
        key: secret(9).public(),
        proof: proof(9, ProofOf::Key, &actor, SignatureForm::Plain),
        repo: None,
        until_s: None,
    });
    let guard = |guardians, threshold| {
        of(own(AccountAction::SetGuardians { guardians, threshold, delay_s: 9 }))
    };
    let two = draft(&[push(), Action::Transfer { actor, to, amount: 1 }]);
    vec![
        told(&signed(draft(&actions()).fee(0))),
        told(&signed(two)),
        changed(&push(), |action| {
            if let Some(Kind::PushRefs(push)) = &mut action.kind {
                push.pack_size = 0;
            }
        }),
        changed(claim, |action| {
            if let Some(Kind::ClaimHandle(claim)) = &mut action.kind {
                claim.salt.clear();
            }
        }),
        of(Action::Transfer { actor, to, amount: 0 }),
        changed(edit, |action| {
            if let Some(Kind::EditRepo(edit)) = &mut action.kind {
                edit.repo = 0;
            }
        }),
        changed(edit, |action| {
            if let Some(Kind::EditRepo(edit)) = &mut action.kind {
                *edit = proto::EditRepo { repo: 1, ..Default::default() };
            }
        }),
        changed(&add, |action| {
            if let Some(Kind::AddKey(add)) = &mut action.kind {
                add.proof = None;
            }
        }),
        guard(vec![to; 2], 1),
        guard(vec![to], 2),
    ]
}

/// Of stake and governance.
fn stakes_and_votes() -> Vec<String> {
    let actor = account(1);
    let validator = ValidatorAddress::new([3; 20]);
    let stake = |change| of(Action::Staking { actor, change });
    let bond = |peer_id, commission_ppm| {
        stake(StakingAction::Bond {
            consensus_key: secret(9).public(),
            proof: proof(9, ProofOf::Bond, &actor, SignatureForm::Plain),
            peer_id,
            name: "n".into(),
            commission_ppm,
            gateway: String::new(),
            amount: 1,
        })
    };
    let upgrade = Content::Upgrade(proto::Upgrade { height: 0, version: 1 });
    let spend = Content::Spend(proto::Spend { to: vec![1; 20], amount: 0 });
    vec![
        stake(StakingAction::Redelegate { from: validator, to: validator, amount: 1 }),
        stake(StakingAction::EditValidator(ValidatorEdit::default())),
        stake(StakingAction::Delegate { validator, amount: 0 }),
        bond(vec![], 0),
        bond(vec![1], 1_000_001),
        propose(0, None),
        propose(1, Some(Content::Params("x".repeat(8193)))),
        propose(1, Some(upgrade)),
        propose(1, Some(spend)),
    ]
}

/// Of issues and organisations.
fn houses() -> Vec<String> {
    let (actor, repo) = (account(1), RepoId::new(7).expect("not 0"));
    let issue = |change| of(Action::Issue { actor, repo, change });
    let (name, description) = ("bug".to_owned(), String::new());
    let team =
        OrgAction::PutTeam { org: account(5), team: "crew".into(), members: vec![account(2); 2] };
    let topics = RepoAction::SetTopics { topics: vec!["b".into(), "a".into()] };
    vec![
        issue(IssueAction::Label { number: 1, labels: vec!["b".into(), "a".into()] }),
        issue(IssueAction::PutLabel { name, color: 0x100_0000, description }),
        of(Action::Repo { actor, repo, change: topics }),
        of(Action::Org { actor, change: team }),
    ]
}

#[test]
fn every_field_says_what_it_takes() {
    let sources = [
        include_str!("../../validate.rs"),
        include_str!("../../tx/account.rs"),
        include_str!("../../tx/governance.rs"),
        include_str!("../../tx/issue.rs"),
        include_str!("../../tx/org.rs"),
        include_str!("../../tx/repo.rs"),
        include_str!("../../tx/staking.rs"),
        include_str!("../../tx/thread.rs"),
    ];
    let mut wanted: Vec<&str> = Vec::new();
    for source in sources {
        let texts = source.split("TxError::Field(\"").skip(1);
        wanted.extend(texts.filter_map(|rest| rest.split('"').next()));
    }
    wanted.sort_unstable();
    wanted.dedup();
    let mut found = [people(), stakes_and_votes(), houses()].concat();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, wanted, "each text is met");
}

/// What is told bytes, the code they get, and the sentence.
type Row = (Vec<u8>, Code, String);

fn pay(actor: AccountId) -> Action {
    Action::Transfer { actor, to: account(2), amount: 7 }
}

/// A good transaction, or one of a push, with something of it changed.
fn with(action: Action, change: impl FnOnce(&mut proto::Tx)) -> Vec<u8> {
    let mut tx = proto::Tx::decode(&signed(draft(&[action]))[..]).expect("a transaction");
    change(&mut tx);
    tx.encode_to_vec()
}

fn body(tx: &mut proto::Tx) -> &mut proto::TxBody {
    tx.body.as_mut().expect("a body")
}

/// Bytes that do not get as far as their signatures.
fn undecoded() -> Vec<Row> {
    let one = account(1);
    let good = signed(draft(&[pay(one)]));
    let other = signed(Draft::new("other", one, 0, &[pay(one)]));
    let short = with(pay(one), |tx| body(tx).payer.truncate(19));
    let chain = "the transaction is for chain \"other\", this is \"guts-local\"";
    let long = "a transaction has at most 65536 bytes, not 65537";
    let rows = [
        (vec![7; 65537], Code::TxOversize, long),
        (b"junk".to_vec(), Code::TxUndecodable, "not a transaction of Guts"),
        (
            [&good[..], &[0x1a, 0]].concat(),
            Code::TxUndecodable,
            "the transaction is not in canonical encoding",
        ),
        (short, Code::TxUndecodable, "an account id has 20 bytes, not 19"),
        (other, Code::TxWrongChain, chain),
        (
            vec![crate::attest::PSEUDO_TX_TAG, 1],
            Code::TxPseudo,
            "attestations are put in by the proposer, not sent",
        ),
    ];
    rows.map(|(bytes, code, text)| (bytes, code, text.to_owned())).to_vec()
}

/// Who signed, or did not.
fn signatures() -> Vec<Row> {
    let (one, two) = (account(1), account(2));
    let twice = with(pay(one), |tx| tx.auth = vec![tx.auth[0].clone(); 2]);
    let wrong = with(pay(one), |tx| body(tx).nonce = 1);
    let by_two = draft(&[pay(two)]).sign(two, &secret(2)).encode();
    let many = "a transaction has 1 to 8 signatures, one an account".to_owned();
    let key = secret(1).public();
    let malformed = Code::TxMalformed;
    vec![
        (twice, malformed, many),
        (by_two, malformed, format!("the payer {one} did not sign")),
        (signed(draft(&[pay(two)])), malformed, format!("the actor {two} did not sign")),
        (wrong, Code::TxSignature, format!("the signature by key {key} is wrong")),
    ]
}

/// Actions that are none.
fn bad_actions() -> Vec<Row> {
    let one = account(1);
    let create = Action::CreateAccount { actor: one, key: secret(2).public() };
    let claim = Action::ClaimHandle { actor: one, handle: "A".into(), salt: [6; SALT_BYTES] };
    let acting = with(push(), |tx| body(tx).actions[0].actor = one.to_vec());
    let no_certificate = with(push(), |tx| {
        if let Some(Kind::PushRefs(push)) = &mut body(tx).actions[0].kind {
            push.certificate = b"x".to_vec();
        }
    });
    let handle = "a handle has 2 to 39 lowercase letters, digits and single inner hyphens";
    let acts = "a push names no actor: the signer of its certificate acts";
    let certificate = "the push certificate has no good signature line";
    vec![
        (signed(draft(&[])), Code::TxMalformed, "a transaction has 1 to 16 actions".into()),
        (acting, Code::TxMalformed, acts.into()),
        (
            signed(draft(&[create])),
            Code::TxMalformed,
            format!("account {one} is not the one that this key makes"),
        ),
        (signed(draft(&[claim])), Code::TxName, handle.into()),
        (no_certificate, Code::TxCertificate, certificate.into()),
    ]
}

#[test]
fn what_is_no_transaction_gets_its_code_and_sentence() {
    for (bytes, code, sentence) in [undecoded(), signatures(), bad_actions()].concat() {
        let error = check(&bytes).expect_err("it is none");
        assert_eq!((error.code(), error.to_string()), (code, sentence));
    }
}
