//! From a short description to everything a network starts with.
use sha2::{Digest, Sha256};

use crate::{
    ChainId, ConsensusParams, GenesisDoc, GenesisError, GenesisValidator, Height, Power,
    PrivateKey, Time,
};

/// A validator of a network to be made.
#[derive(Clone, Debug)]
pub struct ManifestValidator {
    /// A name for people.
    pub name: String,
    /// Voting power, positive.
    pub power: Power,
    /// The key it votes with.
    pub validator_key: PrivateKey,
    /// The key its node is known by.
    pub node_key: PrivateKey,
}

impl ManifestValidator {
    /// Validator `index` of a network whose keys all follow from `seed`. For tests and local
    /// networks: whoever knows the seed has the keys.
    pub fn from_seed(seed: &[u8], index: u32, power: Power) -> ManifestValidator {
        let key = |role: &str| {
            let mut hash = Sha256::new();
            for piece in [b"guts/network-key/".as_slice(), role.as_bytes(), &[0], seed] {
                hash.update(piece);
            }
            PrivateKey::from_seed(hash.chain_update(index.to_be_bytes()).finalize().into())
        };
        ManifestValidator {
            name: format!("validator-{index}"),
            power,
            validator_key: key("validator"),
            node_key: key("node"),
        }
    }
}

/// What a network is made from. Equal manifests make equal networks.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The chain's name.
    pub chain_id: ChainId,
    /// Time of the first block.
    pub genesis_time: Time,
    /// Rules all nodes share.
    pub consensus_params: ConsensusParams,
    /// The validators.
    pub validators: Vec<ManifestValidator>,
    /// The application's part: raw JSON, or empty.
    pub app_state: String,
}

impl Manifest {
    /// A network of `count` validators of power 10 with default parameters and keys from `seed`.
    pub fn local(chain_id: ChainId, genesis_time: Time, seed: &[u8], count: u32) -> Manifest {
        let validator = |index| ManifestValidator::from_seed(seed, index, Power(10));
        Manifest {
            chain_id,
            genesis_time,
            consensus_params: ConsensusParams::default(),
            validators: (0..count).map(validator).collect(),
            app_state: String::new(),
        }
    }

    /// The genesis document, checked as if read from its file.
    pub fn genesis(&self) -> Result<GenesisDoc, GenesisError> {
        let validator = |v: &ManifestValidator| GenesisValidator {
            key: v.validator_key.public_key(),
            power: v.power,
            name: v.name.clone(),
        };
        let doc = GenesisDoc {
            genesis_time: self.genesis_time,
            chain_id: self.chain_id.clone(),
            initial_height: Height(1),
            consensus_params: self.consensus_params.clone(),
            validators: self.validators.iter().map(validator).collect(),
            app_hash: Vec::new(),
            app_state: self.app_state.clone(),
        };
        GenesisDoc::parse(&doc.to_json())
    }
}
