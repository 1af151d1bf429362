//! What the application is told, made from blocks, commits and sets.
use bytes::Bytes;
use guts_abci::proto::abci::{
    self, CommitInfo, ExtendedCommitInfo, ExtendedVoteInfo, Misbehavior, RequestFinalizeBlock,
    RequestInfo, RequestInitChain, RequestPrepareProposal, RequestProcessProposal, ValidatorUpdate,
    VoteInfo,
};
use guts_genesis::{ConsensusParams, GenesisDoc, Height, Power, PublicKey};

use super::{
    BLOCK_PROTOCOL, Block, Commit, Evidence, ExtendedCommit, Hash, Invalid, P2P_PROTOCOL,
    SOFTWARE_VERSION, State, Validator, ValidatorSet,
};

/// The ABCI version this engine speaks.
const ABCI_VERSION: &str = "2.0.0";

/// What an application is asked first: it hears what this engine speaks.
pub fn info() -> RequestInfo {
    RequestInfo {
        version: SOFTWARE_VERSION.to_owned(),
        block_version: BLOCK_PROTOCOL,
        p2p_version: P2P_PROTOCOL,
        abci_version: ABCI_VERSION.to_owned(),
    }
}

fn abci_validator(validator: &Validator) -> abci::Validator {
    abci::Validator {
        address: Bytes::copy_from_slice(validator.address.as_bytes()),
        power: validator.power.wire(),
    }
}

fn hash_bytes(hash: &Hash) -> Bytes {
    Bytes::copy_from_slice(hash.as_bytes())
}

/// Who signed the last commit. Empty for the first block.
pub fn commit_info(
    commit: &Commit,
    validators: &ValidatorSet,
    (height, initial_height): (Height, Height),
) -> Result<CommitInfo, Invalid> {
    if height == initial_height {
        return Ok(CommitInfo::default());
    }
    if commit.signatures.len() != validators.len() {
        return Err(Invalid::SizeMismatch);
    }
    let votes = validators.validators().iter().zip(&commit.signatures);
    let votes = votes.map(|(validator, sig)| VoteInfo {
        validator: Some(abci_validator(validator)),
        block_id_flag: sig.flag(),
    });
    Ok(CommitInfo { round: commit.round.wire(), votes: votes.collect() })
}

/// Who signed the last commit, with their vote extensions: for the proposer's application.
/// Empty below the first height.
pub fn extended_commit_info(
    commit: &ExtendedCommit,
    validators: &ValidatorSet,
    initial_height: Height,
    params: &ConsensusParams,
) -> Result<ExtendedCommitInfo, Invalid> {
    if commit.height < initial_height {
        return Ok(ExtendedCommitInfo::default());
    }
    if commit.signatures.len() != validators.len() {
        return Err(Invalid::SizeMismatch);
    }
    for (validator, place) in validators.validators().iter().zip(&commit.signatures) {
        if place.sig.vote().is_some_and(|vote| vote.address != validator.address) {
            return Err(Invalid::AddressMismatch);
        }
    }
    let extended = params.has_extensions_at(commit.height);
    commit.check_extensions(extended).map_err(|_| Invalid::ExtensionCheck)?;
    let votes = validators.validators().iter().zip(&commit.signatures);
    let votes = votes.map(|(validator, place)| ExtendedVoteInfo {
        validator: Some(abci_validator(validator)),
        vote_extension: place.extension.clone(),
        extension_signature: Bytes::copy_from_slice(place.extension_signature.as_bytes()),
        block_id_flag: place.sig.flag(),
    });
    Ok(ExtendedCommitInfo { round: commit.round.wire(), votes: votes.collect() })
}

/// What the evidence of a block tells the application.
pub fn misbehavior(evidence: &[Evidence]) -> Vec<Misbehavior> {
    evidence.iter().flat_map(Evidence::to_abci).collect()
}

/// A set as updates, in its order.
pub fn validator_updates(validators: &ValidatorSet) -> Vec<ValidatorUpdate> {
    let update = |validator: &Validator| ValidatorUpdate {
        pub_key: Some(validator.key.to_proto()),
        power: validator.power.wire(),
    };
    validators.validators().iter().map(update).collect()
}

/// Reads updates as the application sends them. Power zero stands for leaving.
pub fn read_validator_updates(updates: &[ValidatorUpdate]) -> Result<Vec<Validator>, Invalid> {
    let read = |update: &ValidatorUpdate| {
        let power = Power::from_wire(update.power)?;
        Ok(Validator::new(PublicKey::from_proto(update.pub_key.as_ref())?, power))
    };
    updates.iter().map(read).collect()
}

/// Checks updates against the allowed key types, and reads them.
pub fn check_validator_updates(
    updates: &[ValidatorUpdate],
    params: &ConsensusParams,
) -> Result<Vec<Validator>, Invalid> {
    for update in updates {
        if update.power < 0 {
            return Err(Invalid::ValidatorUpdateNegative);
        }
        // Whoever leaves may have a key type that is not allowed any more.
        if update.power > 0 {
            let key = PublicKey::from_proto(update.pub_key.as_ref())?;
            let name = key.type_name();
            if !params.validator_pub_key_types.iter().any(|allowed| allowed == name) {
                return Err(Invalid::KeyTypeUnsupported);
            }
        }
    }
    read_validator_updates(updates)
}

/// The InitChain request of a genesis document.
pub fn init_chain(genesis: &GenesisDoc) -> Result<RequestInitChain, Invalid> {
    let validators = State::genesis_validators(genesis)?;
    Ok(RequestInitChain {
        time: Some(genesis.genesis_time.to_proto()),
        chain_id: genesis.chain_id.as_str().to_owned(),
        consensus_params: Some(genesis.consensus_params.to_proto()),
        validators: validator_updates(&validators),
        app_state_bytes: Bytes::copy_from_slice(genesis.app_state.as_bytes()),
        initial_height: genesis.initial_height.wire(),
    })
}

/// The PrepareProposal request for a block made of what the mempool had. `last_commit` is the
/// last height's, with extensions; `tx_bytes_max` is [`super::data_bytes_max`].
pub fn prepare_proposal(
    block: &Block,
    state: &State,
    last_commit: &ExtendedCommit,
    tx_bytes_max: i64,
) -> Result<RequestPrepareProposal, Invalid> {
    let header = block.header();
    let info = extended_commit_info(
        last_commit,
        &state.last_validators,
        state.initial_height,
        &state.consensus_params,
    )?;
    Ok(RequestPrepareProposal {
        max_tx_bytes: tx_bytes_max,
        txs: block.txs().as_slice().to_vec(),
        local_last_commit: Some(info),
        misbehavior: misbehavior(block.evidence()),
        height: header.height.wire(),
        time: Some(header.time.to_proto()),
        next_validators_hash: hash_bytes(&header.next_validators_hash),
        proposer_address: Bytes::copy_from_slice(header.proposer_address.as_bytes()),
    })
}

/// The ProcessProposal request for a block on top of `state`.
pub fn process_proposal(block: &Block, state: &State) -> Result<RequestProcessProposal, Invalid> {
    // It says of the block what will be said once it is decided.
    let of = finalize_block(block, state)?;
    Ok(RequestProcessProposal {
        txs: of.txs,
        proposed_last_commit: of.decided_last_commit,
        misbehavior: of.misbehavior,
        hash: of.hash,
        height: of.height,
        time: of.time,
        next_validators_hash: of.next_validators_hash,
        proposer_address: of.proposer_address,
    })
}

/// The FinalizeBlock request for a block decided on top of `state`.
pub fn finalize_block(block: &Block, state: &State) -> Result<RequestFinalizeBlock, Invalid> {
    let info = last_commit_info(block, state)?;
    Ok(finalize_block_with(block, info))
}

/// The FinalizeBlock request for a block whose last commit was signed by `last_validators`: for
/// replaying old blocks to the application.
pub fn finalize_old_block(
    block: &Block,
    last_validators: &ValidatorSet,
    initial_height: Height,
) -> Result<RequestFinalizeBlock, Invalid> {
    let heights = (block.header().height, initial_height);
    let info = commit_info(block.last_commit(), last_validators, heights)?;
    Ok(finalize_block_with(block, info))
}

fn finalize_block_with(block: &Block, info: CommitInfo) -> RequestFinalizeBlock {
    let header = block.header();
    RequestFinalizeBlock {
        txs: block.txs().as_slice().to_vec(),
        decided_last_commit: Some(info),
        misbehavior: misbehavior(block.evidence()),
        hash: hash_bytes(&block.hash()),
        height: header.height.wire(),
        time: Some(header.time.to_proto()),
        next_validators_hash: hash_bytes(&header.next_validators_hash),
        proposer_address: Bytes::copy_from_slice(header.proposer_address.as_bytes()),
    }
}

fn last_commit_info(block: &Block, state: &State) -> Result<CommitInfo, Invalid> {
    let heights = (block.header().height, state.initial_height);
    commit_info(block.last_commit(), &state.last_validators, heights)
}
