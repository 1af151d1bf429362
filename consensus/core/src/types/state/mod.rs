//! What is agreed after a block: everything needed to make and check the next one.
use bytes::Bytes;
use guts_abci::proto::{self, abci::ResponseInitChain};
use guts_genesis::{ConsensusParams, GenesisDoc, Height, Time};

use super::{
    BLOCK_PROTOCOL, BlockId, Hash, Invalid, Validator, ValidatorSet, Version, abci, merkle,
};

mod apply;
mod make;

pub use make::data_bytes_max;

/// The version `/status` reports and stored states carry: clients choose their decoder by it.
pub const SOFTWARE_VERSION: &str = "0.38.25";

/// CometBFT's state record: the result of all blocks up to `last_block_height`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Versions of block rules and application for the next block.
    pub version: Version,
    /// The chain.
    pub chain_id: String,
    /// Height of the first block.
    pub initial_height: Height,
    /// Height of the last block; zero before the first.
    pub last_block_height: Height,
    /// The last block.
    pub last_block_id: BlockId,
    /// Time of the last block; the genesis time before the first.
    pub last_block_time: Time,
    /// Validators of the height after the next.
    pub next_validators: ValidatorSet,
    /// Validators of the next height.
    pub validators: ValidatorSet,
    /// Validators of the last height, who signed its commit; empty before the first block.
    pub last_validators: ValidatorSet,
    /// Height from which `next_validators` has its members.
    pub last_height_validators_changed: Height,
    /// Parameters of the next height.
    pub consensus_params: ConsensusParams,
    /// Height from which they count.
    pub last_height_consensus_params_changed: Height,
    /// Merkle root over the results of the last block.
    pub last_results_hash: Hash,
    /// What the application answered to the last block.
    pub app_hash: Bytes,
}

impl State {
    /// The state before the first block and before the application was asked.
    pub fn from_genesis(genesis: &GenesisDoc) -> Result<State, Invalid> {
        let validators = State::genesis_validators(genesis)?;
        Ok(State {
            version: Version { block: BLOCK_PROTOCOL, app: 0 },
            chain_id: genesis.chain_id.as_str().to_owned(),
            initial_height: genesis.initial_height,
            last_block_height: Height::ZERO,
            last_block_id: BlockId::NIL,
            last_block_time: genesis.genesis_time,
            next_validators: validators.turned(1),
            validators,
            last_validators: ValidatorSet::new(&[])?,
            last_height_validators_changed: genesis.initial_height,
            consensus_params: genesis.consensus_params.clone(),
            last_height_consensus_params_changed: genesis.initial_height,
            last_results_hash: Hash::EMPTY,
            app_hash: Bytes::copy_from_slice(&genesis.app_hash),
        })
    }

    pub(crate) fn genesis_validators(genesis: &GenesisDoc) -> Result<ValidatorSet, Invalid> {
        let members: Vec<Validator> =
            genesis.validators.iter().map(|v| Validator::new(v.key, v.power)).collect();
        ValidatorSet::new(&members)
    }

    /// Takes the application's version as Info reports it. Only before the first block.
    pub fn set_app_version(&mut self, version: u64) {
        if self.last_block_height == Height::ZERO {
            self.version.app = version;
        }
    }

    /// Takes the answer to InitChain: its app hash, validators and parameters win over those of
    /// the genesis document. Refused if there are no validators at all.
    pub fn on_init_chain(&mut self, answer: &ResponseInitChain) -> Result<(), Invalid> {
        if !answer.app_hash.is_empty() {
            self.app_hash = answer.app_hash.clone();
        }
        if !answer.validators.is_empty() {
            let members = abci::read_validator_updates(&answer.validators)?;
            self.validators = ValidatorSet::new(&members)?;
            self.next_validators = self.validators.turned(1);
        } else if self.validators.is_empty() {
            return Err(Invalid::NoValidators);
        }
        if let Some(params) = &answer.consensus_params {
            self.consensus_params = self.consensus_params.updated(Some(params));
            self.version.app = self.consensus_params.version_app;
        }
        self.last_results_hash = merkle::root::<Vec<u8>>(&[]);
        // The application must stand where the first header will say it does.
        if answer.app_hash != self.app_hash {
            return Err(Invalid::AppHashMismatch);
        }
        Ok(())
    }

    /// Height of the next block.
    pub fn next_height(&self) -> Height {
        match self.last_block_height {
            Height::ZERO => self.initial_height,
            last => last.next(),
        }
    }

    /// Whether no block was made yet.
    pub fn is_before_first_block(&self) -> bool {
        self.last_block_height == Height::ZERO
    }

    /// Reads and checks the stored form.
    pub fn from_proto(state: proto::state::State) -> Result<State, Invalid> {
        let version = state.version.and_then(|version| version.consensus).unwrap_or_default();
        let set = |set: Option<proto::types::ValidatorSet>| match set {
            Some(set) if !set.validators.is_empty() => ValidatorSet::from_proto(&set),
            _ => ValidatorSet::new(&[]),
        };
        let params = state.consensus_params.as_ref().ok_or(Invalid::FieldMissing)?;
        let height = |height| Height::from_wire(height);
        Ok(State {
            version: Version { block: version.block, app: version.app },
            chain_id: state.chain_id,
            initial_height: height(state.initial_height)?,
            last_block_height: height(state.last_block_height)?,
            last_block_id: BlockId::from_proto(state.last_block_id.as_ref())?,
            last_block_time: Time::from_proto(state.last_block_time.as_ref())?,
            next_validators: set(state.next_validators)?,
            validators: set(state.validators)?,
            last_validators: set(state.last_validators)?,
            last_height_validators_changed: height(state.last_height_validators_changed)?,
            consensus_params: ConsensusParams::from_proto(params)
                .map_err(|_| Invalid::FieldMissing)?,
            last_height_consensus_params_changed: height(
                state.last_height_consensus_params_changed,
            )?,
            last_results_hash: Hash::from_slice(&state.last_results_hash)?,
            app_hash: state.app_hash.into(),
        })
    }

    /// The stored form.
    pub fn to_proto(&self) -> proto::state::State {
        let has_last = self.last_block_height > Height::ZERO;
        proto::state::State {
            version: Some(proto::state::Version {
                consensus: Some(proto::version::Consensus {
                    block: self.version.block,
                    app: self.version.app,
                }),
                software: SOFTWARE_VERSION.to_owned(),
            }),
            chain_id: self.chain_id.clone(),
            initial_height: self.initial_height.wire(),
            last_block_height: self.last_block_height.wire(),
            last_block_id: Some(self.last_block_id.to_proto()),
            last_block_time: Some(self.last_block_time.to_proto()),
            next_validators: Some(self.next_validators.to_proto()),
            validators: Some(self.validators.to_proto()),
            last_validators: has_last.then(|| self.last_validators.to_proto()),
            last_height_validators_changed: self.last_height_validators_changed.wire(),
            consensus_params: Some(self.consensus_params.to_proto()),
            last_height_consensus_params_changed: self.last_height_consensus_params_changed.wire(),
            last_results_hash: self.last_results_hash.to_vec(),
            app_hash: self.app_hash.to_vec(),
        }
    }
}
