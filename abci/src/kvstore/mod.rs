//! The reference application: CometBFT's kvstore, transaction for transaction and answer for
//! answer.
//!
//! A transaction is `key=value` (or `key:value`, which a proposer rewrites), or
//! `val=ed25519!BASE64KEY!POWER`, which changes the validator set (power 0 removes). The app hash
//! is the number of transactions as a signed varint in eight bytes. Use it to try an engine; the
//! program is `examples/kvstore`. The module is pure: what is committed lives in a [`Store`].
//!
//! Where CometBFT's panics, this one answers with an exception, and a block that was finalized but
//! not committed leaves no trace, so that a replay counts nothing twice.

use std::sync::Arc;

use bytes::Bytes;

use crate::application::take_txs;
use crate::proto::abci::{
    Event, EventAttribute, ExecTxResult, Misbehavior, MisbehaviorType, RequestCheckTx,
    RequestCommit, RequestFinalizeBlock, RequestInfo, RequestInitChain, RequestPrepareProposal,
    RequestProcessProposal, RequestQuery, ResponseCheckTx, ResponseCommit, ResponseFinalizeBlock,
    ResponseInfo, ResponseInitChain, ResponsePrepareProposal, ResponseProcessProposal,
    ResponseQuery, ValidatorUpdate, response_process_proposal::ProposalStatus,
};
use crate::{Answer, Application, Exception, Reader, Served};

mod store;
#[cfg(test)]
mod tests;
mod transaction;

pub use store::{Batch, Memory, State, Store, Validators};
pub use transaction::{FormatError, Transaction, address_of};

/// The code of a transaction that is fine.
pub const CODE_OK: u32 = 0;
/// The code of a transaction that is not of the form above.
pub const CODE_INVALID_FORMAT: u32 = 2;
/// What Info says of the application's version.
pub const APP_VERSION: u64 = 1;

/// Both halves of the application over a store, ready to be served.
pub fn served(store: Arc<dyn Store>) -> Served {
    let reader = Arc::new(KvReader { store: Arc::clone(&store) });
    Served { app: Box::new(KvStore::new(store)), reader }
}

/// The writer: executes blocks and keeps the finalized one until its commit.
pub struct KvStore {
    store: Arc<dyn Store>,
    finalized: Option<Batch>,
    block_events: bool,
}

/// The reader: checks transactions, which needs no state, and answers queries on the last commit.
pub struct KvReader {
    store: Arc<dyn Store>,
}

impl KvStore {
    /// The application as its store has it. A process that died between FinalizeBlock and Commit
    /// is this again, over the same store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, finalized: None, block_events: false }
    }

    /// Also emits events of the block itself, as CometBFT's does for its tests of indexing.
    pub fn with_block_events(mut self) -> Self {
        self.block_events = true;
        self
    }

    /// A validator that signed twice has its power lowered by one.
    fn punish(&self, misbehavior: &[Misbehavior]) -> Answer<Vec<ValidatorUpdate>> {
        let double = i32::from(MisbehaviorType::DuplicateVote);
        let mut updates = Vec::new();
        for evidence in misbehavior.iter().filter(|evidence| evidence.r#type == double) {
            let Some(validator) = &evidence.validator else {
                return Err(Exception("misbehavior without a validator".to_owned()));
            };
            let Some(known) = self.store.validator_by_address(&validator.address) else {
                let address = hex(&validator.address);
                return Err(Exception(format!("misbehavior of {address}, which is no validator")));
            };
            let power = validator.power.saturating_sub(1);
            updates.push(ValidatorUpdate { pub_key: known.pub_key, power });
        }
        Ok(updates)
    }
}

impl Application for KvStore {
    fn init_chain(&mut self, request: RequestInitChain) -> Answer<ResponseInitChain> {
        let state = self.store.state();
        self.store.commit(Batch { state, pairs: Vec::new(), validators: request.validators })?;
        Ok(ResponseInitChain { app_hash: app_hash(state.size), ..Default::default() })
    }

    fn prepare_proposal(
        &mut self,
        request: RequestPrepareProposal,
    ) -> Answer<ResponsePrepareProposal> {
        let valid = request.txs.into_iter().filter(|tx| Transaction::parse(tx).is_ok());
        let written = valid.map(|tx| transaction::with_equals_sign(&tx)).collect();
        Ok(ResponsePrepareProposal { txs: take_txs(written, request.max_tx_bytes) })
    }

    fn process_proposal(
        &mut self,
        request: RequestProcessProposal,
    ) -> Answer<ResponseProcessProposal> {
        let all_valid = request.txs.iter().all(|tx| Transaction::parse(tx).is_ok());
        let status = if all_valid { ProposalStatus::Accept } else { ProposalStatus::Reject };
        Ok(ResponseProcessProposal { status: status.into() })
    }

    fn finalize_block(&mut self, request: RequestFinalizeBlock) -> Answer<ResponseFinalizeBlock> {
        // A block finalized before and never committed is forgotten here.
        let before = self.store.state();
        let mut validators = self.punish(&request.misbehavior)?;
        let mut pairs = Vec::with_capacity(request.txs.len());
        let mut tx_results = Vec::with_capacity(request.txs.len());
        for tx in &request.txs {
            let (key, value) = transaction::split(tx);
            match Transaction::parse(tx) {
                Ok(Transaction::Validator(update)) => validators.push(update),
                Ok(Transaction::Pair) => pairs.push((key.clone(), value.clone())),
                Err(error) => {
                    return Err(Exception(format!("a decided transaction is wrong: {error}")));
                }
            }
            tx_results.push(ExecTxResult { events: events(&key, &value), ..Default::default() });
        }
        let size = before.size.checked_add(tx_results.len() as u64);
        let size = size.ok_or_else(|| Exception("too many transactions".to_owned()))?;
        let state = State { height: request.height, size };
        self.finalized = Some(Batch { state, pairs, validators: validators.clone() });
        Ok(ResponseFinalizeBlock {
            events: if self.block_events { block_events(request.height) } else { Vec::new() },
            tx_results,
            validator_updates: validators,
            consensus_param_updates: None,
            app_hash: app_hash(size),
        })
    }

    fn commit(&mut self, _request: RequestCommit) -> Answer<ResponseCommit> {
        let Some(batch) = self.finalized.take() else {
            return Err(Exception("Commit without a finalized block".to_owned()));
        };
        self.store.commit(batch)?;
        Ok(ResponseCommit::default())
    }
}

impl Reader for KvReader {
    fn info(&self, _request: RequestInfo) -> Answer<ResponseInfo> {
        let State { height, size } = self.store.state();
        Ok(ResponseInfo {
            data: format!("{{\"size\":{size}}}"),
            version: "2.0.0".to_owned(),
            app_version: APP_VERSION,
            last_block_height: height,
            last_block_app_hash: app_hash(size),
        })
    }

    fn check_tx(&self, request: RequestCheckTx) -> Answer<ResponseCheckTx> {
        Ok(match Transaction::parse(&request.tx) {
            Ok(_) => ResponseCheckTx { code: CODE_OK, gas_wanted: 1, ..Default::default() },
            Err(_) => ResponseCheckTx { code: CODE_INVALID_FORMAT, ..Default::default() },
        })
    }

    fn query(&self, request: RequestQuery) -> Answer<ResponseQuery> {
        if request.path == "/val" {
            let update = self.store.validator_by_key(&request.data);
            let written = |update| prost::Message::encode_length_delimited_to_vec(&update);
            let value = update.map(written).unwrap_or_default();
            return Ok(ResponseQuery {
                key: request.data,
                value: value.into(),
                ..Default::default()
            });
        }
        let value = self.store.get(&request.data)?;
        Ok(ResponseQuery {
            log: if value.is_some() { "exists" } else { "does not exist" }.to_owned(),
            index: if request.prove { -1 } else { 0 },
            key: request.data,
            value: value.unwrap_or_default(),
            height: self.store.state().height,
            ..Default::default()
        })
    }
}

/// The number of transactions as a signed (zigzag) varint, padded to eight bytes.
pub fn app_hash(size: u64) -> Bytes {
    let mut hash = Vec::with_capacity(10);
    crate::codec::put_uvarint(size << 1, &mut hash);
    hash.resize(8, 0);
    hash.into()
}

/// The two events of a transaction, the same for all but the key and the value.
fn events(key: &[u8], value: &[u8]) -> Vec<Event> {
    let event = |creator: &str, key: &[u8]| Event {
        r#type: "app".to_owned(),
        attributes: vec![
            attribute("creator", creator, true),
            attribute("key", &String::from_utf8_lossy(key), true),
            attribute("index_key", "index is working", true),
            attribute("noindex_key", "index is working", false),
        ],
    };
    vec![event("Cosmoshi Netowoko", key), event("Cosmoshi", value)]
}

/// The events of a block: one when its height is odd, two when it is even.
fn block_events(height: i64) -> Vec<Event> {
    let event = |first: &str, second: &str| Event {
        r#type: "begin_event".to_owned(),
        attributes: vec![attribute("foo", first, true), attribute("bar", second, true)],
    };
    if height % 2 == 0 {
        vec![event("100", "200"), event("200", "300")]
    } else {
        vec![event("400", "300")]
    }
}

fn attribute(key: &str, value: &str, index: bool) -> EventAttribute {
    EventAttribute { key: key.to_owned(), value: value.to_owned(), index }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
