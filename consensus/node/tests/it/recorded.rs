//! A chain that CometBFT made, put into the stores of a node block by block: every recorded request
//! for chain data is answered by the node as CometBFT answered it.

use crate::network::{Network, eventually};
use crate::requests::{differences, leaves_out_params, vector};
use guts_abci::proto::{abci as pb, types as proto};
use guts_consensus::io::Decided;
use guts_consensus::types::{Block, Commit, ExtendedCommit, State};
use guts_engine::store::{Batch, Memory, Store};
use guts_genesis::{GenesisDoc, Zip215};
use guts_rpc::types;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// The methods that are answered from the chain alone.
const METHODS: [&str; 14] = [
    "block",
    "block_by_hash",
    "block_results",
    "block_search",
    "blockchain",
    "commit",
    "consensus_params",
    "genesis",
    "genesis_chunked",
    "header",
    "header_by_hash",
    "tx",
    "tx_search",
    "validators",
];

/// Recorded requests for what is in the chain.
const EQUAL: usize = 658;

pub fn get<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{e}: {value}"))
}

fn block(recorded: types::Block) -> Block {
    let evidence = recorded.evidence.evidence.into_iter().map(Into::into).collect();
    let block = proto::Block {
        header: Some(recorded.header.into()),
        data: Some(proto::Data { txs: recorded.data.txs.into_iter().map(|tx| tx.0).collect() }),
        evidence: Some(proto::EvidenceList { evidence }),
        last_commit: Some(recorded.last_commit.into()),
    };
    Block::from_proto(block).unwrap()
}

fn events(recorded: Vec<types::Event>) -> Vec<pb::Event> {
    let attribute = |one: types::EventAttribute| pb::EventAttribute {
        key: one.key,
        value: one.value,
        index: one.index,
    };
    let event = |one: types::Event| pb::Event {
        r#type: one.kind,
        attributes: one.attributes.into_iter().map(attribute).collect(),
    };
    recorded.into_iter().map(event).collect()
}

fn response(recorded: types::BlockResults) -> pb::ResponseFinalizeBlock {
    let result = |one: types::TxResult| pb::ExecTxResult {
        code: one.code,
        data: one.data.0.into(),
        log: one.log,
        info: one.info,
        gas_wanted: one.gas_wanted,
        gas_used: one.gas_used,
        events: events(one.events),
        codespace: one.codespace,
    };
    let update = |one: types::ValidatorUpdate| pb::ValidatorUpdate {
        pub_key: Some(one.pub_key.0.into()),
        power: one.power,
    };
    let params = recorded.consensus_param_updates.map(|updates| proto::ConsensusParams {
        block: updates
            .block
            .map(|block| proto::BlockParams { max_bytes: block.max_bytes, max_gas: block.max_gas }),
        ..proto::ConsensusParams::default()
    });
    pb::ResponseFinalizeBlock {
        events: events(recorded.finalize_block_events),
        tx_results: recorded.txs_results.into_iter().map(result).collect(),
        validator_updates: recorded.validator_updates.into_iter().map(update).collect(),
        consensus_param_updates: params,
        app_hash: recorded.app_hash.0.into(),
    }
}

/// Stores every height as the engine does; each block is checked against the state before it.
pub fn store_chain(recorded: &Value, genesis: &GenesisDoc, at: &Path) {
    let store = Store::open(at, Memory { cache_bytes: 1 << 20, memtable_bytes: 4 << 20 }).unwrap();
    assert!(store.bind(genesis.hash()).unwrap());
    let mut state = State::from_genesis(genesis).unwrap();
    let app_version = recorded["abci_info"]["response"]["app_version"].as_str().unwrap();
    state.set_app_version(app_version.parse().unwrap());
    let first: types::HeaderResult = get(&recorded["heights"][0]["header"]);
    let app_hash = first.header.unwrap().app_hash.0.into();
    state.on_init_chain(&pb::ResponseInitChain { app_hash, ..Default::default() }).unwrap();
    let mut batch = Batch::default();
    store.put_state(&mut batch, &state);
    for height in recorded["heights"].as_array().unwrap() {
        let result: types::BlockResult = get(&height["block"]);
        let block = block(result.block.unwrap());
        state.check_block(&block, &Zip215).unwrap();
        let parts = block.part_set();
        let id = block.id(&parts);
        assert_eq!(types::BlockId::from(id.to_proto()), result.block_id);
        let commit: types::CommitResult = get(&height["commit"]);
        let commit = Commit::from_proto(commit.signed_header.commit.into()).unwrap();
        let decided = Decided {
            id,
            parts: parts.parts().cloned().map(Arc::new).collect(),
            commit: ExtendedCommit::without_extensions(&commit),
            extended: false,
            block,
        };
        let response = response(get(&height["block_results"]));
        state = state.after_block(id, &decided.block, &response).unwrap();
        store.put_block(&mut batch, &decided);
        store.put_response(&mut batch, decided.block.header().height, &response);
        store.put_state(&mut batch, &state);
    }
    store.write(batch, true).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_cometbft_is_read_as_from_cometbft() {
    let recorded = vector("rpc/chain.json");
    let text = recorded["genesis_file"].as_str().unwrap();
    let genesis = GenesisDoc::parse(text).unwrap();
    let mut network = Network::new(1, &[]);
    let node = &mut network.nodes[0];
    std::fs::write(node.home().join("config/genesis.json"), text).unwrap();
    store_chain(&recorded, &genesis, &node.home().join("data/store"));
    let output = node.command("reindex").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    node.start_inspect();
    let ask = || async { node.client().health().await.ok() };
    assert!(eventually(ask).await.is_some(), "{}", node.log());
    let mut equal = 0;
    let mut failures = Vec::new();
    for method in METHODS {
        let file = vector(&format!("rpc/{method}.json"));
        let cases = file["cases"].as_array().unwrap().iter();
        let cases = cases.filter(|case| case["state"] == "final" && !leaves_out_params(case));
        for case in cases {
            let found = differences(node.rpc(), method, case).await;
            match found.is_empty() {
                true => equal += 1,
                false => failures.push(format!("{method} | {}: {found:#?}", case["name"])),
            }
        }
    }
    assert!(failures.is_empty(), "{} equal\n{}", equal, failures.join("\n"));
    assert_eq!(equal, EQUAL);
}
