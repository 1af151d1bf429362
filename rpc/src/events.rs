//! What a node tells its subscribers, in CometBFT's JSON.
//!
//! An event has values by tag, which queries look at, and data of a type. The kinds that are told:
//! `NewBlock`, `NewBlockHeader`, `NewBlockEvents`, `NewEvidence`, `Tx` and `ValidatorSetUpdates`
//! for each block, in this order, and those of [`RoundEvent`] while a height is being decided.
//! These are CometBFT's but for `Unlock`, which a node tells of when it gives up the block it has
//! locked: ours keeps it, as in the paper, until it locks another, which is a `Lock`. A query for
//! that, or for a kind that there is not, is taken and finds nothing, as at CometBFT.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json;
use crate::types::{
    Block, BlockId, BlockResults, ConsensusParamUpdates, Event, Evidence, Header, Hex, Proposer,
    Text64, TxResult, Validator, ValidatorUpdate, Vote,
};

/// One event.
#[derive(Debug)]
pub struct NodeEvent {
    /// Values by tag.
    values: BTreeMap<String, Vec<String>>,
    /// They as every message has them.
    values_json: Box<RawValue>,
    /// `{"type":..,"value":..}`
    data: Box<RawValue>,
}

/// What is told at once. It can be taken back: subscribers that have not read it yet then lose
/// their subscriptions, and it costs no more memory.
#[derive(Debug)]
pub struct Batch {
    events: Mutex<Option<Arc<Vec<NodeEvent>>>>,
    bytes: usize,
}

impl Batch {
    /// These events.
    pub fn new(events: Vec<NodeEvent>) -> Self {
        let bytes = events.iter().map(NodeEvent::bytes).sum();
        Self { events: Mutex::new(Some(Arc::new(events))), bytes }
    }

    /// In place of events that were lost.
    pub fn lost() -> Self {
        Self { events: Mutex::new(None), bytes: 0 }
    }

    /// The events; none if they were lost or taken back.
    pub fn events(&self) -> Option<Arc<Vec<NodeEvent>>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the events back.
    pub fn withdraw(&self) {
        *self.events.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// About how many bytes the events take in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[derive(Serialize)]
struct Data<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    value: &'a T,
}

/// A block with everything that is told of it.
#[derive(Debug, Clone, Default)]
pub struct NewBlock {
    /// Its id.
    pub block_id: BlockId,
    /// Itself.
    pub block: Block,
    /// What the application answered.
    pub results: BlockResults,
    /// SHA-256 of each transaction.
    pub tx_hashes: Vec<Hex>,
    /// The validators that changed, as they are now.
    pub updates: Vec<Validator>,
}

#[derive(Serialize)]
struct NewBlockValue<'a> {
    block: &'a Block,
    block_id: &'a BlockId,
    result_finalize_block: FinalizeValue<'a>,
}

#[derive(Serialize)]
struct FinalizeValue<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    events: Vec<EventValue<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tx_results: &'a [TxResult],
    #[serde(serialize_with = "json::null_list::serialize")]
    validator_updates: &'a [ValidatorUpdate],
    #[serde(skip_serializing_if = "Option::is_none")]
    consensus_param_updates: &'a Option<ConsensusParamUpdates>,
    app_hash: &'a crate::types::Base64,
}

#[derive(Serialize)]
struct HeaderValue<'a> {
    header: &'a Header,
}

#[derive(Serialize)]
struct EventsValue<'a> {
    #[serde(with = "json::text")]
    height: i64,
    events: Vec<EventValue<'a>>,
    #[serde(with = "json::text")]
    num_txs: usize,
}

#[derive(Serialize)]
struct EvidenceValue<'a> {
    #[serde(with = "json::text")]
    height: i64,
    evidence: &'a Evidence,
}

#[derive(Serialize)]
struct UpdatesValue<'a> {
    validator_updates: &'a [Validator],
}

/// An event as protobuf's JSON has it: without an empty list.
#[derive(Serialize)]
struct EventValue<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    attributes: &'a [crate::types::EventAttribute],
}

#[derive(Serialize)]
struct TxValue<'a> {
    #[serde(rename = "TxResult")]
    result: PlacedTx<'a>,
}

#[derive(Serialize)]
struct PlacedTx<'a> {
    #[serde(with = "json::text")]
    height: i64,
    #[serde(skip_serializing_if = "json::is_zero")]
    index: u32,
    tx: &'a Text64,
    result: ResultValue<'a>,
}

/// A result as protobuf's JSON has it: without zeros.
#[derive(Serialize)]
struct ResultValue<'a> {
    #[serde(skip_serializing_if = "json::is_zero")]
    code: u32,
    #[serde(skip_serializing_if = "json::is_zero")]
    data: crate::types::Base64,
    #[serde(skip_serializing_if = "str::is_empty")]
    log: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    info: &'a str,
    #[serde(with = "json::text", skip_serializing_if = "json::is_zero")]
    gas_wanted: i64,
    #[serde(with = "json::text", skip_serializing_if = "json::is_zero")]
    gas_used: i64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    events: Vec<EventValue<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    codespace: &'a str,
}

/// Where a node was when something happened in a round.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The height in progress.
    pub height: i64,
    /// Its round.
    pub round: i32,
    /// CometBFT's name of the step, like `RoundStepPrevote`.
    pub step: &'static str,
}

/// What happens in a round.
#[derive(Debug)]
#[allow(missing_docs)] // each name is CometBFT's
pub enum RoundEvent {
    NewRound(Proposer),
    NewRoundStep,
    CompleteProposal(BlockId),
    ValidBlock,
    Polka,
    Lock,
    Relock,
    Vote(Box<Vote>),
    TimeoutPropose,
    TimeoutWait,
}

/// The state of a round, with what some kinds add.
#[derive(Serialize)]
struct RoundValue<'a> {
    #[serde(with = "json::text")]
    height: i64,
    round: i32,
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposer: Option<&'a Proposer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block_id: Option<&'a BlockId>,
}

#[derive(Serialize)]
struct VoteValue<'a> {
    #[serde(rename = "Vote")]
    vote: &'a Vote,
}

fn shown(events: &[Event]) -> Vec<EventValue<'_>> {
    events.iter().map(|one| EventValue { kind: &one.kind, attributes: &one.attributes }).collect()
}

fn raw<T: Serialize>(value: &T) -> Box<RawValue> {
    let text = json::to_string(value).expect("our types print as JSON");
    RawValue::from_string(text).expect("what was printed is JSON")
}

fn add(values: &mut BTreeMap<String, Vec<String>>, events: &[Event]) {
    for event in events.iter().filter(|event| !event.kind.is_empty()) {
        for attribute in event.attributes.iter().filter(|a| !a.key.is_empty()) {
            let tag = format!("{}.{}", event.kind, attribute.key);
            values.entry(tag).or_default().push(attribute.value.clone());
        }
    }
}

impl NodeEvent {
    /// An event of a kind, with data of type `tendermint/event/{data}`.
    fn new<T: Serialize>(kind: &str, data: &str, value: &T, events: &[Event]) -> Self {
        let mut values = BTreeMap::new();
        add(&mut values, events);
        Self::with(kind, data, value, values)
    }

    /// An event of a kind with further `values`.
    fn with<T>(kind: &str, data: &str, value: &T, mut values: BTreeMap<String, Vec<String>>) -> Self
    where
        T: Serialize,
    {
        values.entry("tm.event".to_owned()).or_default().insert(0, kind.to_owned());
        let data = Data { kind: &format!("tendermint/event/{data}"), value };
        Self { values_json: raw(&values), data: raw(&data), values }
    }

    /// Values by tag.
    pub fn values(&self) -> &BTreeMap<String, Vec<String>> {
        &self.values
    }

    /// Values by tag, printed.
    pub fn values_json(&self) -> &RawValue {
        &self.values_json
    }

    /// `{"type":..,"value":..}`
    pub fn data(&self) -> &RawValue {
        &self.data
    }

    /// About how many bytes it takes in memory.
    fn bytes(&self) -> usize {
        let strings = |list: &Vec<String>| -> usize {
            list.iter().map(|text| size_of::<String>() + text.len()).sum()
        };
        let values = self.values.iter().map(|(tag, list)| tag.len() + strings(list));
        self.data.get().len() + self.values_json.get().len() + values.sum::<usize>()
    }

    /// Everything that is told of a block.
    pub fn of_block(new: &NewBlock) -> Vec<Self> {
        let NewBlock { block_id, block, results, tx_hashes, updates } = new;
        let of_block = &results.finalize_block_events[..];
        let height = block.header.height;
        let result_finalize_block = FinalizeValue {
            events: shown(of_block),
            tx_results: &results.txs_results,
            validator_updates: &results.validator_updates,
            consensus_param_updates: &results.consensus_param_updates,
            app_hash: &results.app_hash,
        };
        let whole = NewBlockValue { block, block_id, result_finalize_block };
        let num_txs = block.data.txs.len();
        let events = EventsValue { height, events: shown(of_block), num_txs };
        let header = HeaderValue { header: &block.header };
        let mut told = vec![
            Self::new("NewBlock", "NewBlock", &whole, of_block),
            Self::new("NewBlockHeader", "NewBlockHeader", &header, &[]),
            Self::new("NewBlockEvents", "NewBlockEvents", &events, of_block),
        ];
        told.extend(block.evidence.evidence.iter().map(|evidence| {
            let value = EvidenceValue { height, evidence };
            Self::new("NewEvidence", "NewEvidence", &value, &[])
        }));
        let txs = block.data.txs.iter().zip(&results.txs_results).zip(tx_hashes);
        told.extend(
            (0..).zip(txs).map(|(index, ((tx, result), hash))| {
                Self::of_tx((height, index), tx, result, hash)
            }),
        );
        if !updates.is_empty() {
            let value = UpdatesValue { validator_updates: updates };
            told.push(Self::new("ValidatorSetUpdates", "ValidatorSetUpdates", &value, &[]));
        }
        told
    }

    /// What is told of something that happened in a round.
    pub fn of_round(Place { height, round, step }: Place, event: &RoundEvent) -> Self {
        let mut value = RoundValue { height, round, step, proposer: None, block_id: None };
        let (kind, data) = match event {
            RoundEvent::Vote(vote) => return Self::new("Vote", "Vote", &VoteValue { vote }, &[]),
            RoundEvent::NewRound(proposer) => {
                value.proposer = Some(proposer);
                ("NewRound", "NewRound")
            }
            RoundEvent::CompleteProposal(id) => {
                value.block_id = Some(id);
                ("CompleteProposal", "CompleteProposal")
            }
            RoundEvent::NewRoundStep => ("NewRoundStep", "RoundState"),
            RoundEvent::ValidBlock => ("ValidBlock", "RoundState"),
            RoundEvent::Polka => ("Polka", "RoundState"),
            RoundEvent::Lock => ("Lock", "RoundState"),
            RoundEvent::Relock => ("Relock", "RoundState"),
            RoundEvent::TimeoutPropose => ("TimeoutPropose", "RoundState"),
            RoundEvent::TimeoutWait => ("TimeoutWait", "RoundState"),
        };
        Self::new(kind, data, &value, &[])
    }

    fn of_tx((height, index): (i64, u32), tx: &Text64, result: &TxResult, hash: &Hex) -> Self {
        let value = ResultValue {
            code: result.code,
            data: result.data.clone(),
            log: &result.log,
            info: &result.info,
            gas_wanted: result.gas_wanted,
            gas_used: result.gas_used,
            events: shown(&result.events),
            codespace: &result.codespace,
        };
        let placed = PlacedTx { height, index, tx, result: value };
        let mut values = BTreeMap::new();
        add(&mut values, &result.events);
        values.entry("tx.hash".into()).or_default().push(hash.to_string());
        values.entry("tx.height".into()).or_default().push(height.to_string());
        Self::with("Tx", "Tx", &TxValue { result: placed }, values)
    }
}
