//! 08-genesis, 08b-init-chain and 09b-state-chain: states, and blocks that follow from them.
use guts_abci::proto::{Message, abci as pb, types};
use guts_consensus::types::{Block, BlockId, ExtendedCommit, Invalid, State, Txs, abci};
use guts_genesis::{Address, GenesisDoc, Zip215};
use serde_json::Value;

use crate::support::*;

fn check_state(state: &State, expected: &Value, what: &str) {
    let encoded = state.to_proto().encode_to_vec();
    assert_eq!(hex::encode(encoded), text(expected), "{what}");
    assert_eq!(State::from_proto(state.to_proto()).as_ref(), Ok(state), "{what}");
}

#[test]
fn first_states_are_those_recorded() {
    each_case("08-genesis.json", 68, |_, case| {
        let document = case["saved"].as_str().or(case["text"].as_str()).unwrap();
        if let (Ok(genesis), true) = (GenesisDoc::parse(document), case["state_proto"].is_string())
        {
            let state = State::from_genesis(&genesis).unwrap();
            check_state(&state, &case["state_proto"], name(case));
        }
    });
}

/// The state after InitChain.
fn init(case: &Value, response: &Value) -> Result<State, Invalid> {
    let genesis = GenesisDoc::parse(text(&case["genesis_json"])).unwrap();
    let mut state = State::from_genesis(&genesis)?;
    state.set_app_version(uint(&case["info_app_version"]));
    let answer = bytes(response);
    let answer = pb::ResponseInitChain::decode(answer.as_slice()).unwrap();
    state.on_init_chain(&answer)?;
    Ok(state)
}

#[test]
fn init_chain_is_as_recorded() {
    each_case("08b-init-chain.json", 20, |_, case| {
        let mut genesis = GenesisDoc::parse(text(&case["genesis_json"])).unwrap();
        // The document is recorded in compact form, the request came from a file with spaces.
        let recorded = bytes(&case["request_proto"]);
        let recorded = pb::RequestInitChain::decode(recorded.as_slice()).unwrap();
        genesis.app_state = String::from_utf8(recorded.app_state_bytes.to_vec()).unwrap();
        let request = abci::init_chain(&genesis).unwrap();
        let request = hex::encode(request.encode_to_vec());
        assert_eq!(request, text(&case["request_proto"]), "{}", name(case));
        let state = init(case, &case["response_proto"]);
        if let Some(state) = expect(state, &case["result"], name(case)) {
            check_state(&state, &case["state_proto"], name(case));
        }
    });
}

fn read_block(height: &Value) -> Result<Block, Invalid> {
    Block::decode(bytes(&height["block_proto"]).into())
}

#[test]
fn blocks_follow_from_states_as_recorded() {
    each_case("09b-state-chain.json", 24, |_, case| {
        let mut state = init(case, &case["init_chain_response_proto"]).unwrap();
        check_state(&state, &case["state_before_first_block_proto"], name(case));
        let mut last_commit = ExtendedCommit::default();
        for height in case["heights"].as_array().unwrap() {
            let what = format!("{} height {}", name(case), height["height"]);
            let block = read_block(height).unwrap();
            let made = apply(&state, &last_commit, &block, height, &what);
            let Some(next) = expect(made, &height["apply"], &what) else { break };
            check_state(&next, &height["state_proto"], &what);
            let commit = bytes(&height["extended_commit_proto"]);
            let commit = types::ExtendedCommit::decode(commit.as_slice()).unwrap();
            last_commit = ExtendedCommit::from_proto(commit).unwrap();
            let hash = last_commit.to_commit().hash();
            assert_eq!(hash.as_bytes(), bytes(&height["commit_hash"]), "{what}");
            state = next;
        }
    });
}

fn apply(
    state: &State,
    last_commit: &ExtendedCommit,
    block: &Block,
    height: &Value,
    what: &str,
) -> Result<State, Invalid> {
    let block_id = BlockId::from_proto(Some(&block_id(&height["block_id"]))).unwrap();
    assert_eq!(block.id(&block.part_set()), block_id, "{what}");
    state.check_block(block, &Zip215)?;
    let remade = state.make_block(
        block.txs().clone(),
        block.last_commit().clone(),
        block.evidence().to_vec(),
        Address::from_slice(block.header().proposer_address.as_bytes()).unwrap(),
    )?;
    assert_eq!(&remade, block, "{what}");
    assert_eq!(&last_commit.to_commit(), block.last_commit(), "{what}");
    check_requests(state, last_commit, block, height, what);
    let answer = bytes(&height["finalize_response_proto"]);
    let answer = pb::ResponseFinalizeBlock::decode(answer.as_slice()).unwrap();
    state.after_block(block_id, block, &answer)
}

fn check_requests(
    state: &State,
    last_commit: &ExtendedCommit,
    block: &Block,
    height: &Value,
    what: &str,
) {
    let same = |encoded: Vec<u8>, field: &str| {
        if let Some(expected) = height[field].as_str() {
            assert_eq!(hex::encode(encoded), expected, "{what} {field}");
        }
    };
    let evidence = block.evidence().iter().map(|one| one.encoded_len() as i64).sum();
    let room = state.tx_bytes_max(evidence).unwrap();
    // The mempool had other transactions than the application made of them.
    let prepared = bytes(&height["prepare_request_proto"]);
    let prepared = pb::RequestPrepareProposal::decode(prepared.as_slice()).unwrap();
    let (evidence, commit) = (block.evidence().to_vec(), block.last_commit().clone());
    let offered = Block::new(block.header().clone(), Txs::new(prepared.txs), evidence, commit);
    let prepare = abci::prepare_proposal(&offered, state, last_commit, room).unwrap();
    same(prepare.encode_to_vec(), "prepare_request_proto");
    let process = abci::process_proposal(block, state).unwrap();
    same(process.encode_to_vec(), "process_request_proto");
    let finalize = abci::finalize_block(block, state).unwrap();
    same(finalize.encode_to_vec(), "finalize_request_proto");
}
