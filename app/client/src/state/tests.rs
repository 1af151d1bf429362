//! Many keys in few requests, each proved: asked of a node that has a tree made by hand.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use guts_rpc::client::Transport;
use guts_schema::proto::VoteOption;
use guts_schema::tally::Tally;
use ics23::commitment_proof::Proof;
use ics23::{CommitmentProof, ExistenceProof, HashOp, InnerOp, NonExistenceProof};
use prost013::Message as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;

const TAG: &[u8] = b"JMT::IntrnalNode";
const NOTHING: [u8; 32] = *b"SPARSE_MERKLE_PLACEHOLDER_HASH__";

fn sha(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), |hasher, part| hasher.chain_update(part)).finalize().into()
}

/// Leaves in order of their paths, each with its proof.
type Leaves = Vec<([u8; 32], ExistenceProof)>;

/// The root over leaves whose paths are the same up to `depth`; each gets what lies on its way.
fn grow(leaves: &mut [([u8; 32], ExistenceProof)], depth: usize) -> [u8; 32] {
    match leaves {
        [] => NOTHING,
        [(path, proof)] => sha(&[b"JMT::LeafNode", &path[..], &sha(&[&proof.value])]),
        _ => {
            let is_right = |path: &[u8; 32]| path[depth / 8] >> (7 - depth % 8) & 1 == 1;
            let (left, right) =
                leaves.split_at_mut(leaves.partition_point(|(path, _)| !is_right(path)));
            let roots = (grow(left, depth + 1), grow(right, depth + 1));
            let add = |leaves: &mut [([u8; 32], ExistenceProof)], prefix: &[u8], suffix: &[u8]| {
                let (prefix, suffix) = (prefix.to_vec(), suffix.to_vec());
                let step = InnerOp { hash: HashOp::Sha256.into(), prefix, suffix };
                leaves.iter_mut().for_each(|(_, proof)| proof.path.push(step.clone()));
            };
            add(left, TAG, &roots.1);
            add(right, &[TAG, &roots.0].concat(), &[]);
            sha(&[TAG, &roots.0, &roots.1])
        }
    }
}

/// A node with that state at height 7.
pub(crate) struct Node {
    leaves: Leaves,
    root: [u8; 32],
    requests: AtomicUsize,
    /// Gives the value of that key for another's.
    lies_about: Option<Vec<u8>>,
}

impl Node {
    pub(crate) fn new(entries: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        let leaf = |(key, value): (Vec<u8>, Vec<u8>)| {
            let leaf = crate::proof::spec().leaf_spec;
            (sha(&[&key]), ExistenceProof { key, value, leaf, path: Vec::new() })
        };
        let mut leaves: Leaves = entries.into_iter().map(leaf).collect();
        leaves.sort_by_key(|(path, _)| *path);
        let root = grow(&mut leaves, 0);
        Self { leaves, root, requests: AtomicUsize::new(0), lies_about: None }
    }

    fn answer(&self, call: &Value) -> Value {
        assert_eq!(
            (&call["method"], &call["params"]["height"]),
            (&"abci_query".into(), &"7".into())
        );
        let key = hex::decode(call["params"]["data"].as_str().unwrap()).unwrap();
        let key = match &self.lies_about {
            Some(other) if *other == key => b"a".to_vec(),
            _ => key,
        };
        let at = self.leaves.binary_search_by_key(&sha(&[&key]), |(path, _)| *path);
        let leaf = |at: usize| self.leaves.get(at).map(|(_, proof)| proof.clone());
        let proof = match at {
            Ok(at) => Proof::Exist(leaf(at).unwrap()),
            Err(at) => {
                let (left, right) = (at.checked_sub(1).and_then(leaf), leaf(at));
                Proof::Nonexist(NonExistenceProof { key: key.clone(), left, right })
            }
        };
        let value = at.ok().and_then(leaf).map(|proof| proof.value).unwrap_or_default();
        let data = CommitmentProof { proof: Some(proof) }.encode_to_vec();
        let base64 = |bytes: Vec<u8>| guts_rpc::types::Base64::from(bytes);
        let op = json!({ "type": query::PROOF_TYPE, "key": base64(key.clone()),
                         "data": base64(data) });
        json!({ "jsonrpc": "2.0", "id": call["id"], "result": { "response": {
            "code": 0, "log": "", "info": "", "index": "0", "key": base64(key),
            "value": base64(value), "proofOps": { "ops": [op] }, "height": "7", "codespace": "",
        }}})
    }
}

impl Transport for Node {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let answer = match serde_json::from_slice(&body).expect("JSON") {
            Value::Array(calls) => calls.iter().map(|call| self.answer(call)).collect(),
            call => self.answer(&call),
        };
        async move { Ok(answer.to_string().into()) }.boxed()
    }
}

pub(crate) fn state(node: &Arc<Node>) -> State {
    State {
        client: Client::over(node.clone()),
        address: "http://node".into(),
        height: 7,
        time: tendermint::Time::unix_epoch(),
        app_hash: node.root.to_vec(),
    }
}

fn owner(account: u8) -> (Vec<u8>, Vec<u8>) {
    let of = proto::OperatorOf { validator: vec![account; 20] };
    (vec![account], values::encode(&of))
}

#[tokio::test]
async fn many_values_are_proved_one_by_one_and_asked_for_together() {
    let node = Arc::new(Node::new((b'a'..=b'u').map(owner).collect()));
    // Those after u are absent.
    let keys: Vec<_> = (b'a'..=b'z').map(|key| vec![key]).collect();
    let found = state(&node).all::<proto::OperatorOf>(&keys).await.unwrap();
    let found: Vec<_> = found.iter().map(|one| Some(one.as_ref()?.validator[0])).collect();
    let wanted: Vec<_> = (b'a'..=b'z').map(|key| Some(key).filter(|key| *key <= b'u')).collect();
    assert_eq!((found, node.requests.load(Ordering::SeqCst)), (wanted, 3));
    let listed = state(&node).list::<proto::OperatorOf>("a value", &keys[..21]).await.unwrap();
    assert_eq!(listed.len(), 21);
    let hole = state(&node).list::<proto::OperatorOf>("a value", &keys).await.unwrap_err();
    assert!(hole.to_string().contains("a value is missing"), "{hole}");
}

#[tokio::test]
async fn one_lie_among_many_answers_is_found() {
    let mut node = Node::new((b'a'..=b'u').map(owner).collect());
    node.lies_about = Some(b"k".to_vec());
    let keys: Vec<_> = (b'a'..=b'u').map(|key| vec![key]).collect();
    let state = state(&Arc::new(node));
    let lie = state.all::<proto::OperatorOf>(&keys).await.unwrap_err();
    assert!(matches!(&lie, Error::Proof(why) if why.contains("for key k")), "{lie}");
    assert!(state.all::<proto::OperatorOf>(&keys[..10]).await.is_ok());
}

#[tokio::test]
async fn votes_are_counted_with_few_requests() {
    const VOTES: u8 = 45;
    let validator = ValidatorAddress::new([9; 20]);
    let operator = AccountId::new([99; 20]);
    let account = |index: u8| AccountId::new([index + 1; 20]);
    let one = proto::Validator { address: validator.to_vec(), ..Default::default() };
    let info = proto::ValidatorInfo {
        operator: operator.to_vec(),
        tokens: 1000,
        shares: 1000,
        ..Default::default()
    };
    let mut entries = vec![
        (keys::validators(), values::encode(&proto::Validators { validators: vec![one] })),
        (keys::validator(&validator), values::encode(&info)),
        (keys::params(), values::encode(&proto::Params { epoch_s: 1, ..Default::default() })),
    ];
    for index in 0..VOTES {
        let of = proto::DelegationsOf { validators: vec![validator.to_vec()], unbondings: 0 };
        let option = [VoteOption::Yes, VoteOption::No][usize::from(index % 2)].into();
        let vote = proto::VoteCast { account: account(index).to_vec(), option };
        let shares = proto::Delegation { shares: 2, ..Default::default() };
        entries.push((keys::vote(1, index.into()), values::encode(&vote)));
        entries.push((keys::delegations_of(&account(index)), values::encode(&of)));
        entries.push((keys::delegation(&validator, &account(index)), values::encode(&shares)));
    }
    let node = Arc::new(Node::new(entries));
    let proposal = proto::Proposal { votes: VOTES.into(), ..Default::default() };
    let votes = state(&node).votes(1, &proposal).await.unwrap();
    let (tally, _) = state(&node).tally(&votes, &proposal).await.unwrap();
    assert_eq!(tally, Tally { yes: 46, no: 44, total: 1000, ..Tally::default() });
    // The set, its validator and the parameters; the rest ten at a time, not one by one: 138.
    assert_eq!(node.requests.load(Ordering::SeqCst), 3 + 3 * 5);
}
