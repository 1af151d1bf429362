//! Which state a read proves, asked of a node that shows a header more at every look.
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use guts_rpc::client::Transport;
use guts_schema::sign::SecretKey;
use serde_json::{Value, json};
use tendermint::block::{self, Commit, CommitSig, parts};
use tendermint::{AppHash, Hash, Signature, Vote, account, vote};

use super::*;

pub(crate) const GENESIS: &str = r#"{"genesis_time":"2024-03-14T15:09:26Z","chain_id":"guts-test",
  "initial_height":"1","app_hash":""}"#;

fn key() -> SecretKey {
    SecretKey::from_seed([7; 32])
}

pub(crate) fn validator() -> Info {
    let key = tendermint::PublicKey::from_raw_ed25519(&key().public().to_vec());
    Info::new(key.expect("a key"), 10_u32.into())
}

pub(crate) fn hash(of: u64) -> Hash {
    let mut bytes = [1; 32];
    bytes[..8].copy_from_slice(&of.to_be_bytes());
    Hash::Sha256(bytes)
}

fn height(height: u64) -> block::Height {
    height.try_into().expect("a height")
}

/// A header of a chain on which every block changes the state.
pub(crate) fn header(at: u64, begun: Time) -> Header {
    let validators_hash = Set::without_proposer(vec![validator()]).hash();
    Header {
        version: block::header::Version { block: 11, app: 1 },
        chain_id: "guts-test".parse().expect("an id"),
        height: height(at),
        time: begun.checked_add(Duration::from_secs(at)).expect("a time"),
        last_block_id: None,
        last_commit_hash: None,
        data_hash: None,
        validators_hash,
        next_validators_hash: validators_hash,
        consensus_hash: hash(0),
        app_hash: AppHash::try_from(hash(at - 1).as_bytes().to_vec()).expect("a hash"),
        last_results_hash: None,
        evidence_hash: None,
        proposer_address: validator().address,
    }
}

/// The header with what its validator signed.
pub(crate) fn signed(header: Header) -> SignedHeader {
    let part_set_header = parts::Header::new(1, hash(0)).expect("a part");
    let block_id = block::Id { hash: header.hash(), part_set_header };
    let address: account::Id = validator().address;
    let vote = Vote {
        vote_type: vote::Type::Precommit,
        height: header.height,
        round: 0_u16.into(),
        block_id: Some(block_id),
        timestamp: Some(header.time),
        validator_address: address,
        validator_index: 0_u32.try_into().expect("an index"),
        signature: None,
        extension: Vec::new(),
        extension_signature: None,
    };
    let bytes = vote.into_signable_vec(header.chain_id.clone());
    let signature = Signature::new(key().sign(&bytes).to_vec()).expect("a signature");
    let signature = CommitSig::BlockIdFlagCommit {
        validator_address: address,
        timestamp: header.time,
        signature,
    };
    let (height, round) = (header.height, 0_u16.into());
    let commit = Commit { height, round, block_id, signatures: vec![signature] };
    SignedHeader::new(header, commit).expect("they fit")
}

/// Shows header 2 first, and one more whenever it is asked for the newest, up to `last`; its
/// application is at `executed` from the start, with the state that block `changed` left.
struct Node {
    begun: Time,
    newest: AtomicU64,
    last: u64,
    executed: u64,
    changed: u64,
}

impl Transport for Node {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        let call: Value = serde_json::from_slice(&body).expect("JSON");
        let result = match call["method"].as_str() {
            Some("commit") => {
                let newest = self.newest.fetch_add(1, Ordering::SeqCst).min(self.last);
                json!({ "signed_header": signed(header(newest, self.begun)), "canonical": true })
            }
            Some("abci_info") => json!({ "response": {
                "last_block_height": self.executed.to_string(),
                "last_block_app_hash": guts_rpc::types::Base64::from(
                    hash(self.changed).as_bytes().to_vec()
                ),
            }}),
            other => panic!("{other:?} is asked for"),
        };
        let answer = json!({ "jsonrpc": "2.0", "id": call["id"], "result": result });
        async move { Ok(answer.to_string().into()) }.boxed()
    }
}

/// A chain on which that header is believed.
pub(super) fn chain(client: Client, header: Header) -> Chain {
    let trusted = Trusted {
        chain_id: header.chain_id.clone(),
        height: header.height.value(),
        time: header.time,
        next_validators: vec![validator()],
        header: Some(header),
        light_trust_s: 86_400,
    };
    Chain {
        client,
        address: "http://node".into(),
        genesis: GenesisDoc::parse(GENESIS).expect("good"),
        trusted,
        home: None,
        behind: BTreeMap::new(),
        nonces: BTreeMap::new(),
        dry_run: false,
        paying: Paying::default(),
    }
}

/// Answers with pages of validators, as if it had more of them than it gave.
struct Endless {
    /// Of how many of them a page is, and whether each page has others.
    page: u32,
    are_new: bool,
    requests: AtomicU64,
}

impl Transport for Endless {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        let at = u32::try_from(self.requests.fetch_add(1, Ordering::SeqCst)).expect("few");
        let first = if self.are_new { at * self.page } else { 0 };
        let validators: Vec<_> = (first..first + self.page)
            .map(|number| {
                let mut address = [0; 20];
                address[..4].copy_from_slice(&number.to_be_bytes());
                Info { address: account::Id::new(address), ..validator() }
            })
            .collect();
        let call: Value = serde_json::from_slice(&body).expect("JSON");
        let total = u64::MAX.to_string();
        let result = json!({ "block_height": "1", "validators": validators, "total": total });
        let answer = json!({ "jsonrpc": "2.0", "id": call["id"], "result": result });
        async move { Ok(answer.to_string().into()) }.boxed()
    }
}

#[tokio::test]
async fn a_list_of_validators_without_an_end_is_ended() {
    for (page, are_new, requests) in [(100, false, 2), (100, true, 101), (1, false, 2)] {
        let node = Arc::new(Endless { page, are_new, requests: AtomicU64::new(0) });
        let first = header(1, Time::now());
        let chain = chain(Client::over(node.clone()), first);
        let refused = chain.validators(1).await.expect_err("there is no end").to_string();
        assert!(refused.contains("validators has no end"), "{refused}");
        assert_eq!(node.requests.load(Ordering::SeqCst), requests, "{page} {are_new}");
    }
}

/// Height of the state that is read when the application is at `executed`, with what block
/// `changed` left, and no header after `last` comes.
async fn height_read(executed: u64, changed: u64, last: u64) -> u64 {
    let begun = Time::now().checked_sub(Duration::from_secs(3600)).expect("a time");
    let first = header(1, begun);
    let node = Node { begun, newest: AtomicU64::new(2), last, executed, changed };
    let mut chain = chain(Client::over(Arc::new(node)), first);
    chain.newest_state().await.expect("it is proved").height()
}

#[tokio::test]
async fn a_read_proves_what_the_application_has() {
    // The second look shows header 3, which proves the state of block 2.
    assert_eq!(height_read(2, 2, u64::MAX).await, 2);
    // Two headers are on their way.
    assert_eq!(height_read(4, 4, u64::MAX).await, 4);
}

#[tokio::test]
async fn a_read_does_not_wait_for_a_block_that_a_chain_at_rest_does_not_make() {
    // Block 3 came between two looks and changed nothing: its header proves what block 2 did.
    assert_eq!(height_read(3, 2, 3).await, 2);
}

/// Answers like a node whose application is gone.
struct Deaf(Node);

impl Transport for Deaf {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        let call: Value = serde_json::from_slice(&body).expect("JSON");
        if call["method"] != "abci_info" {
            return self.0.post(body);
        }
        let error = json!({ "code": -32603, "message": "Internal error", "data": "no app" });
        let answer = json!({ "jsonrpc": "2.0", "id": call["id"], "error": error });
        async move { Ok(answer.to_string().into()) }.boxed()
    }
}

#[tokio::test]
async fn what_the_application_has_is_not_guessed() {
    let begun = Time::now().checked_sub(Duration::from_secs(3600)).expect("a time");
    let node = Node { begun, newest: AtomicU64::new(2), last: u64::MAX, executed: 4, changed: 4 };
    let mut chain = chain(Client::over(Arc::new(Deaf(node))), header(1, begun));
    let refused = chain.newest_state().await.expect_err("nobody knows what is newest");
    assert!(matches!(refused, Error::Node { .. }), "{refused}");
}
