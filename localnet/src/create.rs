//! Makes a network: genesis, keys, and the configuration of each pair.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use guts_app::identity::Identity;
use guts_genesis::manifest::Manifest;
use guts_genesis::{ChainId, LastSign, Time, key_file};
use rand::RngExt as _;

use crate::app_state::Asked;
use crate::network::{Half, Network, Validator};
use crate::start::Options;
use crate::{Error, Result, app_state, at};

/// The first height with vote extensions: pushes are attested in them from the start.
const EXTENSIONS_FROM: i64 = 1;

/// Writes everything of a network of `count` validators and returns it; nothing runs yet.
pub fn create(options: &Options, count: usize) -> Result<Network> {
    let seed: [u8; 32] = rand::rng().random();
    let mut manifest = manifest(count, &seed)?;
    let age_ns = u64::try_from(manifest.consensus_params.evidence_max_age_duration_ns);
    // What is refused is refused before anything is made.
    let asked = Asked::of(options, age_ns.unwrap_or(0) / 1_000_000_000)?;
    at("cannot make", &options.home, std::fs::create_dir_all(&options.home))?;
    let home = at("cannot find", &options.home, std::fs::canonicalize(&options.home))?;
    let offset = options.port_offset.unwrap_or(0);
    let validators = manifest
        .validators
        .iter()
        .enumerate()
        .map(|(index, validator)| {
            let id = key_file::peer_id(&validator.node_key.public_key());
            Validator::new(index, offset, id.expect("network keys are ed25519"))
        })
        .collect();
    let network = Network {
        home,
        seed: hex::encode(seed),
        chain_id: manifest.chain_id.as_str().to_string(),
        app_command: options.app.clone(),
        settings: options.settings.clone(),
        accounts: asked.accounts,
        validators,
    };
    if network.is_guts() {
        manifest.consensus_params.vote_extensions_enable_height = EXTENSIONS_FROM;
        manifest.app_state = app_state(&network, &manifest, &seed, asked)?;
    }
    let genesis = manifest.genesis().map_err(|error| Error::Genesis(error.to_string()))?.to_json();
    for (index, keys) in manifest.validators.iter().enumerate() {
        let engine = network.dir(index, Half::Engine);
        let key = key_file::print_validator_key(&keys.validator_key);
        write(&engine.join("config/priv_validator_key.json"), &key)?;
        write(&engine.join("config/node_key.json"), &key_file::print_node_key(&keys.node_key))?;
        write(&engine.join("config/genesis.json"), &genesis)?;
        write(&engine.join("config/config.toml"), &engine_config(&network, index))?;
        write(&engine.join("data/priv_validator_state.json"), &LastSign::default().print())?;
        if network.is_guts() {
            let app = network.dir(index, Half::App);
            write(&app.join("config.toml"), &app_config(&network, index))?;
        }
    }
    network.save()?;
    Ok(network)
}

fn manifest(count: usize, seed: &[u8]) -> Result<Manifest> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let refused = |error: &dyn std::fmt::Display| Error::Genesis(error.to_string());
    let seconds = i64::try_from(now.as_secs()).map_err(|error| refused(&error))?;
    let time = Time::new(seconds, 0).map_err(|error| refused(&error))?;
    let chain_id = format!("guts-local-{}", hex::encode(&seed[..3]));
    let chain_id = ChainId::new(chain_id).map_err(|error| refused(&error))?;
    let count = u32::try_from(count).expect("bounded by VALIDATORS_MAX");
    Ok(Manifest::local(chain_id, time, seed, count))
}

/// Makes the gateways' keys; names their accounts and where they are in genesis.
fn app_state(network: &Network, manifest: &Manifest, seed: &[u8], asked: Asked) -> Result<String> {
    let mut validators = Vec::new();
    for (index, keys) in manifest.validators.iter().enumerate() {
        let dir = network.dir(index, Half::App);
        at("cannot make", &dir, std::fs::create_dir_all(&dir))?;
        let identity = Identity::make(&dir).map_err(|error| Error::Genesis(error.to_string()))?;
        let gateway = network.validators[index].gateway_url();
        validators.push((keys.validator_key.public_key(), identity, gateway));
    }
    Ok(app_state::app_state(&validators, seed, asked)?.to_json())
}

fn engine_config(network: &Network, index: usize) -> String {
    let validator = &network.validators[index];
    let others: Vec<_> = network
        .validators
        .iter()
        .filter(|other| other.index != index)
        .map(|other| format!("\"{}@127.0.0.1:{}\"", other.node_id, other.p2p_port()))
        .collect();
    format!(
        "moniker = \"validator-{index}\"\n\
         proxy_app = \"unix://{}\"\n\n\
         [rpc]\nladdr = \"tcp://127.0.0.1:{}\"\n\n\
         [p2p]\nladdr = \"tcp://127.0.0.1:{}\"\npersistent_peers = [{}]\n\n\
         [instrumentation]\nprometheus = true\n\
         prometheus_listen_addr = \"tcp://127.0.0.1:{}\"\n",
        network.socket(index).display(),
        validator.rpc_port(),
        validator.p2p_port(),
        others.join(", "),
        validator.metrics_port(),
    )
}

fn app_config(network: &Network, index: usize) -> String {
    let validator = &network.validators[index];
    format!(
        "abci = \"unix://{}\"\ngateway = \"127.0.0.1:{}\"\nengine_rpc = \"{}\"\n\
         allow_private_gateways = true\n",
        network.socket(index).display(),
        validator.gateway_port(),
        validator.rpc_url(),
    )
}

fn write(path: &Path, text: &str) -> Result<()> {
    let dir = path.parent().expect("every file stands in a directory");
    at("cannot make", dir, std::fs::create_dir_all(dir))?;
    at("cannot write", path, std::fs::write(path, text))
}
